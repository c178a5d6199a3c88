package instance

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/filemgr"
	"pabal/protocol/sessionlog"
	"pabal/store"
	"pabal/transfer"
)

// soon waits for what a stage does by itself.
func soon(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(hang)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal(what + " did not happen")
		}
	}
}

func (h *host) purged(id string) bool {
	r, err := h.store.Transfer(context.Background(), id)
	return err == nil && !r.PurgedAt.IsZero()
}

// TestPayloadIsDeletedAndStoredAgain: content goes from both ends when its time
// has come, files and digests stay, and a person can have the file sent again:
// it is stored from its backup and arrives as it was.
func TestPayloadIsDeletedAndStoredAgain(t *testing.T) {
	t.Parallel()
	onAll(t, testPayloadIsDeletedAndStoredAgain)
}

func testPayloadIsDeletedAndStoredAgain(t *testing.T, on engine) {
	var ahead atomic.Int64
	p := newPair(t, on, "edi", []file{rawForm("C02")}, nil, func(i, c *Options) {
		for _, o := range []*Options{i, c} {
			o.Retention = Retention{Payload: 7 * 24 * time.Hour, Every: 20 * time.Millisecond}
			o.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		}
	})
	body := content(2*blockOf("edi") + 77)
	p.institution.drop("C02.CENTRE.JOB", body)
	sent := p.institution.await(transfer.Send, transfer.Sent, 1)[0]
	got := p.centre.await(transfer.Receive, transfer.Assembled, 1)[0]
	soon(t, "the backup", func() bool {
		r, err := p.institution.store.Transfer(t.Context(), sent.ID)
		return err == nil && !r.BackedUpAt.IsZero()
	})
	require.False(t, p.institution.purged(sent.ID))
	require.False(t, p.centre.purged(got.ID))

	ahead.Store(int64(8 * 24 * time.Hour))
	soon(t, "the deletion", func() bool { return p.institution.purged(sent.ID) && p.centre.purged(got.ID) })
	for h, id := range map[*host]string{p.institution: sent.ID, p.centre: got.ID} {
		infos, err := h.store.BlockInfos(t.Context(), id)
		require.NoError(t, err)
		require.Empty(t, infos)
	}
	sent, err := p.institution.store.Transfer(t.Context(), sent.ID)
	require.NoError(t, err)
	require.Equal(t, sum(body), sent.FileDigest)
	for _, path := range []string{sent.BackupPath, got.FinalPath} {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, sum(body), sum(b))
	}

	// What control's resend does to the row.
	_, err = p.institution.store.Command(t.Context(), time.Now(), transfer.Command{Name: "resend", TransferID: sent.ID, Reason: "lost there"},
		func(r *transfer.Transfer) error {
			r.Status, r.ReleasedAt, r.EndedAt = transfer.Storing, time.Time{}, time.Time{}
			r.SentBytes, r.Resent, r.EndedOnce, r.Proofs = 0, 0, false, ""
			return nil
		})
	require.NoError(t, err)
	all := p.centre.await(transfer.Receive, transfer.Assembled, 2)
	for _, r := range all {
		require.Equal(t, sum(body), r.FileDigest)
	}
	again := p.institution.await(transfer.Send, transfer.Sent, 1)[0]
	require.Zero(t, again.PurgedAt)
	require.Zero(t, again.ReleasedAt)
	v, err := p.institution.store.Verify(t.Context(), again.ID)
	require.NoError(t, err)
	require.Equal(t, sum(body), v.SHA256)
}

// TestOldFilesAreRemoved: day directories go, except what is not ours and the
// backup of a transfer that is still under way.
func TestOldFilesAreRemoved(t *testing.T) {
	t.Parallel()
	p := park(t, sqlite, "cms", "institution", []file{rawForm("EB21")}, nil, func(o *Options) {
		o.Retention = Retention{Backup: 30 * 24 * time.Hour, Error: 10 * 24 * time.Hour}
	})
	stamp := func(age int) (day, stamp string) {
		at := noon.AddDate(0, 0, -age)
		return at.Format("20060102"), at.Format("20060102150405") + "000"
	}
	scan := p.o.Dirs.Scan
	file := func(kind string, age int, name string) string {
		day, at := stamp(age)
		path := filepath.Join(filepath.Dir(scan), kind, day, fmt.Sprintf(name, at))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o750))
		require.NoError(t, os.WriteFile(path, []byte("x"), 0o640))
		return path
	}
	gone := []string{
		file("backup", 40, "EB21.CENTRE.JOB%s"), file("backup", 40, "EB21.CENTRE.JOB%s-0abc123"),
		file("error", 12, "EB22.CENTRE.JOB%s"), file("error", 12, "EB22.CENTRE.JOB%s.txt"),
	}
	needed := file("backup", 41, "EB23.CENTRE.JOB%s")
	stay := []string{
		needed, file("backup", 20, "EB21.CENTRE.JOB%s"), file("error", 5, "EB21.CENTRE.JOB%s"),
		file("backup", 42, "notes of somebody %s.odt"),
	}
	p.row(transfer.Send, transfer.Held, func(r *transfer.Transfer) { r.BackupPath, r.Place = needed, p.o.Place })
	more, err := p.retainStep(t.Context())
	require.NoError(t, err)
	require.False(t, more)
	for _, path := range gone {
		require.NoFileExists(t, path)
	}
	require.NoDirExists(t, filepath.Dir(gone[0]))
	require.NoDirExists(t, filepath.Dir(gone[2]))
	for _, path := range stay {
		require.FileExists(t, path)
	}

	// It is somebody's turn once an hour.
	again := file("backup", 40, "EB21.CENTRE.JOB%s")
	_, err = p.retainStep(t.Context())
	require.NoError(t, err)
	require.FileExists(t, again)
	p.shift.Store(int64(2 * time.Hour))
	_, err = p.retainStep(t.Context())
	require.NoError(t, err)
	require.NoFileExists(t, again)
}

// TestNothingIsDeletedInQuarantine: what stands on the disk of a database that
// is too old may be all that is left of what it has lost. Each step is asked by
// itself, as if nobody had noticed the quarantine yet; when it is over the same
// files go.
func TestNothingIsDeletedInQuarantine(t *testing.T) {
	t.Parallel()
	onAll(t, testNothingIsDeletedInQuarantine)
}

func testNothingIsDeletedInQuarantine(t *testing.T, on engine) {
	const day = 24 * time.Hour
	logs := t.TempDir()
	p := park(t, on, "cms", "institution", []file{rawForm("EB21")}, nil, func(o *Options) {
		o.Retention = Retention{Payload: day, Backup: day, Error: day, Every: time.Minute}
		o.SessionLog = sessionlog.Options{Dir: logs, Keep: day}
	})
	old := noon.AddDate(0, 0, -40)
	file := func(parts ...string) string {
		path := filepath.Join(parts...)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o750))
		require.NoError(t, os.WriteFile(path, []byte("x"), 0o640))
		require.NoError(t, os.Chtimes(path, old, old))
		return path
	}
	beside, name := filepath.Dir(p.o.Dirs.Scan), "EB21.CENTRE.JOB"+old.Format("20060102150405")+"000"
	cancelled := p.row(transfer.Receive, transfer.Cancelled, func(r *transfer.Transfer) { r.EndedAt = old })
	files := []string{
		file(beside, "backup", old.Format("20060102"), name),
		file(beside, "error", old.Format("20060102"), name),
		file(beside, "error", old.Format("20060102"), name+".txt"),
		file(logs, old.Format("20060102"), "0abc.jsonl"),
		file(filemgr.StagedPath(p.o.Dirs.Receive, cancelled.ID)),
	}
	if on.inFiles() {
		path := file(filemgr.StagedPath(p.o.Dirs.Receive, "payload"))
		p.row(transfer.Receive, transfer.Abandoned, func(r *transfer.Transfer) { r.EndedAt, r.PayloadIn = old, path })
		files = append(files, path)
	}
	steps := func() {
		t.Helper()
		_, err := p.retainStep(t.Context())
		require.NoError(t, err)
		_, err = p.expireStep(t.Context())
		require.NoError(t, err)
	}
	require.NoError(t, p.s.SetMeta(t.Context(), "quarantine", `{"id":"q","place":"host","why":"older_event"}`))
	for range 3 {
		steps()
		p.pass(9 * time.Hour)
		for _, path := range files {
			require.FileExists(t, path)
		}
	}
	require.NoError(t, p.s.EndQuarantine(t.Context(), p.now(), transfer.Command{Name: "recover"}, func(*store.Quarantine) error { return nil }))
	steps()
	for _, path := range files {
		require.NoFileExists(t, path)
	}
}
