package store

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestCompany: commits wait for others only where others have come, never longer
// than twice a commit, and stop waiting when nobody comes any more.
func TestCompany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c company
		for range 20 {
			require.Zero(t, c.patience(), "who writes alone waits for nobody")
			c.parted(1, time.Millisecond)
		}
		for range 20 {
			c.parted(3, time.Millisecond)
		}
		require.Equal(t, time.Millisecond, c.patience())
		time.Sleep(1500 * time.Microsecond) //nolint:forbidigo // the clock of the bubble
		require.Equal(t, 500*time.Microsecond, c.patience(), "what is left of two commits")
		time.Sleep(time.Millisecond) //nolint:forbidigo // the clock of the bubble
		require.LessOrEqual(t, c.patience(), time.Duration(0))

		c.parted(2, time.Millisecond)
		require.Equal(t, time.Millisecond, c.patience(), "the next group waits anew")
		for range 100 {
			c.parted(2, time.Second)
		}
		require.Equal(t, longestWait, c.patience(), "a slow disk keeps nobody for long")
		for range 100 {
			c.parted(1, time.Second)
		}
		require.Zero(t, c.patience())
	})
}
