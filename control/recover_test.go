package control

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/internal/catalog"
	"pabal/internal/fault"
	"pabal/store"
	"pabal/store/journal"
	"pabal/transfer"
)

// heldAt is a row as the quarantine leaves one that was under way, or as it
// was if it had ended.
func heldAt(d transfer.Direction, st transfer.Status) *transfer.Transfer {
	t := &transfer.Transfer{ID: "a", Direction: d, Status: st, Name: "EB21", WireSize: 100, UpdatedAt: now}
	if !st.Final() && st != transfer.Held {
		t.Status, t.HeldFrom, t.ErrorCode = transfer.Held, st, string(store.CodeHeldThen)
		if st == transfer.Sending || st == transfer.Ending {
			t.SentBytes = t.WireSize
		}
	}
	return t
}

func knownAt(d transfer.Direction, st transfer.Status) *journal.Known {
	return &journal.Known{Status: st, At: now, Row: journal.Row{Direction: d, Name: "EB21", WireSize: 100}}
}

func nowhere(string) bool    { return false }
func everywhere(string) bool { return true }

// TestJudge has what each pair of words is taken for.
func TestJudge(t *testing.T) {
	none := transfer.Status("")
	for _, c := range []struct {
		d          transfer.Direction
		row, known transfer.Status
		change     func(*transfer.Transfer, *journal.Known)
		exists     func(string) bool
		want       string
	}{
		{transfer.Send, transfer.Stored, transfer.Stored, nil, everywhere, FoundSafe},
		{transfer.Send, transfer.Sent, transfer.Sent, nil, everywhere, FoundSafe},
		{transfer.Send, transfer.Sending, transfer.Sent, nil, everywhere, FoundArrived},
		{transfer.Send, transfer.Failed, transfer.Sent, nil, everywhere, FoundArrived},
		{transfer.Send, none, transfer.Sent, nil, nowhere, FoundArrived},
		{transfer.Send, transfer.Waiting, transfer.Ending, nil, everywhere, FoundMaybe},
		{transfer.Send, transfer.Sending, transfer.Unknown, nil, everywhere, FoundMaybe},
		{transfer.Send, transfer.Unknown, transfer.Unknown, func(r *transfer.Transfer, _ *journal.Known) { r.EndedOnce = true }, everywhere, FoundSafe},
		// It was unknown, and is to be announced again to find out.
		{transfer.Send, transfer.Sending, transfer.Waiting, func(_ *transfer.Transfer, k *journal.Known) { k.Row.EndedOnce = true }, everywhere, FoundMaybe},
		{transfer.Send, none, transfer.Waiting, func(_ *transfer.Transfer, k *journal.Known) { k.Row.EndedOnce = true }, everywhere, FoundMaybe},
		{transfer.Send, transfer.Held, transfer.Held, func(_ *transfer.Transfer, k *journal.Known) { k.Row.EndedOnce = true }, everywhere, FoundMaybe},
		{transfer.Send, transfer.Stored, transfer.Sending, nil, everywhere, FoundPartLeft},
		{transfer.Send, transfer.Waiting, transfer.Sending, func(r *transfer.Transfer, _ *journal.Known) { r.SentBytes = 40 }, everywhere, FoundPartLeft},
		{transfer.Send, transfer.Waiting, transfer.Sending, func(r *transfer.Transfer, k *journal.Known) { r.WireSize, k.Row.WireSize = 0, 0 }, everywhere, FoundSafe},
		{transfer.Send, transfer.Sending, transfer.Sending, nil, everywhere, FoundSafe},
		{transfer.Send, transfer.Stored, transfer.Failed, nil, everywhere, FoundEnded},
		{transfer.Send, transfer.Stored, transfer.Cancelled, nil, everywhere, FoundEnded},
		{transfer.Send, none, transfer.Refused, nil, everywhere, FoundEnded},
		{transfer.Send, transfer.Stored, transfer.Held, nil, everywhere, FoundHeld},
		{transfer.Send, none, transfer.Stored, nil, everywhere, FoundAbsent},
		{transfer.Send, none, transfer.Stored, nil, nowhere, FoundNoFile},
		{transfer.Send, transfer.Storing, transfer.Storing, nil, nowhere, FoundFileGone},
		{transfer.Send, transfer.Storing, none, nil, nowhere, FoundFileGone},
		{transfer.Send, transfer.Stored, none, nil, nowhere, FoundSafe},
		{transfer.Receive, transfer.Received, transfer.Assembled, nil, nowhere, FoundPlaced},
		{transfer.Receive, transfer.Receiving, transfer.Assembled, nil, nowhere, FoundPlaced},
		{transfer.Receive, none, transfer.Assembled, nil, nowhere, FoundPlaced},
		{transfer.Receive, transfer.Received, transfer.Placing, nil, nowhere, FoundPlacing},
		{transfer.Receive, none, transfer.Placing, nil, nowhere, FoundPlacing},
		{transfer.Receive, transfer.Placing, transfer.Placing, nil, nowhere, FoundSafe},
		{transfer.Receive, transfer.Receiving, transfer.Received, nil, nowhere, FoundLost},
		{transfer.Receive, none, transfer.Received, nil, nowhere, FoundLost},
		{transfer.Receive, transfer.Received, transfer.Received, nil, nowhere, FoundSafe},
		{transfer.Receive, transfer.Received, transfer.Held, nil, nowhere, FoundHeld},
		{transfer.Receive, transfer.Receiving, transfer.Receiving, nil, nowhere, FoundSafe},
		{transfer.Receive, none, transfer.Receiving, nil, nowhere, FoundSafe},
		{transfer.Receive, transfer.Receiving, transfer.Abandoned, nil, nowhere, FoundEnded},
		{transfer.Receive, transfer.Received, transfer.Cancelled, nil, nowhere, FoundEnded},
	} {
		t.Run(fmt.Sprint(c.d, " ", c.row, " ", c.known, " ", c.want), func(t *testing.T) {
			var row *transfer.Transfer
			var known *journal.Known
			if c.row != none {
				row = heldAt(c.d, c.row)
			}
			if c.known != none {
				known = knownAt(c.d, c.known)
			}
			if c.change != nil {
				c.change(row, known)
			}
			f := judge("a", row, known, now.Add(time.Minute), c.exists)
			require.Equal(t, c.want, f.Kind)
			require.Equal(t, c.want != FoundSafe, f.Open())
		})
	}
}

// TestWhatIsAppliedIsExplained: whatever the two words are, after --apply
// nothing is open any more, and no release sends what may have arrived or
// takes again what was placed.
func TestWhatIsAppliedIsExplained(t *testing.T) {
	since := now.Add(time.Minute)
	for _, d := range []transfer.Direction{transfer.Send, transfer.Receive} {
		statuses := []transfer.Status{""}
		for _, st := range transfer.Statuses() {
			reached := func(from transfer.Status) bool { return from != st && transfer.CanMove(d, from, st) }
			if len(transfer.Moves(d, st)) > 0 || slices.ContainsFunc(transfer.Statuses(), reached) {
				statuses = append(statuses, st)
			}
		}
		for _, rowAt := range statuses {
			for _, knownStatus := range statuses {
				for n := range 16 {
					ended, empty, sentSome, exists := n&1 != 0, n&2 != 0, n&4 != 0, everywhere
					if n&8 != 0 {
						exists = nowhere
					}
					if rowAt == "" && knownStatus == "" {
						continue
					}
					var row *transfer.Transfer
					if rowAt != "" {
						row = heldAt(d, rowAt)
						if sentSome {
							row.SentBytes = max(row.SentBytes, 40)
						}
					}
					var known *journal.Known
					if knownStatus != "" {
						known = knownAt(d, knownStatus)
						known.Row.EndedOnce = ended
					}
					if empty {
						if row != nil {
							row.WireSize, row.SentBytes = 0, 0
						}
						if known != nil {
							known.Row.WireSize = 0
						}
					}
					what := fmt.Sprint(d, " row ", rowAt, " journal ", knownStatus, " ended ", ended, " empty ", empty, " some ", sentSome, " exists ", n&8 == 0)
					f := judge("a", row, known, since, exists)
					if f.Open() {
						if row == nil {
							made := known.Transfer("a")
							row = &made
						}
						f.mark(row, since.Add(time.Minute))
						row.UpdatedAt = since.Add(time.Minute)
						again := judge("a", row, known, since, exists)
						require.False(t, again.Open(), "%s: %s, then %s", what, f.Kind, again.Kind)
					}
					if row == nil || row.Status != transfer.Held {
						require.False(t, row != nil && slices.Contains([]transfer.Status{transfer.Stored, transfer.Waiting}, row.Status), what)
						continue
					}
					require.NoError(t, Apply(row, Order{Name: Release}, now), what)
					if known == nil || rowAt == transfer.Held && !ended {
						continue // nothing speaks against it; a person's own hold
					}
					switch {
					case knownStatus == transfer.Ending || knownStatus == transfer.Unknown || ended && !known.Status.Final() && d == transfer.Send:
						if d == transfer.Send {
							require.Equal(t, transfer.Unknown, row.Status, "%s: %s", what, f.Kind)
						}
					case knownStatus.Final():
						t.Errorf("%s: %s, released to %s", what, f.Kind, row.Status)
					}
				}
			}
		}
	}
}

// TestReleasedAfterComparing: what a quarantine has taken is released when
// every place has compared and nothing is open, not before.
func TestReleasedAfterComparing(t *testing.T) {
	d := newDesk(t, catalog.EN)
	tr := d.create(sending())
	q := fmt.Sprintf(`{"id":"q","since":%q,"place":"host1","why":"older_event"}`, d.clock.Format(time.RFC3339))
	require.NoError(t, d.s.SetMeta(t.Context(), "quarantine", q))
	_, err := d.s.Command(t.Context(), d.clock, transfer.Command{Name: "x", TransferID: tr.ID}, func(r *transfer.Transfer) error {
		r.Status, r.HeldFrom = transfer.Held, transfer.Stored
		return nil
	})
	require.NoError(t, err)
	by := Actor{Who: "kim", Reason: "x"}
	for _, name := range []string{Release, Resend} {
		_, err = d.c.Do(t.Context(), tr.ID, Order{Name: name}, by)
		require.Equal(t, CodeNotCompared, fault.CodeOf(err), name)
	}
	require.NoError(t, d.s.Compared(t.Context(), "host1", 1))
	_, err = d.c.Do(t.Context(), tr.ID, Order{Name: Release}, by)
	require.Equal(t, CodeUnexplained, fault.CodeOf(err))
	require.NoError(t, d.s.Compared(t.Context(), "host1", 0))
	_, err = d.c.Do(t.Context(), tr.ID, Order{Name: Release}, by)
	require.NoError(t, err)
}

// TestFreshIsEmpty: another database that has transfers is not a new one,
// whoever says so.
func TestFreshIsEmpty(t *testing.T) {
	d := newDesk(t, catalog.EN)
	put := func() {
		require.NoError(t, d.s.SetMeta(t.Context(), "quarantine", `{"id":"q","place":"host1","why":"other_database"}`))
	}
	r := &Recovery{Control: d.c, Place: "host1"}
	by := Actor{Who: "kim", Reason: "x"}
	put()
	require.NoError(t, r.End(t.Context(), false, true, by))
	put()
	d.create(sending())
	require.Equal(t, CodeNotFresh, fault.CodeOf(r.End(t.Context(), false, true, by)))
	require.NoError(t, r.End(t.Context(), true, false, by))
	audit, err := d.s.Commands(t.Context(), store.CommandFilter{})
	require.NoError(t, err)
	require.Equal(t, []string{"new-database", "end --force"}, []string{audit[0].Subject, audit[1].Subject})
}
