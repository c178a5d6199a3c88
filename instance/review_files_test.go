package instance

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/store"
	"pabal/transfer"
)

// TestBackupsGoOnAfterManyRefusedFiles: a hundred bad files do not keep the
// good ones out of backup/.
func TestBackupsGoOnAfterManyRefusedFiles(t *testing.T) {
	p := park(t, "cms", "institution", []file{rawForm("EB21")}, nil, nil)
	for n := range 100 {
		r := p.row(transfer.Send, transfer.Storing, func(r *transfer.Transfer) {
			r.Name = fmt.Sprintf("NOPE%d", n)
			r.WorkPath = filepath.Join(p.work, r.ID+"~"+r.Name)
		})
		c, err := p.s.Claim(t.Context(), p.now(), store.ClaimQuery{Owner: p.o.ID, Term: p.term,
			Statuses: []transfer.Status{transfer.Storing}, IDs: []string{r.ID}})
		require.NoError(t, err)
		require.NoError(t, p.refuse(t.Context(), c[0], os.ErrInvalid))
	}
	p.pass(time.Minute)
	good := p.row(transfer.Send, transfer.Stored, func(r *transfer.Transfer) {
		r.WorkPath, r.BackupPath = filepath.Join(p.work, r.ID+"~EB21"), p.path("backup", "EB21")
		require.NoError(t, os.WriteFile(r.WorkPath, []byte("x"), 0o640))
	})
	_, err := p.backupStep(t.Context())
	require.NoError(t, err)
	require.FileExists(t, good.BackupPath)
}

// TestErrorDirectoryAway: a refused file that cannot be moved waits, and the
// good ones are taken.
func TestErrorDirectoryAway(t *testing.T) {
	h := lone(t, "cms", []file{rawForm("EB21")}, nil)
	require.NoError(t, os.WriteFile(h.path("error"), nil, 0o640))
	h.drop("NOPE.CENTRE.JOB", []byte("x"))
	bad := h.await(transfer.Send, transfer.Refused, 1)[0]
	h.drop("EB21.CENTRE.JOB", content(100))
	h.await(transfer.Send, transfer.Stored, 1)
	require.NoError(t, os.Remove(h.path("error")))
	events := awaitEvents(t, h.store, bad.ID, "error_file")
	require.Len(t, events, 1)
	moved, err := filepath.Glob(h.path("error", "*", "NOPE*.txt"))
	require.NoError(t, err)
	require.Len(t, moved, 1)
}

// TestClaimedBeforeMidnight: a file whose row a crash prevented belongs to the
// day on which it was claimed (design D9).
func TestClaimedBeforeMidnight(t *testing.T) {
	p := park(t, "cms", "institution", []file{rawForm("EB21")}, nil, nil)
	p.pass(12*time.Hour - time.Second)
	id := store.NewID(p.now())
	require.NoError(t, os.WriteFile(filepath.Join(p.work, id+"~EB21.CENTRE.JOB"), []byte("x"), 0o640))
	p.pass(time.Hour)
	require.NoError(t, (&scan{Instance: p.Instance}).tidy(t.Context()))
	r, err := p.s.Transfer(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, "20261120", r.BaseDate)
	require.Equal(t, "EB211120", r.WireName)
}
