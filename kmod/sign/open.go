package sign

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
)

// maxFile bounds a file with a key or a certificate.
const maxFile = 1 << 20

// Open reads a private key (PEM) and its certificate (PEM or DER), each in a file that may hold more, as the kernel's
// certs/signing_key.pem does. Keys are RSA or ECDSA, as kernels know them. Encrypted keys and those of a hardware token
// (PKCS #11) are errors that say so.
func Open(keyFile, certFile string) (*Signer, error) {
	s := &Signer{}
	var err error
	if s.Cert, err = readCert(certFile); err != nil {
		return nil, fmt.Errorf("certificate %q: %w", certFile, err)
	}
	if s.key, err = readKey(keyFile); err != nil {
		return nil, fmt.Errorf("key %q: %w", keyFile, err)
	}
	switch s.Cert.PublicKey.(type) {
	case *rsa.PublicKey, *ecdsa.PublicKey:
	default:
		return nil, fmt.Errorf("certificate %q: its key is %s, want RSA or ECDSA", certFile, s.Cert.PublicKeyAlgorithm)
	}
	if pub, ok := s.key.Public().(interface{ Equal(crypto.PublicKey) bool }); !ok || !pub.Equal(s.Cert.PublicKey) {
		return nil, fmt.Errorf("key %q: it is not that of certificate %q", keyFile, certFile)
	}
	return s, nil
}

func read(name string) ([]byte, error) {
	st, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() || st.Size() > maxFile {
		return nil, fmt.Errorf("want a file of at most %d bytes", maxFile)
	}
	return os.ReadFile(name)
}

func readCert(name string) (*x509.Certificate, error) {
	data, err := read(name)
	if err != nil {
		return nil, err
	}
	if cert, err := x509.ParseCertificate(data); err == nil {
		return cert, nil
	}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			return x509.ParseCertificate(block.Bytes)
		}
	}
	return nil, errors.New("want an X.509 certificate in PEM or DER form")
}

func readKey(name string) (crypto.Signer, error) {
	data, err := read(name)
	if err != nil {
		return nil, err
	}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		var key any
		switch block.Type {
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			if block.Headers["DEK-Info"] != "" {
				return nil, errEncrypted
			}
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			if block.Headers["DEK-Info"] != "" {
				return nil, errEncrypted
			}
			key, err = x509.ParseECPrivateKey(block.Bytes)
		case "ENCRYPTED PRIVATE KEY":
			return nil, errEncrypted
		default:
			continue
		}
		if err != nil {
			return nil, err
		}
		signer, ok := key.(crypto.Signer)
		if !ok {
			return nil, fmt.Errorf("it is a %T, want RSA or ECDSA", key)
		}
		return signer, nil
	}
	return nil, errors.New("want a private key in PEM form; keys of hardware tokens are not supported")
}

var errEncrypted = errors.New("it is encrypted; decrypt it for the build (openssl pkey)")
