package unit

import "strings"

// UbsanLocation is the size in bytes of the struct source_location that begins what a check of UBSAN reports with: the
// source file as the compiler was given it, line and column.
//
// Source: lib/ubsan.h, v5.10 to v7.2.
const UbsanLocation = 16

// UbsanSite says whether an item is what gcc lets one check of UBSAN report with: a variable whose name the assembler
// drops, so that only its section tells. What it says besides its location decides nothing but the report.
func UbsanSite(it *Item) bool {
	return strings.HasPrefix(it.Section.Name, ".data..Lubsan_data") && it.Size() >= UbsanLocation
}
