package arch

// Use says what is done with a special section that is the machine's own.
type Use int

// The uses.
const (
	// Walked is a table: the kernel walks it, and each entry belongs to the code that its first reference names.
	Walked Use = iota + 1
	// Helper is code that entries of a table of alternatives refer to.
	Helper
	// Pool is a section of constants of one size, of which code can be given a copy.
	Pool
)

// Table is the shape of a special section.
type Table struct {
	Use Use
	// Sizes in bytes that an entry has in the kernels that are known; nil where the entries themselves tell.
	Sizes []uint64
	// First is the offset in bytes of an entry's first reference.
	First uint64
	// FromEntry says that PC-relative fields count from the entry's start, not from their own place.
	FromEntry bool
	// Alt tells the replacement code of an alternative; nil for other tables.
	Alt *Alternative
}

// Alternative says where an entry holds the range of its replacement code.
type Alternative struct {
	// Start is the index of the reference that names the first byte; End that of the one that names the byte after the
	// last, or 0.
	Start, End int
	// Len reads the length in bytes from the entry's own bytes when End is 0.
	Len func(entry []byte) uint64
	// Patched reads the length in bytes of the code that is replaced; nil on machines for which no module is linked yet.
	Patched func(entry []byte) uint64
	// Inline says that the replacement code lies in the section of the code that it replaces, behind it.
	Inline bool
}

// walked is a table whose entries begin, on every machine, with the same fields.
var walked = Table{Use: Walked}

func entries(sizes ...uint64) Table { return Table{Use: Walked, Sizes: sizes} }

// lastByte is the length of replacement code that ends an entry.
func lastByte(entry []byte) uint64 { return uint64(entry[len(entry)-1]) }
