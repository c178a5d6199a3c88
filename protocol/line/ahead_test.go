package line_test

import (
	"bytes"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/protocol"
)

// TestSmallBlocksAreLoadedTogether: the first by itself, so that the peer waits for
// nothing, the following a few at a time; large ones each by itself.
func TestSmallBlocksAreLoadedTogether(t *testing.T) {
	for name, tt := range map[string]struct {
		size, record int // of the file, and of a telegram: a block is a hundred
		loads        []int64
	}{
		"one block":            {4_000, 40, []int64{0}},
		"two":                  {8_000, 40, []int64{0, 4_000}},
		"as many as a piece":   {36_000, 40, []int64{0, 4_000}},
		"one more":             {40_000, 40, []int64{0, 4_000, 36_000}},
		"a short one behind":   {68_040, 40, []int64{0, 4_000, 36_000, 68_000}},
		"two are a piece":      {600_000, 2_000, []int64{0, 200_000}},
		"each is one":          {1_000_000, 4_000, []int64{0, 400_000, 800_000}},
		"nothing to be loaded": {0, 40, nil},
	} {
		t.Run(name, func(t *testing.T) {
			content, other := filling(tt.size), bytes.Repeat([]byte("other"), 1_800)
			inst, centre := newHost(t).give("F01", content, tt.record).give("F02", other, 40), newHost(t)
			var loads []int64
			inst.load = func(offset int64) error {
				if inst.order.Name == "F01" {
					loads = append(loads, offset)
				}
				return nil
			}
			a, b := net.Pipe()
			di, dc := inst.run(t.Context(), a, config(t, "cms", protocol.InstitutionSide)), centre.run(t.Context(), b, config(t, "cms", protocol.CentreSide))
			require.NoError(t, (<-di).err)
			require.NoError(t, (<-dc).err)
			require.Equal(t, tt.loads, loads)
			require.True(t, bytes.Equal(content, centre.got["F01"]))
			require.True(t, bytes.Equal(other, centre.got["F02"]), "and nothing of it is left for the next file")
		})
	}
}
