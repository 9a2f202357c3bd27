package rebuild

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"livesplice/kmod/sign"
)

// TestSignFile holds package sign to the tree's own scripts/sign-file.
func TestSignFile(t *testing.T) {
	s := shippedTree(t)
	dir := t.TempDir()
	key, cert, module := filepath.Join(dir, "key.pem"), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "x.ko")
	if out, err := exec.Command("openssl", "req", "-x509", "-nodes", "-newkey", "rsa:4096", "-subj", "/CN=kernel key", "-keyout", key, "-out", cert).CombinedOutput(); err != nil {
		t.Fatalf("openssl (Debian package openssl): %v\n%s", err, out)
	}
	plain := bytes.Repeat([]byte("module"), 1000)
	if err := os.WriteFile(module, plain, 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(filepath.Join(s.tree.Object, "scripts/sign-file"), "sha256", key, cert, module).CombinedOutput(); err != nil {
		t.Fatalf("sign-file: %v\n%s", err, out)
	}
	want, err := os.ReadFile(module)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := sign.Open(key, cert)
	if err != nil {
		t.Fatal(err)
	}
	got, err := signer.Sign(plain, "sha256")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%d bytes that differ from sign-file's %d", len(got), len(want))
	}
}
