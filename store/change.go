package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"pabal/internal/fault"
	"pabal/transfer"
)

// Also is what a change writes beside the transfer's own row, in the same
// transaction.
type Also struct {
	Blocks []transfer.Block // stored by number; one that is there is replaced
	Events []transfer.Event // TransferID and At are filled in
}

// Change is how the holder of a transfer writes (design D4). In one
// transaction it touches the row if id, owner, term and attempt all match and
// the owner's term is not over, lets f change the struct, stores the blocks
// and, when the status has changed, writes an event with the error code,
// detail and session that f left in the struct.
//
// f must only change the struct: it may be run again. It may give the row up
// (Owner ""), but not change ID, Direction, Term, Attempt or CreatedAt. The
// result has the row as it was written; its Ref is the one to go on with.
//
// Nothing is written if f fails, and its error is returned. Other errors:
// CodeFenced, CodeNotFound, CodeIllegalMove, CodeForbidden, CodeBlockInvalid,
// and those for which Away is true.
func (s *Store) Change(ctx context.Context, now time.Time, ref transfer.Ref, f func(*transfer.Transfer) error, blocks ...transfer.Block) (*transfer.Transfer, error) {
	return s.ChangeAlso(ctx, now, ref, f, Also{Blocks: blocks})
}

// ChangeAlso is Change with more to write.
func (s *Store) ChangeAlso(ctx context.Context, now time.Time, ref transfer.Ref, f func(*transfer.Transfer) error, also Also) (*transfer.Transfer, error) {
	blocks := also.Blocks
	if withPayload(blocks) {
		t, err := s.Transfer(ctx, ref.ID)
		if err != nil {
			return nil, err
		}
		if blocks, err = s.keep(ctx, t, ref, blocks); err != nil {
			return nil, err
		}
	}
	rows, payload, err := s.sealer.packBlocks(ref.ID, blocks)
	if err != nil {
		return nil, err
	}
	var out *transfer.Transfer
	err = s.write(ctx, payload, func(tx *tx) error {
		t, err := tx.touch(now, ref)
		if err != nil {
			return err
		}
		err = tx.change(now, t, func(t *transfer.Transfer) error {
			if len(rows) > 0 {
				t.ReleasedAt, t.PurgedAt = time.Time{}, time.Time{} // there is payload again
			}
			if f == nil {
				return nil
			}
			return f(t)
		}, false)
		if err != nil {
			return err
		}
		if err := tx.putBlocks(now, t, rows); err != nil {
			return err
		}
		for _, e := range also.Events {
			e.TransferID = ref.ID
			if err := tx.event(now, e); err != nil {
				return err
			}
		}
		out = t
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// touch is the first statement of a holder's write: it finds the row only if
// the holder still holds it (stillHeld).
func (t *tx) touch(now time.Time, ref transfer.Ref) (*transfer.Transfer, error) {
	if err := t.holdTerm(ref.Owner, false); err != nil {
		return nil, err
	}
	row := new(transfer.Transfer)
	ok, err := t.scan(refs(transferColumns(row)), `UPDATE transfers SET updated_at = $5 WHERE id = $1`+stillHeld+
		` RETURNING `+transferList, ref.ID, ref.Owner, ref.Term, ref.Attempt, toMicros(now))
	if err != nil || ok {
		return row, err
	}
	if _, err := t.transfer(ref.ID); err != nil {
		return nil, err
	}
	return nil, fault.New(CodeFenced, ref.ID)
}

// transfer reads a row that nobody else changes before this transaction ends.
func (t *tx) transfer(id string) (*transfer.Transfer, error) {
	row := new(transfer.Transfer)
	ok, err := t.scan(refs(transferColumns(row)), "SELECT "+transferList+" FROM transfers WHERE id = $1"+t.dialect.lockRow, id)
	if err == nil && !ok {
		err = fault.New(CodeNotFound, id)
	}
	return row, err
}

// change lets f change row, which was just read, checks what it did and
// writes it. ownership says that owner, term and attempt were set on purpose.
func (t *tx) change(now time.Time, row *transfer.Transfer, f func(*transfer.Transfer) error, ownership bool) error {
	before := *row
	if f != nil {
		if err := f(row); err != nil {
			return err
		}
	}
	if err := legal(now, &before, row, ownership); err != nil {
		return err
	}
	before.UpdatedAt = row.UpdatedAt
	if *row == before && !ownership {
		return nil // the touch has written all there is; f leaves the row alone for most blocks
	}
	if err := t.update(&before, row, false, nil); err != nil {
		return err
	}
	t.note(&before, row)
	if row.Status == before.Status {
		return nil
	}
	return t.statusEvent(now, before.Status, row)
}

// legal brings a changed row to what can be written and says what is wrong
// with the change. ownership says that owner, term and attempt were set on
// purpose.
func legal(now time.Time, before, row *transfer.Transfer, ownership bool) error {
	row.UpdatedAt = now
	normal(row)
	if row.ID != before.ID || row.Direction != before.Direction || !row.CreatedAt.Equal(before.CreatedAt) {
		return fault.New(CodeForbidden, before.ID)
	}
	if !ownership && (row.Term != before.Term || row.Attempt != before.Attempt ||
		row.Owner != before.Owner && row.Owner != "") {
		return fault.New(CodeForbidden, before.ID)
	}
	if !transfer.CanMove(row.Direction, before.Status, row.Status) {
		return fault.New(CodeIllegalMove, row.ID, "direction", row.Direction, "from", before.Status, "to", row.Status)
	}
	return nil
}

func (t *tx) statusEvent(now time.Time, from transfer.Status, row *transfer.Transfer) error {
	return t.eventOf(now, transfer.Event{TransferID: row.ID, SessionID: row.SessionID, Kind: EventStatus,
		From: from, To: row.Status, Code: row.ErrorCode, Detail: row.ErrorDetail}, row)
}

// TakeOver gives a transfer that is being received to a new, authenticated
// session of the same peer. The former holder is fenced off. The file belongs
// to the place of the new session then, unless place is empty.
// Errors: CodeNotFound, CodeNotReceiving (arg status), CodeFenced. With
// CodeCommitUnknown comes the row as it may be, see Claim.
func (s *Store) TakeOver(ctx context.Context, now time.Time, id, owner string, term int64, sessionID, place string) (*transfer.Transfer, error) {
	var out *transfer.Transfer
	err := s.write(ctx, 0, func(tx *tx) error {
		if err := tx.mayOwn(id, owner, term, sessionID); err != nil {
			return err
		}
		t, err := tx.transfer(id)
		if err != nil {
			return err
		}
		if t.Status != transfer.Receiving {
			return fault.New(CodeNotReceiving, id, "status", t.Status)
		}
		former := t.SessionID
		err = tx.change(now, t, func(t *transfer.Transfer) error {
			t.Owner, t.Term, t.Attempt, t.SessionID = owner, term, t.Attempt+1, sessionID
			if place != "" {
				t.Place = place
			}
			return nil
		}, true)
		if err != nil {
			return err
		}
		out = t
		return tx.event(now, transfer.Event{TransferID: id, SessionID: sessionID, Kind: EventTakeOver,
			Detail: detail("former_session", former)})
	})
	switch {
	case err == nil, fault.CodeOf(err) == CodeCommitUnknown:
		return out, err
	}
	return nil, err
}

// Backup is where the file of a transfer stands in the backup directory.
type Backup struct{ ID, Path string }

// BackedUp notes backups that were made, all in one transaction: each file
// stands at its path and the work file is gone. It needs no ref: it is a fact
// about the place's files and says nothing about who sends, who may be at it
// at this moment and goes on undisturbed. One that is noted already, or whose
// transfer does not exist, is left alone.
func (s *Store) BackedUp(ctx context.Context, now time.Time, backups ...Backup) error {
	backups = slices.Clone(backups)
	slices.SortFunc(backups, func(a, b Backup) int { return cmp.Compare(a.ID, b.ID) }) // see ChangeAll
	return s.write(ctx, 0, func(tx *tx) error {
		noted, err := tx.backedUp(now, backups)
		for _, b := range noted {
			if err == nil {
				err = tx.event(now, transfer.Event{TransferID: b.ID, Kind: EventBackup, Detail: detail("path", b.Path)})
			}
		}
		return err
	})
}

// backedUp returns those that were not noted yet. Mostly the path is the one
// that the row has already, and then one statement is for all.
func (t *tx) backedUp(now time.Time, backups []Backup) (noted []Backup, err error) {
	if len(backups) == 0 {
		return nil, nil
	}
	var w where
	ids := make([]string, len(backups))
	for n, b := range backups {
		ids[n] = b.ID
	}
	w.in("id", fewLengths(ids))
	rows, err := t.query("SELECT id, backup_path FROM transfers WHERE backed_up_at = 0 AND "+w.terms[0]+" ORDER BY id"+t.dialect.lockRow, w.args...)
	if err != nil {
		return nil, err
	}
	found, err := readResult(rows, func(b *Backup) []column { return []column{{"id", &b.ID}, {"backup_path", &b.Path}} })
	if err != nil {
		return nil, err
	}
	paths := map[string]string{}
	for _, b := range found {
		paths[b.ID] = b.Path
	}
	as := []string{} // where their rows say
	for _, b := range backups {
		path, due := paths[b.ID]
		if !due {
			continue
		}
		delete(paths, b.ID) // asked for twice
		noted = append(noted, b)
		if path == b.Path {
			as = append(as, b.ID)
			continue
		}
		if _, err := t.exec(`UPDATE transfers SET work_path = '', backup_path = $2, backed_up_at = $3, updated_at = $3
			WHERE id = $1`, b.ID, b.Path, toMicros(now)); err != nil {
			return nil, err
		}
	}
	if len(as) > 0 {
		var w where
		at := w.arg(toMicros(now))
		w.in("id", fewLengths(as))
		_, err = t.exec("UPDATE transfers SET work_path = '', backed_up_at = "+at+", updated_at = "+at+" WHERE "+w.terms[0], w.args...)
	}
	return noted, err
}

// Beside notes facts about the files that stand beside a transfer: f may change
// Result, ErrorPath and nothing else. Like BackedUp it needs no ref, and who
// holds the transfer goes on undisturbed. The events are written with it.
// Errors: f's own, CodeNotFound, CodeForbidden.
func (s *Store) Beside(ctx context.Context, now time.Time, id string, f func(*transfer.Transfer) error, events ...transfer.Event) (*transfer.Transfer, error) {
	var out *transfer.Transfer
	err := s.write(ctx, 0, func(tx *tx) error {
		t, err := tx.transfer(id)
		if err != nil {
			return err
		}
		before := *t
		err = tx.change(now, t, func(t *transfer.Transfer) error {
			if err := f(t); err != nil {
				return err
			}
			before.Result, before.ErrorPath = t.Result, t.ErrorPath
			if *t != before {
				return fault.New(CodeForbidden, id)
			}
			return nil
		}, false)
		if err != nil {
			return err
		}
		for _, e := range events {
			e.TransferID = id
			if err := tx.event(now, e); err != nil {
				return err
			}
		}
		out = t
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
