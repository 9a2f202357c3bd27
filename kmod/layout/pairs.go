package layout

import "debug/dwarf"

// pairs compares types of two units and remembers what it found. Types refer to each other in circles and share parts, so
// that a comparison without memory ends never, or after as many steps as there are paths.
//
// A pair that is being compared counts as compatible where it is met again: two circles of types are compatible unless
// something in them differs. What was found on that assumption is forgotten when it turns out wrong.
type pairs struct {
	known   map[pair]bool
	assumed []pair // compatible so far, in the order in which they were met; of the comparison that runs
	depth   int    // of the comparison that runs
	steps   int    // that are left
	members map[*dwarf.StructType][]Member
}

// pair is a type of each unit, without typedefs and qualifiers.
type pair struct {
	a, b dwarf.Type
	// alike says that both have the same typedef, or none: a struct without a name is called by it.
	alike bool
}

// Bounds of a comparison. What is beyond them counts as not compatible, which leads to a refusal; no source of the kernel
// comes near.
const (
	mostPairs   = 1 << 20 // of two units
	deepestPair = 1 << 16 // pairs that stand one in another
	longestType = 1 << 14 // pointers and arrays around one type: see safedwarf.Top
)

func newPairs() *pairs {
	return &pairs{known: map[pair]bool{}, steps: mostPairs, members: map[*dwarf.StructType][]Member{}}
}

// compatible says whether code that takes a value for one of b understands what other code left as one of a: numbers of
// the same size, pointers to the same thing.
func (p *pairs) compatible(a, b dwarf.Type) bool {
	for range longestType {
		alike := typedef(a) == typedef(b)
		a, b = bare(a), bare(b)
		if a == nil || b == nil {
			return a == nil && b == nil
		}
		if number(a) && number(b) {
			return a.Size() == b.Size()
		}
		switch x := a.(type) {
		case *dwarf.PtrType:
			y, ok := b.(*dwarf.PtrType)
			if !ok || bare(x.Type) == nil || bare(y.Type) == nil {
				return ok
			}
			a, b = x.Type, y.Type
		case *dwarf.ArrayType:
			y, ok := b.(*dwarf.ArrayType)
			if !ok || x.Count != y.Count {
				return false
			}
			a, b = x.Type, y.Type
		case *dwarf.StructType:
			y, ok := b.(*dwarf.StructType)
			if !ok || x.Kind != y.Kind {
				return false
			}
			return x.StructName == y.StructName && (x.StructName != "" || alike) || p.compound(pair{x, y, alike})
		case *dwarf.FuncType:
			_, ok := b.(*dwarf.FuncType)
			return ok && p.compound(pair{a: a, b: b})
		case *dwarf.FloatType:
			_, ok := b.(*dwarf.FloatType)
			return ok && a.Size() == b.Size()
		default:
			return name(a) == name(b)
		}
	}
	return false
}

// compound compares what consists of several types.
func (p *pairs) compound(k pair) bool {
	if same, known := p.known[k]; known {
		return same
	}
	if p.steps == 0 || p.depth == deepestPair {
		return false
	}
	p.steps--
	from := len(p.assumed)
	p.assumed = append(p.assumed, k)
	p.known[k] = true
	p.depth++
	same := p.parts(k)
	p.depth--
	if !same {
		for _, other := range p.assumed[from:] {
			delete(p.known, other)
		}
		p.assumed = p.assumed[:from]
		p.known[k] = false
	}
	if p.depth == 0 {
		p.assumed = p.assumed[:0] // proven: nothing that it was assumed on is open
	}
	return same
}

func (p *pairs) parts(k pair) bool {
	switch x := k.a.(type) {
	case *dwarf.StructType:
		y := k.b.(*dwarf.StructType)
		return x.ByteSize == y.ByteSize && p.samePlaces(p.flat(x), p.flat(y)) || p.wraps(x, y) || p.wraps(y, x)
	case *dwarf.FuncType:
		y := k.b.(*dwarf.FuncType)
		if len(x.ParamType) != len(y.ParamType) || !p.compatible(x.ReturnType, y.ReturnType) {
			return false
		}
		for i := range x.ParamType {
			if !p.compatible(x.ParamType[i], y.ParamType[i]) {
				return false
			}
		}
		return true
	}
	return false
}

// flat is flatten, once for each struct.
func (p *pairs) flat(s *dwarf.StructType) []Member {
	members, known := p.members[s]
	if !known {
		members = flatten(s)
		p.members[s] = members
	}
	return members
}

// samePlaces says whether two lists hold compatible members at the same places.
func (p *pairs) samePlaces(a, b []Member) bool {
	if len(a) != len(b) || len(a) >= mostMembers {
		return false
	}
	for i := range a {
		if a[i].place() != b[i].place() || !p.sameType(a[i], b[i]) {
			return false
		}
	}
	return true
}

func (p *pairs) sameType(m, n Member) bool { return p.compatible(m.typ, n.typ) }

// against gives what is remembered of the comparison of two units.
func (u *Unit) against(post *Unit) *pairs {
	if u.pairs == nil || u.other != post {
		u.pairs, u.other = newPairs(), post
	}
	return u.pairs
}
