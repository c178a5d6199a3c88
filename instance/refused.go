package instance

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"pabal/internal/fault"
	"pabal/store"
)

// refusals counts callers that were not let in, by where they came from and
// why. However many there are, it stays small and says little. Its zero value
// has counted nobody.
type refusals struct {
	mu     sync.Mutex
	known  map[refusedOf]*refusedCount
	minute time.Time // … in which so many lines were said
	said   int
	kept   int // … that were written down
	unsaid int // lines that were held back since the last one
	// … and those that were not written down since the last one that was
	unwritten int
}

type refusedOf struct {
	origin string
	code   fault.Code
}

type refusedCount struct {
	count       int64
	first, last time.Time
	saidAt      time.Time
	minute      time.Time // … in which so many were written down
	kept        int
	detail      string
}

// mostRefusals is how many are known apart; those longest ago are forgotten
// first. A minute has at most linesAMinute lines in the log, and one for each
// that is known.
const (
	mostRefusals = 256
	linesAMinute = 30
)

// What a minute has at most in the log of callers that were turned away: of all,
// and of one origin for one reason, so that who knocks without end leaves room.
const (
	keptAMinute = 60
	keptOfOne   = 6
)

// verdict is what becomes of one that was counted.
type verdict struct {
	say       bool // the server's log has a line for it
	unsaid    int  // … and so many had none since the last one
	keep      bool // it is written down with what it said
	unwritten int  // … and so many were not since the last one
}

// add counts one.
func (r *refusals) add(now time.Time, from string, why error) (v verdict) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known == nil {
		r.known = map[refusedOf]*refusedCount{}
	}
	key := refusedOf{from, fault.CodeOf(why)}
	c := r.known[key]
	if c == nil {
		makeRoom(r.known, mostRefusals, func(c *refusedCount) time.Time { return c.last })
		c = &refusedCount{first: now}
		r.known[key] = c
	}
	c.count++
	c.last = now
	if f := fault.As(why); f != nil {
		c.detail = detail(f)
	}
	if now.Sub(r.minute) >= time.Minute || now.Before(r.minute) {
		r.minute, r.said, r.kept = now, 0, 0
	}
	if now.Sub(c.minute) >= time.Minute || now.Before(c.minute) {
		c.minute, c.kept = now, 0
	}
	if r.kept < keptAMinute && c.kept < keptOfOne {
		r.kept++
		c.kept++
		v.keep, v.unwritten, r.unwritten = true, r.unwritten, 0
	} else {
		r.unwritten++
	}
	if r.said < linesAMinute && (c.saidAt.IsZero() || now.Sub(c.saidAt) >= time.Minute) {
		c.saidAt = now
		r.said++
		v.say, v.unsaid, r.unsaid = true, r.unsaid, 0
	} else {
		r.unsaid++
	}
	return v
}

// makeRoom keeps what a process remembers of its callers small: when most are
// known, the one heard of longest ago is forgotten.
func makeRoom[K comparable, V any](known map[K]V, most int, last func(V) time.Time) {
	if len(known) < most {
		return
	}
	var oldest K
	var at time.Time
	for k, v := range known {
		if t := last(v); at.IsZero() || t.Before(at) {
			oldest, at = k, t
		}
	}
	delete(known, oldest)
}

// list are those that were refused last, at most n.
func (r *refusals) list(n int) []store.Refused {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]store.Refused, 0, len(r.known))
	for k, c := range r.known {
		out = append(out, store.Refused{Address: k.origin, Code: string(k.code), Detail: c.detail, Count: c.count,
			First: c.first.UTC(), Last: c.last.UTC()})
	}
	slices.SortFunc(out, func(a, b store.Refused) int {
		return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(a.Address, b.Address), cmp.Compare(a.Code, b.Code))
	})
	return out[:min(n, len(out))]
}
