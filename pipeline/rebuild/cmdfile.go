package rebuild

import (
	"errors"
	"path"
	"strings"
)

// cmdFile is what kbuild keeps of one target in .<target>.cmd: the command, and for a compilation the files that were read.
//
// Source: if_changed, if_changed_dep and if_changed_rule, scripts/Kbuild.include; scripts/basic/fixdep.c; v5.10 to v7.0.
type cmdFile struct {
	Target  string   // as kbuild names it, relative to the build folder: "arch/x86/kvm/../../../virt/kvm/kvm_main.o"
	Command string   // as make would read it
	Fixdep  bool     // it has what fixdep adds: Source and Deps
	Source  string   // that it was made from, "" if it does not say
	Deps    []string // files that were read, Source among them, as the command named them
}

// parseCmdFile reads the text of a .cmd file. The name of the command's variable is cmd_<target>, and savedcmd_<target> since
// Linux 6.3.
func parseCmdFile(text string) (*cmdFile, error) {
	first, _, _ := strings.Cut(strings.TrimLeft(text, "\n"), "\n")
	name, command, ok := strings.Cut(first, " :=")
	target, ok2 := strings.CutPrefix(strings.TrimPrefix(name, "saved"), "cmd_")
	if !ok || !ok2 || target == "" {
		return nil, errors.New("no command at its beginning, want cmd_<target> := and the command")
	}
	c := &cmdFile{Target: target, Command: unmake(strings.TrimSpace(command))}
	c.Fixdep = strings.Contains(text, "\ndeps_"+target+" := ")
	if c.Fixdep {
		c.Source, c.Deps = savedSource(text, target), savedDeps(text, target)
	}
	return c, nil
}

// members are what an archive was made of, by its command: `rm -f A; ar cDPrST A <members>`, or since Linux 5.18
// `rm -f A; printf "<folder>/%s " <members> | xargs ar cDPrST A`. It is empty for an empty archive.
//
// Source: cmd_ar_builtin and cmd_ar, scripts/Makefile.build and scripts/Makefile.lib, v5.10 to v7.0.
func (c *cmdFile) members() []string {
	words := strings.Fields(strings.NewReplacer(";", " ; ", "|", " | ", `"`, "", "'", "").Replace(c.Command))
	prefix, begin := "", -1
	for i, w := range words {
		if w == "printf" && i+1 < len(words) {
			var ok bool
			if prefix, ok = strings.CutSuffix(words[i+1], "%s"); !ok {
				return nil
			}
			begin = i + 2
			break
		}
		if w == c.Target {
			begin = i + 1 // the last time it is ar's
		}
	}
	if begin < 0 {
		return nil
	}
	var list []string
	for _, w := range words[begin:] {
		if w == "|" || w == ";" {
			break
		}
		list = append(list, prefix+w)
	}
	return list
}

// folderTarget is the target whose .cmd file has a path, shortened: "virt/kvm/kvm_main.o" of virt/kvm/.kvm_main.o.cmd; "" for
// another file.
func folderTarget(file string) string {
	dir, base := path.Split(file)
	name, isCmd := strings.CutSuffix(base, ".cmd")
	if name, hidden := strings.CutPrefix(name, "."); isCmd && hidden && name != "" {
		return dir + name
	}
	return ""
}
