package elfobj

import (
	"bytes"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// source has what the object model must carry: strings, a group, weak, common and local symbols, thread data no one
// wants, more than one relocation kind.
const source = `
__attribute__((weak)) int weak_one(int x) { return x + 1; }
static int counter = 7;
int tentative;
extern int elsewhere(const char *);
int use(int x) { counter += weak_one(x); return elsewhere("a string") + tentative; }
int *pointer = &counter;
static const char *const names[] = { "one", "two" };
const char *name(int i) { return names[i & 1]; }
asm(".section .group1,\"axG\",@progbits,sig,comdat\n.globl sig\nsig: ret\n.previous");
`

func compile(t testing.TB, src string, flags ...string) []byte {
	t.Helper()
	dir := t.TempDir()
	c, o := filepath.Join(dir, "t.c"), filepath.Join(dir, "t.o")
	if err := os.WriteFile(c, []byte(src), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("gcc", append(flags, "-c", "-o", o, c)...).CombinedOutput(); err != nil {
		t.Fatalf("gcc (Debian package gcc): %v\n%s", err, out)
	}
	data, err := os.ReadFile(o)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// readelf is the oracle: what it says of symbols, relocations and section contents must survive a round trip. Section
// headers move, so offsets are not part of it.
func readelf(t *testing.T, data []byte) string {
	t.Helper()
	f := filepath.Join(t.TempDir(), "x.o")
	if err := os.WriteFile(f, data, 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("readelf", "--wide", "--syms", "--relocs", "--section-groups", f)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("readelf (Debian package binutils): %v", err)
	}
	lines := bytes.Split(out, []byte("\n"))
	var kept [][]byte
	for _, l := range lines {
		if bytes.HasPrefix(l, []byte("Relocation section")) {
			l = bytes.Split(l, []byte(" at offset"))[0]
		}
		kept = append(kept, l)
	}
	return string(bytes.Join(kept, []byte("\n")))
}

func TestRoundTripByReadelf(t *testing.T) {
	for name, flags := range map[string][]string{
		"plain":     {"-O2"},
		"sectioned": {"-O2", "-ffunction-sections", "-fdata-sections", "-g"},
		"common":    {"-O2", "-fcommon"},
		// Relocations of .debug_info are of what it holds, not of what is in the file. CONFIG_DEBUG_INFO_COMPRESSED
		"compressed": {"-O2", "-include", "stdio.h", "-include", "elf.h", "-g3", "-gz"},
	} {
		t.Run(name, func(t *testing.T) {
			in := compile(t, source, flags...)
			obj, err := Read(in)
			if err != nil {
				t.Fatal(err)
			}
			out, err := obj.Write()
			if err != nil {
				t.Fatal(err)
			}
			if a, b := readelf(t, in), readelf(t, out); a != b {
				t.Errorf("readelf before:\n%s\nafter:\n%s", a, b)
			}
			again, err := Read(out)
			if err != nil {
				t.Fatal(err)
			}
			if len(again.Sections) != len(obj.Sections) {
				t.Fatalf("%d sections became %d", len(obj.Sections), len(again.Sections))
			}
			for i, s := range obj.Sections {
				g := again.Sections[i]
				if g.Name != s.Name || g.Type != s.Type || g.Flags != s.Flags || g.Align != s.Align || !bytes.Equal(g.Data, s.Data) || g.Size() != s.Size() {
					t.Errorf("section %q became %q", s.Name, g.Name)
				}
			}
			twice, err := again.Write()
			if err != nil || !bytes.Equal(twice, out) {
				t.Errorf("writing twice gives different bytes (err %v)", err)
			}
		})
	}
}

func TestReadSharesPointers(t *testing.T) {
	obj, err := Read(compile(t, source, "-O2", "-ffunction-sections", "-fdata-sections"))
	if err != nil {
		t.Fatal(err)
	}
	use := obj.Symbol("use")
	if use == nil || use.Section == nil || use.Section.Name != ".text.use" || use.Bind != elf.STB_GLOBAL {
		t.Fatalf("symbol use: %+v", use)
	}
	found := false
	for _, r := range use.Section.RelocsIn(0, use.Size) {
		if r.Sym == obj.Symbol("elsewhere") {
			found = true
			if !r.Sym.Undefined() {
				t.Errorf("elsewhere is not undefined: %+v", r.Sym)
			}
		}
	}
	if !found {
		t.Error("no relocation in use refers to the symbol elsewhere")
	}
}

func TestReadRefuses(t *testing.T) {
	good := compile(t, source, "-O2")
	exe, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"empty":      {nil, "header: not an ELF file"},
		"text":       {bytes.Repeat([]byte("hello "), 40), "header: not an ELF file"},
		"executable": {exe, "header: ET_EXEC where a relocatable object (ET_REL) was expected"},
		"32 bit":     {append(append([]byte{}, good[:4]...), append([]byte{1}, good[5:]...)...), "header: ELFCLASS32 ELFDATA2LSB where a 64-bit object was expected"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read(c.data)
			if err == nil || err.Error() != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
	for n := 0; n < len(good); n += 7 {
		if _, err := Read(good[:n]); err == nil {
			t.Errorf("an object cut to %d of %d bytes was read without an error", n, len(good))
		}
	}
}

// TestReadRelocationBounds: a relocation begins in its section.
func TestReadRelocationBounds(t *testing.T) {
	for _, beyond := range []uint64{0, 1, 1 << 40} {
		obj, err := Read(compile(t, source, "-O2"))
		if err != nil {
			t.Fatal(err)
		}
		text := obj.Section(".text")
		last := len(text.Rela.Relocs) - 1
		for _, c := range []struct {
			offset uint64
			want   string
		}{
			{text.Size() - 1, ""},
			{text.Size() + beyond, `".rela.text": entry ` + strconv.Itoa(last) + ": offset 0x" + strconv.FormatUint(text.Size()+beyond, 16) + " in a section of 0x" + strconv.FormatUint(text.Size(), 16) + " bytes"},
		} {
			text.Rela.Relocs[last].Offset = c.offset
			data, err := obj.Write()
			if err != nil {
				t.Fatal(err)
			}
			if _, err = Read(data); (err == nil) != (c.want == "") || err != nil && !strings.HasSuffix(err.Error(), c.want) {
				t.Errorf("offset %#x: got %v, want %s", c.offset, err, c.want)
			}
		}
	}
}

func TestWriteRefusesStrangers(t *testing.T) {
	obj, err := Read(compile(t, source, "-O2"))
	if err != nil {
		t.Fatal(err)
	}
	text := obj.Section(".text")
	text.Rela.Relocs = append(text.Rela.Relocs, Reloc{Sym: &Symbol{Name: "stranger"}})
	if _, err := obj.Write(); err == nil || err.Error() != `section ".rela.text": entry `+strconv.Itoa(len(text.Rela.Relocs)-1)+`: symbol "stranger" is not part of the object` {
		t.Errorf("got %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(compile(f, source, "-O2"))
	f.Add(compile(f, source, "-O2", "-ffunction-sections", "-g"))
	f.Fuzz(func(t *testing.T, data []byte) {
		obj, err := Read(data)
		if err != nil {
			return
		}
		out, err := obj.Write()
		if err != nil {
			return
		}
		if _, err := Read(out); err != nil {
			t.Fatalf("what Write made is refused by Read: %v", err)
		}
	})
}
