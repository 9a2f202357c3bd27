package unit

// InsnRefs calls visit for each reference of an item's code, in order, with the bytes of the instruction that it is in; atEnd says
// that its field ends the instruction. It ends where code cannot be decoded. The error is that of Refs.
func (u *Unit) InsnRefs(it *Item, visit func(ref Ref, code []byte, atEnd bool)) error {
	return u.InsnFields(it, func(ref Ref, code []byte, field uint64) {
		visit(ref, code, field+uint64(ref.Field.Size) == uint64(len(code)))
	})
}

// InsnFields is InsnRefs with the place of the field, in bytes from the start of the instruction.
func (u *Unit) InsnFields(it *Item, visit func(ref Ref, code []byte, field uint64)) error {
	refs, err := u.Refs(it)
	if err != nil {
		return err
	}
	code := it.Bytes()
	for at := 0; at < len(code) && len(refs) > 0; {
		insn, ok := u.Arch.Insn(code[at:])
		if !ok {
			return nil
		}
		next := at + insn.Len
		for len(refs) > 0 && refs[0].Offset < uint64(next) {
			if ref := refs[0]; ref.Offset >= uint64(at) {
				visit(ref, code[at:next], ref.Offset-uint64(at))
			}
			refs = refs[1:]
		}
		at = next
	}
	return nil
}
