package instance

import (
	"crypto/subtle"
	"net"
	"sync"
	"time"

	"pabal/internal/fault"
	"pabal/internal/loop"
	"pabal/transfer"
)

// throttle makes guessing passwords slow: by institution and address, so that
// somebody else's guesses do not lock a counterparty out. Its zero value knows
// nobody. What it knows is kept in the process alone; a restart forgets.
type throttle struct {
	mu    sync.Mutex
	known map[caller]*guesses
}

// caller is who says to be which institution; code is "" where all that comes
// from one origin is meant.
type caller struct{ code, address string }

type guesses struct {
	wrong int
	last  time.Time
	until time.Time
}

// freeGuesses are answered as fast as any; then each waits twice as long as the
// one before, up to longestBar.
const (
	freeGuesses = 3
	firstBar    = time.Second
	longestBar  = 5 * time.Minute
	mostCallers = 1024
)

func guessing() patience { return patience{freeGuesses, longestBar} }

func (s *session) caller(code string) caller {
	c := caller{code: code}
	if s.peer != nil {
		c.address = s.peer.String()
		if host, _, err := net.SplitHostPort(c.address); err == nil {
			c.address = host
		}
	}
	return c
}

// barred is until when nothing that this caller says is looked at; zero = it
// may try.
func (t *throttle) barred(c caller, now time.Time) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	if g := t.known[c]; g != nil && now.Before(g.until) {
		return g.until
	}
	return time.Time{}
}

// patience is how many mistakes are answered as fast as any, and how long the
// longest wait after more of them is.
type patience struct {
	free    int
	longest time.Duration
}

func (t *throttle) failed(c caller, now time.Time, p patience) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.known == nil {
		t.known = map[caller]*guesses{}
	}
	g := t.known[c]
	if g == nil {
		makeRoom(t.known, mostCallers, func(g *guesses) time.Time { return g.last })
		g = &guesses{}
		t.known[c] = g
	}
	g.wrong++
	g.last = now
	if g.wrong >= p.free {
		g.until = now.Add(loop.Backoff(firstBar, p.longest, g.wrong-p.free+1))
	}
}

func (t *throttle) right(c caller) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.known, c)
}

// rightPassword holds a transfer password (§3) against the agreed one, as
// slowly as the one of an opening.
func (s *session) rightPassword(given string) bool {
	want := s.inst.TransferPassword
	if want == "" {
		return true
	}
	who := s.caller(s.inst.Code)
	if until := s.wrong.barred(who, s.now()); !until.IsZero() {
		s.log.Warn("transfer password is not looked at", "code", CodeThrottled, "until", until)
		return false
	}
	if subtle.ConstantTimeCompare([]byte(given), []byte(want)) != 1 {
		s.wrong.failed(who, s.now(), guessing())
		return false
	}
	s.wrong.right(who)
	return true
}

// quota bounds what one session writes into histories: a bad counterparty
// makes as many events as it likes telegrams. What is over is counted and told
// at the end of the session. Its zero value is ready.
type quota struct {
	written map[noted]int
	order   []noted
}

type noted struct{ kind, transfer string }

// mostNoted is how many events of one kind a session writes for one transfer,
// or for none.
const mostNoted = 50

// room counts an event and reports whether it is to be written.
func (q *quota) room(kind, transferID string) bool {
	if q.written == nil {
		q.written = map[noted]int{}
	}
	k := noted{kind, transferID}
	q.written[k]++
	if q.written[k] == mostNoted+1 {
		q.order = append(q.order, k)
	}
	return q.written[k] <= mostNoted
}

// rest is one event for each kind of which there were more.
func (q *quota) rest() []transfer.Event {
	var out []transfer.Event
	for _, k := range q.order {
		out = append(out, transfer.Event{TransferID: k.transfer, Kind: "more",
			Detail: detail(fault.New("", "", "kind", k.kind, "count", q.written[k]-mostNoted))})
	}
	return out
}
