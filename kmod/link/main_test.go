package link_test

import (
	"context"
	"os"
	"os/signal"
	"testing"
)

// background ends when the test run is interrupted: what several tests share outlives the context of each.
var background context.Context

func TestMain(m *testing.M) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	background = ctx
	code := m.Run()
	stop()
	os.Exit(code)
}
