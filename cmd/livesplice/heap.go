package main

import (
	"math"
	"runtime/debug"
)

// heapBound is where the garbage collector runs more often instead of letting the heap of one update grow to twice of what is in
// use, in bytes: the compilers beside us want the memory more. A header's patch comes near it with some 500 units that change.
const heapBound = 448 << 20

// boundHeap sets heapBound, unless the environment sets another (GOMEMLIMIT). Commands that make many updates side by side have none.
func boundHeap() {
	if debug.SetMemoryLimit(-1) == math.MaxInt64 {
		debug.SetMemoryLimit(heapBound)
	}
}
