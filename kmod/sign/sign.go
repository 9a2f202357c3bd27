// Package sign appends signatures to modules, in the form that the kernel verifies and its own scripts/sign-file makes.
package sign

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	_ "crypto/sha256" // hashes that a kernel may ask for
	_ "crypto/sha512"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// Signer signs modules with one key.
type Signer struct {
	Cert *x509.Certificate
	key  crypto.Signer
}

// magic ends a signed module. Source: include/linux/module_signature.h, v6.1.
const magic = "~Module signature appended~\n"

// trailer stands between the signature and magic. Source: struct module_signature, include/linux/module_signature.h, v6.1.
type trailer struct {
	Algo      uint8    // 0
	Hash      uint8    // 0
	IDType    uint8    // idPKCS7
	SignerLen uint8    // 0
	KeyIDLen  uint8    // 0
	Pad       [3]uint8 // 0
	SigLen    uint32   // bytes of the signature, big-endian
}

const idPKCS7 = 2 // PKEY_ID_PKCS7

// hashes are those of CONFIG_MODULE_SIG_HASH that this package knows; SHA-1 is left out since no kernel needs it.
var hashes = map[string]crypto.Hash{"sha224": crypto.SHA224, "sha256": crypto.SHA256, "sha384": crypto.SHA384, "sha512": crypto.SHA512}

// Sign gives the module with a signature at its end. hash is the value of CONFIG_MODULE_SIG_HASH, "sha256". The same
// module, key and hash give the same bytes. A module that is signed already is an error: the kernel looks at the last
// signature only.
func (s *Signer) Sign(module []byte, hash string) ([]byte, error) {
	h, ok := hashes[hash]
	if !ok {
		return nil, fmt.Errorf("hash %q: want sha224, sha256, sha384 or sha512 (CONFIG_MODULE_SIG_HASH)", hash)
	}
	if bytes.HasSuffix(module, []byte(magic)) {
		return nil, errors.New("the module is signed already")
	}
	sum := h.New()
	sum.Write(module)
	digest := sum.Sum(nil)
	// Without a source of randomness RSA's PKCS #1 v1.5 is what it always is, and ECDSA follows RFC 6979: reproducible.
	signature, err := s.key.Sign(nil, digest, h)
	if err != nil {
		return nil, fmt.Errorf("signature: %w", err)
	}
	if err := s.check(h, digest, signature); err != nil {
		return nil, err
	}
	der, err := s.pkcs7(h, signature)
	if err != nil {
		return nil, err
	}
	out := bytes.NewBuffer(slices.Concat(module, der))
	if err := binary.Write(out, binary.BigEndian, trailer{IDType: idPKCS7, SigLen: uint32(len(der))}); err != nil {
		return nil, err
	}
	out.WriteString(magic)
	return out.Bytes(), nil
}

// check verifies a signature with the certificate, as the kernel will.
func (s *Signer) check(h crypto.Hash, digest, signature []byte) error {
	switch key := s.Cert.PublicKey.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(key, h, digest, signature)
	case *ecdsa.PublicKey:
		if !ecdsa.VerifyASN1(key, digest, signature) {
			return errors.New("signature: the certificate does not confirm it")
		}
		return nil
	}
	return fmt.Errorf("certificate: key of kind %T", s.Cert.PublicKey)
}
