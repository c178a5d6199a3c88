package instance

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"pabal/internal/fault"
	"pabal/transfer"
)

// listeners are the addresses that are open, each with what is spoken there.
type listeners struct {
	mu      sync.Mutex
	open    map[listenKey]*listener
	serve   func(*listener)
	serving sync.WaitGroup
	stopped bool
}

// listenKey finds a listener again in other options: by its address as it is
// written, and because port 0 may be written twice, by which of them it is.
type listenKey struct {
	address string
	nth     int
}

type listener struct {
	net.Listener
	want atomic.Pointer[Listen] // what is spoken there
}

func keys(want []Listen) []listenKey {
	out, seen := make([]listenKey, len(want)), map[string]int{}
	for n, l := range want {
		out[n] = listenKey{l.Address, seen[l.Address]}
		seen[l.Address]++
	}
	return out
}

// start opens the first listeners. serve runs for each until it is closed.
func (s *listeners) start(ctx context.Context, want []Listen, serve func(*listener)) error {
	s.mu.Lock()
	s.open, s.serve = map[listenKey]*listener{}, serve
	s.mu.Unlock()
	return s.change(ctx, want, func() {})
}

// change opens what is wanted and not open, has then run done, and closes what
// is not wanted any more. What stays is not touched, so no caller is turned
// away. If an address cannot be opened nothing has changed.
func (s *listeners) change(ctx context.Context, want []Listen, done func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped || s.serve == nil { // it drains, or has not begun: Run takes the addresses
		done()
		return nil
	}
	var lc net.ListenConfig
	opened := map[listenKey]*listener{}
	wanted := map[listenKey]bool{}
	for n, key := range keys(want) {
		wanted[key] = true
		if s.open[key] != nil {
			continue
		}
		ln, err := lc.Listen(ctx, "tcp", want[n].Address)
		if err != nil {
			for _, l := range opened {
				_ = l.Close()
			}
			return fault.New(CodeListen, want[n].Address).Because(err)
		}
		opened[key] = &listener{Listener: ln}
	}
	done()
	for key, l := range s.open {
		if !wanted[key] {
			_ = l.Close()
			delete(s.open, key)
		}
	}
	for n, key := range keys(want) {
		l := s.open[key]
		if l == nil {
			l = opened[key]
			s.open[key] = l
		}
		l.want.Store(&want[n])
	}
	for _, l := range opened {
		s.serving.Go(func() { s.serve(l) })
	}
	return nil
}

// addresses of those that are open, in the order of want.
func (s *listeners) addresses(want []Listen) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, key := range keys(want) {
		if l := s.open[key]; l != nil {
			out = append(out, l.Addr().String())
		}
	}
	return out
}

// stop closes all and waits until nobody is let in any more.
func (s *listeners) stop() {
	s.mu.Lock()
	s.stopped = true
	for _, l := range s.open {
		_ = l.Close()
	}
	s.mu.Unlock()
	s.serving.Wait()
}

// accept lets callers in until the listener is closed. A caller holds a place
// in the lobby until it has opened its session; who says nothing for long
// makes room for the next, so that silent connections never keep a
// counterparty out. While we have no lease nobody is let in: the caller tries
// again, here or where another instance listens.
func (i *Instance) accept(ctx context.Context, ln *listener) {
	pause := 5 * time.Millisecond
	for {
		conn, err := ln.Accept()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			// Out of file descriptors, for one: wait and go on.
			i.log.Error("accept failed", "address", ln.Addr().String(), "err", err)
			select {
			case <-ctx.Done():
				return
			case <-time.After(pause):
			}
			pause = min(2*pause, time.Second)
			continue
		}
		pause = 5 * time.Millisecond
		t := i.present.Load()
		taken := t != nil && t.run(func() {
			leave := i.lobby.enter(conn)
			defer leave()
			want := ln.want.Load()
			s := &session{
				Instance: i.current(), profile: want.Profile, peer: conn.RemoteAddr(), draining: t.taking.Done(), log: i.log, left: -1,
			}
			s.opened = func() { i.lobby.known(conn) }
			s.ctx, s.cut = context.WithCancelCause(t.work)
			defer s.cut(nil)
			if want.SendsTo != "" {
				if err := s.give(s.ctx, want.SendsTo); err != nil {
					i.log.Warn("caller turned away", "institution", want.SendsTo, "code", fault.CodeOf(err), "err", err)
					_ = conn.Close()
					return
				}
			}
			_, _ = s.run(s.ctx, conn)
			i.wake.send.Give()
		})
		if !taken {
			_ = conn.Close()
		}
	}
}

// give begins a session with a caller that comes to fetch from us, where the
// sender opens: it says nothing before we do, so the address it called says
// who it is. Its line is taken before it hears anything.
func (s *session) give(ctx context.Context, code string) error {
	s.inst = s.insts[code]
	if s.inst == nil { // the configuration has changed meanwhile
		return fault.New(CodeUnknownPeer, code, "profile", s.profile.Name)
	}
	switch why, err := s.inQuarantine(ctx); {
	case err != nil:
		return err
	case why != nil:
		return why
	case s.inst.closedNow(s.business(), true):
		return fault.New(CodeClosedHours, code)
	}
	if err := s.begin(ctx, s.peer.String(), false, transfer.Send); err != nil {
		return err
	}
	s.opened()
	return nil
}

// lobby holds the connections whose peer has not said who it is, oldest
// first, and counts those that have.
type lobby struct {
	mu      sync.Mutex
	most    int
	waiting []net.Conn
	inside  map[net.Conn]bool
}

func newLobby(most int) *lobby { return &lobby{most: most, inside: map[net.Conn]bool{}} }

// enter takes a connection in. When all places are taken the one that has
// been silent for longest is closed.
func (l *lobby) enter(c net.Conn) (leave func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.waiting) > 0 && len(l.waiting)+len(l.inside) >= l.most {
		_ = l.waiting[0].Close()
		l.waiting = l.waiting[1:]
	}
	l.waiting = append(l.waiting, c)
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.drop(c)
		delete(l.inside, c)
	}
}

// known moves a connection out of the lobby: its peer has opened a session.
func (l *lobby) known(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop(c)
	l.inside[c] = true
}

func (l *lobby) drop(c net.Conn) {
	for n := range l.waiting {
		if l.waiting[n] == c {
			l.waiting = append(l.waiting[:n:n], l.waiting[n+1:]...)
			return
		}
	}
}

// limit changes how many there may be.
func (l *lobby) limit(most int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.most = most
}

func (l *lobby) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.inside)
}

// closeAll closes what is left after the drain time.
func (l *lobby) closeAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.waiting {
		_ = c.Close()
	}
}
