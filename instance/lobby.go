package instance

import (
	"net"
	"slices"
	"sync"
)

// lobby holds the connections whose peer has not said who it is, oldest
// first, and counts those that have. It counts those of this process: which
// sessions an institution may have over all processes is for its lines (D4).
type lobby struct {
	mu      sync.Mutex
	most    int // connections in all
	most0   int // … of those that wait; 0 = most
	mostOne int // … from one origin; 0 = most
	waiting []visitor
	inside  map[net.Conn]string // with the origin of each
	from    map[string]int      // how many there are by origin
}

// visitor is a connection and where it comes from.
type visitor struct {
	conn   net.Conn
	origin string
}

func newLobby(most int, d Door) *lobby {
	return &lobby{most: most, most0: d.Unidentified, mostOne: d.PerAddress, inside: map[net.Conn]string{}, from: map[string]int{}}
}

// enter takes a connection in. When all places are taken one that has not said
// who it is makes room: of the origin that has most of those, the one that has
// been silent for longest. So who floods us closes his own connections. The
// places of one origin are made room in by that origin alone; where all of them
// have said who they are nobody more is let in, and leave is nil.
func (l *lobby) enter(c net.Conn, from string) (leave func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.mostOne > 0 && l.from[from] >= l.mostOne {
		n := slices.IndexFunc(l.waiting, func(v visitor) bool { return v.origin == from })
		if n < 0 {
			return nil
		}
		l.show(n)
	}
	for len(l.waiting) > 0 && (len(l.waiting)+len(l.inside) >= l.most || l.most0 > 0 && len(l.waiting) >= l.most0) {
		l.show(l.guilty())
	}
	l.waiting = append(l.waiting, visitor{c, from})
	l.from[from]++
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if _, in := l.inside[c]; in {
			delete(l.inside, c)
			l.less(from)
		} else if n := l.find(c); n >= 0 {
			l.drop(n)
		}
	}
}

// guilty is who makes room for the next.
func (l *lobby) guilty() int {
	silent, worst := map[string]int{}, 0
	for _, v := range l.waiting {
		silent[v.origin]++
		worst = max(worst, silent[v.origin])
	}
	return slices.IndexFunc(l.waiting, func(v visitor) bool { return silent[v.origin] == worst })
}

// show somebody the door.
func (l *lobby) show(n int) {
	_ = l.waiting[n].conn.Close()
	l.drop(n)
}

func (l *lobby) drop(n int) {
	l.less(l.waiting[n].origin)
	l.waiting = slices.Delete(l.waiting, n, n+1)
}

func (l *lobby) less(from string) {
	if l.from[from]--; l.from[from] <= 0 {
		delete(l.from, from)
	}
}

func (l *lobby) find(c net.Conn) int {
	return slices.IndexFunc(l.waiting, func(v visitor) bool { return v.conn == c })
}

// known moves a connection out of the lobby: its peer has opened a session.
func (l *lobby) known(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := l.find(c); n >= 0 {
		l.inside[c] = l.waiting[n].origin
		l.waiting = slices.Delete(l.waiting, n, n+1)
	}
}

// limit changes how many there may be.
func (l *lobby) limit(most int, d Door) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.most, l.most0, l.mostOne = most, d.Unidentified, d.PerAddress
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
	for _, v := range l.waiting {
		_ = v.conn.Close()
	}
}
