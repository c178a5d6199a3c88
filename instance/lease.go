package instance

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"pabal/internal/fault"
	"pabal/internal/loop"
	"pabal/store"
)

// This file measures time only by how it passes (time.Now and time.Since, on
// the monotonic clock), never by what a clock shows: not ours, not another
// host's (design D4). What the instance's clock shows is written down for
// people, and nothing follows from it.

// Parts of a lease. Two thirds of it without a beat that was confirmed and it
// is over for us, a third before others may believe so. It beats so often, and
// so soon again after a failure, that a store may be away for half of it at any
// moment without harm: 1/8 + 1/2 + 1/32 is less than two thirds.
const (
	beatPart  = 8
	retryPart = 32
)

// lease keeps one term alive by beats.
type lease struct {
	s interface {
		Beat(ctx context.Context, now time.Time, instanceID string, term int64) error
	}
	id      string
	term    int64
	length  time.Duration
	renewed time.Time   // when the last beat that was confirmed began
	doubt   loop.Signal // ask at once whether the term is still ours
	now     func() time.Time
	log     *slog.Logger
}

// keep beats until ctx ends. If the lease is lost it says so, once, the moment
// it is, and returns. A process that was stopped meanwhile finds it here, as
// the first thing or by its first write, which is fenced off.
func (l *lease) keep(ctx context.Context, lost func(error)) {
	ctx, cancel := context.WithCancel(ctx)
	var beating sync.WaitGroup
	defer beating.Wait()
	defer cancel()
	type answer struct {
		asked time.Time
		err   error
	}
	answers := make(chan answer, 1)
	var asked bool
	next, limit := time.NewTimer(0), time.NewTimer(0)
	defer next.Stop()
	defer limit.Stop()
	next.Reset(l.length / beatPart)
	for {
		left := l.length*2/3 - time.Since(l.renewed)
		if left <= 0 {
			lost(fault.New(CodeLeaseLost, l.id, "lease", l.length))
			return
		}
		limit.Reset(left)
		beat := false
		select {
		case <-ctx.Done():
			return
		case <-limit.C:
		case <-next.C:
			beat = true
		case <-l.doubt:
			beat = true
		case a := <-answers:
			asked = false
			switch {
			case a.err == nil:
				l.renewed = a.asked
				next.Reset(l.length/beatPart - time.Since(a.asked))
			case errors.Is(a.err, store.ErrFenced):
				lost(fault.New(CodeTermOver, l.id))
				return
			case forGood(a.err):
				lost(a.err)
				return
			default:
				l.log.Warn("no beat", "code", fault.CodeOf(a.err), "err", a.err)
				next.Reset(l.length / retryPart)
			}
		}
		if beat && !asked {
			asked = true
			beating.Go(func() {
				at := time.Now()
				answers <- answer{at, l.s.Beat(ctx, l.now(), l.id, l.term)}
			})
		}
	}
}

// forGood reports that the store will not come back for this process.
func forGood(err error) bool { return fault.CodeOf(err) == store.CodeReplaced }

// doubtful reports that a write failed in a way that lets our term be asked for
// at once.
func doubtful(err error) bool { return errors.Is(err, store.ErrFenced) || forGood(err) }

// observer watches the other instances and buries those that are dead.
type observer struct {
	s interface {
		Instances(ctx context.Context) ([]*store.Instance, error)
		Bury(ctx context.Context, now time.Time, seen *store.Instance, by string) (bool, error)
	}
	id  string
	now func() time.Time
	log *slog.Logger

	seen map[string]sighting

	mu    sync.Mutex
	alive map[string]bool // nil before the first look
}

// sighting is a row and since when, at the latest, it has been like that.
type sighting struct {
	term, beats int64
	since       time.Time
}

// look reads the rows once. An instance whose row has not changed for the
// lease that it declared is dead. While the rows cannot be read nobody can
// beat either, so that time counts against nobody.
func (o *observer) look(ctx context.Context) error {
	before := time.Now()
	all, err := o.s.Instances(ctx)
	after := time.Now()
	if err != nil {
		o.seen = nil
		return err
	}
	seen, alive := map[string]sighting{}, map[string]bool{}
	for _, i := range all {
		if !i.Ended.IsZero() {
			continue
		}
		alive[i.ID] = true
		if i.ID == o.id {
			continue
		}
		last, known := o.seen[i.ID]
		if !known || last.term != i.Term || last.beats != i.Beats {
			last = sighting{i.Term, i.Beats, after}
		}
		seen[i.ID] = last
		if before.Sub(last.since) < i.Lease {
			continue
		}
		buried, err := o.s.Bury(ctx, o.now(), i, o.id)
		if err != nil {
			o.log.Warn("a dead instance is not fenced off yet", "dead", i.ID, "host", i.Host, "code", fault.CodeOf(err), "err", err)
			continue
		}
		if buried {
			delete(alive, i.ID)
			o.log.Error("an instance is dead, its work is taken over", "dead", i.ID, "host", i.Host, "pid", i.PID, "lease", i.Lease)
		}
	}
	o.seen = seen
	o.mu.Lock()
	defer o.mu.Unlock()
	o.alive = alive
	return nil
}

// anyAlive reports whether one of these instances has a term. Before the first
// look all have.
func (o *observer) anyAlive(ids []string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, id := range ids {
		if o.alive == nil || o.alive[id] {
			return true
		}
	}
	return false
}
