package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/store"
)

// testLineState: each instance tells its own, and one that is over tells
// nothing more.
func testLineState(t *testing.T, open Open) {
	s := open(t)
	at := time.Date(2026, 3, 20, 1, 2, 3, 0, time.UTC)
	term, err := s.Begin(t.Context(), at, "a", "host", 1)
	require.NoError(t, err)
	empty, err := s.LineState(t.Context(), "a")
	require.NoError(t, err)
	require.Zero(t, empty)
	want := store.LineState{Since: at, Certificates: []store.Certificate{{File: "us.pem", Subject: "CN=us", SHA256: "00", NotBefore: at, NotAfter: at}},
		Refused:  []store.Refused{{Address: "192.0.2.1", Code: "instance.stranger", Detail: "{}", Count: 7, First: at, Last: at}},
		Troubles: []store.Trouble{{Stage: store.TroubleBackup, Code: "file.disk_full", Count: 300, Files: []store.TroubledFile{{ID: "x", Since: at, Detail: "{}"}}}}}
	require.NoError(t, s.SetLineState(t.Context(), "a", term, store.LineState{Since: at}))
	require.NoError(t, s.SetLineState(t.Context(), "a", term, want))
	got, err := s.LineState(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, want, got)
	_, err = s.Begin(t.Context(), at, "a", "host", 2)
	require.NoError(t, err)
	require.ErrorIs(t, s.SetLineState(t.Context(), "a", term, empty), store.ErrFenced)
	got, err = s.LineState(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, want, got)
	got, err = s.LineState(t.Context(), "b")
	require.NoError(t, err)
	require.Zero(t, got)
}
