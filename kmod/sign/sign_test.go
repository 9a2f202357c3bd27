package sign

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func openssl(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.Command("openssl", args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("openssl %q (Debian package openssl): %v\n%s", args, err, &stderr)
	}
	return out
}

// newKey makes a key and its certificate.
func newKey(t *testing.T, algorithm ...string) (key, cert string) {
	t.Helper()
	dir := t.TempDir()
	key, cert = filepath.Join(dir, "key.pem"), filepath.Join(dir, "cert.pem")
	args := []string{"req", "-x509", "-nodes", "-days", "3650", "-subj", "/O=livesplice/CN=test key", "-keyout", key, "-out", cert, "-newkey"}
	openssl(t, append(args, algorithm...)...)
	return key, cert
}

var rsa2048, p256 = []string{"rsa:2048"}, []string{"ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"}

// TestSign holds signatures to those of openssl: the same bytes with RSA, and verified by it with either kind of key.
func TestSign(t *testing.T) {
	module := []byte("\x7fELF and so on")
	for _, tc := range []struct {
		name, hash string
		algorithm  []string
	}{
		{"RSA", "sha256", rsa2048}, {"RSA", "sha512", rsa2048}, {"RSA", "sha384", rsa2048}, {"RSA", "sha224", rsa2048},
		{"ECDSA", "sha256", p256}, {"ECDSA", "sha512", p256},
	} {
		t.Run(tc.name+" "+tc.hash, func(t *testing.T) {
			key, cert := newKey(t, tc.algorithm...)
			s, err := Open(key, cert)
			if err != nil {
				t.Fatal(err)
			}
			signed, err := s.Sign(module, tc.hash)
			if err != nil {
				t.Fatal(err)
			}
			again, err := s.Sign(module, tc.hash)
			if err != nil || !bytes.Equal(signed, again) {
				t.Errorf("a second time the bytes differ (%v)", err)
			}
			end := len(signed) - len(magic)
			size := int(binary.BigEndian.Uint32(signed[end-4 : end]))
			if want := []byte{0, 0, 2, 0, 0, 0, 0, 0}; string(signed[end:]) != magic || !bytes.Equal(signed[end-12:end-4], want) || !bytes.HasPrefix(signed, module) ||
				len(signed) != len(module)+size+12+len(magic) {
				t.Fatalf("form of %q", signed)
			}
			der := signed[len(module) : len(module)+size]
			dir := t.TempDir()
			plain, sig := filepath.Join(dir, "module"), filepath.Join(dir, "sig")
			for path, data := range map[string][]byte{plain: module, sig: der} {
				if err := os.WriteFile(path, data, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if tc.name == "RSA" {
				want := openssl(t, "cms", "-sign", "-binary", "-noattr", "-nocerts", "-nosmimecap", "-md", tc.hash, "-signer", cert, "-inkey", key, "-in", plain, "-outform", "DER")
				if !bytes.Equal(der, want) {
					t.Errorf("signature\n%x, openssl's is\n%x", der, want)
				}
			}
			openssl(t, "cms", "-verify", "-binary", "-inform", "DER", "-in", sig, "-content", plain, "-certfile", cert, "-CAfile", cert, "-purpose", "any", "-out", os.DevNull)
			if _, err := s.Sign(signed, tc.hash); err == nil || err.Error() != "the module is signed already" {
				t.Errorf("signed twice: %v", err)
			}
		})
	}
}

func TestOpen(t *testing.T) {
	key, cert := newKey(t, rsa2048...)
	other, _ := newKey(t, rsa2048...)
	ecKey, ecCert := newKey(t, p256...)
	edKey, edCert := newKey(t, "ed25519")
	dir := t.TempDir()
	file := func(name string, parts ...[]byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, bytes.Join(parts, nil), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	read := func(path string) []byte {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	text := file("text", []byte("no key\n"))
	both := file("signing_key.pem", read(key), read(cert))
	der := file("signing_key.x509", openssl(t, "x509", "-in", cert, "-outform", "DER"))
	pkcs1 := file("pkcs1.pem", openssl(t, "rsa", "-in", key, "-traditional"))
	sec1 := file("sec1.pem", openssl(t, "ec", "-in", ecKey))
	locked := file("locked.pem", openssl(t, "pkey", "-in", key, "-aes128", "-passout", "pass:x"))
	old := file("old.pem", openssl(t, "rsa", "-in", key, "-traditional", "-aes128", "-passout", "pass:x"))
	for _, tc := range []struct{ name, key, cert, want string }{
		{"PEM", key, cert, ""},
		{"both in one file", both, both, ""},
		{"certificate in DER", key, der, ""},
		{"PKCS #1", pkcs1, cert, ""},
		{"SEC 1", sec1, ecCert, ""},
		{"another key", other, cert, `it is not that of certificate`},
		{"another kind of key", ecKey, cert, `it is not that of certificate`},
		{"Ed25519", edKey, edCert, "its key is Ed25519, want RSA or ECDSA"},
		{"encrypted", locked, cert, "it is encrypted; decrypt it"},
		{"encrypted in the old way", old, cert, "it is encrypted; decrypt it"},
		{"certificate as key", cert, cert, "want a private key in PEM form"},
		{"token", text, cert, "keys of hardware tokens are not supported"},
		{"text as certificate", key, text, "want an X.509 certificate in PEM or DER form"},
		{"missing", filepath.Join(dir, "x"), cert, "no such file"},
		{"folder", dir, cert, "want a file of at most 1048576 bytes"},
	} {
		_, err := Open(tc.key, tc.cert)
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", tc.name, err, tc.want)
		}
	}
}

func TestSignRefusesHash(t *testing.T) {
	s, err := Open(newKey(t, rsa2048...))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Sign(nil, "sha1"); err == nil || !strings.HasPrefix(err.Error(), `hash "sha1": want sha224`) {
		t.Errorf("got %v", err)
	}
}
