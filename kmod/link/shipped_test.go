package link_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"livesplice/ci/archive"
	"livesplice/kmod/diff"
	"livesplice/kmod/elfobj"
	"livesplice/kmod/link"
	"livesplice/kmod/match"
	"livesplice/kmod/module"
	"livesplice/kmod/vmlinux"
	"livesplice/pipeline/cache"
	"livesplice/pipeline/rebuild"
	"livesplice/pipeline/source"
	"livesplice/pkgfmt"
)

// kernel is the newest Debian 12 kernel of the archive, ready for compiling.
type kernel struct {
	tree *rebuild.Tree
	src  *source.Tree
	link.Kernel
	image *vmlinux.Image
	ext4  *module.Linked
}

var shippedKernel = sync.OnceValues(func() (*kernel, error) { return openKernel() })

func openKernel() (*kernel, error) {
	ctx := background
	kernels, err := archive.Kernels(ctx, "6.1")
	if err != nil {
		return nil, err
	}
	files, err := kernels[len(kernels)-1].Fetch(ctx)
	if err != nil {
		return nil, err
	}
	c, err := cache.Open("")
	if err != nil {
		return nil, err
	}
	k := &kernel{}
	if k.src, err = source.Open(ctx, c, files.Source); err != nil {
		return nil, err
	}
	shipped, err := pkgfmt.OpenKernel(ctx, c, []string{files.Image, files.Headers, files.HeadersCommon})
	if err != nil {
		return nil, err
	}
	if k.tree, err = rebuild.Prepare(ctx, c, k.src, shipped, rebuild.Options{}); err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(shipped.Vmlinux)
	if err != nil {
		return nil, err
	}
	if k.image, err = vmlinux.Parse(raw); err != nil {
		return nil, err
	}
	f, err := os.Open(shipped.Symvers)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	k.Kernel = link.Kernel{Run: k.image, Export: k.image.Export, Release: shipped.Release}
	if k.Symvers, err = vmlinux.ParseSymvers(f); err != nil {
		return nil, err
	}
	k.Modules = map[string]*module.Image{}
	open := func(name string) (*module.Image, error) {
		path, err := shipped.Module(ctx, name)
		if err != nil {
			return nil, err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		k.Modules[name], err = module.Parse(data)
		return k.Modules[name], err
	}
	ext4, err := open("ext4")
	if err != nil {
		return nil, err
	}
	k.ext4, err = module.Link(ext4, k.image, k.Symvers, open)
	return k, err
}

// edits are changes to the shipped source, by file: pairs of old and new text.
type edits map[string][]string

// change carries what a module can carry: functions with same-named static ones around them (load_elf_binary, padzero),
// a cold part (elf_map), entries of every table, a tracepoint's static key and call, new variables of each kind, and a
// new function that another unit calls.
var change = edits{
	"fs/binfmt_elf.c": {
		"static unsigned long elf_map(struct file *filep, unsigned long addr,\n\t\tconst struct elf_phdr *eppnt, int prot, int type,\n\t\tunsigned long total_size)\n{", `
static int livesplice_first = 11, livesplice_second = 11;
static DEFINE_PER_CPU(int, livesplice_here);
static struct { long a; char b[56]; } livesplice_line __aligned(64) = { 5 };
int livesplice_count(int n);
noinline int livesplice_count(int n)
{
	static int total;

	this_cpu_inc(livesplice_here);
	total += n;
	livesplice_first += n;
	livesplice_second -= n;
	livesplice_line.a ^= (unsigned long)&livesplice_first ^ (unsigned long)&livesplice_second ^ (unsigned long)&livesplice_line;
	WARN_ON_ONCE(total < 0);
	return total;
}

static unsigned long elf_map(struct file *filep, unsigned long addr,
		const struct elf_phdr *eppnt, int prot, int type,
		unsigned long total_size)
{
	livesplice_count(2);`,
		"static int load_elf_binary(struct linux_binprm *bprm)\n{", "static int load_elf_binary(struct linux_binprm *bprm)\n{\n\tlivesplice_count(3);",
	},
	"fs/readdir.c": {
		"static bool filldir64(struct dir_context *ctx,", "int livesplice_count(int n);\nstatic bool filldir64(struct dir_context *ctx,",
		"\tint reclen = ALIGN(offsetof(struct linux_dirent64, d_name) + namlen + 1,\n\t\tsizeof(u64));\n\tint prev_reclen;",
		"\tint reclen = ALIGN(offsetof(struct linux_dirent64, d_name) + namlen + 1,\n\t\tsizeof(u64));\n\tint prev_reclen = livesplice_count(4);",
	},
	"fs/exec.c": {"\taudit_bprm(bprm);\n", "\tif (bprm->argc > 1000000)\n\t\tset_task_comm(current, \"spliced\");\n\taudit_bprm(bprm);\n"},
}

// moduleChange is for ext4 and vmlinux: tracepoints of the module, a function of its own, one that it imports from jbd2.
var moduleChange = edits{
	"fs/ext4/namei.c": {"static int ext4_unlink(struct inode *dir, struct dentry *dentry)\n{\n\tint retval;\n", `static int ext4_unlink(struct inode *dir, struct dentry *dentry)
{
	int retval = dentry->d_name.len == 77 ? jbd2_journal_stop(NULL) : 0;
`},
	"fs/exec.c": change["fs/exec.c"],
}

// made is a finished module with what it was made of.
type made struct {
	k      *kernel
	units  []link.Unit
	plan   *link.Plan
	linked []byte // as kbuild left it
	ko     []byte
}

// make goes through the stages of an update, up to the module.
func (k *kernel) make(e edits) (*made, error) {
	files, order := map[string][]byte{}, []string{}
	for _, f := range []string{"fs/binfmt_elf.c", "fs/exec.c", "fs/readdir.c", "mm/usercopy.c", "fs/d_path.c", "fs/ext4/namei.c"} {
		if e[f] == nil {
			continue
		}
		text, err := os.ReadFile(filepath.Join(k.src.Dir, f))
		if err != nil {
			return nil, err
		}
		s := string(text)
		for i := 0; i < len(e[f]); i += 2 {
			if strings.Count(s, e[f][i]) != 1 {
				return nil, fmt.Errorf("%s has %d times %q", f, strings.Count(s, e[f][i]), e[f][i])
			}
			s = strings.Replace(s, e[f][i], e[f][i+1], 1)
		}
		files[f], order = []byte(s), append(order, f)
	}
	m := &made{k: k}
	for i, f := range order {
		u, err := k.unit(strings.TrimSuffix(f, ".c")+".o", files, i)
		if err != nil {
			return nil, err
		}
		m.units = append(m.units, u)
	}
	return m, m.link()
}

// unit compiles, compares, matches and extracts one unit.
func (k *kernel) unit(object string, files map[string][]byte, i int) (u link.Unit, err error) {
	u.Target = vmlinux.Object
	var run match.Run = k.image
	names := diff.Names{Prefix: fmt.Sprintf("u%d", i)}
	if strings.HasPrefix(object, "fs/ext4/") {
		u.Target, run = "ext4", k.ext4
		names.Late = func(name string) bool { _, exported := k.image.Export(name); return !exported }
	}
	var objs [2]*elfobj.Object
	name := ""
	for j, f := range []map[string][]byte{nil, files} {
		o, err := k.tree.Compile(background, object, f)
		if err != nil {
			return u, err
		}
		data, err := os.ReadFile(o.Path)
		if err != nil {
			return u, err
		}
		if objs[j], err = elfobj.Read(data); err != nil {
			return u, err
		}
		name = o.Source
	}
	if u.Diff, err = diff.Compare(name, objs[0], objs[1], diff.Options{Module: names.Late != nil}); err != nil {
		return u, err
	}
	if len(u.Diff.Refusals) > 0 {
		return u, u.Diff.Refusals
	}
	if u.Extract, err = u.Diff.Extract(names); err != nil {
		return u, err
	}
	u.Match, err = match.Match(name, u.Diff.Pre, run)
	return u, err
}

const moduleName = "livesplice_test"

func (m *made) link() (err error) {
	if m.plan, err = link.NewPlan(moduleName, m.units); err != nil {
		return err
	}
	if err := m.plan.ForgetUnloaded(m.k.image); err != nil {
		return err
	}
	files, err := m.plan.Sources("test", m.k.Release, "test of the module's makers", true)
	if err != nil {
		return err
	}
	for i, u := range m.units {
		if files[fmt.Sprintf("u%d.o", i)], err = u.Extract.Obj.Write(); err != nil {
			return err
		}
	}
	built, err := m.k.tree.BuildModule(background, moduleName, files, "KCFLAGS=-g0")
	if err != nil {
		return err
	}
	m.linked = built.KO
	ko, err := elfobj.Read(built.KO)
	if err != nil {
		return err
	}
	if err := link.Convert(ko, m.plan, m.k.exported); err != nil {
		return err
	}
	m.ko, err = ko.Write()
	return err
}

func (k *kernel) exported(name string) (uint64, bool) {
	e, ok := k.Export(name)
	return e.Addr, ok && e.Namespace == ""
}

var shippedModule = sync.OnceValues(func() (*made, error) {
	k, err := shippedKernel()
	if err != nil {
		return nil, err
	}
	return k.make(change)
})

func finished(t *testing.T) *made {
	t.Helper()
	m, err := shippedModule()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestFinishedModule makes a module that carries one of each and verifies it.
func TestFinishedModule(t *testing.T) {
	m := finished(t)
	if err := link.Verify(m.ko, m.units, m.k.Kernel); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range m.plan.Splices {
		got = append(got, fmt.Sprintf("%s,%d", s.Place.Name, s.Place.SymPos))
	}
	if want := "elf_map,0 load_elf_binary,1 bprm_execve,0 filldir64,0"; strings.Join(got, " ") != want {
		t.Errorf("splices %s, want %s", strings.Join(got, " "), want)
	}
	for name, want := range map[string]int{"elf_load": 1, "padzero": 1} {
		found := false
		for _, b := range m.plan.Symbols {
			if b.Name == name {
				if found = true; b.SymPos != want {
					t.Errorf("%s at position %d, want %d", name, b.SymPos, want)
				}
			}
		}
		if !found {
			t.Errorf("the module does not need %s", name)
		}
	}
}

// TestRefusedByTheKernel refuses what only the shipped kernel shows to be unsafe.
func TestRefusedByTheKernel(t *testing.T) {
	k, err := shippedKernel()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, want string
		edits      edits
	}{
		{"a branch on a static key that is read-only after boot",
			"it branches on the static key bypass_usercopy_checks, which is read-only after boot", edits{"mm/usercopy.c": {
				"\tif (static_branch_unlikely(&bypass_usercopy_checks))\n\t\treturn;\n", "\tif (static_branch_unlikely(&bypass_usercopy_checks) || n == 77777)\n\t\treturn;\n"}}},
		{"a new per-CPU variable that begins with an address", "livesplice_pointer: it is a new per-CPU variable that begins with an address in it", edits{"fs/exec.c": {
			"static int exec_binprm(struct linux_binprm *bprm)\n{", "static int livesplice_pointed;\nstatic DEFINE_PER_CPU(int *, livesplice_pointer) = &livesplice_pointed;\n\nstatic int exec_binprm(struct linux_binprm *bprm)\n{",
			"\taudit_bprm(bprm);\n", "\t(*this_cpu_read(livesplice_pointer))++;\n\taudit_bprm(bprm);\n"}}},
		{"a global function that moved to another unit", "it moved to fs/readdir.c", edits{
			"fs/d_path.c":  {"char *simple_dname(struct dentry *dentry, char *buffer, int buflen)\n{", "static noinline __used char *simple_dname_old(struct dentry *dentry, char *buffer, int buflen)\n{"},
			"fs/readdir.c": {"int iterate_dir(", "char *simple_dname(struct dentry *dentry, char *buffer, int buflen) { return buffer + buflen; }\nint iterate_dir("},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := k.make(c.edits)
			var refused diff.Refusals
			if !errors.As(err, &refused) || len(refused) != 1 || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}
