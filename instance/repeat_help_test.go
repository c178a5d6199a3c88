package instance

import (
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/protocol"
	"pabal/store"
	"pabal/transfer"
)

// cutter stands between two servers and cuts the line instead of passing on a
// telegram that a test has named.
type cutter struct {
	ln      net.Listener
	profile string
	target  chan string // the centre's address, as soon as it is known
	mu      sync.Mutex
	drop    map[string]int // by what: how many more to swallow
	caught  map[string]chan struct{}
	down    bool // nobody gets through
	accept  bool // "complete already" is passed on as "send it from the start"
	open    sync.WaitGroup
}

const (
	endRequest = "end request"
	endReply   = "end reply"
	checkReply = "check reply"
	infoReply  = "info reply"
)

func newCutter(t *testing.T, profile string) *cutter {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	c := &cutter{ln: ln, profile: profile, target: make(chan string, 1), drop: map[string]int{}, caught: map[string]chan struct{}{}}
	go func() {
		address := <-c.target
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			c.mu.Lock()
			down := c.down
			c.mu.Unlock()
			var out net.Conn
			if !down {
				out, err = net.Dial("tcp", address)
			}
			if down || err != nil {
				_ = in.Close()
				continue
			}
			file := new(atomic.Bool)
			for _, way := range [][2]net.Conn{{in, out}, {out, in}} {
				c.open.Go(func() {
					c.pass(way[0], way[1], file)
					_, _ = in.Close(), out.Close()
				})
			}
		}
	}()
	t.Cleanup(func() {
		_ = ln.Close()
		select {
		case c.target <- "127.0.0.1:1": // nobody has said it: let the goroutine see that the listener is closed
		default:
		}
		c.open.Wait()
	})
	return c
}

// pass copies telegrams: four digits count what follows them in both profiles.
// The end of a session that had nothing to fetch is not the end of a file: file
// says that one is under way, on either side.
func (c *cutter) pass(from, to net.Conn, file *atomic.Bool) {
	for {
		head := make([]byte, 4)
		if _, err := io.ReadFull(from, head); err != nil {
			return
		}
		n := 0
		if _, err := fmt.Sscanf(string(head), "%d", &n); err != nil {
			return
		}
		frame := append(head, make([]byte, n)...)
		if _, err := io.ReadFull(from, frame[4:]); err != nil {
			return
		}
		what := c.what(frame)
		if what == checkReply {
			file.Store(true)
		}
		if file.Load() && !c.may(what) {
			return
		}
		if file.Load() && c.catches(what) {
			continue
		}
		c.deaf(what, frame)
		if _, err := to.Write(frame); err != nil {
			return
		}
	}
}

// what is what a telegram is, "" if nothing that a test names.
func (c *cutter) what(frame []byte) string {
	switch c.profile {
	case "cms", "asks": // asks has its headers
		switch kind := string(frame[15:19]); {
		case kind == "0610" && (string(frame[42:45]) == "002" || string(frame[42:45]) == "003"):
			return endReply
		case kind == "0600" && (string(frame[42:45]) == "002" || string(frame[42:45]) == "003"):
			return endRequest
		case kind == "0300":
			return checkReply
		case kind == "0640":
			return infoReply
		}
	case "edi":
		switch string(frame[7:14]) {
		case "0800800":
			return endRequest
		case "0810800":
			return endReply
		case "0420100":
			return checkReply
		}
	}
	return ""
}

func (c *cutter) may(what string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.drop[what] > 0 {
		c.drop[what]--
		return false
	}
	return true
}

func (c *cutter) cut(what string, times int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop[what] = times
}

// catch swallows the next telegram of a kind and leaves the line as it is: the
// sender waits. The channel is closed when it was swallowed.
func (c *cutter) catch(what string) <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.caught[what] = make(chan struct{})
	return c.caught[what]
}

func (c *cutter) catches(what string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	caught := c.caught[what]
	if caught == nil {
		return false
	}
	close(caught)
	delete(c.caught, what)
	return true
}

// shut lets nobody through, or everybody again.
func (c *cutter) shut(down bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = down
}

// deaf makes the sender one that passes over "complete already" (protocols
// §1.5): it hears "go on" with nothing held.
func (c *cutter) deaf(what string, frame []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.accept && what == infoReply && string(frame[29:32]) == "630" {
		copy(frame[29:32], "000")
		copy(frame[40:52], "000000000000")
	}
}

// repeats is a pair with a cutter between, a clock that a test moves, and one
// registration each way.
type repeats struct {
	*pair
	t       *testing.T
	profile string
	line    *cutter
	shift   *atomic.Int64
	from    *host // who sends
	to      *host // who receives
	sent    int   // files dropped
}

// newRepeats starts a pair. up: the institution sends; else it fetches. dated:
// names have a date in them, or the telegrams do.
func newRepeats(t *testing.T, on engine, profile string, up, dated bool, policy protocol.Repeat, tune func(from, to *Options)) *repeats {
	t.Helper()
	id := map[string]string{"cms": "EB21", "edi": "C02"}[profile]
	f := rawForm(id)
	f.opt = func(f *File) {
		if f.Direction == transfer.Receive {
			f.Repeat = policy
		}
		if !dated && profile == "cms" {
			f.WireName = "${FILE_ID:4}+DAY"
		}
	}
	r := &repeats{t: t, profile: profile, line: newCutter(t, profile), shift: new(atomic.Int64)}
	began := time.Now()
	late := time.Date(2026, 11, 20, 23, 50, 0, 0, time.FixedZone("KST", 9*3600))
	now := func() time.Time { return late.Add(time.Since(began) + time.Duration(r.shift.Load())) }
	var files [2][]file
	files[map[bool]int{true: 0, false: 1}[up]] = []file{f}
	r.pair = newPair(t, on, profile, files[0], files[1], func(i, c *Options) {
		i.Now, c.Now = now, now
		i.Institutions[0].Connect = r.line.ln.Addr().String()
		// What is unknown is settled when the test lets it.
		for _, o := range []*Options{i, c} {
			o.Institutions[0].RetryFirst, o.Institutions[0].RetryMax = time.Minute, time.Minute
		}
		if tune != nil {
			if up {
				tune(i, c)
			} else {
				tune(c, i)
			}
		}
	})
	r.line.target <- r.centre.inst.Addresses()[0]
	r.from, r.to = r.institution, r.centre
	if !up {
		r.from, r.to = r.centre, r.institution
	}
	return r
}

// pass moves the clock of both sides.
func (r *repeats) pass(d time.Duration) { r.shift.Add(int64(d)) }

// send drops a file and waits for what becomes of it. After the first one of
// its name it is held, and goes out with the first one's serial number: as a
// counterparty would that takes it for the same file.
func (r *repeats) send(body []byte, st transfer.Status) *transfer.Transfer {
	r.t.Helper()
	id := map[string]string{"cms": "EB21", "edi": "C02"}[r.profile]
	r.from.drop(fmt.Sprintf("%s.%s.JOB", id, r.from.opt.Institutions[0].Code), body)
	r.sent++
	return r.awaitNewest(r.from, transfer.Send, r.sent, st)
}

// again has the last file sent once more, and waits for what becomes of it.
func (r *repeats) again(st transfer.Status) *transfer.Transfer {
	r.t.Helper()
	r.resend()
	return r.awaitNewest(r.from, transfer.Send, r.sent, st)
}

// resend is what a person's "resend --again" does to the last file.
func (r *repeats) resend() {
	r.t.Helper()
	all, err := r.from.store.List(r.t.Context(), store.Filter{Direction: transfer.Send, NewestFirst: true, Limit: 1})
	require.NoError(r.t, err)
	r.order(all[0].ID, func(t *transfer.Transfer) {
		t.Status, t.SentBytes, t.EndedOnce, t.EndedDigest, t.NextTry = transfer.Waiting, 0, false, "", time.Time{}
		t.Tries, t.ErrorCode = 0, ""
	})
}

func (r *repeats) order(id string, f func(*transfer.Transfer)) {
	r.t.Helper()
	_, err := r.from.store.Command(r.t.Context(), time.Now(), transfer.Command{Name: "resend", TransferID: id, Who: "test", Reason: "test"},
		func(t *transfer.Transfer) error { f(t); return nil })
	require.NoError(r.t, err)
}

// awaitNewest waits until there are n transfers and the newest is in a status.
func (r *repeats) awaitNewest(h *host, d transfer.Direction, n int, st transfer.Status) *transfer.Transfer {
	r.t.Helper()
	var got []*transfer.Transfer
	r.until(func() bool {
		var err error
		got, err = h.store.List(r.t.Context(), store.Filter{Direction: d, NewestFirst: true})
		return err == nil && len(got) == n && got[0].Status == st && got[0].Owner == ""
	}, func() string {
		text := fmt.Sprintf("want %d, the newest %s:", n, st)
		for _, t := range got {
			text += fmt.Sprintf("\n%s %s %s %s %s", t.ID, t.Status, t.Repeat, t.ErrorCode, t.ErrorDetail)
		}
		return text
	})
	return got[0]
}

func (r *repeats) until(ok func() bool, why func() string) {
	r.t.Helper()
	deadline := time.After(hang)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			r.t.Fatal(why())
		}
	}
}

// holds waits until the receiving side has these transfers, by status, and
// nothing under way.
func (r *repeats) holds(want map[transfer.Status]int) {
	r.t.Helper()
	var got map[transfer.Status]int
	r.until(func() bool {
		all, err := r.to.store.List(r.t.Context(), store.Filter{Direction: transfer.Receive})
		got = map[transfer.Status]int{}
		for _, t := range all {
			got[t.Status]++
		}
		return err == nil && fmt.Sprint(got) == fmt.Sprint(want)
	}, func() string { return fmt.Sprintf("has %v, want %v", got, want) })
}

// placed counts the files in the receive directory by content.
func (r *repeats) placed() map[string]int {
	a := against{t: r.t, ours: r.to}
	return a.arrived()
}
