package line

// ahead is the block that comes after the one on the line: it is loaded while
// the peer works on the answer to the check, so that neither waits for the
// other. The host is still asked one thing at a time: whatever else it is
// asked waits for this.
type ahead struct {
	offset, length int64
	buf            []byte
	loading        chan struct{} // closed when err is known; nil = not begun
	err            error
}

// lookAhead loads the block that is expected next, if one is and nobody does yet.
// It is called when there is nothing to do but wait for the peer.
func (d *driver) lookAhead() {
	a := &d.ahead
	if a.length == 0 || a.loading != nil {
		return
	}
	if int64(len(a.buf)) < a.length {
		d.opt.Buffers.put(a.buf)
		a.buf = d.opt.Buffers.get(int(a.length))
	}
	a.loading = make(chan struct{})
	go func() {
		defer close(a.loading)
		a.err = d.host.Load(d.ctx, a.offset, a.buf[:a.length])
	}()
}

// load gets a block into the block buffer: from ahead if it is the one.
func (d *driver) load(offset, length, after int64) error {
	a := &d.ahead
	if a.loading != nil {
		<-a.loading
		a.loading = nil
		if a.offset == offset && a.length == length {
			d.block, a.buf = a.buf, d.block
			d.expect(offset+length, after)
			return a.err
		}
	}
	d.room(int(length))
	d.expect(offset+length, after)
	return d.host.Load(d.ctx, offset, d.block[:length])
}

func (d *driver) expect(offset, length int64) {
	d.ahead.offset, d.ahead.length = offset, length
}

// rest waits until nothing is being loaded and forgets what was: the host is
// asked something else, and the file may be another after that.
func (d *driver) rest() {
	if d.ahead.loading != nil {
		<-d.ahead.loading
		d.ahead.loading = nil
	}
	d.expect(0, 0)
}
