package instance

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/place"
	"pabal/transfer"
)

// TestModes: whatever the dropper gave a file, it has ours from the claim on,
// and everything that we make has what is set.
func TestModes(t *testing.T) {
	t.Parallel()
	p := newPair(t, sqlite, "cms", []file{{id: "EB21", form: rawForm("EB21").form, opt: func(f *File) { f.Result = true; f.FlagPlaced = ".fin" }}}, nil,
		func(i, c *Options) {
			i.Access.Backup = place.Access{File: 0o440, Dir: 0o700}
			c.Access.Receive = place.Access{File: 0o660}
		})
	open := func(name string, content []byte) {
		tmp := p.institution.path("scan", "."+name)
		require.NoError(t, os.WriteFile(tmp, content, 0o600))
		require.NoError(t, os.Chmod(tmp, 0o666))
		require.NoError(t, os.Rename(tmp, p.institution.path("scan", name)))
	}
	open("EB21.CENTRE.JOB", content(1000))
	open("NOPE.CENTRE.JOB", content(10))
	sent := p.institution.await(transfer.Send, transfer.Sent, 1)[0]
	got := p.centre.await(transfer.Receive, transfer.Assembled, 1)[0]
	p.institution.await(transfer.Send, transfer.Refused, 1)
	mode := func(path string) fs.FileMode {
		info, err := os.Stat(path)
		require.NoError(t, err)
		return info.Mode().Perm()
	}
	soon(t, "backup, result and error file", func() bool {
		refused, _ := filepath.Glob(p.institution.path("error", "*", "*"))
		results, _ := filepath.Glob(p.institution.path("result", "*.ok"))
		r, err := p.institution.store.Transfer(t.Context(), sent.ID)
		return err == nil && !r.BackedUpAt.IsZero() && len(refused) == 2 && len(results) == 1
	})
	require.Equal(t, fs.FileMode(0o440), mode(sent.BackupPath))
	require.Equal(t, fs.FileMode(0o700), mode(filepath.Dir(sent.BackupPath)))
	require.Equal(t, fs.FileMode(0o660), mode(got.FinalPath))
	require.Equal(t, fs.FileMode(0o660), mode(got.FinalPath+".fin"))
	for _, glob := range []string{"error/*/*", "result/*.ok"} {
		found, err := filepath.Glob(p.institution.path(glob))
		require.NoError(t, err)
		require.NotEmpty(t, found)
		for _, path := range found {
			require.Equal(t, fs.FileMode(0o640), mode(path), path)
		}
	}
	require.Equal(t, fs.FileMode(0o750), mode(p.institution.inst.work))
	for _, end := range []string{"", "-wal", "-shm", ".lock"} {
		require.Equal(t, fs.FileMode(0o600), mode(p.institution.path("pabal.db"+end)), end)
	}
}
