package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"pabal/filemgr"
	"pabal/internal/fault"
	"pabal/simulator"
	"pabal/simulator/sample"
	"pabal/store"
	"pabal/transfer"
)

type demoFlags struct {
	dir   string
	size  string
	crash bool
	once  bool
	limit time.Duration
}

func newDemo(a *app) *cobra.Command {
	var f demoFlags
	cmd := &cobra.Command{
		Use:  "demo",
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.demo(cmd.Context(), f) },
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.crash, "crash", false, a.text("ui.flag.demo_crash"))
	flags.BoolVar(&f.once, "once", false, a.text("ui.flag.demo_once"))
	flags.StringVar(&f.dir, "dir", "", a.text("ui.flag.demo_dir"))
	flags.StringVar(&f.size, "size", "", a.text("ui.flag.demo_size"))
	flags.DurationVar(&f.limit, "limit", 0, a.text("ui.flag.demo_limit"))
	return a.describe(cmd, "demo")
}

// Sizes of EB21. It has about three blocks, or twenty when the server is to be
// killed half way. EB13 and EB22 stay within one block, see centreLoses; C02
// has about three and grows with --size.
const (
	demoSize      = 1_100_000
	demoCrashSize = 8_000_000
	demoLeast     = 1 << 20
	demoSmall     = 360_000
	demoC02       = 850_000
)

// pollEvery is how often the rows are looked at. The demonstration reads them
// beside the server, as an operator does.
const pollEvery = 50 * time.Millisecond

// demo is a running demonstration.
type demo struct {
	painter
	a      *app
	w      *workspace
	out    io.Writer
	began  time.Time
	labels int // columns of the names of stages

	st     *store.Store
	peers  *counterparties
	server atomic.Pointer[child]
	facts  chan fact
	events chan peerEvent
	over   chan struct{} // closed when nobody reads facts and events any more

	crashAt   int64 // block of EB21 after which the server is killed, 0 = never
	crashName string
	crashed   chan int64 // the block after which it was

	first    string       // wire name of the picture that is drawn first
	waiting  []sampleFile // to be put in place when what comes in has arrived
	pictures []*picture   // by creation
	byID     map[string]*picture
	showing  *picture
	moved    time.Time // when showing last had something new
	heard    []fact    // of transfers that are not seen yet
	told     []peerEvent
	expected map[string]bool // wire names that are to arrive
}

// demo makes a workspace, starts one server and two counterparties, and lets
// files go both ways. See newDemo for the flags.
func (a *app) demo(ctx context.Context, f demoFlags) error {
	size := int64(demoSize)
	if f.crash {
		size = demoCrashSize
	}
	if f.size != "" {
		var err error
		if size, err = parseSize("--size", f.size); err != nil {
			return err
		}
		if size < demoLeast {
			return usageError{fault.New(codeDemoSize, f.size, "least", "1MiB")}
		}
	}
	if f.limit == 0 {
		f.limit = time.Minute + time.Duration(size/(4<<20))*time.Second
	}
	w, err := newWorkspace(f.dir)
	if err != nil {
		return err
	}
	d := &demo{
		a: a, w: w, out: a.out, began: time.Now(), labels: a.stageWidth(),
		facts: make(chan fact, 256), events: make(chan peerEvent, 16), over: make(chan struct{}),
		crashed: make(chan int64, 1), byID: map[string]*picture{}, expected: map[string]bool{},
	}
	if a.json {
		d.out = a.err // stdout has the one object and nothing else
	}
	d.painter = newPainter(d.out)
	return d.run(ctx, f, size)
}

func (d *demo) run(ctx context.Context, f demoFlags, size int64) (err error) {
	defer func() { err = errors.Join(err, d.close()) }()
	if err := d.prepare(ctx, f, size); err != nil {
		return err
	}
	limit := time.NewTimer(f.limit)
	defer limit.Stop()
	if err := d.follow(ctx, limit.C); err != nil {
		return err
	}
	if err := d.finish(); err != nil || f.once {
		return err
	}
	if err := d.say("", d.a.text("ui.demo.yours"), "", "  "+d.dropLine(), "", d.a.text("ui.demo.watch"), "", "  "+d.watchLine(),
		"", d.a.text("ui.demo.stop", "workspace", d.w.dir)); err != nil {
		return err
	}
	err = d.follow(ctx, nil)
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		err = nil // everything had arrived; a Ctrl-C is how this ends
	}
	return err
}

// prepare makes files and counterparties, and starts the server.
func (d *demo) prepare(ctx context.Context, f demoFlags, size int64) error {
	var err error
	if d.w.listen, err = freeAddress(); err != nil {
		return err
	}
	if d.peers, err = newCounterparties(d.w, d.hear, d.tell); err != nil {
		return err
	}
	d.w.connect = d.peers.listener.Addr().String()
	if err := d.w.writeConfig(); err != nil {
		return err
	}
	now := time.Now().In(time.FixedZone("KST", 9*60*60)) // the zone of demo_config.yaml
	var incoming []sampleFile
	for _, one := range []struct {
		kind sample.Kind
		size int64
	}{{sample.EB21, size}, {sample.EB13, demoSmall}, {sample.EB22, demoSmall}, {sample.C02, demoC02 * max(1, size/demoCrashSize)}} {
		s, err := d.w.makeSample(one.kind, now, one.size)
		if err != nil {
			return err
		}
		d.expected[sample.WireName(one.kind, now)] = true
		switch {
		case one.kind == sample.EB22 || one.kind == sample.C02:
			incoming = append(incoming, s)
			continue
		case one.kind == sample.EB21 && f.crash:
			if err := d.planCrash(s, size); err != nil {
				return err
			}
		case one.kind == sample.EB21:
			d.first = sample.WireName(one.kind, now)
		}
		d.waiting = append(d.waiting, s)
	}
	if err := d.introduce(); err != nil {
		return err
	}
	if err := d.put(incoming); err != nil {
		return err
	}
	d.peers.start(ctx)
	if err := d.startServer(ctx); err != nil {
		return err
	}
	if d.st, err = store.Open(ctx, store.Options{URL: "sqlite:" + d.w.database(), ReadOnly: true}); err != nil {
		return err
	}
	if f.crash {
		return nil // what comes in first, so that only what goes out is cut
	}
	return d.putWaiting()
}

func (d *demo) putWaiting() error {
	files := d.waiting
	d.waiting = nil
	return d.put(files)
}

// put puts files where they are picked up.
func (d *demo) put(files []sampleFile) error {
	for _, s := range files {
		dir := "data/scan"
		switch s.kind {
		case sample.EB22:
			dir = "counterparties/kftc/give"
		case sample.C02:
			dir = "counterparties/van/give"
		}
		if err := d.w.put(s, dir); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) startServer(ctx context.Context) error {
	c, err := startServer(ctx, d.w)
	if err != nil {
		return err
	}
	d.server.Store(c)
	return d.say(d.a.text("ui.demo.server", "pid", c.pid, "log", d.w.rel(d.w.serverLog())))
}

// planCrash finds the block after which the server is killed: half of them.
func (d *demo) planCrash(s sampleFile, size int64) error {
	p := d.peers.centreTap.profile
	l, err := filemgr.DataSize(p.MaxData(p.Files.MessageSize), sample.RecordLength(s.kind), filemgr.Packing(""))
	if err != nil {
		return err
	}
	g := transfer.Geometry{DataSize: l, PerBlock: p.Files.PerBlock}
	d.crashAt, d.crashName = max(1, g.Blocks(size)/2), sample.WireName(s.kind, s.date)
	return nil
}

// hear is called by the taps, while the telegram is still on its way. When
// the counterparty is about to confirm the block at half of the file, the
// server is killed before the confirmation passes.
func (d *demo) hear(f fact) {
	select {
	case d.facts <- f:
	case <-d.over:
		return
	}
	if f.kind == heardBlock && f.where == demoCentre && f.name == d.crashName && f.block == d.crashAt && len(f.missing) == 0 {
		select {
		case d.crashed <- f.block: // once: nobody empties it
			d.server.Load().kill()
		default:
		}
	}
}

func (d *demo) tell(e peerEvent) {
	select {
	case d.events <- e:
	case <-d.over:
	}
}

// follow draws what happens until all that is expected has arrived, or, with
// no limit, until ctx is over.
func (d *demo) follow(ctx context.Context, limit <-chan time.Time) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	resumed := d.crashAt == 0
	for {
		server := d.server.Load()
		ended := server.ended
		if !resumed {
			ended = nil // we end it ourselves
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-limit:
			return d.late()
		case <-ended:
			return server.failure()
		case f := <-d.facts:
			d.heard = append(d.heard, f)
			continue // the ticks draw
		case e := <-d.events:
			d.told = append(d.told, e)
			continue
		case <-tick.C:
		}
		if !resumed && len(d.crashed) > 0 {
			<-server.ended
			if err := d.look(ctx); err != nil {
				return err
			}
			if err := d.restart(ctx, server); err != nil {
				return err
			}
			resumed = true
			continue
		}
		if err := d.look(ctx); err != nil {
			return err
		}
		if limit != nil {
			if over, err := d.everything(); over || err != nil {
				return err
			}
		}
	}
}

// restart shows what the killed server left and starts another.
func (d *demo) restart(ctx context.Context, dead *child) error {
	list, err := d.st.List(ctx, store.Filter{WireName: d.crashName, Direction: transfer.Send, Limit: 1})
	if err != nil {
		return err
	}
	for _, t := range list {
		if p := d.byID[t.ID]; p != nil {
			p.skip()
			d.flush()
		}
		if err := d.say("", d.red(d.a.text("ui.demo.killed", "pid", dead.pid, "block", d.crashAt, "blocks", t.Blocks)),
			d.a.text("ui.demo.left", "status", d.a.cat.Status(d.a.language(), string(t.Status)), "owner", t.Owner, "attempt", t.Attempt)); err != nil {
			return err
		}
	}
	if err := d.startServer(ctx); err != nil {
		return err
	}
	return d.say("")
}

// look reads the rows and brings the pictures up to date.
func (d *demo) look(ctx context.Context) error {
	rows, err := d.st.List(ctx, store.Filter{Limit: 200, NewestFirst: true})
	if err != nil {
		return err
	}
	for n := len(rows) - 1; n >= 0; n-- {
		t := rows[n]
		p := d.byID[t.ID]
		if p == nil {
			p = &picture{d: d}
			d.byID[t.ID] = p
			d.pictures = append(d.pictures, p)
		}
		p.row = t
		for _, s := range []sample.Kind{sample.EB21, sample.EB13} {
			if own := d.w.path("samples", t.Name); p.source == "" && p.sends() && t.FileID == string(s) && exists(own) {
				p.source = own
			}
		}
	}
	d.deal()
	for _, p := range d.pictures {
		if err := p.advance(ctx); err != nil {
			return err
		}
	}
	return d.flush()
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// deal gives what was heard and told to the pictures that it belongs to, and
// keeps what is of a transfer whose row has not been seen yet.
func (d *demo) deal() {
	facts := d.heard[:0]
	for _, f := range d.heard {
		if p := d.find(f.where, f.name); p != nil {
			p.facts = append(p.facts, f)
		} else {
			facts = append(facts, f)
		}
	}
	d.heard = facts
	told := d.told[:0]
	for _, e := range d.told {
		p := d.find(e.where, e.Name)
		switch {
		case e.Kind != simulator.Taken && e.Kind != simulator.Given:
		case p == nil:
			told = append(told, e)
		case e.Kind == simulator.Taken && p.sends():
			p.arrived = e.Path
		case e.Kind == simulator.Given && !p.sends():
			p.source = e.Path
		}
	}
	d.told = told
}

// find is the transfer under way that a counterparty speaks of: the oldest of
// that name that is not over.
func (d *demo) find(where, name string) *picture {
	for _, p := range d.pictures {
		if !p.done && p.row.Institution == where && p.row.WireName == name {
			return p
		}
	}
	return nil
}

// flush prints one picture at a time. A picture that stands still lets the
// others pass.
func (d *demo) flush() error {
	for {
		if p := d.showing; p != nil {
			if len(p.lines) > 0 {
				d.moved = time.Now()
				lines := p.lines
				p.lines = nil
				if err := d.say(lines...); err != nil {
					return err
				}
			}
			if !p.done && time.Since(d.moved) < 3*time.Second {
				return nil
			}
		}
		next := d.next()
		if next == nil {
			return nil
		}
		d.showing, d.moved = next, time.Now()
	}
}

// next is the picture to show after this one.
func (d *demo) next() *picture {
	if d.first != "" {
		for _, p := range d.pictures {
			if p.row.WireName == d.first {
				d.first = ""
				return p
			}
		}
		if time.Since(d.began) < 3*time.Second {
			return nil // it is about to come
		}
	}
	for _, p := range d.pictures {
		if p != d.showing && len(p.lines) > 0 {
			return p
		}
	}
	return nil
}

// everything reports that all that is expected has arrived. The files that go
// out are put in place when all that comes in has come, if they have not been.
func (d *demo) everything() (bool, error) {
	arrived := 0
	for _, p := range d.pictures {
		if p.problem != nil && p.row.Status != transfer.Abandoned {
			return true, p.problem
		}
		if p.done && p.result.Arrived != "" && d.expected[p.row.WireName] {
			arrived++
		}
	}
	if len(d.waiting) > 0 && arrived == len(d.expected)-len(d.waiting) {
		return false, d.putWaiting()
	}
	return arrived == len(d.expected), nil
}

// late says what has not arrived.
func (d *demo) late() error {
	var waits string
	got := map[string]bool{}
	for _, p := range d.pictures {
		got[p.row.WireName] = p.done || got[p.row.WireName]
		if !p.done {
			waits += fmt.Sprintf(" %s (%s)", p.name(), d.a.cat.Status(d.a.language(), string(p.row.Status)))
		}
	}
	for name := range d.expected {
		if _, seen := got[name]; !seen {
			waits += " " + name
		}
	}
	return fault.New(codeDemoLate, d.w.dir, "files", waits, "log", d.w.serverLog())
}

// close ends what was started, the server first.
func (d *demo) close() error {
	close(d.over)
	if c := d.server.Load(); c != nil {
		c.stop()
	}
	if d.peers != nil {
		d.peers.stop()
	}
	if d.st != nil {
		return d.st.Close()
	}
	return nil
}

// program is how the user started us, as far as it can be typed again.
func program() string {
	if p, err := os.Executable(); err == nil {
		if wd, err := os.Getwd(); err == nil {
			if r, err := filepath.Rel(wd, p); err == nil && filepath.IsLocal(r) {
				return "." + string(filepath.Separator) + r
			}
		}
		return p
	}
	return "pabal"
}
