package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"livesplice/kmod/klpcore"
)

// readFields is a program for the VM that reads bytes of a loaded module: lines of section, offset and size on its standard input,
// and for each the field's address and its bytes, the lowest last, on its standard output.
const readFields = `my $m = shift; open(my $k, "<:raw", "/proc/kcore") or die "kcore: $!"; my $h;
read($k, $h, 64) == 64 or die; my ($off, $n) = (unpack("Q", substr($h, 32, 8)), unpack("S", substr($h, 56, 2)));
seek($k, $off, 0); my $p; read($k, $p, 56 * $n) == 56 * $n or die;
my @segments = map { my ($type, $fl, $o, $va, $pa, $fs) = unpack("LLQQQQ", substr($p, 56 * $_, 56)); [$va, $fs, $o] } 0 .. $n - 1;
LINE: while (<STDIN>) {
	my ($section, $offset, $size) = split; open(my $s, "<", "/sys/module/$m/sections/$section") or die "$section: $!";
	my $at = hex(<$s>) + $offset; my $d;
	for (@segments) {
		next if $at < $_->[0] || $at - $_->[0] >= $_->[1]; # a sum would no longer be an integer
		seek($k, $_->[2] + ($at - $_->[0]), 0); read($k, $d, $size) == $size or die "read: $!";
		printf "%x %s\n", $at, unpack("H*", scalar reverse $d); next LINE;
	}
	die sprintf("%x is in no segment", $at);
}
`

// prediction is what livesplice said that the kernel would do with an update.
func prediction(t *testing.T, u update) *klpcore.Prediction {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(u.folder, "kernel.json"))
	if err != nil {
		t.Fatal(err)
	}
	p := new(klpcore.Prediction)
	if err := json.Unmarshal(data, p); err != nil {
		t.Fatal(err)
	}
	return p
}

// kallsyms are the addresses of an object's symbols of a name, in the order of its table.
func (g *guest) kallsyms(y klpcore.Symbol) (addrs []uint64) {
	g.t.Helper()
	in := "[" + y.Object + "]"
	for _, line := range strings.Split(g.sh(fmt.Sprintf("grep -F -w -- '%s' /proc/kallsyms", y.Name)), "\n") {
		f := strings.Fields(line)
		if len(f) < 3 || f[2] != y.Name || (len(f) > 3) != (y.Object != "vmlinux") || len(f) > 3 && f[3] != in {
			continue
		}
		addr, err := strconv.ParseUint(f[0], 16, 64)
		if err != nil || addr == 0 {
			g.t.Fatalf("/proc/kallsyms: %s", line)
		}
		addrs = append(addrs, addr)
	}
	return addrs
}

// written holds every field that livepatch fills in against the prediction: those for modules that are not loaded must be empty.
func (g *guest) written(what string, u update, p *klpcore.Prediction, loaded ...string) {
	g.t.Helper()
	there := map[string]bool{"vmlinux": true}
	for _, m := range loaded {
		there[m] = true
	}
	var lines []string
	for _, w := range p.Writes {
		lines = append(lines, fmt.Sprintf("%s %d %d", w.Section, w.Offset, w.Size))
	}
	out := strings.Split(g.sh("perl /root/fields.pl livesplice_"+u.id+" <<'END'\n"+strings.Join(lines, "\n")+"\nEND"), "\n")
	if len(out) != len(lines) {
		g.t.Fatalf("%s: %d fields of %d", what, len(out), len(lines))
	}
	filled := 0
	for i, w := range p.Writes {
		var at, got, want uint64
		if _, err := fmt.Sscanf(out[i], "%x %x", &at, &got); err != nil {
			g.t.Fatalf("%s: %q: %v", what, out[i], err)
		}
		if there[w.Object] {
			addrs := g.kallsyms(w.Symbol)
			if len(addrs) == 0 || w.Symbol.Pos == 0 && len(addrs) > 1 || w.Symbol.Pos > uint64(len(addrs)) {
				g.t.Fatalf("%s: %s: %d in /proc/kallsyms", what, w.Symbol, len(addrs))
			}
			want = addrs[max(w.Symbol.Pos, 1)-1] + uint64(w.Addend)
			if w.Relative {
				want -= at
			}
			want &= 1<<(8*w.Size-1)<<1 - 1
			filled++
		}
		if got != want {
			g.t.Errorf("%s: %s+%#x, to be filled in with %s: %#x, predicted %#x", what, w.Section, w.Offset, w.Object, got, want)
		}
	}
	g.t.Logf("%s: %d of %d fields filled in, as predicted", what, filled, len(p.Writes))
}

// TestModelOfLivepatch holds what the model of the kernel's livepatch core says of updates against what the kernel does:
// with a module to which an update only adds code, in both orders of loading update and module, and with two modules that come and
// go in either order.
func TestModelOfLivepatch(t *testing.T) {
	m := setup(t)
	added, two := m.create(t, patch("new-export-of-module")), m.create(t, "--revision", "2", patch("two-modules"))
	g := boot(t, m, "algif_hash", "brd", "dummy")
	program := filepath.Join(t.TempDir(), "fields.pl")
	if err := os.WriteFile(program, []byte(readFields), 0o644); err != nil {
		t.Fatal(err)
	}
	g.copy(program, "fields.pl")
	patched := func(what string, u update, want string) {
		t.Helper()
		g.expect(what, "cd /sys/kernel/livepatch/livesplice_"+u.id+" && grep -H . */patched", want)
	}
	// bind(2) of an AF_ALG socket runs hash_bind, and through it the function that is new in af_alg.
	const bind = `perl -e 'socket(S, 38, 5, 0) or die "socket: $!"; print bind(S, pack("S a14 L L a64", 38, "hash", 0, 0, "sha256")) ? "bound" : "error " . ($!+0)'`

	p := prediction(t, added)
	g.sh("dpkg -i " + g.copy(m.hostDeb, "splicectl.deb") + " " + g.copy(added.deb, "added.deb"))
	g.patches("installed", added.id)
	for _, round := range []string{"first", "again"} {
		g.written("no module is there, "+round, added, p)
		patched("no module is there, "+round, added, "af_alg/patched:0\nalgif_hash/patched:0")
		g.sh("modprobe af_alg")
		g.written("af_alg alone, "+round, added, p, "af_alg")
		patched("af_alg alone, "+round, added, "af_alg/patched:1\nalgif_hash/patched:0")
		g.sh("modprobe algif_hash")
		g.written("both, "+round, added, p, "af_alg", "algif_hash")
		g.expect("bind, "+round, bind, "bound")
		g.sh("rmmod algif_hash")
		g.written("algif_hash is gone, "+round, added, p, "af_alg")
		g.sh("rmmod af_alg")
	}
	g.quiet("the update first")
	g.sh("modprobe algif_hash && splicectl undo " + added.id)
	g.patches("undone")
	g.expect("bind as shipped", bind, "bound")
	g.sh("splicectl apply " + added.id)
	g.written("the modules first", added, p, "af_alg", "algif_hash")
	patched("the modules first", added, "af_alg/patched:1\nalgif_hash/patched:1")
	g.expect("bind, the modules first", bind, "bound")
	g.expect("status", "splicectl status > /dev/null; echo $?", "0")
	g.quiet("the modules first")

	// The second update replaces the first, an object without functions among what is replaced.
	p = prediction(t, two)
	g.sh("dpkg -i " + g.copy(two.deb, "two.deb"))
	g.patches("replaced", two.id)
	g.written("none of the two", two, p)
	g.expect("bind, replaced", bind, "bound")
	for _, order := range [][2]string{{"brd", "dummy"}, {"dummy", "brd"}} {
		g.sh("modprobe " + order[0])
		g.written(order[0]+" first", two, p, order[0])
		g.sh("modprobe " + order[1])
		g.written(order[1]+" second", two, p, order[0], order[1])
		g.sh("rmmod " + order[0])
		g.written(order[0]+" is gone", two, p, order[1])
		g.sh("rmmod " + order[1])
		g.written("both are gone", two, p)
	}
	g.sh("modprobe brd && dd if=/dev/zero of=/dev/ram0 bs=4096 seek=1 count=1 oflag=direct 2>/dev/null && modprobe dummy && ip link show dummy0 > /dev/null || true")
	g.expect("brd's new code", "dmesg | grep -c 'brd: spliced'", "1")
	g.quiet("two modules")
	g.sh("dpkg -r linux-livesplice-" + m.kernel.Release)
	g.patches("removed")
	g.quiet("after the removal")
}
