package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"hash/crc32"
	"time"

	"pabal/internal/fault"
	"pabal/transfer"
)

// This file is the payload keeper "database" (design D3): blocks are rows, and
// payload passes the database once in and once out. The keeper "files" is in
// files.go; what both share is here.

const (
	// wholeRows is from how many bytes on a read takes whole rows and checks
	// them. A smaller one takes the piece alone, or each telegram of a block
	// would cost the block.
	wholeRows = 64 << 10
	// dropStep is how many blocks are deleted in one transaction, and
	// verifyStep how many are read with one query: a query that is open keeps
	// the write-ahead log from being used again.
	dropStep   = 10
	verifyStep = 16
)

// PutBlocks stores blocks by number and returns when they are durable. It is
// Change with the payload in the foreground; f may be nil.
func (s *Store) PutBlocks(ctx context.Context, now time.Time, ref transfer.Ref, blocks []transfer.Block, f func(*transfer.Transfer) error) (*transfer.Transfer, error) {
	return s.ChangeAlso(ctx, now, ref, f, Also{Blocks: blocks})
}

// The two texts give, for each block that overlaps $2 ≤ byte < $3, where the
// piece starts in the wire bytes, and the piece: the whole payload, or what is
// wanted of it. How long the stored payload is says whether it is sealed, which
// one who reads without keys must not overlook.
const (
	readWhole = `SELECT b.number, b.byte_offset, b.length, b.checksum, b.lengths, length(b.payload), b.byte_offset, b.payload, b.key_id ` + readFrom
	readPiece = `SELECT b.number, b.byte_offset, b.length, b.checksum, b.lengths, length(b.payload),
		CASE WHEN b.byte_offset < $2 THEN $2 ELSE b.byte_offset END,
		substr(b.payload, CAST(CASE WHEN b.byte_offset < $2 THEN $2 - b.byte_offset + 1 ELSE 1 END AS INTEGER),
			CAST($3 - CASE WHEN b.byte_offset < $2 THEN $2 ELSE b.byte_offset END AS INTEGER)), '' ` + readFrom
	readFrom = `FROM blocks b WHERE b.transfer_id = $1 AND b.byte_offset < $3 AND b.byte_offset >=
		COALESCE((SELECT max(c.byte_offset) FROM blocks c WHERE c.transfer_id = $1 AND c.byte_offset <= $2), 0)`
	readOrder = ` ORDER BY b.byte_offset`
	// readHeld finds nothing when the transfer is not its holder's any more.
	readHeld = ` AND EXISTS (SELECT 1 FROM transfers t WHERE t.id = $1 AND t.owner = $4 AND t.term = $5 AND t.attempt = $6
		AND NOT EXISTS (SELECT 1 FROM instances i WHERE i.id = $4 AND i.term > $5))`
)

// ReadRange reads length wire bytes from offset on, across blocks, into dst's
// array if it has room. From 64 KiB on, and always where payload is sealed or in
// a file, blocks are read whole and their checksums compared: a session reads
// block by block.
// Errors: CodeBlockMissing and CodeBlockDamaged, args block (and seq), when a
// part is not held or a row is not what was written; CodeKeyMissing and
// CodeBlockForeign when its seal cannot be opened.
func (s *Store) ReadRange(ctx context.Context, id string, offset, length int64, dst []byte) ([]byte, error) {
	t, err := s.located(ctx, id)
	if err != nil {
		return nil, err
	}
	return s.readRange(ctx, t, "", []any{id, offset, offset + length}, dst)
}

// ReadHeld is ReadRange for the holder of a transfer, whose row need not be
// read. It fails with CodeFenced when the transfer is not the holder's any more.
func (s *Store) ReadHeld(ctx context.Context, t *transfer.Transfer, offset, length int64, dst []byte) ([]byte, error) {
	ref := t.Ref()
	at, err := s.locatedHeld(ctx, t)
	if err != nil {
		return nil, err
	}
	if length > 0 {
		dst, err = s.readRange(ctx, at, readHeld, []any{ref.ID, offset, offset + length, ref.Owner, ref.Term, ref.Attempt}, dst)
		if err == nil || fault.CodeOf(err) != CodeBlockMissing {
			return dst, err
		}
	}
	held, herr := s.Holds(ctx, ref) // nothing is read of what somebody else holds
	switch {
	case herr != nil:
		return nil, herr
	case !held:
		return nil, fault.New(CodeFenced, ref.ID)
	}
	return dst[:0], err
}

// readRange reads with args id, first offset, the one behind the last, and those
// of the condition also.
func (s *Store) readRange(ctx context.Context, t *transfer.Transfer, also string, args []any, dst []byte) ([]byte, error) {
	id := t.ID
	offset, end := args[1].(int64), args[2].(int64)
	length := end - offset
	dst = dst[:0]
	if length <= 0 {
		return dst, nil
	}
	if t.PayloadIn != "" {
		return s.readFile(ctx, t, also, args, dst)
	}
	whole := length >= wholeRows || s.sealer.write != nil
	text := readPiece
	if whole {
		text = readWhole
	}
	rows, err := s.query(ctx, text+also+readOrder, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	if int64(cap(dst)) < length {
		dst = make([]byte, 0, length)
	}
	var number, start, size, checksum, stored, pieceAt int64
	var lengths, piece sql.RawBytes // until the next row
	var key string
	at := offset
	for at < end && rows.Next() {
		if err := rows.Scan(&number, &start, &size, &checksum, &lengths, &stored, &pieceAt, &piece, &key); err != nil {
			return nil, s.engine.translate(err)
		}
		if size == 0 {
			continue
		}
		if start > at {
			return nil, missing(id, number-1, 1)
		}
		if whole && crc32.Checksum(piece, castagnoli) != uint32(checksum) {
			return nil, fault.New(CodeBlockDamaged, id, "block", number)
		}
		run, seq := prefix(lengths)
		to := min(end, start+size)
		if to <= at || to-start > run {
			return nil, missing(id, number, seq)
		}
		switch {
		case key != "":
			dst, err = s.openPart(dst, id, key, number, start, lengths, piece, at-start, to-start)
			if err != nil {
				return nil, err
			}
		case stored > size: // sealed since this store was opened without keys
			return nil, s.keyMissing(ctx, id, number)
		case stored < size || int64(len(piece)) < to-pieceAt:
			return nil, fault.New(CodeBlockDamaged, id, "block", number)
		default:
			dst = append(dst, piece[at-pieceAt:to-pieceAt]...)
		}
		at = to
	}
	if err := rows.Err(); err != nil {
		return nil, s.engine.translate(err)
	}
	if at < end {
		return nil, s.missingAt(ctx, id, at)
	}
	return dst, nil
}

// openPart appends bytes from…to of a sealed block to dst.
func (s *Store) openPart(dst []byte, id, key string, number, start int64, lengths, stored []byte, from, to int64) ([]byte, error) {
	buf := s.sealer.borrow()
	defer s.sealer.restore(buf)
	plain, err := s.sealer.openInto((*buf)[:0], id, key, number, start, lengths, stored)
	if err != nil {
		return nil, err
	}
	*buf = plain
	if int64(len(plain)) < to {
		return nil, fault.New(CodeBlockDamaged, id, "block", number)
	}
	return append(dst, plain[from:to]...), nil
}

// keyMissing names the key of a block that turned out to be sealed.
func (s *Store) keyMissing(ctx context.Context, id string, number int64) error {
	var key string
	ok, err := s.scan(ctx, []any{&key}, `SELECT key_id FROM blocks WHERE transfer_id = $1 AND number = $2`, id, number)
	switch {
	case err != nil:
		return err
	case !ok || key == "":
		return fault.New(CodeBlockDamaged, id, "block", number)
	}
	return fault.New(CodeKeyMissing, id, "key", key)
}

func missing(id string, block, seq int64) error {
	return fault.New(CodeBlockMissing, id, "block", block, "seq", seq)
}

// missingAt names the place where nothing is held, which needs the geometry.
func (s *Store) missingAt(ctx context.Context, id string, offset int64) error {
	t, err := s.Transfer(ctx, id)
	if err != nil {
		return err
	}
	if t.DataSize <= 0 || t.PerBlock <= 0 {
		return missing(id, 1, 1)
	}
	p := t.Geometry().At(offset, t.WireSize)
	return missing(id, p.Block, int64(p.Seq))
}

// BlockInfo is a stored block without its payload.
type BlockInfo struct {
	Number   int64
	Offset   int64 // of its first byte in the wire bytes
	Size     int64 // bytes of payload
	Lengths  []uint16
	Held     transfer.SeqSet
	Checksum uint32
	StoredAt time.Time
}

// BlockInfos reads what is held of a transfer, by number.
func (s *Store) BlockInfos(ctx context.Context, id string) ([]BlockInfo, error) {
	rows, err := s.query(ctx, `SELECT number, byte_offset, length, lengths, checksum, stored_at
		FROM blocks WHERE transfer_id = $1 ORDER BY number`, id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []BlockInfo
	for rows.Next() {
		var b BlockInfo
		var packed sql.RawBytes
		if err := rows.Scan(&b.Number, &b.Offset, &b.Size, &packed, &b.Checksum, micros{&b.StoredAt}); err != nil {
			return nil, s.engine.translate(err)
		}
		b.Lengths, b.Held = unpackLengths(packed)
		all = append(all, b)
	}
	return all, s.engine.translate(rows.Err())
}

// Contiguous is how many wire bytes are held from 0 without a gap, to the
// telegram.
func (s *Store) Contiguous(ctx context.Context, id string) (int64, error) {
	rows, err := s.query(ctx, `SELECT number, byte_offset, lengths
		FROM blocks WHERE transfer_id = $1 ORDER BY number`, id)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	var r run
	var number, start int64
	var packed sql.RawBytes
	for !r.stopped && rows.Next() {
		if err := rows.Scan(&number, &start, &packed); err != nil {
			return 0, s.engine.translate(err)
		}
		r.add(number, start, packed)
	}
	return r.size, s.engine.translate(rows.Err())
}

// Verified is what is really in the rows of a transfer.
type Verified struct {
	Size       int64  // wire bytes from 0 without a gap
	SHA256     string // of those bytes, in hex
	Blocks     int64
	Sequences  int64             // held, also after a gap
	Continuous bool              // nothing is held after a gap
	Gap        transfer.Position // the first that is missing, if not Continuous
}

// Verify reads all payload of a transfer back, compares every checksum and
// hashes the bytes in order, in constant memory. It is what a positive end
// rests on (design D2). Errors: CodeBlockDamaged (arg block), CodeBlockMissing
// when the file that has it is gone, CodeNotFound.
func (s *Store) Verify(ctx context.Context, id string) (Verified, error) {
	t, err := s.Transfer(ctx, id)
	if err != nil {
		return Verified{}, err
	}
	var r run
	sum := sha256.New()
	err = s.everyBlock(ctx, t, func(number, start int64, lengths, payload []byte) error {
		bytes := r.add(number, start, lengths)
		if bytes > int64(len(payload)) {
			return fault.New(CodeBlockDamaged, id, "block", number)
		}
		sum.Write(payload[:bytes])
		return nil
	})
	if err != nil {
		return Verified{}, err
	}
	v := Verified{Size: r.size, SHA256: hex.EncodeToString(sum.Sum(nil)), Blocks: r.blocks, Sequences: r.held, Continuous: !r.gap}
	if r.gap {
		v.Gap = r.at
	}
	return v, nil
}

// Payload hands the wire bytes of a transfer to emit, in order, block by block,
// each compared with its checksum; emit must not keep them. What is held after
// a gap is CodeBlockMissing, args block and seq. Other errors: emit's own, and
// those of ReadRange.
func (s *Store) Payload(ctx context.Context, id string, emit func([]byte) error) error {
	t, err := s.located(ctx, id)
	if err != nil {
		return err
	}
	return s.payload(ctx, t, func(_, payload []byte) error { return emit(payload) })
}

// Telegrams is Payload telegram by telegram, as they travelled.
func (s *Store) Telegrams(ctx context.Context, id string, emit func([]byte) error) error {
	t, err := s.located(ctx, id)
	if err != nil {
		return err
	}
	return s.payload(ctx, t, func(packed, payload []byte) error {
		lengths, _ := unpackLengths(packed)
		for _, n := range lengths {
			if err := emit(payload[:n:n]); err != nil {
				return err
			}
			payload = payload[n:]
		}
		return nil
	})
}

// PayloadHeld is Payload for the holder of a transfer, whose row need not be read.
func (s *Store) PayloadHeld(ctx context.Context, t *transfer.Transfer, emit func([]byte) error) error {
	t, err := s.locatedHeld(ctx, t)
	if err != nil {
		return err
	}
	return s.payload(ctx, t, func(_, payload []byte) error { return emit(payload) })
}

func (s *Store) payload(ctx context.Context, t *transfer.Transfer, emit func(packed, payload []byte) error) error {
	id := t.ID
	var r run
	return s.everyBlock(ctx, t, func(number, start int64, lengths, payload []byte) error {
		bytes := r.add(number, start, lengths)
		if r.stopped {
			return missing(id, r.at.Block, int64(r.at.Seq))
		}
		if bytes > int64(len(payload)) {
			return fault.New(CodeBlockDamaged, id, "block", number)
		}
		return emit(lengths, payload[:bytes])
	})
}

// everyBlock reads all blocks by number, whole and checked.
func (s *Store) everyBlock(ctx context.Context, t *transfer.Transfer, f func(number, start int64, lengths, payload []byte) error) error {
	some := s.eachBlock
	if t.PayloadIn != "" {
		some = s.eachInFile
	}
	for after := int64(0); ; {
		n := 0
		err := some(ctx, t, after, func(number, start int64, lengths, payload []byte) error {
			n, after = n+1, number
			return f(number, start, lengths, payload)
		})
		if err != nil || n < verifyStep {
			return s.engine.translate(err)
		}
	}
}

// eachBlock reads the next few blocks after a number, whole and checked.
func (s *Store) eachBlock(ctx context.Context, t *transfer.Transfer, after int64, f func(number, start int64, lengths, payload []byte) error) error {
	rows, err := s.query(ctx, `SELECT number, byte_offset, checksum, lengths, payload, key_id
		FROM blocks WHERE transfer_id = $1 AND number > $2 ORDER BY number LIMIT $3`, t.ID, after, verifyStep)
	if err != nil {
		return err
	}
	defer rows.Close()
	buf := s.sealer.borrow()
	defer s.sealer.restore(buf)
	var number, start, checksum int64
	var lengths, payload sql.RawBytes
	var key string
	for rows.Next() {
		if err := rows.Scan(&number, &start, &checksum, &lengths, &payload, &key); err != nil {
			return err
		}
		if crc32.Checksum(payload, castagnoli) != uint32(checksum) {
			return fault.New(CodeBlockDamaged, t.ID, "block", number)
		}
		if key != "" {
			plain, err := s.sealer.openInto((*buf)[:0], t.ID, key, number, start, lengths, payload)
			if err != nil {
				return err
			}
			*buf, payload = plain, plain
		}
		if err := f(number, start, lengths, payload); err != nil {
			return err
		}
	}
	return rows.Err()
}

// DropBlocks deletes the blocks from a number on, the last first, in small
// steps each of which the holder must still hold. After a crash in between a
// run from the start is left.
func (s *Store) DropBlocks(ctx context.Context, now time.Time, ref transfer.Ref, fromNumber int64) error {
	for {
		n := int64(0)
		err := s.write(ctx, groupPayload, func(tx *tx) error {
			if _, err := tx.touch(now, ref); err != nil {
				return err
			}
			var err error
			n, err = tx.deleteBlocks(ref.ID, fromNumber)
			return err
		})
		if err != nil || n < dropStep {
			return err
		}
	}
}

func (t *tx) deleteBlocks(id string, from int64) (int64, error) {
	return t.exec(`DELETE FROM blocks WHERE transfer_id = $1 AND number IN (
		SELECT number FROM blocks WHERE transfer_id = $1 AND number >= $2 ORDER BY number DESC LIMIT $3)`,
		id, from, dropStep)
}
