package instance

import (
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/protocol"
	"pabal/protocol/protocoltest"
	"pabal/simulator"
	"pabal/store"
	"pabal/transfer"
)

// A file of some megabytes in one telegram, whose line breaks off in its middle:
// nothing of the half is gone on with, and the whole arrives once and equal, with
// either keeper, both ways.
func TestWholeFileInOneTelegram(t *testing.T) {
	t.Parallel()
	for _, on := range []engine{sqlite, sqliteFiles} {
		for _, sends := range []bool{true, false} {
			t.Run(string(on)+map[bool]string{true: "/sends", false: "/receives"}[sends], func(t *testing.T) {
				p := protocoltest.Parse(t, "profile: large\nextends: whole\nframing: {max: 9999}\nfiles: {message_size: 4000, per_block: 100}\nlimits: {size: 6000000}\n")
				a := newAgainst(t, on, "whole", "institution", sends, "cut=after-data:700", func(o *Options) {
					o.Institutions[0].Profile = p
					for n := range o.Listen {
						o.Listen[n].Profile = p
					}
				}, func(o *simulator.Options) { o.Profile = p })
				body := content(5_000_001)
				a.put(0, body)
				if sends {
					row := a.finish(transfer.Sent, 1)[0]
					require.Equal(t, map[string]int{sum(body): 1}, a.arrived())
					require.Contains(t, row.Proofs, transfer.ProofEndReply)
					return
				}
				row := a.finish(transfer.Assembled, 1)[0]
				require.Equal(t, sum(body), sum(mustRead(t, row.FinalPath)))
				require.Contains(t, row.Proofs, transfer.ProofDeclaredSize)
				require.Equal(t, int64(13), row.Blocks, "durable in pieces: 1251 of them, a hundred at once")
				given := a.ours.await(transfer.Receive, transfer.Abandoned, 1)[0]
				require.Equal(t, row.WireName, given.WireName, "the half is given up")
			})
		}
	}
}

// A file that is announced with more than limits.size is answered with no, and
// nothing of it is stored.
func TestAnnouncedTooLarge(t *testing.T) {
	t.Parallel()
	large := protocoltest.Parse(t, "profile: large\nextends: whole\nlimits: {size: 1000}\n")
	small := protocoltest.Parse(t, "profile: large\nextends: whole\nlimits: {size: 999}\n")
	answers := make(chan string, 100)
	a := newAgainst(t, sqlite, "whole", "institution", false, "", func(o *Options) {
		o.Institutions[0].Profile = small
		o.Trace = func(_ string, _ bool, tel *protocol.Telegram, _ []byte) {
			if tel.Kind == protocol.InfoReply && len(answers) < cap(answers) {
				answers <- tel.Text(protocol.Response)
			}
		}
	}, func(o *simulator.Options) { o.Profile = large })
	a.put(0, content(1000))
	require.Equal(t, "633", <-answers)
	rows, err := a.ours.store.List(t.Context(), store.Filter{Direction: transfer.Receive})
	require.NoError(t, err)
	require.Empty(t, rows)
}
