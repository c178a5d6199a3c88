package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"pabal/config"
	"pabal/control"
	"pabal/store"
)

// TestBeginBesideAnother: two processes that start with the same file at the same
// moment both begin. The one whose version comes too late works by the other's.
func TestBeginBesideAnother(t *testing.T) {
	dir, path := yard(t, centreSide("sqlite:pabal.db", "\ninstances: [ { id: instance_A, listen: [{ address: \"127.0.0.1:0\", profile: cms }] } ]\n"))
	a, err := newApp(nil, io.Discard, io.Discard)
	require.NoError(t, err)
	a.configPath = path
	file, err := config.ReadFile(path)
	require.NoError(t, err)
	own, err := a.prove(file, nil, a.env)
	require.NoError(t, err)
	st, err := store.Open(t.Context(), store.Options{URL: "sqlite:" + filepath.Join(dir, "pabal.db"), Server: true})
	require.NoError(t, err)
	defer st.Close()
	require.NoError(t, st.Migrate(t.Context()))

	other := control.New(st, a.cat, a.language(), time.Now)
	before := sync.OnceFunc(func() { // the first has seen that there is no version, and proposes one
		text, err := file.Document()
		require.NoError(t, err)
		verdict, err := other.Apply(t.Context(), control.Proposal{Document: text, Digest: config.Digest(text), Origin: control.OriginStart,
			Source: "other", Place: "other", Wait: hanging}, a.actor("applied at start"))
		require.NoError(t, err)
		require.True(t, verdict.Active)
	})
	a.now = func() time.Time { before(); return time.Now() }

	ctx, stop := context.WithCancel(t.Context())
	group, ctx := errgroup.WithContext(ctx)
	s := &server{a: a, st: st, log: slog.New(slog.DiscardHandler), file: file, own: own, pid: os.Getpid(), group: group, ctx: ctx, hard: t.Context(),
		running: map[string]*running{}}
	require.NoError(t, s.begin(ctx))
	require.EqualValues(t, 1, s.version.number)
	all, err := st.ConfigVersions(t.Context(), 0)
	require.NoError(t, err)
	require.Len(t, all, 1, "there is nothing to apply any more")
	<-s.running["instance_A"].instance.Ready()
	stop()
	require.NoError(t, group.Wait())
}
