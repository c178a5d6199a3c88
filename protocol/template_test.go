package protocol

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestTemplateGoesOn: whatever a template wrote before, and whatever it refused,
// each telegram is that of the encoder.
func TestTemplateGoesOn(t *testing.T) {
	for _, p := range everyProfile(t) {
		if p.Files.Whole {
			continue // has no template
		}
		t.Run(p.Name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				head := Telegram{Kind: DataTelegram}
				tpl, err := p.Template(&head, p.MostData())
				require.NoError(rt, err)
				var buf []byte
				for range rapid.IntRange(1, 6).Draw(rt, "telegrams") {
					block := rapid.SampledFrom([]int64{1, 1, 2, 3, 10_000_000}).Draw(rt, "block")
					seq := rapid.SampledFrom([]int{1, 2, 3, p.Files.PerBlock, 10_000_000}).Draw(rt, "sequence")
					size := rapid.SampledFrom([]int{0, 1, 9, 9, 100, p.MaxData(p.Files.MessageSize)}).Draw(rt, "data")
					tg := Telegram{Kind: DataTelegram, counts: tpl.counts}
					p.SetPlace(&tg, block, seq)
					tg.Set(Data, make([]byte, size))
					tg.SetNumber(DataLength, int64(size))
					want, refused := p.Append(nil, &tg)
					buf, err = tpl.Append(buf[:0], block, seq, tg.Data())
					require.Equal(rt, refused == nil, err == nil, "%v, %v", refused, err)
					require.Equal(rt, string(want), string(buf))
				}
			})
		})
	}
}
