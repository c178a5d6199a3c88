package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/store"
	"pabal/transfer"
)

// testCreateFenced: a process whose term is over makes no row that it owns.
func testCreateFenced(t *testing.T, open Open) {
	s, term := begin(t, open)
	_, err := s.Begin(t.Context(), start, "one", "host", 2)
	require.NoError(t, err)
	row := &transfer.Transfer{Direction: transfer.Receive, Status: transfer.Receiving, Owner: "one", Term: term, Attempt: 1}
	require.ErrorIs(t, s.Create(t.Context(), start, row), store.ErrFenced)
	all, err := s.List(t.Context(), store.Filter{})
	require.NoError(t, err)
	require.Empty(t, all)
	row.Term++
	require.NoError(t, s.Create(t.Context(), start, row))
}

// testText: what one engine could not hold none takes, with one code, and
// nothing of the write is there.
func testText(t *testing.T, open Open) {
	s, term := begin(t, open)
	row := held(t, s, term, transfer.Send, transfer.Sending)
	for _, bad := range []string{"nul\x00", "\xb1\xe2\xbe\xf7.dat", "half \xea\xb8"} {
		_, err := s.Change(t.Context(), start, row.Ref(), func(r *transfer.Transfer) error { r.Missed, r.Response = 1, bad; return nil })
		requireCode(t, store.CodeText, err)
		requireCode(t, store.CodeText, s.Create(t.Context(), start, &transfer.Transfer{Direction: transfer.Send, Status: transfer.Storing, Name: bad}))
		requireCode(t, store.CodeText, s.Event(t.Context(), start, transfer.Event{TransferID: row.ID, Kind: "x", Detail: bad}))
		requireCode(t, store.CodeText, s.SetMeta(t.Context(), "x", bad))
		_, err = s.List(t.Context(), store.Filter{Name: bad})
		requireCode(t, store.CodeText, err)
	}
	after, err := s.Transfer(t.Context(), row.ID)
	require.NoError(t, err)
	require.Equal(t, row, after)
	_, err = s.Change(t.Context(), start, row.Ref(), func(r *transfer.Transfer) error { r.Response = "기업.dat"; return nil })
	require.NoError(t, err)
}

// testCreateAnnounced: a file that is announced is made only while nothing more
// of its names is there than was seen.
func testCreateAnnounced(t *testing.T, open Open) {
	s, term := begin(t, open)
	same := store.Identity{Institution: "KB", Direction: transfer.Receive, WireName: "EB21", BaseDate: "20260301"}
	row := func(date string) *transfer.Transfer {
		return &transfer.Transfer{ID: store.NewID(start), Institution: "KB", Direction: transfer.Receive, WireName: "EB21", BaseDate: date,
			Status: transfer.Receiving, Owner: "one", Term: term, Attempt: 1}
	}
	as := store.Announced{Same: same, Statuses: []transfer.Status{transfer.Receiving, transfer.Received}}
	first := row("20260301")
	require.NoError(t, s.CreateAnnounced(t.Context(), start, first, as))
	second := row("20260301")
	require.ErrorIs(t, s.CreateAnnounced(t.Context(), start, second, as), store.ErrMeanwhile)
	_, err := s.Transfer(t.Context(), second.ID)
	require.ErrorIs(t, err, store.ErrNotFound)

	other := row("20260302")
	as.Same.BaseDate = "20260302"
	require.NoError(t, s.CreateAnnounced(t.Context(), start, other, as), "another day is another file")
	as.Same.BaseDate = "20260301"
	as.Seen = 1
	third := row("20260301")
	require.NoError(t, s.CreateAnnounced(t.Context(), start, third, as), "one that was seen")
	for _, r := range []*transfer.Transfer{first, third} {
		_, err := s.Change(t.Context(), start, r.Ref(), to(transfer.Failed))
		require.NoError(t, err)
	}
	as.Seen = 0
	require.NoError(t, s.CreateAnnounced(t.Context(), start, row("20260301"), as), "what has failed does not count")

	late := row("20260303")
	late.Term--
	as.Same.BaseDate = "20260303"
	require.ErrorIs(t, s.CreateAnnounced(t.Context(), start, late, as), store.ErrFenced)
}
