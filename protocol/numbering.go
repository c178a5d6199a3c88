package protocol

import "pabal/transfer"

// Numbering is how blocks and sequences are counted on the wire. The machines
// count both from 1, sequences anew in each block.
type Numbering struct {
	FirstBlock    int64
	FirstSequence int64
	Running       bool // sequences go on through all blocks
	None          bool // data telegrams have no numbers: they count as they come
}

// Place is the block and the sequence that a telegram names, both from 1. A
// sequence of 0 or less is none. Where telegrams of a kind name no block, the
// running sequence says which it is.
func (p *Profile) Place(t *Telegram) (block int64, sequence int) {
	n := &p.Files.Numbering
	block = t.numbers[Block] - n.FirstBlock + 1
	at := t.numbers[Sequence] - n.FirstSequence + 1
	if n.Running {
		per := int64(p.Files.PerBlock)
		if !p.Carries(t.Kind, Block) {
			block = max(1, (at+per-1)/per)
		}
		at -= (block - 1) * per
	}
	return block, int(max(-1, min(at, transfer.MaxPerBlock+1)))
}

// SetPlace has a telegram name a block and a sequence, both from 1; sequence 0
// is none.
func (p *Profile) SetPlace(t *Telegram, block int64, sequence int) {
	b, s := p.onWire(block, sequence)
	t.SetNumber(Block, b)
	t.SetNumber(Sequence, s)
}

func (p *Profile) onWire(block int64, sequence int) (b, s int64) {
	n := &p.Files.Numbering
	s = int64(sequence) - 1 + n.FirstSequence
	if n.Running {
		s += (block - 1) * int64(p.Files.PerBlock)
	}
	return block - 1 + n.FirstBlock, s
}

// SetMap has the answer to a check say what is missing of the sequences 1 to
// last of a block: how many, and which.
func (p *Profile) SetMap(t *Telegram, block int64, last, missing int, held func(sequence int) bool) {
	t.SetNumber(Missing, int64(missing))
	if p.Files.MapNumbers {
		t.SetRaw(Map, p.missingNumbers(block, last, held))
		return
	}
	width := last
	if w := p.Files.MapWidth; w > 0 {
		width = w
	}
	m := make([]byte, width)
	for i := range m {
		switch {
		case i >= last:
			m[i] = p.Letters.Pad
		case held(i + 1):
			m[i] = p.Letters.Held
		default:
			m[i] = p.Letters.Missing
		}
	}
	t.Set(Map, m)
}

// missingNumbers is a map that lists the missing sequences, each as wide as
// the row of the sequence.
func (p *Profile) missingNumbers(block int64, last int, held func(int) bool) []byte {
	num, width := p.sequenceRow()
	out := []byte{}
	for seq := 1; seq <= last; seq++ {
		if !held(seq) {
			at := len(out)
			out = append(out, make([]byte, width)...)
			_, wire := p.onWire(block, seq)
			if !num.put(out[at:], wire) {
				return out[:at]
			}
		}
	}
	return out
}

// sequenceRow is how a sequence stands in the answer to a check.
func (p *Profile) sequenceRow() (number, int) {
	for _, pl := range p.layouts[CheckReply].places {
		if pl.field == Sequence {
			return pl.num, pl.width
		}
	}
	return number{}, 0
}

// Missing reads the answer to a check of the sequences 1 to last of a block
// into missing (§4.4, §4.10). With the count 000 nothing is missing among those
// that the answer itself names; what comes after them is. Otherwise the map
// rules, and what it does not reach is missing.
func (p *Profile) Missing(t *Telegram, block int64, last int, missing *transfer.SeqSet) {
	_, answered := p.Place(t)
	clean := t.numbers[Missing] == 0
	m := t.texts[Map-numNumbers]
	held := func(seq int) bool { return seq <= len(m) && m[seq-1] == p.heldWire }
	if p.Files.MapNumbers && !clean {
		held = p.heldByNumbers(m, block, int(t.numbers[Missing]))
	}
	missing.Reset()
	for seq := 1; seq <= last; seq++ {
		if seq > answered || !clean && !held(seq) {
			missing.Add(seq)
		}
	}
}

// heldByNumbers reads a list of missing sequences. Of one that says less than
// its count nothing is believed.
func (p *Profile) heldByNumbers(m []byte, block int64, count int) func(int) bool {
	num, width := p.sequenceRow()
	var missing transfer.SeqSet
	none := func(int) bool { return false }
	if width == 0 || len(m) < count*width {
		return none
	}
	for n := range count {
		v, ok := num.parse(m[n*width:(n+1)*width], p.charset.space())
		_, first := p.onWire(block, 1)
		seq := v - first + 1
		if !ok || seq < 1 || seq > int64(p.Files.PerBlock) {
			return none
		}
		missing.Add(int(seq))
	}
	return func(seq int) bool { return !missing.Has(seq) }
}
