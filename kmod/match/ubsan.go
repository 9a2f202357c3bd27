package match

import (
	"bytes"
	"path"

	"livesplice/kmod/unit"
)

// ubsanFile checks the name of the source file that UBSAN reports, which is written with the folder that the kernel was
// built in: its last part must be that of pre.
func (a *attempt) ubsanFile(r unit.Ref, addr uint64, have []byte) *difference {
	other := &difference{reason: "reports another source file"}
	if r.To == nil || r.To.Kind != unit.Literal || r.ToOffset < 0 || r.ToOffset >= int64(r.To.Size()) {
		return other
	}
	name, _, _ := bytes.Cut(r.To.Bytes()[r.ToOffset:], []byte{0})
	at := fieldTarget(r, addr, have)
	const longest = 4096 // PATH_MAX
	for n := uint64(0); n < longest; n++ {
		if b, ok := a.m.run.Bytes(at+n, 1); !ok {
			return other
		} else if b[0] != 0 {
			continue
		}
		if run, ok := a.m.run.Bytes(at, n); ok && path.Base(string(run)) == path.Base(string(name)) {
			return nil
		}
		break
	}
	return other
}
