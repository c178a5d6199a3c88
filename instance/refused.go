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
	unsaid int // lines that were held back since the last one
}

type refusedOf struct {
	origin string
	code   fault.Code
}

type refusedCount struct {
	count       int64
	first, last time.Time
	saidAt      time.Time
	detail      string
}

// mostRefusals is how many are known apart; those longest ago are forgotten
// first. A minute has at most linesAMinute lines in the log, and one for each
// that is known.
const (
	mostRefusals = 256
	linesAMinute = 30
)

// add counts one. say reports whether the log is to have a line for it, and
// more how many it has not had since the last one.
func (r *refusals) add(now time.Time, from string, why error) (say bool, more int) {
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
		r.minute, r.said = now, 0
	}
	if r.said >= linesAMinute || !c.saidAt.IsZero() && now.Sub(c.saidAt) < time.Minute {
		r.unsaid++
		return false, 0
	}
	c.saidAt = now
	r.said++
	more, r.unsaid = r.unsaid, 0
	return true, more
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
