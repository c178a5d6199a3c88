package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// interruptKey finds the second context of withSignals inside the first.
type interruptKey struct{}

// withSignals returns a context that ends at the first SIGINT or SIGTERM. A
// server then drains: it takes no new work and finishes what is on the line.
// The context that [interrupt] finds in it ends at the second signal, when
// there is no more waiting. A third signal kills the process, because after
// the second the signals are no longer caught.
func withSignals(parent context.Context) (context.Context, func()) {
	hard, cutNow := context.WithCancel(context.WithoutCancel(parent))
	soft, drain := context.WithCancel(context.WithValue(parent, interruptKey{}, hard))

	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		for _, cancel := range []func(){drain, cutNow} {
			select {
			case <-signals:
				cancel()
			case <-hard.Done():
			}
		}
		signal.Stop(signals)
	}()
	return soft, func() {
		drain()
		cutNow()
		signal.Stop(signals)
	}
}

// interrupt is the context that ends when waiting is over: at the second
// signal, or never if ctx did not come from withSignals.
func interrupt(ctx context.Context) context.Context {
	if hard, ok := ctx.Value(interruptKey{}).(context.Context); ok {
		return hard
	}
	return context.WithoutCancel(ctx)
}
