package transfer

// Geometry says how wire bytes are cut: DataSize bytes per telegram (L), all
// but the last full, and PerBlock telegrams per block. Blocks and sequences
// count from 1 and the sequence restarts in each block (protocols §1.5).
type Geometry struct {
	DataSize int
	PerBlock int
}

// Position is one telegram's place.
type Position struct {
	Block int64
	Seq   int
}

// BlockBytes is the size of a full block.
func (g Geometry) BlockBytes() int64 { return int64(g.DataSize) * int64(g.PerBlock) }

// At is the position of the telegram that starts at or contains offset.
func (g Geometry) At(offset int64) Position {
	bb := g.BlockBytes()
	return Position{Block: offset/bb + 1, Seq: int(offset%bb/int64(g.DataSize)) + 1}
}

// Offset is where the telegram at p starts.
func (g Geometry) Offset(p Position) int64 {
	return (p.Block-1)*g.BlockBytes() + int64(p.Seq-1)*int64(g.DataSize)
}

// Blocks is how many blocks size bytes make; 0 for an empty file.
func (g Geometry) Blocks(size int64) int64 {
	bb := g.BlockBytes()
	return (size + bb - 1) / bb
}

// Sequences is how many telegrams size bytes make; 0 for an empty file.
func (g Geometry) Sequences(size int64) int64 {
	l := int64(g.DataSize)
	return (size + l - 1) / l
}

// BlockRange is where a block of a file of the given size starts, how many
// bytes it has, and its last sequence number. It has no bytes past the end.
func (g Geometry) BlockRange(block, size int64) (offset, length int64, last int) {
	offset = (block - 1) * g.BlockBytes()
	length = max(0, min(g.BlockBytes(), size-offset))
	return offset, length, int((length + int64(g.DataSize) - 1) / int64(g.DataSize))
}
