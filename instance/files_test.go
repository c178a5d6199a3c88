package instance

import (
	"bytes"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/filemgr"
	"pabal/store"
	"pabal/transfer"
)

// overwrite changes one byte of a file without making it another file.
func overwrite(t *testing.T, path string, offset int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	b := make([]byte, 1)
	_, err = f.ReadAt(b, offset)
	require.NoError(t, err)
	b[0] ^= 1
	_, err = f.WriteAt(b, offset)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

// TestAdoptedFile: the work file is the payload. It stays until the transfer
// has come to its end, and is then the backup.
func TestAdoptedFile(t *testing.T) {
	t.Parallel()
	onFiles(t, testAdoptedFile)
}

func testAdoptedFile(t *testing.T, on engine) {
	p := park(t, on, "cms", "institution", []file{rawForm("EB21")}, nil, nil)
	r, body := p.stored()
	require.Equal(t, transfer.InFile, r.PayloadIn)
	_, err := p.backupStep(t.Context())
	require.NoError(t, err)
	require.FileExists(t, r.WorkPath, "it is still needed")
	s := p.session()
	s.current = p.claim(s)
	got := make([]byte, 1000)
	require.NoError(t, s.Load(t.Context(), 450_000, got))
	require.Equal(t, body[450_000:451_000], got)

	_, err = p.s.Change(t.Context(), p.now(), s.current.Ref(), func(r *transfer.Transfer) error {
		r.Status, r.Owner = transfer.Failed, ""
		return nil
	})
	require.NoError(t, err)
	_, err = p.backupStep(t.Context())
	require.NoError(t, err)
	r = p.again(r)
	require.Empty(t, r.WorkPath)
	require.Equal(t, sum(body), sum(mustRead(t, r.BackupPath)))
	v, err := p.s.Verify(t.Context(), r.ID)
	require.NoError(t, err)
	require.Equal(t, sum(body), v.SHA256, "reads follow the file")
}

// stored drops a file of two blocks and more and takes it as far as stored.
func (p *parked) stored() (*transfer.Transfer, []byte) {
	p.t.Helper()
	body := content(900_000)
	require.NoError(p.t, os.WriteFile(p.path("scan", "EB21.CENTRE.JOB"), body, 0o640))
	sc := (&scan{}).with(p.t.Context(), p.Instance)
	var r []*transfer.Transfer
	soon(p.t, "the scan", func() bool {
		_, err := sc.step(p.t.Context())
		require.NoError(p.t, err)
		p.pass(p.o.Settle * 2)
		r, err = p.s.List(p.t.Context(), store.Filter{})
		require.NoError(p.t, err)
		return len(r) == 1
	})
	_, err := p.storeStep(p.t.Context())
	require.NoError(p.t, err)
	row := p.again(r[0])
	require.Equal(p.t, transfer.Stored, row.Status, row.ErrorCode)
	return row, body
}

// TestSpoiltWorkFileIsNotSent: what was written to the work file after it was
// stored is noticed before it leaves, and a person is told.
func TestSpoiltWorkFileIsNotSent(t *testing.T) {
	t.Parallel()
	onFiles(t, testSpoiltWorkFileIsNotSent)
}

func testSpoiltWorkFileIsNotSent(t *testing.T, on engine) {
	a := newAgainst(t, on, "cms", "institution", true, "", nil)
	h := lone(t, on, "cms", []file{rawForm("EB21")}, nil)
	h.drop("EB21.CENTRE.JOB", content(900_000))
	r := h.await(transfer.Send, transfer.Stored, 1)[0]
	h.end()
	overwrite(t, r.WorkPath, 500_000)
	h.opt.Institutions[0].Connect = a.ours.opt.Institutions[0].Connect
	a.ours.end()
	h.start()
	failed := h.await(transfer.Send, transfer.Failed, 1)[0]
	require.Equal(t, string(filemgr.CodeReplaced), failed.ErrorCode)
	require.Empty(t, a.arrived())
}

// TestSpoiltWireFileIsMadeAgain: wire bytes that are not the file's are made
// again from it.
func TestSpoiltWireFileIsMadeAgain(t *testing.T) {
	t.Parallel()
	onFiles(t, testSpoiltWireFileIsMadeAgain)
}

func testSpoiltWireFileIsMadeAgain(t *testing.T, on engine) {
	form := filemgr.Form{Kind: filemgr.Lines, Length: 99, Strip: true}
	up := []file{{id: "EB21", form: form}}
	p := newPair(t, on, "cms", up, nil, func(i, _ *Options) {
		i.Institutions[0].Closed = []Closed{{From: 0, To: 24 * time.Hour, Send: true}}
	})
	body := bytes.Repeat(append(bytes.Repeat([]byte("0123456789A"), 9), '\n'), 9000)
	p.institution.drop("EB21.CENTRE.JOB", body)
	r := p.institution.await(transfer.Send, transfer.Stored, 1)[0]
	require.Equal(t, filemgr.WirePath(p.institution.inst.work, r.ID), r.PayloadIn)
	p.institution.end()
	overwrite(t, r.PayloadIn, 500_000)
	p.institution.opt.Institutions[0].Closed = nil
	p.institution.start()
	got := p.centre.await(transfer.Receive, transfer.Assembled, 1)[0]
	require.Equal(t, sum(body), sum(mustRead(t, got.FinalPath)))
}
