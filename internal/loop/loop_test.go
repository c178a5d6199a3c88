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
		start := time.Now()
		var at []time.Duration
		more := []bool{true, false, false, false}
		wake := NewSignal()
		go Run(ctx, time.Minute, wake, func(context.Context) (bool, error) {
			at = append(at, time.Since(start))
			if len(at) == 4 {
				cancel()
			}
			return more[len(at)-1], nil
		}, func(error) { t.Error("no error") })
		synctest.Wait()
		require.Equal(t, []time.Duration{0, 0}, at, "at once, and again because there was more")
		time.Sleep(10 * time.Second)
		wake.Give()
		synctest.Wait()
		require.Equal(t, 10*time.Second, at[2])
		time.Sleep(2 * time.Minute)
		require.Len(t, at, 4)
		require.Equal(t, 70*time.Second, at[3], "an interval after the last look")
	})
}

func TestRunBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		calls, errs := 0, 0
		go Run(ctx, time.Second, NewSignal(), func(context.Context) (bool, error) {
			calls++
			return false, errors.New("no")
		}, func(error) { errs++ })
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.Equal(t, calls, errs)
		require.Less(t, calls, 6, "1, 2, 4, 8 seconds")
		require.Greater(t, calls, 3)
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
