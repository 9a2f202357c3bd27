package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// A template is C with marks, from which an instance's text before and after a patch is made:
//
//	$x           the instance's own name x: u003a_x
//	#0 … #4      numbers of the instance, all different
//	#5 … #9      numbers of the patch, different from those
//	@[a@|b@]     one of these, drawn for the instance
//	@{a@|b@|c@}  a before the patch; after it one of the others, drawn for the patch
//	@<a@|b@>     a, but b in the reference: what stands there for the setup by old code
//
// A lower-case letter between @ and the bracket ties marks together: all @k[ of a kind, all @k{ of a kind take the alternative
// of the same place. Marks may stand inside each other.
type template []node

// node is plain text, or a mark with its alternatives.
type node struct {
	text string
	mark byte   // 0, '[', '{' or '<'
	key  string // marks of one key take the same place
	alts []template
}

// parse reads a text; id, unique among the texts of one kind, tells its untied marks from those of the others.
func parse(id, text string) (template, error) {
	p := &parser{id: id, rest: text}
	t, end, err := p.list()
	if err == nil && end != "" {
		err = fmt.Errorf("%s without a beginning", end)
	}
	if err != nil {
		return nil, fmt.Errorf("template %s: %w", id, err)
	}
	return t, nil
}

type parser struct {
	id    string
	rest  string
	marks int
}

// list reads to the end of an alternative: "@|", "@]", "@}", "@>", or "" for that of the text.
func (p *parser) list() (t template, end string, err error) {
	for {
		i := strings.IndexByte(p.rest, '@')
		if i < 0 {
			t = append(t, node{text: p.rest})
			p.rest = ""
			return t, "", nil
		}
		t = append(t, node{text: p.rest[:i]})
		p.rest = p.rest[i+1:]
		if len(p.rest) == 0 {
			return nil, "", fmt.Errorf("@ at the end")
		}
		c := p.rest[0]
		if strings.IndexByte("|]}>", c) >= 0 {
			p.rest = p.rest[1:]
			return t, "@" + string(c), nil
		}
		n, err := p.mark()
		if err != nil {
			return nil, "", err
		}
		t = append(t, n)
	}
}

// mark reads what follows an @ that begins a mark.
func (p *parser) mark() (node, error) {
	p.marks++
	n := node{key: fmt.Sprintf("%s %d", p.id, p.marks)}
	if c := p.rest[0]; c >= 'a' && c <= 'z' {
		n.key = string(c)
		p.rest = p.rest[1:]
	}
	if p.rest == "" || strings.IndexByte("[{<", p.rest[0]) < 0 {
		return n, fmt.Errorf("@ without a bracket before %.20q", p.rest)
	}
	n.mark = p.rest[0]
	p.rest = p.rest[1:]
	want := map[byte]string{'[': "@]", '{': "@}", '<': "@>"}[n.mark]
	for {
		alt, end, err := p.list()
		if err != nil {
			return n, err
		}
		n.alts = append(n.alts, alt)
		switch end {
		case "@|":
		case want:
			if len(n.alts) < 2 {
				return n, fmt.Errorf("a mark with one alternative")
			}
			return n, nil
		default:
			return n, fmt.Errorf("%q where %q is wanted", end, want)
		}
	}
}

// draw is what the marks of an instance come to.
type draw struct {
	prefix  string
	rnd     *rand.Rand
	places  map[string]int // of '[', by key
	refers  bool           // for the reference
	changes map[string]int // of '{', by key; nil: the text before the patch
	numbers [10]int
}

// newDraw draws an instance: its numbers, and its alternatives as they are met.
func newDraw(prefix string, rnd *rand.Rand) *draw {
	d := &draw{prefix: prefix, rnd: rnd, places: map[string]int{}}
	for i, n := range rnd.Perm(40)[:5] {
		d.numbers[i] = 3 + n
	}
	return d
}

// patch draws a patch of the instance; it leaves d as it is. Both have met the instance's marks before: see fix.
func (d *draw) patch(rnd *rand.Rand) *draw {
	p := &draw{prefix: d.prefix, rnd: rnd, places: d.places, changes: map[string]int{}, numbers: d.numbers}
	for i, n := range rnd.Perm(900)[:5] {
		p.numbers[5+i] = 50 + n
	}
	return p
}

// fix draws every instance mark of a text, so that what is drawn later does not depend on what is rendered first.
func (d *draw) fix(t template) {
	for _, n := range t {
		if n.mark == '[' {
			if _, ok := d.places[n.key]; !ok {
				d.places[n.key] = d.rnd.IntN(len(n.alts))
			}
		}
		for _, a := range n.alts {
			d.fix(a)
		}
	}
}

// text is the text before the patch, if d is an instance, or after it.
func (d *draw) text(t template) string {
	var b strings.Builder
	d.write(&b, t)
	return b.String()
}

func (d *draw) write(b *strings.Builder, t template) {
	for _, n := range t {
		switch n.mark {
		case '[':
			d.write(b, n.alts[d.places[n.key]%len(n.alts)])
		case '{':
			d.write(b, n.alts[d.change(n)])
		case '<':
			i := 0
			if d.refers {
				i = 1
			}
			d.write(b, n.alts[i])
		default:
			d.plain(b, n.text)
		}
	}
}

func (d *draw) change(n node) int {
	if d.changes == nil {
		return 0
	}
	c, ok := d.changes[n.key]
	if !ok {
		c = d.rnd.IntN(1 << 20)
		d.changes[n.key] = c
	}
	return 1 + c%(len(n.alts)-1)
}

func (d *draw) plain(b *strings.Builder, s string) {
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '$':
			b.WriteString(d.prefix)
		case s[i] == '#' && i+1 < len(s) && s[i+1] >= '0' && s[i+1] <= '9':
			i++
			fmt.Fprint(b, d.numbers[s[i]-'0'])
		default:
			b.WriteByte(s[i])
		}
	}
}
