package process

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// TestBudget runs programs that say when they are there: of those that share a budget of two, never more than two slots'
// worth are there at the same time.
func TestBudget(t *testing.T) {
	dir := t.TempDir()
	ctx := NewBudget(2).Share(t.Context())
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		most int
	)
	stop := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for {
			select {
			case <-stop:
				return
			default:
			}
			slots := 0
			entries, err := os.ReadDir(dir)
			if err != nil {
				t.Error(err)
				return
			}
			for _, e := range entries {
				slots += map[byte]int{'1': 1, '9': 2}[e.Name()[0]]
			}
			mu.Lock()
			most = max(most, slots)
			mu.Unlock()
			time.Sleep(time.Millisecond)
		}
	}()
	for i, slots := range []int{1, 1, 9, 1, 1, 9} { // 9 is more than there is, and gets all
		wg.Go(func() {
			name := filepath.Join(dir, string(rune('0'+slots))+string(rune('a'+i)))
			c := sh("touch " + name + "; sleep 0.05; rm " + name)
			c.Slots = slots
			if _, err := Run(ctx, c); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	close(stop)
	<-watched
	if most != 2 {
		t.Errorf("%d slots in use at the same time, want 2", most)
	}
}

func TestBudgetHeedsTheContext(t *testing.T) {
	budget := NewBudget(1)
	ctx, cancel := context.WithCancel(budget.Share(t.Context()))
	release, err := take(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(20*time.Millisecond, cancel)
	c := sh("true")
	c.Slots = 1
	if _, err := Run(ctx, c); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	release()
	if _, err := Run(budget.Share(t.Context()), c); err != nil {
		t.Errorf("after it was given back: %v", err)
	}
	if _, err := Run(t.Context(), c); err != nil {
		t.Errorf("without a budget: %v", err)
	}
}
