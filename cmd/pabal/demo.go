package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"pabal/filemgr"
	"pabal/internal/fault"
	"pabal/internal/loopback"
	"pabal/simulator/sample"
	"pabal/store"
	"pabal/transfer"
)

type demoFlags struct {
	dir   string
	store string
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
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.refuseProduction("demo", cmd.Flags().Changed("config")); err != nil {
				return err
			}
			if err := refuseProductionSite("demo --dir", f.dir); err != nil {
				return err
			}
			return a.demo(cmd.Context(), f)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.crash, "crash", false, a.text("ui.flag.demo_crash"))
	flags.BoolVar(&f.once, "once", false, a.text("ui.flag.demo_once"))
	flags.StringVar(&f.dir, "dir", "", a.text("ui.flag.demo_dir"))
	flags.StringVar(&f.store, "store", "", a.text("ui.flag.demo_store"))
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

// demoEnvironment is what the configuration of the demonstration says.
const demoEnvironment = "test"

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
	if f.store != "" {
		if err := unused(ctx, f.store); err != nil {
			return err
		}
	}
	w, err := newWorkspace(f.dir)
	if err != nil {
		return err
	}
	w.store = f.store
	a.configPath, a.environment = w.config(), demoEnvironment
	d := &demo{
		a: a, w: w, out: a.out, began: time.Now(), labels: a.stageWidth(),
		facts: make(chan fact, 256), events: make(chan peerEvent, 16), over: make(chan struct{}),
		crashed: make(chan int64, 1), byID: map[string]*picture{}, expected: map[string]bool{},
	}
	if a.json { // stdout has the one object and nothing else
		d.out = a.progress()
	}
	d.painter = newPainter(d.out)
	a.enterFile(d.out)
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

// unused refuses a database that has transfers: the demonstration would mix
// with them.
func unused(ctx context.Context, url string) error {
	st, err := store.Open(ctx, store.Options{URL: url, Server: true})
	if err != nil {
		return err
	}
	defer func() { _ = st.Close() }() // it was only read
	have, _, err := st.SchemaVersions(ctx)
	if err != nil || have == 0 {
		return err
	}
	some, err := st.List(ctx, store.Filter{Limit: 1})
	if err == nil && len(some) > 0 {
		err = fault.New(codeDemoDatabase, store.Shown(url))
	}
	return err
}

// prepare makes files and counterparties, and starts the server.
func (d *demo) prepare(ctx context.Context, f demoFlags, size int64) error {
	var err error
	var addresses loopback.Addresses // the server is killed and comes back there
	if d.w.listen, err = addresses.Free(); err != nil {
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
	if d.st, err = store.Open(ctx, store.Options{URL: d.w.database(), ReadOnly: true}); err != nil {
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
