package pipeline

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"

	"livesplice/kconfig"
	"livesplice/kmod/sign"
)

// openSigner reads the key that modules are signed with, if the user has given one: before the work, not after it.
func (c *creation) openSigner() error {
	if c.opts.SignKey == "" {
		return nil
	}
	var err error
	if c.signer, err = sign.Open(c.opts.SignKey, c.opts.SignCert); err != nil {
		return &kconfig.UsageError{Thing: `flags "--sign-key" and "--sign-cert"`, Reason: err.Error()}
	}
	return nil
}

// sign signs the finished module, by the hash that the shipped kernel's own modules are signed with. Nothing may change it
// afterwards.
func (c *creation) sign(context.Context) (string, error) {
	if c.signer == nil {
		return "no: no key was given", nil
	}
	data, err := os.ReadFile(c.kernel.Config)
	if err != nil {
		return "", err
	}
	config, err := kconfig.Parse(data)
	if err != nil {
		return "", err
	}
	hash, ok := config.Lookup("MODULE_SIG_HASH")
	if !ok { // a kernel that does not look at signatures
		hash = "sha256"
	}
	if c.module, err = c.signer.Sign(c.module, hash); err != nil {
		return "", fmt.Errorf("module %s: %w", c.link.Module, err)
	}
	return fmt.Sprintf("%s, by %s", hash, c.signer.Cert.Subject), nil
}

// signedBy is what an update's ID depends on of its signature; "" for one that is not signed.
func (c *creation) signedBy() string {
	if c.signer == nil {
		return ""
	}
	return fmt.Sprintf("signed %x\n", sha256.Sum256(c.signer.Cert.Raw))
}
