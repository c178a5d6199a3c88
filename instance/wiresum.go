package instance

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"

	"pabal/transfer"
)

// wireSum digests a file while it comes, so that its payload need not be read
// once more for that. It knows only what comes whole and in order in one
// session; of anything else, as of a file that is gone on with, it knows
// nothing, and the digest is computed when the file is built.
type wireSum struct {
	hash  hash.Hash
	next  int64 // number of the block that comes next
	size  int64
	blind bool
}

func newWireSum() *wireSum { return &wireSum{hash: sha256.New(), next: 1} }

// add begins to digest a whole block; what it returns waits until the payload
// is not needed any more.
func (w *wireSum) add(b *transfer.Block) (wait func()) {
	if w == nil || w.blind || b.Number != w.next {
		if w != nil {
			w.blind = true
		}
		return func() {}
	}
	w.next++
	w.size += int64(len(b.Payload))
	done := make(chan struct{})
	go func() {
		defer close(done)
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
