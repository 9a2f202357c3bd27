package objtest

import "strings"

// Machine is a compiler and the flags that the kernel's Makefiles give it.
type Machine struct {
	Name     string // as in the names of golden files: want.Name.txt
	Compiler string
	Package  string // of Debian 12
	Binutils string // the package of the machine's linker and readelf
	NoLinker bool   // of the machine in Debian 12
	prefix   string // of their names
	flags    []string
}

// Tool is the machine's program of binutils: ld, readelf.
func (m Machine) Tool(name string) string { return m.prefix + name }

// common are flags that shape an object on every machine, and the two of package rebuild.
//
// Source: Makefile, v6.1.
var common = strings.Fields("-c -O2 -std=gnu11 -fshort-wchar -fno-strict-aliasing -fno-common -fno-PIE -fno-delete-null-pointer-checks " +
	"-fno-stack-protector -fno-asynchronous-unwind-tables -fno-allow-store-data-races -fno-strict-overflow -fno-stack-check " +
	"-fconserve-stack -ffunction-sections -fdata-sections -w")

// The machines. Flags are those of arch/*/Makefile, v6.1.
var (
	X86 = Machine{Name: "x86_64", Compiler: "gcc-12", Package: "gcc-12", Binutils: "binutils", flags: strings.Fields("-mcmodel=kernel -mno-red-zone " +
		"-fcf-protection=none -mno-sse -mno-mmx -mno-80387 -fno-jump-tables -pg -mrecord-mcount -mfentry")}
	AArch64 = Machine{Name: "aarch64", Compiler: "aarch64-linux-gnu-gcc-12", Package: "gcc-12-aarch64-linux-gnu",
		Binutils: "binutils-aarch64-linux-gnu", prefix: "aarch64-linux-gnu-", flags: strings.Fields(
			"-mgeneral-regs-only -mabi=lp64 -mno-outline-atomics -mbranch-protection=pac-ret+leaf -fpatchable-function-entry=2")}
	PPC64LE = Machine{Name: "ppc64le", Compiler: "powerpc64le-linux-gnu-gcc-12", Package: "gcc-12-powerpc64le-linux-gnu",
		Binutils: "binutils-powerpc64le-linux-gnu", prefix: "powerpc64le-linux-gnu-", flags: strings.Fields(
			"-m64 -mlittle-endian -mabi=elfv2 -mcmodel=medium -mno-pointers-to-nested-functions -mno-vsx -mno-altivec -msoft-float -mcpu=power8 " +
				"-mtraceback=no -pg -mprofile-kernel")}
	S390X = Machine{Name: "s390x", Compiler: "s390x-linux-gnu-gcc-12", Package: "gcc-12-s390x-linux-gnu",
		Binutils: "binutils-s390x-linux-gnu", prefix: "s390x-linux-gnu-", flags: strings.Fields(
			"-m64 -march=z13 -msoft-float -mbackchain -fPIE -mindirect-branch=thunk -mfunction-return=thunk -mindirect-branch-table " +
				"-pg -mfentry -mrecord-mcount -mnop-mcount")}
)

// LoongArch64 has no compiler and no linker in Debian 12: there are objects in testdata/compilers. Debian's readelf reads those of
// every machine.
var LoongArch64 = Machine{Name: "loongarch64", Binutils: "binutils", NoLinker: true}

// Machines are all that objects are compiled for.
var Machines = []Machine{X86, AArch64, PPC64LE, S390X}
