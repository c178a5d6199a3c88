package store

import (
	"context"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"pabal/internal/fault"
	"pabal/internal/place"
	"pabal/transfer"
)

// This file is the payload keeper "files" (design D3). Rows hold everything of
// a block but its payload, which stands at the block's offset in a file: one
// that is kept for it, or the work file itself (transfer.PayloadIn). Which
// keeper a transfer has is said by its row, so both can be at work in one
// database, and nobody who puts or reads has to know.
//
// What a crash leaves, step by step:
//
//	file made           a file without blocks; the first block empties it
//	payload written     bytes that no row speaks of
//	payload synced      the same
//	name synced         the same
//	row committed       the block is held
//
// A block that comes again is written over itself. A crash in that leaves
// bytes whose checksum is not the row's: Recheck, with which every resume
// begins, makes the block missing again.

// files is what the keeper shares between transfers.
type files struct{ dirs place.Dirs }

// inFile reports a block whose payload is in the transfer's file already.
func inFile(b *transfer.Block) bool { return b.Payload == nil && heldBytes(b) > 0 }

func withPayload(blocks []transfer.Block) bool {
	return slices.ContainsFunc(blocks, func(b transfer.Block) bool { return b.Payload != nil })
}

// heldBytes is how many bytes the held sequences of a block have.
func heldBytes(b *transfer.Block) (n int64) {
	for i, l := range b.Lengths {
		if b.Held.Has(i + 1) {
			n += int64(l)
		}
	}
	return n
}

// keep writes the payload of blocks to the transfer's file, if it has one, and
// returns the blocks without it when it is durable. t is as the holder of ref
// knows it.
func (s *Store) keep(ctx context.Context, t *transfer.Transfer, ref transfer.Ref, blocks []transfer.Block) ([]transfer.Block, error) {
	if t.PayloadIn == "" || !withPayload(blocks) {
		return blocks, nil
	}
	kept := slices.Clone(blocks)
	for i := range kept {
		b := &kept[i]
		if t.PayloadIn == transfer.InFile { // somebody else's file is not written to
			return nil, invalid(t.ID, b, "payload")
		}
		if err := checkPlace(t, b); err != nil {
			return nil, err
		}
		sum := crc32.Checksum(b.Payload, castagnoli)
		if b.Checksum != 0 && b.Checksum != sum {
			return nil, invalid(t.ID, b, "checksum")
		}
		b.Checksum = sum
	}
	if err := s.writeFile(ctx, t, ref, kept); err != nil {
		return nil, err
	}
	for i := range kept {
		kept[i].Payload = nil
	}
	return kept, nil
}

// writeFile returns when the payload is durable at its place.
//
// Rows are fenced, a file is not. So the writer locks the file, and while it
// has the lock shows that it still holds the transfer. Whoever takes a transfer
// over rechecks the file under the same lock, after its row is written: what a
// former holder wrote was written before, and it writes no more.
func (s *Store) writeFile(ctx context.Context, t *transfer.Transfer, ref transfer.Ref, blocks []transfer.Block) error {
	path := t.PayloadIn
	first := false
	f, err := openFile(path, os.O_WRONLY)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		// One who was stopped here makes no file later, where another has
		// placed his: that would pass for a file that is still to be placed.
		release, gerr := s.guardFile(ctx, path)
		if gerr != nil {
			return fileFault(path, gerr)
		}
		defer release()
		if first, gerr = s.firstBlocks(ctx, ref); gerr != nil {
			return gerr
		}
		if f, err = makeFile(t, first, err); err == nil {
			err = s.lockFile(ctx, f)
		}
	case err == nil:
		if err = s.lockFile(ctx, f); err == nil {
			first, err = s.firstBlocks(ctx, ref)
		}
	}
	if f == nil {
		return fileFault(path, err)
	}
	name := make(chan error, 1)
	if err == nil && first { // the name beside the content: often one write of the disk for both
		go func() { name <- s.files.dirs.Sync(filepath.Dir(path)) }()
	} else {
		name <- nil
	}
	for i := 0; i < len(blocks) && err == nil; i++ {
		_, err = f.WriteAt(blocks[i].Payload, blocks[i].Offset)
	}
	if err == nil {
		err = place.SyncData(f)
	}
	if cerr := f.Close(); err == nil { // and with it goes the lock
		err = cerr
	}
	if nerr := <-name; err == nil {
		err = nerr
	}
	return fileFault(path, err)
}

// makeFile makes the file of a transfer's payload for its first block. A file
// that has gone after it has taken blocks with it, which must not pass
// unnoticed; away is the error with which it was not found.
func makeFile(t *transfer.Transfer, first bool, away error) (*os.File, error) {
	if first {
		return openFile(t.PayloadIn, os.O_WRONLY|os.O_CREATE)
	}
	if _, err := os.Lstat(filepath.Dir(t.PayloadIn)); err != nil {
		return nil, away
	}
	return nil, missing(t.ID, 1, 1)
}

// firstBlocks reports that nothing of a transfer is in its file yet, so that
// the file's name may not be durable. It fails with CodeFenced when the transfer
// is no longer held as ref says.
func (s *Store) firstBlocks(ctx context.Context, ref transfer.Ref) (first bool, err error) {
	var now transfer.Ref
	var held int64
	_, err = s.scan(ctx, []any{&now.ID, &now.Owner, &now.Term, &now.Attempt, &held}, `SELECT t.id, t.owner, t.term, t.attempt,
		(SELECT count(*) FROM (SELECT 1 FROM blocks b WHERE b.transfer_id = t.id AND b.length > 0 LIMIT 1) AS one)
		FROM transfers t WHERE t.id = $1`, ref.ID)
	if err == nil && (now != ref || ref.Owner == "") {
		err = fault.New(CodeFenced, ref.ID)
	}
	return held == 0, err
}

// lockStep is the wait between two tries to lock a file.
const lockStep = 5 * time.Millisecond

// lockFile locks a payload file until it is closed or its process dies.
func (s *Store) lockFile(ctx context.Context, f *os.File) error {
	return s.waitFor(ctx, f.Name(), func() (bool, error) {
		err := place.Flock(f, syscall.LOCK_EX|syscall.LOCK_NB)
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return false, nil
		}
		return true, err
	})
}

// guardFile locks the path of a payload file, whether there is one or not.
func (s *Store) guardFile(ctx context.Context, path string) (release func(), err error) {
	err = s.waitFor(ctx, path, func() (ok bool, err error) {
		release, ok, err = place.Guard(path)
		return ok, err
	})
	return release, err
}

// waitFor tries until it is done. Another session of ours has a lock for the time
// of one write; a process that stands still has it for as long as it stands, and
// then the error is CodePayloadBusy.
func (s *Store) waitFor(ctx context.Context, path string, try func() (bool, error)) error {
	limit := time.NewTimer(s.options.BusyTimeout)
	defer limit.Stop()
	for {
		if done, err := try(); done || err != nil {
			return err
		}
		again := time.NewTimer(lockStep)
		select {
		case <-again.C:
		case <-limit.C:
			return fault.New(CodePayloadBusy, path)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// openFile opens neither what a link points at nor a pipe that would never
// open.
func openFile(path string, flags int) (*os.File, error) {
	return os.OpenFile(path, flags|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o640)
}

// located is a transfer with the fields that say where its payload is.
func (s *Store) located(ctx context.Context, id string) (*transfer.Transfer, error) {
	t := &transfer.Transfer{ID: id}
	_, err := s.scan(ctx, []any{&t.PayloadIn, &t.WorkPath, &t.BackupPath, &t.FinalPath},
		`SELECT payload_in, work_path, backup_path, final_path FROM transfers WHERE id = $1`, id)
	return t, err
}

// locatedHeld is located for a holder, without whom payload goes to no other
// place. Only a work file that is itself the payload moves under its hands,
// into the backup.
func (s *Store) locatedHeld(ctx context.Context, t *transfer.Transfer) (*transfer.Transfer, error) {
	if t.PayloadIn == transfer.InFile {
		return s.located(ctx, t.ID)
	}
	return t, nil
}

// openPayload opens the file that has a transfer's payload. The error is that
// of a block that is missing if there is none, except where its directory is
// gone: a file system that is not mounted looks like that, and comes back.
func openPayload(t *transfer.Transfer) (*os.File, error) {
	paths := t.PayloadFiles()
	for _, path := range paths {
		f, err := openFile(path, os.O_RDONLY)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		return f, fileFault(path, err)
	}
	if len(paths) > 0 {
		if _, err := os.Lstat(filepath.Dir(paths[0])); err != nil {
			return nil, fileFault(paths[0], err)
		}
	}
	return nil, missing(t.ID, 1, 1)
}

// extent is a block's row without payload.
type extent struct {
	number, start, size, checksum int64
	lengths                       []byte
}

// extents runs a query that begins with the columns of an extent. No rows are
// open any more when files are read.
func (s *Store) extents(ctx context.Context, text string, args ...any) ([]extent, error) {
	rows, err := s.query(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []extent
	for rows.Next() {
		var e extent
		if err := rows.Scan(&e.number, &e.start, &e.size, &e.checksum, &e.lengths); err != nil {
			return nil, s.engine.translate(err)
		}
		all = append(all, e)
	}
	return all, s.engine.translate(rows.Err())
}

const extentList = `SELECT b.number, b.byte_offset, b.length, b.checksum, b.lengths `

// readFile is ReadRange from a file. Every block that the range touches is
// read whole and its checksum compared, whatever the range's length: somebody
// else may have written to the file.
func (s *Store) readFile(ctx context.Context, t *transfer.Transfer, also string, args []any, dst []byte) ([]byte, error) {
	offset, end := args[1].(int64), args[2].(int64)
	length := end - offset
	all, err := s.extents(ctx, extentList+readFrom+also+readOrder, args...)
	if err != nil {
		return nil, err
	}
	f, err := openPayload(t)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if int64(cap(dst)) < length {
		dst = make([]byte, 0, length)
	}
	at := offset
	for _, e := range all {
		if e.size == 0 {
			continue
		}
		if e.start > at {
			return nil, missing(t.ID, e.number-1, 1)
		}
		whole, seq := prefix(e.lengths)
		to := min(end, e.start+e.size)
		if to <= at || to-e.start > whole {
			return nil, missing(t.ID, e.number, seq)
		}
		if dst, err = e.read(t.ID, f, dst, at-e.start, to-e.start); err != nil {
			return nil, err
		}
		at = to
	}
	if at < end {
		return nil, s.missingAt(ctx, t.ID, at)
	}
	return dst, nil
}

// readStep is how much of a block of which a part is wanted is read at once.
const readStep = 128 << 10

// read appends bytes from…to of the block to dst when the checksum of the
// whole block is right. dst has room.
func (e *extent) read(id string, f *os.File, dst []byte, from, to int64) ([]byte, error) {
	n := int64(len(dst))
	if from == 0 && to == e.size {
		dst = dst[:n+e.size]
		if err := readAt(f, dst[n:], e.start); err != nil {
			return nil, e.fault(id, f, err)
		}
		if crc32.Checksum(dst[n:], castagnoli) != uint32(e.checksum) {
			return nil, fault.New(CodeBlockDamaged, id, "block", e.number)
		}
		return dst, nil
	}
	buf := make([]byte, min(readStep, e.size))
	sum := uint32(0)
	for at := int64(0); at < e.size; {
		p := buf[:min(int64(len(buf)), e.size-at)]
		if err := readAt(f, p, e.start+at); err != nil {
			return nil, e.fault(id, f, err)
		}
		sum = crc32.Update(sum, castagnoli, p)
		next := at + int64(len(p))
		if a, b := max(at, from), min(next, to); a < b {
			dst = append(dst, p[a-at:b-at]...)
		}
		at = next
	}
	if sum != uint32(e.checksum) {
		return nil, fault.New(CodeBlockDamaged, id, "block", e.number)
	}
	return dst, nil
}

func readAt(f *os.File, p []byte, at int64) error {
	_, err := io.ReadFull(io.NewSectionReader(f, at, int64(len(p))), p)
	return err
}

// fault of a read: a file that has become shorter is damaged.
func (e *extent) fault(id string, f *os.File, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fault.New(CodeBlockDamaged, id, "block", e.number)
	}
	return fileFault(f.Name(), err)
}

// eachInFile is eachBlock from a file.
func (s *Store) eachInFile(ctx context.Context, t *transfer.Transfer, after int64, f func(number, start int64, lengths, payload []byte) error) error {
	all, err := s.extents(ctx, extentList+`FROM blocks b WHERE b.transfer_id = $1 AND b.number > $2 ORDER BY b.number LIMIT $3`,
		t.ID, after, verifyStep)
	if err != nil || len(all) == 0 {
		return err
	}
	var file *os.File
	if slices.ContainsFunc(all, func(e extent) bool { return e.size > 0 }) { // or there may be none
		if file, err = openPayload(t); err != nil {
			return err
		}
		defer file.Close()
	}
	var buf []byte
	for i := range all {
		e := &all[i]
		buf = slices.Grow(buf[:0], int(e.size))
		if e.size > 0 {
			if buf, err = e.read(t.ID, file, buf, 0, e.size); err != nil {
				return err
			}
		}
		if err := f(e.number, e.start, e.lengths, buf); err != nil {
			return err
		}
	}
	return nil
}

// Recheck is for whoever goes on with a transfer that another held: blocks
// whose payload is not what their rows say, and those after them, are dropped.
// It has nothing to do where payload is in the rows, which the database keeps
// whole. The holder who wrote before is fenced off, and what it was writing is
// written, before anything is looked at.
// Errors: CodeFenced, and those for which Away is true.
func (s *Store) Recheck(ctx context.Context, now time.Time, ref transfer.Ref) error {
	t, err := s.located(ctx, ref.ID)
	if err != nil || t.PayloadIn == "" {
		return err
	}
	good, err := s.sound(ctx, t)
	switch fault.CodeOf(err) {
	case CodeBlockDamaged, CodeBlockMissing:
		return s.DropBlocks(ctx, now, ref, good+1)
	}
	return err
}

// sound is the number of the last block up to which all are what their rows
// say, and the error of the one after it.
func (s *Store) sound(ctx context.Context, t *transfer.Transfer) (good int64, err error) {
	f, err := openPayload(t)
	switch {
	case fault.CodeOf(err) == CodeBlockMissing: // the blocks say so too, if there are any
	case err != nil:
		return 0, err
	default:
		defer f.Close()
		if err := s.lockFile(ctx, f); err != nil {
			return 0, fileFault(f.Name(), err)
		}
	}
	err = s.everyBlock(ctx, t, func(number, _ int64, _, _ []byte) error {
		good = number
		return ctx.Err()
	})
	return good, err
}

// Present tells the holder of a transfer whether the payload of size bytes is
// still there, without reading it: true where it is in the rows.
func (s *Store) Present(ctx context.Context, t *transfer.Transfer, size int64) (bool, error) {
	t, err := s.locatedHeld(ctx, t)
	if err != nil || t.PayloadIn == "" || size == 0 {
		return err == nil, err
	}
	f, err := openPayload(t)
	if fault.CodeOf(err) == CodeBlockMissing {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return false, fileFault(f.Name(), err)
	}
	return info.Size() >= size, nil
}

// ownFile says that a file is kept for a transfer's payload alone.
func ownFile(t *transfer.Transfer) bool { return t.PayloadIn != "" && t.PayloadIn != transfer.InFile }

// removeFile removes the file that is kept for a transfer's payload alone.
func removeFile(t *transfer.Transfer) error {
	if !ownFile(t) {
		return nil
	}
	if err := os.Remove(t.PayloadIn); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fileFault(t.PayloadIn, err)
	}
	return nil
}

// fileFault gives the errors of payload files their codes.
func fileFault(path string, err error) error {
	var number syscall.Errno
	if err == nil || fault.As(err) != nil || !errors.As(err, &number) {
		return err
	}
	code := CodePayloadIO
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		code = CodePayloadFull
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		code = CodePayloadDenied
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		code = CodePayloadAway
	}
	return fault.New(code, path).Because(err)
}
