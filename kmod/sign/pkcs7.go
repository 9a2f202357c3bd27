package sign

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
)

// The parts of a detached PKCS #7 signature without certificates and signed attributes, which is what the kernel wants of
// a module's.
//
// Source: RFC 5652, section 5; scripts/sign-file.c and crypto/asymmetric_keys/pkcs7.asn1, v6.1.
type contentInfo struct {
	ContentType asn1.ObjectIdentifier
	Content     signedData `asn1:"explicit,tag:0"`
}

type signedData struct {
	Version          int
	DigestAlgorithms []pkix.AlgorithmIdentifier `asn1:"set"`
	Content          struct {
		ContentType asn1.ObjectIdentifier
	}
	SignerInfos []signerInfo `asn1:"set"`
}

type signerInfo struct {
	Version   int
	Issuer    issuerAndSerial
	Digest    pkix.AlgorithmIdentifier
	Algorithm pkix.AlgorithmIdentifier
	Signature []byte
}

type issuerAndSerial struct {
	Issuer asn1.RawValue
	Serial *big.Int
}

var (
	oidData       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidSignedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidRSA        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}

	oidHash = map[crypto.Hash]asn1.ObjectIdentifier{
		crypto.SHA256: {2, 16, 840, 1, 101, 3, 4, 2, 1}, crypto.SHA384: {2, 16, 840, 1, 101, 3, 4, 2, 2},
		crypto.SHA512: {2, 16, 840, 1, 101, 3, 4, 2, 3}, crypto.SHA224: {2, 16, 840, 1, 101, 3, 4, 2, 4},
	}
	oidECDSA = map[crypto.Hash]asn1.ObjectIdentifier{
		crypto.SHA224: {1, 2, 840, 10045, 4, 3, 1}, crypto.SHA256: {1, 2, 840, 10045, 4, 3, 2},
		crypto.SHA384: {1, 2, 840, 10045, 4, 3, 3}, crypto.SHA512: {1, 2, 840, 10045, 4, 3, 4},
	}
)

// pkcs7 wraps a signature up.
func (s *Signer) pkcs7(h crypto.Hash, signature []byte) ([]byte, error) {
	digest := pkix.AlgorithmIdentifier{Algorithm: oidHash[h]}
	algorithm := pkix.AlgorithmIdentifier{Algorithm: oidRSA, Parameters: asn1.NullRawValue}
	if _, ok := s.Cert.PublicKey.(*ecdsa.PublicKey); ok {
		algorithm = pkix.AlgorithmIdentifier{Algorithm: oidECDSA[h]}
	}
	data := signedData{Version: 1, DigestAlgorithms: []pkix.AlgorithmIdentifier{digest}, SignerInfos: []signerInfo{{
		Version: 1, Issuer: issuerAndSerial{Issuer: asn1.RawValue{FullBytes: s.Cert.RawIssuer}, Serial: s.Cert.SerialNumber},
		Digest: digest, Algorithm: algorithm, Signature: signature,
	}}}
	data.Content.ContentType = oidData
	der, err := asn1.Marshal(contentInfo{ContentType: oidSignedData, Content: data})
	if err != nil {
		return nil, fmt.Errorf("signature: %w", err)
	}
	return der, nil
}
