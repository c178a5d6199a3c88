package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/store"
	"pabal/transfer"
)

// stranger is a witness that remembers another database.
type stranger struct{ mark store.Mark }

func (w *stranger) Mark() store.Mark   { return w.mark }
func (w *stranger) Trust(m store.Mark) { w.mark = m }
func (w *stranger) Distrust(string)    {}
func (w *stranger) Wrote(written []store.Written) {
	for _, x := range written {
		w.mark = w.mark.With(x)
	}
}

// testQuarantine: what is under way is held with what it was, nothing is
// claimed by anybody, and what is proven can be written.
func testQuarantine(t *testing.T, open Open) {
	s, term := begin(t, open)
	sending := held(t, s, term, transfer.Send, transfer.Sending, func(row *transfer.Transfer) { row.WireSize = 500 })
	stored := create(t, s, transfer.Send, transfer.Stored)
	placing := create(t, s, transfer.Receive, transfer.Placing)
	byPerson := create(t, s, transfer.Send, transfer.Held, func(row *transfer.Transfer) { row.ErrorCode = "other" })
	over := create(t, s, transfer.Send, transfer.Sent)
	asked := create(t, s, transfer.Send, transfer.Sent, func(row *transfer.Transfer) { row.NextTry, row.Ask = start, transfer.AskStatus })

	request := &transfer.Request{TransferID: over.ID, Command: "resend", ExpiresAt: start.Add(time.Hour)}
	require.NoError(t, s.Ask(t.Context(), start, request, func(*transfer.Transfer) (string, error) { return "", nil }))
	inside := opening("inside", term)
	_, err := s.OpenLine(t.Context(), start, inside)
	require.NoError(t, err)

	w := &stranger{store.Mark{Identity: "another", Terms: map[string]int64{"one": term + 3, "new": 2}}}
	beside, err := store.Open(t.Context(), store.Options{URL: s.URL(), Witness: w})
	require.NoError(t, err)
	defer func() { require.NoError(t, beside.Close()) }()
	now := start.Add(time.Minute)
	q, err := beside.Recognise(t.Context(), now, "seoul")
	require.NoError(t, err)
	require.Equal(t, store.WhyOther, q.Why)
	seen, err := s.Quarantine(t.Context())
	require.NoError(t, err)
	require.Equal(t, q, seen, "everybody sees it")
	again, err := beside.Recognise(t.Context(), now, "seoul")
	require.NoError(t, err)
	require.Equal(t, q, again)

	for row, from := range map[*transfer.Transfer]transfer.Status{
		sending: transfer.Sending, stored: transfer.Stored, placing: transfer.Placing,
	} {
		got := read(t, s, row.ID)
		require.Equal(t, transfer.Held, got.Status)
		require.Equal(t, from, got.HeldFrom)
		require.Equal(t, string(store.CodeHeldThen), got.ErrorCode)
		require.Empty(t, got.Owner)
		all := events(t, s, row.ID)
		require.Equal(t, from, all[len(all)-1].From)
		require.Equal(t, transfer.Held, all[len(all)-1].To)
	}
	require.EqualValues(t, 500, read(t, s, sending.ID).SentBytes, "all of it may have left")
	for _, row := range []*transfer.Transfer{byPerson, over, asked} {
		require.Equal(t, row, read(t, s, row.ID))
	}
	requests, err := s.Requests(t.Context(), store.RequestFilter{})
	require.NoError(t, err)
	require.Len(t, requests, 1)
	require.Equal(t, now, requests[0].ExpiresAt, "it may have been carried out since")
	_, err = s.Change(t.Context(), now, sending.Ref(), nil)
	require.ErrorIs(t, err, store.ErrFenced)
	instances, err := s.Instances(t.Context())
	require.NoError(t, err)
	require.Len(t, instances, 2)
	require.Equal(t, term+3, instances[1].Term, "a process that works on shares its term with nobody")

	// Nothing is claimed, not even what comes new.
	fresh := create(t, s, transfer.Send, transfer.Stored)
	claim := func(statuses ...transfer.Status) []*transfer.Transfer {
		got, err := s.Claim(t.Context(), now, store.ClaimQuery{Owner: "two", Term: 1, Statuses: statuses, Limit: 10})
		require.NoError(t, err)
		return got
	}
	require.Empty(t, claim(transfer.Stored, transfer.Sent))

	// No session begins, and one that is open, or that the copy never had,
	// takes nothing on, before anybody has come to cut it.
	_, err = s.OpenLine(t.Context(), now, opening("new", term+3))
	requireCode(t, store.CodeQuarantined, err)
	for _, session := range []string{"inside", "of the time that is lost"} {
		err = s.Create(t.Context(), now, &transfer.Transfer{Direction: transfer.Receive, Status: transfer.Receiving,
			Owner: "one", Term: term + 3, SessionID: session})
		require.ErrorIs(t, err, store.ErrFenced, session)
	}

	// Nothing is deleted, whatever its age.
	old := done(t, s, transfer.Send, transfer.Sent, 2)
	empty := done(t, s, transfer.Send, transfer.Sent, 0, func(r *transfer.Transfer) { r.PurgedAt = start })
	later := now.Add(365 * 24 * time.Hour)
	_, _, err = s.Purge(t.Context(), later, later)
	requireCode(t, store.CodeQuarantined, err)
	requireCode(t, store.CodeQuarantined, s.Release(t.Context(), later, old.ID))
	_, _, err = s.ExpireEvents(t.Context(), later, 0)
	requireCode(t, store.CodeQuarantined, err)
	require.NoError(t, s.CloseSession(t.Context(), now, term+3, inside.Session))
	_, _, err = s.ExpireSessions(t.Context(), later)
	requireCode(t, store.CodeQuarantined, err)
	_, _, err = s.ExpireTransfers(t.Context(), later)
	requireCode(t, store.CodeQuarantined, err)
	turn, err := s.Turn(t.Context(), later, "retention", time.Hour)
	require.NoError(t, err)
	require.False(t, turn)
	require.Equal(t, 2, blocksHeld(t, s, old.ID))
	for _, row := range []*transfer.Transfer{old, empty} {
		require.Equal(t, row, read(t, s, row.ID))
	}

	require.NoError(t, s.Compared(t.Context(), "seoul", 2))
	seen, err = s.Quarantine(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[string]int{"seoul": 2}, seen.Compared)

	c := transfer.Command{Name: "recover", Subject: "arrived", TransferID: stored.ID, Who: "kim"}
	out, err := s.Establish(t.Context(), now, c, func(row *transfer.Transfer) error {
		row.Status, row.HeldFrom = transfer.Assembled, "" // no legal move
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, out, read(t, s, stored.ID))
	c.TransferID = "absent"
	out, err = s.Establish(t.Context(), now, c, func(row *transfer.Transfer) error {
		row.Direction, row.Status, row.Name = transfer.Send, transfer.Sent, "EB21"
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, out, read(t, s, "absent"))
	commands, err := s.Commands(t.Context(), store.CommandFilter{TransferID: "absent"})
	require.NoError(t, err)
	require.Contains(t, commands[0].AfterFields, `"name":"EB21"`)

	refuse := errors.New("refuse")
	end := transfer.Command{Name: "recover", Subject: "end", Who: "kim"}
	require.ErrorIs(t, s.EndQuarantine(t.Context(), now, end, func(*store.Quarantine) error { return refuse }), refuse)
	require.NoError(t, s.EndQuarantine(t.Context(), now, end, func(q *store.Quarantine) error { return nil }))
	seen, err = s.Quarantine(t.Context())
	require.NoError(t, err)
	require.Nil(t, seen)
	require.Len(t, claim(transfer.Stored), 1)
	require.Equal(t, "two", read(t, s, fresh.ID).Owner)
	requireCode(t, store.CodeNoQuarantine, s.EndQuarantine(t.Context(), now, end, func(*store.Quarantine) error { return nil }))
}
