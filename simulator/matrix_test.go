package simulator

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSizes(t *testing.T) {
	const l, block = 10, 1000
	roles(t, func(t *testing.T, name string, upload bool) {
		pr := newPair(t, name, upload, nil)
		want := map[string][]byte{}
		for i, size := range []int{0, 1, l - 1, l, l + 1, 256, block - 1, block, block + 1, 2*block - l, 2*block - 1, 2 * block, 2*block + 1, 3*block + 7} {
			n := pr.wire(i + 1)
			want[n] = content(size)
			pr.give(n, want[n])
		}
		inst, centre, instErr, centreErr := pr.session()
		require.NoError(t, instErr)
		require.NoError(t, centreErr)
		require.Equal(t, len(want), inst.Files)
		require.Equal(t, len(want), centre.Files)
		pr.arrived(want)
	})
}
