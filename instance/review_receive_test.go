package instance

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/filemgr"
	"pabal/protocol"
	"pabal/protocol/line"
	"pabal/protocol/machine"
	"pabal/store"
	"pabal/transfer"
)

// TestPlacingIsNeverBuiltAgain: what may have been placed stays in placing,
// whatever is in the way (design D2). A receive directory that is not mounted
// proves nothing.
func TestPlacingIsNeverBuiltAgain(t *testing.T) {
	t.Parallel()
	onBoth(t, testPlacingIsNeverBuiltAgain)
}

func testPlacingIsNeverBuiltAgain(t *testing.T, on engine) {
	p := park(t, on, "cms", "centre", []file{rawForm("EB21")}, nil, nil)
	r := p.row(transfer.Receive, transfer.Placing, func(r *transfer.Transfer) { r.FinalPath = p.path("receive", "EB21") })
	for range 3 {
		more, err := p.assembleStep(t.Context())
		require.NoError(t, err)
		require.True(t, more)
		now := p.again(r)
		require.Equal(t, transfer.Placing, now.Status)
		require.Equal(t, string(filemgr.CodeDirMissing), now.ErrorCode, "a person can read what it waits for")
		require.Empty(t, now.Owner)
		p.pass(time.Minute)
	}
	require.NoError(t, os.Mkdir(p.path("receive", ".pabal"), 0o750)) // mounted again, and nothing is staged
	_, err := p.assembleStep(t.Context())
	require.NoError(t, err)
	require.Equal(t, transfer.Assembled, p.again(r).Status)
	require.NoFileExists(t, r.FinalPath, "the business system has taken it; it does not come back")
}

// TestOldHalfIsNotGoneOnWith: a partial older than the configured age is
// started again, also on the same day (§1.5).
func TestOldHalfIsNotGoneOnWith(t *testing.T) {
	t.Parallel()
	onAll(t, testOldHalfIsNotGoneOnWith)
}

func testOldHalfIsNotGoneOnWith(t *testing.T, on engine) {
	var shift atomic.Int64
	now := func() time.Time { return noon.Add(time.Duration(shift.Load())) }
	h := centreOf(t, on, func(o *Options) { o.Now = now })
	offer := func() (wire, string) {
		w := h.dial(t)
		w.say(opening(now(), "12345678", "FTE", "Honggildong", "123ABC"))
		require.Equal(t, "000", w.hear()[29:32])
		w.say("0052FTE123456780630REEB211120000EB2111200000000003004096")
		return w, w.hear()[40:52]
	}
	w, held := offer()
	require.Equal(t, "000000000000", held)
	w.say(fmt.Sprintf("0189FTE123456780320REEB2111200000001001%04d%s", 150, strings.Repeat("a", 150)) +
		"0035FTE123456780620REEB2111200000001001")
	require.Equal(t, "000", w.hear()[29:32])
	for range 3 { // a peer that only asks does not make it younger
		shift.Add(int64(90 * time.Minute))
		_ = w.Close()
		w, held = offer()
		want := "000000000150"
		if shift.Load() > int64(4*time.Hour) {
			want = "000000000000"
		}
		require.Equal(t, want, held)
	}
}

// TestSessionGoesOnAfterADroppedFile: a person cancels a file that is coming
// in; what the same session then sends is recorded for what was sent.
func TestSessionGoesOnAfterADroppedFile(t *testing.T) {
	t.Parallel()
	onAll(t, testSessionGoesOnAfterADroppedFile)
}

func testSessionGoesOnAfterADroppedFile(t *testing.T, on engine) {
	p := park(t, on, "edi", "centre", []file{rawForm("C02")}, []file{rawForm("D02")}, nil)
	s := p.session()
	acc, err := s.Accept(t.Context(), machine.Offer{Name: "C02", Date: "261120", Size: 100})
	require.NoError(t, err)
	require.Equal(t, protocol.OK, acc.Reason)
	_, err = p.s.Command(t.Context(), p.now(), transfer.Command{Name: "cancel", TransferID: s.incoming.ID, Who: "test"},
		func(r *transfer.Transfer) error { r.Status = transfer.Cancelled; return nil })
	require.NoError(t, err)
	b := transfer.Block{Number: 1, Lengths: []uint16{1}, Payload: []byte("x")}
	b.Held.Add(1)
	require.ErrorIs(t, s.Save(t.Context(), &b, true), line.ErrDropped)

	out := p.row(transfer.Send, transfer.Stored, func(r *transfer.Transfer) {
		r.WireName, r.FileID, r.Serial = "D02", "D02", "001"
	})
	o, err := s.Next(t.Context())
	require.NoError(t, err)
	require.Equal(t, machine.SendFile, o.Kind)
	_, err = s.Ending(t.Context(), 0)
	require.NoError(t, err)
	require.NoError(t, s.Finish(t.Context(), arrived("00")))
	require.Equal(t, transfer.Sent, p.again(out).Status)
}

// TestBlankInquiryMeansNoFile: a 0400 or 0500 that names no file is not about
// whichever came last.
func TestBlankInquiryMeansNoFile(t *testing.T) {
	t.Parallel()
	onBoth(t, testBlankInquiryMeansNoFile)
}

func testBlankInquiryMeansNoFile(t *testing.T, on engine) {
	p := park(t, on, "cms", "centre", []file{rawForm("EB21")}, nil, nil)
	r := p.row(transfer.Receive, transfer.Received, nil)
	for _, test := range []struct {
		kind       protocol.Kind
		name, date string
		finding    protocol.Finding
	}{
		{protocol.Cancel, "", "20261120", protocol.FoundNothing},
		{protocol.Cancel, "EB211120", "", protocol.FoundNothing},
		{protocol.Inquiry, "", "20261120", protocol.FoundNothing},
		{protocol.Inquiry, "EB211120", "", protocol.FoundProcessing},
		{protocol.Cancel, "EB211120", "20261120", protocol.CancelDone},
	} {
		require.Equal(t, transfer.Received, p.again(r).Status)
		q := protocol.Telegram{Kind: test.kind}
		q.SetText(protocol.QueryName, test.name)
		q.SetText(protocol.QueryDate, test.date)
		a, err := p.session().Inquire(t.Context(), &q)
		require.NoError(t, err)
		require.Equal(t, test.finding, a.Finding, "%v %q %q", test.kind, test.name, test.date)
	}
	require.Equal(t, transfer.Cancelled, p.again(r).Status)
}

// TestCancelledWhileItGoesOn: what a 0500 gets is said of the file as it is then,
// although a stage went on since the session looked.
func TestCancelledWhileItGoesOn(t *testing.T) {
	t.Parallel()
	onBoth(t, testCancelledWhileItGoesOn)
}

func testCancelledWhileItGoesOn(t *testing.T, on engine) {
	p := park(t, on, "cms", "centre", []file{rawForm("EB21")}, nil, nil)
	for n, test := range []struct {
		is      transfer.Status
		finding protocol.Finding
		after   transfer.Status
	}{
		{transfer.Placing, protocol.FoundProcessing, transfer.Placing},
		{transfer.Assembled, protocol.CancelLate, transfer.Assembled},
		{transfer.Cancelled, protocol.CancelBefore, transfer.Cancelled},
		{transfer.Held, protocol.CancelDone, transfer.Cancelled},
	} {
		r := p.row(transfer.Receive, test.is, func(r *transfer.Transfer) { r.Serial = serial(n + 1) })
		seen := *r
		seen.Status = transfer.Received
		a, err := p.session().cancelFor(t.Context(), &protocol.Telegram{Kind: protocol.Cancel}, &seen)
		require.NoError(t, err, test.is)
		require.Equal(t, line.Answer{Reason: protocol.OK, Finding: test.finding}, a, test.is)
		require.Equal(t, test.after, p.again(r).Status)
		orders, err := p.s.Commands(t.Context(), store.CommandFilter{TransferID: r.ID})
		require.NoError(t, err)
		require.Len(t, orders, map[bool]int{true: 1}[test.finding == protocol.CancelDone], test.is)
	}
}

// TestHalfFilesOfNobodyExpire: also those of an institution that has left the
// configuration.
func TestHalfFilesOfNobodyExpire(t *testing.T) {
	t.Parallel()
	onBoth(t, testHalfFilesOfNobodyExpire)
}

func testHalfFilesOfNobodyExpire(t *testing.T, on engine) {
	p := park(t, on, "cms", "centre", []file{rawForm("EB21")}, nil, nil)
	r := p.row(transfer.Receive, transfer.Receiving, func(r *transfer.Transfer) { r.Institution = "FORMER" })
	p.pass(5 * time.Hour)
	_, err := p.expireStep(t.Context())
	require.NoError(t, err)
	require.Equal(t, transfer.Abandoned, p.again(r).Status)
}

// TestNothingStagedIsLeftBehind: what was built for a file that a person then
// cancelled does not stay on the disk.
func TestNothingStagedIsLeftBehind(t *testing.T) {
	t.Parallel()
	onBoth(t, testNothingStagedIsLeftBehind)
}

func testNothingStagedIsLeftBehind(t *testing.T, on engine) {
	p := park(t, on, "cms", "centre", []file{rawForm("EB21")}, nil, nil)
	gone := p.row(transfer.Receive, transfer.Cancelled, nil)
	placing := p.row(transfer.Receive, transfer.Placing, nil)
	waiting := p.row(transfer.Receive, transfer.Waiting, nil)
	require.NoError(t, os.Mkdir(p.path("receive", ".pabal"), 0o750))
	for _, r := range []*transfer.Transfer{gone, placing, waiting} {
		require.NoError(t, os.WriteFile(p.path("receive", ".pabal", r.ID), nil, 0o640))
	}
	_, err := p.expireStep(t.Context())
	require.NoError(t, err)
	require.NoFileExists(t, p.path("receive", ".pabal", gone.ID))
	require.FileExists(t, p.path("receive", ".pabal", placing.ID))
	require.FileExists(t, p.path("receive", ".pabal", waiting.ID))
}

// TestCallersAreToldApart: two institutions that call with one code would be
// taken for each other.
func TestCallersAreToldApart(t *testing.T) {
	t.Parallel()
	for _, profile := range []string{"cms", "edi"} {
		o, err := sideOptions(t.TempDir(), profile, "centre", []file{rawForm("EB21")}, nil)
		require.NoError(t, err)
		require.Empty(t, o.Validate())
		second := o.Institutions[0]
		second.Code = "OTHER"
		o.Institutions = append(o.Institutions, second)
		problems := o.Validate()
		require.Len(t, problems, 1)
		require.Equal(t, CodeSameCaller, problems[0].Err.Code)
		require.Equal(t, "institutions[1].wire_code", problems[0].Path)
		o.Institutions[1].WireCode, o.Institutions[1].Peer = "87654321", "CLIENT02"
		require.Empty(t, o.Validate())
	}
}

// TestAFileThatWaitsForItsNameIsNotBuilt: a large one would be written to the
// disk again at every look.
func TestAFileThatWaitsForItsNameIsNotBuilt(t *testing.T) {
	t.Parallel()
	onAll(t, testAFileThatWaitsForItsNameIsNotBuilt)
}

func testAFileThatWaitsForItsNameIsNotBuilt(t *testing.T, on engine) {
	p := park(t, on, "cms", "centre", []file{rawForm("EB21")}, nil, nil)
	r := p.row(transfer.Receive, transfer.Received, nil)
	require.NoError(t, os.WriteFile(p.path("receive", r.Name), []byte("first"), 0o640))
	_, err := p.assembleStep(t.Context())
	require.NoError(t, err)
	require.Equal(t, transfer.Waiting, p.again(r).Status)
	require.Equal(t, string(filemgr.CodeExists), p.again(r).ErrorCode)
	require.NoFileExists(t, filemgr.StagedPath(p.path("receive"), r.ID))

	require.NoError(t, os.Remove(p.path("receive", r.Name)))
	p.pass(time.Hour)
	_, err = p.assembleStep(t.Context())
	require.NoError(t, err)
	require.Equal(t, transfer.Assembled, p.again(r).Status)
}
