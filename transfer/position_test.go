package transfer

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Whatever the parts, positions and offsets name the same telegrams as laying
// them out one by one does.
func TestGeometryAgreesWithLayingTelegramsOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := Geometry{
			DataSize: rapid.IntRange(1, 9).Draw(t, "L"), PerBlock: rapid.IntRange(1, 4).Draw(t, "per block"),
			Head: rapid.IntRange(0, 12).Draw(t, "head"), Tail: rapid.IntRange(0, 12).Draw(t, "tail"),
		}
		body := rapid.Int64Range(0, 60).Draw(t, "body")
		var starts []int64
		size := int64(0)
		put := func(n int64) { starts, size = append(starts, size), size+n }
		if g.Head > 0 {
			put(int64(g.Head))
		}
		for left := body; left > 0; left -= int64(g.DataSize) {
			put(min(left, int64(g.DataSize)))
		}
		if g.Tail > 0 {
			put(int64(g.Tail))
		}
		require.Equal(t, int64(len(starts)), g.Sequences(size))
		require.Equal(t, (int64(len(starts))+int64(g.PerBlock)-1)/int64(g.PerBlock), g.Blocks(size))
		next := 0
		for at := range size + 1 {
			boundary := next < len(starts) && starts[next] == at
			if boundary {
				next++
			}
			require.Equal(t, boundary || at == size, g.Starts(at, size), "offset %d", at)
			if at == size {
				break
			}
			p := Position{Block: int64((next-1)/g.PerBlock) + 1, Seq: (next-1)%g.PerBlock + 1}
			require.Equal(t, p, g.At(at, size), "offset %d", at)
			require.Equal(t, starts[next-1], g.Offset(p, size))
		}
		sum, blocks := int64(0), g.Blocks(size)
		for b := int64(1); b <= blocks+1; b++ {
			offset, length, last := g.BlockRange(b, size)
			require.Equal(t, sum, offset)
			if b <= blocks {
				require.True(t, g.Fits(b, offset), "block %d at %d", b, offset)
				require.False(t, g.Fits(b, offset+int64(g.DataSize)))
				require.Positive(t, length)
				require.Equal(t, min(g.PerBlock, len(starts)-int(b-1)*g.PerBlock), last)
				of := g.Block(b, size) // names the same telegrams of the block alone
				for seq := 1; seq <= last; seq++ {
					require.Equal(t, starts[int(b-1)*g.PerBlock+seq-1]-offset, of.Offset(Position{Block: 1, Seq: seq}, length), "block %d sequence %d", b, seq)
				}
			} else {
				require.Zero(t, length)
				require.Zero(t, last)
			}
			sum += length
		}
		require.Equal(t, size, sum)
	})
}
