// Package program builds the programs that measurements run.
package program

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// Build builds livesplice as the file path, from the module of the working directory; what the compiler says goes to log.
func Build(ctx context.Context, path string, log io.Writer) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", path, "livesplice/cmd/livesplice")
	cmd.Stderr = log
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go build: %w", err)
	}
	return nil
}

// BuildHost builds splicectl, the program of patched machines, as it is shipped: statically linked.
func BuildHost(ctx context.Context, path string, log io.Writer) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", path, "livesplice/cmd/splicectl")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	cmd.Stderr = log
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go build: %w", err)
	}
	return nil
}
