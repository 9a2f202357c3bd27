package pipeline

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"livesplice/kmod/sign"
	"livesplice/pipeline/cache"
	"livesplice/pipeline/source"
	"livesplice/pipeline/supply"
	"livesplice/pkgfmt"
)

// TestSupplyInputs holds what is named of a finished build and of a signature; the hashes are those of sha256sum.
func TestSupplyInputs(t *testing.T) {
	store, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	build := t.TempDir()
	for name, text := range map[string]string{".config": "CONFIG_SMP=y\n", "Module.symvers": "a\n"} {
		if err := os.WriteFile(filepath.Join(build, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c := &creation{cache: store, kernel: &pkgfmt.Kernel{}, build: build,
		source: &source.Tree{Origin: build, Version: source.Version{Version: 6, Patchlevel: 1, Sublevel: 190}},
		signer: &sign.Signer{Cert: &x509.Certificate{Raw: []byte("b\n"), Subject: pkix.Name{CommonName: "kernel"}}}}
	got, err := c.supplyInputs()
	if err != nil {
		t.Fatal(err)
	}
	want := []supply.Input{
		{Role: "source", Name: "folder with the source of Linux 6.1.190"},
		{Role: "build", Name: "build/.config", SHA256: "a384e9448a2fdde1dee37eb5da09dada1708d7b64fb8f347a3f2a1fbc1d940be"},
		{Role: "build", Name: "build/Module.symvers", SHA256: "87428fc522803d31065e7bce3cf03fe475096631e5e07bbd7a0fde60c4cf25c7"},
		{Role: "certificate", Name: "CN=kernel", SHA256: "0263829989b6fd954f72baaf2fc64bc2e2f01d692d4de72986ea808f6e99813f"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}
