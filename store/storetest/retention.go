package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/store"
	"pabal/transfer"
)

const day = 24 * time.Hour

// done makes a finished transfer with payload that ended at start.
func done(t *testing.T, s *store.Store, d transfer.Direction, status transfer.Status, blocks int64, f ...func(*transfer.Transfer)) *transfer.Transfer {
	t.Helper()
	row := create(t, s, d, status, append([]func(*transfer.Transfer){func(r *transfer.Transfer) {
		r.DataSize, r.PerBlock = 10, 1
		r.FileDigest, r.WireDigest, r.EndedAt = "f", "w", start
		if d == transfer.Send {
			r.BackupPath, r.BackedUpAt = "/backup/x", start
		} else {
			r.FinalPath = "/receive/x"
		}
	}}, f...)...)
	for n := int64(1); n <= blocks; n++ {
		put(t, s, row, block(row, n, random(10)))
	}
	return row
}

func blocksHeld(t *testing.T, s *store.Store, id string) int {
	t.Helper()
	infos, err := s.BlockInfos(t.Context(), id)
	require.NoError(t, err)
	return len(infos)
}

// purge runs all steps.
func purge(t *testing.T, s *store.Store, now, before time.Time) (ids []string) {
	t.Helper()
	for more := true; more; {
		var done []string
		var err error
		done, more, err = s.Purge(t.Context(), now, before)
		require.NoError(t, err)
		ids = append(ids, done...)
	}
	return ids
}

// testPurge: only what nobody needs goes, and only when its time has come.
func testPurge(t *testing.T, open Open) {
	s := open(t)
	cases := []struct {
		name   string
		d      transfer.Direction
		status transfer.Status
		goes   bool
		f      func(*transfer.Transfer)
	}{
		{"sent", transfer.Send, transfer.Sent, true, nil},
		{"sent, not backed up", transfer.Send, transfer.Sent, false, func(r *transfer.Transfer) { r.BackedUpAt, r.WorkPath = time.Time{}, "/work/x" }},
		{"sent, no digest", transfer.Send, transfer.Sent, false, func(r *transfer.Transfer) { r.FileDigest = "" }},
		{"sent, asked about", transfer.Send, transfer.Sent, false, func(r *transfer.Transfer) { r.Ask = transfer.AskStatus }},
		{"sent just now", transfer.Send, transfer.Sent, false, func(r *transfer.Transfer) { r.EndedAt = start.Add(2 * day) }},
		{"failed", transfer.Send, transfer.Failed, true, nil},
		{"failed before it was whole", transfer.Send, transfer.Failed, true, func(r *transfer.Transfer) { r.BackedUpAt, r.FileDigest, r.WireDigest = time.Time{}, "", "" }},
		{"cancelled", transfer.Send, transfer.Cancelled, true, nil},
		{"refused", transfer.Send, transfer.Refused, true, func(r *transfer.Transfer) { r.BackedUpAt = time.Time{} }},
		{"waiting", transfer.Send, transfer.Waiting, false, nil},
		{"unknown", transfer.Send, transfer.Unknown, false, nil},
		{"held", transfer.Send, transfer.Held, false, nil},
		{"assembled", transfer.Receive, transfer.Assembled, true, nil},
		{"to be delivered", transfer.Receive, transfer.Assembled, false, func(r *transfer.Transfer) { r.NextTry = start }},
		{"delivered", transfer.Receive, transfer.Delivered, true, nil},
		{"assembled nowhere", transfer.Receive, transfer.Assembled, false, func(r *transfer.Transfer) { r.FinalPath = "" }},
		{"received", transfer.Receive, transfer.Received, false, nil},
		{"receiving", transfer.Receive, transfer.Receiving, false, nil},
		{"placing", transfer.Receive, transfer.Placing, false, nil},
		{"received and failed", transfer.Receive, transfer.Failed, false, nil},
		{"received and cancelled", transfer.Receive, transfer.Cancelled, true, nil},
		{"abandoned", transfer.Receive, transfer.Abandoned, true, nil},
		{"duplicate", transfer.Receive, transfer.Duplicate, true, nil},
	}
	ids := make([]string, len(cases))
	var want []string
	for n, c := range cases {
		row := done(t, s, c.d, c.status, 2, func(r *transfer.Transfer) {
			if c.f != nil {
				c.f(r)
			}
		})
		if ids[n] = row.ID; c.goes {
			want = append(want, row.ID)
		}
	}
	require.Empty(t, purge(t, s, start.Add(day), start), "too early")
	require.ElementsMatch(t, want, purge(t, s, start.Add(day), start.Add(time.Hour)))
	for n, c := range cases {
		row := read(t, s, ids[n])
		if !c.goes {
			require.Equal(t, 2, blocksHeld(t, s, row.ID), c.name)
			require.Zero(t, row.ReleasedAt, c.name)
			require.Zero(t, row.PurgedAt, c.name)
			continue
		}
		require.Zero(t, blocksHeld(t, s, row.ID), c.name)
		require.Equal(t, start.Add(day), row.ReleasedAt, c.name)
		require.Equal(t, start.Add(day), row.PurgedAt, c.name)
		require.Contains(t, []string{"f", ""}, row.FileDigest, c.name)
		all := events(t, s, row.ID)
		require.Equal(t, store.EventRelease, all[len(all)-1].Kind)
	}
	require.Empty(t, purge(t, s, start.Add(2*day), start.Add(time.Hour)), "once")
}

// testPurgeSteps: each step is small, and wherever the process stops the next
// one finishes what was begun, although the time that it was begun for has
// been made longer since.
func testPurgeSteps(t *testing.T, open Open) {
	s := open(t)
	row := done(t, s, transfer.Send, transfer.Sent, 35)
	small := []string{done(t, s, transfer.Send, transfer.Sent, 1).ID, done(t, s, transfer.Send, transfer.Sent, 1).ID}
	later := start.Add(10 * day)
	ids, more, err := s.Purge(t.Context(), later, start.Add(day))
	require.NoError(t, err)
	require.True(t, more)
	require.NotContains(t, ids, row.ID)
	left := blocksHeld(t, s, row.ID)
	require.Equal(t, 25, left, "one step")
	half := read(t, s, row.ID)
	require.Equal(t, later, half.ReleasedAt, "what is half there is not for use")
	require.Zero(t, half.PurgedAt)
	_, err = s.ReadRange(t.Context(), row.ID, 0, 350, nil)
	require.Error(t, err)

	s = reopen(t, s)
	require.Equal(t, []string{row.ID}, purge(t, s, later.Add(time.Hour), start.Add(-day)), "what was begun is finished")
	require.Zero(t, blocksHeld(t, s, row.ID))
	require.Equal(t, later, read(t, s, row.ID).ReleasedAt)
	require.Equal(t, later.Add(time.Hour), read(t, s, row.ID).PurgedAt)
	require.ElementsMatch(t, small, append(ids, purge(t, s, later, start.Add(day))...), "ids of one millisecond come in any order")

	// In the middle of it a person wants it sent again: nothing more goes, and
	// what is stored again counts as there.
	row = done(t, s, transfer.Send, transfer.Sent, 25)
	_, _, err = s.Purge(t.Context(), later, start.Add(day))
	require.NoError(t, err)
	again, err := s.Command(t.Context(), later, transfer.Command{Name: "resend", TransferID: row.ID}, func(r *transfer.Transfer) error {
		r.Status, r.ReleasedAt, r.EndedAt = transfer.Storing, time.Time{}, time.Time{}
		return nil
	})
	require.NoError(t, err)
	require.Empty(t, purge(t, s, later, later.Add(day)))
	require.Equal(t, 15, blocksHeld(t, s, row.ID))
	require.NoError(t, s.DropBlocks(t.Context(), later, again.Ref(), 1))
	put(t, s, again, block(again, 1, random(10)))
	require.Zero(t, read(t, s, row.ID).PurgedAt)
	require.Empty(t, purge(t, s, later, later.Add(day)))
	require.Equal(t, 1, blocksHeld(t, s, row.ID))
}

// testPurgeTogether: processes that delete at once neither collide nor report
// a transfer twice as gone.
func testPurgeTogether(t *testing.T, open Open) {
	s := open(t)
	var want []string
	for range 30 {
		want = append(want, done(t, s, transfer.Send, transfer.Sent, 3).ID)
	}
	other := openAgain(t, s.OpenedWith(), false)
	type result struct {
		ids []string
		err error
	}
	results := make(chan result)
	for _, one := range []*store.Store{s, other} {
		go func() {
			var r result
			for more := true; more && r.err == nil; {
				var ids []string
				ids, more, r.err = one.Purge(t.Context(), start.Add(2*day), start.Add(day))
				r.ids = append(r.ids, ids...)
			}
			results <- r
		}()
	}
	var got []string
	for range 2 {
		r := <-results
		require.NoError(t, r.err)
		got = append(got, r.ids...)
	}
	require.ElementsMatch(t, want, got)
}

// testExpire: rows go when they are old and nothing is under way with them;
// commands stay.
func testExpire(t *testing.T, open Open) {
	s := open(t)
	old := done(t, s, transfer.Send, transfer.Sent, 2)
	kept := done(t, s, transfer.Receive, transfer.Failed, 2) // its payload is never deleted
	under := create(t, s, transfer.Send, transfer.Waiting)
	_, err := s.Command(t.Context(), start, transfer.Command{Name: "resend", TransferID: old.ID, Who: "kim"}, nil)
	require.NoError(t, err)
	for n := range 3 {
		require.NoError(t, s.Event(t.Context(), start, transfer.Event{Kind: "scan", Detail: fmt.Sprintf(`{"n":%d}`, n)}))
	}
	session := &transfer.Session{ID: "s1", OpenedAt: start, ClosedAt: start.Add(time.Minute)}
	require.NoError(t, s.OpenSession(t.Context(), start, session))
	require.NoError(t, s.CloseSession(t.Context(), start.Add(time.Minute), 0, session))
	require.NoError(t, s.OpenSession(t.Context(), start, &transfer.Session{ID: "s2", OpenedAt: start}))

	expire := func(before time.Time) (transfers, sessions int64) {
		t.Helper()
		for more := true; more; {
			n, again, err := s.ExpireTransfers(t.Context(), before)
			require.NoError(t, err)
			transfers, more = transfers+n, again
		}
		for next, more := int64(0), true; more; {
			_, next, err = s.ExpireEvents(t.Context(), before, next)
			require.NoError(t, err)
			more = next > 0
		}
		for more := true; more; {
			n, again, err := s.ExpireSessions(t.Context(), before)
			require.NoError(t, err)
			sessions, more = sessions+n, again
		}
		return transfers, sessions
	}
	requireExpired := func(before time.Time, transfers, sessions int64, why string) {
		t.Helper()
		tr, se := expire(before)
		require.Equal(t, []int64{transfers, sessions}, []int64{tr, se}, why)
	}
	requireExpired(start, 0, 0, "too early")
	require.Len(t, events(t, s, old.ID), 1)
	requireExpired(start.Add(time.Second), 0, 0, "it still has payload, and the session was open then")
	purge(t, s, start.Add(time.Minute), start.Add(time.Second))
	requireExpired(start.Add(day), 1, 1, "")
	_, err = s.Transfer(t.Context(), old.ID)
	requireCode(t, store.CodeNotFound, err)
	require.Equal(t, transfer.Failed, read(t, s, kept.ID).Status)
	require.Len(t, events(t, s, under.ID), 1, "history of what is under way stays")
	require.Empty(t, events(t, s, kept.ID))
	require.Empty(t, events(t, s, old.ID))
	commands, err := s.Commands(t.Context(), store.CommandFilter{TransferID: old.ID})
	require.NoError(t, err)
	require.Len(t, commands, 1)
	left, err := s.Sessions(t.Context(), store.SessionFilter{})
	require.NoError(t, err)
	require.Len(t, left, 1, "the open one")
	require.Equal(t, "s2", left[0].ID)
}

func testTurn(t *testing.T, open Open) {
	s := open(t)
	turn := func(at time.Time) bool {
		ok, err := s.Turn(t.Context(), at, "work", time.Minute)
		require.NoError(t, err)
		return ok
	}
	require.True(t, turn(start))
	require.False(t, turn(start))
	require.False(t, turn(start.Add(59*time.Second)))
	require.True(t, turn(start.Add(time.Minute)))
	require.False(t, turn(start.Add(30*time.Second)), "a clock that is a little behind")
	require.True(t, turn(start.Add(-day)), "one that was set back does not stop it for a day")
	ok, err := s.Turn(t.Context(), start, "other", time.Minute)
	require.NoError(t, err)
	require.True(t, ok)
}
