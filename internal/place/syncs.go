package place

import "sync"

// Dirs syncs directories for many callers at once: who asks while a sync of
// that directory is under way shares the next one with everybody else who
// waits. A sync that began before the caller's change of names proves nothing
// about it, so the one under way is never shared. The zero value is ready.
type Dirs struct {
	mu     sync.Mutex
	rounds map[string]*rounds
}

// rounds of one directory: they run one after the other, and next is the one
// that can still be joined.
type rounds struct {
	turn sync.Mutex
	next *round
}

type round struct {
	done chan struct{}
	err  error
}

// Sync makes the names in dir durable, as SyncDir does.
func (d *Dirs) Sync(dir string) error {
	d.mu.Lock()
	if d.rounds == nil {
		d.rounds = make(map[string]*rounds)
	}
	of := d.rounds[dir]
	if of == nil {
		of = new(rounds)
		d.rounds[dir] = of
	}
	if r := of.next; r != nil {
		d.mu.Unlock()
		<-r.done
		return r.err
	}
	r := &round{done: make(chan struct{})}
	of.next = r
	d.mu.Unlock()

	of.turn.Lock()
	defer of.turn.Unlock()
	d.mu.Lock()
	of.next = nil // who comes now is too late for this one
	d.mu.Unlock()
	r.err = SyncDir(dir)
	close(r.done)
	return r.err
}
