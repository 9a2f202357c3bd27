package vm

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"livesplice/pipeline/cache"
	"livesplice/pipeline/process"
)

// agentSources are built by the harness itself, so that it works wherever it runs, and without this module's
// dependencies.
//
//go:embed agent/main.go agent/boot.go agent/serve.go agent/requests.go wire/wire.go
var agentSources embed.FS

// agentMod is the go.mod of the copy that is built. Go 1.22 is what the agent's sources need.
const agentMod = "module livesplice\n\ngo 1.22\n"

// buildAgent is the path of the agent's program: static, since the initramfs holds nothing else.
func buildAgent(ctx context.Context, c *cache.Cache) (string, error) {
	key := sha256.New()
	key.Write([]byte(agentMod))
	sources := map[string][]byte{}
	err := fs.WalkDir(agentSources, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := agentSources.ReadFile(path)
		sources["ci/vm/"+path] = b
		fmt.Fprintf(key, "%s %d\n", path, len(b))
		key.Write(b)
		return err
	})
	if err != nil {
		return "", err
	}
	dir, err := c.Dir(ctx, "vm-agent", hex.EncodeToString(key.Sum(nil))[:32], func(ctx context.Context, dir string) error {
		return compileAgent(ctx, dir, sources)
	})
	return filepath.Join(dir, "agent"), err
}

func compileAgent(ctx context.Context, dir string, sources map[string][]byte) error {
	src := filepath.Join(dir, "src")
	sources["go.mod"] = []byte(agentMod)
	for name, b := range sources {
		path := filepath.Join(src, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			return err
		}
	}
	env := process.Env("CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64", "GOFLAGS=", "GOWORK=off", "GOTOOLCHAIN=local")
	for _, k := range []string{"GOCACHE", "GOROOT", "GOPATH"} {
		if v := os.Getenv(k); v != "" {
			env = append(env, k+"="+v)
		}
	}
	_, err := process.Run(ctx, process.Cmd{
		Path: "go", Args: []string{"build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(dir, "agent"), "./ci/vm/agent"},
		Dir: src, Env: env,
	})
	if err != nil {
		return fmt.Errorf("vm agent: %w", err)
	}
	return os.RemoveAll(src)
}
