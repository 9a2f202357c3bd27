package kconfig

import "strings"

// Unmet is one thing that stands in the way of splicing a kernel, or that the user should know.
type Unmet struct {
	Option string `json:"option"` // "CONFIG_LIVEPATCH"; two with " or " between them where either will do
	Want   string `json:"want"`   // "y", "n"
	Have   string `json:"have"`
	Why    string `json:"why"`
	Remedy string `json:"remedy"`
	Level  Level  `json:"level"`
}

// Level says what an Unmet means.
type Level string

// Levels.
const (
	Refused Level = "refused" // create stops
	Note    Level = "note"    // create goes on
)

// requirement is one row of the table: an Unmet results unless one of the options is (or none is) enabled.
type requirement struct {
	options []string // without CONFIG_; any of them will do for "y", none may be set for "n"
	want    string   // "y" or "n"
	why     string
	remedy  string // "" for: another kernel build, with the options as wanted
	level   Level
}

// requirements holds for Linux 5.10 on, x86_64, the livepatch engine.
// Sources: kernel/livepatch/Kconfig, arch/x86/Kconfig, kernel/module/Kconfig, security/Kconfig.hardening,
// security/lockdown/Kconfig, v6.1.
var requirements = []requirement{
	{[]string{"X86_64"}, "y", "only 64-bit x86 kernels are supported", "give a kernel of that architecture", Refused},
	{[]string{"MODULES"}, "y", "an update is a kernel module", "", Refused},
	{[]string{"LIVEPATCH"}, "y", "the kernel switches to the new functions by livepatch", "", Refused},
	{[]string{"DYNAMIC_FTRACE_WITH_REGS", "DYNAMIC_FTRACE_WITH_ARGS"}, "y", "livepatch redirects calls through ftrace", "", Refused},
	{[]string{"SYSFS"}, "y", "an update is switched and watched in /sys/kernel/livepatch", "", Refused},
	{[]string{"KALLSYMS"}, "y", "the kernel finds the functions to replace by name", "", Refused},
	{[]string{"KALLSYMS_ALL"}, "y", "new code refers to data of the kernel by name", "", Refused},
	{[]string{"TRIM_UNUSED_KSYMS"}, "n", "symbols that new code needs may not be exported any more", "", Refused},
	{[]string{"RANDSTRUCT", "RANDSTRUCT_FULL", "RANDSTRUCT_PERFORMANCE", "GCC_PLUGIN_RANDSTRUCT"}, "n", "the layout of structures depends on a seed that is not published", "", Refused},
	{[]string{"GCC_PLUGIN_LATENT_ENTROPY"}, "n", "the plugin puts random numbers into the code: no rebuilt object equals the shipped one", "", Refused},
	{[]string{"GCC_PLUGIN_STRUCTLEAK", "GCC_PLUGIN_STACKLEAK", "GCC_PLUGIN_SANCOV", "GCC_PLUGIN_CYC_COMPLEXITY"}, "n", "compiler plugins change the code in ways that are not supported", "", Refused},
	{[]string{"LTO_CLANG", "LTO_CLANG_FULL", "LTO_CLANG_THIN"}, "n", "objects hold bitcode, not machine code", "", Refused},
	{[]string{"CFI_CLANG"}, "n", "each function has a type hash before its entry, which is not supported", "", Refused},

	{[]string{"MODULE_UNLOAD"}, "y", "an update that was undone stays in memory until the next boot", "", Note},
	{[]string{"UNWINDER_ORC", "UNWINDER_FRAME_POINTER"}, "y", "stacks cannot be checked: a switch takes until every task has left the kernel once", "", Note},
	{[]string{"MODULE_SIG_FORCE"}, "n", "the kernel loads only modules signed with a key that it trusts", "sign the update with such a key: --sign-key and --sign-cert", Note},
	{[]string{"LOCK_DOWN_KERNEL_FORCE_INTEGRITY", "LOCK_DOWN_KERNEL_FORCE_CONFIDENTIALITY"}, "n", "a locked-down kernel loads only modules signed with a key that it trusts", "sign the update with such a key: --sign-key and --sign-cert", Note},
	{[]string{"LOCK_DOWN_IN_EFI_SECURE_BOOT"}, "n", "machines that start by Secure Boot load only modules signed with a key that the kernel trusts", "for them sign the update with such a key: --sign-key and --sign-cert", Note},
}

// oldest is the first release whose livepatch and kallsyms are known to this project.
const oldestMajor, oldestMinor = 5, 10

// Requirements lists what this kernel lacks, refusals first.
func Requirements(c *Config, r Release) []Unmet {
	var unmet []Unmet
	if !r.AtLeast(oldestMajor, oldestMinor) {
		unmet = append(unmet, Unmet{
			Option: "release", Want: "5.10 or later", Have: r.Text, Level: Refused,
			Why: "livepatch of older kernels is not supported", Remedy: "give a later kernel",
		})
	}
	for _, req := range requirements {
		if u, ok := req.check(c); !ok {
			unmet = append(unmet, u)
		}
	}
	return unmet
}

func (req *requirement) check(c *Config) (u Unmet, ok bool) {
	named := make([]string, len(req.options))
	for i, name := range req.options {
		named[i] = prefix + name
		if !c.Enabled(name) {
			continue
		}
		if req.want == "y" {
			return Unmet{}, true
		}
		return req.unmet(named[i], c.Get(name)), false
	}
	if req.want == "n" {
		return Unmet{}, true
	}
	return req.unmet(strings.Join(named, " or "), "n"), false
}

func (req *requirement) unmet(option, have string) Unmet {
	u := Unmet{Option: option, Want: req.want, Have: have, Why: req.why, Remedy: req.remedy, Level: req.level}
	if u.Remedy == "" {
		u.Remedy = "build the kernel with " + option + "=" + req.want
	}
	return u
}
