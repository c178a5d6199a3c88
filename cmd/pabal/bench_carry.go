package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"pabal/config"
	"pabal/filemgr"
	"pabal/instance"
	"pabal/internal/fault"
	"pabal/naming"
	"pabal/protocol"
	"pabal/protocol/line"
	"pabal/protocol/sessionlog"
	"pabal/simulator/floor"
	"pabal/store"
	"pabal/transfer"
)

// floorCarrier carries files without a store (package floor).
type floorCarrier struct {
	o        floor.Options
	names    benchNames
	sessions int
}

func newBenchFloor(p benchProfile, j benchJob) (*floorCarrier, error) {
	size, err := p.dataSize()
	if err != nil {
		return nil, err
	}
	return &floorCarrier{sessions: j.Sessions, names: p.names, o: floor.Options{
		Profile: p.Profile, DataSize: size, Dir: j.Dir, Sync: j.Way == wayFloor, Buffers: line.NewBuffers(4 * j.Sessions),
	}}, nil
}

func (c *floorCarrier) carry(ctx context.Context, files []string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	var taken atomic.Int64
	next := func() (floor.File, bool) {
		n := int(taken.Add(1)) - 1
		if n >= len(files) {
			return floor.File{}, false
		}
		name, date := c.names.of(files[n])
		return floor.File{Name: name, Date: date, Path: files[n]}, true
	}
	all, ctx := errgroup.WithContext(ctx)
	for range c.sessions {
		ours, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			return err
		}
		theirs, err := l.Accept()
		if err != nil {
			return errors.Join(err, ours.Close())
		}
		all.Go(func() error { return floor.Send(ctx, ours, c.o, next) })
		all.Go(func() error { return floor.Receive(ctx, theirs, c.o) })
	}
	return all.Wait()
}

func (*floorCarrier) rest(context.Context) error   { return nil }
func (*floorCarrier) verify(context.Context) error { return nil } // the end of a file proves its size
func (*floorCarrier) close() error                 { return nil }

// benchPair is an institution and a centre, each an instance with its own
// directories and, unless a URL names one for both, its own database.
type benchPair struct {
	near, far *benchEnd // near sends
	centre    string    // code of the far end at the near one
	names     benchNames
	way       string
	carried   int
	missing   []string // names that are not there yet at the far end
	log       *os.File
	stop      context.CancelFunc
	running   *errgroup.Group
}

type benchEnd struct {
	dir  string
	o    instance.Options
	st   *store.Store
	ours bool // st is to be closed by this end
	in   *instance.Instance
}

func (e *benchEnd) path(name string) string { return filepath.Join(e.dir, name) }

// newBenchPair starts both ends with what a site gets that sets nothing.
func (a *app) newBenchPair(ctx context.Context, p benchProfile, j benchJob) (_ *benchPair, err error) {
	c := &benchPair{way: j.Way, names: p.names}
	if c.log, err = os.Create(filepath.Join(j.Dir, "log")); err != nil {
		return nil, fault.New(codeCannotWrite, j.Dir).Because(err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close())
		}
	}()
	// Codes of this run alone, for a database that other runs have filled.
	own := strings.ToUpper(strconv.FormatInt(time.Now().UnixNano(), 36))
	c.centre = "C" + own
	c.near = c.end(p, j, "near", own)
	c.far = c.end(p, j, "far", own)
	c.far.o.Listen = []instance.Listen{{Address: "127.0.0.1:0", Profile: p.Profile}}
	for _, e := range []*benchEnd{c.far, c.near} {
		for _, d := range []string{"ready", "scan", "work", "receive"} {
			if err := os.MkdirAll(e.path(d), 0o750); err != nil {
				return nil, fault.New(codeCannotWrite, e.path(d)).Because(err)
			}
		}
		if j.URL != "" && e == c.near {
			e.st = c.far.st
			continue
		}
		url := j.URL
		if url == "" {
			url = "sqlite:" + e.path("pabal.db")
		}
		keys, err := benchKeys(j.Encrypt)
		if err != nil {
			return nil, err
		}
		if e.st, err = openServer(ctx, store.Options{URL: url, Keys: keys}); err != nil {
			return nil, err
		}
		e.ours = true
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	c.running, run = errgroup.WithContext(run)
	c.stop = stop
	logger := newLogger(config.Log{Level: "warn", Format: "json"}, c.log)
	for _, e := range []*benchEnd{c.far, c.near} {
		e.o.Log = logger
		if e.in, err = instance.New(e.st, e.o); err != nil {
			return nil, err
		}
		c.running.Go(func() error { return e.in.Run(run, context.WithoutCancel(run)) })
		select {
		case <-e.in.Ready():
		case <-run.Done():
			return nil, c.running.Wait()
		}
		if e == c.far {
			c.near.o.Institutions[0].Connect = e.in.Addresses()[0]
		}
	}
	return c, nil
}

// benchKeys is a key that is no secret: what is measured is thrown away, and a
// database that a URL names is opened by several processes.
func benchKeys(encrypt bool) ([]store.Key, error) {
	if !encrypt {
		return nil, nil
	}
	k, err := store.NewKey(make([]byte, store.KeySize))
	return []store.Key{k}, err
}

// end is one side of the pair, prepared.
func (c *benchPair) end(p benchProfile, j benchJob, place, own string) *benchEnd {
	e := &benchEnd{dir: filepath.Join(j.Dir, place)}
	e.o = instance.Options{
		ID: "instance_" + place + own, Place: place + own, Zone: time.FixedZone("KST", 9*60*60),
		Dirs:    filemgr.Dirs{Scan: e.path("scan"), Work: e.path("work"), Receive: e.path("receive")},
		InFiles: j.Files,
		Scans:   place == "near", ScanEvery: 2 * time.Second, Settle: 2 * time.Second,
		SessionLog: sessionlog.Options{Dir: e.path("said"), Level: sessionlog.Headers},
	}
	n := instance.Institution{
		Code: c.centre, Profile: p.Profile, Side: protocol.InstitutionSide, WireCode: floor.InstitutionCode(p.Profile),
		Self: "NEAR", Peer: "FAR", Sender: p.sender(),
		SendSessions: j.Sessions, ReceiveSessions: j.Sessions,
	}
	f := instance.File{
		Registration: naming.Registration{Institution: n.Code, Job: "BENCH", Direction: transfer.Send, WireName: p.names.script()},
		Form:         benchForm(),
	}
	if place == "far" {
		n.Code, n.Side = "M"+own, protocol.CentreSide
		n.Self, n.Peer = n.Peer, n.Self
		n.Sender, n.Expect = instance.Credentials{}, n.Sender
		f.Institution, f.Direction = n.Code, transfer.Receive
		f.ReceiveName = p.names.received() // found without reading the directory
	}
	e.o.Institutions = []instance.Institution{n}
	for _, letter := range p.names.letters() {
		f.FileID = string(letter)
		e.o.Files = append(e.o.Files, f)
	}
	return e
}

// carry drops files into the scan directory and waits until all have their
// final names at the other end.
func (c *benchPair) carry(ctx context.Context, files []string) error {
	names := make([]string, len(files))
	for n, f := range files {
		names[n] = c.names.dropped(f, c.centre)
		// A link: the bytes are there already, as if a program had written them.
		if err := os.Link(f, filepath.Join(c.near.path("ready"), names[n])); err != nil {
			return fault.New(codeCannotWrite, names[n]).Because(err)
		}
	}
	for _, name := range names {
		if err := os.Rename(filepath.Join(c.near.path("ready"), name), filepath.Join(c.near.path("scan"), name)); err != nil {
			return fault.New(codeCannotWrite, name).Because(err)
		}
	}
	c.carried += len(files)
	for _, f := range files {
		c.missing = append(c.missing, c.names.placed(f))
	}
	return c.until(ctx, 2*time.Millisecond, func() (bool, error) {
		// Looking for one name at a time costs nothing; reading the directory
		// would.
		for len(c.missing) > 0 {
			_, err := os.Lstat(filepath.Join(c.far.path("receive"), c.missing[0]))
			if errors.Is(err, fs.ErrNotExist) {
				return false, nil
			}
			if err != nil {
				return false, err
			}
			c.missing = c.missing[1:]
		}
		return true, nil
	})
}

func (c *benchPair) until(ctx context.Context, every time.Duration, done func() (bool, error)) error {
	tick, look := time.NewTicker(every), time.NewTicker(time.Second)
	defer tick.Stop()
	defer look.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-look.C:
			if err := c.stuck(ctx); err != nil {
				return err
			}
		case <-ctx.Done():
			return errors.Join(fault.New(codeBenchLate, c.way, "arrived", c.carried-len(c.missing), "files", c.carried), ctx.Err())
		}
	}
}

// stuck finds a file that will not arrive, so that nobody waits for it.
func (c *benchPair) stuck(ctx context.Context) error {
	for _, f := range []store.Filter{
		{Direction: transfer.Send, Institution: c.centre, Place: c.near.o.Place},
		{Direction: transfer.Receive, Institution: c.far.o.Institutions[0].Code},
	} {
		f.Limit, f.Statuses = 1, []transfer.Status{transfer.Refused, transfer.Failed, transfer.Held, transfer.Unknown, transfer.Abandoned}
		st := c.near.st
		if f.Direction == transfer.Receive {
			st = c.far.st
		}
		found, err := st.List(ctx, f)
		if err != nil {
			return err
		}
		for _, t := range found {
			return fault.New(codeBenchUnlike, t.Name, "status", string(t.Status), "why", t.ErrorCode)
		}
	}
	return nil
}

// rest waits until the sender has every confirmation and has made its backups.
func (c *benchPair) rest(ctx context.Context) error {
	busy := store.Filter{
		Direction: transfer.Send, Institution: c.centre, Limit: 1,
		Statuses: []transfer.Status{transfer.Storing, transfer.Stored, transfer.Sending, transfer.Ending, transfer.Waiting, transfer.Unknown},
	}
	placing := store.Filter{
		Direction: transfer.Receive, Institution: c.far.o.Institutions[0].Code, Limit: 1,
		Statuses: []transfer.Status{transfer.Receiving, transfer.Received, transfer.Placing, transfer.Waiting},
	}
	return c.until(ctx, 20*time.Millisecond, func() (bool, error) {
		a, err := c.near.st.List(ctx, busy)
		if err != nil || len(a) > 0 {
			return false, err
		}
		b, err := c.far.st.List(ctx, placing)
		if err != nil || len(b) > 0 {
			return false, err
		}
		left, err := c.near.st.NotBackedUp(ctx, c.near.o.Place, 1)
		return err == nil && len(left) == 0, err
	})
}

// verify holds what both ends say they have against each other.
func (c *benchPair) verify(ctx context.Context) error {
	sent, err := c.near.st.List(ctx, store.Filter{Direction: transfer.Send, Institution: c.centre})
	if err != nil {
		return err
	}
	got, err := c.far.st.List(ctx, store.Filter{Direction: transfer.Receive, Institution: c.far.o.Institutions[0].Code})
	if err != nil {
		return err
	}
	arrived := map[string]string{}
	for _, t := range got {
		if t.Status == transfer.Assembled {
			arrived[c.names.name(t.WireName, t.BaseDate)] = t.FileDigest
		}
	}
	for _, t := range sent {
		if t.FileDigest == "" || arrived[c.names.name(t.WireName, t.BaseDate)] != t.FileDigest {
			return fault.New(codeBenchUnlike, t.Name, "status", string(t.Status), "why", t.ErrorCode)
		}
	}
	if len(sent) != c.carried || len(arrived) != c.carried {
		return fault.New(codeBenchUnlike, c.way, "status", fmt.Sprintf("%d/%d/%d", len(sent), len(arrived), c.carried), "why", "")
	}
	return nil
}

func (c *benchPair) close() error {
	var errs []error
	if c.stop != nil {
		c.stop()
		errs = append(errs, c.running.Wait())
	}
	for _, e := range []*benchEnd{c.near, c.far} {
		if e != nil && e.ours {
			errs = append(errs, e.st.Close())
		}
	}
	return errors.Join(append(errs, c.log.Close())...)
}
