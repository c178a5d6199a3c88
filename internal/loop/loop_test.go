package loop

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRunByWakeIntervalAndMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		start := time.Now()
		looks := make(chan time.Duration, 10)
		n := 0
		wake := NewSignal()
		go Run(ctx, func() time.Duration { return time.Minute }, wake, func(context.Context) (bool, error) {
			looks <- time.Since(start)
			n++
			return n == 1, nil
		}, func(error) { t.Error("no error") })
		require.Zero(t, <-looks, "at once")
		require.Zero(t, <-looks, "again because there was more")
		<-time.After(10 * time.Second)
		wake.Give()
		require.Equal(t, 10*time.Second, <-looks, "when woken")
		require.Equal(t, 70*time.Second, <-looks, "an interval after the last look")
	})
}

func TestRunBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		start := time.Now()
		failures := make(chan time.Duration, 10)
		go Run(ctx, func() time.Duration { return time.Second }, NewSignal(), func(context.Context) (bool, error) {
			return false, errors.New("no")
		}, func(error) { failures <- time.Since(start) })
		var last, pause time.Duration
		<-failures
		for n := range 4 {
			at := <-failures
			require.Greater(t, at-last, pause, "failure %d comes after a longer pause", n+2)
			last, pause = at, at-last
		}
	})
}

func TestBackoffBounds(t *testing.T) {
	for n := 1; n < 40; n++ {
		d := Backoff(30*time.Second, 10*time.Minute, n)
		require.LessOrEqual(t, d, 10*time.Minute)
		require.GreaterOrEqual(t, d, 24*time.Second)
	}
	require.Zero(t, Backoff(0, time.Minute, 3))
}

// TestGather: one look for all wakes of a while, and none of them is lost.
func TestGather(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wake := NewSignal()
		start := time.Now()
		gathered := wake.Gather(t.Context(), time.Second)
		for range 3 {
			wake.Give()
			<-time.After(300 * time.Millisecond)
		}
		<-gathered
		require.Equal(t, time.Second, time.Since(start))
		synctest.Wait()
		require.Empty(t, gathered)
		<-time.After(time.Minute)
		require.Empty(t, gathered, "the three were one")
		wake.Give()
		<-gathered
		require.Equal(t, 2*time.Second+time.Minute, time.Since(start), "the next is another")
	})
}
