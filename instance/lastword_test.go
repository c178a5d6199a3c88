package instance

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/store"
	"pabal/transfer"
)

// holding holds one write of a process, and tells how the ends of its sessions
// were written.
type holding struct {
	mu      sync.Mutex
	who     string // "" = nobody any more
	reached chan struct{}
	goOn    chan struct{}
	ended   chan error
	release func()
}

func newHolding() *holding {
	h := &holding{reached: make(chan struct{}), goOn: make(chan struct{}), ended: make(chan error, 10)}
	h.release = sync.OnceFunc(func() { close(h.goOn) })
	return h
}

// next is the write that is held.
func (h *holding) next(who string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.who = who
}

func (h *holding) watch() func(error) {
	who := writer()
	h.mu.Lock()
	hold := h.who != "" && strings.HasPrefix(who, h.who)
	if hold {
		h.who = ""
	}
	h.mu.Unlock()
	if hold {
		close(h.reached)
		<-h.goOn
	}
	if strings.HasPrefix(who, "session.end") {
		return func(err error) { h.ended <- err }
	}
	return nil
}

// calls is a centre of which one write can be held, and an institution that
// calls it by hand.
type calls struct {
	*holding
	t             *testing.T
	first, second *host
	now           time.Time
}

func newCalls(t *testing.T, on engine) *calls {
	c := &calls{holding: newHolding(), t: t, first: newHost(t, on, "cms", "centre", []file{rawForm("EB21")}, nil)}
	c.first.db.Watch = c.watch
	c.first.opt.Listen[0].Address = "127.0.0.1:0"
	c.first.start()
	t.Cleanup(c.release) // before it ends
	c.second = &host{t: t, on: on, dir: c.first.dir, url: c.first.url, opt: c.first.opt, beside: true}
	c.second.opt.ID = "instance_OTHER"
	c.second.start()
	c.now = time.Now().In(c.first.opt.Zone)
	return c
}

// name is that of a file of one sequence.
func (c *calls) name(day int) string { return "EB21" + c.now.AddDate(0, 0, -day).Format("0102") }

func (c *calls) good(w wire) {
	c.t.Helper()
	require.Equal(c.t, "000", w.hear()[29:32])
}

// begins announces it and sends the sequence.
func (c *calls) begins(w wire, day int) {
	c.t.Helper()
	w.say("0052FTE123456780630RE" + c.name(day) + "000" + c.name(day) + "000000000150" + "4096")
	c.good(w)
	w.say(fmt.Sprintf("0189FTE123456780320RE%s00000010010150%s0035FTE123456780620RE%s0000001001", c.name(day), strings.Repeat("a", 150), c.name(day)))
}

// says sends a telegram about the session: 003 ends a file, 004 all.
func (c *calls) says(w wire, name, what string) {
	c.t.Helper()
	w.say(fmt.Sprintf("0077FTE123456780600RE%-8s000%s%s%-36s", name, c.now.Format("0102150405"), what, "Honggildong"))
	c.good(w)
}

func (c *calls) row(id string) transfer.Session {
	c.t.Helper()
	all, err := c.second.store.Sessions(c.t.Context(), store.SessionFilter{ID: id})
	require.NoError(c.t, err)
	require.Len(c.t, all, 1)
	return *all[0]
}

// holder is the one session that is open, and has the line.
func (c *calls) holder() string {
	c.t.Helper()
	lines, err := c.second.store.Lines(c.t.Context())
	require.NoError(c.t, err)
	require.Len(c.t, lines, 1)
	open, err := c.second.store.Sessions(c.t.Context(), store.SessionFilter{OpenOnly: true})
	require.NoError(c.t, err)
	require.Len(c.t, open, 1)
	require.Equal(c.t, open[0].ID, lines[0].SessionID)
	return open[0].ID
}

// TestCalledOverBeforeItsEnd: a session has ended by itself, and before that is
// written its counterparty calls again. The row is closed on its behalf, and then
// says what the session did; but not if its process was found dead meanwhile.
func TestCalledOverBeforeItsEnd(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"here", "elsewhere", "elsewhere, and found dead"} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			onBoth(t, func(t *testing.T, on engine) { calledOverBeforeItsEnd(t, on, where) })
		})
	}
}

func calledOverBeforeItsEnd(t *testing.T, on engine, where string) {
	c := newCalls(t, on)
	old := c.first.opened(t)
	id := c.holder()
	c.begins(old, 0)
	c.good(old)
	c.says(old, c.name(0), "003")
	c.next("session.end")
	c.says(old, "", "004")
	<-c.reached
	require.Equal(t, id, c.holder())

	called := c.second
	if where == "here" {
		called = c.first
	}
	newer := called.opened(t)
	next := c.holder()
	require.NotEqual(t, id, next)
	onBehalf := c.row(id)
	require.Equal(t, string(CodeOccupied), onBehalf.ErrorCode)

	if strings.HasSuffix(where, "dead") {
		eventually(t, "it lives", func() bool { // a beat may come in between
			all, err := c.second.store.Instances(t.Context())
			require.NoError(t, err)
			for _, i := range all {
				if i.ID == c.first.opt.ID {
					buried, err := c.second.store.Bury(t.Context(), time.Now(), i, c.second.opt.ID)
					require.NoError(t, err)
					return buried
				}
			}
			return false
		})
		c.release()
		require.ErrorIs(t, <-c.ended, store.ErrFenced)
		require.Equal(t, onBehalf, c.row(id), "a process that was found dead has written")
	} else {
		c.release()
		require.NoError(t, <-c.ended)
		row := c.row(id)
		require.Empty(t, row.ErrorCode)
		require.Empty(t, row.ErrorDetail)
		require.Equal(t, 1, row.Files)
		require.Equal(t, transfer.Receive, row.Direction)
		require.False(t, row.ClosedAt.IsZero())
	}
	require.Equal(t, next, c.holder())

	// The newer one goes on as if nothing had been.
	c.begins(newer, 1)
	c.good(newer)
	c.says(newer, c.name(1), "003")
	c.says(newer, "", "004")
	called.await(transfer.Receive, transfer.Assembled, 2)
}

// TestCalledOverInMidFile: a session is called over while it writes a block. What
// it had done before stands in its row, and why it came no further.
func TestCalledOverInMidFile(t *testing.T) {
	t.Parallel()
	onBoth(t, calledOverInMidFile)
}

func calledOverInMidFile(t *testing.T, on engine) {
	c := newCalls(t, on)
	old := c.first.opened(t)
	id := c.holder()
	c.begins(old, 0)
	c.good(old)
	c.says(old, c.name(0), "003")
	c.next("session.Save")
	c.begins(old, 1)
	<-c.reached
	newer := c.second.opened(t)
	next := c.holder()
	require.NotEqual(t, id, next)
	require.Zero(t, c.row(id).Files)
	c.release()
	answer, err := old.answer() // the line may have been cut already
	if err == nil {
		require.NotEqual(t, "000", answer[29:32])
	}
	require.NoError(t, old.Close())
	require.NoError(t, <-c.ended)
	row := c.row(id)
	require.Equal(t, string(CodeOccupied), row.ErrorCode)
	require.Equal(t, c.first.opt.Institutions[0].Code, Noted(row.ErrorCode, row.ErrorDetail).Subject)
	require.Equal(t, 1, row.Files)
	require.Equal(t, next, c.holder())
	require.NoError(t, newer.Close())
}
