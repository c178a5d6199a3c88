package store

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"slices"
	"time"

	"pabal/internal/fault"
	"pabal/transfer"
)

// castagnoli is CRC-32C, which processors compute in hardware.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// blockRow is a block as it is stored: everything but the transfer it is of.
type blockRow struct {
	block    *transfer.Block
	lengths  []byte
	stored   []byte // the payload, sealed if there is a key
	key      string // its name, "" for none
	checksum uint32 // of stored
}

// packBlocks prepares blocks before the writer's turn, and says about how
// many bytes they are.
func (s *sealer) packBlocks(id string, blocks []transfer.Block) (rows []blockRow, payload int64, err error) {
	if len(blocks) == 0 {
		return nil, 0, nil
	}
	rows = make([]blockRow, len(blocks))
	for i := range blocks {
		b := &blocks[i]
		if inFile(b) {
			if rows[i].lengths, err = packLengths(id, b); err != nil {
				return nil, 0, err
			}
			rows[i].block, rows[i].checksum = b, b.Checksum
			continue
		}
		// A block that came with its checksum is compared, so that damage on
		// the way here is found now and not when it is read.
		var sum uint32
		if b.Checksum != 0 || s.write == nil {
			sum = crc32.Checksum(b.Payload, castagnoli)
		}
		if b.Checksum != 0 && b.Checksum != sum {
			return nil, 0, invalid(id, b, "checksum")
		}
		lengths, err := packLengths(id, b)
		if err != nil {
			return nil, 0, err
		}
		r := blockRow{block: b, lengths: lengths, checksum: sum}
		if r.stored, r.key = s.seal(id, b, lengths); r.key != "" {
			r.checksum = crc32.Checksum(r.stored, castagnoli)
		}
		rows[i] = r
		payload += int64(len(r.stored))
	}
	return rows, payload, nil
}

func invalid(id string, b *transfer.Block, what string) error {
	return fault.New(CodeBlockInvalid, id, "block", b.Number, "field", what)
}

// packLengths makes two bytes of each sequence, high byte first: the length
// plus one, or 0 if it is missing.
func packLengths(id string, b *transfer.Block) ([]byte, error) {
	if len(b.Lengths) > transfer.MaxPerBlock || b.Held.Last() > len(b.Lengths) {
		return nil, invalid(id, b, "lengths")
	}
	packed := make([]byte, 2*len(b.Lengths))
	for i, l := range b.Lengths {
		if !b.Held.Has(i + 1) {
			continue
		}
		if l == math.MaxUint16 {
			return nil, invalid(id, b, "lengths")
		}
		binary.BigEndian.PutUint16(packed[2*i:], l+1)
	}
	return packed, nil
}

// unpackLengths undoes packLengths.
func unpackLengths(packed []byte) (lengths []uint16, held transfer.SeqSet) {
	lengths = make([]uint16, len(packed)/2)
	for i := range lengths {
		if v := binary.BigEndian.Uint16(packed[2*i:]); v > 0 {
			lengths[i] = v - 1
			held.Add(i + 1)
		}
	}
	return lengths, held
}

// checkPlace refuses a block whose lengths do not account for its payload, or
// that does not stand where the transfer's geometry puts it. A file that is
// received has no geometry of ours: its blocks follow one another, as long as
// the peer made them.
func checkPlace(t *transfer.Transfer, b *transfer.Block) error {
	g := t.Geometry()
	switch {
	case b.Number < 1:
		return invalid(t.ID, b, "number")
	case b.Offset < 0 || g.DataSize > 0 && g.PerBlock > 0 && !g.Fits(b.Number, b.Offset):
		return invalid(t.ID, b, "offset")
	case g.PerBlock <= 0 || len(b.Lengths) > g.PerBlock:
		return invalid(t.ID, b, "lengths")
	}
	var total int64
	for i, l := range b.Lengths {
		if !b.Held.Has(i + 1) {
			continue
		}
		if g.DataSize > 0 && int(l) > g.MostSequence() {
			return invalid(t.ID, b, "lengths")
		}
		total += int64(l)
	}
	// Payload that is not here is in the file, if there is one.
	if total != int64(len(b.Payload)) && (b.Payload != nil || t.PayloadIn == "") {
		return invalid(t.ID, b, "payload")
	}
	return nil
}

// putBlocks stores blocks of one transfer, see putAll.
func (t *tx) putBlocks(now time.Time, row *transfer.Transfer, blocks []blockRow) error {
	all := make([]blockOf, len(blocks))
	for n := range blocks {
		if err := checkPlace(row, blocks[n].block); err != nil {
			return err
		}
		all[n] = blockOf{row, &blocks[n]}
	}
	return t.putAll(now, all)
}

// blockOf is a block and the transfer that it is of.
type blockOf struct {
	of  *transfer.Transfer
	row *blockRow
}

// putAll stores blocks by number, several with one statement. What the number had
// before is replaced, so a block that grew, or came twice, needs no question.
func (t *tx) putAll(now time.Time, blocks []blockOf) error {
	for len(blocks) > 0 {
		some, size := blocks[:1], len(blocks[0].row.stored)
		for len(some) < min(len(blockInserts), len(blocks)) && !holdsBlock(some, blocks[len(some)]) {
			if size += len(blocks[len(some)].row.stored); size > mostTogether {
				break
			}
			some = blocks[:len(some)+1]
		}
		blocks = blocks[len(some):]
		var args []any
		for _, b := range some {
			if len(b.row.block.Payload) > 0 && b.of.PayloadIn != "" {
				return invalid(b.of.ID, b.row.block, "payload")
			}
			payload := b.row.stored
			if payload == nil {
				payload = []byte{} // nil would be NULL
			}
			args = append(args, b.of.ID, b.row.block.Number, b.row.block.Offset, heldBytes(b.row.block), int64(b.row.checksum),
				b.row.lengths, toMicros(now), payload, b.row.key)
		}
		if err := t.later(blockInserts[len(some)-1], args...); err != nil {
			return err
		}
	}
	return nil
}

// holdsBlock says that a statement that stores some would store this one twice,
// which PostgreSQL refuses.
func holdsBlock(some []blockOf, b blockOf) bool {
	return slices.ContainsFunc(some, func(o blockOf) bool { return o.of.ID == b.of.ID && o.row.block.Number == b.row.block.Number })
}

// mostTogether is how many bytes of payload one statement has. Whoever encodes
// a statement holds all of it once more: for the large blocks of a large file
// that memory is worth more than the round trip.
const mostTogether = 512 << 10

// blockInserts store 1, 2, 3 … blocks. Payload comes after what is read without
// it: SQLite gets at the columns before it without walking its pages.
var blockInserts = blockTexts(8)

func blockTexts(count int) []string {
	texts := insertTexts("blocks", []string{"transfer_id", "number", "byte_offset", "length", "checksum", "lengths", "stored_at", "payload", "key_id"}, count)
	for n := range texts {
		texts[n] += ` ON CONFLICT (transfer_id, number) DO UPDATE SET byte_offset = excluded.byte_offset, length = excluded.length, checksum = excluded.checksum,
			lengths = excluded.lengths, stored_at = excluded.stored_at, payload = excluded.payload, key_id = excluded.key_id`
	}
	return texts
}

// run follows sequences in order and knows how far they go without a gap.
type run struct {
	last    transfer.Position // number and sequences of the block before
	size    int64             // bytes from 0 without a gap
	blocks  int64
	held    int64             // sequences, also after a gap
	stopped bool              // one that is missing was met
	at      transfer.Position // the first that is missing
	gap     bool              // something is held after it
}

// add takes the next block and returns how many bytes from its start belong
// to the run.
func (r *run) add(number, offset int64, packed []byte) (bytes int64) {
	r.blocks++
	if number > r.last.Block+1 {
		r.stop(r.last.Block+1, 1)
	} else if offset != r.size {
		r.stop(r.last.Block, int64(r.last.Seq)+1)
	}
	r.last = transfer.Position{Block: number, Seq: len(packed) / 2}
	for i := 0; 2*i+1 < len(packed); i++ {
		v := int64(binary.BigEndian.Uint16(packed[2*i:]))
		if v == 0 {
			r.stop(number, int64(i)+1)
			continue
		}
		r.held++
		if r.stopped {
			r.gap = true
			continue
		}
		r.size += v - 1
		bytes += v - 1
	}
	return bytes
}

func (r *run) stop(block, seq int64) {
	if !r.stopped {
		r.stopped, r.at = true, transfer.Position{Block: block, Seq: int(seq)}
	}
}

// prefix is how many bytes from a block's start are held without a gap, and
// the first sequence that is not. Payload is the held sequences one behind the
// other, so the prefix is where wire offset and place in the row agree.
func prefix(packed []byte) (bytes, missing int64) {
	for i := 0; 2*i+1 < len(packed); i++ {
		v := int64(binary.BigEndian.Uint16(packed[2*i:]))
		if v == 0 {
			return bytes, int64(i) + 1
		}
		bytes += v - 1
	}
	return bytes, int64(len(packed)/2) + 1
}
