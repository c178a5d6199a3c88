package instance

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/filemgr"
	"pabal/internal/fault"
	"pabal/store"
	"pabal/transfer"
)

// TestBackupThatFailsIsTold: which file has no backup, since when and why, is
// told to other processes, once in the log; a later process of the instance
// keeps since when; when it can be written nothing is told any more.
func TestBackupThatFailsIsTold(t *testing.T) {
	t.Parallel()
	onEach(t, testBackupThatFailsIsTold, sqlite)
}

func testBackupThatFailsIsTold(t *testing.T, on engine) {
	var log bytes.Buffer
	p := park(t, on, "cms", "institution", []file{rawForm("EB21")}, nil, func(o *Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	r, body := p.stored()
	var last store.LineState
	tell := func() []store.Trouble {
		t.Helper()
		_, err := p.backupStep(t.Context())
		require.NoError(t, err)
		_, err = p.lineStateStep(t.Context(), &last)
		require.NoError(t, err)
		l, err := p.s.LineState(t.Context(), p.o.ID)
		require.NoError(t, err)
		return l.Troubles
	}
	require.NoError(t, os.WriteFile(p.path("backup"), []byte("in the way"), 0o600))
	began := p.now().UTC()
	want := []store.Trouble{{Stage: store.TroubleBackup, Code: string(filemgr.CodeNotADir), Count: 1,
		Files: []store.TroubledFile{{ID: r.ID, Since: began, Detail: `{"subject":"` + filepath.Dir(r.BackupPath) + `"}`}}}}
	require.Equal(t, want, tell())
	p.pass(time.Hour)
	require.Equal(t, want, tell(), "since it began")
	require.Equal(t, 1, strings.Count(log.String(), "cannot be written"), "%s", log.String())

	p.troubles, last = troubles{}, store.LineState{} // as a process that has just started
	p.pass(time.Hour)
	require.Equal(t, want, tell())

	require.NoError(t, os.Remove(p.path("backup")))
	require.Empty(t, tell())
	require.Equal(t, sum(body), sum(mustRead(t, p.again(r).BackupPath)))
}

// TestRefusedFileThatCannotBeMovedIsTold: as for backups.
func TestRefusedFileThatCannotBeMovedIsTold(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, on engine) {
		p := park(t, on, "cms", "institution", []file{rawForm("EB21")}, nil, nil)
		sc := (&scan{}).with(t.Context(), p.Instance)
		r := p.row(transfer.Send, transfer.Refused, func(r *transfer.Transfer) { note(r, fault.New(filemgr.CodeEmpty, r.Name)) })
		require.NoError(t, os.WriteFile(filepath.Join(p.work, r.ID+"~"+r.Name), nil, 0o600))
		require.NoError(t, os.WriteFile(p.path("error"), nil, 0o600))
		require.NoError(t, sc.tidy(t.Context()))
		got := p.troubles.list()
		require.Len(t, got, 1)
		require.Equal(t, store.TroubleError, got[0].Stage)
		require.Equal(t, string(filemgr.CodeNotADir), got[0].Code)
		require.Equal(t, r.ID, got[0].Files[0].ID)
		require.NoError(t, os.Remove(p.path("error")))
		require.NoError(t, sc.tidy(t.Context()))
		require.Empty(t, p.troubles.list())
		require.NoError(t, sc.tidy(t.Context()), "nothing is left in work")
	}, sqlite)
}

// TestManyTroubles: all are counted, and those that have waited longest named.
func TestManyTroubles(t *testing.T) {
	var k troubles
	failed := map[string]error{}
	for n := range mostTroubled + 10 {
		failed[string(rune('가'+n))] = fault.New(filemgr.CodeDiskFull, "x")
	}
	require.Len(t, k.tell(store.TroubleBackup, failed, noon), mostTroubled+10)
	failed["other"] = fault.New(filemgr.CodeVanished, "y")
	fresh := k.tell(store.TroubleBackup, failed, noon.Add(time.Hour))
	require.True(t, fresh["other"])
	require.False(t, fresh["가"])
	got := k.list()
	require.Len(t, got, 2)
	require.Equal(t, mostTroubled+10, got[0].Count)
	require.Len(t, got[0].Files, mostTroubled)
	require.Equal(t, noon.Add(time.Hour).UTC(), got[1].Files[0].Since)
}
