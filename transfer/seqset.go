package transfer

import "math/bits"

// MaxPerBlock is the most sequences a block may have in any profile.
const MaxPerBlock = 999

// SeqSet is the set of sequence numbers of one block that are held. Its zero
// value holds nothing. Sequence numbers count from 1.
type SeqSet struct {
	words [(MaxPerBlock + 64) / 64]uint64
	count int
}

// Add puts seq into the set and reports whether it was new. Numbers outside
// 1…MaxPerBlock are never added.
func (h *SeqSet) Add(seq int) bool {
	if seq < 1 || seq > MaxPerBlock || h.Has(seq) {
		return false
	}
	h.words[seq/64] |= 1 << (seq % 64)
	h.count++
	return true
}

// Has reports whether seq is held.
func (h *SeqSet) Has(seq int) bool {
	return seq >= 1 && seq <= MaxPerBlock && h.words[seq/64]&(1<<(seq%64)) != 0
}

// Remove takes seq out of the set.
func (h *SeqSet) Remove(seq int) {
	if h.Has(seq) {
		h.words[seq/64] &^= 1 << (seq % 64)
		h.count--
	}
}

// Count is how many are held.
func (h *SeqSet) Count() int { return h.count }

// Reset empties the set.
func (h *SeqSet) Reset() { *h = SeqSet{} }

// Fill adds 1…last.
func (h *SeqSet) Fill(last int) {
	for seq := 1; seq <= last; seq++ {
		h.Add(seq)
	}
}

// MissingUpTo counts the numbers of 1…last that are not held (결번개수).
func (h *SeqSet) MissingUpTo(last int) int {
	last = max(0, min(last, MaxPerBlock))
	n := 0
	for w := 0; w <= last/64; w++ {
		word := h.words[w]
		if w == last/64 && last%64 != 63 {
			word &= 1<<(last%64+1) - 1
		}
		n += bits.OnesCount64(word)
	}
	return last - n
}

// NextMissing is the smallest number in from…last that is not held, or 0.
func (h *SeqSet) NextMissing(from, last int) int {
	for seq := max(1, from); seq <= last && seq <= MaxPerBlock; seq++ {
		if !h.Has(seq) {
			return seq
		}
	}
	return 0
}

// List is the numbers held, in order.
func (h *SeqSet) List() []int {
	out := make([]int, 0, h.count)
	for seq := 1; seq <= MaxPerBlock; seq++ {
		if h.Has(seq) {
			out = append(out, seq)
		}
	}
	return out
}

// Last is the greatest number held, or 0.
func (h *SeqSet) Last() int {
	for w := len(h.words) - 1; w >= 0; w-- {
		if h.words[w] != 0 {
			return w*64 + 63 - bits.LeadingZeros64(h.words[w])
		}
	}
	return 0
}

// Block is one stored block: where it stands, which sequences of it are held
// and how long each is. The payload is the held sequences one after the other,
// so a complete block is exactly its bytes of the file.
type Block struct {
	Number   int64
	Offset   int64    // of its first byte in the wire bytes
	Lengths  []uint16 // per sequence, index seq-1; counts only where Held has the sequence
	Held     SeqSet
	Payload  []byte
	Checksum uint32 // CRC-32C of Payload
}
