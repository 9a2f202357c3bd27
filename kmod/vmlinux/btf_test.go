package vmlinux

import (
	"encoding/binary"
	"maps"
	"strings"
	"testing"
)

// testBTF makes .BTF of types that are given as words, the first a name in names.
func testBTF(names string, types ...uint32) []byte {
	var t []byte
	for _, w := range types {
		t = binary.LittleEndian.AppendUint32(t, w)
	}
	h := btfHeader{Magic: 0xeb9f, Version: 1, HdrLen: 24, TypeLen: uint32(len(t)), StrOff: uint32(len(t)), StrLen: uint32(len(names))}
	out, err := binary.Append(nil, binary.LittleEndian, h)
	if err != nil {
		panic(err)
	}
	return append(append(out, t...), names...)
}

const testNames = "\x00int\x00bug_entry\x00jump_entry\x00"

func TestStructSizes(t *testing.T) {
	const (
		kindInt, kindStruct, kindUnion, kindEnum64 = 1 << 24, 4 << 24, 5 << 24, 19 << 24
		intName, bug, jump                         = 1, 5, 15
	)
	integer := []uint32{intName, kindInt, 4, 32}
	member := []uint32{0, 1, 0}
	join := func(parts ...[]uint32) (out []uint32) {
		for _, p := range parts {
			out = append(out, p...)
		}
		return out
	}
	for _, c := range []struct {
		name  string
		types []uint32
		want  map[string]uint32
		err   string
	}{
		{"structs among others", join(integer, []uint32{bug, kindStruct | 2, 12}, member, member, []uint32{jump, kindUnion | 1, 99}, member,
			[]uint32{0, kindEnum64 | 1, 8}, member, []uint32{jump, kindStruct, 16}), map[string]uint32{"bug_entry": 12, "jump_entry": 16}, ""},
		{"one without a tag", join(integer, []uint32{0, kindStruct, 8}), map[string]uint32{}, ""},
		{"twice the same", []uint32{bug, kindStruct, 12, bug, kindStruct, 12}, map[string]uint32{"bug_entry": 12}, ""},
		{"twice, not the same", []uint32{bug, kindStruct, 12, bug, kindStruct, 16, bug, kindStruct, 12}, map[string]uint32{"bug_entry": severalSizes}, ""},
		{"a kind that is not known", []uint32{bug, 20 << 24, 12}, nil, "BTF: type 1: kind 20 is not known"},
		{"members that are not there", join(integer, []uint32{bug, kindStruct | 2, 12}, member), nil, "BTF: type 2: 36 bytes and a name at 0x5 exceed 24 and 26"},
		{"a name that is not there", []uint32{26, kindStruct, 12}, nil, "BTF: type 1: 12 bytes and a name at 0x1a exceed 12 and 26"},
		{"half a type", []uint32{bug, kindStruct}, nil, "BTF: type 1: 8 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := structSizes(testBTF(testNames, c.types...))
			if text := errorText(err); text != c.err || !maps.Equal(got, c.want) {
				t.Errorf("got %v, %q, want %v, %q", got, text, c.want, c.err)
			}
		})
	}
	for _, c := range []struct {
		data []byte
		want string
	}{
		{nil, "BTF: header: "},
		{append([]byte{0, 0}, testBTF("")[2:]...), "BTF: magic 0x0, version 1, "},
		{testBTF("\x00", 1, 1, 1)[:30], "BTF: magic 0xeb9f, version 1, types and names of 12 and 1 bytes in 30"},
	} {
		if _, err := structSizes(c.data); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("got %v, want %s...", err, c.want)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func FuzzStructSizes(f *testing.F) {
	f.Add(testBTF(testNames, 1, 1<<24, 4, 32, 5, 4<<24|1, 12, 0, 1, 0))
	f.Fuzz(func(t *testing.T, btf []byte) {
		sizes, err := structSizes(btf)
		if err == nil && len(sizes) > len(btf)/12 {
			t.Fatalf("%d structs in %d bytes", len(sizes), len(btf))
		}
	})
}
