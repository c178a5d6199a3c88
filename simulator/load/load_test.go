package load

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestShare(t *testing.T) {
	var all []time.Duration
	require.Zero(t, share(all, 50))
	for n := range 200 {
		all = append(all, time.Duration(n+1))
	}
	for percent, want := range map[int]time.Duration{50: 100, 95: 190, 99: 198, 100: 200} {
		require.Equal(t, want, share(all, percent))
	}
	require.Equal(t, time.Duration(1), share(all[:1], 50))
}
