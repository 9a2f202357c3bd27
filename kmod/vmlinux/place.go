package vmlinux

// Object is how livepatch calls the kernel image among the objects that it patches.
const Object = "vmlinux"

// Place is a symbol of the running kernel as livepatch finds it: by object, name and position.
type Place struct {
	Object string `json:"object"` // "vmlinux", or a module as lsmod shows it
	Name   string `json:"name"`   // as the object's symbol table has it
	// SymPos is the 1-based position among the object's symbols of that name, 0 for a unique one; negative when no
	// position is certain.
	SymPos int    `json:"sympos"`
	Addr   uint64 `json:"address"` // in the image of the object: of vmlinux, the link-time address, or a per-CPU offset
}

// At is a Place without its name: two places that are equal in it are the same byte.
type At struct {
	Object string
	Addr   uint64
}

// At is where the place is.
func (p Place) At() At { return At{p.Object, p.Addr} }

// Place gives a symbol of the image as livepatch finds it.
func (im *Image) Place(s Symbol) (Place, bool) {
	return Place{Object: Object, Name: s.Name, SymPos: im.SymPos(s), Addr: s.Addr}, true
}

// Globals are the places that code of the image can mean by a name of another object file.
func (im *Image) Globals(name string) (out []Place) {
	for _, s := range im.Lookup(name) {
		if s.Type >= 'A' && s.Type <= 'Z' {
			p, _ := im.Place(s)
			out = append(out, p)
		}
	}
	return out
}
