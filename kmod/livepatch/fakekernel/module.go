package fakekernel

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"encoding/json"
	"os"

	"livesplice/kmod/livepatch"
)

// Module is what the fake kernel takes for a module: the JSON of this, or an
// ELF file that has it in the section moduleSection and a build-id beside it.
type Module struct {
	Name    string `json:"name"`
	Replace bool   `json:"replace"`
	// Objects are the folders and functions that sysfs shows: "path_openat,1".
	Objects map[string][]string `json:"objects"`
}

const (
	moduleSection  = ".fake"
	buildIDSection = ".note.gnu.build-id"
)

// SetModuleBuildID makes the module of an update on disk, in the folder dir
// below Root, an ELF file with that build-id, and the manifest fit it.
func (k *Kernel) SetModuleBuildID(dir string, m *livepatch.Manifest, buildID string) error {
	image, err := os.ReadFile(k.path(dir + "/" + m.ModuleFile))
	if err != nil {
		return err
	}
	image = elfModule(image, Notes(buildID))
	m.ModuleSHA256 = hash(image)
	data, err := m.Encode()
	if err != nil {
		return err
	}
	return firstOf(k.write(dir+"/"+m.ModuleFile, string(image)), k.write(dir+"/"+livepatch.ManifestName, string(data)))
}

// elfModule returns a relocatable ELF file of three sections.
func elfModule(module, notes []byte) []byte {
	const headerSize, sectionSize = 64, 64
	names := "\x00" + buildIDSection + "\x00" + moduleSection + "\x00.shstrtab\x00"
	content := [][]byte{notes, module, []byte(names)}
	sections := []elf.Section64{{}}
	offset, name := uint64(headerSize), uint32(1)
	for i, typ := range []elf.SectionType{elf.SHT_NOTE, elf.SHT_PROGBITS, elf.SHT_STRTAB} {
		sections = append(sections, elf.Section64{Name: name, Type: uint32(typ), Off: offset, Size: uint64(len(content[i])), Addralign: 1})
		offset += uint64(len(content[i]))
		name += uint32(bytes.IndexByte([]byte(names[name:]), 0)) + 1
	}
	h := elf.Header64{Type: uint16(elf.ET_REL), Machine: uint16(elf.EM_X86_64), Version: 1, Shoff: offset,
		Ehsize: headerSize, Shentsize: sectionSize, Shnum: uint16(len(sections)), Shstrndx: uint16(len(sections) - 1)}
	copy(h.Ident[:], "\x7fELF\x02\x01\x01")
	var b bytes.Buffer
	for _, part := range []any{h, content[0], content[1], content[2], sections} {
		if err := binary.Write(&b, binary.LittleEndian, part); err != nil {
			panic(err) // none for values of a fixed size
		}
	}
	return b.Bytes()
}

// decode returns the module that image is, and its notes.
func decode(image []byte) (m Module, notes []byte, err error) {
	if f, err := elf.NewFile(bytes.NewReader(image)); err == nil {
		if notes, err = f.Section(buildIDSection).Data(); err != nil {
			return m, nil, err
		}
		if image, err = f.Section(moduleSection).Data(); err != nil {
			return m, nil, err
		}
		return m, notes, json.Unmarshal(image, &m)
	}
	return m, nil, json.Unmarshal(image, &m)
}
