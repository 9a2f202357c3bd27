package vmlinux

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// testLayouts is every layout, by the kernels that have it.
var testLayouts = map[string]testKernel{
	"5.10 absolute":              {how: AbsoluteAddresses, align: 8, oneByte: true},
	"5.10 base-relative":         {how: BaseRelative, align: 8, oneByte: true},
	"5.10 x86_64":                {how: BaseRelativePerCPU, align: 8, oneByte: true},
	"6.1 x86_64":                 {how: BaseRelativePerCPU, align: 8},
	"6.1 stable, 6.2 x86_64":     {how: BaseRelativePerCPU, align: 8, seqs: true},
	"6.2 absolute":               {how: AbsoluteAddresses, align: 8, seqs: true},
	"names first, absolute":      {how: AbsoluteAddresses, align: 8, seqs: true, namesFirst: true},
	"6.12 x86_64":                {how: BaseRelativePerCPU, align: 8, seqs: true, namesFirst: true},
	"names first, base-relative": {how: BaseRelative, align: 8, seqs: true, namesFirst: true},
	"7.2":                        {how: PlaceRelative, align: 4, seqs: true, namesFirst: true},
}

// perCPU tells whether a kernel of the layout can have absolute per-CPU symbols.
func (k testKernel) perCPU() bool { return k.how == BaseRelativePerCPU || k.how == AbsoluteAddresses }

func TestLayouts(t *testing.T) {
	for name, k := range testLayouts {
		// Around the numbers where padding and the number of markers change.
		for _, n := range []int{257, 300, 511, 512, 513, 514, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 5000} {
			t.Run(fmt.Sprintf("%s/%d", name, n), func(t *testing.T) {
				k := k
				k.symbols = testSymbols(n, k.perCPU())
				longest := 127 // KSYM_NAME_LEN is 128, with NUL
				if !k.oneByte {
					longest = 511
				}
				k.symbols[n/2].Name = strings.Repeat("Z", longest)
				im, err := Parse(k.build())
				if err != nil {
					t.Fatal(err)
				}
				if want := (Layout{k.how, k.namesFirst, k.align, k.seqs}); im.Layout != want {
					t.Errorf("layout %v, want %v", im.Layout, want)
				}
				if !slices.Equal(im.Symbols(), k.symbols) {
					for i, s := range im.Symbols() {
						if s != k.symbols[i] {
							t.Fatalf("%d symbols; number %d is %+v, want %+v", len(im.Symbols()), i, s, k.symbols[i])
						}
					}
				}
			})
		}
	}
}

func TestLayoutString(t *testing.T) {
	for want, l := range map[string]Layout{
		"place-relative, names first, seqs_of_names, aligned to 4": {PlaceRelative, true, 4, true},
		"base-relative, per-CPU absolute, aligned to 8":            {BaseRelativePerCPU, false, 8, false},
		"base-relative, aligned to 8":                              {BaseRelative, false, 8, false},
		"64-bit addresses, aligned to 8":                           {AbsoluteAddresses, false, 8, false},
	} {
		if l.String() != want {
			t.Errorf("%q, want %q", l, want)
		}
	}
}

// A kernel whose seqs_of_names is in another order is read, but not said to count by it.
func TestSeqsOfNamesInAnotherOrder(t *testing.T) {
	k := testLayouts["6.12 x86_64"]
	k.symbols = testSymbols(1000, true)
	resets := 0
	for i, s := range k.symbols { // as if scripts/kallsyms.c had sorted equal names downwards
		if s.Name == "reset" {
			k.symbols[i].Index = 2000
			resets++
		}
	}
	if resets != 3 {
		t.Fatalf("%d symbols named reset, want 3", resets)
	}
	im, err := Parse(k.build())
	if err != nil {
		t.Fatal(err)
	}
	if im.Layout.SeqsOfNames {
		t.Error("SeqsOfNames, want false")
	}
}

// Without CONFIG_KALLSYMS_ALL the table has text only; the banner is found by its form.
func TestTextOnly(t *testing.T) {
	k := testLayouts["6.1 x86_64"]
	for _, s := range testSymbols(1000, false) {
		if s.Type == 't' || s.Type == 'T' {
			s.Index = len(k.symbols)
			k.symbols = append(k.symbols, s)
		}
	}
	im, err := Parse(k.build())
	if err != nil {
		t.Fatal(err)
	}
	if im.HasData() {
		t.Error("HasData, want false")
	}
	if im.Banner+"\n" != testBanner {
		t.Errorf("banner %q, want %q", im.Banner, testBanner)
	}
}

// Every corruption is an error that says what does not fit.
func TestCorruptTables(t *testing.T) {
	k := testLayouts["6.1 stable, 6.2 x86_64"]
	k.symbols = testSymbols(1000, true)
	good := k.build()
	if _, err := Parse(good); err != nil {
		t.Fatal(err)
	}
	find := func(image []byte, text string) int {
		if bytes.Count(image, []byte(text)) != 1 {
			t.Fatalf("%q is in the image %d times", text, bytes.Count(image, []byte(text)))
		}
		return bytes.Index(image, []byte(text))
	}
	// tsym_ NUL is token 0, the start of the token table; behind it the index, before it the sequence numbers.
	tokens := find(good, "tsym_\x00")
	markers := tokens - 3*1000 - 4*4
	names := bytes.LastIndex(good[:markers], []byte("\xe8\x03\x00\x00\x00\x00\x00\x00")) + 8
	base := names - 16
	for name, tc := range map[string]struct {
		change func(image []byte)
		want   string
	}{
		"token table":   {func(b []byte) { b[tokens+3] = 0 }, "no token table"},
		"token index":   {func(b []byte) { b[tokens+600]++ }, "no token table"},
		"marker":        {func(b []byte) { b[markers+4]++ }, "no names and markers"},
		"first marker":  {func(b []byte) { b[markers] = 1 }, "no names and markers"},
		"count":         {func(b []byte) { b[names-8]-- }, "no names and markers"},
		"large count":   {func(b []byte) { b[names-5] = 0x7f }, "no names and markers"},
		"record length": {func(b []byte) { b[names]++ }, "no names and markers"},
		"empty record":  {func(b []byte) { b[names] = 0 }, "no names and markers"},
		"relative base": {func(b []byte) { b[base]++ }, "no table of as many addresses"},
		"last offset":   {func(b []byte) { b[base-3] = 0xff }, "no table of as many addresses"},
		"far offset":    {func(b []byte) { b[base-1] = 0x80 }, "no table of as many addresses"},
		"type letter":   {func(b []byte) { copy(b[names+1:], "1") }, "symbol 0: type '1' is no letter"},
		"empty name":    {func(b []byte) { copy(b[names+1:], bytes.Repeat([]byte{1}, 16)) }, "symbol 0: 0 characters"},
		"banner":        {func(b []byte) { b[find(b, "Linux version 6")] = 'l' }, "no table of as many addresses"},
		"landmark":      {func(b []byte) { b[find(b, "_etex")]++ }, "no table of as many addresses"},
	} {
		t.Run(name, func(t *testing.T) {
			image := bytes.Clone(good)
			if name == "empty name" || name == "type letter" {
				if !bytes.HasPrefix(image[names:], []byte("\x10A__per_cpu_start")) {
					t.Fatalf("first record %q", image[names:names+20])
				}
			}
			tc.change(image)
			_, err := Parse(image)
			if err == nil || !strings.HasPrefix(err.Error(), "kallsyms: ") || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want kallsyms: ... %s", err, tc.want)
			}
		})
	}
}

// What x86 appends behind the ELF file, and what does not belong to the kernel, changes nothing.
func TestAppendedBytes(t *testing.T) {
	k := testLayouts["7.2"]
	k.symbols = testSymbols(1000, false)
	image := k.build()
	for range 1000 {
		image = binary.LittleEndian.AppendUint32(image, 0x81000000)
	}
	im, err := Parse(image)
	if err != nil {
		t.Fatal(err)
	}
	if len(im.Symbols()) != 1000 {
		t.Errorf("%d symbols, want 1000", len(im.Symbols()))
	}
}

// nm has a '?' for symbols whose section it cannot tell, as __nosave_begin is in a kernel without anything between it and
// __nosave_end.
func TestSymbolOfNoKind(t *testing.T) {
	k := testLayouts["6.1 x86_64"]
	k.symbols = testSymbols(1000, false)
	k.symbols[7].Type = '?'
	im, err := Parse(k.build())
	if err != nil {
		t.Fatal(err)
	}
	if got := im.Lookup(k.symbols[7].Name); len(got) == 0 || !slices.ContainsFunc(got, func(s Symbol) bool { return s.Type == '?' && s.Addr == k.symbols[7].Addr }) {
		t.Errorf("%s: got %+v, want one of kind '?' at %#x", k.symbols[7].Name, got, k.symbols[7].Addr)
	}
}
