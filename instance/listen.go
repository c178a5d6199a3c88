package instance

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"pabal/internal/fault"
	"pabal/internal/pace"
	"pabal/internal/secure"
	"pabal/protocol"
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
		i.receive(ln.want.Load(), conn)
	}
}

// receive begins a session with a caller, as soon as it may be one.
func (i *Instance) receive(at *Listen, conn net.Conn) {
	now, from := i.current(), addressOf(conn.RemoteAddr())
	if why := now.knock(at, from); why != nil {
		_ = conn.Close()
		now.turnedAway(stranger{peer: conn.RemoteAddr(), profile: at.Profile.Name}, why)
		return
	}
	t := i.present.Load()
	if t == nil || !t.run(func() { now.converse(t, at, conn, from) }) {
		_ = conn.Close()
	}
}

// converse holds a caller's session from its first byte to its end.
func (i *Instance) converse(t *term, at *Listen, conn net.Conn, from netip.Addr) {
	leave := i.lobby.enter(conn, origin(from))
	if leave == nil {
		_ = conn.Close()
		i.turnedAway(stranger{peer: conn.RemoteAddr(), profile: at.Profile.Name}, fault.New(CodeCrowded, origin(from), "connections", i.o.Door.PerAddress))
		return
	}
	defer leave()
	s := &session{
		Instance: i, profile: i.speaks(at), peer: conn.RemoteAddr(), draining: t.taking.Done(), log: i.log, left: -1,
	}
	s.opened = func() {
		i.lobby.known(conn)
		s.paced.Use(i.paces.of(&s.inst.Institution))
		i.wrong.right(caller{address: origin(from)})
	}
	s.ctx, s.cut = context.WithCancelCause(t.work)
	defer s.cut(nil)
	paced := pace.Wrap(conn)
	s.paced = paced
	line, shown, err := i.shake(s.ctx, at, paced, from)
	if err != nil {
		i.turnedAway(stranger{peer: conn.RemoteAddr(), profile: at.Profile.Name, heard: fault.CodeOf(err) != secure.CodeCut}, err)
		return
	}
	s.shown = &shown
	if at.whose() != "" {
		if err := s.summoned(s.ctx, at); err != nil {
			_ = line.Close()
			i.turnedAway(stranger{peer: conn.RemoteAddr(), profile: at.Profile.Name, heard: true}, err)
			return
		}
	}
	_, _ = s.run(s.ctx, line)
	i.wake.send.Give()
}

// speaks is what is spoken at an address.
func (i *Instance) speaks(l *Listen) *protocol.Profile {
	return or(i.called[l.Profile.Name], l.Profile)
}

// summoned begins a session with a caller for whom we open: it says nothing
// before we do, so the address it called says who it is and which way files go,
// and what it showed before, if its configuration wants that. Its line is taken before it hears anything.
func (s *session) summoned(ctx context.Context, at *Listen) error {
	code, d := at.whose(), transfer.Send
	if at.FetchesFrom != "" {
		d, s.fetch = transfer.Receive, true
	}
	s.inst = s.insts[code]
	if s.inst == nil { // the configuration has changed meanwhile
		return fault.New(CodeUnknownPeer, code, "profile", s.profile.Name)
	}
	if e := s.admitted(s.inst); e != nil {
		s.inst = nil
		return e
	}
	s.profile = s.inst.Profile
	switch why, err := s.inQuarantine(ctx); {
	case err != nil:
		return err
	case why != nil:
		return why
	case s.inst.closedNow(s.business(), d == transfer.Send):
		return fault.New(CodeClosedHours, code)
	}
	if err := s.begin(ctx, s.peer.String(), false, d); err != nil {
		return err
	}
	s.opened()
	return nil
}
