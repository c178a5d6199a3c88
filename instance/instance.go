package instance

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"pabal/filemgr"
	"pabal/internal/fault"
	"pabal/internal/loop"
	"pabal/naming"
	"pabal/protocol/line"
	"pabal/store"
	"pabal/transfer"
)

// Instance is one running identity with the options of one version of the
// configuration. A new version makes a new Instance beside it, see Reconfigure;
// the core is common to all of them.
type Instance struct {
	*core
	o     Options
	book  *naming.Book
	insts map[string]*institution
}

// core is what an identity keeps while its options change.
type core struct {
	s    *store.Store
	log  *slog.Logger
	term int64
	work string // our work directory

	buffers *line.Buffers
	lobby   *lobby
	wake    wakes
	ready   chan struct{}
	latest  atomic.Pointer[Instance] // the options that new work begins with

	listeners listeners

	mu        sync.Mutex
	unsettled []func(context.Context) error
}

// wakes are the hints that one stage's work may be another's.
type wakes struct {
	scan, store, backup, send, fetch, assemble loop.Signal
}

// institution is a counterparty with its lines, which stay when its options
// change.
type institution struct {
	Institution
	send    *lines // sessions that send
	receive *lines // … and that receive; the same where a session does both
	limits  [2]int // of send and receive, for lines that were carried over
	*dialing
}

// dialing is how calling a counterparty has gone.
type dialing struct {
	mu       sync.Mutex
	dialAt   time.Time // not before, after a connection that failed
	failedAt time.Time // … at this time
	fails    int
}

// New checks the options and prepares an instance. It changes nothing yet.
func New(s *store.Store, o Options) (*Instance, error) {
	o.setDefaults()
	c := &core{
		s: s, log: o.Log.With("instance", o.ID),
		work:    filemgr.WorkDir(o.Dirs.Work, o.ID),
		buffers: line.NewBuffers(16),
		lobby:   newLobby(o.MaxSessions),
		wake: wakes{
			scan: loop.NewSignal(), store: loop.NewSignal(), backup: loop.NewSignal(),
			send: loop.NewSignal(), fetch: loop.NewSignal(), assemble: loop.NewSignal(),
		},
		ready: make(chan struct{}),
	}
	i, err := newGeneration(c, o, nil)
	if err != nil {
		return nil, err
	}
	c.latest.Store(i)
	return i, nil
}

// setDefaults fills in what is left out, and makes what decides about sockets
// our own: it is compared with the next options.
func (o *Options) setDefaults() {
	o.Listen = slices.Clone(o.Listen)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Explain == nil {
		o.Explain = func(err error) string { return err.Error() }
	}
	o.Poll = or(o.Poll, time.Second)
	o.ScanEvery = or(o.ScanEvery, 2*time.Second)
	o.Drain = or(o.Drain, 30*time.Second)
	o.MaxSessions = or(o.MaxSessions, 2048)
	if o.Zone == nil {
		o.Zone = time.UTC
	}
}

// newGeneration makes the Instance for o. Of before, if there is one, it takes
// over the lines of every counterparty and how calling it has gone.
func newGeneration(c *core, o Options, before *Instance) (*Instance, error) {
	regs := make([]naming.Registration, len(o.Files))
	for n, f := range o.Files {
		regs[n] = f.Registration
	}
	book, problems := naming.NewBook(regs)
	if len(problems) > 0 {
		errs := make([]error, len(problems))
		for n := range problems {
			errs[n] = problems[n]
		}
		return nil, errors.Join(errs...)
	}
	i := &Instance{core: c, o: o, book: book, insts: map[string]*institution{}}
	for _, inst := range o.Institutions {
		n := &institution{Institution: inst, dialing: &dialing{}}
		send, receive := or(inst.SendSessions, 1), or(inst.ReceiveSessions, 1)
		// In some profiles the opening does not say which way files will go.
		one := inst.Profile.Session.FetchByRequest
		if one {
			send = max(send, receive)
		}
		n.send, n.receive = &lines{most: send}, &lines{most: receive}
		if one {
			n.receive = n.send
		}
		n.carryOver(before)
		i.insts[inst.Code] = n
	}
	return i, nil
}

// Ready is closed when the instance listens and its stages run.
func (i *Instance) Ready() <-chan struct{} { return i.ready }

// Addresses are those that it listens on, in the order of Options.Listen;
// good once Ready.
func (i *Instance) Addresses() []string { return i.listeners.addresses(i.current().o.Listen) }

// Run starts a term, settles what a former process left, and works until ctx
// ends. Then it takes no new work, lets sessions finish the file they carry
// for the drain time or until hard ends, and returns.
func (i *Instance) Run(ctx, hard context.Context) error {
	for _, dir := range []string{i.work, i.o.Dirs.Receive, i.o.Dirs.Scan, i.o.Result} {
		if dir != "" {
			if err := filemgr.MakeDir(dir); err != nil {
				return err
			}
		}
	}
	var err error
	if i.term, err = i.s.Begin(ctx, i.now(), i.o.ID, i.o.Place, or(i.o.PID, os.Getpid())); err != nil {
		return err
	}
	if err := i.recover(ctx); err != nil {
		return err
	}

	work, stopWork := context.WithCancelCause(hard) // sessions and stages that must not be cut at once
	defer stopWork(nil)
	var stages, sessions sync.WaitGroup
	serve := func(l *listener) { i.accept(ctx, work, l, &sessions) }
	if err := i.listeners.start(ctx, i.current().o.Listen, serve); err != nil {
		return err
	}
	// Each step begins with the options that count at that moment.
	stage := func(name string, every func(*Instance) time.Duration, wake loop.Signal, f func(*Instance, context.Context) (bool, error)) {
		stages.Go(func() {
			loop.Run(ctx, func() time.Duration { return every(i.current()) }, wake,
				func(ctx context.Context) (bool, error) { return f(i.current(), ctx) },
				func(err error) { i.log.Error("stage failed", "stage", name, "err", err) })
		})
	}
	poll := func(g *Instance) time.Duration { return g.o.Poll }
	sc := &scan{}
	stage("scan", func(g *Instance) time.Duration { return g.o.ScanEvery }, i.wake.scan,
		func(g *Instance, stepCtx context.Context) (bool, error) { return sc.with(ctx, g).step(stepCtx) })
	stage("store", poll, i.wake.store, (*Instance).storeStep)
	stage("backup", func(g *Instance) time.Duration { return 5 * g.o.Poll }, i.wake.backup, (*Instance).backupStep)
	stage("assemble", poll, i.wake.assemble, (*Instance).assembleStep)
	stage("settle", poll, loop.NewSignal(), (*Instance).settleStep)
	stage("expire", func(*Instance) time.Duration { return time.Minute }, loop.NewSignal(), (*Instance).expireStep)
	stage("send", poll, i.wake.send, func(g *Instance, _ context.Context) (bool, error) { return g.sendStep(ctx, work, &sessions) })
	stage("fetch", poll, i.wake.fetch, func(g *Instance, _ context.Context) (bool, error) { return g.fetchStep(ctx, work, &sessions) })
	stages.Go(func() { i.hearWork(ctx) })
	i.log.Info("instance runs", "term", i.term, "listen", i.Addresses(), "work", i.work)
	close(i.ready)

	<-ctx.Done()
	i.log.Info("instance drains", "sessions", i.lobby.count())
	i.listeners.stop()
	stages.Wait()
	drained := make(chan struct{})
	go func() { sessions.Wait(); close(drained) }()
	select {
	case <-drained:
	case <-hard.Done():
	case <-time.After(i.o.Drain):
	}
	stopWork(fault.New(CodeDraining, i.o.ID))
	i.lobby.closeAll()
	<-drained
	settle, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_, err = i.settleStep(settle)
	i.log.Info("instance has stopped")
	return err
}

func (i *Instance) now() time.Time      { return i.o.Now().UTC() }
func (i *Instance) business() time.Time { return i.o.Now().In(i.o.Zone) }

// file is the registration of a transfer, nil if the configuration no longer has it.
func (i *Instance) file(t *transfer.Transfer) *File {
	for n := range i.o.Files {
		f := &i.o.Files[n]
		if f.FileID == t.FileID && f.Institution == t.Institution && f.Job == t.Job && f.Direction == t.Direction {
			return f
		}
	}
	return nil
}

// later has f, a write that could not be done now, tried again until it is.
func (i *Instance) later(f func(context.Context) error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.unsettled = append(i.unsettled, f)
}

// settleStep makes up for outcomes that could not be written when they came:
// the store was away. A row that is no longer ours is somebody else's to settle.
func (i *Instance) settleStep(ctx context.Context) (bool, error) {
	i.mu.Lock()
	todo := i.unsettled
	i.unsettled = nil
	i.mu.Unlock()
	for n, f := range todo {
		err := f(ctx)
		if filemgr.Waits(fault.CodeOf(err)) { // a directory is away: that keeps nothing else
			i.later(f)
			continue
		}
		if err != nil && store.Away(err) || ctx.Err() != nil {
			i.mu.Lock()
			i.unsettled = append(todo[n:], i.unsettled...)
			i.mu.Unlock()
			return false, err
		}
		if err != nil {
			i.log.Warn("outcome not written", "err", err)
		}
	}
	return false, nil
}

// lines counts the sessions of one direction with one counterparty. The
// newest authenticated session wins: an older one on the same line is a
// connection that died without our knowing (design D4).
type lines struct {
	mu   sync.Mutex
	most int
	open []*lineSlot
}

type lineSlot struct{ cut context.CancelCauseFunc }

// try takes a place if one is free.
func (l *lines) try(cut context.CancelCauseFunc) (*lineSlot, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.open) >= l.most {
		return nil, false
	}
	s := &lineSlot{cut: cut}
	l.open = append(l.open, s)
	return s, true
}

// take takes a place; where none is free the oldest session is cut.
func (l *lines) take(cut context.CancelCauseFunc, why error) *lineSlot {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.open) >= l.most {
		l.open[0].cut(why)
		l.open = l.open[1:]
	}
	s := &lineSlot{cut: cut}
	l.open = append(l.open, s)
	return s
}

func (l *lines) leave(s *lineSlot) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for n := range l.open {
		if l.open[n] == s {
			l.open = append(l.open[:n:n], l.open[n+1:]...)
			return
		}
	}
}
