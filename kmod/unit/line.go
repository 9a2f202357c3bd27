package unit

import (
	"bytes"
	"cmp"
	"debug/dwarf"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"livesplice/kmod/arch"
	"livesplice/kmod/elfobj"
	"livesplice/kmod/safedwarf"
)

// lineTable is the compiler's line table of an object, by address; sections have made-up addresses, since all of an
// object begin at 0.
type lineTable struct {
	base map[*elfobj.Section]uint64
	rows []lineRow // ascending
}

type lineRow struct {
	addr uint64
	line int
	col  int
	end  bool // of a sequence: the rows before it do not hold from here on
}

// Lines are the source lines that the compiler's line table gives the instruction at an offset of a function; none
// without DWARF data. There can be several, as the compiler sees more than one place in an instruction.
func (u *Unit) Lines(it *Item, off uint64) []int {
	var out []int
	for _, r := range u.rowsAt(it, off) {
		out = append(out, r.line)
	}
	return out
}

// rowsAt are the rows of the line table for the instruction at an offset of a function.
func (u *Unit) rowsAt(it *Item, off uint64) (out []lineRow) {
	if u.lines == nil {
		u.lines = u.readLines()
	}
	base, ok := u.lines.base[it.Section]
	if !ok {
		return nil
	}
	rows, addr := u.lines.rows, base+it.Start+off
	i, _ := slices.BinarySearchFunc(rows, addr+1, func(r lineRow, a uint64) int { return cmp.Compare(r.addr, a) })
	for j := i - 1; j >= 0 && rows[j].addr == rows[i-1].addr; j-- {
		if !rows[j].end {
			out = append(out, rows[j])
		}
	}
	return out
}

// SourcePlace tells instructions of a function apart by what they come from in the source: the line and column of the
// innermost function, and those of the calls that were inlined. Copies that the compiler made of one statement have one place.
// It is "" without DWARF data.
func (u *Unit) SourcePlace(it *Item, off uint64) string {
	rows := u.rowsAt(it, off)
	if len(rows) == 0 {
		return ""
	}
	var b strings.Builder
	calls, _ := u.Inlined(it)
	for _, c := range calls {
		if c.Start <= off && off < c.End {
			fmt.Fprintf(&b, "%d:%s@%d:%d ", c.Depth, c.Name, c.Line, c.Column)
		}
	}
	fmt.Fprintf(&b, "%d:%d", rows[0].line, rows[0].col)
	return b.String()
}

// lastLine is the highest source line in the line table of a function; 0 without DWARF data.
func (u *Unit) lastLine(it *Item) (last int) {
	u.Lines(it, 0)
	base, ok := u.lines.base[it.Section]
	if !ok {
		return 0
	}
	rows, start, end := u.lines.rows, base+it.Start, base+it.End
	i, _ := slices.BinarySearchFunc(rows, start, func(r lineRow, a uint64) int { return cmp.Compare(r.addr, a) })
	for ; i < len(rows) && rows[i].addr < end; i++ {
		if !rows[i].end {
			last = max(last, rows[i].line)
		}
	}
	return last
}

// readLines reads the line table; an object whose DWARF data cannot be read has none.
func (u *Unit) readLines() (t *lineTable) {
	t = &lineTable{base: map[*elfobj.Section]uint64{}}
	defer func() {
		if recover() != nil { // debug/dwarf on an object that a strange compiler made
			t = &lineTable{}
		}
	}()
	t.base = u.addresses()
	rows, err := u.lineRows(t.base)
	if err != nil {
		return &lineTable{}
	}
	slices.SortStableFunc(rows, func(a, b lineRow) int { return cmp.Compare(a.addr, b.addr) })
	t.rows = rows
	return t
}

// addresses makes up an address for each section of code.
func (u *Unit) addresses() map[*elfobj.Section]uint64 {
	base := map[*elfobj.Section]uint64{}
	at := uint64(0x1000)
	for _, s := range u.Obj.Sections {
		if s.Exec() {
			base[s] = at
			at = (at + s.Size() + 0xfff) &^ 0xfff // a gap, so that the end of one is not the start of the next
			at += 0x1000
		}
	}
	return base
}

func (u *Unit) lineRows(base map[*elfobj.Section]uint64) ([]lineRow, error) {
	d, err := u.debugInfo(base)
	if err != nil {
		return nil, err
	}
	var rows []lineRow
	for r := safedwarf.NewReader(d); ; {
		e, err := r.Next()
		if err != nil || e == nil {
			return rows, err
		}
		safedwarf.Skip(r, e)
		lr, err := d.LineReader(e)
		if err != nil {
			return nil, err
		}
		for lr != nil {
			var l dwarf.LineEntry
			if err := lr.Next(&l); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return nil, err
			}
			rows = append(rows, lineRow{l.Address, l.Line, l.Column, l.EndSequence})
		}
	}
}

// debugInfo is the DWARF data of the object, code at the given addresses.
func (u *Unit) debugInfo(base map[*elfobj.Section]uint64) (*dwarf.Data, error) {
	obj, base, err := u.debugObject(base)
	if err != nil {
		return nil, err
	}
	section := func(name string) []byte { return u.relocated(obj.Section(name), base) }
	d, err := dwarf.New(section(".debug_abbrev"), nil, nil, section(".debug_info"), section(".debug_line"), nil, section(".debug_ranges"), section(".debug_str"))
	if err != nil {
		return nil, err
	}
	for _, name := range []string{".debug_line_str", ".debug_str_offsets", ".debug_addr", ".debug_rnglists"} {
		if err := d.AddSection(name, section(name)); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// relocated is the content of a section of debug information with its relocations applied, code at the given addresses.
func (u *Unit) relocated(s *elfobj.Section, base map[*elfobj.Section]uint64) []byte {
	if s == nil || s.Flags&elf.SHF_COMPRESSED != 0 {
		return nil
	}
	out := bytes.Clone(s.Data)
	if s.Rela == nil {
		return out
	}
	for _, r := range s.Rela.Relocs {
		f, err := u.Arch.Field(r.Type)
		if err != nil || r.Sym == nil || r.Offset > uint64(len(out)) || uint64(f.Size) > uint64(len(out))-r.Offset {
			continue
		}
		v := base[r.Sym.Section] + r.Sym.Value + uint64(r.Addend)
		switch f.Size {
		case 4:
			u.Obj.Order().PutUint32(out[r.Offset:], uint32(v))
		case 8:
			u.Obj.Order().PutUint64(out[r.Offset:], v)
		}
	}
	return out
}

// spread is by how many lines __LINE__ may lie behind the line of the instruction that passes it on, which is that of
// the statement's first line or of the call: gcc counts the lines of an argument, clang those of a whole macro call.
const spread = 32

// SameButLines says whether two functions whose references are the same, at the places of refs, differ in nothing but
// numbers of source lines that they load as constants: __LINE__ as an argument. Each such number must be, in pre and in
// post, the line that the line table gives the instruction, or lie behind it by as much in both, and inside the function.
// Where neither object has a line table, it must be what a function of the kernel takes as a line.
func SameButLines(pre, post *Unit, a, b *Item, refs []Ref) bool {
	x, y := a.Bytes(), b.Bytes()
	if len(x) != len(y) || !a.Section.Exec() || !b.Section.Exec() {
		return false
	}
	x, y = withoutFields(pre, x, refs), withoutFields(post, y, refs)
	known := pre.hasLines || post.hasLines
	for at := uint64(0); at < uint64(len(x)); {
		i, okPre := pre.Arch.Insn(x[at:])
		j, okPost := post.Arch.Insn(y[at:])
		i.Rel.Disp, j.Rel.Disp = 0, 0 // compared with the bytes, where nothing relocates it
		if !okPre || !okPost || i != j {
			return false
		}
		next := at + uint64(i.Len)
		if !bytes.Equal(x[at:next], y[at:next]) {
			v, w, reg, ok := differingNumbers(pre.Arch, i, x[at:next], y[at:next])
			switch {
			case !ok:
				return false
			case known && (v > uint64(pre.lastLine(a)) || w > uint64(post.lastLine(b)) || !samePlace(v, w, pre.Lines(a, at), post.Lines(b, at))):
				return false
			case !known && (v == 0 || w == 0 || max(v, w) > maxLine || !pre.takesLine(a, at, reg) || !post.takesLine(b, at, reg)):
				return false
			}
		}
		at = next
	}
	return true
}

// maxLine bounds what can be a line of a source file.
const maxLine = 1 << 20

// withoutFields is code with the bits cleared that relocations fill in.
func withoutFields(u *Unit, code []byte, refs []Ref) []byte {
	out := bytes.Clone(code)
	for _, r := range refs {
		if end := r.Offset + uint64(r.Field.Size); r.Offset < uint64(len(out)) && end <= uint64(len(out)) {
			r.Field.Clear(u.Obj.Order(), out[r.Offset:end])
		}
	}
	return out
}

// differingNumbers gives the numbers that two instructions of one shape load, if these alone differ, and the register; that is -1
// where the number goes elsewhere.
func differingNumbers(a arch.Arch, i arch.Insn, x, y []byte) (v, w uint64, reg int, ok bool) {
	if p, ok := arch.ImmediateOf(a, x); ok {
		q, ok := arch.ImmediateOf(a, y)
		return p.Value, q.Value, p.Reg, ok && p.Op == q.Op
	}
	number := len(x) - i.Const
	if i.Const == 0 || !bytes.Equal(x[:number], y[:number]) {
		return 0, 0, 0, false
	}
	return littleEndian(x[number:]), littleEndian(y[number:]), -1, true
}

// samePlace says whether two numbers are line numbers of one place that moved from one of the first lines to one of the
// second.
func samePlace(a, b uint64, pre, post []int) bool {
	for _, p := range pre {
		for _, q := range post {
			if behind := int64(a) - int64(p); behind >= 0 && behind <= spread && behind == int64(b)-int64(q) {
				return true
			}
		}
	}
	return false
}

func littleEndian(b []byte) (v uint64) {
	for i := len(b) - 1; i >= 0; i-- {
		v = v<<8 | uint64(b[i])
	}
	return v
}
