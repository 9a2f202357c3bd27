package process

import (
	"context"
	"fmt"

	"golang.org/x/sync/semaphore"
)

// Budget bounds how many processors the programs of one context take at the same time, whoever starts them: several
// updates made side by side share the compilers of one -j.
type Budget struct {
	slots *semaphore.Weighted
	size  int64
}

// NewBudget is a budget of n processors, at least one.
func NewBudget(n int) *Budget {
	size := int64(max(n, 1))
	return &Budget{slots: semaphore.NewWeighted(size), size: size}
}

type budgetKey struct{}

// Share gives a context whose programs (Cmd.Slots) share the budget.
func (b *Budget) Share(ctx context.Context) context.Context {
	return context.WithValue(ctx, budgetKey{}, b)
}

// take waits until the context's budget has room for a program of so many slots; one that takes more than all of it gets
// all of it. Who waited longest comes first. Without a budget nothing is taken.
func take(ctx context.Context, slots int) (release func(), err error) {
	b, ok := ctx.Value(budgetKey{}).(*Budget)
	if !ok || slots <= 0 {
		return func() {}, nil
	}
	n := min(int64(slots), b.size)
	if err := b.slots.Acquire(ctx, n); err != nil {
		return nil, fmt.Errorf("waiting for a processor: %w", context.Cause(ctx))
	}
	return func() { b.slots.Release(n) }, nil
}
