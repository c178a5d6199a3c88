package instance

import (
	"bytes"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
	"pabal/internal/pgtest"
	"pabal/protocol"
	"pabal/protocol/machine"
	"pabal/store"
	"pabal/transfer"
)

// heard is a log that tests read while it is written.
type heard struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (h *heard) Write(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.Write(b)
}

func (h *heard) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.String()
}

// until waits for a text in the log.
func (h *heard) until(t *testing.T, text string) {
	t.Helper()
	deadline := time.After(hang)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !strings.Contains(h.String(), text) {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%q does not come in:\n%s", text, h)
		}
	}
}

// behind puts a server's database behind a cutter, and its log where it can be
// read. The store gives up soon what it waits for, but not so soon that the server
// ends transactions of a process that waits for its turn on a busy machine.
func behind(t *testing.T, h *host) (*pgtest.Cutter, *heard) {
	t.Helper()
	c, url := running.postgres.Cutter(t, postgres.url(t, h.dir))
	h.url, h.db.BusyTimeout = url+"&connect_timeout=60", 1500*time.Millisecond
	return c, h.listen()
}

// listen puts a server's log where it can be read. A test that fails shows it.
func (h *host) listen() *heard {
	log, name := new(heard), h.opt.ID
	h.opt.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	h.t.Cleanup(func() { // after end, which comes later and so runs before
		if h.t.Failed() {
			h.t.Logf("%s has said:\n%s", name, log)
		}
	})
	return log
}

const (
	heldBack = "the answer waits"
	faulty   = "is told of a fault"
)

// TestStoreAwayAtEachWrite cuts the connections at the commits of each step,
// on the way there and on the way back, and lets nobody in until the server
// has noticed. In the end the file has come once and the rows say so.
func TestStoreAwayAtEachWrite(t *testing.T) {
	t.Parallel()
	const block = 3 // of three and a bit
	body := content(3*100*littleData + 17)
	inside := body[(block-1)*100*littleData+1000:][:64]
	for _, test := range []struct {
		name string
		side string // whose store
		with []byte
		wait time.Duration // how long an answer is held, 0 = for a long time
		says string        // what the log says before the store is back
	}{
		{"claimed for sending", "institution", pgtest.Parameter(string(transfer.Sending)), 0, "commit_unknown"},
		{"ending", "institution", pgtest.Parameter(string(transfer.Ending)), 0, "commit_unknown"},
		{"sent", "institution", pgtest.Parameter(string(transfer.Sent)), 0, "outcome cannot be written now"},
		{"announced held", "centre", pgtest.Parameter(string(transfer.Receiving)), 0, heldBack},
		{"announced given up", "centre", pgtest.Parameter(string(transfer.Receiving)), 50 * time.Millisecond, faulty},
		{"block held", "centre", inside, 0, heldBack},
		{"block given up", "centre", inside, 50 * time.Millisecond, faulty},
		{"received held", "centre", pgtest.Parameter(string(transfer.Received)), 0, heldBack},
		{"received given up", "centre", pgtest.Parameter(string(transfer.Received)), 50 * time.Millisecond, faulty},
		{"claimed for placing", "centre", pgtest.Parameter(string(transfer.Placing)), 0, "commit_unknown"},
		{"placing", "centre", []byte("/receive/EB21"), 0, "commit_unknown"},
		{"assembled", "centre", pgtest.Parameter(string(transfer.Assembled)), 0, "commit_unknown"},
	} {
		for where, plan := range map[string]pgtest.Cut{"before": pgtest.Before, "after": pgtest.After} {
			t.Run(test.name+"/"+where, func(t *testing.T) {
				t.Parallel()
				p := makePair(t, postgres, "cms", []file{rawForm("EB21")}, nil, littleTelegrams)
				cut, other := p.institution, p.centre
				if test.side == "centre" {
					cut, other = other, cut
					cut.opt.Institutions[0].StoreWait = test.wait
				}
				other.on = sqlite // nothing happens to it, and that is the cheaper one
				other.listen()
				c, log := behind(t, cut)
				p.start()
				c.NextWith(test.with, plan, 1, true)
				p.institution.drop("EB21.CENTRE.JOB", body)
				// The cut first: on a busy machine the store may be given up before.
				awaitCut(t, c)
				log.until(t, test.says)
				c.Back()
				arrivedOnce(t, p, body)
			})
		}
	}
}

func awaitCut(t *testing.T, c *pgtest.Cutter) {
	t.Helper()
	deadline := time.After(hang)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for c.Count() == 0 {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("nothing was cut")
		}
	}
	require.Equal(t, 1, c.Count())
}

// arrivedOnce waits until one file has gone up, and looks at both ends.
func arrivedOnce(t *testing.T, p *pair, body []byte) {
	t.Helper()
	sent := p.institution.await(transfer.Send, transfer.Sent, 1)[0]
	got := p.centre.await(transfer.Receive, transfer.Assembled, 1)[0]
	require.Equal(t, sum(body), sum(mustRead(t, got.FinalPath)))
	require.Equal(t, sum(body), sent.FileDigest)
	entries, err := os.ReadDir(p.centre.path("receive"))
	require.NoError(t, err)
	require.Len(t, entries, 2, "the file and .pabal")
	for _, h := range []*host{p.institution, p.centre} {
		all, err := h.store.List(t.Context(), store.Filter{})
		require.NoError(t, err)
		for _, r := range all {
			require.True(t, r.Status.Final(), "%s is left %s", r.ID, r.Status)
			require.Empty(t, r.Owner)
		}
		events, err := h.store.Events(t.Context(), store.EventFilter{Kind: store.EventStatus})
		require.NoError(t, err)
		ends := map[transfer.Status]int{}
		for _, e := range events {
			ends[e.To]++
		}
		require.Equal(t, 1, ends[transfer.Sent]+ends[transfer.Assembled], "%v", ends)
	}
}

// TestBeginsWhileStoreAway: an instance whose first term cannot be written, because
// the store is away just then, begins it when the store is back. It does not
// end, and the other instances of its process with it.
func TestBeginsWhileStoreAway(t *testing.T) {
	t.Parallel()
	for where, plan := range map[string]pgtest.Cut{"before": pgtest.Before, "after": pgtest.After} {
		t.Run(where, func(t *testing.T) {
			h := newHost(t, postgres, "cms", "centre", nil, []file{rawForm("EB21")})
			h.opt.Listen[0].Address = "127.0.0.1:0"
			c, log := behind(t, h)
			h.db.BusyTimeout = 300 * time.Millisecond
			// More often than the store itself tries: its own Begin is cut.
			const tries = 5
			c.NextWith(pgtest.Parameter(h.opt.ID), plan, tries, false)
			h.start()
			require.Equal(t, tries, c.Count(), "%s", log)
			all, err := h.store.Instances(t.Context())
			require.NoError(t, err)
			require.Len(t, all, 1)
			want := map[pgtest.Cut]int64{pgtest.Before: 1, pgtest.After: tries + 1}[plan]
			require.GreaterOrEqual(t, all[0].Term, want, "on a busy machine another is given up")
			require.Equal(t, all[0].Term, h.inst.term)
			h.drop("EB21.MEMBER.JOB", content(10))
			h.await(transfer.Send, transfer.Stored, 1)
		})
	}
}

// TestStoreAwayInMidSession: while the store is away no positive answer
// leaves. If it comes back in time the session is cut all the same, because a
// server that took over may not hold what was confirmed; else the counterparty
// hears of a fault. Either way it goes on from what the store holds.
func TestStoreAwayInMidSession(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		wait time.Duration
		says string
		code string // of the session
	}{
		{"back in time", time.Minute, heldBack, string(CodeStoreLost)},
		{"for too long", 100 * time.Millisecond, faulty, string(store.CodeUnreachable)},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := makePair(t, postgres, "cms", []file{rawForm("EB21")}, nil, nil)
			c, log := behind(t, p.centre)
			p.centre.opt.Institutions[0].StoreWait = test.wait
			var away, lied atomic.Bool
			var once sync.Once
			var mu sync.Mutex
			var faults []string
			p.centre.opt.Trace = func(_ string, out bool, tel *protocol.Telegram, _ []byte) {
				if !out || tel.Kind != protocol.CheckReply && tel.Kind != protocol.EndReply {
					return
				}
				code := tel.Text(protocol.Response)
				if away.Load() {
					lied.Store(lied.Load() || code == "000")
					mu.Lock()
					faults = append(faults, code)
					mu.Unlock()
				}
				if code == "000" {
					once.Do(func() { away.Store(true); c.Away() }) // after the first block
				}
			}
			p.start()
			body := content(4*blockOf("cms") + 1)
			p.institution.drop("EB21.CENTRE.JOB", body)
			log.until(t, test.says)
			if test.says == faulty { // which is written before the answer leaves
				require.Eventually(t, func() bool {
					mu.Lock()
					defer mu.Unlock()
					return len(faults) > 0
				}, hang, time.Millisecond)
			}
			away.Store(false)
			c.Back()
			arrivedOnce(t, p, body)
			require.False(t, lied.Load(), "a positive answer left while the store was away")
			mu.Lock()
			defer mu.Unlock()
			if test.code == string(CodeStoreLost) {
				require.Empty(t, faults)
			} else {
				require.Equal(t, []string{"090"}, faults[:1])
			}
			// Its row may say that the next session took the line from it: the
			// counterparty calls again while it waits to write what it ended of.
			log.until(t, "code="+test.code)
			sent := p.institution.await(transfer.Send, transfer.Sent, 1)[0]
			require.GreaterOrEqual(t, sent.Attempt, int64(2))
			require.Contains(t, log.String(), "receiving goes on", "resumed from what the store holds")
		})
	}
}

// TestMarkedWithoutKnowing: an end request that did not leave, because the
// answer to its commit was lost, proves nothing later.
func TestMarkedWithoutKnowing(t *testing.T) {
	t.Parallel()
	onBoth(t, testMarkedWithoutKnowing)
}

func testMarkedWithoutKnowing(t *testing.T, on engine) {
	p := park(t, on, "cms", "institution", []file{rawForm("EB21")}, nil, nil)
	r := p.row(transfer.Send, transfer.Stored, nil)
	s := p.session()
	s.current = p.claim(s)
	before := *s.current
	_, err := s.Ending(t.Context(), 0)
	require.NoError(t, err)
	require.True(t, p.again(r).EndedOnce)
	s.current = &before // as if the answer had not come
	require.Error(t, s.unmarked(fault.New(store.CodeCommitUnknown, "db")))
	require.NoError(t, s.Finish(t.Context(), machine.Outcome{Result: machine.CutBefore, Err: store.ErrFenced}))
	after := p.again(r)
	require.Equal(t, transfer.Waiting, after.Status)
	require.False(t, after.EndedOnce)
	require.Empty(t, after.EndedDigest)
}

// TestOutcomeReadAgain: an outcome whose commit was not answered is found
// written, with its result file; one that somebody has taken since is not ours.
func TestOutcomeReadAgain(t *testing.T) {
	t.Parallel()
	onBoth(t, testOutcomeReadAgain)
}

func testOutcomeReadAgain(t *testing.T, on engine) {
	p := park(t, on, "cms", "institution", []file{rawForm("EB21")}, nil, nil)
	p.row(transfer.Send, transfer.Stored, nil)
	s := p.session()
	claimed := p.claim(s)
	_, err := p.ownOutcome(t.Context(), claimed.Ref())
	require.ErrorIs(t, err, store.ErrFenced, "nothing is settled yet")
	_, err = p.s.Change(t.Context(), p.now(), claimed.Ref(), func(r *transfer.Transfer) error {
		r.Status, r.Owner = transfer.Waiting, ""
		return nil
	})
	require.NoError(t, err)
	r, err := p.ownOutcome(t.Context(), claimed.Ref())
	require.NoError(t, err)
	require.Equal(t, transfer.Waiting, r.Status)
	p.claim(s)
	_, err = p.ownOutcome(t.Context(), claimed.Ref())
	require.ErrorIs(t, err, store.ErrFenced)
}

// TestTextOfOthers: neither a file name nor a code that is not UTF-8 stops
// anything.
func TestTextOfOthers(t *testing.T) {
	t.Parallel()
	onBoth(t, testTextOfOthers)
}

func testTextOfOthers(t *testing.T, on engine) {
	h := lone(t, on, "cms", []file{rawForm("EB21")}, nil)
	h.drop("EB21.\xb1\xe2\xbe\xf7.JOB", content(10))
	h.drop("EB21.CENTRE.JOB", content(10))
	h.await(transfer.Send, transfer.Stored, 1)
	_, err := os.Stat(h.path("scan", "EB21.\xb1\xe2\xbe\xf7.JOB"))
	require.NoError(t, err, "it is left where it is")

	p := park(t, on, "cms", "institution", []file{rawForm("EB21")}, nil, nil)
	r := p.row(transfer.Send, transfer.Stored, nil)
	s := p.session()
	s.current = p.claim(s)
	require.NoError(t, s.Finish(t.Context(), machine.Outcome{Result: machine.RefusedByPeer, Response: "\x00\xb1\xe2", Err: store.ErrFenced}))
	require.Equal(t, transfer.Failed, p.again(r).Status)
}
