package instance

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/filemgr"
	"pabal/internal/fault"
	"pabal/internal/place"
	"pabal/protocol"
	"pabal/protocol/line"
	"pabal/protocol/machine"
	"pabal/store"
	"pabal/transfer"
)

// TestResultFileOnce: whoever ended the transfer, the file is written; a crash
// between any two steps neither loses it nor brings it a second time.
func TestResultFileOnce(t *testing.T) {
	t.Parallel()
	asks := file{id: "EB21", form: rawForm("EB21").form, opt: func(f *File) { f.Result = true }}
	p := park(t, sqlite, "cms", "institution", []file{asks}, nil, nil)
	step := func() {
		_, err := p.resultStep(t.Context())
		require.NoError(t, err)
	}
	// An operator on another host says that it arrived.
	r := p.row(transfer.Send, transfer.Unknown, func(r *transfer.Transfer) { r.Result = transfer.ResultWanted })
	path := p.path("result", r.Name+".ok")
	step()
	require.NoFileExists(t, path)
	_, err := p.s.Command(t.Context(), p.now(), transfer.Command{Name: "settle", TransferID: r.ID, Who: "test"},
		func(r *transfer.Transfer) error { r.Status = transfer.Sent; return nil })
	require.NoError(t, err)
	// Dead before the mark: what is staged is staged again.
	require.NoError(t, filemgr.StageResult(p.o.Result, r.ID+"."+p.o.ID, "half", place.Access{}))
	step()
	require.Contains(t, string(mustRead(t, path)), r.ID+" "+r.Name+" sent")
	require.Equal(t, "sent", p.again(r).Result)
	require.NoError(t, os.Remove(path)) // the business system has it
	step()
	require.NoFileExists(t, path)

	mark := func(staged bool) {
		key := r.ID + "." + p.o.ID
		if staged {
			require.NoError(t, filemgr.StageResult(p.o.Result, key, "staged", place.Access{}))
		}
		_, err := p.s.Beside(t.Context(), p.now(), r.ID, func(r *transfer.Transfer) error { r.Result = ">sent " + key; return nil })
		require.NoError(t, err)
	}
	mark(true) // dead after the mark, before the rename
	step()
	require.Equal(t, "staged", string(mustRead(t, path)))
	require.NoError(t, os.Remove(path))
	mark(false) // dead after the rename, and the business system was quick
	step()
	require.NoFileExists(t, path)
	require.Equal(t, "sent", p.again(r).Result)
}

// TestErrorFileIsNamed: a process that died between moving a refused file and
// saying so has the next one say it, once.
func TestErrorFileIsNamed(t *testing.T) {
	t.Parallel()
	p := park(t, sqlite, "cms", "institution", []file{rawForm("EB21")}, nil, nil)
	r := p.row(transfer.Send, transfer.Refused, nil)
	work := p.path("work", "instanceINST", r.ID+"~"+r.Name)
	require.NoError(t, os.WriteFile(work, nil, 0o640))
	for range 2 {
		_, err := p.resultStep(t.Context())
		require.NoError(t, err)
		require.Empty(t, p.again(r).ErrorPath, "the scan has yet to move it")
	}
	require.NoError(t, os.Remove(work))
	for range 2 {
		_, err := p.resultStep(t.Context())
		require.NoError(t, err)
	}
	require.Equal(t, filemgr.ErrorPath(p.o.Dirs.Scan, r.Name, p.again(r).CreatedAt, p.o.Zone), p.again(r).ErrorPath)
	events, err := p.s.Events(t.Context(), store.EventFilter{TransferID: r.ID, Kind: "error_file"})
	require.NoError(t, err)
	require.Len(t, events, 1)
}

// TestSameName: what becomes of a second drop of one name and day.
func TestSameName(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		policy SameName
		first  transfer.Status
		ended  bool
		want   transfer.Status // of the first
		held   bool            // the second
	}{
		{SameNameProfile, transfer.Stored, false, transfer.Stored, true},
		{SameNameHold, transfer.Sent, true, transfer.Sent, true},
		{SameNameNew, transfer.Sent, true, transfer.Sent, false},
		{SameNameReplace, transfer.Stored, false, transfer.Cancelled, false},
		{SameNameReplace, transfer.Sending, false, transfer.Cancelled, false},
		{SameNameReplace, transfer.Waiting, false, transfer.Cancelled, false},
		{SameNameReplace, transfer.Waiting, true, transfer.Waiting, true}, // its end may have been confirmed
		{SameNameReplace, transfer.Ending, true, transfer.Ending, true},
		{SameNameReplace, transfer.Unknown, true, transfer.Unknown, true},
		{SameNameReplace, transfer.Sent, true, transfer.Sent, true},
		{SameNameReplace, transfer.Failed, false, transfer.Failed, false},
	} {
		t.Run(string(test.policy)+"/"+string(test.first), func(t *testing.T) {
			f := rawForm("EB21")
			f.opt = func(f *File) { f.SameName = test.policy }
			p := park(t, sqlite, "cms", "institution", []file{f}, nil, nil)
			first := p.row(transfer.Send, test.first, func(r *transfer.Transfer) { r.EndedOnce = test.ended })
			p.pass(time.Second)
			second := p.row(transfer.Send, transfer.Storing, nil)
			why, err := p.sameBefore(t.Context(), second, p.insts["CENTRE"])
			require.NoError(t, err)
			require.Equal(t, test.held, why != nil)
			require.Equal(t, test.want, p.again(first).Status)
		})
	}
}

// TestQuestionsEnd: one that is never answered is put less and less often, and
// then taken back; one that the protocol does not have is never put.
func TestQuestionsEnd(t *testing.T) {
	t.Parallel()
	ask := func(p *parked, what transfer.Ask) *transfer.Transfer {
		return p.row(transfer.Send, transfer.Sent, func(r *transfer.Transfer) { r.Ask, r.NextTry = what, p.now() })
	}
	t.Run("never answered", func(t *testing.T) {
		p := park(t, sqlite, "cms", "institution", []file{rawForm("EB21")}, nil, func(o *Options) {
			o.Institutions[0].RetryTries, o.Institutions[0].RetryFirst, o.Institutions[0].RetryMax = 3, time.Minute, time.Hour
		})
		r := ask(p, transfer.AskStatus)
		for n := 1; n <= 3; n++ {
			c, err := p.claimInquiry(t.Context(), p.insts["CENTRE"], "")
			require.NoError(t, err)
			require.NotNil(t, c, n)
			p.session().giveBack(t.Context(), c, fault.New(machine.CodeSilent, "x"))
			p.pass(time.Hour)
		}
		now := p.again(r)
		require.Equal(t, transfer.AskNothing, now.Ask)
		require.Equal(t, transfer.Sent, now.Status)
		require.Len(t, awaitEvents(t, p.s, r.ID, "unanswered"), 1)
	})
	t.Run("recall without a telegram for it", func(t *testing.T) {
		p := park(t, sqlite, "edi", "institution", []file{rawForm("C02")}, nil, nil)
		r := ask(p, transfer.AskRecall)
		o, err := p.session().Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, machine.NothingMore, o.Kind, "not an inquiry in its place")
		require.Equal(t, transfer.AskNothing, p.again(r).Ask)
		require.Equal(t, string(CodeCannotAsk), awaitEvents(t, p.s, r.ID, "unanswered")[0].Code)
	})
}

// TestGuessing: after some wrong passwords nothing is looked at for a while,
// from that address and for that institution alone.
func TestGuessing(t *testing.T) {
	t.Parallel()
	var g throttle
	now := noon
	bad, other := caller{"12345678", "192.0.2.1"}, caller{"12345678", "192.0.2.2"}
	for range freeGuesses {
		require.Zero(t, g.barred(bad, now))
		g.failed(bad, now, guessing())
	}
	require.NotZero(t, g.barred(bad, now))
	require.Zero(t, g.barred(other, now))
	for range 20 {
		now = now.Add(longestBar)
		require.Zero(t, g.barred(bad, now))
		g.failed(bad, now, guessing())
	}
	require.Greater(t, g.barred(bad, now).Sub(now), longestBar/2)
	g.right(bad)
	require.Zero(t, g.barred(bad, now))
	for n := range 2 * mostCallers {
		g.failed(caller{"x", string(rune(n))}, now.Add(time.Duration(n)), guessing())
	}
	require.LessOrEqual(t, len(g.known), mostCallers)
}

// TestQuota: a session writes so many events of a kind, and then one that
// counts the rest.
func TestQuota(t *testing.T) {
	t.Parallel()
	var q quota
	written := 0
	for range mostNoted + 7 {
		if q.room("refused", "") {
			written++
		}
	}
	require.True(t, q.room("round", "one"))
	require.Equal(t, mostNoted, written)
	rest := q.rest()
	require.Len(t, rest, 1)
	require.JSONEq(t, `{"kind":"refused","count":"7"}`, rest[0].Detail)
}

// TestRefusalsOfASession: a counterparty that offers nothing but what is
// refused leaves a bounded history, with one entry for the rest; and one that
// guesses the transfer password is not listened to for a while.
func TestRefusalsOfASession(t *testing.T) {
	t.Parallel()
	onBoth(t, testRefusalsOfASession)
}

func testRefusalsOfASession(t *testing.T, on engine) {
	p := park(t, on, "cms", "centre", []file{rawForm("EB21")}, nil, func(o *Options) {
		o.Institutions[0].TransferPassword = "right"
	})
	offer := func(s *session, name, password string) protocol.Reason {
		acc, err := s.Accept(t.Context(), machine.Offer{Name: name, Password: password, Size: 100, MessageSize: 4096})
		require.NoError(t, err)
		return acc.Reason
	}
	s := p.session()
	require.NoError(t, s.begin(t.Context(), "test", false, transfer.Receive))
	const offers = 1000
	for range offers / 2 {
		require.Equal(t, protocol.BadPassword, offer(s, "EB211120", "wrong"))
		require.Equal(t, protocol.Unregistered, func() protocol.Reason {
			p.wrong.right(s.caller(s.inst.Code)) // so that the name is what is wrong
			r := offer(s, "ZZ991120", "right")
			return r
		}())
	}
	for range freeGuesses {
		require.Equal(t, protocol.BadPassword, offer(s, "EB211120", "wrong"))
	}
	require.Equal(t, protocol.BadPassword, offer(s, "EB211120", "right"), "nothing is looked at")
	p.pass(2 * firstBar)
	require.Equal(t, protocol.OK, offer(s, "EB211120", "right"))
	s.close(t.Context(), line.Report{}, nil)

	events, err := p.s.Events(t.Context(), store.EventFilter{SessionID: s.row.ID})
	require.NoError(t, err)
	kinds, rest := map[string]int{}, ""
	for _, e := range events {
		kinds[e.Kind]++
		if e.Kind == "more" {
			rest = e.Detail
		}
	}
	require.Equal(t, mostNoted, kinds["refused"])
	require.Contains(t, events[0].Detail, `"wire_name":"EB211120"`, "the subject is not the file")
	require.Equal(t, 1, kinds["more"])
	require.JSONEq(t, fmt.Sprintf(`{"kind":"refused","count":"%d"}`, offers+freeGuesses+1-mostNoted), rest)
}
