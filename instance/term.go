package instance

import (
	"context"
	"os"
	"sync"
	"time"

	"pabal/internal/fault"
	"pabal/internal/loop"
	"pabal/store"
)

// term is what runs under one term of the instance. Nothing of it is left when
// the next begins, so whatever runs may read the number of the term freely.
type term struct {
	taking context.Context // ends when no new work is to be taken
	work   context.Context // ends when what is under way must end too

	mu       sync.Mutex
	closed   bool
	sessions sync.WaitGroup
}

// run runs a session, unless the term takes none any more.
func (t *term) run(f func()) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.closed {
		t.sessions.Go(f)
	}
	return !t.closed
}

// drained is closed when the last session has ended.
func (t *term) drained() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	done := make(chan struct{})
	go func() { t.sessions.Wait(); close(done) }()
	return done
}

// Run begins a term, settles what former processes left, and works until ctx
// ends. Then it takes no new work, lets sessions finish the file they carry
// for the drain time or until hard ends, ends the term and returns. When the
// lease cannot be kept everything is cut at once, and a new term begins as
// soon as the store can be reached (design D4). So does the first one: another
// instance of the process may be at work, and is not ended for it. It ends with
// an error when the store is gone for good.
func (i *Instance) Run(ctx, hard context.Context) error {
	if err := i.makeDirs(); err != nil {
		return err
	}
	begun, err := i.begin(ctx)
	if err != nil {
		if !store.Away(err) && fault.CodeOf(err) != store.CodeUnrecognised {
			return err
		}
		i.log.Warn("no term yet", "code", fault.CodeOf(err), "err", err)
		if begun, err = i.beginAgain(ctx); err != nil || ctx.Err() != nil {
			return err
		}
	}
	if err := i.listeners.start(ctx, i.current().o.Listen, func(l *listener) { i.accept(ctx, l) }); err != nil {
		return err
	}
	defer i.logs.Close()
	defer i.listeners.stop()
	ready := sync.OnceFunc(func() {
		i.log.Info("instance runs", "term", i.term, "listen", i.Addresses(), "work", i.work)
		close(i.ready)
	})
	for {
		lost := i.serve(ctx, hard, begun, ready)
		if ctx.Err() != nil {
			break
		}
		i.log.Error("the instance has stopped its sessions and takes no work", "term", i.term, "code", fault.CodeOf(lost), "err", lost)
		if forGood(lost) {
			return lost
		}
		begun, err = i.beginAgain(ctx)
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			break
		}
		i.log.Info("instance runs again", "term", i.term)
	}
	return i.leave(ctx)
}

// begin begins a term. The result is the moment from which its lease counts:
// before the write, because an observer may have seen it at once.
func (i *Instance) begin(ctx context.Context) (begun time.Time, err error) {
	begun = time.Now()
	number, err := i.s.Begin(ctx, i.now(), i.o.ID, i.o.Place, or(i.o.PID, os.Getpid()))
	if err != nil {
		return begun, err
	}
	i.term = number
	if err := i.recover(ctx); err != nil {
		return begun, err
	}
	_, err = i.quarantineStep(ctx)
	return begun, err
}

// beginAgain begins a term as soon as the store lets it. Outcomes that could
// not be written yet go first: if nobody has taken our place their rows are
// still ours, and after Begin nobody could tell any more what became of them.
// The error says that there is no store to wait for.
func (i *Instance) beginAgain(ctx context.Context) (begun time.Time, gone error) {
	tried := make(chan struct{})
	loopCtx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		defer close(tried)
		loop.Run(loopCtx, func() time.Duration { return i.o.Poll }, loop.NewSignal(), func(ctx context.Context) (bool, error) {
			_, err := i.settleStep(ctx)
			if err == nil {
				begun, err = i.begin(ctx)
			}
			if forGood(err) {
				gone = err
			}
			if err == nil || gone != nil {
				stop()
			}
			return false, err
		}, func(err error) { i.log.Warn("no term yet", "code", fault.CodeOf(err), "err", err) })
	}()
	<-tried
	return begun, gone
}

// leave writes what is still to be written and ends the term, so that nobody
// waits for our lease to pass. What cannot be written now is found as after a
// crash.
func (i *Instance) leave(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_, err := i.settleStep(ctx)
	if end := i.s.End(ctx, i.now(), i.o.ID, i.term); end != nil {
		i.log.Warn("the end of the term is not written", "code", fault.CodeOf(end), "err", end)
	}
	i.log.Info("instance has stopped")
	return err
}

// serve does everything that belongs to one term. It returns when all of it
// has ended: nil after ctx, otherwise why the lease was lost.
func (i *Instance) serve(ctx, hard context.Context, begun time.Time, ready func()) error {
	taking, takeNoMore := context.WithCancelCause(ctx)
	defer takeNoMore(nil)
	work, cut := context.WithCancelCause(hard) // sessions and stages that must not be cut at once
	defer cut(nil)
	t := &term{taking: taking, work: work}

	var lost error
	var keeping sync.WaitGroup
	held, release := context.WithCancel(context.Background()) // to the end: also while sessions drain
	l := &lease{s: i.s, id: i.o.ID, term: i.term, length: i.s.Lease(), renewed: begun, doubt: i.doubt, now: i.now, log: i.log}
	keeping.Go(func() {
		l.keep(held, func(why error) {
			lost = why
			takeNoMore(why)
			cut(why)
		})
	})

	// Each step begins with the options that count at that moment.
	var stages sync.WaitGroup
	stage := func(name string, every func(*Instance) time.Duration, wake loop.Signal, f func(*Instance, context.Context) (bool, error)) {
		stages.Go(func() {
			loop.Run(taking, func() time.Duration { return every(i.current()) }, wake,
				func(ctx context.Context) (bool, error) {
					if i.quarantine.Load() && !worksInQuarantine(name) {
						return false, nil
					}
					return f(i.current(), ctx)
				},
				func(err error) {
					i.log.Error("stage failed", "stage", name, "code", string(fault.CodeOf(err)), "err", err)
					if doubtful(err) {
						i.doubt.Give()
					}
				})
		})
	}
	poll := func(g *Instance) time.Duration { return g.o.Poll }
	sc := &scan{}
	stage("scan", func(g *Instance) time.Duration { return g.o.ScanEvery }, i.wake.scan,
		func(g *Instance, ctx context.Context) (bool, error) { return sc.with(taking, g).step(ctx) })
	stage("quarantine", poll, loop.NewSignal(), (*Instance).quarantineStep)
	stage("store", poll, i.wake.store, (*Instance).storeStep)
	stage("backup", func(g *Instance) time.Duration { return 5 * g.o.Poll }, i.wake.backup.Gather(taking, backupGathers), (*Instance).backupStep)
	stage("assemble", poll, i.wake.assemble.Gather(taking, assembleGathers), (*Instance).assembleStep)
	stage("result", poll, i.wake.result, (*Instance).resultStep)
	stage("settle", poll, loop.NewSignal(), (*Instance).outcomesStep)
	stage("retain", func(g *Instance) time.Duration { return or(g.o.Retention.Every, time.Minute) }, loop.NewSignal(), (*Instance).retainStep)
	stage("expire", func(*Instance) time.Duration { return time.Minute }, loop.NewSignal(), (*Instance).expireStep)
	stage("observe", func(g *Instance) time.Duration { return g.s.Lease() / beatPart }, loop.NewSignal(), (*Instance).observeStep)
	told := store.LineState{}
	stage("lines", func(*Instance) time.Duration { return lineStateEvery }, i.wake.lines,
		func(g *Instance, ctx context.Context) (bool, error) { return g.lineStateStep(ctx, &told) })
	stage("send", poll, i.wake.send, func(g *Instance, ctx context.Context) (bool, error) { return g.sendStep(ctx, t) })
	stage("fetch", poll, i.wake.fetch, func(g *Instance, ctx context.Context) (bool, error) { return g.fetchStep(ctx, t) })
	stages.Go(func() { i.hearWork(taking) })
	i.present.Store(t)
	ready()

	<-taking.Done()
	i.log.Info("instance drains", "sessions", i.lobby.count())
	i.present.Store(nil)
	if ctx.Err() != nil {
		i.listeners.stop()
	}
	stages.Wait()
	drained := t.drained()
	select {
	case <-drained:
	case <-work.Done():
	case <-time.After(i.o.Drain):
	}
	cut(fault.New(CodeDraining, i.o.ID))
	i.lobby.closeAll()
	<-drained
	for _, id := range i.aheads.waiting() {
		i.aheads.forget(id)
	}
	release()
	keeping.Wait()
	return lost
}

// observeStep looks after the other instances, settles what those that are
// gone have left, and cuts sessions whose line was taken elsewhere.
func (i *Instance) observeStep(ctx context.Context) (bool, error) {
	if err := i.others.look(ctx); err != nil {
		return false, err
	}
	if err := i.recover(ctx); err != nil {
		return false, err
	}
	return false, i.cutLost(ctx)
}

// cutLost cuts sessions of ours that another process has ended, because a
// newer one of the same counterparty opened there. Their writes are fenced off
// already; this is for those that do not write.
func (i *Instance) cutLost(ctx context.Context) error {
	ids := i.open.ids() // before looking: each of them had its line then
	if len(ids) == 0 {
		return nil
	}
	lines, err := i.s.Lines(ctx)
	if err != nil {
		return err
	}
	held := map[string]bool{}
	for _, l := range lines {
		held[l.SessionID] = true
	}
	for _, id := range ids {
		if !held[id] {
			i.open.cut(id, fault.New(CodeOccupied, i.o.ID))
		}
	}
	return nil
}
