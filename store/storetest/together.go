package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/store"
	"pabal/transfer"
)

// testChangeAll: what is wrong with one edit keeps none of the others.
func testChangeAll(t *testing.T, open Open) {
	s, term := begin(t, open)
	rows := make([]*transfer.Transfer, 7)
	for n := range rows {
		rows[n] = held(t, s, term, transfer.Send, transfer.Storing)
	}
	file := make([]byte, 250)
	refused := errors.New("no")
	edits := []*store.Edit{
		{Row: rows[0], F: to(transfer.Stored), Also: store.Also{Blocks: []transfer.Block{block(rows[0], 1, file)}, Events: []transfer.Event{{Kind: "extra"}}}},
		{Row: rows[1], F: func(*transfer.Transfer) error { return refused }},
		{Row: rows[2], F: to(transfer.Assembled)},
		{Row: rows[3], F: func(row *transfer.Transfer) error { row.Attempt++; return nil }},
		{Row: rows[4], F: to(transfer.Stored), Also: store.Also{Blocks: []transfer.Block{{Number: 1, Offset: 5, Payload: file}}}},
		{Row: rows[5], F: to(transfer.Stored)},
		{Row: &transfer.Transfer{ID: "none", Direction: transfer.Send, Owner: "one", Term: term, Status: transfer.Storing}, F: nil},
	}
	later := start.Add(time.Minute)
	_, err := s.Command(t.Context(), start, transfer.Command{Name: "hold", TransferID: rows[5].ID}, nil)
	require.NoError(t, err)
	require.NoError(t, s.ChangeAll(t.Context(), later, edits))

	require.NoError(t, edits[0].Err)
	require.Equal(t, transfer.Stored, rows[0].Status)
	require.Equal(t, later, rows[0].UpdatedAt)
	require.Equal(t, rows[0], read(t, s, rows[0].ID))
	all := events(t, s, rows[0].ID)
	require.Equal(t, "extra", all[len(all)-1].Kind)
	require.Equal(t, transfer.Stored, all[len(all)-2].To)
	got, err := s.ReadRange(t.Context(), rows[0].ID, 0, 250, nil)
	require.NoError(t, err)
	require.Equal(t, file, got)

	require.ErrorIs(t, edits[1].Err, refused)
	requireCode(t, store.CodeIllegalMove, edits[2].Err)
	requireCode(t, store.CodeForbidden, edits[3].Err)
	requireCode(t, store.CodeBlockInvalid, edits[4].Err)
	requireCode(t, store.CodeFenced, edits[5].Err)
	requireCode(t, store.CodeNotFound, edits[6].Err)
	for n := 1; n < 6; n++ {
		require.Equal(t, transfer.Storing, rows[n].Status, "an edit that fails leaves the struct alone")
		require.Equal(t, transfer.Storing, read(t, s, rows[n].ID).Status)
		require.LessOrEqual(t, len(events(t, s, rows[n].ID)), 1)
	}
	// The struct that was written is good for the next one.
	next := &store.Edit{Row: rows[0], F: func(row *transfer.Transfer) error { row.Owner = ""; return nil }}
	require.NoError(t, s.ChangeAll(t.Context(), later, []*store.Edit{next}))
	require.NoError(t, next.Err)
	require.Empty(t, read(t, s, rows[0].ID).Owner)
	require.NoError(t, s.ChangeAll(t.Context(), later, []*store.Edit{next}))
	requireCode(t, store.CodeFenced, next.Err)
}

// testEditBeside: what others may write without holding the row is not undone
// by a holder who does not know of it.
func testEditBeside(t *testing.T, open Open) {
	s, term := begin(t, open)
	row := held(t, s, term, transfer.Send, transfer.Sending, func(row *transfer.Transfer) {
		row.Place, row.WorkPath, row.BackupPath = "seoul", "/w/a", "/b/a"
	})
	require.NoError(t, s.BackedUp(t.Context(), start, store.Backup{ID: row.ID, Path: "/b/a.1"}))
	e := &store.Edit{Row: row, F: to(transfer.Ending)}
	require.NoError(t, s.ChangeAll(t.Context(), start, []*store.Edit{e}))
	require.NoError(t, e.Err)
	now := read(t, s, row.ID)
	require.Equal(t, transfer.Ending, now.Status)
	require.Equal(t, "/b/a.1", now.BackupPath)
	require.Empty(t, now.WorkPath)
	require.Equal(t, start, now.BackedUpAt)
}

// testEditTerm: a process whose term is over writes nothing, though its rows
// have not been settled yet.
func testEditTerm(t *testing.T, open Open) {
	s, term := begin(t, open)
	row := held(t, s, term, transfer.Send, transfer.Sending)
	ours, err := s.Holds(t.Context(), row.Ref())
	require.NoError(t, err)
	require.True(t, ours)
	_, err = s.Begin(t.Context(), start, "one", "host", 2)
	require.NoError(t, err)
	ours, err = s.Holds(t.Context(), row.Ref())
	require.NoError(t, err)
	require.False(t, ours)
	e := &store.Edit{Row: row, F: to(transfer.Ending)}
	require.NoError(t, s.ChangeAll(t.Context(), start, []*store.Edit{e}))
	requireCode(t, store.CodeFenced, e.Err)
	require.Equal(t, transfer.Sending, read(t, s, row.ID).Status)
}

// testChangeAndClaim: the next file is taken with the change of the last, or
// not at all.
func testChangeAndClaim(t *testing.T, open Open) {
	s, term := begin(t, open)
	row := held(t, s, term, transfer.Send, transfer.Sending)
	next := create(t, s, transfer.Send, transfer.Stored)
	q := store.ClaimQuery{Owner: "one", Term: term, Statuses: []transfer.Status{transfer.Stored, transfer.Waiting}, To: transfer.Sending, SessionID: "s1"}
	stale := *row
	stale.Attempt++
	e := &store.Edit{Row: &stale, F: to(transfer.Ending)}
	claimed, err := s.ChangeAndClaim(t.Context(), start, e, q)
	require.NoError(t, err)
	requireCode(t, store.CodeFenced, e.Err)
	require.Empty(t, claimed)
	require.Equal(t, transfer.Stored, read(t, s, next.ID).Status)

	e = &store.Edit{Row: row, F: to(transfer.Ending)}
	claimed, err = s.ChangeAndClaim(t.Context(), start, e, q)
	require.NoError(t, err)
	require.NoError(t, e.Err)
	require.Len(t, claimed, 1)
	require.Equal(t, claimed[0], read(t, s, next.ID))
	require.Equal(t, "s1", claimed[0].SessionID)
	require.Equal(t, transfer.Ending, read(t, s, row.ID).Status)

	e = &store.Edit{Row: row, F: to(transfer.Sent)}
	claimed, err = s.ChangeAndClaim(t.Context(), start, e, q)
	require.NoError(t, err)
	require.NoError(t, e.Err)
	require.Empty(t, claimed)

	// The term is over: that is the edit's own fault, as where nothing is claimed.
	row, next = held(t, s, term, transfer.Send, transfer.Sending), create(t, s, transfer.Send, transfer.Stored)
	_, err = s.Begin(t.Context(), start, "one", "host", 2)
	require.NoError(t, err)
	e = &store.Edit{Row: row, F: to(transfer.Ending)}
	claimed, err = s.ChangeAndClaim(t.Context(), start, e, q)
	require.NoError(t, err)
	requireCode(t, store.CodeFenced, e.Err)
	require.Empty(t, claimed)
	require.Equal(t, transfer.Stored, read(t, s, next.ID).Status)
	require.Equal(t, transfer.Sending, read(t, s, row.ID).Status)
}

// testCreateAll: all or none; ids that are made together are different.
func testCreateAll(t *testing.T, open Open) {
	s, _ := begin(t, open)
	ids, err := s.NewIDs(t.Context(), start, 1000)
	require.NoError(t, err)
	rows := make([]*transfer.Transfer, len(ids))
	seen := map[string]bool{}
	for n, id := range ids {
		require.False(t, seen[id])
		require.True(t, n == 0 || ids[n-1] < id, "rising")
		seen[id] = true
		rows[n] = &transfer.Transfer{ID: id, Direction: transfer.Send, Status: transfer.Storing, Place: "seoul", Name: fmt.Sprint(n), WorkPath: "/w/" + id}
	}
	require.NoError(t, s.CreateAll(t.Context(), start, rows[:999]))
	require.Equal(t, rows[17], read(t, s, ids[17]))
	require.Len(t, events(t, s, ids[998]), 1)
	requireCode(t, store.CodeExists, s.CreateAll(t.Context(), start, []*transfer.Transfer{rows[999], rows[3]}))
	_, err = s.Transfer(t.Context(), ids[999])
	requireCode(t, store.CodeNotFound, err)
	at, err := s.WorkFiles(t.Context(), "seoul")
	require.NoError(t, err)
	require.Len(t, at, 999)
	require.True(t, at[ids[0]])
	require.NoError(t, s.BackedUp(t.Context(), start, store.Backup{ID: ids[0], Path: "/b"}))
	at, err = s.WorkFiles(t.Context(), "seoul")
	require.NoError(t, err)
	require.False(t, at[ids[0]])
	more, err := s.NewIDs(t.Context(), start, 200)
	require.NoError(t, err)
	for _, id := range more {
		require.False(t, seen[id] && id != ids[999], "no id that a row has")
	}
}

// listener is a witness that remembers what it was told.
type listener struct {
	stranger
	heard []store.Written
}

func (l *listener) Wrote(written []store.Written) {
	l.stranger.Wrote(written)
	l.heard = append(l.heard, written...)
}

// testEventsTogether: however many events a write has, they are all there, in
// their order, and the witness hears of each with the id that it has.
func testEventsTogether(t *testing.T, open Open) {
	s, term := begin(t, open)
	w := &listener{}
	beside, err := store.Open(t.Context(), store.Options{URL: s.URL(), Witness: w})
	require.NoError(t, err)
	defer func() { require.NoError(t, beside.Close()) }()
	_, err = beside.Recognise(t.Context(), start, "seoul")
	require.NoError(t, err)
	for n := range 20 {
		row := held(t, s, term, transfer.Send, transfer.Storing)
		e := &store.Edit{Row: row, F: to(transfer.Stored)}
		for k := range n {
			e.Events = append(e.Events, transfer.Event{Kind: fmt.Sprint("extra ", k)})
		}
		w.heard = nil
		require.NoError(t, beside.ChangeAll(t.Context(), start, []*store.Edit{e}))
		require.NoError(t, e.Err)
		all := events(t, s, row.ID)
		all = all[len(all)-n-1:]
		require.Equal(t, transfer.Stored, all[0].To)
		require.Len(t, w.heard, n+1)
		for k, event := range all {
			require.True(t, k == 0 || event.Kind == fmt.Sprint("extra ", k-1))
			require.Equal(t, *event, w.heard[k].Event)
		}
	}
}
