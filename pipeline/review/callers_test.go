package review

import (
	"encoding/binary"
	"reflect"
	"slices"
	"testing"

	"livesplice/kmod/vmlinux"
)

// fake is an image of a few sections and symbols.
type fake struct {
	sections []vmlinux.Section
	data     map[uint64][]byte // by the address of its section
	symbols  []vmlinux.Symbol  // by address
	end      uint64            // of the last one
}

func (f *fake) Sections() []vmlinux.Section { return f.sections }

func (f *fake) Bytes(addr, n uint64) ([]byte, bool) {
	for start, data := range f.data {
		if addr >= start && addr+n <= start+uint64(len(data)) {
			return data[addr-start:][:n], true
		}
	}
	return nil, false
}

func (f *fake) Covering(addr uint64) (vmlinux.Symbol, uint64, bool) {
	for i := len(f.symbols) - 1; i >= 0; i-- {
		if s := f.symbols[i]; s.Addr <= addr {
			end := f.end
			if i+1 < len(f.symbols) {
				end = f.symbols[i+1].Addr
			}
			return s, end - s.Addr, addr < end
		}
	}
	return vmlinux.Symbol{}, 0, false
}

func (f *fake) add(name string, exec bool, addr uint64, data []byte) {
	f.sections = append(f.sections, vmlinux.Section{Name: name, Addr: addr, Size: uint64(len(data)), Exec: exec})
	f.data[addr] = data
}

// branch is a call or jump at an address to another.
func branch(at, to uint64, op ...byte) []byte {
	return binary.LittleEndian.AppendUint32(slices.Clone(op), uint32(to-at-uint64(len(op))-4))
}

func TestFromImage(t *testing.T) {
	const text, target, rodata, initdata = 0xffffffff81000000, 0xffffffff81000100, 0xffffffff82000000, 0xffffffff83000000
	code := slices.Repeat([]byte{0x90}, 0x200)
	put := func(off uint64, b []byte) { copy(code[off:], b) }
	put(0x00, branch(text+0x00, target, 0xe8))                                // caller: a call,
	put(0x10, branch(text+0x10, target, 0x0f, 0x84))                          // and a conditional jump
	put(0x40, append([]byte{0x48, 0xb8}, branch(text+0x42, target, 0xe8)...)) // lookalike: the number of a movabs
	put(0x80, branch(text+0x80, target+1, 0xe8))                              // beside: calls another place
	put(0x110, branch(text+0x110, target, 0xe9))                              // the function itself
	put(0x180, branch(text+0x180, target, 0xe9))                              // tail: a jump
	f := &fake{data: map[uint64][]byte{}, end: initdata + 0x1000, symbols: []vmlinux.Symbol{{Name: "caller", Addr: text}, {Name: "lookalike", Addr: text + 0x40},
		{Name: "beside", Addr: text + 0x80}, {Name: "target", Addr: target}, {Name: "tail", Addr: text + 0x180}, {Name: "_etext", Addr: text + 0x200}, {Name: "fops", Addr: rodata + 8}}}
	f.add(".text", true, text, code)
	pointers := binary.LittleEndian.AppendUint64(nil, 7)
	pointers = binary.LittleEndian.AppendUint64(pointers, target)
	pointers = binary.LittleEndian.AppendUint64(append(pointers, 1, 2, 3, 4), target) // not aligned: no pointer
	f.add(".rodata", false, rodata, pointers)
	f.add(".init.data", false, initdata, binary.LittleEndian.AppendUint64(nil, target)) // what boot code works through
	got := fromImage(f, []uint64{target})
	want := map[uint64]*Callers{target: {Calls: []Caller{{"caller", 2}, {"tail", 1}}, Pointers: []Caller{{"fops", 1}}, Whole: true}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", *got[target], *want[target])
	}
	merged := got[target].merge(&Callers{Calls: []Caller{{"caller", 1}, {"of_a_module", 3}}})
	if want := []Caller{{"caller", 2}, {"tail", 1}, {"of_a_module", 3}}; !slices.Equal(merged.Calls, want) || !merged.Whole {
		t.Errorf("merged %+v, want %+v", merged.Calls, want)
	}
}
