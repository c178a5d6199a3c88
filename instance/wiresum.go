package instance

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"

	"pabal/filemgr"
	"pabal/transfer"
)

// wireSum digests a file while it comes, so that its payload need not be read
// once more for that, and has it built beside, if file is set. It knows only what
// comes whole and in order in one session; of anything else, as of a file that is
// gone on with, it knows nothing, and the digest is computed when the file is
// built from its rows.
type wireSum struct {
	hash  hash.Hash
	next  int64 // number of the block that comes next
	size  int64
	blind bool
	all   *aheads
	file  *filemgr.Ahead // nil if it is not built while it comes
}

func newWireSum(all *aheads, file *filemgr.Ahead) *wireSum {
	return &wireSum{hash: sha256.New(), next: 1, all: all, file: file}
}

// add begins to digest a whole block; what it returns waits until the payload
// is not needed any more.
func (w *wireSum) add(b *transfer.Block) (wait func()) {
	if w == nil || w.blind || b.Number != w.next {
		if w != nil {
			w.blind = true
			w.drop()
		}
		return func() {}
	}
	w.next++
	w.size += int64(len(b.Payload))
	done := make(chan struct{})
	go func() {
		defer close(done)
		if w.file != nil {
			w.file.Put(b.Payload)
		}
		w.hash.Write(b.Payload) //nolint:errcheck // a hash never fails
	}()
	return func() { <-done }
}

// of is the digest in hex if it is that of so many bytes from the first on,
// "" if that is not known.
func (w *wireSum) of(size int64) string {
	if w == nil || w.blind || w.size != size {
		return ""
	}
	return hex.EncodeToString(w.hash.Sum(nil))
}

// received leaves the file to the assemble stage, which takes it as soon as the
// row says that it came.
func (w *wireSum) received(id string) {
	if w != nil && w.file != nil {
		w.all.keep(id, w.of(w.size), w.file)
		w.file = nil
	}
}

// drop gives the file up, if there still is one.
func (w *wireSum) drop() {
	if w != nil && w.file != nil {
		w.file.Drop()
		w.file = nil
	}
}
