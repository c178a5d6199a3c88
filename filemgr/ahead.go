package filemgr

import (
	"context"
	"os"
	"sync"
	"time"

	"pabal/internal/fault"
	"pabal/internal/place"
)

// aheadSuffix is that of a file that is built while its content comes. It stands
// beside the place where files are built, under a name to which only who made it
// writes: so it needs no lock, and is nothing until Adopt gives it the other name.
const aheadSuffix = ".ahead"

// aheadPatience is how long a piece waits for the one before it to be written, and
// the second one for the file to be opened. A disk or a file server that hangs does
// not hold up the counterparty: then the file is built later.
const aheadPatience = 2 * time.Second

// aheadBuffer gathers what transforms leave in small pieces; blocks of a file
// that is taken as it comes go past it.
const aheadBuffer = 64 << 10

// aheadFlush is how much is written before the kernel is told to bring it to the
// disk: else all of it would wait for the sync behind the last block.
const aheadFlush = 8 << 20

// Ahead builds the file of a transfer while its wire bytes come, so that they
// need not be read back from the database for it. It never fails: when anything
// is in the way there is no such file, and Build makes it from the rows. A crash
// leaves a file that nobody takes for one of a transfer; it is removed when the
// transfer has come to its end.
//
// One goroutine at a time puts, and then ends or drops.
type Ahead struct {
	form     Form
	encoding Encoding
	f        *os.File      // there when it is done
	piece    []byte        // under way
	pieces   chan []byte   // the one under way; closed behind the last
	idle     chan struct{} // has one when the piece under way is written
	dropped  chan struct{} // closed: nobody wants it any more
	drop     sync.Once
	done     chan struct{} // closed when all is written, or nothing will be
	wire     string        // digest of what was put
	staged   Staged
	err      error
}

// BuildAhead begins to build the file of o, of which WireSize, WireDigest, Staged
// and Check do not count. It touches no disk itself.
func BuildAhead(o AssembleOptions) (*Ahead, error) {
	return buildAhead(o, func(path string) (*os.File, error) {
		if err := MakeStaging(o); err != nil {
			return nil, err
		}
		// Never over one that is there: who waited long for a disk that hung would
		// empty the file of a later session.
		return o.Access.OpenNew(path)
	})
}

func buildAhead(o AssembleOptions, open func(path string) (*os.File, error)) (*Ahead, error) {
	if !validID(o.ID) {
		return nil, fault.New(CodeBadID, o.ID)
	}
	if err := o.Form.Validate(); err != nil {
		return nil, err
	}
	path := StagedPath(o.ReceiveDir, o.ID) + aheadSuffix
	a := &Ahead{form: o.Form, encoding: o.Encoding, pieces: make(chan []byte, 1), idle: make(chan struct{}, 1),
		dropped: make(chan struct{}), done: make(chan struct{}), staged: Staged{Path: path}}
	a.idle <- struct{}{}
	o.WireSize, o.Check = aheadBuffer, nil
	go func() {
		defer close(a.done)
		if a.f, a.err = open(path); a.err != nil {
			return
		}
		if a.err = a.staged.fill(context.Background(), a.f, o, &sideMeter{}, a.source); a.err != nil {
			a.discard()
		}
	}()
	return a, nil
}

// source hands over what is put.
func (a *Ahead) source(emit func([]byte) error) error {
	held := 0
	for {
		select {
		case <-a.dropped:
			return errStopped
		case p, more := <-a.pieces:
			if !more {
				return nil
			}
			if err := emit(p); err != nil {
				return err
			}
			if held += len(p); held >= aheadFlush {
				held = 0
				place.Flush(a.f)
			}
			a.idle <- struct{}{}
		}
	}
}

// Put adds the wire bytes that follow. They are copied.
func (a *Ahead) Put(p []byte) {
	patience := time.NewTimer(aheadPatience)
	defer patience.Stop()
	select {
	case <-a.idle:
	case <-a.done: // it has failed
		return
	case <-a.dropped:
		return
	case <-patience.C:
		a.Drop()
		return
	}
	a.piece = append(a.piece[:0], p...)
	a.pieces <- a.piece // the one before it is written, so there is room
}

// End says that all has been put, and the digest of it (sha256 in hex). It does
// not wait for it to be written.
func (a *Ahead) End(wireDigest string) {
	a.wire = wireDigest
	close(a.pieces)
}

// Over reports that nothing is written any more: all is, or it was given up. One
// that waits for a disk that hangs is not over before the disk comes back.
func (a *Ahead) Over() bool {
	select {
	case <-a.done:
		return true
	default:
		return false
	}
}

// Drop ends it without a file, also one that has ended.
func (a *Ahead) Drop() {
	a.drop.Do(func() {
		close(a.dropped)
		go func() { // nobody waits for a disk that does not answer
			<-a.done
			if a.err == nil {
				a.discard()
			}
		}()
	})
}

func (a *Ahead) discard() {
	_ = a.f.Close()
	_ = DiscardAt(a.staged.Path)
}

// Adopt makes the content durable and gives the file the name under which Build
// would have made it for o. It reports false, and leaves nothing, where it is not
// the file that o asks for or cannot be had: then it is to be built. The
// caller has locked the path (see LockAll); the name is durable after SyncStaged.
func (a *Ahead) Adopt(ctx context.Context, o AssembleOptions) (Staged, bool) {
	select {
	case <-a.done:
	case <-a.dropped:
	case <-ctx.Done():
	}
	if !a.fits(o) || place.SyncFile(a.f) != nil || os.Rename(a.staged.Path, o.path()) != nil {
		a.Drop()
		return Staged{}, false
	}
	_ = a.f.Close() // it is durable
	s := a.staged
	s.Path = o.path()
	s.digested(a.wire)
	return s, true
}

// fits reports that all of it was written, and is what o asks for.
func (a *Ahead) fits(o AssembleOptions) bool {
	return a.Over() && a.err == nil && a.wire != "" && o.WireDigest == a.wire && o.WireSize == a.staged.WireSize &&
		(o.MaxSize == 0 || a.staged.FileSize <= o.MaxSize) && o.Form == a.form && o.Encoding == a.encoding && o.Check == nil
}
