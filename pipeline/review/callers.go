package review

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"livesplice/kmod/arch"
	"livesplice/kmod/elfobj"
	"livesplice/kmod/link"
	"livesplice/kmod/unit"
	"livesplice/kmod/vmlinux"
)

// Callers is who uses a function that is replaced, as far as the objects at hand tell.
type Callers struct {
	Calls    []Caller // direct calls and jumps
	Pointers []Caller // where its address is kept or computed
	// Whole says that all of the shipped vmlinux was searched, not only the units that were compiled anew. Modules are
	// not, nor what computes the address at run time.
	Whole bool
}

// Caller is a function or datum, and how often it uses the function.
type Caller struct {
	Name  string
	Count int
}

// fromUnits collects the users of a function in the units of the update, of their unpatched versions.
func fromUnits(units []link.Unit, home *unit.Unit, it *unit.Item) *Callers {
	calls, pointers := counter{}, counter{}
	for _, u := range units {
		pre := u.Diff.Pre
		for _, from := range pre.Items {
			if from == it {
				continue
			}
			refs, err := pre.Refs(from)
			if err != nil {
				continue // its unit is refused
			}
			for _, r := range refs {
				same := r.To == it && pre == home || r.External != nil && it.Global() && r.External.Name == it.Name
				switch {
				case !same || r.ToOffset != 0:
				case r.Direct:
					calls.add(from.Name)
				default:
					pointers.add(from.Name)
				}
			}
		}
	}
	return &Callers{Calls: calls.list(), Pointers: pointers.list()}
}

// counter counts uses, and keeps the order in which users came.
type counter struct {
	names []string
	count map[string]int
}

func (c *counter) add(name string) {
	if c.count == nil {
		c.count = map[string]int{}
	}
	if c.count[name] == 0 {
		c.names = append(c.names, name)
	}
	c.count[name]++
}

func (c *counter) list() (out []Caller) {
	for _, name := range c.names {
		out = append(out, Caller{name, c.count[name]})
	}
	return out
}

// image is what is asked of a *vmlinux.Image.
type image interface {
	Sections() []vmlinux.Section
	Bytes(addr, n uint64) ([]byte, bool)
	Covering(addr uint64) (s vmlinux.Symbol, size uint64, ok bool)
}

// fromImage finds the users of functions of an x86-64 vmlinux in all of the shipped image, by address.
func fromImage(im image, addrs []uint64) map[uint64]*Callers {
	machine, err := arch.For(&elfobj.Object{Machine: elf.EM_X86_64})
	if err != nil || len(addrs) == 0 {
		return nil
	}
	s := &search{image: im, arch: machine, calls: map[uint64]*counter{}, pointers: map[uint64]*counter{}}
	for _, a := range addrs {
		s.calls[a], s.pointers[a] = &counter{}, &counter{}
	}
	for _, section := range im.Sections() {
		data, ok := im.Bytes(section.Addr, section.Size)
		switch {
		case !ok:
		case section.Exec:
			s.code(section, data)
		case !strings.HasPrefix(section.Name, ".init"): // what boot code works through: ftrace's list of all functions
			s.data(section, data)
		}
	}
	out := map[uint64]*Callers{}
	for _, a := range addrs {
		out[a] = &Callers{Calls: s.calls[a].list(), Pointers: s.pointers[a].list(), Whole: true}
	}
	return out
}

// search is one pass over the image.
type search struct {
	image           image
	arch            arch.Arch
	calls, pointers map[uint64]*counter
}

// code looks for calls and jumps with a distance of four bytes. Bytes that only look like one are told by decoding the
// function from its start.
func (s *search) code(section vmlinux.Section, data []byte) {
	for i := 0; i+5 <= len(data); i++ {
		long := data[i] == 0x0f && data[i+1]&0xf0 == 0x80 && i+6 <= len(data)
		if data[i] != 0xe8 && data[i] != 0xe9 && !long {
			continue
		}
		length := 5
		if long {
			length = 6
		}
		at := section.Addr + uint64(i)
		target := at + uint64(length) + uint64(int64(int32(binary.LittleEndian.Uint32(data[i+length-4:]))))
		c := s.calls[target]
		if c == nil {
			continue
		}
		if name, ok := s.function(at, target); ok {
			c.add(name)
		}
	}
}

// function names the function that has an instruction at an address; ok is false if none begins there, and within the
// target itself.
func (s *search) function(at, target uint64) (string, bool) {
	sym, size, ok := s.image.Covering(at)
	if !ok || sym.Addr == target {
		return "", false
	}
	code, ok := s.image.Bytes(sym.Addr, size)
	if !ok {
		return "", false
	}
	for off := uint64(0); off < at-sym.Addr; {
		insn, ok := s.arch.Insn(code[off:])
		if !ok || insn.Len == 0 {
			return sym.Name, true // hand-written code that is not known: the distance fits
		}
		if off += uint64(insn.Len); off > at-sym.Addr {
			return "", false
		}
	}
	return sym.Name, true
}

// data looks for pointers: eight bytes, aligned, with the link-time address.
func (s *search) data(section vmlinux.Section, data []byte) {
	first := (8 - section.Addr%8) % 8
	for i := first; i+8 <= uint64(len(data)); i += 8 {
		c := s.pointers[binary.LittleEndian.Uint64(data[i:])]
		if c == nil {
			continue
		}
		name := fmt.Sprintf("%s+%#x", section.Name, i)
		if sym, _, ok := s.image.Covering(section.Addr + i); ok {
			name = sym.Name
		}
		c.add(name)
	}
}

// merge adds users that only the units show: code and data of modules.
func (c *Callers) merge(other *Callers) *Callers {
	add := func(to []Caller, from []Caller) []Caller {
		for _, f := range from {
			if !slices.ContainsFunc(to, func(have Caller) bool { return have.Name == f.Name }) {
				to = append(to, f)
			}
		}
		return to
	}
	c.Calls, c.Pointers = add(c.Calls, other.Calls), add(c.Pointers, other.Pointers)
	return c
}
