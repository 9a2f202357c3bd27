package vm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// qmp speaks to QEMU's monitor. Source: QEMU 7.2, docs/interop/qmp-spec.txt.
type qmp struct {
	mu   sync.Mutex
	conn net.Conn
	dec  *json.Decoder
}

// qmpTimeout bounds one command: the monitor answers at once or not at all.
const qmpTimeout = 30 * time.Second

func dialQMP(ctx context.Context, conn net.Conn) (*qmp, error) {
	q := &qmp{conn: conn, dec: json.NewDecoder(conn)}
	return q, q.do(ctx, "qmp_capabilities", nil)
}

// do runs one command and waits for its answer. Events and the greeting are passed over.
func (q *qmp) do(ctx context.Context, command string, args any) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	deadline := time.Now().Add(qmpTimeout)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	if err := q.conn.SetDeadline(deadline); err != nil {
		return err
	}
	request := map[string]any{"execute": command}
	if args != nil {
		request["arguments"] = args
	}
	if err := json.NewEncoder(q.conn).Encode(request); err != nil {
		return fmt.Errorf("%s: %w", command, err)
	}
	for {
		var answer struct {
			Return json.RawMessage `json:"return"`
			Error  *struct {
				Desc string `json:"desc"`
			} `json:"error"`
		}
		if err := q.dec.Decode(&answer); err != nil {
			return fmt.Errorf("%s: %w", command, err)
		}
		switch {
		case answer.Error != nil:
			return fmt.Errorf("%s: %w", command, errors.New(answer.Error.Desc))
		case answer.Return != nil:
			return nil
		}
	}
}

// onReboot says what a restart of the guest does: "reset" lets it happen, "shutdown" ends QEMU.
func (q *qmp) onReboot(ctx context.Context, action string) error {
	return q.do(ctx, "set-action", map[string]string{"reboot": action})
}
