package line

import "pabal/protocol/machine"

// What is sent is loaded a piece at a time, and the piece after the one on the line
// while the peer works on the answer to the check, so that neither waits for the
// other. The host is still asked one thing at a time: whatever else it is asked
// waits for this.

// A piece is a block, or several where blocks are small: a question to a store
// costs the same for one of 15 KB as for one of 400. It is still no more than one
// block of most profiles, and few, because with each question the host may say that
// the file is no longer ours to send.
const (
	aheadBytes  = 400 << 10
	aheadBlocks = 8
)

// span is a part of the file, from an offset to another.
type span struct{ from, to int64 }

func (s span) has(other span) bool { return s.from <= other.from && other.to <= s.to }

// ahead is the piece that comes after the one in hand.
type ahead struct {
	span                  // what is expected to be asked for; empty = nothing
	buf     []byte        // what was loaded of it
	loading chan struct{} // closed when err is known; nil = not begun
	err     error
}

// lookAhead loads the piece that is expected next, if one is and nobody does yet.
// It is called when there is nothing to do but wait for the peer.
func (d *driver) lookAhead() {
	a := &d.ahead
	n := a.to - a.from
	if n == 0 || a.loading != nil {
		return
	}
	if int64(len(a.buf)) < n {
		d.opt.Buffers.put(a.buf)
		a.buf = d.opt.Buffers.get(int(n))
	}
	a.loading = make(chan struct{})
	go func() {
		defer close(a.loading)
		a.err = d.host.Load(d.ctx, a.from, a.buf[:n])
	}()
}

// load gets a block: from the piece in hand, from the one ahead, or by itself.
func (d *driver) load(a *machine.Action) error {
	want := span{a.Offset, a.Offset + a.Length}
	if !d.held.has(want) {
		if err := d.fetch(want); err != nil {
			d.held = span{}
			return err
		}
	}
	d.view = d.block[want.from-d.held.from : want.to-d.held.from]
	if d.ahead.loading == nil {
		from := d.held.to
		piece := max(1, min(aheadBlocks, aheadBytes/max(1, a.Ahead))) * a.Ahead
		d.ahead.span = span{from, min(from+piece, want.to+a.Ahead+a.Rest)}
	}
	return nil
}

// fetch makes the block in want, or a piece that has it, the one in hand.
func (d *driver) fetch(want span) error {
	a := &d.ahead
	if a.loading != nil {
		<-a.loading
		a.loading = nil
		if a.has(want) {
			d.block, a.buf, d.held = a.buf, d.block, a.span
			return a.err
		}
	}
	d.room(int(want.to - want.from))
	d.held = want
	return d.host.Load(d.ctx, want.from, d.block[:want.to-want.from])
}

// rest waits until nothing is being loaded and forgets what was: the host is
// asked something else, and the file may be another after that.
func (d *driver) rest() {
	if d.ahead.loading != nil {
		<-d.ahead.loading
		d.ahead.loading = nil
	}
	d.ahead.span, d.held, d.view = span{}, span{}, nil
}
