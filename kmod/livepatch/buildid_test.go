package livepatch

import (
	"encoding/binary"
	"strings"
	"testing"
)

// note returns one ELF note in the machine's byte order.
func note(typ uint32, name string, desc []byte) []byte {
	b := binary.NativeEndian.AppendUint32(nil, uint32(len(name)))
	b = binary.NativeEndian.AppendUint32(b, uint32(len(desc)))
	b = binary.NativeEndian.AppendUint32(b, typ)
	b = append(b, name...)
	b = append(b, make([]byte, (4-len(name)%4)%4)...)
	b = append(b, desc...)
	return append(b, make([]byte, (4-len(desc)%4)%4)...)
}

func TestParseBuildID(t *testing.T) {
	id := []byte{0xfa, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 0x13}
	join := func(notes ...[]byte) []byte {
		var b []byte
		for _, n := range notes {
			b = append(b, n...)
		}
		return b
	}
	tests := []struct {
		name  string
		notes []byte
		want  string
		err   string
	}{
		{"alone", note(3, "GNU\x00", id), "fa0102030405060708090a0b0c0d0e0f10111213", ""},
		{"after others", join(note(6, "Xen\x00", []byte("x")), note(0x101, "Linux\x00", nil), note(3, "GNU\x00", id)), "fa0102030405060708090a0b0c0d0e0f10111213", ""},
		{"type 3 of another owner", join(note(3, "Xen\x00", id), note(3, "GNU\x00", id[:8])), "fa01020304050607", ""},
		{"last padding missing", note(3, "GNU\x00", id[:9])[:12+4+9], "fa0102030405060708", ""},
		{"none", note(6, "Xen\x00", []byte("x")), "", "no GNU build-id among them"},
		{"empty", nil, "", "no GNU build-id among them"},
		{"header cut", note(3, "GNU\x00", id)[:11], "", "offset 0: 11 bytes are left, a note has at least 12"},
		{"description cut", note(3, "GNU\x00", id)[:30], "", "offset 0: a name of 4 and a description of 20 bytes, 18 bytes are left"},
		{"sizes that wrap around", join(note(6, "Xen\x00", []byte("abcd")), []byte(strings.Repeat("\xff", 12))), "", "offset 20: a name of 4294967295"},
		{"too short an id", note(3, "GNU\x00", id[:4]), "", "a build-id of 4 bytes, expected 8 to 64"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseBuildID(tt.notes)
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if (err == nil) != (tt.err == "") || (err != nil && !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
		})
	}
}

func FuzzParseBuildID(f *testing.F) {
	f.Add(note(3, "GNU\x00", make([]byte, 20)))
	f.Add(append(note(6, "Xen\x00", []byte("x")), note(3, "GNU\x00", make([]byte, 20))...))
	f.Add([]byte(strings.Repeat("\xff", 24)))
	f.Fuzz(func(t *testing.T, notes []byte) {
		id, err := ParseBuildID(notes)
		if err == nil && !buildIDPattern.MatchString(id) {
			t.Errorf("accepted %q", id)
		}
	})
}
