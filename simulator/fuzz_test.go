package simulator

import (
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
	"pabal/protocol"
)

// FuzzFaults: whatever is ordered, it can be done, or what was expected is said.
func FuzzFaults(f *testing.F) {
	for _, text := range []string{
		"lose=2:37,3:1; duplicate=5%; reorder=1:1; seed=7", "delay=50ms", "delay=check:1s; split=3", "drip=1/100ms; size=-1",
		"cut=after-check@2:3,sent:5; silence=received:1; garbage=data; length=info:2", "never=all", "never=A,B", "lose=NaN%", "lose=1e-400%", "size=+10;;", "=", "cut=after-after-end",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ParseFaults(text)
		if err != nil {
			require.Equal(t, CodeFaults, fault.CodeOf(err))
			require.NotEmpty(t, fault.As(err).Args["expected"])
			require.Equal(t, Faults{}, got)
			return
		}
		for _, p := range []Pick{got.Lose, got.Duplicate, got.Reorder} {
			require.True(t, p.Share >= 0 && p.Share <= 1, p.Share)
			for _, at := range p.Places {
				require.True(t, at.Block >= 1 && at.Sequence >= 1, at)
			}
		}
		for _, points := range [][]Point{got.Cut, got.Silence, got.Garbage, got.Length} {
			for _, p := range points {
				require.True(t, p.N >= 1 && p.Block >= 0, p)
				require.False(t, p.Received && p.Kind != protocol.NoKind)
			}
		}
		require.True(t, got.Split >= 0 && got.Drip >= 0 && got.Delay >= 0)
		require.True(t, got.Drip == 0 || got.Split > 0)
		require.True(t, got.DelayKind == protocol.NoKind || got.Delay > 0)
		twice, err := ParseFaults(text + ";" + text)
		require.NoError(t, err)
		require.Equal(t, got, twice, "said twice it is the same")
	})
}
