package filemgr

import (
	"context"
	"io"
	"os"
	"pabal/internal/place"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
)

func TestDatedPaths(t *testing.T) {
	seoul := time.FixedZone("KST", 9*3600)
	at := time.Date(2026, 3, 20, 15, 4, 5, 6_789_000, time.UTC) // already the 21st in Seoul
	require.Equal(t, "/batch/backup/20260321/EB21.KFTC.CMS20260321000405006", BackupPath("/batch/scan/", "EB21.KFTC.CMS", at, seoul))
	require.Equal(t, "/batch/error/20260320/EB21.KFTC.CMS20260320150405006", ErrorPath("/batch/scan", "EB21.KFTC.CMS", at, time.UTC))
}

// Every point at which a crash can stop a backup, and what a second call makes of it.
func TestBackUpAfterACrash(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(t *testing.T, work, backup string)
	}{
		{"before anything", func(t *testing.T, work, backup string) { put(t, work, []byte("content")) }},
		{"after the directory", func(t *testing.T, work, backup string) {
			put(t, work, []byte("content"))
			require.NoError(t, os.MkdirAll(filepath.Dir(backup), 0o700))
		}},
		{"after the rename", func(t *testing.T, work, backup string) {
			require.NoError(t, os.MkdirAll(filepath.Dir(backup), 0o700))
			put(t, backup, []byte("content"))
		}},
		{"copied, not removed", func(t *testing.T, work, backup string) {
			require.NoError(t, os.MkdirAll(filepath.Dir(backup), 0o700))
			put(t, work, []byte("content"))
			put(t, backup, []byte("content"))
		}},
		{"linked, not removed", func(t *testing.T, work, backup string) {
			require.NoError(t, os.MkdirAll(filepath.Dir(backup), 0o700))
			put(t, work, []byte("content"))
			require.NoError(t, os.Link(work, backup))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			work := filepath.Join(root, "1~a")
			backup := filepath.Join(root, "backup", "20260320", "a20260320090000000")
			c.make(t, work, backup)
			for range 2 {
				require.NoError(t, BackUp(context.Background(), work, backup, place.Access{}))
				require.Equal(t, "content", content(t, backup))
				require.NoFileExists(t, work)
			}
			entries, err := os.ReadDir(filepath.Dir(backup))
			require.NoError(t, err)
			require.Len(t, entries, 1)
		})
	}
}

func TestBackUpConflictAndLoss(t *testing.T) {
	ctx := context.Background()
	root := t.TempDir()
	work, backup := filepath.Join(root, "1~a"), filepath.Join(root, "backup", "a")
	requireCode(t, CodeVanished, BackUp(ctx, work, backup, place.Access{}))
	requireCode(t, CodeDirMissing, BackUp(ctx, filepath.Join(root, "none", "1~a"), backup, place.Access{}))
	for _, other := range []string{"longer content", "CONTENT"} {
		put(t, work, []byte("content"))
		put(t, backup, []byte(other))
		requireCode(t, CodeBackupConflict, BackUp(ctx, work, backup, place.Access{}))
		require.Equal(t, "content", content(t, work))
		require.Equal(t, other, content(t, backup))
	}
}

func TestRestoreBackup(t *testing.T) {
	path := filepath.Join(t.TempDir(), "backup", "20260320", "a")
	write := func(text string) func(io.Writer) error {
		return func(w io.Writer) error { _, err := io.WriteString(w, text); return err }
	}
	require.ErrorIs(t, RestoreBackup(path, place.Access{}, func(w io.Writer) error { return io.ErrUnexpectedEOF }), io.ErrUnexpectedEOF)
	require.NoFileExists(t, path, "half a backup is none")
	require.NoError(t, RestoreBackup(path, place.Access{}, write("content")))
	require.NoError(t, RestoreBackup(path, place.Access{}, write("other")))
	require.Equal(t, "content", content(t, path), "a backup that is there stays")
}

func TestRefuse(t *testing.T) {
	root := t.TempDir()
	work := put(t, filepath.Join(root, "1~a"), []byte("bad"))
	path := filepath.Join(root, "error", "20260320", "a20260320090000000")
	for range 2 { // the second as after a crash
		require.NoError(t, Refuse(context.Background(), work, path, "check.empty\nreason\nnext", place.Access{}))
		require.Equal(t, "bad", content(t, path))
		require.Equal(t, "check.empty\nreason\nnext", content(t, path+".txt"))
		require.NoFileExists(t, work)
		require.NoError(t, os.Remove(path+".txt"))
	}
}

// TestRefuseWritesTheReasonFirst: a crash between the two leaves the work file,
// by which the caller knows that it has to go on.
func TestRefuseWritesTheReasonFirst(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, "error", "20260320", "a20260320090000000")
	err := Refuse(context.Background(), filepath.Join(root, "1~a"), path, "reason", place.Access{})
	require.Equal(t, CodeVanished, fault.CodeOf(err))
	require.Equal(t, "reason", content(t, path+".txt"))

	work := put(t, filepath.Join(root, "2~a"), []byte("second"))
	put(t, path, []byte("first"))
	require.Equal(t, CodeBackupConflict, fault.CodeOf(Refuse(context.Background(), work, path, "other", place.Access{})))
	require.Equal(t, "reason", content(t, path+".txt"), "the first file keeps its reason")
}

// TestResultFiles: one outcome stands there at a time, and what was placed and
// taken away does not come back.
func TestResultFiles(t *testing.T) {
	dir := t.TempDir()
	make := func(key string, ok bool, text string) {
		require.NoError(t, StageResult(dir, key, text, place.Access{}))
		require.NoError(t, PlaceResult(dir, key, "a", ok))
	}
	make("1", false, "no")
	require.Equal(t, "no", content(t, filepath.Join(dir, "a.fail")))
	make("1", true, "yes")
	require.NoFileExists(t, filepath.Join(dir, "a.fail"))
	make("1", true, "yes again")
	require.Equal(t, "yes again", content(t, filepath.Join(dir, "a.ok")))
	require.NoError(t, os.Remove(filepath.Join(dir, "a.ok")))
	require.NoError(t, PlaceResult(dir, "1", "a", true))
	require.NoFileExists(t, filepath.Join(dir, "a.ok"))
	require.Equal(t, CodeDirMissing, fault.CodeOf(StageResult(filepath.Join(dir, "away"), "1", "x", place.Access{})))
}
