package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/store"
	"pabal/transfer"
)

func testTerms(t *testing.T, open Open) {
	s := open(t)
	for want := int64(1); want <= 3; want++ {
		term, err := s.Begin(t.Context(), start, "one", fmt.Sprint("host", want), int(want))
		require.NoError(t, err)
		require.Equal(t, want, term)
	}
	require.NoError(t, s.Beat(t.Context(), start.Add(time.Minute), "one", 3))
	all, err := s.Instances(t.Context())
	require.NoError(t, err)
	require.Equal(t, []*store.Instance{{ID: "one", Term: 3, Beat: start.Add(time.Minute), Beats: 1, Lease: s.Lease(), Host: "host3", PID: 3, Started: start}}, all)
}

func testSessions(t *testing.T, open Open) {
	s, term := begin(t, open)
	first := &transfer.Session{Institution: "0990001", Profile: "cms", Direction: transfer.Receive, Files: 2, Instance: "one", Peer: "127.0.0.1:9", Calling: true}
	require.NoError(t, s.OpenSession(t.Context(), start, first))
	require.Len(t, first.ID, 13)
	second := &transfer.Session{ID: "s2", Instance: "two", OpenedAt: start.Add(time.Minute)}
	require.NoError(t, s.OpenSession(t.Context(), start, second))

	all, err := s.Sessions(t.Context(), store.SessionFilter{Institution: "0990001", OpenOnly: true})
	require.NoError(t, err)
	require.Equal(t, []*transfer.Session{first}, all)

	first.ErrorCode = "session.lost"
	require.NoError(t, s.CloseSession(t.Context(), start.Add(time.Hour), term, first))
	require.Equal(t, start.Add(time.Hour), first.ClosedAt)
	all, err = s.Sessions(t.Context(), store.SessionFilter{NewestFirst: true})
	require.NoError(t, err)
	require.Equal(t, []*transfer.Session{second, first}, all)
	all, err = s.Sessions(t.Context(), store.SessionFilter{OpenOnly: true})
	require.NoError(t, err)
	require.Equal(t, []*transfer.Session{second}, all)

	// A session in which a file was refused has failed as well. A transfer's
	// history is none of it.
	require.NoError(t, s.Event(t.Context(), start, transfer.Event{SessionID: "s2", TransferID: "t1", Kind: store.EventRefused}))
	require.NoError(t, s.Event(t.Context(), start, transfer.Event{SessionID: "s2", Kind: "more"}))
	all, err = s.Sessions(t.Context(), store.SessionFilter{Failed: true})
	require.NoError(t, err)
	require.Equal(t, []*transfer.Session{first}, all)
	require.NoError(t, s.Event(t.Context(), start, transfer.Event{SessionID: "s2", Kind: store.EventRefused, Code: "a"}))
	require.NoError(t, s.Event(t.Context(), start, transfer.Event{SessionID: "s3", Kind: store.EventRefused, Code: "b"}))
	all, err = s.Sessions(t.Context(), store.SessionFilter{Failed: true})
	require.NoError(t, err)
	require.Equal(t, []*transfer.Session{first, second}, all)
	refused, err := s.Refusals(t.Context(), []string{first.ID, "s2"})
	require.NoError(t, err)
	require.Len(t, refused, 1)
	require.Equal(t, "a", refused[0].Code)
	latest, err := s.RefusalsSince(t.Context(), start, 1)
	require.NoError(t, err)
	require.Len(t, latest, 1)
	require.Equal(t, "b", latest[0].Code)
	latest, err = s.RefusalsSince(t.Context(), start.Add(time.Second), 9)
	require.NoError(t, err)
	require.Empty(t, latest)
	refused, err = s.Refusals(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, refused)

	// What a dead process left open is closed by its successor, and only that.
	left := &transfer.Session{Instance: "one"}
	require.NoError(t, s.OpenSession(t.Context(), start, left))
	_, err = s.Begin(t.Context(), start.Add(2*time.Hour), "one", "host", 2)
	require.NoError(t, err)
	all, err = s.Sessions(t.Context(), store.SessionFilter{ID: left.ID})
	require.NoError(t, err)
	require.Equal(t, string(store.CodeSessionCut), all[0].ErrorCode)
	require.Equal(t, start.Add(2*time.Hour), all[0].ClosedAt)
	all, err = s.Sessions(t.Context(), store.SessionFilter{ID: first.ID})
	require.NoError(t, err)
	require.Equal(t, first, all[0])
}

func testSettings(t *testing.T, open Open) {
	s := open(t)
	id, err := s.Identity(t.Context())
	require.NoError(t, err)
	require.Len(t, id, 32)
	require.NoError(t, s.Migrate(t.Context()))
	again, err := s.Identity(t.Context())
	require.NoError(t, err)
	require.Equal(t, id, again, "the identity is given once")

	_, ok, err := s.Meta(t.Context(), "x")
	require.NoError(t, err)
	require.False(t, ok)
	for _, v := range []string{"1", ""} {
		require.NoError(t, s.SetMeta(t.Context(), "x", v))
		got, ok, err := s.Meta(t.Context(), "x")
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, v, got)
	}

	w, err := s.Window(t.Context(), "cms/1")
	require.NoError(t, err)
	require.Zero(t, w)
	want := store.Window{LastTry: start}
	require.NoError(t, s.SetWindow(t.Context(), start, "cms/1", want))
	want.LastSuccess = start.Add(time.Second)
	require.NoError(t, s.SetWindow(t.Context(), start, "cms/1", want))
	w, err = s.Window(t.Context(), "cms/1")
	require.NoError(t, err)
	require.Equal(t, want, w)
}

// testFailuresAlone: writes share transactions; one that fails takes nothing
// of another with it and leaves nothing of itself.
func testFailuresAlone(t *testing.T, open Open) {
	s, term := begin(t, open)
	const n = 40
	rows := make([]*transfer.Transfer, n)
	for i := range rows {
		rows[i] = held(t, s, term, transfer.Send, transfer.Storing)
	}
	refuse := errors.New("refuse")
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i, row := range rows {
		wg.Go(func() {
			_, errs[i] = s.Change(t.Context(), start, row.Ref(), func(row *transfer.Transfer) error {
				row.Status = transfer.Stored
				if i%3 == 0 {
					return refuse
				}
				return nil
			}, block(row, 1, random(100)))
		})
	}
	wg.Wait()
	for i, row := range rows {
		infos, err := s.BlockInfos(t.Context(), row.ID)
		require.NoError(t, err)
		if i%3 == 0 {
			require.ErrorIs(t, errs[i], refuse)
			require.Equal(t, transfer.Storing, read(t, s, row.ID).Status)
			require.Len(t, events(t, s, row.ID), 1)
			require.Empty(t, infos)
			continue
		}
		require.NoError(t, errs[i])
		require.Equal(t, transfer.Stored, read(t, s, row.ID).Status)
		require.Len(t, events(t, s, row.ID), 2)
		require.Len(t, infos, 1)
	}
}

func testCancelled(t *testing.T, open Open) {
	s, term := begin(t, open)
	row := held(t, s, term, transfer.Send, transfer.Storing)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 {
		_, err := s.Change(ctx, start, row.Ref(), to(transfer.Stored))
		if err == nil { // its turn came first; then it must be there
			require.Equal(t, transfer.Stored, read(t, s, row.ID).Status)
			return
		}
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, row, read(t, s, row.ID))
	}

	// Cancelled by its own function: its turn has come, so only the outcome counts.
	ctx, cancel = context.WithCancel(t.Context())
	_, err := s.Change(ctx, start, row.Ref(), func(row *transfer.Transfer) error {
		cancel()
		row.Status = transfer.Stored
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, transfer.Stored, read(t, s, row.ID).Status)
}

func testPanic(t *testing.T, open Open) {
	s, term := begin(t, open)
	row := held(t, s, term, transfer.Send, transfer.Storing)
	require.PanicsWithValue(t, "mistake", func() {
		_, err := s.Change(t.Context(), start, row.Ref(), func(*transfer.Transfer) error { panic("mistake") })
		t.Errorf("returned %v", err)
	})
	_, err := s.Change(t.Context(), start, row.Ref(), to(transfer.Stored))
	require.NoError(t, err, "a mistake of one must not stop the others")
	require.Equal(t, transfer.Stored, read(t, s, row.ID).Status)
}

func testReopen(t *testing.T, open Open) {
	s, term := begin(t, open)
	row := held(t, s, term, transfer.Send, transfer.Storing)
	payload := random(950)
	row, err := s.Change(t.Context(), start, row.Ref(), to(transfer.Stored), block(row, 1, payload))
	require.NoError(t, err)
	id, err := s.Identity(t.Context())
	require.NoError(t, err)

	s = reopen(t, s)
	require.Equal(t, row, read(t, s, row.ID))
	got, err := s.ReadRange(t.Context(), row.ID, 0, 950, nil)
	require.NoError(t, err)
	require.Equal(t, payload, got)
	require.Len(t, events(t, s, row.ID), 2)
	again, err := s.Identity(t.Context())
	require.NoError(t, err)
	require.Equal(t, id, again)
	next, err := s.Begin(t.Context(), start, "one", "host", 1)
	require.NoError(t, err)
	require.Equal(t, term+1, next)

	require.NoError(t, s.Close())
	require.NoError(t, s.Close(), "twice is once")
	requireCode(t, store.CodeClosed, s.SetMeta(t.Context(), "x", "y"))
	require.True(t, store.Away(s.SetMeta(t.Context(), "x", "y")))
}
