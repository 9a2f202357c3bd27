package vmlinux

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Layout is the shape of an image's kallsyms tables, as found by structure and not by version.
type Layout struct {
	Addressing Addressing
	NamesFirst bool // the names precede the addresses: 6.12, 7.2; not 5.10, 6.1
	Align      int  // of each table, bytes: 8, or 4 (7.2)
	// SeqsOfNames: the table kallsyms_seqs_of_names is there (6.2, stable releases of 6.1) and orders the symbols by
	// name and then by position in the table. Then livepatch, which counts by it since 6.2, gets the same sympos as by a
	// walk over the whole table. It is false where the kernel sorts and compares names without their ".llvm.<hash>", as
	// 6.1.190 does under CONFIG_LTO_CLANG (5.10, 6.12 and 7.2 do not): there names that differ only in this may count
	// together.
	SeqsOfNames bool
}

func (l Layout) String() string {
	text := l.Addressing.String()
	if l.NamesFirst {
		text += ", names first"
	}
	if l.SeqsOfNames {
		text += ", seqs_of_names"
	}
	return text + fmt.Sprintf(", aligned to %d", l.Align)
}

// maxCandidates bounds the work on a corrupt image. Nothing else in a kernel has the form of a token table.
const maxCandidates = 16

// errNames is the reason that says least about a candidate.
var errNames = errors.New("no names and markers before it that fit each other")

// readKallsyms finds and decodes the tables. They lie in .rodata of all kernels known, but any section with data may
// hold them. A candidate must pass every check.
func (im *Image) readKallsyms() error {
	err := errors.New("no token table in the image: CONFIG_KALLSYMS is off, or the layout is not known")
	candidates := 0
	for _, align := range []int{8, 4} {
		for _, s := range im.sections {
			if s.NoBits {
				continue
			}
			skip := min(-s.Addr&7, s.Size) // to where tables may begin
			data, addr := im.data(s)[skip:], s.Addr+skip
			for from := 0; candidates < maxCandidates; candidates++ {
				tokens, ok := findTokens(data, from, align)
				if !ok {
					break
				}
				from = tokens.end
				e := im.readTables(data, addr, tokens, align)
				if e == nil {
					im.index()
					return nil
				}
				if candidates == 0 || errors.Is(err, errNames) {
					err = fmt.Errorf("token table at %#x: %w", addr+uint64(tokens.start), e)
				}
			}
		}
	}
	return err
}

// readTables decodes all tables around a token table.
func (im *Image) readTables(data []byte, addr uint64, tokens *tokenTable, align int) error {
	names, ok := findNames(data, tokens, align)
	if !ok {
		return errNames
	}
	symbols, err := names.expand(&tokens.tokens)
	if err != nil {
		return err
	}
	low, high := im.span()
	for _, t := range addressTables(data, addr, names, tokens, align) {
		if t.resolve(symbols, low, high) != nil || im.checkLandmarks(symbols) != nil {
			continue
		}
		im.symbols = symbols
		im.Layout = Layout{Addressing: t.how, NamesFirst: t.last, Align: align}
		seqs := names.seqsAt
		if seqs == 0 && t.last {
			seqs = t.end
		}
		im.Layout.SeqsOfNames = seqs != 0 && seqsInOrder(data, seqs, symbols)
		return nil
	}
	return fmt.Errorf("%d symbols: no table of as many addresses that ascend, lie in the image and name _stext, _etext and "+
		"linux_banner rightly", names.count)
}

// span is where symbols may lie: from the lowest section to the end of the highest, and a little more, since linker
// scripts put symbols such as _end behind an alignment. The 0-based per-CPU section does not count.
func (im *Image) span() (low, high uint64) {
	const slack = 2 << 20
	low = 1<<64 - 1
	for _, s := range im.sections {
		if s.Addr >= kernelHalf {
			low = min(low, s.Addr)
			high = max(high, s.Addr+s.Size)
		}
	}
	return low, high + min(slack, 1<<64-1-high)
}

// checkLandmarks holds symbols against what is known of every kernel: _stext to _etext is text, and linux_banner, if the
// table has data symbols, is the banner.
func (im *Image) checkLandmarks(symbols []Symbol) error {
	var start, end, banner *Symbol
	for i := range symbols {
		switch symbols[i].Name {
		case "_stext":
			start = &symbols[i]
		case "_etext":
			end = &symbols[i]
		case "linux_banner":
			banner = &symbols[i]
		}
	}
	if start == nil || end == nil || start.Addr >= end.Addr {
		return errors.New("_stext and _etext are not there in this order")
	}
	if s, ok := im.Section(start.Addr); !ok || !s.Exec {
		return fmt.Errorf("_stext at %#x is in no executable section", start.Addr)
	}
	if banner != nil {
		if text, ok := im.cString(banner.Addr, maxBanner); !ok || !strings.HasPrefix(text, bannerPrefix) {
			return fmt.Errorf("linux_banner at %#x is not %q", banner.Addr, bannerPrefix)
		}
	}
	return nil
}

// seqsInOrder tells whether the 3-byte, big-endian sequence numbers list every symbol by (name, position).
// Source: scripts/kallsyms.c, compare_names, and kernel/kallsyms.c, get_symbol_seq, v6.1, v6.12, v7.2.
func seqsInOrder(data []byte, at int, symbols []Symbol) bool {
	if at+3*len(symbols) > len(data) {
		return false
	}
	before := -1
	for i := range symbols {
		entry := data[at+3*i:]
		seq := int(binary.BigEndian.Uint16(entry))<<8 | int(entry[2])
		if seq >= len(symbols) {
			return false
		}
		if before >= 0 {
			c := strings.Compare(symbols[before].Name, symbols[seq].Name)
			if c > 0 || c == 0 && before >= seq {
				return false
			}
		}
		before = seq
	}
	return true
}

// index makes Lookup constant in time.
func (im *Image) index() {
	im.first = make(map[string]int32, len(im.symbols))
	im.next = make([]int32, len(im.symbols))
	for i := range slices.Backward(im.symbols) {
		name := im.symbols[i].Name
		im.next[i] = -1
		if later, ok := im.first[name]; ok {
			im.next[i] = later
		}
		im.first[name] = int32(i)
	}
}
