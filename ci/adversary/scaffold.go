package main

import (
	"embed"
	"fmt"
	"strings"
)

//go:embed scaffold
var scaffold embed.FS

// folder is the scaffold's place in the kernel's source.
const folder = "adversary"

// driverFiles are what all scaffolds have.
func driverFiles() map[string]string {
	files := map[string]string{}
	for _, name := range []string{"adversary.h", "driver.c"} {
		text, err := scaffold.ReadFile("scaffold/" + name)
		if err != nil {
			panic(err) // it is part of the program
		}
		files[name] = string(text)
	}
	return files
}

// scaffoldFiles are a scaffold's files before any patch, by their names in its folder.
func scaffoldFiles(units []*unit) map[string]string {
	files := driverFiles()
	makefile := "# The units of the campaign, and what drives them.\nobj-y += driver.o\n"
	for _, u := range units {
		for name, text := range u.files(u.draws(nil, nil)) {
			files[name] = text
		}
		makefile += u.makefile()
	}
	files["Makefile"] = makefile
	return files
}

func (u *unit) hasOther() bool {
	for _, p := range u.parts {
		if p.kind.other != "" {
			return true
		}
	}
	return false
}

// modules are the unit's modules, those that others need first.
func (u *unit) modules() []string {
	switch {
	case u.form == inKernel:
		return nil
	case u.form == twoModule:
		return []string{u.name + "_b", u.name}
	case u.hasOther():
		return []string{u.name + "m"}
	}
	return []string{u.name}
}

func (u *unit) makefile() string {
	var b strings.Builder
	objects := u.name + ".o"
	if u.hasOther() {
		objects += " " + u.name + "_b.o"
	}
	switch {
	case u.form == inKernel:
		fmt.Fprintf(&b, "obj-y += %s\n", objects)
	case u.form == oneModule && u.hasOther():
		fmt.Fprintf(&b, "obj-m += %[1]sm.o\n%[1]sm-y := %[2]s\n", u.name, objects)
	default:
		fmt.Fprintf(&b, "obj-m += %s\n", objects)
	}
	for _, p := range u.parts {
		if p.kind.flags != "" {
			fmt.Fprintln(&b, strings.NewReplacer("@", u.name+".o", "%", u.name+"_b.o").Replace(p.kind.flags))
		}
	}
	return b.String()
}

// files are the unit's source as draws have it, one for each part.
func (u *unit) files(draws []*draw) map[string]string {
	var header, main, other, call, init, exit strings.Builder
	fmt.Fprintf(&header, "/* SPDX-License-Identifier: GPL-2.0 */\n#include \"adversary.h\"\n")
	if u.form == twoModule {
		header.WriteString("#define ADV_EXPORT(x) EXPORT_SYMBOL_GPL(x)\n")
	} else {
		header.WriteString("#define ADV_EXPORT(x)\n")
	}
	for _, b := range []*strings.Builder{&main, &other} {
		fmt.Fprintf(b, "// SPDX-License-Identifier: GPL-2.0\n#include \"%s.h\"\n", u.name)
	}
	for i, p := range u.parts {
		d := draws[i]
		header.WriteString(d.text(p.header))
		fmt.Fprintf(&main, "\n/* %s */\n%s", p.kind.name, strings.TrimPrefix(d.text(p.text), "\n"))
		if p.kind.other != "" {
			fmt.Fprintf(&other, "\n/* %s */\n%s", p.kind.name, strings.TrimPrefix(d.text(p.other), "\n"))
		}
		fmt.Fprintf(&call, "\tcase %d:\n\t\t%scall(op %% 100, arg);\n\t\tbreak;\n", i, d.prefix)
		if p.kind.init != "" {
			fmt.Fprintf(&init, "\t%s\n", d.text(p.init))
		}
		if p.kind.exit != "" {
			fmt.Fprintf(&exit, "\t%s\n", d.text(p.exit))
		}
	}
	fmt.Fprintf(&main, `
static void %[1]s_call(unsigned int op, long arg)
{
	switch (op / 100) {
%[2]s	}
}

static struct adv_unit %[1]s_unit = { .name = "%[1]s", .call = %[1]s_call, .owner = THIS_MODULE };

static int __init %[1]s_init(void)
{
%[3]s	adv_register(&%[1]s_unit);
	return 0;
}
module_init(%[1]s_init);

static void __exit %[1]s_exit(void)
{
%[4]s	adv_unregister(&%[1]s_unit);
}
module_exit(%[1]s_exit);

MODULE_LICENSE("GPL");
`, u.name, call.String(), init.String(), exit.String())
	files := map[string]string{u.name + ".h": header.String(), u.name + ".c": main.String()}
	if u.hasOther() {
		if u.form == twoModule {
			other.WriteString("\nMODULE_LICENSE(\"GPL\");\n")
		}
		files[u.name+"_b.c"] = other.String()
	}
	return files
}
