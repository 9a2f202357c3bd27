package matrix

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

const good = `matrix: 1
defaults:
  formats: [deb]
  revision: 3
kernels:
  - name: a
    source: src-a.deb
    packages: [image-a.deb, headers-a.deb]
  - name: b
    source: /src-b
    packages: [image-b.deb]
    cc: gcc-14
    toolchain-root: root
fixes:
  - name: one
    fixes: [CVE-2026-12345]
    description: The first
    patches: [one.patch, more.patch]
    patches-for:
      b: [b/one.patch]
  - name: two
    kernels: [b]
    patches: [two.patch]
    stack: true
    id: 0123abcd
`

func TestCells(t *testing.T) {
	m, err := parse([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	m.within("/m")
	var got []string
	for _, c := range m.Cells() {
		o := c.Options
		got = append(got, fmt.Sprint(c.Name(), " ", o.Source, " ", o.Kernel, " ", o.Patches, " ", o.CC, " ", o.ToolchainRoot, " ", o.Formats, " ", o.Revision, " ", o.Stack, " ", o.ID, " ", o.Fixes, " ", o.Engine))
	}
	want := []string{
		"a/one /m/src-a.deb [/m/image-a.deb /m/headers-a.deb] [/m/one.patch /m/more.patch]   [deb] 3 false  [CVE-2026-12345] auto",
		"b/one /src-b [/m/image-b.deb] [/m/b/one.patch] gcc-14 /m/root [deb] 3 false  [CVE-2026-12345] auto",
		"b/two /src-b [/m/image-b.deb] [/m/two.patch] gcc-14 /m/root [deb] 3 true 0123abcd [] auto",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestBadManifests(t *testing.T) {
	for _, tc := range []struct{ name, old, new, want string }{
		{"empty", good, "", "it is empty"},
		{"no mapping", good, "- a\n", "line 1: cannot unmarshal"},
		{"unknown key", "description: The first", "descripton: The first", `line 17: key "descripton" is not known`},
		{"key twice", "    kernels: [b]\n", "    kernels: [b]\n    kernels: [a]\n", `line 23: mapping key "kernels" already defined at line 22`},
		{"no YAML", "kernels:", "kernels: [", "line "},
		{"two documents", "matrix: 1\n", "matrix: 1\n---\nmatrix: 1\n", "more than one document"},
		{"another format", "matrix: 1", "matrix: 2", `want "matrix: 1", the format of this file; it is 2`},
		{"kernel's name", "name: a", "name: ../a", `line 6: kernel name "../a": want up to 100 letters`},
		{"kernel twice", "name: b", "name: a", `line 9: kernel "a": another one has this name`},
		{"no source", "    source: /src-b\n", "", `line 9: kernel "b": no source and no build-tree`},
		{"fix twice", "name: two", "name: one", `line 21: fix "one": another one has this name`},
		{"no patches", "    patches: [two.patch]\n", "", `line 21: fix "two": no patches for kernel "b"`},
		{"kernel that is not there", "kernels: [b]", "kernels: [c]", `line 21: fix "two": kernel "c": there is none of this name`},
		{"patches for none", "      b: [b/one.patch]", "      c: [b/one.patch]", `line 15: fix "one": patches-for "c": there is no kernel of this name`},
		{"two cumulative updates", "    stack: true\n", "", `line 21: fix "two": a cumulative update of revision 3 for kernel "b", as fix "one" is`},
		{"a word for a number", "revision: 3", "revision: three", "line 4: cannot unmarshal !!str `three` into int"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			text := strings.Replace(good, tc.old, tc.new, 1)
			if text == good {
				t.Fatal("the test changes nothing")
			}
			if _, err := parse([]byte(text)); err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
		})
	}
}

func FuzzManifest(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte("matrix: 1\nkernels: &a [*a]\n"))
	f.Add([]byte("kernels: [[1, 2], {name: 3}]\nfixes: {a: b}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parse(data)
		if err != nil {
			return
		}
		if len(m.Cells()) > len(m.Kernels)*len(m.Fixes) {
			t.Error("more cells than kernels times fixes")
		}
	})
}

// TestShards: each cell is in exactly one shard, and no shard has two more than another.
func TestShards(t *testing.T) {
	m := &Manifest{Format: 1}
	for i := range 7 {
		m.Kernels = append(m.Kernels, Kernel{Name: fmt.Sprint("k", i)})
		m.Fixes = append(m.Fixes, Fix{Name: fmt.Sprint("f", i)})
	}
	cells := m.Cells()
	for of := 1; of <= 60; of++ {
		var all []string
		smallest, largest := len(cells), 0
		for i := 1; i <= of; i++ {
			s, err := ParseShard(fmt.Sprintf("%d/%d", i, of))
			if err != nil {
				t.Fatal(err)
			}
			part := s.of(cells)
			smallest, largest = min(smallest, len(part)), max(largest, len(part))
			for _, c := range part {
				all = append(all, c.Name())
			}
		}
		var want []string
		for _, c := range cells {
			want = append(want, c.Name())
		}
		if !slices.Equal(all, want) || largest-smallest > 1 {
			t.Errorf("%d shards: %d cells of %d, from %d to %d each", of, len(all), len(want), smallest, largest)
		}
	}
	for _, bad := range []string{"0/2", "3/2", "1", "1/", "/2", "-1/2", "1/2/3", "a/b", "1/0", "999999/999999"} {
		if _, err := ParseShard(bad); err == nil {
			t.Errorf("%q is a shard", bad)
		}
	}
	if s, err := ParseShard(""); err != nil || len(s.of(cells)) != len(cells) {
		t.Errorf("no shard: %v", err)
	}
}
