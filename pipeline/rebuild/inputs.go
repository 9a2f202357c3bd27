package rebuild

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// makefileInputs finds the files of the source that Makefiles name as what they make others from: `$(srctree)/path`, `$(src)/path`
// or a path from the top. Many rules leave no .cmd file: those by filechk (timeconst.h from kernel/time/timeconst.bc), and those
// that run a command by $(call cmd,...) (security/apparmor makes capability_names.h from include/uapi/linux/capability.h). Only
// Makefiles of folders in which something was made count. The answer gives the Makefiles by the file.
func makefileInputs(source string, folders map[string]bool) (map[string][]string, error) {
	inputs := map[string][]string{}
	for dir := range folders {
		for _, base := range []string{"Makefile", "Kbuild"} {
			makefile := path.Join(dir, base)
			text, err := os.ReadFile(filepath.Join(source, makefile))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, err
			}
			for _, f := range namedFiles(string(text), dir) {
				if st, err := os.Stat(filepath.Join(source, f)); err == nil && st.Mode().IsRegular() && !slices.Contains(inputs[f], makefile) {
					inputs[f] = append(inputs[f], makefile)
				}
			}
		}
	}
	for _, list := range inputs {
		slices.Sort(list)
	}
	return inputs, nil
}

// namedFiles are the paths in a Makefile's text, relative to the source folder. What is given to the compiler, and objects, are
// not among them.
func namedFiles(text, dir string) []string {
	var list []string
	in := strings.NewReplacer("$(srctree)/$(src)/", " "+dir+"/", "$(srctree)/", " ", "$(src)/", " "+dir+"/")
	for _, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "#") || strings.Contains(line, "-include") || strings.HasPrefix(line, "include ") {
			continue
		}
		for _, w := range strings.FieldsFunc(in.Replace(line), func(r rune) bool { return !pathRune(r) }) {
			if !strings.Contains(w, "/") || path.Ext(w) == "" || path.Ext(w) == ".o" || strings.HasPrefix(w, "/") {
				continue
			}
			if w = path.Clean(w); filepath.IsLocal(w) {
				list = append(list, w)
			}
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func pathRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-+./", r)
}
