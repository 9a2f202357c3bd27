package main

// kind is a way to be hostile: a piece of a unit, and patches of it. It defines a function $call(op, arg) that the driver
// calls, by the operations below.
//
// What setup does, old and new code must do alike, and what probe leaves behind too, as far as after reads it: the machine runs
// setup in old code and probe in new, the reference both in new.
type kind struct {
	name   string
	text   string // of the unit
	header string // of a header that the unit includes; "": none
	other  string // of a second translation unit, which includes the header too; "": none
	where  place
	flags  string // of the unit's compilation, as Makefile assignments with @ for its object and % for other's: "CFLAGS_@ = -fno-inline"; "": none

	init  string // statements of the unit's init function; "": none
	exit  string // the same of its exit function
	setup string // operations before the update: "OP ARG; OP ARG"; one with & in front goes on while others follow, and puts out nothing
	probe string // operations after it
	after string // operations after undo; "": those of probe; "-": none
}

// place is what a kind's unit may be.
type place int

const (
	anywhere place = iota + 1
	together       // as anywhere, but other imports from it too: one module at most
	builtin        // part of vmlinux
	modular        // a module
	pair           // a module, with other in a second module that it imports from
)

// kinds are all there are.
var kinds = concat(stateKinds, callbackKinds, constantKinds, ipaKinds, inlineKinds, sectionKinds, symbolKinds, typeKinds, tableKinds, codeKinds, moduleKinds, sleepKinds)

func concat(lists ...[]kind) (all []kind) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}
