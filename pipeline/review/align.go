package review

// maxEdits bounds the search for the smallest difference between two functions: its time and memory grow with the
// square of the number of differing instructions.
const maxEdits = 1500

// pairing is one row of an alignment: positions in pre and post, -1 for a side that has nothing there.
type pairing struct{ pre, post int }

// align pairs two sequences by a smallest set of insertions and deletions. Where more than maxEdits would be needed, all
// between the equal beginning and the equal end counts as replaced.
//
// Source: E. Myers, An O(ND) Difference Algorithm and Its Variations, 1986.
func align(pre, post []string) []pairing {
	var out []pairing
	head := 0
	for head < len(pre) && head < len(post) && pre[head] == post[head] {
		out = append(out, pairing{head, head})
		head++
	}
	tail := 0
	for tail < len(pre)-head && tail < len(post)-head && pre[len(pre)-1-tail] == post[len(post)-1-tail] {
		tail++
	}
	a, b := pre[head:len(pre)-tail], post[head:len(post)-tail]
	for _, p := range shortest(a, b) {
		if p.pre >= 0 {
			p.pre += head
		}
		if p.post >= 0 {
			p.post += head
		}
		out = append(out, p)
	}
	for i := tail; i > 0; i-- {
		out = append(out, pairing{len(pre) - i, len(post) - i})
	}
	return out
}

// shortest is the alignment of two sequences by the greedy forward search.
func shortest(a, b []string) []pairing {
	if len(a) == 0 || len(b) == 0 {
		return unequal(a, b)
	}
	limit := min(len(a)+len(b), maxEdits)
	// trace[d] holds for each diagonal k = x - y of -d, -d+2 ... d the furthest x that d edits reach.
	var trace [][]int32
	for d := 0; d <= limit; d++ {
		row := make([]int32, d+1)
		for i := range row {
			x := furthest(trace, d, i)
			y := x - (2*i - d)
			for x < len(a) && y < len(b) && a[x] == b[y] {
				x, y = x+1, y+1
			}
			row[i] = int32(x)
			if x >= len(a) && y >= len(b) {
				return walkBack(append(trace, row), a, b)
			}
		}
		trace = append(trace, row)
	}
	return unequal(a, b)
}

// furthest is where edit d of diagonal 2*i-d begins: by a deletion from the diagonal below it, or an insertion from the
// one above.
func furthest(trace [][]int32, d, i int) int {
	if d == 0 {
		return 0
	}
	prev := trace[d-1]
	if i == 0 || i < d && prev[i-1] < prev[i] {
		return int(prev[i]) // down: an insertion
	}
	return int(prev[i-1]) + 1
}

// walkBack reads the edits out of a trace, from its end.
func walkBack(trace [][]int32, a, b []string) []pairing {
	var back []pairing
	x, y := len(a), len(b)
	for d := len(trace) - 1; d >= 0; d-- {
		i := (x - y + d) / 2
		fromX := furthest(trace, d, i)
		fromY := fromX - (2*i - d)
		for x > fromX && y > fromY {
			x, y = x-1, y-1
			back = append(back, pairing{x, y})
		}
		if d == 0 {
			break
		}
		if i == 0 || i < d && trace[d-1][i-1] < trace[d-1][i] {
			y--
			back = append(back, pairing{-1, y})
		} else {
			x--
			back = append(back, pairing{x, -1})
		}
	}
	for i, j := 0, len(back)-1; i < j; i, j = i+1, j-1 {
		back[i], back[j] = back[j], back[i]
	}
	return back
}

// unequal is the alignment of two sequences that have nothing in common.
func unequal(a, b []string) []pairing {
	out := make([]pairing, 0, len(a)+len(b))
	for i := range a {
		out = append(out, pairing{i, -1})
	}
	for i := range b {
		out = append(out, pairing{-1, i})
	}
	return out
}
