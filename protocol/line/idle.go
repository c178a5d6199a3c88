package line

import (
	"errors"
	"os"
	"time"

	"pabal/protocol/machine"
	"pabal/transfer"
)

// A session that waits holds little: hundreds of them stand open for hours and
// carry a file now and then. Buffers come with a file and go when nothing has
// come for a moment, so that one file after the other finds them there.

// quiet is that moment.
const quiet = time.Second

// errQuiet says that nothing has come for a moment, which is no time-out yet.
var errQuiet = errors.New("nothing came for a moment")

// holds reports that there is something to give back.
func (d *driver) holds() bool {
	return d.grown || cap(d.write) >= readBuffer || d.scratch != nil || !d.carries() && (d.block != nil || d.ahead.buf != nil)
}

// carries reports that a file is under way, of which blocks are in our hands.
func (d *driver) carries() bool {
	st := d.session.State()
	return st == machine.Sending || st == machine.Receiving
}

// until is when a wait ends: at its end, or after a moment if there is
// something to give back.
func (d *driver) until() time.Time {
	last := d.last()
	if !d.holds() {
		return last
	}
	if soon := d.read.Add(quiet); last.IsZero() || soon.Before(last) {
		return soon
	}
	return last
}

// waitsOn reports that a wait that ended at until is to go on.
func (d *driver) waitsOn(until time.Time, err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) && d.ctx.Err() == nil && !until.Equal(d.last())
}

// lighten gives back what the next file would take again.
func (d *driver) lighten() {
	// Both point into buffers, and the next telegram or block replaces them.
	d.telegram.Reset()
	d.saving = transfer.Block{}
	if d.grown {
		d.grown = false
		d.reader.Use(make([]byte, d.p.FrameBuffer()))
	}
	give := func(buf *[]byte) {
		d.opt.Buffers.put(*buf)
		*buf = nil
	}
	if cap(d.write) >= readBuffer {
		give(&d.write)
	}
	give(&d.scratch)
	if !d.carries() {
		give(&d.block)
		give(&d.ahead.buf)
	}
}

// grow gives the reader room for many telegrams: data comes.
func (d *driver) grow() {
	if !d.grown {
		d.grown = true
		d.reader.Use(make([]byte, max(readBuffer, d.p.FrameBuffer())))
	}
}
