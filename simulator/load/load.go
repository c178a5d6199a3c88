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
	// Peer is what all of them have in common: profile, part, password, waits.
	Peer simulator.Options
	// Each makes the nth its own, from 0: code, sender.
	Each    func(n int, o *simulator.Options)
	Name    func(n, file int) string // name of a file in the folder of the nth, both from 0
	Address string
	Dir     string // for their folders; empty

	Institutions int
	Files        int   // of each
	Bytes        int64 // of a file
	Sessions     int   // at once, over all
	Calls        int   // most calls of each, until all its files are given

	Given func(done, of int) // after each file; nil = nobody. Called by many at once
}

// Result is what was measured. Times are from when a file was taken up until
// its end was confirmed.
type Result struct {
	Institutions int            `json:"institutions"`
	Files        int            `json:"files"` // that were confirmed
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
}

// Run holds it. An error is that of this machine.
func Run(ctx context.Context, o Options) (Result, error) {
	r := Result{Institutions: o.Institutions, Errors: map[string]int{}}
	peers := make([]*simulator.Peer, o.Institutions)
	var mu sync.Mutex
	var took []time.Duration
	var given atomic.Int64
	left := make([]atomic.Int64, o.Institutions)
	content := make([]byte, o.Bytes)
	for i := range content {
		content[i] = '0' + byte(i*7%10)
	}
	for n := range peers {
		opt := o.Peer
		opt.GiveDir = filepath.Join(o.Dir, strconv.Itoa(n))
		o.Each(n, &opt)
		left[n].Store(int64(o.Files))
		opt.Observe = func(e simulator.Event) {
			mu.Lock()
			defer mu.Unlock()
			switch {
			case e.Kind == simulator.Given:
				left[n].Add(-1)
				took = append(took, e.Took)
				r.Bytes += e.Bytes
				if o.Given != nil {
					o.Given(int(given.Add(1)), o.Institutions*o.Files)
				}
			case e.Err != nil:
				r.Errors[string(fault.CodeOf(e.Err))]++
			}
			if e.Kind == simulator.Closed {
				r.Sessions++
			}
		}
		if err := os.MkdirAll(opt.GiveDir, 0o750); err != nil {
			return r, err
		}
		for k := range o.Files {
			if err := os.WriteFile(filepath.Join(opt.GiveDir, o.Name(n, k)), content, 0o600); err != nil {
				return r, err
			}
		}
		var err error
		if peers[n], err = simulator.New(opt); err != nil {
			return r, err
		}
	}
	began := time.Now()
	places := make(chan struct{}, o.Sessions)
	var all sync.WaitGroup
	for n, p := range peers {
		all.Go(func() {
			for range o.Calls {
				select {
				case places <- struct{}{}:
				case <-ctx.Done():
					return
				}
				_, err := p.Call(ctx, o.Address, false)
				<-places
				if fault.CodeOf(err) == simulator.CodeAddress { // no session, so nobody was told
					mu.Lock()
					r.Errors[string(simulator.CodeAddress)]++
					mu.Unlock()
				}
				if ctx.Err() != nil || left[n].Load() == 0 {
					return
				}
			}
		})
	}
	all.Wait()
	r.Seconds = time.Since(began).Seconds()
	r.Files, r.Failed = len(took), o.Institutions*o.Files-len(took)
	r.PerSecond = float64(r.Files) / r.Seconds
	slices.Sort(took)
	r.Median, r.P95, r.P99, r.Most = share(took, 50), share(took, 95), share(took, 99), share(took, 100)
	return r, ctx.Err()
}

// share is the time that so many percent did not need more than.
func share(sorted []time.Duration, percent int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[max(0, (len(sorted)*percent+99)/100-1)]
}
