package machine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/protocol"
)

// TestDataAfterCompleteIsTaken: a sender that is told "complete already" and
// sends all the same is asked for once more, taken from the start, and
// confirmed by what then holds (§1.5). That our confirmation was heard shows
// when something follows it.
func TestDataAfterCompleteIsTaken(t *testing.T) {
	for _, second := range []protocol.Reason{protocol.OK, protocol.Unable} {
		t.Run(string(second), func(t *testing.T) {
			p, err := protocol.Load("cms")
			require.NoError(t, err)
			s := New(Config{Profile: p, Side: protocol.CentreSide})
			do := func(ev Event) []Action {
				ev.Now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
				return s.Step(ev)
			}
			comes := func(k protocol.Kind, f func(*protocol.Telegram)) []Action {
				tg := &protocol.Telegram{Kind: k}
				tg.SetText(protocol.Direction, "R")
				tg.SetText(protocol.Name, "EB211120")
				if f != nil {
					f(tg)
				}
				return do(Event{Kind: Arrived, Telegram: tg})
			}
			last := func(a []Action) Action { require.NotEmpty(t, a); return a[len(a)-1] }
			place := func(tg *protocol.Telegram) {
				tg.SetNumber(protocol.Block, 1)
				tg.SetNumber(protocol.Sequence, 1)
				tg.Set(protocol.Data, []byte("x"))
			}
			do(Event{Kind: Started})
			comes(protocol.Open, nil)
			do(Event{Kind: Judged, Reason: protocol.OK})
			require.Equal(t, AskAccept, last(comes(protocol.Info, func(tg *protocol.Telegram) { tg.SetNumber(protocol.Size, 1) })).Do)
			do(Event{Kind: Accepted, Reason: protocol.Complete, Resume: Resume{Held: 1}})
			again := last(comes(protocol.DataTelegram, place))
			require.Equal(t, AskAccept, again.Do)
			require.True(t, again.Offer.Despite)
			require.Equal(t, int64(1), again.Offer.Size)
			after := do(Event{Kind: Accepted, Reason: second})
			if second != protocol.OK {
				for _, a := range append(after, comes(protocol.DataTelegram, place)...) {
					require.Equal(t, Timer, a.Do, "asked once, not for each telegram")
				}
				return
			}
			kept := false
			for _, a := range after {
				require.NotEqual(t, Send, a.Do, "the announcement was answered before")
				kept = kept || a.Do == Keep
			}
			require.True(t, kept, "the telegram that came first is not lost")
			require.Equal(t, Save, last(comes(protocol.Check, place)).Do)
			do(Event{Kind: Saved})
			verify := last(comes(protocol.End, nil))
			require.Equal(t, Verify, verify.Do)
			require.Equal(t, int64(1), verify.Claims.Sequences)
			require.True(t, s.Heard())
			do(Event{Kind: Verified, Reason: protocol.OK})
			require.False(t, s.Heard(), "nobody has said anything since")
			comes(protocol.Close, nil)
			require.True(t, s.Heard())
		})
	}
}
