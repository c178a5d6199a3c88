package control

import (
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/catalog"
	"pabal/internal/fault"
	"pabal/transfer"
)

// Where telegrams have tags, records are counted in what lies behind those of
// the content, on both ways and of a file that is still coming.
func TestRecordsBehindTags(t *testing.T) {
	for _, d := range []transfer.Direction{transfer.Send, transfer.Receive} {
		t.Run(string(d), func(t *testing.T) {
			k := newDesk(t, catalog.EN)
			tr := sending()
			tr.Direction, tr.Encoding, tr.Form = d, "tag:3232", "fixed:4"
			tr.DataSize, tr.PerBlock, tr.HeadSize, tr.TailSize, tr.WireSize, tr.Blocks, tr.Sequences = 10, 2, 5, 4, 29, 2, 4
			if d == transfer.Receive {
				tr.Status, tr.DataSize, tr.HeadSize, tr.TailSize, tr.WireSize, tr.WireDigest = transfer.Receiving, 0, 0, 0, 0, ""
			}
			made := k.create(tr)
			block := func(n, offset int64, telegrams ...string) transfer.Block {
				b := transfer.Block{Number: n, Offset: offset}
				for seq, telegram := range telegrams {
					b.Held.Add(seq + 1)
					b.Lengths = append(b.Lengths, uint16(len(telegram)))
					b.Payload = append(b.Payload, telegram...)
				}
				return b
			}
			putBlocks(k, made, block(1, 0, "11abc", "22aaaabbbb"), block(2, 15, "22cccc1111", "33xy"))
			texts := func(from, to int64) (out []string) {
				got, err := k.c.Records(t.Context(), made.ID, RecordQuery{From: from, To: to})
				require.NoError(t, err)
				for _, r := range got {
					require.EqualValues(t, from, r.Number)
					out, from = append(out, r.Text), from+1
				}
				return out
			}
			require.Equal(t, []string{"xxxx", "xxxx", "xxxx", "9999"}, texts(1, 9))
			require.Equal(t, []string{"xxxx", "9999"}, texts(3, 4))
			_, err := k.c.Records(t.Context(), made.ID, RecordQuery{From: 5, To: 5})
			require.Equal(t, CodeRecordRange, fault.CodeOf(err))
			require.Equal(t, "4", fault.As(err).Args["records"])
		})
	}
	k := newDesk(t, catalog.EN)
	tr := sending()
	tr.Direction, tr.Status, tr.Encoding, tr.DataSize, tr.WireSize = transfer.Receive, transfer.Receiving, "tag:3232", 0, 0
	_, err := k.c.Records(t.Context(), k.create(tr).ID, RecordQuery{From: 1, To: 1})
	require.Equal(t, CodeNoPayload, fault.CodeOf(err))
}
