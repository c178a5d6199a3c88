package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
	"pabal/store"
	"pabal/transfer"
)

// testSessionCalledOver: the row of a session whose line a newer one took is
// closed on its behalf, until it says itself how it ended: as long as its term
// goes on, and no longer. Whatever it says, it takes nothing more.
func testSessionCalledOver(t *testing.T, open Open) {
	s, term := begin(t, open)
	other, err := s.Begin(t.Context(), start, "two", "host", 2)
	require.NoError(t, err)
	one := func(id string, term int64) *transfer.Session {
		t.Helper()
		o := newest(opening(id, term))
		_, err := s.OpenLine(t.Context(), start, o)
		require.NoError(t, err)
		return o.Session
	}
	over := func(id string) { // a session of the other instance takes the line
		t.Helper()
		o := newest(opening(id, other))
		o.Session.Instance = "two"
		ended, err := s.OpenLine(t.Context(), start.Add(time.Second), o)
		require.NoError(t, err)
		require.Len(t, ended, 1)
	}
	row := func(id string) transfer.Session {
		t.Helper()
		all, err := s.Sessions(t.Context(), store.SessionFilter{ID: id})
		require.NoError(t, err)
		require.Len(t, all, 1)
		return *all[0]
	}
	holder := func(id string) {
		t.Helper()
		lines, err := s.Lines(t.Context())
		require.NoError(t, err)
		require.Len(t, lines, 1)
		require.Equal(t, id, lines[0].SessionID)
		all, err := s.Sessions(t.Context(), store.SessionFilter{OpenOnly: true})
		require.NoError(t, err)
		require.Len(t, all, 1)
		require.Equal(t, id, all[0].ID)
	}
	takesNothing := func(id string) {
		t.Helper()
		free := create(t, s, transfer.Send, transfer.Stored)
		_, err = s.Claim(t.Context(), start, store.ClaimQuery{Owner: "one", Term: term, SessionID: id, Limit: 1,
			Statuses: []transfer.Status{transfer.Stored}, To: transfer.Sending})
		require.ErrorIs(t, err, store.ErrFenced)
		require.Equal(t, free, read(t, s, free.ID))
	}

	first := one("s1", term)
	holder("s1")
	over("s2")
	onBehalf := *first
	onBehalf.ClosedAt, onBehalf.ErrorCode = start.Add(time.Second), "session.occupied"
	onBehalf.ErrorDetail = fault.New("session.occupied", "K").Detail()
	require.Equal(t, onBehalf, row("s1"))
	holder("s2")
	takesNothing("s1")

	// It has ended well, and says so. The line stays whose it is.
	first.Files, first.Heard, first.Direction, first.Peer = 3, true, transfer.BothWays, "127.0.0.1:9"
	for range 2 { // the answer to the commit was lost, and it is written again
		require.NoError(t, s.CloseSession(t.Context(), start.Add(time.Minute), term, first))
		require.Equal(t, start.Add(time.Minute), first.ClosedAt)
		require.Equal(t, *first, row("s1"))
	}
	holder("s2")
	takesNothing("s1")

	// A process that goes on after another has found it dead, or after its
	// successor has begun, writes nothing: not to a row that was closed on its
	// behalf before, and not to one that its death has closed.
	for name, end := range map[string]func() int64{
		"buried": func() int64 {
			ended, err := s.Bury(t.Context(), start.Add(time.Hour), instance(t, s, "one"), "two")
			require.NoError(t, err)
			require.True(t, ended)
			next, err := s.Begin(t.Context(), start.Add(2*time.Hour), "one", "host", 1)
			require.NoError(t, err)
			return next
		},
		"begun again": func() int64 {
			next, err := s.Begin(t.Context(), start.Add(time.Hour), "one", "host", 1)
			require.NoError(t, err)
			return next
		},
	} {
		occupied, cut := one(name+"1", term), newest(opening(name+"2", term))
		over(name + "3")
		cut.Direction = store.LineReceive
		_, err := s.OpenLine(t.Context(), start, cut)
		require.NoError(t, err)
		next := end()
		was := []transfer.Session{row(occupied.ID), row(cut.Session.ID)}
		require.Equal(t, "session.occupied", was[0].ErrorCode)
		require.Equal(t, string(store.CodeSessionCut), was[1].ErrorCode)
		for n, stale := range []*transfer.Session{occupied, cut.Session} {
			stale.Files = 7
			require.ErrorIs(t, s.CloseSession(t.Context(), start.Add(3*time.Hour), term, stale), store.ErrFenced, name)
			require.Equal(t, was[n], row(stale.ID), name)
		}
		term = next
	}
}
