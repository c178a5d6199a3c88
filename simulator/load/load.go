// Package load has many counterparties talk to one server at the same time and
// measures how it holds up: files per second, how long each took, and errors.
package load

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"pabal/internal/fault"
	"pabal/simulator"
)

// Options of one measurement.
type Options struct {
	Names   Names
	Fetch   bool                              // they call for files instead of giving theirs
	Tune    func(n int, o *simulator.Options) // what else the nth has; nil = nothing
	Address func(n int) string                // where the nth calls
	Dir     string                            // for their folders; empty

	Institutions int
	Files        int   // of each
	Bytes        int64 // of a file
	Sessions     int   // at once, over all
	Calls        int   // most calls of each, until all its files have passed

	// Passed is told after each file, in order, by one at a time; nil = nobody.
	Passed func(done, of int)
}

// File that has passed.
type File struct {
	Institution int // from 0
	Name        string
	SHA256      string
}

// Result is what was measured. Times are from when a file was taken up until
// its end was confirmed.
type Result struct {
	Profile      string         `json:"profile"`
	Way          string         `json:"way"` // give, fetch
	Institutions int            `json:"institutions"`
	Files        int            `json:"files"` // whose end was confirmed
	Failed       int            `json:"failed"`
	Bytes        int64          `json:"bytes"`
	Sessions     int            `json:"sessions"`
	Seconds      float64        `json:"seconds"`
	PerSecond    float64        `json:"files_per_second"`
	Median       time.Duration  `json:"-"`
	P95          time.Duration  `json:"-"`
	P99          time.Duration  `json:"-"`
	Most         time.Duration  `json:"-"`
	Errors       map[string]int `json:"errors,omitempty"` // by code: sessions and files that went wrong
	Passed       []File         `json:"-"`
}

// measure is one measurement under way.
type measure struct {
	o     Options
	peers []*simulator.Peer
	left  []atomic.Int64

	mu   sync.Mutex
	r    Result
	took []time.Duration
}

// Run holds it. An error is that of this machine.
func Run(ctx context.Context, o Options) (Result, error) {
	m := &measure{o: o, peers: make([]*simulator.Peer, o.Institutions), left: make([]atomic.Int64, o.Institutions)}
	m.r = Result{Profile: o.Names.p.Name, Way: "give", Institutions: o.Institutions, Errors: map[string]int{}}
	if o.Fetch {
		m.r.Way = "fetch"
	}
	for n := range m.peers {
		if err := m.prepare(n); err != nil {
			return m.r, err
		}
	}
	began := time.Now()
	places := make(chan struct{}, o.Sessions)
	var all sync.WaitGroup
	for n := range m.peers {
		all.Go(func() { m.calls(ctx, n, places) })
	}
	all.Wait()
	r := m.r
	r.Seconds = time.Since(began).Seconds()
	r.Files, r.Failed = len(m.took), o.Institutions*o.Files-len(m.took)
	r.PerSecond = float64(r.Files) / r.Seconds
	slices.Sort(m.took)
	r.Median, r.P95, r.P99, r.Most = share(m.took, 50), share(m.took, 95), share(m.took, 99), share(m.took, 100)
	return r, ctx.Err()
}

// prepare makes the nth institution and its files.
func (m *measure) prepare(n int) error {
	o := &m.o
	opt := o.Names.Institution(n)
	dir := filepath.Join(o.Dir, strconv.Itoa(n))
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	if o.Fetch {
		opt.TakeDir = dir
	} else {
		opt.GiveDir = dir
		for k := range o.Files {
			if err := os.WriteFile(filepath.Join(dir, o.Names.File(k)), o.Names.Content(n, k, o.Bytes), 0o600); err != nil {
				return err
			}
		}
	}
	if o.Tune != nil {
		o.Tune(n, &opt)
	}
	m.left[n].Store(int64(o.Files))
	opt.Observe = func(e simulator.Event) { m.observe(n, e) }
	var err error
	m.peers[n], err = simulator.New(opt)
	return err
}

func (m *measure) observe(n int, e simulator.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case (e.Kind == simulator.Given || e.Kind == simulator.Taken) && !e.Again:
		m.left[n].Add(-1)
		m.took = append(m.took, e.Took)
		m.r.Bytes += e.Bytes
		m.r.Passed = append(m.r.Passed, File{n, e.Name, e.SHA256})
		if m.o.Passed != nil {
			m.o.Passed(len(m.took), m.o.Institutions*m.o.Files)
		}
	case e.Err != nil:
		m.r.Errors[string(fault.CodeOf(e.Err))]++
	}
	if e.Kind == simulator.Closed {
		m.r.Sessions++
	}
}

// calls holds the sessions of the nth, each in its turn.
func (m *measure) calls(ctx context.Context, n int, places chan struct{}) {
	for range m.o.Calls {
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			return
		}
		_, err := m.peers[n].Call(ctx, m.o.Address(n), m.o.Fetch)
		<-places
		if fault.CodeOf(err) == simulator.CodeAddress { // no session, so nobody was told
			m.mu.Lock()
			m.r.Errors[string(simulator.CodeAddress)]++
			m.mu.Unlock()
		}
		if ctx.Err() != nil || m.left[n].Load() <= 0 {
			return
		}
	}
}

// share is the time that so many percent did not need more than.
func share(sorted []time.Duration, percent int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[max(0, (len(sorted)*percent+99)/100-1)]
}
