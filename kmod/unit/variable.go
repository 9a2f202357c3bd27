package unit

import (
	"cmp"
	"debug/dwarf"
	"errors"
	"fmt"
	"slices"

	"livesplice/kmod/elfobj"
)

// Variable is a variable that lives as long as the kernel, as the source declares it, by the object's DWARF data. One of a function
// that the object does not have may also be automatic: DWARF does not tell once the compiler has dropped it.
type Variable struct {
	Name string
	// Function is the one whose block the source declares it in, wherever that was inlined; "" for file scope.
	Function string
	// Item is where the object has it; nil where the compiler dropped the variable, or keeps it as something else.
	Item *Item
	// Type in short: "int", "struct slot[8]", "*struct foo", "struct" for one without any name.
	Type string
	// Const says that nobody may write to it, by its type; Bool that it is one.
	Const, Bool bool
	// File, as the compiler was given it, and Line of the declaration; "" and 0 if not known.
	File string
	Line int
}

// NoFunction stands for a function whose name the object does not tell, which is not file scope.
const NoFunction = "?"

// ErrNoVariables says that an object has no DWARF data.
var ErrNoVariables = errors.New("no debug information")

// Variables gives the variables of the given names in the order of the DWARF data. It reads all functions, which costs
// milliseconds: ask only where a variable is in question. Errors: ErrNoVariables, or data that cannot be read.
func (u *Unit) Variables(names map[string]bool) (vars []*Variable, err error) {
	defer func() {
		if p := recover(); p != nil { // debug/dwarf on an object that a strange compiler made
			vars, err = nil, fmt.Errorf("debug information: %v", p)
		}
	}()
	s := u.Obj.Section(".debug_info")
	if s == nil || s.Size() == 0 { // or given up by DropDebug
		return nil, ErrNoVariables
	}
	r := &variableReader{unit: u, size: s.Size(), names: names, places: u.placed(), byOffset: map[dwarf.Offset]*Variable{}, functions: map[dwarf.Offset]string{}}
	if r.data, err = u.debugInfo(r.places.base); err != nil {
		return nil, fmt.Errorf("debug information: %w", err)
	}
	if err := r.read(); err != nil {
		return nil, fmt.Errorf("debug information: %w", err)
	}
	if !r.any {
		return nil, ErrNoVariables // compressed, or elsewhere
	}
	r.resolveInstances()
	return r.vars, nil
}

// places are made-up addresses of all sections that are in memory.
type places struct {
	base   map[*elfobj.Section]uint64
	sorted []*elfobj.Section
}

func (u *Unit) placed() places {
	const largest = 1 << 40 // bytes: what a header claims need not be there
	p := places{base: map[*elfobj.Section]uint64{}}
	at := uint64(0x1000)
	for _, s := range u.Obj.Sections {
		if s.Alloc() && s.Size() < largest {
			p.base[s] = at
			p.sorted = append(p.sorted, s)
			at = (at+s.Size()+0xfff)&^0xfff + 0x1000 // a gap, so that the end of one is not the start of the next
		}
	}
	return p
}

// itemAt gives the item that begins at a made-up address, or nil.
func (u *Unit) itemAt(p places, addr uint64) *Item {
	i, found := slices.BinarySearchFunc(p.sorted, addr, func(s *elfobj.Section, a uint64) int { return cmp.Compare(p.base[s], a) })
	if !found {
		i--
	}
	if i < 0 {
		return nil
	}
	s := p.sorted[i]
	if it := u.ItemAt(s, int64(addr-p.base[s])); it != nil && it.Start == addr-p.base[s] {
		return it
	}
	return nil
}

type variableReader struct {
	unit      *Unit
	data      *dwarf.Data
	size      uint64 // of .debug_info
	names     map[string]bool
	places    places
	addresses uint64 // where the compile unit's part of .debug_addr begins
	files     []*dwarf.LineFile
	unread    *dwarf.Entry // compile unit whose files are not read yet
	any       bool         // there is a compile unit
	table     []byte       // .debug_addr, relocated; nil until it is asked for
	vars      []*Variable
	byOffset  map[dwarf.Offset]*Variable
	instances []instance
	functions map[dwarf.Offset]string // names by entry
}

// instance is an entry that says where a variable is that another one declares.
type instance struct {
	origin dwarf.Offset
	item   *Item
}

// read walks compile units, functions and their blocks; nothing else has children that are variables of the source.
func (v *variableReader) read() error {
	r := entriesOf(v.data, v.size)
	var scopes []string // name of the function, by nesting of entries; "" outside of any
	for {
		e, err := r.Next()
		if err != nil || e == nil {
			return err
		}
		scope := ""
		if len(scopes) > 0 {
			scope = scopes[len(scopes)-1]
		}
		switch e.Tag {
		case 0:
			scopes = scopes[:max(len(scopes)-1, 0)]
			continue
		case dwarf.TagCompileUnit:
			scope = ""
			v.unread, v.files, v.any = e, nil, true
			v.addresses = addressesOf(e)
		case dwarf.TagSubprogram:
			scope = v.functionName(e)
		case dwarf.TagLexDwarfBlock:
		case dwarf.TagVariable:
			if err := v.variable(e, scope); err != nil {
				return err
			}
			fallthrough
		default:
			if err := r.skip(e); err != nil {
				return err
			}
			continue
		}
		if e.Children {
			scopes = append(scopes, scope)
		}
	}
}

// functionName follows an entry to the one that names its function.
func (v *variableReader) functionName(e *dwarf.Entry) string {
	if name, known := v.functions[e.Offset]; known {
		return name
	}
	name, _ := v.origin(e).Val(dwarf.AttrName).(string)
	v.functions[e.Offset] = cmp.Or(name, NoFunction)
	return v.functions[e.Offset]
}

// origin gives the entry that another is an instance or the definition of, or itself.
func (v *variableReader) origin(e *dwarf.Entry) *dwarf.Entry {
	for range 8 { // a definition of a declaration of an abstract function needs two
		at, ok := e.Val(dwarf.AttrAbstractOrigin).(dwarf.Offset)
		if !ok {
			at, ok = e.Val(dwarf.AttrSpecification).(dwarf.Offset)
		}
		if _, named := e.Val(dwarf.AttrName).(string); named || !ok {
			return e
		}
		to := v.entry(at)
		if to == nil {
			return e
		}
		e = to
	}
	return e
}

func (v *variableReader) entry(at dwarf.Offset) *dwarf.Entry {
	r := v.data.Reader()
	r.Seek(at)
	e, err := r.Next()
	if err != nil {
		return nil
	}
	return e
}

// variable notes an entry of a variable that may live as long as the kernel.
func (v *variableReader) variable(e *dwarf.Entry, function string) error {
	item, static := v.place(e, function)
	if declaration, _ := e.Val(dwarf.AttrDeclaration).(bool); declaration || !static {
		return nil
	}
	if at, ok := e.Val(dwarf.AttrAbstractOrigin).(dwarf.Offset); ok {
		if item != nil {
			v.instances = append(v.instances, instance{at, item})
		}
		return nil
	}
	from := v.origin(e)
	name, _ := from.Val(dwarf.AttrName).(string)
	if !v.names[name] {
		return nil
	}
	out := &Variable{Name: name, Function: function, Item: item}
	typ, _ := from.Val(dwarf.AttrType).(dwarf.Offset)
	if own, ok := e.Val(dwarf.AttrType).(dwarf.Offset); ok {
		typ = own // int x[] = { 1, 2 }, of which the declaration does not know the size
	}
	v.describe(out, typ)
	v.declared(out, e, from)
	v.vars = append(v.vars, out)
	v.byOffset[e.Offset] = out
	return nil
}

const (
	opAddr  = 0x03 // DW_OP_addr, DWARF 2 to 5
	opAddrx = 0xa1 // DW_OP_addrx, DWARF 5, which clang uses
)

// place gives the item that an entry of a variable is stored in. static is false for what is certainly an automatic variable.
func (v *variableReader) place(e *dwarf.Entry, function string) (item *Item, static bool) {
	at := e.Val(dwarf.AttrLocation)
	if at == nil {
		return nil, true
	}
	code, _ := at.([]byte)
	order := v.unit.Obj.Order()
	switch {
	case len(code) == 9 && code[0] == opAddr:
		return v.unit.itemAt(v.places, order.Uint64(code[1:])), true
	case len(code) >= 2 && len(code) <= 5 && code[0] == opAddrx:
		index := uint64(0)
		for i, b := range code[1:] {
			index |= uint64(b&0x7f) << (7 * i)
			if b&0x80 == 0 && i+2 != len(code) {
				return nil, true // more follows: only a part of it, or its value
			}
		}
		if v.table == nil {
			v.table = v.unit.relocated(v.unit.Obj.Section(".debug_addr"), v.places.base)
		}
		if off := v.addresses + 8*index; off < uint64(len(v.table)) && uint64(len(v.table))-off >= 8 {
			return v.unit.itemAt(v.places, order.Uint64(v.table[off:])), true
		}
		return nil, true
	case len(code) > 0 && (code[0] == opAddr || code[0] == opAddrx):
		return nil, true
	}
	return nil, function == ""
}

// addressesOf is where a compile unit's part of .debug_addr begins.
func addressesOf(unit *dwarf.Entry) uint64 {
	const addrBase, header = dwarf.Attr(0x73), 8 // DW_AT_addr_base; DWARF 5, 7.27
	if at, ok := unit.Val(addrBase).(int64); ok && at >= 0 {
		return uint64(at)
	}
	return header
}

// declared fills in where the variable is declared.
func (v *variableReader) declared(out *Variable, entries ...*dwarf.Entry) {
	for _, e := range entries {
		line, _ := e.Val(dwarf.AttrDeclLine).(int64)
		file, ok := e.Val(dwarf.AttrDeclFile).(int64)
		if !ok || line <= 0 {
			continue
		}
		if v.unread != nil {
			if lr, err := v.data.LineReader(v.unread); err == nil && lr != nil {
				v.files = lr.Files()
			}
			v.unread = nil
		}
		if file >= 0 && int(file) < len(v.files) && v.files[file] != nil {
			out.File, out.Line = v.files[file].Name, int(line)
			return
		}
	}
}

// longestType bounds how many entries make a type: more are a loop, which no compiler makes.
const longestType = 64

// describe fills in the type.
func (v *variableReader) describe(out *Variable, at dwarf.Offset) {
	stars, dims, typedef, isConst := "", "", "", false
	for range longestType {
		e := v.entry(at)
		if at == 0 || e == nil {
			out.Type = stars + "void" + dims
			break
		}
		name, _ := e.Val(dwarf.AttrName).(string)
		next, more := e.Val(dwarf.AttrType).(dwarf.Offset)
		done := false
		switch e.Tag {
		case dwarf.TagConstType:
			isConst = isConst || stars == ""
		case dwarf.TagTypedef:
			typedef = cmp.Or(typedef, name)
		case dwarf.TagVolatileType, dwarf.TagRestrictType, dwarf.TagAtomicType:
		case dwarf.TagArrayType:
			dims += v.dimensions(at)
		case dwarf.TagPointerType:
			stars, typedef = stars+"*", ""
		default:
			encoding, _ := e.Val(dwarf.AttrEncoding).(int64)
			const boolean = 2 // DW_ATE_boolean
			out.Bool = e.Tag == dwarf.TagBaseType && encoding == boolean && stars+dims == ""
			out.Type, done = stars+typeName(e, cmp.Or(name, typedef))+dims, true
		}
		if done {
			break
		}
		if !more {
			next = 0
		}
		at = next
	}
	out.Const = isConst
}

func typeName(e *dwarf.Entry, name string) string {
	kind := map[dwarf.Tag]string{dwarf.TagStructType: "struct", dwarf.TagUnionType: "union", dwarf.TagEnumerationType: "enum", dwarf.TagSubroutineType: "function"}[e.Tag]
	switch {
	case kind == "":
		return name
	case name == "":
		return kind
	}
	return kind + " " + name
}

// dimensions writes how many elements an array has: "[8]".
func (v *variableReader) dimensions(array dwarf.Offset) (text string) {
	const most = 16
	r := entriesOf(v.data, v.size)
	r.Seek(array)
	if e, err := r.Next(); err != nil || e == nil || !e.Children {
		return "[]"
	}
	for range most {
		e, err := r.Next()
		if err != nil || e == nil || e.Tag == 0 {
			break
		}
		if r.skip(e) != nil {
			break
		}
		if n, ok := e.Val(dwarf.AttrCount).(int64); ok {
			text += fmt.Sprintf("[%d]", n)
		} else if n, ok := e.Val(dwarf.AttrUpperBound).(int64); ok {
			text += fmt.Sprintf("[%d]", n+1)
		} else {
			text += "[]"
		}
	}
	return text
}

// resolveInstances gives variables the places that instances of their functions tell: compilers say it there or in the abstract one.
func (v *variableReader) resolveInstances() {
	for _, i := range v.instances {
		if out := v.byOffset[i.origin]; out != nil && out.Item == nil {
			out.Item = i.item
		}
	}
}
