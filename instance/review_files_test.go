package instance

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/filemgr"
	"pabal/store"
	"pabal/transfer"
)

// TestBackupsGoOnAfterManyRefusedFiles: a hundred bad files do not keep the
// good ones out of backup/.
func TestBackupsGoOnAfterManyRefusedFiles(t *testing.T) {
	t.Parallel()
	onBoth(t, testBackupsGoOnAfterManyRefusedFiles)
}

func testBackupsGoOnAfterManyRefusedFiles(t *testing.T, on engine) {
	p := park(t, on, "cms", "institution", []file{rawForm("EB21")}, nil, nil)
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
	t.Parallel()
	onBoth(t, testErrorDirectoryAway)
}

func testErrorDirectoryAway(t *testing.T, on engine) {
	h := lone(t, on, "cms", []file{rawForm("EB21")}, nil)
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
	t.Parallel()
	onBoth(t, testClaimedBeforeMidnight)
}

func testClaimedBeforeMidnight(t *testing.T, on engine) {
	p := park(t, on, "cms", "institution", []file{rawForm("EB21")}, nil, nil)
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

// TestAlteredBackupIsNotSent: what is stored again must be the file that was
// stored at first, or a peer that goes on from where it stood gets two halves
// of two files.
func TestAlteredBackupIsNotSent(t *testing.T) {
	t.Parallel()
	onAll(t, testAlteredBackupIsNotSent)
}

func testAlteredBackupIsNotSent(t *testing.T, on engine) {
	p := park(t, on, "cms", "institution", []file{rawForm("EB21")}, nil, nil)
	backup := p.path("backup")
	body, other := content(5000), content(5000)
	other[4500]++
	require.NoError(t, os.WriteFile(backup, other, 0o640))
	r := p.row(transfer.Send, transfer.Storing, func(r *transfer.Transfer) {
		r.BackupPath, r.FileDigest, r.WireDigest = backup, sum(body), sum(body)
		r.FileSize, r.WireSize, r.SentBytes = 5000, 5000, 4057
	})
	_, err := p.storeStep(t.Context())
	require.NoError(t, err)
	bad := p.again(r)
	require.Equal(t, transfer.Failed, bad.Status)
	require.Equal(t, string(filemgr.CodeReplaced), bad.ErrorCode)
	require.Equal(t, sum(body), bad.FileDigest)
	require.Empty(t, bad.WireDigest, "what is stored is not to be sent: a resend stores it again")

	require.NoError(t, os.WriteFile(backup, body, 0o640))
	_, err = p.s.Command(t.Context(), p.now(), transfer.Command{Name: "resend", TransferID: r.ID, Who: "test"},
		func(r *transfer.Transfer) error { r.Status, r.NextTry = transfer.Storing, p.now(); return nil })
	require.NoError(t, err)
	_, err = p.storeStep(t.Context())
	require.NoError(t, err)
	good := p.again(r)
	require.Equal(t, transfer.Stored, good.Status)
	require.Equal(t, int64(4057), good.SentBytes)
	require.Equal(t, sum(body), good.WireDigest)
}
