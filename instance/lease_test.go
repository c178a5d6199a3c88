package instance

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
	"pabal/internal/loop"
	"pabal/store"
)

const testLease = 15 * time.Second

// registry is what of the store a lease and an observer use. Each beat takes
// as long as latency says; while it is away nobody gets through.
type registry struct {
	mu      sync.Mutex
	rows    map[string]*store.Instance
	away    bool
	latency time.Duration
	beats   []time.Time // as written
	buried  []string
}

var errAway = fault.New(store.CodeUnreachable, "test")

func (r *registry) wait() error {
	r.mu.Lock()
	latency := r.latency
	r.mu.Unlock()
	pass(latency)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.away {
		return errAway
	}
	return nil
}

func (r *registry) Beat(_ context.Context, now time.Time, id string, term int64) error {
	if err := r.wait(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	row := r.rows[id]
	if row.Term != term {
		return store.ErrFenced
	}
	row.Beats++
	r.beats = append(r.beats, now)
	return nil
}

func (r *registry) Instances(context.Context) ([]*store.Instance, error) {
	if err := r.wait(); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []*store.Instance
	for _, row := range r.rows {
		seen := *row
		all = append(all, &seen)
	}
	return all, nil
}

func (r *registry) Bury(_ context.Context, now time.Time, seen *store.Instance, by string) (bool, error) {
	if err := r.wait(); err != nil {
		return false, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	row := r.rows[seen.ID]
	if row.Term != seen.Term || row.Beats != seen.Beats || !row.Ended.IsZero() {
		return false, nil
	}
	row.Term, row.Ended, row.EndedBy = row.Term+1, now, by
	r.buried = append(r.buried, seen.ID)
	return true, nil
}

func (r *registry) set(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

func newRegistry(ids ...string) *registry {
	r := &registry{rows: map[string]*store.Instance{}}
	for _, id := range ids {
		r.rows[id] = &store.Instance{ID: id, Term: 1, Lease: testLease}
	}
	return r
}

// keeping is a lease under test.
type keeping struct {
	start time.Time
	lost  error
	after time.Duration // how long after the start
	ended chan struct{} // closed when nothing of it runs any more
	stop  func()
}

func (r *registry) keep(id string, now func() time.Time) *keeping {
	ctx, cancel := context.WithCancel(context.Background())
	k := &keeping{start: time.Now(), ended: make(chan struct{})}
	l := &lease{s: r, id: id, term: 1, length: testLease, renewed: time.Now(), doubt: loop.NewSignal(), now: now, log: slog.New(slog.DiscardHandler)}
	go func() {
		defer close(k.ended)
		l.keep(ctx, func(why error) { k.lost, k.after = why, time.Since(k.start) })
	}()
	k.stop = func() { cancel(); <-k.ended }
	return k
}

func (r *registry) observe(id string) *observer {
	return &observer{s: r, id: id, now: time.Now, log: slog.New(slog.DiscardHandler)}
}

// watch looks every step for so long.
func (o *observer) watch(t *testing.T, long, step time.Duration) {
	for range long / step {
		pass(step)
		if err := o.look(t.Context()); err != nil {
			require.ErrorIs(t, err, errAway)
		}
	}
}

// TestLeaseIsKept: a beat every eighth, for as long as it lasts, and nobody
// takes the instance for dead.
func TestLeaseIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRegistry("one", "two")
		r.latency = 100 * time.Millisecond
		k := r.keep("one", time.Now)
		other := r.keep("two", time.Now)
		r.observe("two").watch(t, time.Hour, testLease/beatPart)
		k.stop()
		other.stop()
		require.NoError(t, k.lost)
		require.Empty(t, r.buried)
		require.InDelta(t, 2*int(time.Since(k.start)/(testLease/beatPart)), len(r.beats), 4)
	})
}

// TestLeaseEndsAtTwoThirds: without a beat that was confirmed the holder stops
// when two thirds of the lease are over, counted from the beginning of the
// last good one; an observer believes it dead after the whole.
func TestLeaseEndsAtTwoThirds(t *testing.T) {
	t.Parallel()
	for name, hang := range map[string]bool{"refused": false, "no answer": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRegistry("one")
				r.latency = time.Second
				k := r.keep("one", time.Now)
				pass(testLease/beatPart + 3*time.Second/2) // one beat has gone through
				r.set(func() { require.Len(t, r.beats, 1) })
				r.set(func() {
					r.away = !hang
					if hang {
						r.latency = 2 * time.Minute
					}
				})
				pass(testLease)
				<-k.ended
				require.Equal(t, CodeLeaseLost, fault.CodeOf(k.lost))
				require.Equal(t, testLease/beatPart+testLease*2/3, k.after)
				r.set(func() { r.away, r.latency = false, 0 })
				k.stop()
			})
		})
	}
}

// TestStoreAwayForHalfALease harms nobody, whenever it begins.
func TestStoreAwayForHalfALease(t *testing.T) {
	t.Parallel()
	for from := time.Duration(0); from < testLease; from += testLease / 15 {
		synctest.Test(t, func(t *testing.T) {
			r := newRegistry("one", "two")
			one, two := r.keep("one", time.Now), r.keep("two", time.Now)
			o := r.observe("two")
			o.watch(t, testLease*2, time.Second)
			o.watch(t, from, testLease/15)
			r.set(func() { r.away = true })
			o.watch(t, testLease/2, testLease/30)
			r.set(func() { r.away = false })
			o.watch(t, testLease*3, time.Second)
			one.stop()
			two.stop()
			require.NoError(t, one.lost)
			require.NoError(t, two.lost)
			require.Empty(t, r.buried)
		})
	}
}

// TestDeadAfterALease: an instance that does not beat is buried after its own
// lease, not before, and once.
func TestDeadAfterALease(t *testing.T) {
	t.Parallel()
	for _, declared := range []time.Duration{testLease, 4 * testLease} {
		synctest.Test(t, func(t *testing.T) {
			r := newRegistry("one", "two")
			r.rows["one"].Lease = declared
			o := r.observe("two")
			require.True(t, o.anyAlive([]string{"one"}), "nobody has looked yet")
			require.NoError(t, o.look(t.Context()))
			o.watch(t, declared-time.Second, time.Second)
			require.Empty(t, r.buried)
			require.True(t, o.anyAlive([]string{"one"}))
			o.watch(t, 2*declared, time.Second)
			require.Equal(t, []string{"one"}, r.buried)
			require.EqualValues(t, 2, r.rows["one"].Term)
			require.False(t, o.anyAlive([]string{"one"}))
			require.True(t, o.anyAlive([]string{"one", "two"}))
		})
	}
}

// TestBeatInTheLastMoment: who beats between the look and the burial lives.
func TestBeatInTheLastMoment(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRegistry("one", "two")
		o := r.observe("two")
		require.NoError(t, o.look(t.Context()))
		pass(testLease)
		r.latency = time.Second // of the look and of the burial
		go func() {
			pass(1500 * time.Millisecond)
			r.set(func() { r.rows["one"].Beats++ })
		}()
		require.NoError(t, o.look(t.Context()))
		require.Empty(t, r.buried)
		require.True(t, o.anyAlive([]string{"one"}))
	})
}

// TestWallClockMeansNothing: a clock that is set, on either host, back or
// forward, kills nobody and saves nobody.
func TestWallClockMeansNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRegistry("one", "two", "dead")
		var shift time.Duration
		var mu sync.Mutex
		wall := func() time.Time { mu.Lock(); defer mu.Unlock(); return time.Now().Add(shift) }
		one, two := r.keep("one", wall), r.keep("two", wall)
		o := r.observe("two")
		o.now = wall
		require.NoError(t, o.look(t.Context()))
		for _, s := range []time.Duration{-24 * time.Hour, 24 * time.Hour} {
			mu.Lock()
			shift = s
			mu.Unlock()
			o.watch(t, testLease/2-time.Second, time.Second)
			require.Empty(t, r.buried)
		}
		o.watch(t, time.Hour, time.Second)
		one.stop()
		two.stop()
		require.NoError(t, errors.Join(one.lost, two.lost))
		require.Equal(t, []string{"dead"}, r.buried)
	})
}

// TestStoreAwayForEverybody: nobody is dead because nobody could beat. Who
// looks again gives everybody a whole lease.
func TestStoreAwayForEverybody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRegistry("one", "two")
		o := r.observe("two")
		require.NoError(t, o.look(t.Context()))
		r.set(func() { r.away = true })
		o.watch(t, time.Hour, time.Second)
		r.set(func() { r.away = false })
		o.watch(t, testLease, time.Second)
		require.Empty(t, r.buried)
		o.watch(t, 2*time.Second, time.Second)
		require.Equal(t, []string{"one"}, r.buried)
	})
}

// TestTermTaken: a holder whose term is over finds out at the next beat, or at
// once when a write was fenced off.
func TestTermTaken(t *testing.T) {
	t.Parallel()
	for name, doubt := range map[string]bool{"beat": false, "doubt": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRegistry("one")
				r.rows["one"].Term = 2
				var lost error
				l := &lease{s: r, id: "one", term: 1, length: testLease, renewed: time.Now(), doubt: loop.NewSignal(), now: time.Now, log: slog.New(slog.DiscardHandler)}
				start := time.Now()
				if doubt {
					l.doubt.Give()
				}
				l.keep(t.Context(), func(why error) { lost = why })
				require.Equal(t, CodeTermOver, fault.CodeOf(lost))
				want := testLease / beatPart
				if doubt {
					want = 0
				}
				require.Equal(t, want, time.Since(start))
			})
		})
	}
}

// pass lets so much time of the bubble pass.
func pass(d time.Duration) { <-time.After(d) }
