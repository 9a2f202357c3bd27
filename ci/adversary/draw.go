package main

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// form is how a unit is built.
type form string

const (
	inKernel  form = "vmlinux"
	oneModule form = "module"
	twoModule form = "two modules" // other is in a second one, which the first imports from
)

// unit is one source file of the scaffold, with a second one beside it where a kind wants that.
type unit struct {
	name  string // "u003"
	form  form
	parts []*part
}

// part is an instance of a kind in a unit.
type part struct {
	kind   kind
	draw   *draw
	text   template
	header template
	other  template
	init   template
	exit   template
	setup  template
	probe  template
	after  template
}

// random is a source of random numbers of its own for each name: what is drawn for one does not move the others.
func random(seed uint64, name string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(name))
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// drawUnits draws a scaffold of n units. Each kind is in it once before one is twice.
func drawUnits(seed uint64, n int, from []kind) ([]*unit, error) {
	rnd := random(seed, "units")
	var order []int
	for len(order) < n {
		order = append(order, rnd.Perm(len(from))...)
	}
	var units []*unit
	for i := range n {
		u := &unit{name: fmt.Sprintf("u%03d", i)}
		own := random(seed, u.name)
		chosen := []kind{from[order[i]]}
		for more := own.IntN(10); more < 4 && len(chosen) < 3; more += 3 {
			if k := from[own.IntN(len(from))]; len(forms(append(slices.Clone(chosen), k))) > 0 {
				chosen = append(chosen, k)
			}
		}
		possible := forms(chosen)
		u.form = possible[own.IntN(len(possible))]
		for p, k := range chosen {
			part, err := newPart(k, fmt.Sprintf("%s%c_", u.name, 'a'+p), own)
			if err != nil {
				return nil, err
			}
			u.parts = append(u.parts, part)
		}
		units = append(units, u)
	}
	return units, nil
}

// forms are those that a unit of some kinds can have.
func forms(kinds []kind) (all []form) {
	other := slices.ContainsFunc(kinds, func(k kind) bool { return k.other != "" })
	for f, places := range map[form][]place{inKernel: {anywhere, together, builtin}, oneModule: {anywhere, together, modular}, twoModule: {anywhere, pair}} {
		if (f != twoModule || other) && !slices.ContainsFunc(kinds, func(k kind) bool { return !slices.Contains(places, k.where) }) {
			all = append(all, f)
		}
	}
	slices.Sort(all)
	return all
}

func newPart(k kind, prefix string, rnd *rand.Rand) (*part, error) {
	p := &part{kind: k, draw: newDraw(prefix, rnd)}
	after := k.after
	switch after {
	case "":
		after = k.probe
	case "-":
		after = ""
	}
	for _, t := range []struct {
		to       *template
		id, text string
	}{{&p.text, "text", k.text}, {&p.header, "header", k.header}, {&p.other, "other", k.other}, {&p.init, "init", k.init}, {&p.exit, "exit", k.exit},
		{&p.setup, "setup", k.setup}, {&p.probe, "probe", k.probe}, {&p.after, "after", after}} {
		var err error
		if *t.to, err = parse(t.id, t.text); err != nil {
			return nil, fmt.Errorf("kind %s: %w", k.name, err)
		}
		p.draw.fix(*t.to)
	}
	return p, nil
}

// oldSetup says whether the reference needs text of its own for what old code does in setup: then setup is old code's.
func (p *part) oldSetup() bool {
	return strings.Contains(p.kind.text+p.kind.other+p.kind.header, "@<")
}

// order is when a unit's module is loaded.
type order string

const (
	moduleFirst order = "module, update" // also for what is built in
	updateFirst order = "update, module"
	bothWays    order = "module, update, module again"
)

// update is one patch of a unit, with what is done beside it.
type update struct {
	Unit  string   `json:"unit"`
	Kinds []string `json:"kinds"` // of the patched parts
	Order order    `json:"order"`
	Twice bool     `json:"twice"` // applied and undone once more

	before, after, reference map[string]string // files, by their names in the scaffold's folder
	setup, probe, undone     []string          // lines for the driver
	modules                  []string          // in the order in which modprobe loads them, the unit's last
}

// drawUpdate draws the n-th patch of a unit.
func (u *unit) drawUpdate(seed uint64, name string) *update {
	rnd := random(seed, name)
	patched := map[int]bool{rnd.IntN(len(u.parts)): true}
	if rnd.IntN(3) == 0 {
		patched[rnd.IntN(len(u.parts))] = true
	}
	up := &update{Unit: u.name, Order: moduleFirst, modules: u.modules()}
	base, post := u.draws(nil, rnd), u.draws(patched, rnd)
	up.before, up.after = u.files(base), u.files(post)
	for _, d := range post {
		d.refers = true
	}
	up.reference = u.files(post)
	up.Twice = rnd.IntN(3) == 0
	if u.form != inKernel {
		up.Order = []order{moduleFirst, updateFirst, bothWays}[rnd.IntN(3)]
	}
	for i, p := range u.parts {
		if patched[i] {
			up.Kinds = append(up.Kinds, p.kind.name)
			if p.oldSetup() {
				up.Order = moduleFirst
			}
		}
		up.setup = append(up.setup, u.lines(i, post[i].text(p.setup))...)
		up.probe = append(up.probe, u.lines(i, post[i].text(p.probe))...)
		up.undone = append(up.undone, u.lines(i, post[i].text(p.after))...)
	}
	return up
}

// draws are those of the unit's parts, patched or as they are.
func (u *unit) draws(patched map[int]bool, rnd *rand.Rand) (all []*draw) {
	for i, p := range u.parts {
		d := *p.draw
		if patched[i] {
			d = *p.draw.patch(rnd)
		}
		all = append(all, &d)
	}
	return all
}

// lines are a part's operations as the driver takes them: "u003 105 7" is operation 5 of the second part. An & in front, as the
// operation has it, stands for one that is not waited for.
func (u *unit) lines(part int, ops string) (all []string) {
	for op := range strings.SplitSeq(ops, ";") {
		f := strings.Fields(op)
		if len(f) == 0 {
			continue
		}
		op, background := strings.CutPrefix(f[0], "&")
		n, err := strconv.Atoi(op)
		if err != nil {
			panic(fmt.Sprintf("operation %q of %s: %v", op, u.name, err))
		}
		line := strings.Join(append([]string{u.name, strconv.Itoa(100*part + n)}, f[1:]...), " ")
		if background {
			line = "&" + line
		}
		all = append(all, line)
	}
	return all
}
