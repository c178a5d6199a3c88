package control

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
	"pabal/store"
	"pabal/store/journal"
	"pabal/transfer"
)

// TestRecoverOverTwoHosts: what one host has sent only its journal knows, so
// nothing is released and the quarantine does not end before each has compared
// and nothing is open at either.
func TestRecoverOverTwoHosts(t *testing.T) {
	u := newRuin(t)
	_, err := u.s.Begin(t.Context(), now, "instance_B", "host2", 2)
	require.NoError(t, err)
	j, err := journal.Open(journal.Options{Dir: u.path("journal2"), Server: true, Now: func() time.Time { return now }})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, j.Close()) })
	r1, r2 := u.r, &Recovery{}
	*r2 = *r1
	r2.Place, r2.Journal, r2.Said, r2.Scan, r2.Receive = "host2", u.path("journal2"), u.path("said2"), u.path("two", "scan"), ""

	row := func(name, place string) *transfer.Transfer {
		tr := sending()
		tr.Name, tr.WireName, tr.Place = name, name, place
		return u.create(tr)
	}
	ours, theirs, quiet := row("ours", "host1"), row("theirs", "host2"), row("quiet", "host2")
	// It was cut at host1, and host2 had the line to the counterparty.
	across := row("across", "host1")
	u.quarantine(ours, theirs, quiet, across)
	at := u.clock.Add(time.Minute)
	sent := func(id int64, tr *transfer.Transfer) []store.Written {
		return []store.Written{{Event: transfer.Event{ID: id, At: at, TransferID: tr.ID, Kind: store.EventStatus, To: transfer.Sent}, Row: tr}}
	}
	j1, err := journal.Open(journal.Options{Dir: r1.Journal, Server: true, Now: func() time.Time { return now }})
	require.NoError(t, err)
	j1.Wrote(sent(100, ours))
	require.NoError(t, j1.Close())
	j.Wrote(sent(100, theirs))
	j.Wrote(sent(101, across))
	j.Wrote([]store.Written{{Event: transfer.Event{ID: 102, At: at, TransferID: quiet.ID, Kind: store.EventStatus, To: transfer.Stored}, Row: quiet}})

	kinds := func(r *Recovery) map[string]string {
		report, err := r.Recover(t.Context(), false, Actor{})
		require.NoError(t, err)
		out := map[string]string{}
		for _, f := range report.Findings {
			out[f.Name] = f.Kind
		}
		return out
	}
	by := Actor{Who: "kim", Reason: "the disk was lost"}
	refused := func(want fault.Code) {
		t.Helper()
		require.Equal(t, want, fault.CodeOf(r1.End(t.Context(), false, false, by)))
		_, err := u.c.Do(t.Context(), across.ID, Order{Name: Release}, by)
		require.Equal(t, want, fault.CodeOf(err))
		_, _, err = r1.ReleaseSafe(t.Context(), by)
		require.Equal(t, want, fault.CodeOf(err))
	}
	require.Equal(t, map[string]string{"ours": FoundArrived, "across": FoundSafe}, kinds(r1), "nothing speaks against it here")
	refused(CodeNotCompared)
	_, err = r1.Recover(t.Context(), true, by)
	require.NoError(t, err)
	refused(CodeNotCompared)
	require.Equal(t, map[string]string{"theirs": FoundArrived, "across": FoundArrived, "quiet": FoundSafe}, kinds(r2))
	refused(CodeUnexplained)
	_, err = r2.Recover(t.Context(), true, by)
	require.NoError(t, err)
	for _, tr := range []*transfer.Transfer{ours, theirs, across} {
		got, err := u.s.Transfer(t.Context(), tr.ID)
		require.NoError(t, err)
		require.Equal(t, transfer.Sent, got.Status, tr.Name)
	}
	released, _, err := r2.ReleaseSafe(t.Context(), by)
	require.NoError(t, err)
	require.Equal(t, 1, released)
	require.NoError(t, r1.End(t.Context(), false, false, by))
}

// TestOldRequestIsNotApproved: an order that waited for a second person in the
// copy may have been approved and carried out since; it is not approved again.
func TestOldRequestIsNotApproved(t *testing.T) {
	u := newRuin(t)
	tr := sending()
	tr.Status, tr.Place = transfer.Sent, "host1"
	row := u.create(tr)
	options, err := json.Marshal(map[string]bool{"again": true})
	require.NoError(t, err)
	request := &transfer.Request{TransferID: row.ID, Command: Resend, Options: string(options), Who: "kim", ExpiresAt: u.clock.Add(24 * time.Hour)}
	require.NoError(t, u.s.Ask(t.Context(), u.clock, request, func(tr *transfer.Transfer) (string, error) { return seen(tr), nil }))

	w, err := journal.Open(journal.Options{Dir: u.path("other"), Server: true, Now: func() time.Time { return u.clock }})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.Close()) })
	w.Trust(store.Mark{Identity: "another database"})
	beside, err := store.Open(t.Context(), store.Options{URL: u.s.URL(), Witness: w})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, beside.Close()) })
	q, err := beside.Recognise(t.Context(), u.clock, "host1")
	require.NoError(t, err)
	require.NotNil(t, q)
	require.NoError(t, u.s.EndQuarantine(t.Context(), u.clock, transfer.Command{Name: CommandRecover}, func(*store.Quarantine) error { return nil }))

	u.clock = u.clock.Add(time.Second)
	_, err = u.c.Approve(t.Context(), request.ID, nil, Actor{Who: "lee", Reason: "agreed"})
	require.Equal(t, CodeRequestExpired, fault.CodeOf(err))
	got, err := u.s.Transfer(t.Context(), row.ID)
	require.NoError(t, err)
	require.Equal(t, transfer.Sent, got.Status)
}
