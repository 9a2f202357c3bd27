package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

var suiteRE = regexp.MustCompile(`^[a-z]+$`)

// keyring verifies every release of Debian that a supported release is told of.
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// suiteSource is one suite on the mirror that the machine uses for another one.
type suiteSource struct {
	own   *Archive // as the machine has it configured
	suite string
}

// Mirror is the mirror of the machine's own release: its suites for updates, security and backports, which have a dash in
// their names, may be on others.
func (a *Archive) Mirror(ctx context.Context) (string, error) {
	sources, err := a.Sources(ctx)
	if err != nil {
		return "", err
	}
	for _, s := range sources {
		if !strings.ContainsAny(s.Suite, "-/") {
			return s.URI, nil
		}
	}
	return "", errors.New("apt has no Debian mirror configured")
}

func (s *suiteSource) configured(ctx context.Context) (string, error) {
	uri, err := s.own.Mirror(ctx)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(uri))
	return s.suite + "." + hex.EncodeToString(sum[:8]), nil
}

// update fills a folder of package lists. A mirror that has stood still for longer than the suite's lists are meant to be
// used serves these tests as well: their signature is checked all the same.
func (s *suiteSource) update(ctx context.Context, dir string) error {
	uri, err := s.own.Mirror(ctx)
	if err != nil {
		return err
	}
	list := fmt.Appendf(nil, "deb [signed-by=%s] %s %s main\n", keyring, uri, s.suite)
	if err := os.WriteFile(filepath.Join(dir, sourceList), list, 0o644); err != nil {
		return err
	}
	return fillLists(ctx, dir, aptConf+"Acquire::Check-Valid-Until \"false\";\n")
}
