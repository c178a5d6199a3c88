package store

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"pabal/internal/fault"
	"pabal/transfer"
)

// Edit is a change of one transfer by a holder who knows its row as it was
// last written. That saves reading it: the write says which columns are new,
// and the row is found only if id, owner, term and attempt still match and the
// owner's term is not over (design D4). What is written beside a holder, the
// note of a backup, stays as it is.
type Edit struct {
	Row *transfer.Transfer             // as the holder knows it; afterwards as it was written
	F   func(*transfer.Transfer) error // as for Change; may be nil
	Also
	// Err is why this one was not written: what F said, CodeFenced,
	// CodeNotFound, CodeIllegalMove, CodeForbidden or CodeBlockInvalid. The
	// others of the same ChangeAll were.
	Err error

	blocks []blockRow
	after  *transfer.Transfer
}

// ChangeAll writes many transfers of a holder in one transaction, so that they
// share its commit. Its error is that of all of them, one for which Away is
// true as a rule; what is wrong with one alone is in that one's Err.
func (s *Store) ChangeAll(ctx context.Context, now time.Time, edits []*Edit) error {
	_, err := s.changeAll(ctx, now, edits, nil)
	return err
}

// ChangeAndClaim writes one transfer and takes what the holder goes on with in
// the same transaction. claimed is nil if the edit has an Err. With
// CodeCommitUnknown come the rows that may be claimed, see Claim.
func (s *Store) ChangeAndClaim(ctx context.Context, now time.Time, e *Edit, q ClaimQuery) (claimed []*transfer.Transfer, err error) {
	return s.changeAll(ctx, now, []*Edit{e}, &q)
}

func (s *Store) changeAll(ctx context.Context, now time.Time, edits []*Edit, q *ClaimQuery) (claimed []*transfer.Transfer, err error) {
	var payload int64
	due := make([]*Edit, 0, len(edits))
	for _, e := range edits {
		blocks, n := e.Blocks, int64(0)
		blocks, e.Err = s.keep(ctx, e.Row, e.Row.Ref(), blocks)
		if e.Err == nil {
			e.blocks, n, e.Err = s.sealer.packBlocks(e.Row.ID, blocks)
		}
		if e.Err == nil {
			due, payload = append(due, e), payload+n
		}
	}
	if len(due) == 0 {
		return nil, nil
	}
	// Everybody who writes several rows takes them in this order, or two could
	// wait for each other.
	slices.SortFunc(due, func(a, b *Edit) int { return cmp.Compare(a.Row.ID, b.Row.ID) })
	err = s.write(ctx, payload, func(tx *tx) error {
		claimed = nil
		for _, e := range due {
			var alone error
			e.after, alone, err = tx.edit(now, e)
			if err != nil {
				return err
			}
			e.Err = alone
		}
		if q != nil && due[0].Err == nil {
			claimed, err = tx.claim(now, *q)
		}
		return err
	})
	switch {
	case fault.CodeOf(err) == CodeCommitUnknown:
		return claimed, err
	case err != nil:
		return nil, err
	}
	for _, e := range due {
		if e.Err == nil {
			*e.Row = *e.after
		}
	}
	return claimed, nil
}

// edit writes one row. alone is an error that leaves the transaction as it
// was: everything that can be wrong with the edit is looked at before the
// first statement, and a row that is not ours is not found by it.
func (t *tx) edit(now time.Time, e *Edit) (after *transfer.Transfer, alone, err error) {
	before, row := *e.Row, new(transfer.Transfer)
	*row = before
	if before.Owner == "" { // given up: nobody holds it
		return nil, fault.New(CodeFenced, before.ID), nil
	}
	if len(e.blocks) > 0 {
		row.ReleasedAt, row.PurgedAt = time.Time{}, time.Time{} // there is payload again
	}
	if e.F != nil {
		if err := e.F(row); err != nil {
			return nil, err, nil
		}
	}
	if err := legal(now, &before, row, false); err != nil {
		return nil, err, nil
	}
	for _, b := range e.blocks {
		if err := checkPlace(row, b.block); err != nil {
			return nil, err, nil
		}
	}
	if err := t.holdTerm(before.Owner, false); err != nil {
		return nil, nil, err
	}
	n, err := t.update(&before, row, true)
	if err != nil {
		return nil, nil, err
	}
	if n == 0 {
		_, err := t.transfer(before.ID)
		switch {
		case err == nil:
			return nil, fault.New(CodeFenced, before.ID), nil
		case fault.CodeOf(err) == CodeNotFound:
			return nil, err, nil
		}
		return nil, nil, err
	}
	t.note(&before, row)
	if row.Status != before.Status {
		if err := t.statusEvent(now, before.Status, row); err != nil {
			return nil, nil, err
		}
	}
	if err := t.putBlocks(now, row, e.blocks); err != nil {
		return nil, nil, err
	}
	for _, event := range e.Events {
		event.TransferID = row.ID
		if err := t.event(now, event); err != nil {
			return nil, nil, err
		}
	}
	return row, nil, nil
}

// stillHeld finds a row only for who holds it: $2, $3 and $4 are owner, term
// and attempt. The term of the owner is looked up as well, because a former
// process of the same instance has the same owner, and its rows keep the old
// term until they are settled.
const stillHeld = ` AND owner = $2 AND term = $3 AND attempt = $4
	AND NOT EXISTS (SELECT 1 FROM instances i WHERE i.id = $2 AND i.term > $3)`

// update writes the columns of a row that are new: an index whose columns are
// left alone costs nothing, and most writes change few. held says that the row
// must still be the holder's who is named in before. It returns how many rows
// were found.
func (t *tx) update(before, row *transfer.Transfer, held bool) (int64, error) {
	t.work = t.work || row.Owner == "" && claimable(row) == 1
	was, is := transferColumns(before), transferColumns(row)
	args := append(make([]any, 0, 16), row.ID)
	condition := ""
	if held {
		condition = stillHeld
		args = append(args, before.Owner, before.Term, before.Attempt)
	}
	var text strings.Builder
	text.WriteString("UPDATE transfers SET ")
	set := func(name string, value any) {
		args = append(args, value)
		text.WriteString(name)
		text.WriteString(" = $")
		text.WriteString(strconv.Itoa(len(args)))
	}
	set("updated_at", micros{&row.UpdatedAt})
	for n, c := range is {
		if c.name != "updated_at" && !sameValue(was[n].ref, c.ref) {
			text.WriteString(", ")
			set(c.name, c.ref)
		}
	}
	for _, derived := range []struct {
		name string
		of   func(*transfer.Transfer) int
	}{{"claimable", claimable}, {"due", due}} {
		if v := derived.of(row); v != derived.of(before) {
			text.WriteString(", ")
			set(derived.name, v)
		}
	}
	text.WriteString(" WHERE id = $1")
	text.WriteString(condition)
	return t.exec(text.String(), args...)
}

// Holds reports whether a transfer is still the holder's, for who is about to
// go on without writing.
func (s *Store) Holds(ctx context.Context, ref transfer.Ref) (bool, error) {
	var one int
	return s.scan(ctx, []any{&one}, `SELECT 1 FROM transfers WHERE id = $1`+stillHeld, ref.ID, ref.Owner, ref.Term, ref.Attempt)
}

// HoldsAll is Holds for many that a holder has in one term, with one question:
// it tells of each whether it is still the holder's.
func (s *Store) HoldsAll(ctx context.Context, owner string, term int64, refs []transfer.Ref) ([]bool, error) {
	held := make([]bool, len(refs))
	if len(refs) == 0 {
		return held, nil
	}
	var w where
	w.add("owner = " + w.arg(owner) + " AND term = " + w.arg(term))
	w.add("NOT EXISTS (SELECT 1 FROM instances i WHERE i.id = " + w.arg(owner) + " AND i.term > " + w.arg(term) + ")")
	ids := make([]string, len(refs))
	for n, r := range refs {
		ids[n] = r.ID
	}
	w.in("id", fewLengths(ids))
	found, err := list(ctx, s, w.query("SELECT id, attempt FROM transfers", "", 0), w.args,
		func(r *transfer.Ref) []column { return []column{{"id", &r.ID}, {"attempt", &r.Attempt}} })
	if err != nil {
		return nil, err
	}
	attempts := map[string]int64{}
	for _, r := range found {
		attempts[r.ID] = r.Attempt
	}
	for n, r := range refs {
		attempt, there := attempts[r.ID]
		held[n] = there && attempt == r.Attempt && r.Owner == owner && r.Term == term
	}
	return held, nil
}
