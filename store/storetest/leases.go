package storetest

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/store"
	"pabal/transfer"
)

func instance(t *testing.T, s *store.Store, id string) *store.Instance {
	t.Helper()
	all, err := s.Instances(t.Context())
	require.NoError(t, err)
	for _, i := range all {
		if i.ID == id {
			return i
		}
	}
	t.Fatalf("no instance %s", id)
	return nil
}

// testLease: what an observer sees of an instance, from its start to its end.
func testLease(t *testing.T, open Open) {
	s, term := begin(t, open)
	require.Equal(t, store.DefaultLease, s.Lease())
	require.Equal(t, &store.Instance{ID: "one", Term: term, Beat: start, Lease: s.Lease(), Host: "host", PID: 1, Started: start},
		instance(t, s, "one"))
	// The clock of its host is set back: the count goes on all the same.
	for n := range 3 {
		at := start.Add(-time.Duration(n) * time.Hour)
		require.NoError(t, s.Beat(t.Context(), at, "one", term))
		i := instance(t, s, "one")
		require.EqualValues(t, n+1, i.Beats)
		require.Equal(t, at, i.Beat)
	}
	require.NoError(t, s.End(t.Context(), start.Add(time.Minute), "one", term))
	i := instance(t, s, "one")
	require.Equal(t, "one", i.EndedBy)
	require.Equal(t, start.Add(time.Minute), i.Ended)
	require.Greater(t, i.Term, term)
	require.ErrorIs(t, s.Beat(t.Context(), start, "one", term), store.ErrFenced)
	require.NoError(t, s.End(t.Context(), start.Add(time.Hour), "one", term), "again")
	require.Equal(t, i, instance(t, s, "one"))

	next, err := s.Begin(t.Context(), start, "one", "host", 2)
	require.NoError(t, err)
	require.Greater(t, next, i.Term)
	i = instance(t, s, "one")
	require.Zero(t, i.Ended)
	require.Zero(t, i.Beats)
	require.Empty(t, i.EndedBy)
}

// testBury: only who has not beaten since it was looked at is buried, once,
// and from then on writes nothing.
func testBury(t *testing.T, open Open) {
	s, term := begin(t, open)
	row := held(t, s, term, transfer.Receive, transfer.Receiving)
	seen := instance(t, s, "one")
	bury := func(seen *store.Instance, want bool) {
		t.Helper()
		ended, err := s.Bury(t.Context(), start.Add(time.Minute), seen, "two")
		require.NoError(t, err)
		require.Equal(t, want, ended)
	}
	require.NoError(t, s.Beat(t.Context(), start, "one", term)) // at the same time as the start
	bury(seen, false)
	seen = instance(t, s, "one")
	next, err := s.Begin(t.Context(), start, "one", "host", 1)
	require.NoError(t, err)
	bury(seen, false)
	_, err = s.OpenLine(t.Context(), start, opening("s1", next))
	require.NoError(t, err)
	seen = instance(t, s, "one")
	bury(seen, true)
	bury(seen, false)
	bury(instance(t, s, "one"), false)
	i := instance(t, s, "one")
	require.Equal(t, "two", i.EndedBy)
	require.Equal(t, start.Add(time.Minute), i.Ended)

	require.ErrorIs(t, s.Beat(t.Context(), start, "one", next), store.ErrFenced)
	_, err = s.Change(t.Context(), start, row.Ref(), nil, block(row, 1, []byte("late")))
	require.ErrorIs(t, err, store.ErrFenced)
	lines, err := s.Lines(t.Context())
	require.NoError(t, err)
	require.Empty(t, lines)
	all, err := s.Sessions(t.Context(), store.SessionFilter{ID: "s1"})
	require.NoError(t, err)
	require.Equal(t, string(store.CodeSessionCut), all[0].ErrorCode)
}

// opening is a session of instance "one" that calls institution K.
func opening(id string, term int64) store.Opening {
	return store.Opening{Session: &transfer.Session{ID: id, Institution: "K", Instance: "one"}, Term: term, Direction: store.LineSend, Most: 1}
}

func newest(o store.Opening) store.Opening {
	o.Newest, o.Why = true, "session.occupied"
	o.Settle = to(transfer.Waiting)
	return o
}

func testLines(t *testing.T, open Open) {
	s, term := begin(t, open)
	take := func(o store.Opening, at time.Time) {
		t.Helper()
		ended, err := s.OpenLine(t.Context(), at, o)
		require.NoError(t, err)
		require.Empty(t, ended)
	}
	taken := func(o store.Opening) {
		t.Helper()
		_, err := s.OpenLine(t.Context(), start, o)
		requireCode(t, store.CodeLineTaken, err)
		require.False(t, store.Away(err))
	}
	take(opening("s1", term), start)
	lines, err := s.Lines(t.Context())
	require.NoError(t, err)
	require.Equal(t, []*store.Line{{Institution: "K", Direction: store.LineSend, Slot: 1, SessionID: "s1", Owner: "one", Term: term, TakenAt: start}}, lines)
	taken(opening("s2", term))
	none, err := s.Sessions(t.Context(), store.SessionFilter{ID: "s2"})
	require.NoError(t, err)
	require.Empty(t, none, "no line, no session")

	other := opening("s3", term)
	other.Direction = store.LineReceive
	take(other, start)
	elsewhere := opening("s4", term)
	elsewhere.Session.Institution = "L"
	take(elsewhere, start)
	two := opening("s5", term)
	two.Most = 2
	take(two, start)
	two.Session = &transfer.Session{ID: "s6", Institution: "K", Instance: "one"}
	taken(two)

	// The end of a session frees its line, and no other.
	done := opening("s1", term).Session
	require.NoError(t, s.CloseSession(t.Context(), start, term, done))
	take(two, start)
	lines, err = s.Lines(t.Context())
	require.NoError(t, err)
	require.Len(t, lines, 4)
}

// testLineNewest: of sessions that a counterparty opens the newest counts. The
// oldest loses everything by which it could write.
func testLineNewest(t *testing.T, open Open) {
	s, term := begin(t, open)
	other, err := s.Begin(t.Context(), start, "two", "host", 2)
	require.NoError(t, err)
	ended, err := s.OpenLine(t.Context(), start, newest(opening("s1", term)))
	require.NoError(t, err)
	require.Empty(t, ended)
	with := func(row *transfer.Transfer) { row.SessionID = "s1" }
	sending := held(t, s, term, transfer.Send, transfer.Sending, with)
	beside := held(t, s, term, transfer.Send, transfer.Sending)
	free := create(t, s, transfer.Send, transfer.Stored)

	o := newest(opening("s2", other))
	o.Session.Instance = "two"
	ended, err = s.OpenLine(t.Context(), start.Add(time.Second), o)
	require.NoError(t, err)
	require.Equal(t, []string{"s1"}, ended)
	_, err = s.Change(t.Context(), start, sending.Ref(), to(transfer.Ending))
	require.ErrorIs(t, err, store.ErrFenced)
	got := read(t, s, sending.ID)
	require.Equal(t, transfer.Waiting, got.Status)
	require.Empty(t, got.Owner)
	require.Equal(t, beside, read(t, s, beside.ID), "of another session")
	_, err = s.Claim(t.Context(), start, store.ClaimQuery{Owner: "one", Term: term, SessionID: "s1", Limit: 1,
		Statuses: []transfer.Status{transfer.Stored}, To: transfer.Sending})
	require.ErrorIs(t, err, store.ErrFenced)
	require.Equal(t, free, read(t, s, free.ID))

	// Fewer lines than before: as many make room as must.
	o.Session, o.Most = &transfer.Session{ID: "s3", Institution: "K", Instance: "two"}, 2
	ended, err = s.OpenLine(t.Context(), start.Add(2*time.Second), o)
	require.NoError(t, err)
	require.Empty(t, ended)
	o.Session, o.Most = &transfer.Session{ID: "s4", Institution: "K", Instance: "two"}, 1
	ended, err = s.OpenLine(t.Context(), start.Add(3*time.Second), o)
	require.NoError(t, err)
	require.Equal(t, []string{"s2", "s3"}, ended)
	lines, err := s.Lines(t.Context())
	require.NoError(t, err)
	require.Len(t, lines, 1)
}

// testLineOfTheDead: a line that a crash left is free in the next term.
func testLineOfTheDead(t *testing.T, open Open) {
	s, term := begin(t, open)
	_, err := s.OpenLine(t.Context(), start, opening("s1", term))
	require.NoError(t, err)
	next, err := s.Begin(t.Context(), start, "one", "host", 2)
	require.NoError(t, err)
	lines, err := s.Lines(t.Context())
	require.NoError(t, err)
	require.Empty(t, lines)
	ended, err := s.OpenLine(t.Context(), start, opening("s2", next))
	require.NoError(t, err)
	require.Empty(t, ended)
	_, err = s.OpenLine(t.Context(), start, opening("s3", next))
	requireCode(t, store.CodeLineTaken, err)
	lines, err = s.Lines(t.Context())
	require.NoError(t, err)
	require.Equal(t, "s2", lines[0].SessionID)
}

// testLineRace: of many who want the last line at once one gets it.
func testLineRace(t *testing.T, open Open) {
	s, term := begin(t, open)
	other := openAgain(t, s.OpenedWith(), false) // as another process would
	const wanted, lines = 12, 3
	var mu sync.Mutex
	got := 0
	var wg sync.WaitGroup
	for n := range wanted {
		db := s
		if n%2 == 1 {
			db = other
		}
		wg.Go(func() {
			o := opening(store.NewID(start.Add(time.Duration(n)*time.Second)), term)
			o.Most = lines
			_, err := db.OpenLine(t.Context(), start, o)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				got++
				return
			}
			requireCode(t, store.CodeLineTaken, err)
		})
	}
	wg.Wait()
	require.Equal(t, lines, got)
	all, err := s.Lines(t.Context())
	require.NoError(t, err)
	require.Len(t, all, lines)
}

// testSessionEnded: a session that is over makes no transfer its own.
func testSessionEnded(t *testing.T, open Open) {
	s, term := begin(t, open)
	o := opening("s1", term)
	_, err := s.OpenLine(t.Context(), start, o)
	require.NoError(t, err)
	half := create(t, s, transfer.Receive, transfer.Receiving)
	mine := &transfer.Transfer{Direction: transfer.Receive, Status: transfer.Receiving, Owner: "one", Term: term, SessionID: "s1"}
	good := *mine
	require.NoError(t, s.Create(t.Context(), start, &good))
	o.Session.ClosedAt = start
	require.NoError(t, s.CloseSession(t.Context(), start, term, o.Session))
	require.ErrorIs(t, s.Create(t.Context(), start, mine), store.ErrFenced)
	_, err = s.TakeOver(t.Context(), start, half.ID, "one", term, "s1", "")
	require.ErrorIs(t, err, store.ErrFenced)
	out, err := s.TakeOver(t.Context(), start, half.ID, "one", term, "s2", "busan")
	require.NoError(t, err)
	require.Equal(t, "busan", out.Place)
}
