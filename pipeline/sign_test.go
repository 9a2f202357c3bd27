package pipeline

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"

	"livesplice/pkgfmt"
)

// TestSignHash holds by which hash a module is signed: the shipped kernel's, or one of ours where it checks no signatures.
func TestSignHash(t *testing.T) {
	dir := t.TempDir()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kernel"}}
	cert.Raw, err = x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	both := append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})...)
	path := filepath.Join(dir, "key.pem")
	if err := os.WriteFile(path, both, 0o600); err != nil {
		t.Fatal(err)
	}
	for config, want := range map[string]string{
		"CONFIG_MODULE_SIG=y\nCONFIG_MODULE_SIG_HASH=\"sha512\"\n": "sha512, by CN=kernel",
		"# CONFIG_MODULE_SIG is not set\n":                         "sha256, by CN=kernel",
	} {
		c := &creation{opts: Options{SignKey: path, SignCert: path}, module: []byte("module"), kernel: &pkgfmt.Kernel{Config: filepath.Join(dir, "config")}}
		if err := os.WriteFile(c.kernel.Config, []byte(config), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := c.openSigner(); err != nil {
			t.Fatal(err)
		}
		if got, err := c.sign(t.Context()); err != nil || got != want {
			t.Errorf("%q: got %q, %v, want %q", config, got, err, want)
		}
	}
}
