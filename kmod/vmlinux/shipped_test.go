package vmlinux

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"livesplice/ci/archive"
	"livesplice/ci/vm"
	"livesplice/pipeline/cache"
	"livesplice/pkgfmt"
)

// shipped is the newest kernel of Debian 12 that the archive has: its packages, and what they hold.
func shipped(t testing.TB) (archive.Kernel, archive.Files, *pkgfmt.Kernel) {
	t.Helper()
	kernels, err := archive.Kernels(t.Context(), "6.1")
	if err != nil {
		t.Fatal(err)
	}
	newest := kernels[len(kernels)-1]
	files, err := newest.Fetch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c, err := cache.Open("")
	if err != nil {
		t.Fatal(err)
	}
	k, err := pkgfmt.OpenKernel(t.Context(), c, []string{files.Image, files.Headers, files.HeadersCommon})
	if err != nil {
		t.Fatal(err)
	}
	return newest, files, k
}

func parseFile(t testing.TB, name string) *Image {
	t.Helper()
	file, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	im, err := Parse(file)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return im
}

func TestShippedKernel(t *testing.T) {
	kernel, _, k := shipped(t)
	im := parseFile(t, k.Vmlinux)

	t.Run("identity", func(t *testing.T) {
		if want := "Linux version " + kernel.Release + " ("; !strings.HasPrefix(im.Banner, want) {
			t.Errorf("banner %q, want %q...", im.Banner, want)
		}
		if want := " Debian " + kernel.Version + " ("; !strings.Contains(im.Banner, want) {
			t.Errorf("banner %q, want ...%q...", im.Banner, want)
		}
		out := readelf(t, "-nW", k.Vmlinux)
		if want := fmt.Sprintf("Build ID: %x\n", im.BuildID); len(im.BuildID) != 20 || !strings.Contains(out, want) {
			t.Errorf("%q is not in the output of readelf:\n%s", want, out)
		}
	})

	t.Run("sizes of structs", func(t *testing.T) {
		out, err := exec.Command("pahole", "-F", "btf", "--sizes", k.Vmlinux).Output()
		if err != nil {
			t.Fatalf("pahole (Debian package dwarves): %v", err)
		}
		for tag, want := range map[string]uint64{"bug_entry": 12, "jump_entry": 16, "alt_instr": 12, "exception_table_entry": 12, "paravirt_patch_site": 16} {
			if line := fmt.Sprintf("\n%s\t%d\t", tag, want); !strings.Contains(string(out), line) {
				t.Errorf("pahole does not say %q", line)
			}
			if got, ok := im.StructSize(tag); !ok || got != want {
				t.Errorf("struct %s: %d bytes, %v, want %d", tag, got, ok, want)
			}
		}
	})

	t.Run("sections", func(t *testing.T) {
		line := regexp.MustCompile(`(?m)^ +\[ *\d+\] (\S+) +(\S+) +([0-9a-f]{16}) ([0-9a-f]+) ([0-9a-f]+) [0-9a-f]+ +(W?A\w*) `)
		var got, want []string
		for _, m := range line.FindAllStringSubmatch(readelf(t, "-SW", k.Vmlinux), -1) {
			want = append(want, fmt.Sprintf("%s %s %s %v %v %v", m[1], m[3], strings.TrimLeft(m[5], "0"),
				strings.Contains(m[6], "X"), strings.Contains(m[6], "W"), m[2] == "NOBITS"))
		}
		for _, s := range im.Sections() {
			got = append(got, fmt.Sprintf("%s %016x %x %v %v %v", s.Name, s.Addr, s.Size, s.Exec, s.Write, s.NoBits))
		}
		slices.Sort(got)
		slices.Sort(want)
		if len(want) < 30 || !slices.Equal(got, want) {
			t.Errorf("sections:\n%s\nreadelf's:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})

	t.Run("symbols", func(t *testing.T) {
		if want := (Layout{BaseRelativePerCPU, false, 8, true}); im.Layout != want {
			t.Errorf("layout %v, want %v", im.Layout, want)
		}
		if n := len(im.Symbols()); n < 80_000 || n > 120_000 {
			t.Errorf("%d symbols", n)
		}
		if !im.HasData() {
			t.Error("HasData is false")
		}
		if s := im.Symbols()[0]; s != (Symbol{Name: "fixed_percpu_data", Type: 'A', Absolute: true}) {
			t.Errorf("first symbol %+v", s)
		}
		for name, want := range map[string]byte{
			"_stext": 'T', "_etext": 'T', "start_kernel": 'T', "init_task": 'D', "jiffies": 'D', "linux_banner": 'D',
			"current_task": 'A', "_end": 'B', "panic_smp_self_stop": 'W',
		} {
			all := im.Lookup(name)
			if len(all) != 1 || all[0].Type != want || im.SymPos(all[0]) != 0 || all[0].Absolute != (want == 'A') {
				t.Errorf("%s: %+v, want one of type %c", name, all, want)
			}
		}
		if s := im.Lookup("_stext")[0]; s.Addr != 0xffffffff81000000 {
			t.Errorf("_stext at %#x", s.Addr)
		}
		if got := names(im.At(im.Lookup("memcpy")[0].Addr)); !slices.Contains(got, "__memcpy") {
			t.Errorf("memcpy's aliases: %v, want __memcpy among them", got)
		}
		start := im.Lookup("vfs_read")[0]
		if s, size, ok := im.Covering(start.Addr + 5); !ok || s != start || size < 64 || size > 4096 {
			t.Errorf("vfs_read+5 is in %+v, size %#x, %v", s, size, ok)
		}
	})

	// As klp_find_object_symbol of 6.1 counts, which walks the whole table.
	t.Run("sympos", func(t *testing.T) {
		total, rank := map[string]int{}, map[string]int{}
		for _, s := range im.Symbols() {
			total[s.Name]++
		}
		wrong, ambiguous := 0, 0
		for _, s := range im.Symbols() {
			rank[s.Name]++
			want := 0
			if total[s.Name] > 1 {
				want = rank[s.Name]
				ambiguous++
			}
			if got := im.SymPos(s); got != want {
				wrong++
			}
		}
		if wrong > 0 || ambiguous < 1000 {
			t.Errorf("%d of %d symbols that share their name have the wrong sympos", wrong, ambiguous)
		}
	})

	t.Run("exports", func(t *testing.T) {
		f, err := os.Open(k.Symvers)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		symvers, err := ParseSymvers(f)
		if err != nil {
			t.Fatal(err)
		}
		got, want := map[string]Symver{}, maps.Clone(symvers)
		maps.DeleteFunc(want, func(_ string, v Symver) bool { return v.Module != "vmlinux" })
		for _, e := range im.Exports() {
			got[e.Name] = Symver{e.Name, want[e.Name].CRC, "vmlinux", e.GPL, e.Namespace}
			if !slices.ContainsFunc(im.At(e.Addr), func(s Symbol) bool { return s.Name == e.Name }) {
				t.Errorf("%+v: kallsyms has %v there", e, im.At(e.Addr))
			}
		}
		if len(want) < 5000 || !maps.Equal(got, want) {
			t.Errorf("%d exports of the image are not the %d of Module.symvers", len(got), len(want))
		}
	})
}

// readelf, of package binutils, is the oracle for what the ELF file says.
func readelf(t *testing.T, args ...string) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "readelf", args...)
	cmd.Stderr = &stderr
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("readelf (package binutils): %v\n%s", err, stderr.Bytes())
	}
	return string(out)
}

// The kernel itself is the oracle: /proc/kallsyms, booted without KASLR, is the table line by line.
// TestJumpTable: each entry of the shipped table leads to code, from a jump or a nop to a place in code, and to the key that a
// symbol covers. objtool and the linker have seen to that: a table read at the wrong place or in another form would not.
func TestJumpTable(t *testing.T) {
	_, _, k := shipped(t)
	im := parseFile(t, k.Vmlinux)
	start, stop := im.Lookup("__start___jump_table"), im.Lookup("__stop___jump_table")
	labels := im.JumpTable().entries
	if len(start) != 1 || len(stop) != 1 || len(labels) < 5000 || uint64(len(labels)) != (stop[0].Addr-start[0].Addr)/16 {
		t.Fatalf("%d labels between %v and %v", len(labels), start, stop)
	}
	for code, entry := range labels {
		b, ok := im.Bytes(entry, 16)
		if !ok {
			t.Fatalf("entry %#x: no bytes", entry)
		}
		target := entry + 4 + uint64(int64(int32(binary.LittleEndian.Uint32(b[4:]))))
		key := (entry + 8 + binary.LittleEndian.Uint64(b[8:])) &^ 3
		for _, place := range []uint64{code, target} {
			if s, ok := im.Section(place); !ok || !s.Exec {
				t.Errorf("entry %#x: %#x is not in code", entry, place)
			}
		}
		if op, ok := im.Bytes(code, 2); !ok || op[0] != 0xeb && op[0] != 0xe9 && string(op) != "\x66\x90" && string(op) != "\x0f\x1f" {
			t.Errorf("entry %#x: % x at %#x is no jump and no nop", entry, op, code)
		}
		if _, _, ok := im.Covering(key); !ok {
			t.Errorf("entry %#x: no symbol covers the key %#x", entry, key)
		}
	}
}

func TestKallsymsOfTheRunningKernel(t *testing.T) {
	_, files, k := shipped(t)
	im := parseFile(t, k.Vmlinux)
	machine := vm.ForTest(t, vm.Config{Image: files.Image, Append: "nokaslr"})
	var got []string // without the symbols of modules, which name them behind a tab
	for line := range strings.Lines(machine.MustRun(t.Context(), t, "cat /proc/kallsyms")) {
		if !strings.Contains(line, "\t[") {
			got = append(got, strings.TrimSuffix(line, "\n"))
		}
	}
	if len(got) != len(im.Symbols()) {
		t.Errorf("%d symbols, the kernel has %d", len(im.Symbols()), len(got))
	}
	wrong := 0
	for i, s := range im.Symbols()[:min(len(got), len(im.Symbols()))] {
		if want := fmt.Sprintf("%016x %c %s", s.Addr, s.Type, s.Name); got[i] != want {
			if wrong++; wrong < 10 {
				t.Errorf("symbol %d is %q, the kernel's is %q", i, want, got[i])
			}
		}
	}
	if wrong > 0 {
		t.Errorf("%d symbols differ", wrong)
	}
}

// A Parse must stay cheap beside the image itself, which has 60 MB.
func TestParseMemory(t *testing.T) {
	_, _, k := shipped(t)
	file, err := os.ReadFile(k.Vmlinux)
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	im, err := Parse(file)
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatal(err)
	}
	if mb := (after.TotalAlloc - before.TotalAlloc) >> 20; mb > 30 {
		t.Errorf("%d MB allocated for %d symbols, want at most 30", mb, len(im.Symbols()))
	}
}

func BenchmarkParse(b *testing.B) {
	_, _, k := shipped(b)
	file, err := os.ReadFile(k.Vmlinux)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(file); err != nil {
			b.Fatal(err)
		}
	}
}
