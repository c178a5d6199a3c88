package transfer

// Geometry says how wire bytes are cut: DataSize bytes per telegram (L), all
// but the last full, and PerBlock telegrams per block. Blocks and sequences
// count from 1 and the sequence restarts in each block (protocols §1.5).
//
// Where the first or the last telegram is a part of its own (the header and
// the trailer of profiles that sort the parts of a file), Head and Tail are its
// bytes: the telegrams between them are cut as said, so the last of those may
// be short.
type Geometry struct {
	DataSize int
	PerBlock int
	Head     int // bytes of a first telegram of its own, 0 = none
	Tail     int // bytes of a last telegram of its own, 0 = none
}

// Position is one telegram's place.
type Position struct {
	Block int64
	Seq   int
}

// BlockBytes is the size of a full block; one with a head may be smaller or
// larger.
func (g Geometry) BlockBytes() int64 { return int64(g.DataSize) * int64(g.PerBlock) }

// At is the position of the telegram that starts at or contains offset, of a
// file of the given size.
func (g Geometry) At(offset, size int64) Position { return g.position(g.index(offset, size)) }

// Offset is where the telegram at p starts, of a file of the given size.
func (g Geometry) Offset(p Position, size int64) int64 {
	return g.start((p.Block-1)*int64(g.PerBlock)+int64(p.Seq-1), size)
}

// Starts reports that a telegram of a file of the given size starts at offset,
// or that the file ends there.
func (g Geometry) Starts(offset, size int64) bool {
	return offset == size || offset >= 0 && offset < size && g.start(g.index(offset, size), size) == offset
}

// Blocks is how many blocks size bytes make; 0 for an empty file.
func (g Geometry) Blocks(size int64) int64 {
	return (g.Sequences(size) + int64(g.PerBlock) - 1) / int64(g.PerBlock)
}

// Sequences is how many telegrams size bytes make; 0 for an empty file.
func (g Geometry) Sequences(size int64) int64 {
	l, own := int64(g.DataSize), int64(0)
	for _, part := range [2]int{g.Head, g.Tail} {
		if part > 0 {
			own++
			size -= int64(part)
		}
	}
	return own + (max(0, size)+l-1)/l
}

// BlockRange is where a block of a file of the given size starts, how many
// bytes it has, and its last sequence number. It has no bytes past the end.
func (g Geometry) BlockRange(block, size int64) (offset, length int64, last int) {
	from := (block - 1) * int64(g.PerBlock)
	to := max(from, min(from+int64(g.PerBlock), g.Sequences(size)))
	offset = g.start(from, size)
	return offset, g.start(to, size) - offset, int(to - from)
}

// Block is the geometry of one block of a file of the given size, as if the
// block were the file.
func (g Geometry) Block(block, size int64) Geometry {
	of := g
	if block > 1 {
		of.Head = 0
	}
	if block < g.Blocks(size) {
		of.Tail = 0
	}
	return of
}

// Fits reports that a block of a file whose size is not known yet may start at
// offset.
func (g Geometry) Fits(block, offset int64) bool {
	full := g.full((block - 1) * int64(g.PerBlock))
	// The short telegram before the tail may be the last of the block before.
	return offset == full || g.Tail > 0 && block > 1 && offset < full && offset > full-int64(g.DataSize)
}

// MostSequence is how many bytes a telegram has at most.
func (g Geometry) MostSequence() int { return max(g.DataSize, g.Head, g.Tail) }

func (g Geometry) position(index int64) Position {
	per := int64(g.PerBlock)
	return Position{Block: index/per + 1, Seq: int(index%per) + 1}
}

// index of the telegram, from 0, that contains offset.
func (g Geometry) index(offset, size int64) int64 {
	switch head := int64(g.Head); {
	case g.Tail > 0 && size > 0 && offset >= size-int64(g.Tail):
		return g.Sequences(size) - 1 + (offset-size+int64(g.Tail))/int64(g.Tail)
	case head > 0 && offset < head:
		return 0
	case head > 0:
		return (offset-head)/int64(g.DataSize) + 1
	}
	return offset / int64(g.DataSize)
}

// start is where the telegram of an index begins; of one after the last, where
// the file ends.
func (g Geometry) start(index, size int64) int64 {
	if g.Head == 0 && g.Tail == 0 { // asked for every telegram: no division
		return min(g.full(index), size)
	}
	switch n := g.Sequences(size); {
	case index >= n:
		return size
	case g.Tail > 0 && index == n-1:
		return size - int64(g.Tail)
	}
	return g.full(index)
}

// full is start where all telegrams before it are full.
func (g Geometry) full(index int64) int64 {
	at := index * int64(g.DataSize)
	if g.Head > 0 && index > 0 {
		at += int64(g.Head - g.DataSize)
	}
	return at
}
