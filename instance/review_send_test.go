package instance

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/filemgr"
	"pabal/internal/fault"
	"pabal/protocol/machine"
	"pabal/store"
	"pabal/transfer"
)

// TestRefusedOpeningIsNotHammered: a counterparty that turns us away is left
// alone for a while, and the transfer says why it waits.
func TestRefusedOpeningIsNotHammered(t *testing.T) {
	t.Parallel()
	onBoth(t, testRefusedOpeningIsNotHammered)
}

func testRefusedOpeningIsNotHammered(t *testing.T, on engine) {
	p := newPair(t, on, "cms", []file{rawForm("EB21")}, nil, func(i, _ *Options) {
		i.Institutions[0].Sender.Password = "WRONG1"
		i.Institutions[0].RetryFirst, i.Institutions[0].RetryMax = 10*time.Minute, 10*time.Minute
	})
	p.institution.drop("EB21.CENTRE.JOB", content(100))
	w := p.institution.await(transfer.Send, transfer.Waiting, 1)[0]
	require.Equal(t, string(machine.CodeSessionRefused), w.ErrorCode)
	require.Equal(t, 1, w.Tries)
	require.Greater(t, time.Until(w.NextTry), 5*time.Minute)
	require.True(t, p.institution.inst.insts["CENTRE"].dialLater(time.Now()), "nor for other files")
}

// TestUnsettledEndIsNeverFailed: a file whose end may have been confirmed does
// not become "failed" because later attempts did not get through (design D5).
func TestUnsettledEndIsNeverFailed(t *testing.T) {
	t.Parallel()
	onBoth(t, testUnsettledEndIsNeverFailed)
}

func testUnsettledEndIsNeverFailed(t *testing.T, on engine) {
	ended := func(r *transfer.Transfer) { r.EndedOnce, r.WireSize, r.SentBytes = true, 10, 10 }
	start := func(t *testing.T) (*parked, *transfer.Transfer, *session) {
		p := park(t, on, "cms", "institution", []file{rawForm("EB21")}, nil, func(o *Options) { o.Institutions[0].RetryTries = 1 })
		r := p.row(transfer.Send, transfer.Unknown, ended)
		return p, r, p.session()
	}
	t.Run("cannot be reached", func(t *testing.T) {
		p, r, s := start(t)
		s.giveBack(t.Context(), p.claim(s), fault.New(CodeConnect, "CENTRE"))
		require.Equal(t, transfer.Unknown, p.again(r).Status, "nothing was settled by it")
	})
	t.Run("announcement refused", func(t *testing.T) {
		p, r, s := start(t)
		s.current = p.claim(s)
		require.NoError(t, s.Finish(t.Context(), machine.Outcome{Result: machine.RefusedByPeer, Response: "634",
			Err: fault.New(machine.CodeRefused, "EB211120", "code", "634")}))
		held := p.again(r)
		require.Equal(t, transfer.Held, held.Status, "a person settles it")
		require.True(t, held.EndedOnce)
		require.Equal(t, string(CodeRefusedUnsettled), held.ErrorCode, "it cannot be sent again before")
		require.JSONEq(t, `{"subject":"EB211120","code":"634"}`, held.ErrorDetail)
	})
	t.Run("found wrong when asked about", func(t *testing.T) {
		p, r, s := start(t)
		s.current = p.claim(s)
		require.NoError(t, s.Finish(t.Context(), machine.Outcome{Result: machine.RefusedByPeer, Response: "002",
			Err: fault.New(machine.CodeFoundBad, "EB211120", "code", "002", "finding", "bad")}))
		require.Equal(t, transfer.Held, p.again(r).Status)
		require.Equal(t, string(machine.CodeFoundBad), p.again(r).ErrorCode, "which says that it has arrived")
	})
	t.Run("payload lost", func(t *testing.T) {
		p, r, s := start(t)
		s.current = p.claim(s)
		require.NoError(t, s.Finish(t.Context(), machine.Outcome{Result: machine.CutBefore, Err: fault.New(store.CodeBlockDamaged, r.ID, "block", 1)}))
		require.Equal(t, transfer.Held, p.again(r).Status, "a person settles it")
		require.Equal(t, string(CodeFailedUnsettled), p.again(r).ErrorCode)
		require.True(t, p.again(r).EndedOnce)
	})
	t.Run("end refused", func(t *testing.T) {
		p, r, s := start(t)
		s.current = p.claim(s)
		_, err := s.Ending(t.Context(), 0)
		require.NoError(t, err)
		require.NoError(t, s.Finish(t.Context(), machine.Outcome{Result: machine.RefusedByPeer, Response: "632",
			Err: fault.New(machine.CodeRefused, "EB211120", "code", "632")}))
		require.Equal(t, transfer.Failed, p.again(r).Status, "an answer to the end itself settles it")
		require.False(t, p.again(r).EndedOnce, "so that 630 proves nothing later")
	})
}

// TestLostForGood: payload that neither the store nor a file has any more
// fails once and does not break session after session.
func TestLostForGood(t *testing.T) {
	t.Parallel()
	onBoth(t, testLostForGood)
}

func testLostForGood(t *testing.T, on engine) {
	p := park(t, on, "cms", "institution", []file{rawForm("EB21")}, nil, nil)
	r := p.row(transfer.Send, transfer.Stored, nil)
	s := p.session()
	s.current = p.claim(s)
	require.NoError(t, s.Finish(t.Context(), machine.Outcome{Result: machine.CutBefore, Err: fault.New(store.CodeBlockDamaged, r.ID, "block", 1)}))
	require.Equal(t, transfer.Failed, p.again(r).Status)
	require.Equal(t, string(store.CodeBlockDamaged), p.again(r).ErrorCode)
}

// TestResultFiles: a business program that waits for the result file gets it,
// also when the directory was away at first or no session ever began.
func TestResultFiles(t *testing.T) {
	t.Parallel()
	onBoth(t, testResultFiles)
}

func testResultFiles(t *testing.T, on engine) {
	asks := file{id: "EB21", form: rawForm("EB21").form, opt: func(f *File) { f.Result = true }}
	t.Run("directory away", func(t *testing.T) {
		p := park(t, on, "cms", "institution", []file{asks}, nil, nil)
		r := p.row(transfer.Send, transfer.Sent, func(r *transfer.Transfer) { r.Result = transfer.ResultWanted })
		require.NoError(t, os.Remove(p.path("result")))
		for range 3 {
			_, err := p.resultStep(t.Context())
			require.Equal(t, filemgr.CodeDirMissing, fault.CodeOf(err))
		}
		require.NoError(t, os.Mkdir(p.path("result"), 0o750))
		_, err := p.resultStep(t.Context())
		require.NoError(t, err)
		require.FileExists(t, p.path("result", r.Name+".ok"))
	})
	t.Run("tries used up", func(t *testing.T) {
		p := park(t, on, "cms", "institution", []file{asks}, nil, func(o *Options) { o.Institutions[0].RetryTries = 1 })
		r := p.row(transfer.Send, transfer.Stored, func(r *transfer.Transfer) { r.Result = transfer.ResultWanted })
		s := p.session()
		s.giveBack(t.Context(), p.claim(s), fault.New(CodeConnect, "CENTRE"))
		require.Equal(t, transfer.Failed, p.again(r).Status)
		_, err := p.resultStep(t.Context())
		require.NoError(t, err)
		require.FileExists(t, p.path("result", r.Name+".fail"))
	})
}

// TestClockSetBack: no window stays shut and no file goes out twice because
// the clock was set back.
func TestClockSetBack(t *testing.T) {
	t.Parallel()
	onBoth(t, testClockSetBack)
}

func testClockSetBack(t *testing.T, on engine) {
	all := []Window{{From: 0, To: 24 * time.Hour, Every: 10 * time.Minute}}
	tried := noon.Add(3 * time.Hour)
	require.True(t, due(all, noon, store.Window{LastTry: tried, LastSuccess: tried}), "it was tried after now")

	p := park(t, on, "cms", "institution", []file{rawForm("EB21")}, nil, nil)
	p.row(transfer.Send, transfer.Sent, nil)
	p.pass(-time.Hour)
	again := p.row(transfer.Send, transfer.Storing, nil)
	why, err := p.sameBefore(t.Context(), again, p.insts["CENTRE"])
	require.NoError(t, err)
	require.NotNil(t, why, "its id is smaller, and yet it is the second")
	p.pass(2 * time.Hour)
	third := p.row(transfer.Send, transfer.Storing, func(r *transfer.Transfer) { r.WireName = "OTHER" })
	why, err = p.sameBefore(t.Context(), third, p.insts["CENTRE"])
	require.NoError(t, err)
	require.Nil(t, why)
}

// TestTriesAreFailuresInARow: neither a restart of ours nor a line that brings
// the file further each time uses the configured tries up.
func TestTriesAreFailuresInARow(t *testing.T) {
	t.Parallel()
	onBoth(t, testTriesAreFailuresInARow)
}

func testTriesAreFailuresInARow(t *testing.T, on engine) {
	start := func(t *testing.T) (*parked, *transfer.Transfer, *session) {
		p := park(t, on, "cms", "institution", []file{rawForm("EB21")}, nil, func(o *Options) { o.Institutions[0].RetryTries = 2 })
		r := p.row(transfer.Send, transfer.Stored, func(r *transfer.Transfer) { r.Tries, r.WireSize = 1, 1000 })
		s := p.session()
		s.current = p.claim(s)
		return p, r, s
	}
	lost := fault.New(machine.CodeLost, "")
	t.Run("no progress", func(t *testing.T) {
		p, r, s := start(t)
		require.NoError(t, s.Finish(t.Context(), machine.Outcome{Result: machine.CutBefore, Err: lost}))
		require.Equal(t, transfer.Failed, p.again(r).Status)
	})
	t.Run("further each time", func(t *testing.T) {
		p, r, s := start(t)
		require.NoError(t, s.Finish(t.Context(), machine.Outcome{Result: machine.CutBefore, Err: lost, Sent: 500}))
		require.Equal(t, transfer.Waiting, p.again(r).Status)
	})
	t.Run("we stop", func(t *testing.T) {
		p, r, s := start(t)
		require.NoError(t, s.Finish(t.Context(), machine.Outcome{Result: machine.CutBefore, Err: fault.New(CodeDraining, "us")}))
		require.Equal(t, transfer.Waiting, p.again(r).Status)
		require.Equal(t, 1, p.again(r).Tries)
		require.Equal(t, p.now(), p.again(r).NextTry, "at once after the restart")
	})
}

// TestResultOfALateOutcome: the result file of an outcome that could only be
// written later is not forgotten.
func TestResultOfALateOutcome(t *testing.T) {
	t.Parallel()
	onBoth(t, testResultOfALateOutcome)
}

func testResultOfALateOutcome(t *testing.T, on engine) {
	asks := file{id: "EB21", form: rawForm("EB21").form, opt: func(f *File) { f.Result = true }}
	p := park(t, on, "cms", "institution", []file{asks}, nil, nil)
	away, cancel := context.WithCancel(t.Context())
	cancel()
	for n := range 20 { // whether a write under an ended context is done is open
		name := fmt.Sprintf("EB21.CENTRE.JOB.%d", n)
		p.row(transfer.Send, transfer.Stored, func(r *transfer.Transfer) { r.Name, r.Result = name, transfer.ResultWanted })
		s := p.session()
		s.current = p.claim(s)
		_, err := s.Ending(t.Context(), 0)
		require.NoError(t, err)
		require.NoError(t, s.Finish(away, arrived("000")))
		_, err = p.settleStep(t.Context())
		require.NoError(t, err)
		_, err = p.resultStep(t.Context())
		require.NoError(t, err)
		require.FileExists(t, p.path("result", name+".ok"))
	}
}
