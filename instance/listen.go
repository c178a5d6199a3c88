package instance

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"pabal/internal/fault"
	"pabal/protocol"
)

// listen takes the addresses before anything is promised to anybody.
func (i *Instance) listen(ctx context.Context) ([]net.Listener, error) {
	var out []net.Listener
	var lc net.ListenConfig
	for _, l := range i.o.Listen {
		ln, err := lc.Listen(ctx, "tcp", l.Address)
		if err != nil {
			for _, open := range out {
				_ = open.Close()
			}
			return nil, fault.New(CodeListen, l.Address).Because(err)
		}
		out = append(out, ln)
		i.addrs = append(i.addrs, ln.Addr().String())
	}
	return out, nil
}

// accept lets callers in until the listener is closed. A caller holds a place
// in the lobby until it has opened its session; who says nothing for long
// makes room for the next, so that silent connections never keep a
// counterparty out.
func (i *Instance) accept(ctx, work context.Context, ln net.Listener, p *protocol.Profile, sessions *sync.WaitGroup) {
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
		leave := i.lobby.enter(conn)
		sessions.Go(func() {
			defer leave()
			s := &session{
				Instance: i, profile: p, peer: conn.RemoteAddr(), draining: ctx.Done(), log: i.log, left: -1,
			}
			s.opened = func() { i.lobby.known(conn) }
			_, _ = s.run(work, conn)
			i.wake.send.Give()
		})
	}
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
