package instance

import (
	"slices"
	"sync"

	"pabal/filemgr"
	"pabal/transfer"
)

// A large file is built beside the receive directory while it comes, so that its
// payload need not be read back from the database for it, and stands there almost
// as soon as the counterparty has its answer. What counts is in the rows all the
// while: the file is given the name of a built one only in the assemble stage,
// under its lock, and only if what was written has the digest that was committed
// with "received". In every other case, also after a crash, it is built from the
// rows.

const (
	// aheadFrom is the least size that this is worth a file of its own, in bytes.
	aheadFrom = 4 << 20
	// aheadMost is how many are written at once, and how many stand ready: each
	// takes a block's worth of memory and an open file.
	aheadMost = 8
)

// aheads are the files that are built while they come.
type aheads struct {
	mu    sync.Mutex
	come  []*filemgr.Ahead // perhaps still written
	ready []builtOne       // received, the oldest first
}

type builtOne struct {
	id   string // of the transfer
	file *filemgr.Ahead
}

// begin builds a file if there is room for one more. One that waits for a
// directory that hangs keeps its place, also when nobody wants it any more: so no
// more than those ever wait, and what comes after them is built from its rows.
func (a *aheads) begin(o filemgr.AssembleOptions) *filemgr.Ahead {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.come = slices.DeleteFunc(a.come, (*filemgr.Ahead).Over)
	if len(a.come) == aheadMost {
		return nil
	}
	file, err := filemgr.BuildAhead(o)
	if err != nil { // the assemble stage says what is wrong
		return nil
	}
	a.come = append(a.come, file)
	return file
}

// keep has one of which all has come wait for its transfer to be assembled.
func (a *aheads) keep(id, wireDigest string, file *filemgr.Ahead) {
	file.End(wireDigest)
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.ready) == aheadMost {
		a.ready[0].file.Drop()
		a.ready = slices.Delete(a.ready, 0, 1)
	}
	a.ready = append(a.ready, builtOne{id, file})
}

// take returns that of a transfer, nil if there is none. It is the caller's then.
func (a *aheads) take(id string) *filemgr.Ahead {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := slices.IndexFunc(a.ready, func(o builtOne) bool { return o.id == id })
	if n < 0 {
		return nil
	}
	file := a.ready[n].file
	a.ready = slices.Delete(a.ready, n, n+1)
	return file
}

// forget gives up that of a transfer, if there is one.
func (a *aheads) forget(id string) {
	if file := a.take(id); file != nil {
		file.Drop()
	}
}

// waiting are the transfers that have one ready.
func (a *aheads) waiting() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	ids := make([]string, len(a.ready))
	for n, o := range a.ready {
		ids[n] = o.id
	}
	return ids
}

// buildAhead begins to build a file that is about to come; nil where it is not
// large, or its form is not one that can be trusted before the whole is proven.
func (i *Instance) buildAhead(t *transfer.Transfer, f *File) *filemgr.Ahead {
	enc, err := filemgr.ParseEncoding(t.Encoding)
	switch {
	case err != nil, f == nil, enc.Tag != "", enc.Gzip: // what unfolds has no size before it is proven
	case max(t.WireSize, t.FileSize) < or(i.o.aheadFrom, aheadFrom):
	case t.PayloadIn != "": // it comes to where it is built
	case t.Repeat.Undecided(), f.CheckComes: // may never become a file
	case i.s.Sealed(): // nothing lies open before it is whole
	default:
		return i.aheads.begin(filemgr.AssembleOptions{
			ReceiveDir: i.o.Dirs.Receive, ID: t.ID, Form: f.Form, Encoding: enc, MaxSize: t.FileSize, Access: i.o.Access.Receive,
		})
	}
	return nil
}
