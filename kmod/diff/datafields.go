package diff

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"livesplice/kmod/layout"
	"livesplice/kmod/unit"
)

// changedFields tells which fields of a datum differ, by the debug information of post: " (.open from 0 to foo_open, .name
// from "a" to "b")"; "" if that is not known or if the sizes differ. A place that the debug information does not know is
// named by its offset.
func (r *Result) changedFields(pre, post *unit.Item) string {
	const most = 4
	if pre.Size() != post.Size() {
		return ""
	}
	raw, err := r.Post.Obj.Write()
	if err != nil {
		return ""
	}
	types, err := layout.Read(raw)
	if err != nil {
		return ""
	}
	var fields []string
	end := int64(0) // of the last field that was named
	for _, at := range r.differing(pre, post) {
		if at < end {
			continue
		}
		leaf, ok := types.Leaf(unit.BaseName(post.Name), at)
		if !ok {
			leaf = layout.Leaf{Path: fmt.Sprintf("byte %d", at), Offset: at, Size: 1, Number: true}
		}
		end = leaf.Offset + leaf.Size
		was, is := fieldValue(r.Pre, pre, leaf), fieldValue(r.Post, post, leaf)
		if i := strings.LastIndexByte(leaf.Path, '['); leaf.Text && i >= 0 {
			n, _ := strconv.ParseInt(strings.Trim(leaf.Path[i:], "[]"), 10, 64)
			// Text from its start on, unless it ends before what differs.
			if a, b := quoted(pre, uint64(leaf.Offset-n)), quoted(post, uint64(leaf.Offset-n)); a != b {
				leaf.Path, was, is = leaf.Path[:i], a, b
			}
		}
		if text := strings.TrimSpace(fmt.Sprintf("%s from %s to %s", leaf.Path, was, is)); !slices.Contains(fields, text) {
			fields = append(fields, text)
		}
	}
	if rest := len(fields) - most; rest > 0 {
		fields = append(fields[:most], fmt.Sprintf("and %d more", rest))
	}
	if len(fields) == 0 {
		return ""
	}
	return " (" + strings.Join(fields, ", ") + ")"
}

// differing gives the offsets at which two data of one size differ, in ascending order: bytes, and the start of each
// reference to something else.
func (r *Result) differing(pre, post *unit.Item) []int64 {
	a, b, err := r.cmp.refs(pre, post)
	if err != nil {
		return nil
	}
	var out []int64
	inRef := map[uint64]bool{}
	at := map[uint64]unit.Ref{}
	for _, ref := range a {
		at[ref.Offset] = ref
	}
	for _, ref := range b {
		old, had := at[ref.Offset]
		delete(at, ref.Offset)
		if !had || old.Type != ref.Type || !r.cmp.target(old, ref) {
			out = append(out, int64(ref.Offset))
		}
		for i := range uint64(ref.Field.Size) {
			inRef[ref.Offset+i] = true
		}
	}
	for off, old := range at {
		out = append(out, int64(off))
		for i := range uint64(old.Field.Size) {
			inRef[off+i] = true
		}
	}
	for i := range post.Size() {
		if !inRef[i] && byteAt(pre, i) != byteAt(post, i) {
			out = append(out, int64(i))
		}
	}
	slices.Sort(out)
	return out
}

// byteAt reads a byte of an item; data that is not in the file is zero.
func byteAt(it *unit.Item, i uint64) byte {
	if data := it.Bytes(); i < uint64(len(data)) {
		return data[i]
	}
	return 0
}

// fieldValue writes the value of a field: a number, a string, or what a pointer leads to.
func fieldValue(u *unit.Unit, it *unit.Item, leaf layout.Leaf) string {
	if refs, err := u.Refs(it); err == nil {
		for _, ref := range refs {
			if int64(ref.Offset) == leaf.Offset {
				return refValue(ref)
			}
		}
	}
	if leaf.Size <= 0 || leaf.Size > 8 {
		return fmt.Sprintf("%d bytes", leaf.Size)
	}
	v := uint64(0)
	for i := leaf.Size - 1; i >= 0; i-- {
		v = v<<8 | uint64(byteAt(it, uint64(leaf.Offset+i)))
	}
	if shift := 64 - 8*uint(leaf.Size); leaf.Signed {
		return strconv.FormatInt(int64(v<<shift)>>shift, 10)
	}
	return strconv.FormatUint(v, 10)
}

func refValue(ref unit.Ref) string {
	if ref.To != nil && ref.To.Kind == unit.Literal && ref.To.Section.Strings() && ref.ToOffset >= 0 {
		return quoted(ref.To, uint64(ref.ToOffset))
	}
	if ref.ToOffset != 0 {
		return fmt.Sprintf("%s%+d", ref.Name(), ref.ToOffset)
	}
	return ref.Name()
}

// quoted gives the string that begins at an offset, cut where it is long.
func quoted(it *unit.Item, from uint64) string {
	const longest = 40
	var text []byte
	for i := from; i < it.Size() && byteAt(it, i) != 0; i++ {
		if text = append(text, byteAt(it, i)); len(text) == longest {
			return strconv.Quote(string(text)) + "..."
		}
	}
	return strconv.Quote(string(text))
}
