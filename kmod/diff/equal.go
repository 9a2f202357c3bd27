package diff

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"slices"

	"livesplice/kmod/unit"
)

// comparer answers whether items of pre and post are the same, relocated fields compared by what they name.
type comparer struct {
	*correlation
	opts    Options
	special map[*unit.Unit]unit.Tables
	// onlyLines holds the functions of post that differ from pre in numbers which the line tables say are lines.
	onlyLines map[*unit.Item]bool
	// fresh remembers comparisons of unnamed data; an entry that is being computed counts as equal, which ends cycles.
	fresh map[[2]*unit.Item]bool
	equal [][2]*unit.Item // pairs that fresh has as equal, in the order in which they were begun
	// lineTexts are pairs of texts that differ in numbers of lines behind names of source files.
	lineTexts map[[2]*unit.Item]bool
	depth     int // of fresh data that refers to fresh data
}

// maxDepth bounds how far chains of unnamed data are followed. Those behind it count as different.
const maxDepth = 1000

// function says whether two functions, with the entries of special sections that belong to them, are the same.
// Parts moved out of the hot path are items of their own.
func (c *comparer) function(pre, post *unit.Item) (bool, error) {
	same, err := c.content(pre, post)
	if err != nil || !same {
		return false, err
	}
	a, b := c.special[c.pre][pre], c.special[c.post][post]
	if len(a) != len(b) {
		return false, nil
	}
	for i := range a {
		if same, err := c.entry(a[i], b[i]); err != nil || !same {
			return false, err
		}
	}
	return c.sameButTexts(pre, post)
}

// sameButTexts says whether the texts that differ in numbers of lines, of two functions that are the same but for these, can be
// taken for the same: whoever compiles the unit once more with the lines of old has the last word, as for numbers in code.
func (c *comparer) sameButTexts(pre, post *unit.Item) (bool, error) {
	if len(c.lineTexts) == 0 {
		return true, nil
	}
	a, b, err := c.refs(pre, post)
	if err != nil {
		return false, err
	}
	for i := range a {
		if c.lineTexts[[2]*unit.Item{a[i].To, b[i].To}] {
			c.onlyLines[post] = true
			return !c.opts.NotLines[post.Name], nil
		}
	}
	return true, nil
}

// content compares bytes and references of two items of any kind.
func (c *comparer) content(pre, post *unit.Item) (bool, error) {
	if pre.Size() != post.Size() || (pre.Section.Type == elf.SHT_NOBITS) != (post.Section.Type == elf.SHT_NOBITS) {
		return false, nil
	}
	a, b, err := c.refs(pre, post)
	if err != nil {
		return false, err
	}
	return c.references(a, b) && (c.equalOutside(pre.Bytes(), post.Bytes(), a) || c.sameButLines(pre, post, a)), nil
}

// refs are the references of an item of pre and of one of post.
func (c *comparer) refs(pre, post *unit.Item) (a, b []unit.Ref, err error) {
	if a, err = c.pre.Refs(pre); err != nil {
		return nil, nil, err
	}
	b, err = c.post.Refs(post)
	return a, b, err
}

// sameButLines says whether two functions differ in line numbers alone, as far as the objects show.
func (c *comparer) sameButLines(pre, post *unit.Item, refs []unit.Ref) bool {
	if c.opts.ExactLines || c.opts.NotLines[post.Name] || !unit.SameButLines(c.pre, c.post, pre, post, refs) {
		return false
	}
	c.onlyLines[post] = true
	return true
}

// references compares two lists of references one by one.
func (c *comparer) references(a, b []unit.Ref) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Offset != b[i].Offset || !c.pre.SameReloc(a[i].Type, b[i].Type) || !c.target(a[i], b[i]) {
			return false
		}
	}
	return true
}

// equalOutside compares bytes outside the bits that relocations fill in. What stands in the field of a RELA relocation
// is ignored by linkers and loaders.
func (c *comparer) equalOutside(a, b []byte, refs []unit.Ref) bool {
	if len(a) != len(b) {
		return false
	}
	order := c.pre.Obj.Order()
	at := uint64(0)
	for _, r := range refs {
		if r.Offset > at && !bytes.Equal(a[at:r.Offset], b[at:r.Offset]) {
			return false
		}
		end := r.Offset + uint64(r.Field.Size)
		if r.Field.Mask != 0 && r.Field.Of(order, a[r.Offset:end])&^r.Field.Mask != r.Field.Of(order, b[r.Offset:end])&^r.Field.Mask {
			return false
		}
		at = max(at, end)
	}
	return bytes.Equal(a[at:], b[at:])
}

// target says whether two references name the same place.
func (c *comparer) target(a, b unit.Ref) bool {
	if a.Table != nil && b.Table != nil {
		// An entry of a table; replacement code is read by the entry that holds it.
		x, i, inX := c.special[c.pre].Find(a.Table, a.ToOffset)
		y, j, inY := c.special[c.post].Find(b.Table, b.ToOffset)
		return x != nil && y != nil && c.preOf[y] == x && i == j && inX == inY && a.Table.Name == b.Table.Name
	}
	if a.Table != nil || b.Table != nil || a.ToOffset != b.ToOffset {
		return false
	}
	if a.To == nil || b.To == nil {
		return a.To == nil && b.To == nil && a.External.Name == b.External.Name && a.External.Shndx == b.External.Shndx
	}
	if Fresh(a.To) && Fresh(b.To) {
		return c.sameFresh(a.To, b.To)
	}
	return c.preOf[b.To] == a.To
}

func (c *comparer) sameFresh(a, b *unit.Item) bool {
	if a.Kind != b.Kind || a.Kind == unit.Datum && freshBase(a.Name) != freshBase(b.Name) {
		return false
	}
	if a.Kind == unit.Literal && a.Section.Flags != b.Section.Flags {
		return false
	}
	key := [2]*unit.Item{a, b}
	if known, ok := c.fresh[key]; ok {
		return known
	}
	if c.depth >= maxDepth {
		return false
	}
	c.depth++
	defer func() { c.depth-- }()
	c.fresh[key] = true
	begun := len(c.equal)
	c.equal = append(c.equal, key)
	same, err := c.content(a, b)
	switch {
	case !same && err == nil && !c.opts.ExactLines && SameTextButLines(a, b):
		same, c.lineTexts[key] = true, true
	case isDynamicDebug(a.Section.Name):
		same, err = c.sameDebugSite(a, b)
	case unit.UbsanSite(a) && unit.UbsanSite(b):
		same, err = c.sameUbsanSite(a, b)
	}
	if same && err == nil {
		return true
	}
	// What was found equal since may be so only if these two are.
	for _, k := range c.equal[begun:] {
		delete(c.fresh, k)
	}
	c.equal = c.equal[:begun]
	c.fresh[key] = false
	return false
}

// sameDebugSite compares two struct _ddebug, which dynamic debug makes for each pr_debug(): the line in it is noise. That takes
// the first 18 bits behind four pointers; the flags, which say whether it prints from the beginning, and the class are in the
// same word.
//
// Source: include/linux/dynamic_debug.h, v3.10, v5.10, v6.1 and v7.2.
func (c *comparer) sameDebugSite(pre, post *unit.Item) (bool, error) {
	const at, lineBits = 4 * 8, 18
	a, b, err := c.refs(pre, post)
	if err != nil || !c.references(a, b) {
		return false, err
	}
	x, y := slices.Clone(pre.Bytes()), slices.Clone(post.Bytes())
	if len(x) == len(y) && len(x) >= at+4 {
		order := c.pre.Obj.Order()
		line := uint32(1<<lineBits - 1)
		if order == binary.BigEndian { // bit-fields begin at the highest bit
			line <<= 32 - lineBits
		}
		for _, data := range [][]byte{x, y} {
			order.PutUint32(data[at:], order.Uint32(data[at:])&^line)
		}
	}
	return c.equalOutside(x, y, a), nil
}

// sameUbsanSite compares what two checks of UBSAN report with, their places in the source apart.
func (c *comparer) sameUbsanSite(pre, post *unit.Item) (bool, error) {
	a, b, err := c.refs(pre, post)
	if err != nil {
		return false, err
	}
	x, y := pre.Bytes(), post.Bytes()
	if len(x) != len(y) || len(a) == 0 || len(b) == 0 || a[0].Offset != 0 || b[0].Offset != 0 {
		return c.content(pre, post)
	}
	x, y = slices.Clone(x), slices.Clone(y)
	clear(x[:unit.UbsanLocation])
	clear(y[:unit.UbsanLocation])
	return c.references(a[1:], b[1:]) && c.equalOutside(x, y, a), nil
}
