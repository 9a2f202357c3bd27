package livepatch

import (
	"context"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// RunningKernel is the kernel on which this program runs.
type RunningKernel struct{}

// InitModule loads from memory, so that the bytes loaded are those whose hash
// was taken; finit_module(2) would read the file once more.
func (RunningKernel) InitModule(image []byte) error { return unix.InitModule(image, "") }

func (RunningKernel) DeleteModule(name string) error {
	return unix.DeleteModule(name, unix.O_NONBLOCK)
}

func (RunningKernel) WriteFile(path, value string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

func (RunningKernel) Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
