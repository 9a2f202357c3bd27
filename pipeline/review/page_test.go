package review

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"livesplice/kmod/livepatch"
)

// hostile is text that would be more than text in each place where HTML can have some.
const hostile = `</style></title>--></script><script>alert(1)</script><img src=x onerror=alert(1)>"' onmouseover=alert(1) javascript:alert(1) {{.}} &lt;`

// sample is a page with text in every place; each is hostile if that is not "".
func sample(text string) *Page {
	s := func(name string) string { return name + text }
	f := livepatch.Function{Name: s("do_fcntl"), Address: "0xffffffff8137d730", Size: 1733, SHA256: strings.Repeat("ab", 32), Unit: s("fs/fcntl.c"), Proof: "strict", By: s("name"), Why: s("code")}
	m := &livepatch.Manifest{ID: "5d39151f", Release: s("6.1.0-54-amd64"), BuildID: "887c", Revision: 1, Replace: true, Engine: "livepatch", Description: s("Refuse hints"),
		Fixes: []string{s("CVE-2026-12345")}, NeedsReboot: []string{s("CVE-2026-54321")},
		Objects:   []livepatch.Object{{Name: s("vmlinux"), Functions: []livepatch.Function{f}}},
		Units:     []livepatch.Unit{{Source: s("fs/fcntl.c"), Object: s("vmlinux"), Functions: 24, Strict: 23, Unmatched: 1, Carried: []string{s("helper")}}},
		Warnings:  []livepatch.Warning{{Code: s("lock-added"), Unit: s("fs/fcntl.c"), Subject: s("do_fcntl"), Source: s("fs/fcntl.c:310"), Reason: s("takes a lock"), Remedy: s("look")}},
		Unload:    &livepatch.Unload{Reasons: []livepatch.UnloadReason{{Subject: s("helper"), Reason: s("is stored in do_fcntl"), Source: s("fs/fcntl.c:311")}}},
		Patches:   []livepatch.Patch{{Name: s("01-a.patch"), SHA256: strings.Repeat("cd", 32)}},
		Toolchain: livepatch.Toolchain{Compiler: s("gcc-12"), Linker: s("GNU ld"), Livesplice: s("0.1.0")}}
	insn := func(t string) *Insn { return &Insn{At: 16, Text: s(t)} }
	part := Part{Name: s("do_fcntl"), Changed: 1, Segments: []Segment{
		{Rows: []Row{{Pre: insn("nop"), Post: insn("nop")}, {Pre: insn("push"), Post: insn("push")}}},
		{Differs: true, Rows: []Row{{Pre: insn("mov $1"), Post: insn("mov $2"), Differs: true}, {Post: insn("testb"), Differs: true}, {Pre: insn("cmp"), Differs: true}}}}}
	return &Page{Manifest: m, Kernel: s("#1 SMP"), Diffs: []PatchText{readPatch(s("01-a.patch"), "cdcd", []byte(s("Refuse hints")+"\n--- a/"+s("x.c")+"\n+++ b/"+s("x.c")+"\n@@ -1,2 +1,2 @@\n "+s("kept")+"\n-"+s("old")+"\n+"+s("new")+"\n"))},
		Units: []Unit{{Unit: m.Units[0], Functions: []Function{
			{Anchor: "f0-0", Name: s("do_fcntl"), Kind: "replaced", Place: &f, Object: s("vmlinux"), Source: s("fs/fcntl.c:310"), Why: []string{s("its own code"), s("inlining of x")}, Was: 1733, Is: 1745,
				Callers: &Callers{Calls: []Caller{{s("caller"), 2}}, Pointers: []Caller{{s("fops"), 1}}, Whole: true}, Parts: []Part{part, {Name: s("do_fcntl.cold"), Segments: part.Segments[:1]}}},
			{Anchor: "f0-1", Name: s("helper"), Kind: "new", Why: []string{s("new")}, Is: 20, Parts: []Part{part}}},
			Others: []Verdict{{"datum", s("old_table"), "removed", s("gone")}},
			Proofs: []Proof{{Name: s("do_fcntl"), Address: 0xffffffff8137d730, Size: 1733, Proof: "strict", By: s("name"), Patched: 3}, {Name: s("weak_one"), Proof: "none", Why: s("overridden")}},
			Data:   []Datum{{s("counter"), s(".bss"), 8}}, Sections: []ExtractSection{{s("__bug_table"), "table", 24, 2}}}},
		Late:     []LateSymbol{{Object: s("vmlinux"), Name: s("f_dupfd"), SymPos: 2, Address: 0xffffffff81380000, By: s("reference"), Patched: s("vmlinux"), Uses: 2}},
		Sections: []ModuleSection{{s(".klp.rela.vmlinux..text"), 11}}, Notes: []string{s("a note")}, Files: []File{{s("a.deb"), 10, strings.Repeat("ef", 32)}},
		Timings: []Timing{{s("diff"), 1500 * time.Millisecond, time.Second}}, Omitted: []string{s("3 lines")}}
}

// written is the page as text and as a browser sees it.
func written(t *testing.T, p *Page) (string, *html.Node) {
	t.Helper()
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	doc, err := html.Parse(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	return b.String(), doc
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

// content is the text of an element, white space made one blank.
func content(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode && d.Parent.Data != "style" {
			b.WriteString(d.Data + " ")
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// shape is the tree of elements with their attributes, but for ids that text decides; text left out.
func shape(doc *html.Node) string {
	var b strings.Builder
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode {
			fmt.Fprintf(&b, "%s(", n.Data)
			for _, a := range n.Attr {
				b.WriteString(a.Key + " ")
			}
			b.WriteString(")\n")
		}
	}
	return b.String()
}

// TestHostileText puts markup into every text of the page. The tree must be that of plain text, element by element.
func TestHostileText(t *testing.T) {
	_, plain := written(t, sample(""))
	text, doc := written(t, sample(hostile))
	if got, want := shape(doc), shape(plain); got != want {
		t.Errorf("text made other elements: got\n%s\nwant\n%s", got, want)
	}
	if n := strings.Count(content(doc), "<script>alert(1)</script>"); n < 40 {
		t.Errorf("%d places show the text, want at least 40", n)
	}
	if strings.Contains(text, "<script") || strings.Contains(text, "<img") {
		t.Error("text came through as markup")
	}
}

// TestPageStructure holds what a browser without scripts, a screen reader and a printer rely on.
func TestPageStructure(t *testing.T) {
	_, doc := written(t, sample(""))
	ids, level := map[string]bool{}, 0
	var links []string
	landmarks := map[string]int{}
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		if id := attr(n, "id"); id != "" {
			if ids[id] {
				t.Errorf("id %q twice", id)
			}
			ids[id] = true
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "src" || a.Key == "style" {
				t.Errorf("element %s has attribute %s", n.Data, a.Key)
			}
		}
		switch n.Data {
		case "script", "link", "img", "iframe", "object", "embed", "form", "base":
			t.Errorf("element %s", n.Data)
		case "a":
			links = append(links, attr(n, "href"))
		case "main", "nav", "header", "footer", "h1":
			landmarks[n.Data]++
		case "th":
			if attr(n, "scope") == "" {
				t.Errorf("table header %q without a scope", content(n))
			}
		case "html":
			if attr(n, "lang") != "en" {
				t.Error("no language")
			}
		}
		if len(n.Data) == 2 && n.Data[0] == 'h' && n.Data[1] >= '1' && n.Data[1] <= '6' {
			if now := int(n.Data[1] - '0'); now > level+1 {
				t.Errorf("heading %q is of level %d, behind one of level %d", content(n), now, level)
			} else {
				level = now
			}
		}
	}
	for _, l := range links {
		if !strings.HasPrefix(l, "#") || !ids[l[1:]] {
			t.Errorf("link %q leads nowhere on the page", l)
		}
	}
	for _, name := range []string{"main", "nav", "header", "footer", "h1"} {
		if landmarks[name] != 1 {
			t.Errorf("%d elements %s, want one", landmarks[name], name)
		}
	}
	for _, word := range []string{"url(", "@import", "http:", "https:"} {
		if strings.Contains(css, word) {
			t.Errorf("the style sheet has %q", word)
		}
	}
}

// TestPageTells looks for each kind of fact on the page.
func TestPageTells(t *testing.T) {
	_, doc := written(t, sample(""))
	got := content(doc)
	for _, want := range []string{
		"Update 5d39151f for 6.1.0-54-amd64", "CVE-2026-12345", "CVE-2026-54321: needs a reboot into a fixed kernel", "1 function in 1 object: vmlinux", "all by bytes", "1 warning",
		"do_fcntl lock-added fs/fcntl.c:310 takes a lock look", "a note", "01-a.patch +1 −1", "1 1 kept", "2 − old 2 + new",
		"Why its own code; inlining of x", "do_fcntl at 0xffffffff8137d730 , 1733 bytes", "by bytes, singled out by name", "1733 → 1745 bytes", "caller ×2", "fops", "as all of the shipped vmlinux tells",
		"2 equal instructions", "0x10 mov $1 ± 0x10 mov $2", "+ 0x10 testb", "0x10 cmp −", "do_fcntl.cold The instructions are the same.", "1 other difference between the two objects", "old_table datum removed gone",
		"fs/fcntl.c vmlinux 24 23 0 1", "do_fcntl by bytes 0xffffffff8137d730 1733 name 3", "weak_one not located overridden", "counter .bss 8", "__bug_table table 24 2",
		"f_dupfd vmlinux 2 0xffffffff81380000 reference vmlinux 2", ".klp.rela.vmlinux..text : 11", "a.deb 10", "gcc-12", "GNU ld", "diff 1.50 1.00", "it leaves out: 3 lines",
		"After undo stays loaded", "helper is stored in do_fcntl fs/fcntl.c:311",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if t.Failed() {
		t.Log(got)
	}
}

// TestPageWithout leaves out what there is not.
func TestPageWithout(t *testing.T) {
	p := sample("")
	p.Timings, p.Omitted, p.NeedsReboot, p.Warnings, p.Notes, p.Fixes, p.Late = nil, nil, nil, nil, nil, nil, nil
	p.Unload = &livepatch.Unload{Allowed: true}
	_, doc := written(t, p)
	got := content(doc)
	for _, gone := range []string{"Timings", "leaves out", "Not in this update", "Notes", "tays loaded"} {
		if strings.Contains(got, gone) {
			t.Errorf("the page says %q", gone)
		}
	}
	for _, want := range []string{"no CVE named", "Warnings none", "After undo may be unloaded", "No warnings.", "None: the update refers only to what the kernel exports."} {
		if !strings.Contains(got, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

// TestBound makes an update that is too large for a page.
func TestBound(t *testing.T) {
	p := sample("")
	p.Omitted = nil
	p.Diffs[0].Files[0].Lines = slices.Repeat([]Line{{Kind: "add", Text: "x"}}, maxLines+7)
	p.Units[0].Proofs = slices.Repeat(p.Units[0].Proofs[:1], maxListed+5)
	f := &p.Units[0].Functions[0]
	f.Callers.Calls = slices.Repeat(f.Callers.Calls, maxCallers+3)
	row := Row{Pre: &Insn{Text: "nop"}, Post: &Insn{Text: "nop"}}
	f.Parts = []Part{{Name: "do_fcntl", Segments: []Segment{{Rows: slices.Repeat([]Row{row}, maxRows)}, {Differs: true, Rows: slices.Repeat([]Row{row}, 9)}}}}
	p.bound()
	if want := []string{fmt.Sprintf("%d instructions of do_fcntl in fs/fcntl.c; livesplice diff and objdump show them", maxRows), "7 lines of the patch 01-a.patch",
		"5 of 4005 functions in the list of proofs of fs/fcntl.c", "3 of 103 users of do_fcntl"}; !slices.Equal(p.Omitted, want) {
		t.Errorf("omitted %q, want %q", p.Omitted, want)
	}
	if len(f.Parts[0].Segments[1].Rows) != 9 {
		t.Error("a difference gave way to code that stays")
	}
	text, _ := written(t, p)
	if len(text) > 8<<20 {
		t.Errorf("%d bytes", len(text))
	}
}

func TestSummaryOfMixedProofs(t *testing.T) {
	p := sample("")
	p.Objects[0].Functions = append(p.Objects[0].Functions, livepatch.Function{Name: "g", Proof: "instruction"})
	_, doc := written(t, p)
	if got := content(doc); !strings.Contains(got, "1 by bytes, 1 by instruction , against the shipped kernel") && !strings.Contains(got, "1 by bytes, 1 by instruction, against") {
		t.Errorf("the proofs are not told:\n%s", got)
	}
}
