package review

import (
	"math/rand"
	"slices"
	"strings"
	"testing"
)

func TestAlign(t *testing.T) {
	for _, tt := range []struct{ name, pre, post, want string }{
		{"equal", "a b c", "a b c", "=a =b =c"},
		{"nothing", "", "", ""},
		{"inserted", "a c", "a b c", "=a +b =c"},
		{"deleted", "a b c", "a c", "=a -b =c"},
		{"changed", "a b c", "a x c", "=a -b +x =c"},
		{"at the beginning", "b c", "a b c", "+a =b =c"},
		{"at the end", "a b", "a b c", "=a =b +c"},
		{"two places", "a b c d e", "a x c d y e", "=a -b +x =c =d +y =e"},
		{"nothing in common", "a b", "x y", "-a -b +x +y"},
		{"repeated", "a a a b", "a a b", "=a =a -a =b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := shown(strings.Fields(tt.pre), strings.Fields(tt.post)); got != tt.want {
				t.Errorf("align(%q, %q) = %q, want %q", tt.pre, tt.post, got, tt.want)
			}
		})
	}
}

func shown(pre, post []string) string {
	var words []string
	for _, p := range align(pre, post) {
		switch {
		case p.post < 0:
			words = append(words, "-"+pre[p.pre])
		case p.pre < 0:
			words = append(words, "+"+post[p.post])
		default:
			words = append(words, "="+pre[p.pre])
		}
	}
	return strings.Join(words, " ")
}

// TestAlignIsSmallest holds the number of edits against the textbook's table, and sees that both sides come out whole.
func TestAlignIsSmallest(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	for range 2000 {
		pre, post := letters(r), letters(r)
		var a, b []string
		edits := 0
		for _, p := range align(pre, post) {
			if p.pre >= 0 {
				a = append(a, pre[p.pre])
			}
			if p.post >= 0 {
				b = append(b, post[p.post])
			}
			if p.pre < 0 || p.post < 0 {
				edits++
			} else if pre[p.pre] != post[p.post] {
				t.Fatalf("align(%v, %v) pairs what differs", pre, post)
			}
		}
		if !slices.Equal(a, pre) || !slices.Equal(b, post) {
			t.Fatalf("align(%v, %v) gives %v and %v", pre, post, a, b)
		}
		if want := len(pre) + len(post) - 2*common(pre, post); edits != want {
			t.Fatalf("align(%v, %v) takes %d edits, %d do", pre, post, edits, want)
		}
	}
}

func letters(r *rand.Rand) []string {
	out := make([]string, r.Intn(14))
	for i := range out {
		out[i] = string(rune('a' + r.Intn(4)))
	}
	return out
}

// common is the length of the longest common subsequence.
func common(a, b []string) int {
	table := make([][]int, len(a)+1)
	table[0] = make([]int, len(b)+1)
	for i := range a {
		table[i+1] = make([]int, len(b)+1)
		for j := range b {
			if table[i+1][j+1] = max(table[i][j+1], table[i+1][j]); a[i] == b[j] {
				table[i+1][j+1] = table[i][j] + 1
			}
		}
	}
	return table[len(a)][len(b)]
}

// TestAlignIsBounded gives up on a smallest difference where it would take too long, and still shows both sides.
func TestAlignIsBounded(t *testing.T) {
	var pre, post []string
	for i := range 20000 {
		pre, post = append(pre, "p"+string(rune(i))), append(post, "q"+string(rune(i)))
	}
	if got := len(align(pre, post)); got != 40000 {
		t.Errorf("%d rows, want 40000", got)
	}
}
