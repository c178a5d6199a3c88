package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/store"
	"pabal/transfer"
)

func testFencing(t *testing.T, open Open) {
	s, term := begin(t, open)
	row := held(t, s, term, transfer.Receive, transfer.Receiving)
	wrong := map[string]transfer.Ref{
		"owner":   {ID: row.ID, Owner: "two", Term: term, Attempt: 1},
		"nobody":  {ID: row.ID, Owner: "", Term: term, Attempt: 1},
		"term":    {ID: row.ID, Owner: "one", Term: term + 1, Attempt: 1},
		"attempt": {ID: row.ID, Owner: "one", Term: term, Attempt: 0},
		"next":    {ID: row.ID, Owner: "one", Term: term, Attempt: 2},
	}
	for name, ref := range wrong {
		called := false
		_, err := s.Change(t.Context(), start, ref, func(*transfer.Transfer) error { called = true; return nil }, block(row, 1, []byte("x")))
		require.ErrorIs(t, err, store.ErrFenced, name)
		require.False(t, called)
		require.ErrorIs(t, s.DropBlocks(t.Context(), start, ref, 1), store.ErrFenced)
		require.False(t, store.Away(err))
	}
	require.Equal(t, row, read(t, s, row.ID))
	infos, err := s.BlockInfos(t.Context(), row.ID)
	require.NoError(t, err)
	require.Empty(t, infos)
	_, err = s.Change(t.Context(), start, row.Ref(), nil)
	require.NoError(t, err)
}

// testFencingByTerm: a process that was stopped and goes on after its
// successor began writes nothing, even to rows that nobody took over yet.
func testFencingByTerm(t *testing.T, open Open) {
	s, term := begin(t, open)
	row := held(t, s, term, transfer.Send, transfer.Sending)
	create(t, s, transfer.Send, transfer.Stored)
	next, err := s.Begin(t.Context(), start, "one", "host", 2)
	require.NoError(t, err)
	require.Equal(t, term+1, next)

	_, err = s.Change(t.Context(), start, row.Ref(), to(transfer.Ending))
	require.ErrorIs(t, err, store.ErrFenced)
	_, err = s.Claim(t.Context(), start, store.ClaimQuery{Owner: "one", Term: term, Statuses: []transfer.Status{transfer.Stored}, Limit: 1})
	require.ErrorIs(t, err, store.ErrFenced)
	require.ErrorIs(t, s.Beat(t.Context(), start, "one", term), store.ErrFenced)
	late := *row
	late.ID = ""
	require.ErrorIs(t, s.Create(t.Context(), start, &late), store.ErrFenced)
	_, err = s.OpenLine(t.Context(), start, opening("late", term))
	require.ErrorIs(t, err, store.ErrFenced)
	require.Equal(t, row, read(t, s, row.ID))
}

func testClaim(t *testing.T, open Open) {
	s, term := begin(t, open)
	at := func(minutes int, next time.Time) *transfer.Transfer {
		return create(t, s, transfer.Send, transfer.Stored, func(row *transfer.Transfer) {
			row.CreatedAt, row.NextTry = start.Add(time.Duration(minutes)*time.Minute), next
		})
	}
	second, first := at(2, time.Time{}), at(1, start)
	later := at(0, start.Add(time.Microsecond))
	foreign := create(t, s, transfer.Send, transfer.Stored, func(row *transfer.Transfer) { row.Owner = "two" })

	q := store.ClaimQuery{Owner: "one", Term: term, Statuses: []transfer.Status{transfer.Stored, transfer.Waiting},
		To: transfer.Sending, SessionID: "s1", Limit: 1}
	for _, want := range []*transfer.Transfer{first, second} {
		got, err := s.Claim(t.Context(), start, q)
		require.NoError(t, err)
		require.Len(t, got, 1)
		require.Equal(t, want.ID, got[0].ID, "oldest first")
		require.Equal(t, transfer.Ref{ID: want.ID, Owner: "one", Term: term, Attempt: 1}, got[0].Ref())
		require.Equal(t, transfer.Sending, got[0].Status)
		require.Equal(t, "s1", got[0].SessionID)
		require.Equal(t, got[0], read(t, s, want.ID))
		all := events(t, s, want.ID)
		require.Equal(t, transfer.Sending, all[1].To)
		_, err = s.Change(t.Context(), start, got[0].Ref(), to(transfer.Ending))
		require.NoError(t, err)
	}
	got, err := s.Claim(t.Context(), start, q)
	require.NoError(t, err)
	require.Empty(t, got)
	got, err = s.Claim(t.Context(), start.Add(time.Microsecond), q)
	require.NoError(t, err)
	require.Len(t, got, 1)
	require.Equal(t, later.ID, got[0].ID)
	require.Equal(t, "two", read(t, s, foreign.ID).Owner)

	q.To, q.Statuses = transfer.Assembled, []transfer.Status{transfer.Sending}
	_, err = s.Claim(t.Context(), start.Add(time.Second), q)
	requireCode(t, store.CodeIllegalMove, err)
}

func testClaimFilters(t *testing.T, open Open) {
	s, term := begin(t, open)
	row := create(t, s, transfer.Receive, transfer.Received, func(row *transfer.Transfer) { row.Place = "seoul" })
	good := store.ClaimQuery{Owner: "one", Term: term, Statuses: []transfer.Status{transfer.Received},
		Direction: transfer.Receive, Institution: row.Institution, Place: "seoul", IDs: []string{"x", row.ID}, Limit: 9}
	for name, f := range map[string]func(*store.ClaimQuery){
		"direction":   func(q *store.ClaimQuery) { q.Direction = transfer.Send },
		"institution": func(q *store.ClaimQuery) { q.Institution = "other" },
		"place":       func(q *store.ClaimQuery) { q.Place = "busan" },
		"ids":         func(q *store.ClaimQuery) { q.IDs = []string{"x"} },
		"status":      func(q *store.ClaimQuery) { q.Statuses = []transfer.Status{transfer.Waiting} },
		"no status":   func(q *store.ClaimQuery) { q.Statuses = nil },
	} {
		q := good
		f(&q)
		got, err := s.Claim(t.Context(), start, q)
		require.NoError(t, err)
		require.Empty(t, got, name)
	}
	got, err := s.Claim(t.Context(), start, good)
	require.NoError(t, err)
	require.Len(t, got, 1)
}

// testClaimInPlace: a claim that leaves the status does not give the row out
// twice, until the owner is cleared or the process is another.
func testClaimInPlace(t *testing.T, open Open) {
	s, term := begin(t, open)
	create(t, s, transfer.Send, transfer.Storing)
	q := store.ClaimQuery{Owner: "one", Term: term, Statuses: []transfer.Status{transfer.Storing}, Limit: 9}
	claim := func(n int) []*transfer.Transfer {
		got, err := s.Claim(t.Context(), start, q)
		require.NoError(t, err)
		require.Len(t, got, n)
		return got
	}
	got := claim(1)
	claim(0)
	out, err := s.Change(t.Context(), start, got[0].Ref(), func(row *transfer.Transfer) error { row.Owner = ""; return nil })
	require.NoError(t, err)
	_, err = s.Change(t.Context(), start, got[0].Ref(), nil)
	require.ErrorIs(t, err, store.ErrFenced, "given up")
	_, err = s.Change(t.Context(), start, out.Ref(), nil)
	require.NoError(t, err, "until somebody takes it")
	claim(1)
	_, err = s.Change(t.Context(), start, out.Ref(), nil)
	require.ErrorIs(t, err, store.ErrFenced)
	q.Term, err = s.Begin(t.Context(), start, "one", "host", 2)
	require.NoError(t, err)
	claim(1)
	claim(0)
}

// testClaimFinal: a final row is offered only if a next try is set.
func testClaimFinal(t *testing.T, open Open) {
	s, term := begin(t, open)
	create(t, s, transfer.Receive, transfer.Assembled)
	row := create(t, s, transfer.Receive, transfer.Assembled, func(row *transfer.Transfer) { row.NextTry = start })
	got, err := s.Claim(t.Context(), start, store.ClaimQuery{Owner: "one", Term: term, Statuses: []transfer.Status{transfer.Assembled}, Limit: 9})
	require.NoError(t, err)
	require.Len(t, got, 1)
	require.Equal(t, row.ID, got[0].ID)
}

func testClaimExclusive(t *testing.T, open Open) {
	s, term := begin(t, open)
	other := openAgain(t, s.OpenedWith(), false) // as another process would
	const rows, workers = 60, 6
	for range rows {
		create(t, s, transfer.Send, transfer.Stored)
	}
	_, err := s.Begin(t.Context(), start, "two", "host", 2)
	require.NoError(t, err)
	var mu sync.Mutex
	seen := map[string]string{}
	var wg sync.WaitGroup
	failures := make(chan error, workers)
	for i := range workers {
		db, owner := s, "one"
		if i%2 == 1 {
			db, owner = other, "two"
		}
		wg.Go(func() {
			for {
				got, err := db.Claim(t.Context(), start, store.ClaimQuery{Owner: owner, Term: term,
					Statuses: []transfer.Status{transfer.Stored}, To: transfer.Sending, Limit: 3})
				if err != nil {
					failures <- err
				}
				if err != nil || len(got) == 0 {
					return // nothing was found, or another was faster
				}
				mu.Lock()
				for _, row := range got {
					if seen[row.ID] != "" {
						failures <- fmt.Errorf("%s claimed by %s and %s", row.ID, seen[row.ID], owner)
					}
					seen[row.ID] = owner
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	close(failures)
	for err := range failures {
		require.NoError(t, err)
	}
	left, err := s.List(t.Context(), store.Filter{Statuses: []transfer.Status{transfer.Stored}})
	require.NoError(t, err)
	require.Empty(t, left)
	require.Len(t, seen, rows)
	for id, owner := range seen {
		require.Equal(t, owner, read(t, s, id).Owner)
	}
}

func testCommand(t *testing.T, open Open) {
	s, term := begin(t, open)
	row := held(t, s, term, transfer.Send, transfer.Sending)
	c := transfer.Command{Name: "hold", TransferID: row.ID, Who: "kim", Host: "ops1", Reason: "전화 요청"}
	out, err := s.Command(t.Context(), start.Add(time.Second), c, to(transfer.Held))
	require.NoError(t, err)
	require.Equal(t, transfer.Held, out.Status)
	require.Empty(t, out.Owner)
	require.EqualValues(t, 2, out.Attempt)
	require.Equal(t, out, read(t, s, row.ID))
	require.Equal(t, transfer.Held, events(t, s, row.ID)[1].To)

	_, err = s.Command(t.Context(), start.Add(time.Minute), transfer.Command{Name: "release", TransferID: row.ID}, to(transfer.Waiting))
	require.NoError(t, err)
	all, err := s.Commands(t.Context(), store.CommandFilter{TransferID: row.ID})
	require.NoError(t, err)
	require.Len(t, all, 2)
	c.ID, c.At, c.Before, c.After = all[0].ID, start.Add(time.Second), transfer.Sending, transfer.Held
	c.BeforeFields, c.AfterFields = all[0].BeforeFields, all[0].AfterFields
	require.Equal(t, &c, all[0])
	require.JSONEq(t, `{"attempt":1,"owner":"one","status":"sending"}`, c.BeforeFields)
	require.JSONEq(t, `{"attempt":2,"owner":"","status":"held"}`, c.AfterFields)
	newest, err := s.Commands(t.Context(), store.CommandFilter{NewestFirst: true, Limit: 1})
	require.NoError(t, err)
	require.Equal(t, "release", newest[0].Name)

	refuse := errors.New("refuse")
	_, err = s.Command(t.Context(), start, c, func(*transfer.Transfer) error { return refuse })
	require.ErrorIs(t, err, refuse)
	_, err = s.Command(t.Context(), start, transfer.Command{TransferID: "none"}, nil)
	require.ErrorIs(t, err, store.ErrNotFound)
	all, err = s.Commands(t.Context(), store.CommandFilter{Who: "kim"})
	require.NoError(t, err)
	require.Len(t, all, 1)
}

func testCommandFences(t *testing.T, open Open) {
	s, term := begin(t, open)
	row := held(t, s, term, transfer.Receive, transfer.Receiving)
	_, err := s.Command(t.Context(), start, transfer.Command{Name: "note", TransferID: row.ID}, nil)
	require.NoError(t, err)
	_, err = s.Change(t.Context(), start, row.Ref(), nil, block(row, 1, []byte("late")))
	require.ErrorIs(t, err, store.ErrFenced)
	held, err := s.Contiguous(t.Context(), row.ID)
	require.NoError(t, err)
	require.Zero(t, held)
}

func testTakeOver(t *testing.T, open Open) {
	s, term := begin(t, open)
	row := held(t, s, term, transfer.Receive, transfer.Receiving, func(row *transfer.Transfer) { row.SessionID = "s1" })
	_, err := s.Begin(t.Context(), start, "two", "host", 2)
	require.NoError(t, err)
	out, err := s.TakeOver(t.Context(), start, row.ID, "two", 1, "s2", "")
	require.NoError(t, err)
	require.Equal(t, transfer.Ref{ID: row.ID, Owner: "two", Term: 1, Attempt: 2}, out.Ref())
	require.Equal(t, "s2", out.SessionID)
	_, err = s.Change(t.Context(), start, row.Ref(), nil, block(row, 1, []byte("from the old line")))
	require.ErrorIs(t, err, store.ErrFenced)
	_, err = s.Change(t.Context(), start, out.Ref(), nil, block(row, 1, []byte("from the new line")))
	require.NoError(t, err)
	all := events(t, s, row.ID)
	require.Equal(t, store.EventTakeOver, all[1].Kind)
	require.JSONEq(t, `{"former_session":"s1"}`, all[1].Detail)

	_, err = s.Change(t.Context(), start, out.Ref(), to(transfer.Received))
	require.NoError(t, err)
	_, err = s.TakeOver(t.Context(), start, row.ID, "one", term, "s3", "")
	requireCode(t, store.CodeNotReceiving, err)
	_, err = s.TakeOver(t.Context(), start, "none", "one", term, "s3", "")
	requireCode(t, store.CodeNotFound, err)
}

// testBackedUp: the note of a backup neither needs nor disturbs the holder.
func testBackedUp(t *testing.T, open Open) {
	s, term := begin(t, open)
	row := held(t, s, term, transfer.Send, transfer.Sending, func(row *transfer.Transfer) {
		row.Place, row.WorkPath, row.BackupPath = "seoul", "/w/a", "/b/a"
	})
	held(t, s, term, transfer.Send, transfer.Sending, func(row *transfer.Transfer) { row.Place, row.WorkPath = "busan", "/w/b" })
	due, err := s.NotBackedUp(t.Context(), "seoul", 10)
	require.NoError(t, err)
	require.Len(t, due, 1)
	require.Equal(t, row.ID, due[0].ID)
	require.NoError(t, s.BackedUp(t.Context(), start, store.Backup{ID: row.ID, Path: "/b/a.1"}, store.Backup{ID: "none", Path: "/b/c"}))
	out := read(t, s, row.ID)
	require.Equal(t, "/b/a.1", out.BackupPath)
	require.Empty(t, out.WorkPath)
	require.Equal(t, start, out.BackedUpAt)
	require.Equal(t, row.Ref(), out.Ref())
	require.Equal(t, store.EventBackup, events(t, s, row.ID)[1].Kind)
	require.NoError(t, s.BackedUp(t.Context(), start.Add(time.Hour), store.Backup{ID: row.ID, Path: "/b/other"}))
	require.Equal(t, out, read(t, s, row.ID), "noted once")
	require.Len(t, events(t, s, row.ID), 2)
	due, err = s.NotBackedUp(t.Context(), "seoul", 10)
	require.NoError(t, err)
	require.Empty(t, due)
	_, err = s.Change(t.Context(), start, row.Ref(), to(transfer.Ending))
	require.NoError(t, err)
	require.Equal(t, "/b/a.1", read(t, s, row.ID).BackupPath)
}

func testOrphans(t *testing.T, open Open) {
	s, term := begin(t, open)
	other, err := s.Begin(t.Context(), start, "two", "host", 2)
	require.NoError(t, err)
	sending := held(t, s, term, transfer.Send, transfer.Sending)
	ending := held(t, s, term, transfer.Send, transfer.Ending, func(row *transfer.Transfer) { row.CreatedAt = start.Add(1) })
	held(t, s, term, transfer.Send, transfer.Sent)
	create(t, s, transfer.Send, transfer.Stored)
	create(t, s, transfer.Send, transfer.Sending, func(row *transfer.Transfer) { row.Owner, row.Term = "two", other })
	orphans := func() []*transfer.Transfer {
		got, err := s.Orphans(t.Context())
		require.NoError(t, err)
		return got
	}
	require.Empty(t, orphans(), "rows of the present term are in hand")
	_, err = s.Reclaim(t.Context(), start, ending.Ref(), nil)
	require.ErrorIs(t, err, store.ErrFenced, "they are nobody else's")
	next, err := s.Begin(t.Context(), start, "one", "host", 2)
	require.NoError(t, err)
	require.ElementsMatch(t, []*transfer.Transfer{sending, ending}, orphans())

	out, err := s.Reclaim(t.Context(), start, ending.Ref(), to(transfer.Unknown))
	require.NoError(t, err)
	require.Equal(t, transfer.Ref{ID: ending.ID, Owner: "", Term: term, Attempt: 1 + ending.Attempt}, out.Ref())
	require.Equal(t, transfer.Unknown, read(t, s, ending.ID).Status)
	_, err = s.Reclaim(t.Context(), start, ending.Ref(), nil)
	require.ErrorIs(t, err, store.ErrFenced, "it is settled")
	_, err = s.Reclaim(t.Context(), start, sending.Ref(), to(transfer.Stored))
	requireCode(t, store.CodeIllegalMove, err)
	_, err = s.Reclaim(t.Context(), start, sending.Ref(), nil)
	require.NoError(t, err)
	require.Empty(t, orphans())
	got, err := s.Claim(t.Context(), start, store.ClaimQuery{Owner: "one", Term: next, Statuses: []transfer.Status{transfer.Sending}, Limit: 9})
	require.NoError(t, err)
	require.Len(t, got, 1, "they are for whoever comes first")
}

// testBeside: what is still to be written beside a transfer is found by its
// place, and noting it neither needs nor disturbs the holder.
func testBeside(t *testing.T, open Open) {
	s, term := begin(t, open)
	at := func(place, result string) func(*transfer.Transfer) {
		return func(t *transfer.Transfer) { t.Place, t.Result = place, result }
	}
	create(t, s, transfer.Send, transfer.Sent, at("seoul", ""))
	create(t, s, transfer.Send, transfer.Sent, at("seoul", "sent"))
	create(t, s, transfer.Send, transfer.Sent, at("busan", transfer.ResultWanted))
	create(t, s, transfer.Send, transfer.Cancelled, at("seoul", transfer.ResultWanted))
	row := held(t, s, term, transfer.Send, transfer.Ending, at("seoul", transfer.ResultWanted))
	refused := create(t, s, transfer.Send, transfer.Refused, at("seoul", ""))
	due := func() []string {
		list, err := s.Due(t.Context(), "seoul", 10)
		require.NoError(t, err)
		var ids []string
		for _, t := range list {
			ids = append(ids, t.ID)
		}
		return ids
	}
	require.Equal(t, []string{refused.ID}, due())
	_, err := s.Change(t.Context(), start, row.Ref(), to(transfer.Sent))
	require.NoError(t, err)
	require.ElementsMatch(t, []string{row.ID, refused.ID}, due())

	_, err = s.Beside(t.Context(), start, row.ID, to(transfer.Failed))
	requireCode(t, store.CodeForbidden, err)
	out, err := s.Beside(t.Context(), start, row.ID, func(t *transfer.Transfer) error {
		t.Result = string(transfer.Sent)
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, row.Ref(), out.Ref(), "the holder goes on")
	_, err = s.Beside(t.Context(), start, refused.ID, func(t *transfer.Transfer) error {
		t.ErrorPath = "/error/x"
		return nil
	}, transfer.Event{Kind: "error_file", Detail: `{"path":"/error/x"}`})
	require.NoError(t, err)
	require.Empty(t, due())
	last := events(t, s, refused.ID)
	require.Equal(t, "error_file", last[len(last)-1].Kind)
}
