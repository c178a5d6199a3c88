// Package loop runs the stages of the server: each looks for work when it is
// woken and, because a wake-up is only a hint, at intervals.
package loop

import (
	"context"
	"math/rand/v2"
	"time"
)

// Signal wakes a loop. Many signals before the loop looks are one.
type Signal chan struct{}

// NewSignal returns a signal that has not been given.
func NewSignal() Signal { return make(Signal, 1) }

// Give wakes whoever waits, or the next who will.
func (s Signal) Give() {
	select {
	case s <- struct{}{}:
	default:
	}
}

// Gather returns a signal that is given a while after s was, once for all that
// came in that while: for work that has no hurry and costs less done together.
// It ends with ctx.
func (s Signal) Gather(ctx context.Context, while time.Duration) Signal {
	out := NewSignal()
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-s:
			}
			timer := time.NewTimer(while)
			select {
			case <-ctx.Done():
				timer.Stop()
				return
			case <-timer.C:
			}
			select { // what came meanwhile is in it
			case <-s:
			default:
			}
			out.Give()
		}
	}()
	return out
}

// Work looks for something to do and does it. It returns true when there may
// be more at once.
type Work func(ctx context.Context) (more bool, err error)

// Run calls work until ctx ends: at once, whenever wake is given, and every
// interval, which is asked for each time because it may change. After an error it waits with growing pauses, up to ten intervals
// or ten seconds, whichever is longer; failed hears of every error.
func Run(ctx context.Context, interval func() time.Duration, wake Signal, work Work, failed func(error)) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	failures := 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-wake:
		case <-timer.C:
		}
		every := interval()
		pause := every
		more, err := work(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			failures++
			failed(err)
			pause = Backoff(every, max(10*every, 10*time.Second), failures)
		case more:
			failures, pause = 0, 0
		default:
			failures = 0
		}
		timer.Reset(pause)
	}
}

// Backoff is how long to wait after the n-th failure in a row: first, doubled
// each time, at most limit, with up to a fifth taken off so that many do not
// come back at the same moment.
func Backoff(first, limit time.Duration, n int) time.Duration {
	d := first
	for i := 1; i < n && d < limit; i++ {
		d *= 2
	}
	d = min(d, limit)
	if d <= 0 {
		return 0
	}
	return d - time.Duration(rand.Int64N(int64(d)/5+1))
}
