package instance

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/control"
	"pabal/filemgr"
	"pabal/internal/fault"
	"pabal/protocol/machine"
	"pabal/simulator"
	"pabal/store"
	"pabal/transfer"
)

// A counterparty with another password than agreed is refused in the login:
// nothing of it is taken, no session is begun, and guessing gets slow.
func TestLoginRefused(t *testing.T) {
	t.Parallel()
	for _, wrong := range []Credentials{{Name: "Honggildong", Password: "OTHER"}, {Name: "Somebody", Password: "123ABC"}} {
		a := newAgainst(t, sqlite, "login", "centre", false, "", func(o *Options) { o.Institutions[0].Expect = wrong })
		a.put(0, content(999))
		for range 5 {
			_, err := a.peer.Call(t.Context(), a.ours.inst.Addresses()[0], false)
			require.Equal(t, machine.CodeLost, fault.CodeOf(err), "an answer that is wrong is answered by nothing: %v", err)
		}
		rows, err := a.ours.store.Sessions(t.Context(), store.SessionFilter{})
		require.NoError(t, err)
		require.Empty(t, rows)
		require.Empty(t, a.arrived())
	}
}

// A closing that counts otherwise than we ends the session with an error, and
// the file that was confirmed before it stays received.
func TestClosingCountsOtherwise(t *testing.T) {
	t.Parallel()
	onBoth(t, testClosingCountsOtherwise)
}

func testClosingCountsOtherwise(t *testing.T, on engine) {
	for _, role := range []string{"centre", "institution"} {
		t.Run(role, func(t *testing.T) {
			record := func(n int) filemgr.Form { return filemgr.Form{Kind: filemgr.Fixed, Length: n} }
			a := newAgainst(t, on, "totals", role, false, "", func(o *Options) { o.Files[0].Form = record(100) },
				func(o *simulator.Options) { o.Record = 50 })
			a.put(0, content(1000))
			a.calling() // once: a further call takes the line from a session whose row is not closed yet
			got := a.ours.await(transfer.Receive, transfer.Assembled, 1)
			require.Equal(t, sum(content(1000)), sum(mustRead(t, got[0].FinalPath)))
			var row *transfer.Session
			soon(t, "the session to end", func() bool {
				rows, err := a.ours.store.Sessions(t.Context(), store.SessionFilter{})
				require.NoError(t, err)
				for i := range rows {
					if rows[i].ID == got[0].SessionID && !rows[i].ClosedAt.IsZero() {
						row = rows[i]
					}
				}
				return row != nil
			})
			require.Equal(t, string(machine.CodeTotals), row.ErrorCode)
			require.Contains(t, row.ErrorDetail, "total_records")
			require.Equal(t, 1, row.Files)
		})
	}
}

// Where the peer names a block, a person who knows what it holds lets the file
// go on from there: the row had forgotten what was sent, as after a restore.
func TestResendFromBlock(t *testing.T) {
	t.Parallel()
	a := newAgainst(t, sqlite, "byblock", "institution", true, "cut=after-data:7", func(o *Options) {
		o.Institutions[0].RetryFirst, o.Institutions[0].RetryMax = time.Hour, time.Hour
	})
	body := content(11 * 4057)
	a.put(0, body)
	w := a.ours.await(transfer.Send, transfer.Waiting, 1)[0]
	change := func(name string, f func(*transfer.Transfer) error) {
		_, err := a.ours.store.Command(t.Context(), time.Now(), transfer.Command{Name: name, TransferID: w.ID, Who: "operator"}, f)
		require.NoError(t, err)
	}
	change("release", func(r *transfer.Transfer) error {
		r.SentBytes, r.NextTry = 0, time.Now()
		return nil
	})
	held := a.ours.await(transfer.Send, transfer.Held, 1)[0]
	require.Equal(t, string(machine.CodeResumeForeign), held.ErrorCode, "the peer wants the fourth block of what was never sent")
	change("resend", func(r *transfer.Transfer) error {
		return control.Apply(r, control.Order{Name: control.Resend, FromBlock: 4}, time.Now())
	})
	a.finish(transfer.Sent, 1)
	require.Equal(t, map[string]int{sum(body): 1}, a.arrived())
}
