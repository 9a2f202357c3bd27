package klpcore_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"livesplice/kmod/klpcore"
)

// stand is a shipped module as far as the model reads it: symbols in .text (t), .init.text (i), undefined (U), weakly so (w).
func stand(symbols ...string) []byte {
	names := []string{"", ".text", ".init.text", ".symtab", ".strtab", ".shstrtab"}
	var shstr, str, sym bytes.Buffer
	at := map[string]uint32{}
	for _, n := range names {
		at[n] = uint32(shstr.Len())
		shstr.WriteString(n + "\x00")
	}
	put := func(b *bytes.Buffer, values ...any) {
		for _, v := range values {
			binary.Write(b, binary.LittleEndian, v)
		}
	}
	str.WriteByte(0)
	put(&sym, [3]uint64{})
	for i, s := range symbols {
		bind, shndx := byte(1), uint16(1)
		switch s[0] {
		case 'i':
			shndx = 2
		case 'U':
			shndx = 0
		case 'w':
			bind, shndx = 2, 0
		}
		put(&sym, uint32(str.Len()), bind<<4|2, byte(0), shndx, uint64(i*16), uint64(16))
		str.WriteString(s[2:] + "\x00")
	}
	body := [][]byte{nil, make([]byte, 4096), make([]byte, 4096), sym.Bytes(), str.Bytes(), shstr.Bytes()}
	var out, headers bytes.Buffer
	out.Write(make([]byte, 64))
	for i, n := range names {
		typ, flags, link := uint32(1), uint64(6), uint32(0)
		switch n {
		case "":
			typ, flags = 0, 0
		case ".symtab":
			typ, flags, link = 2, 0, 4
		case ".strtab", ".shstrtab":
			typ, flags = 3, 0
		}
		put(&headers, at[n], typ, flags, uint64(0), uint64(out.Len()), uint64(len(body[i])), link, uint32(0), uint64(8), uint64(0))
		out.Write(body[i])
	}
	off := uint64(out.Len())
	out.Write(headers.Bytes())
	var h bytes.Buffer
	h.WriteString("\x7fELF\x02\x01\x01")
	h.Write(make([]byte, 9))
	put(&h, uint16(1), uint16(62), uint32(1), uint64(0), uint64(0), off, uint32(0), uint16(64), uint16(0), uint16(0), uint16(64), uint16(len(names)), uint16(5))
	copy(out.Bytes(), h.Bytes())
	return out.Bytes()
}

// facts are those of a kernel in which algif_hash imports from af_alg, and brd not from minix.
type facts struct {
	release  string
	symbols  map[string][]uint64
	private  map[string]bool // not exported
	exporter map[string]string
	modules  map[string][]byte
}

func newFacts() *facts {
	return &facts{
		release:  "6.1.0-56-amd64",
		symbols:  map[string][]uint64{"text_mutex": {0x1000}, "text_poke": {0x2000}, "clear_relocate_add": nil},
		private:  map[string]bool{},
		exporter: map[string]string{"af_alg_register_type": "af_alg"},
		modules: map[string][]byte{
			"af_alg":     stand("t alg_types", "t alg_types_sem", "t af_alg_register_type"),
			"algif_hash": stand("t hash_bind", "U af_alg_register_type", "U crypto_alloc_ahash"),
			"minix":      stand("t bitmap_lock"),
			"brd":        stand("t brd_submit_bio"),
		},
	}
}

func (f *facts) kernel() klpcore.Kernel {
	return klpcore.Kernel{
		Release:  f.release,
		Symbols:  func(name string) []uint64 { return f.symbols[name] },
		Exported: func(name string) (string, bool) { return "", !f.private[name] },
		Exporter: func(name string) string { return f.exporter[name] },
		Module: func(name string) ([]byte, error) {
			if b := f.modules[name]; b != nil {
				return b, nil
			}
			return nil, fmt.Errorf("no such module")
		},
		StructSize: func(tag string) (uint64, bool) {
			size, ok := map[string]uint64{"klp_object": 168, "klp_func": 152}[tag]
			return size, ok
		},
	}
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".ko"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestCheck: the update that lists both modules is right, and what the kernel will write is as readelf shows it.
func TestCheck(t *testing.T) {
	p, err := klpcore.Check(read(t, "new-export-of-module"), newFacts().kernel())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := p.String(), "3 references filled in with the update, 5 with af_alg"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	var objects []string
	for _, o := range p.Objects {
		objects = append(objects, fmt.Sprint(o.Name, len(o.Functions)))
	}
	if got, want := strings.Join(objects, " "), "af_alg0 algif_hash1"; got != want {
		t.Errorf("objects %s, want %s", got, want)
	}
	w := p.Writes[len(p.Writes)-1]
	if w.Object != "af_alg" || w.Section != ".text.af_alg_type_known" || w.Symbol.Object != "af_alg" || w.Size != 4 {
		t.Errorf("last write %+v", w)
	}
}

// TestWithoutTheMakersFix: modules as they were made before are found out by what the kernel would do.
func TestWithoutTheMakersFix(t *testing.T) {
	for name, wants := range map[string][]string{
		"new-export-of-module-unlisted": {`section ".klp.rela.af_alg..text.af_alg_type_known": never written, since af_alg is none of the update's objects`},
		"new-global-of-foreign-module": {"never written, since minix is none of the update's objects",
			"bitmap_lock of minix, position 0 in nibbles is filled in as minix is loaded, and can be used while brd is loaded, without it: brd_submit_bio -> minix_sum -> minix_sum.cold -> nibbles"},
	} {
		_, err := klpcore.Check(read(t, name), newFacts().kernel())
		for _, want := range wants {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want %s", name, err, want)
			}
		}
	}
}

// TestFacts changes the kernel under the module that is right.
func TestFacts(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(f *facts)
		want string // "": still right
	}{
		{"the other module is not imported from", func(f *facts) { f.modules["algif_hash"] = stand("t hash_bind") },
			"can be used while algif_hash is loaded, without it: hash_bind -> af_alg_type_known"},
		{"imported from weakly", func(f *facts) { f.modules["algif_hash"] = stand("t hash_bind", "w af_alg_register_type") }, "can be used while algif_hash is loaded, without it"},
		{"imported from through another", func(f *facts) {
			f.modules["algif_hash"], f.modules["between"] = stand("t hash_bind", "U between"), stand("U af_alg_register_type", "t between")
			f.exporter["between"] = "between"
		}, ""},
		{"a symbol twice, once in init code", func(f *facts) {
			f.modules["af_alg"] = stand("t alg_types", "t alg_types_sem", "t af_alg_register_type", "i alg_types")
		},
			"alg_types of af_alg, position 0: while it is loading: there are 2, and no position says which"},
		{"undefined symbols do not count", func(f *facts) {
			f.modules["af_alg"] = stand("U alg_types", "t alg_types", "t alg_types_sem", "t af_alg_register_type")
		}, ""},
		{"a symbol that stays and a symbol that is not there", func(f *facts) {
			f.modules["af_alg"] = stand("i alg_types", "t alg_types_sem", "t af_alg_register_type")
		},
			"alg_types of af_alg, position 0: once it is loaded: there is none"},
		{"two of a name in vmlinux", func(f *facts) { f.symbols["text_poke"] = []uint64{1, 2} }, "text_poke of vmlinux, position 0: there are 2, and no position says which"},
		{"not in vmlinux", func(f *facts) { delete(f.symbols, "text_poke") }, "text_poke of vmlinux, position 0: there is none"},
		{"two of the replaced function", func(f *facts) {
			f.modules["algif_hash"] = stand("t hash_bind", "t hash_bind", "U af_alg_register_type")
		},
			"hash_bind of algif_hash, position 0: while it is loading: there are 2"},
		{"an import of a module's", func(f *facts) { f.private["crypto_alloc_ahash"] = true }, `symbol "crypto_alloc_ahash": undefined, and vmlinux does not export it`},
		{"a module that is not there", func(f *facts) { delete(f.modules, "af_alg") }, `object "af_alg": no such module`},
		{"Linux 5.10", func(f *facts) { f.release = "5.10.0-32-amd64" }, ""},
		{"no version", func(f *facts) { f.release = "amd64" }, "no version"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFacts()
			c.edit(f)
			_, err := klpcore.Check(read(t, "new-export-of-module"), f.kernel())
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

// FuzzCheck: no bytes make the model crash.
func FuzzCheck(f *testing.F) {
	for _, name := range []string{"new-export-of-module", "new-export-of-module-unlisted", "new-global-of-foreign-module"} {
		f.Add(read(f, name))
	}
	f.Add(stand("t a", "i a", "U b"))
	kernel := newFacts().kernel()
	f.Fuzz(func(t *testing.T, ko []byte) {
		klpcore.Check(ko, kernel)
		k := kernel
		k.Module = func(string) ([]byte, error) { return ko, nil }
		k.StructSize = nil
		klpcore.Check(read(t, "new-export-of-module"), k)
	})
}
