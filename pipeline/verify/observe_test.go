package verify

import (
	"slices"
	"testing"

	"livesplice/kmod/livepatch"
)

func TestObjects(t *testing.T) {
	m := &livepatch.Manifest{Objects: []livepatch.Object{{Name: "ext4", Functions: []livepatch.Function{{Name: "b", SymPos: 2}, {Name: "a"}}}}}
	got := Objects(m)
	if len(got) != 1 || got[0].Name != "ext4" || !slices.Equal(got[0].Functions, []string{"a,1", "b,2"}) {
		t.Errorf("got %+v", got)
	}
}

func TestRedirectedLine(t *testing.T) {
	const list = "vfs_open (1) R I     \ttramp: 0xffffffffc0203000 (klp_ftrace_handler+0x0/0x1c0) ->klp_ftrace_handler+0x0/0x1c0\n" +
		"ext4_sync_file [ext4] (1) R I     \ttramp: 0xffffffffc0203000 (klp_ftrace_handler+0x0/0x1c0)\n" +
		"cmdline_proc_show (1)   I   M \ttramp: 0xffffffffc0203000 (klp_ftrace_handler+0x0/0x1c0)\n" +
		"schedule (1)           \ttramp: 0xffffffffc0203000 (function_trace_call+0x0/0x160)\n" +
		"tcp_rcv (2) R   D   \tdirect-->bpf_trampoline_6442+0x0/0x1000\n"
	var got []string
	for _, m := range redirectedLine.FindAllStringSubmatch(list, -1) {
		got = append(got, m[1])
	}
	if want := []string{"vfs_open", "ext4_sync_file [ext4]", "cmdline_proc_show"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
