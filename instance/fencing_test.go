package instance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/store"
	"pabal/transfer"
)

// gate stops a process right before one of its writes, as SIGSTOP would: that
// write waits, and so does every later one, the beat among them. It never stops
// twice at the same write of the same kind: which writes come in which order is
// not the same for every file, but who writes for a file for which time is.
type gate struct {
	mu      sync.Mutex
	armed   bool
	stopped bool
	whole   bool
	times   map[string]int  // how often each has written since arm
	known   map[string]bool // where it has stopped before
	reached chan string     // who writes
	held    chan struct{}
	rest    chan struct{}
	outcome chan error
}

// mostTimes of one that writes for a file are told apart: a step that looks for
// work again and again is not held for ever.
const mostTimes = 4

// arm has the next write that was not yet held stopped: with everything else of
// the process, or alone.
func (g *gate) arm(whole bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.armed, g.stopped, g.whole, g.times = true, false, whole, map[string]int{}
	if g.known == nil {
		g.known = map[string]bool{}
	}
	g.reached, g.outcome = make(chan string, 1), make(chan error, 1)
	g.held, g.rest = make(chan struct{}), make(chan struct{})
}

func (g *gate) disarm() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.armed = false
}

func (g *gate) watch() func(error) {
	who := writer()
	g.mu.Lock()
	switch {
	case g.armed && g.stopped && g.whole:
		rest := g.rest
		g.mu.Unlock()
		<-rest
		return nil
	case !g.armed || g.stopped || !g.stopsAt(who):
		g.mu.Unlock()
		return nil
	}
	g.stopped = true
	held, outcome := g.held, g.outcome
	g.mu.Unlock()
	g.reached <- who
	<-held
	return func(err error) { outcome <- err }
}

func (g *gate) stopsAt(who string) bool {
	if who == "" || !g.whole && !strings.HasPrefix(who, "session.") {
		return false
	}
	g.times[who]++
	step := fmt.Sprint(who, " ", g.times[who])
	if g.times[who] > mostTimes || g.known[step] {
		return false
	}
	g.known[step] = true
	return true
}

// free lets everything through, also when a test has failed.
func (g *gate) free() {
	g.disarm()
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range []chan struct{}{g.held, g.rest} {
		if c == nil {
			continue
		}
		select {
		case <-c:
		default:
			close(c)
		}
	}
}

// writer is the function of this package that writes, "" for what no file
// needs: beats, terms, retention.
func writer() string {
	var pc [30]uintptr
	frames := runtime.CallersFrames(pc[:runtime.Callers(3, pc[:])])
	for {
		f, more := frames.Next()
		name, ours := strings.CutPrefix(f.Function, "pabal/instance.")
		if ours {
			name = strings.NewReplacer("(*", "", ")", "", ".func1", "", ".func2", "", ".func3", "").Replace(name)
			if strings.HasPrefix(name, "lease") || strings.HasPrefix(name, "Instance.begin") || strings.HasPrefix(name, "Instance.leave") ||
				strings.HasPrefix(name, "Instance.Run") ||
				strings.HasPrefix(name, "Instance.retain") || strings.HasPrefix(name, "observer") {
				return ""
			}
			if name != "Instance.change" { // it writes for its caller
				return name
			}
		}
		if !more {
			return ""
		}
	}
}

// picture is everything in a database that counts.
func picture(t *testing.T, s *store.Store) []string {
	t.Helper()
	ctx := t.Context()
	all, err := s.List(ctx, store.Filter{})
	require.NoError(t, err)
	var out []string
	for _, row := range all {
		r := *row
		// The note of a backup is a fact, see below, and may come at any time.
		r.WorkPath, r.BackupPath, r.BackedUpAt, r.UpdatedAt = "", "", time.Time{}, time.Time{}
		out = append(out, fmt.Sprintf("%+v", r))
		infos, err := s.BlockInfos(ctx, row.ID)
		require.NoError(t, err)
		for _, b := range infos {
			out = append(out, fmt.Sprintf("%s %+v", row.ID, b))
		}
	}
	lines, err := s.Lines(ctx)
	require.NoError(t, err)
	for _, l := range lines {
		out = append(out, fmt.Sprintf("%+v", *l))
	}
	return out
}

// left waits until nobody is on a line any more: what a session has told its
// counterparty comes before it is over.
func (h *host) left() {
	h.t.Helper()
	eventually(h.t, "somebody is on a line", func() bool {
		lines, err := h.store.Lines(context.Background())
		return err == nil && len(lines) == 0
	})
}

// facts are writes that are no claim on anything: they say what has happened
// to a file of our place, or when a window was tried. They are true whoever
// has the transfer, so nothing fences them.
var facts = []string{"scan.enter", "scan.step", "Instance.backupStep", "session.round", "Instance.startFetch", "session.Accept"}

func isFact(who string) bool {
	return slices.ContainsFunc(facts, func(f string) bool { return strings.HasPrefix(who, f) })
}

// TestStoppedAtEveryWrite stops an instance right before each write that a
// file needs, lets another find it dead and settle what it held, and then lets
// it go on: that write is fenced off and leaves nothing, and the file is on
// the other side once in the end.
func TestStoppedAtEveryWrite(t *testing.T) {
	t.Parallel()
	for _, side := range []string{"sends", "receives"} {
		t.Run(side, func(t *testing.T) {
			onBoth(t, func(t *testing.T, on engine) { stoppedAtEveryWrite(t, on, side) })
		})
	}
}

func stoppedAtEveryWrite(t *testing.T, on engine, side string) {
	g := &gate{}
	files := []file{rawForm("EB21")}
	institution, centre := newHost(t, sqlite, "cms", "institution", files, nil), newHost(t, sqlite, "cms", "centre", files, nil)
	held := map[string]*host{"sends": institution, "receives": centre}[side]
	held.on = on
	held.db.Watch, held.db.Lease = g.watch, 6*time.Second
	centre.opt.Listen[0].Address = "127.0.0.1:0"
	centre.start()
	institution.opt.Institutions[0].Connect = centre.inst.Addresses()[0]
	institution.start()
	t.Cleanup(g.free) // before they end

	// The other instance does nothing by itself.
	beside, err := store.Open(t.Context(), store.Options{URL: held.url})
	require.NoError(t, err)
	defer beside.Close()
	o := held.opt
	o.ID = "instance_OTHER"
	observer, err := New(beside, o)
	require.NoError(t, err)

	seen := map[transfer.Status][]string{} // who was held, by the status that the file stood in
	done := func(n int) bool {
		sent, err := institution.store.List(t.Context(), store.Filter{Statuses: []transfer.Status{transfer.Sent}})
		require.NoError(t, err)
		came, err := centre.store.List(t.Context(), store.Filter{Statuses: []transfer.Status{transfer.Assembled}})
		require.NoError(t, err)
		lines, err := beside.Lines(t.Context())
		require.NoError(t, err)
		return len(sent) == n && len(came) == n && len(lines) == 0
	}
	ours := func() *store.Instance {
		all, err := beside.Instances(t.Context())
		require.NoError(t, err)
		n := slices.IndexFunc(all, func(i *store.Instance) bool { return i.ID == held.opt.ID })
		require.GreaterOrEqual(t, n, 0)
		return all[n]
	}
	wait := func(what string, f func() bool) {
		t.Helper()
		limit := time.After(hang)
		tick := time.NewTicker(3 * time.Millisecond)
		defer tick.Stop()
		for !f() {
			select {
			case <-tick.C:
			case <-limit:
				t.Fatalf("%s: %v", what, picture(t, beside))
			}
		}
	}
	for n := 1; ; n++ {
		g.arm(true)
		body := content(1000 + n)
		institution.drop(fmt.Sprintf("EB21.CENTRE.JOB.%s", time.Date(2026, 9, n, 0, 0, 0, 0, time.UTC).Format("20060102")), body)
		who := ""
		wait("neither held nor done", func() bool {
			select {
			case who = <-g.reached:
				return true
			default:
				return done(n)
			}
		})
		if who == "" {
			g.disarm()
			require.Greater(t, n, 5)
			break
		}
		rows, err := beside.List(t.Context(), store.Filter{NewestFirst: true})
		require.NoError(t, err)
		if len(rows) == n {
			seen[rows[0].Status] = append(seen[rows[0].Status], who)
		}
		// It is dead for the other one, who takes everything over.
		wait("it lives", func() bool { // as long as a beat arrives that had left before it was stopped
			buried, err := beside.Bury(t.Context(), time.Now(), ours(), "instance_OTHER")
			require.NoError(t, err)
			return buried
		})
		require.NoError(t, observer.recover(t.Context()))
		before := picture(t, beside)
		close(g.held)
		err = <-g.outcome
		if !isFact(who) {
			// A write of many transfers tells of each by itself.
			require.True(t, err == nil || errors.Is(err, store.ErrFenced) || errors.Is(err, context.Canceled), "%s: %v", who, err)
			require.Equal(t, before, picture(t, beside), "%s wrote after its instance was buried", who)
		}
		g.disarm()
		close(g.rest)
		// It must have noticed before the next file comes, which may be done with
		// without it.
		wait(who, func() bool { return done(n) && ours().Ended.IsZero() })
	}
	t.Logf("held at %v", seen)
	for _, must := range map[string][]transfer.Status{
		"sends":    {transfer.Storing, transfer.Stored, transfer.Sending, transfer.Ending},
		"receives": {transfer.Receiving, transfer.Received, transfer.Placing},
	}[side] {
		require.Contains(t, seen, must)
	}

	came, err := centre.store.List(t.Context(), store.Filter{Statuses: []transfer.Status{transfer.Assembled}})
	require.NoError(t, err)
	for _, row := range came {
		b, err := os.ReadFile(row.FinalPath)
		require.NoError(t, err)
		require.Equal(t, sum(b), row.FileDigest)
	}
	entries, err := os.ReadDir(centre.path("receive"))
	require.NoError(t, err)
	require.Len(t, entries, len(came)+1, "the files and .pabal")
}

// speak plays a counterparty by hand: it opens, announces a file of two
// sequences, sends it and ends it. It stops at the first answer that is not
// good, or when the line ends, and returns what it was told last.
func (w wire) speak(now time.Time) (told string) {
	day := now.Format("0102")
	name := "EB21" + day
	data := func(seq int, c string) string {
		return fmt.Sprintf("0189FTE123456780320RE%s000%04d%03d0150%s", name, 1, seq, strings.Repeat(c, 150))
	}
	for _, part := range []struct{ say, told string }{
		{opening(now, "12345678", "FTE", "Honggildong", "123ABC"), "opened"},
		{"0052FTE123456780630RE" + name + "000" + name + "000000000300" + "4096", "announced"},
		{data(1, "a") + data(2, "b") + "0035FTE123456780620RE" + name + "0000001002", "checked"},
		{"0077FTE123456780600RE" + name + "000" + now.Format("0102150405") + "003" + fmt.Sprintf("%-36s", "Honggildong"), "ended"},
	} {
		if _, err := w.Write([]byte(part.say)); err != nil {
			return told
		}
		answer, err := w.answer()
		if err != nil || answer[29:32] != "000" {
			return told
		}
		told = part.told
	}
	return told
}

// answer is hear without a test that fails when the line ends.
func (w wire) answer() (string, error) {
	head := make([]byte, 4)
	if _, err := readFull(w, head); err != nil {
		return "", err
	}
	var n int
	if _, err := fmt.Sscanf(string(head), "%d", &n); err != nil {
		return "", err
	}
	body := make([]byte, n)
	_, err := readFull(w, body)
	return string(head) + string(body), err
}

func readFull(w wire, b []byte) (int, error) {
	at := 0
	for at < len(b) {
		n, err := w.Read(b[at:])
		at += n
		if err != nil {
			return at, err
		}
	}
	return at, nil
}

// TestHalfOpenAtEveryWrite: a session is held before each of its writes; the
// counterparty opens another, at another instance, and sends the same file
// there. Then the first goes on: it stores nothing, and promises nothing.
func TestHalfOpenAtEveryWrite(t *testing.T) {
	t.Parallel()
	onBoth(t, halfOpenAtEveryWrite)
}

func halfOpenAtEveryWrite(t *testing.T, on engine) {
	var heard []string // what the counterparty was told last on the session that was held
	g := &gate{}
	for {
		first := newHost(t, on, "cms", "centre", []file{rawForm("EB21")}, nil)
		first.db.Watch = g.watch
		first.opt.Listen[0].Address = "127.0.0.1:0"
		first.start()
		t.Cleanup(g.free)
		second := &host{t: t, on: on, dir: first.dir, url: first.url, opt: first.opt, beside: true}
		second.opt.ID = "instance_OTHER"
		second.start()
		now := time.Now().In(first.opt.Zone)

		g.arm(false)
		old, told := first.dial(t), make(chan string, 1)
		go func() { told <- old.speak(now); _ = old.Close() }()
		var who string
		select {
		case who = <-g.reached:
		case last := <-told: // it was held at every write
			require.Equal(t, "ended", last)
			g.disarm()
			require.Subset(t, heard, []string{"opened", "announced", "checked"})
			close(g.held)
			first.end()
			second.end()
			return
		}
		newer := second.dial(t)
		require.Equal(t, "ended", newer.speak(now), "held at %s", who)
		require.NoError(t, newer.Close())
		second.await(transfer.Receive, transfer.Assembled, 1)
		second.left()
		before := picture(t, second.store)
		close(g.held)
		err := <-g.outcome
		last := <-told
		switch who {
		case "session.begin":
			// It came to the line after the other, so it is the newest, and is
			// told the truth: that the file is whole already.
			require.NoError(t, err)
		default:
			// Or the instance has noticed already and cut the session. A write of
			// many transfers tells of each by itself; what counts is the picture.
			require.True(t, err == nil || errors.Is(err, store.ErrFenced) || errors.Is(err, context.Canceled), "%s: %v", who, err)
			require.NotEqual(t, "ended", last)
			heard = append(heard, last)
			require.Equal(t, before, picture(t, second.store), who)
		}
		all, err := second.store.List(t.Context(), store.Filter{})
		require.NoError(t, err)
		whole := 0
		for _, row := range all {
			if row.Status == transfer.Assembled {
				whole++
			}
		}
		require.Equal(t, 1, whole)
		first.end()
		second.end()
	}
}
