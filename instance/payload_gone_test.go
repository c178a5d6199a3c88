package instance

import (
	"bytes"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/control"
	"pabal/filemgr"
	"pabal/internal/catalog"
	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/store"
	"pabal/store/journal"
	"pabal/transfer"
)

// quarantined puts the database of a host into quarantine as another host does
// that remembers another database, and waits until the host has seen it.
func (h *host) quarantined() {
	h.t.Helper()
	w, err := journal.Open(journal.Options{Dir: h.path("elsewhere"), Server: true})
	require.NoError(h.t, err)
	defer w.Close()
	w.Trust(store.Mark{Identity: "another database"})
	beside, err := store.Open(h.t.Context(), store.Options{URL: h.url, Witness: w})
	require.NoError(h.t, err)
	defer beside.Close()
	q, err := beside.Recognise(h.t.Context(), time.Now(), h.opt.Place)
	require.NoError(h.t, err)
	require.NotNil(h.t, q)
	eventually(h.t, "the quarantine is not seen", func() bool { return h.inst.quarantine.Load() })
}

// puts recovers what is known of one transfer, wants this finding, and ends the
// quarantine.
func (h *host) puts(row *transfer.Transfer, finding string, becomes transfer.Status) {
	h.t.Helper()
	r := h.recovery()
	by := control.Actor{Who: "kim", Host: "ops", Reason: "the directory was lost"}
	report, err := r.Recover(h.t.Context(), false, by)
	require.NoError(h.t, err)
	require.Len(h.t, report.Findings, 1)
	f := report.Findings[0]
	require.Equal(h.t, []any{row.ID, finding, becomes}, []any{f.ID, f.Kind, f.Becomes})
	report, err = r.Recover(h.t.Context(), true, by)
	require.NoError(h.t, err)
	require.Zero(h.t, report.Open)
	after, err := r.Find(h.t.Context(), row.ID)
	require.NoError(h.t, err)
	if after.Status == transfer.Held {
		_, err = r.Do(h.t.Context(), row.ID, control.Order{Name: control.Release}, by)
		require.NoError(h.t, err)
	}
	require.NoError(h.t, r.End(h.t.Context(), false, false, by))
}

// TestRecoverContentToSend: the file in which the content of a file to send is
// kept is lost with the database. It is cut again from its backup, and goes out
// whole. Content that is in the database needs neither.
func TestRecoverContentToSend(t *testing.T) {
	t.Parallel()
	onAll(t, testRecoverContentToSend)
}

func testRecoverContentToSend(t *testing.T, on engine) {
	lines := file{id: "EB21", form: filemgr.Form{Kind: filemgr.Lines, Length: 99, Strip: true}} // a file of its own
	p := makePair(t, on, "cms", []file{lines}, nil, nil)
	h := p.institution
	h.mind = new(memory)
	h.start() // it has nobody to call yet
	body := bytes.Repeat(append(bytes.Repeat([]byte("7"), 99), '\n'), 50)
	h.drop("EB21.CENTRE.JOB", body)
	row := h.await(transfer.Send, transfer.Stored, 1)[0]
	eventually(t, "no backup", func() bool {
		r, err := h.store.Transfer(t.Context(), row.ID)
		require.NoError(t, err)
		row = r
		return !r.BackedUpAt.IsZero()
	})
	finding, becomes := control.FoundSafe, transfer.Status("")
	if on.inFiles() {
		require.NoError(t, os.Remove(row.PayloadIn))
		finding, becomes = control.FoundPayload, transfer.Held
	} else {
		require.Empty(t, row.PayloadIn)
		require.NoError(t, os.Remove(row.BackupPath))
	}
	h.quarantined()
	h.puts(row, finding, becomes)
	h.end()
	p.start()
	h.await(transfer.Send, transfer.Sent, 1)
	got := p.centre.await(transfer.Receive, transfer.Assembled, 1)[0]
	require.Equal(t, sum(body), sum(mustRead(t, got.FinalPath)))
}

// TestRecoverHalfAFile: the file into which one was coming is lost. It is given
// up, and comes anew; in the database it is gone on with.
func TestRecoverHalfAFile(t *testing.T) {
	t.Parallel()
	onAll(t, testRecoverHalfAFile)
}

func testRecoverHalfAFile(t *testing.T, on engine) {
	p := makePair(t, on, "cms", []file{rawForm("EB21")}, nil, nil)
	inst, h := p.institution, p.centre
	h.mind = new(memory)
	inst.opt.Institutions[0].RetryFirst, inst.opt.Institutions[0].RetryMax = time.Hour, time.Hour
	var once sync.Once
	h.opt.Trace = func(id string, out bool, tel *protocol.Telegram, _ []byte) {
		if out && tel.Kind == protocol.CheckReply {
			once.Do(func() { h.inst.open.cut(id, fault.New(CodeOccupied, "test")) })
		}
	}
	p.start()
	body := content(3*blockOf("cms") + 5)
	inst.drop("EB21.CENTRE.JOB", body)
	sending := inst.await(transfer.Send, transfer.Waiting, 1)[0]
	eventually(t, "the session goes on", func() bool { return len(h.inst.open.ids()) == 0 })
	row := h.await(transfer.Receive, transfer.Receiving, 1)[0]
	finding, becomes := control.FoundSafe, transfer.Status("")
	if on.inFiles() {
		require.NoError(t, os.Remove(row.PayloadIn))
		finding, becomes = control.FoundPayload, transfer.Abandoned
	} else {
		require.Empty(t, row.PayloadIn)
	}
	h.quarantined()
	h.puts(row, finding, becomes)
	eventually(t, "the quarantine goes on", func() bool { return !h.inst.quarantine.Load() })
	cat, err := catalog.Load()
	require.NoError(t, err)
	_, err = control.New(inst.store, cat, catalog.EN, nil).Do(t.Context(), sending.ID, control.Order{Name: control.Release},
		control.Actor{Who: "kim", Reason: "they are back"})
	require.NoError(t, err)
	inst.await(transfer.Send, transfer.Sent, 1)
	got := h.await(transfer.Receive, transfer.Assembled, 1)[0]
	require.Equal(t, sum(body), sum(mustRead(t, got.FinalPath)))
	require.Equal(t, on.inFiles(), got.ID != row.ID, "gone on with where it was not lost")
}
