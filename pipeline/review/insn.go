package review

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"livesplice/kmod/diff"
	"livesplice/kmod/unit"
)

// Insn is one instruction of a function as a reader sees it.
type Insn struct {
	At   uint64 // offset in its item, in bytes
	Text string // relocated fields by name, jumps within the function by offset
	// key is equal for instructions of pre and post that mean the same as far as they alone tell: like Text, but with one
	// name for both counterparts and without the places of jumps.
	key string
	// to is where a jump within the function leads, parts that were split off included.
	to *spot
}

// spot is a place in the code of one side.
type spot struct {
	item   *unit.Item
	offset uint64
}

// magic fills a relocated field while an instruction is made text: the number that comes out is replaced by the name.
// It is positive as a number of four bytes, and none that kernel code is likely to hold.
const magic = 0x5a5aa500

// base is where an instruction with relocated fields is taken to stand: x/arch shows distances, not places, in code at 0.
const base = 0x1000

// maxLiteral is how much of a string constant is shown, in bytes.
const maxLiteral = 60

// namer gives what references lead to their names.
type namer struct {
	unit *unit.Unit
	// counterpart gives for an item of post that of pre, nil for none; on the side of pre it is nil.
	counterpart func(*unit.Item) *unit.Item
}

// instructions reads the code of one function or part. Bytes that are no known instruction end it, as a last entry.
func (n *namer) instructions(it *unit.Item) ([]Insn, error) {
	refs, err := n.unit.Refs(it)
	if err != nil {
		return nil, err
	}
	code := it.Bytes()
	var out []Insn
	for at := uint64(0); at < uint64(len(code)); {
		insn, ok := n.unit.Arch.Insn(code[at:])
		if !ok || insn.Len == 0 {
			text := fmt.Sprintf("(%d bytes that are not known)", uint64(len(code))-at)
			return append(out, Insn{At: at, Text: text, key: text + string(code[at:])}), nil
		}
		end := at + uint64(insn.Len)
		var own []unit.Ref
		for len(refs) > 0 && refs[0].Offset < end {
			if refs[0].Offset >= at {
				own = append(own, refs[0])
			}
			refs = refs[1:]
		}
		i := Insn{At: at}
		switch inside := len(own) == 0 && insn.Rel.Reloc != 0 && (insn.Jump || insn.Call); {
		case inside:
			i.to = &spot{it, uint64(int64(at) + insn.Rel.Disp)}
			i.Text = n.text(code[at:end], at)
			mnemonic, _, _ := strings.Cut(i.Text, " ")
			i.key = mnemonic + " (inside)"
		default:
			i.Text, i.key, i.to = n.symbolised(it, code[at:end], at, own)
		}
		out = append(out, i)
		at = end
	}
	return out, nil
}

// text is an instruction as objdump shows it, where x/arch has an index register that is none.
func (n *namer) text(code []byte, at uint64) string {
	return strings.ReplaceAll(n.unit.Arch.Disassemble(code, at), ",%riz,1)", ")")
}

// symbolised is the text of an instruction with the names of what its fields lead to.
func (n *namer) symbolised(it *unit.Item, code []byte, at uint64, refs []unit.Ref) (text, key string, to *spot) {
	if len(refs) == 0 {
		text = n.text(code, at)
		return text, text, nil
	}
	code = bytes.Clone(code)
	order := n.unit.Obj.Order()
	for i, r := range refs {
		field := code[r.Offset-at:]
		v := uint64(magic + i)
		if r.Direct { // shown as the place that it leads to
			v -= base + at + uint64(len(code))
		}
		switch r.Field.Size {
		case 4:
			order.PutUint32(field, uint32(v))
		case 8:
			binary.LittleEndian.PutUint64(field, v)
		}
	}
	text = n.text(code, base+at)
	key = text
	for i, r := range refs {
		shown, same := n.name(it, r)
		number := "0x" + strconv.FormatUint(uint64(magic+i), 16)
		if !strings.Contains(text, number) {
			text, key = text+" # "+shown, key+" # "+same
			continue
		}
		text, key = strings.ReplaceAll(text, number, shown), strings.ReplaceAll(key, number, same)
		if r.Direct && r.To != nil && (r.To == it || r.To.Parent == it || it.Parent == r.To) && r.ToOffset >= 0 {
			to = &spot{r.To, uint64(r.ToOffset)}
			if r.To != it || r.ToOffset > 0 {
				key = strings.ReplaceAll(key, same, partName(r.To))
			}
		}
	}
	return text, key, to
}

// partName tells a function from the part that was split off it.
func partName(it *unit.Item) string {
	if it.Parent != nil {
		return "(its part)"
	}
	return "(its function)"
}

// name is what a reference leads to, as shown, and as it is equal on both sides.
func (n *namer) name(it *unit.Item, r unit.Ref) (shown, same string) {
	offset := ""
	if r.ToOffset != 0 {
		offset = fmt.Sprintf("%+#x", r.ToOffset)
	}
	if r.To == nil {
		return r.Name() + offset, r.Name() + offset
	}
	if text, ok := literal(r.To, r.ToOffset); ok {
		return text, text
	}
	shown = r.To.Name + offset
	if diff.Fresh(r.To) && r.To.Kind != unit.Function { // made at each place of use: its number tells nothing
		same = unit.BaseName(r.To.Name) + string(r.To.Bytes())
		if len(r.To.Syms) == 0 {
			same = r.To.Section.Name + string(r.To.Bytes())
		}
		return shown, same + offset
	}
	same = shown
	if n.counterpart != nil {
		if pre := n.counterpart(r.To); pre != nil {
			same = pre.Name + offset
		} else {
			same = "(new) " + shown
		}
	}
	return shown, same
}

// literal is a string constant as C writes it.
func literal(it *unit.Item, offset int64) (string, bool) {
	data := it.Bytes()
	if it.Kind != unit.Literal || !it.Section.Strings() || offset < 0 || offset >= int64(len(data)) {
		return "", false
	}
	text, _, whole := bytes.Cut(data[offset:], []byte{0})
	if !whole || !utf8.Valid(text) {
		return "", false
	}
	if len(text) > maxLiteral {
		cut := maxLiteral
		for cut > 0 && !utf8.RuneStart(text[cut]) {
			cut--
		}
		return strconv.Quote(string(text[:cut])) + "…" + strconv.Itoa(len(text)), true
	}
	return strconv.Quote(string(text)), true
}
