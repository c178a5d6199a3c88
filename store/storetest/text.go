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
