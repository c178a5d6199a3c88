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

	blocks  []blockRow
	after   *transfer.Transfer
	changed []column
	found   bool
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
	err = s.write(ctx, payload, func(tx *tx) (err error) {
		claimed = nil
		written, err := tx.editRows(now, due)
		if err != nil {
			return err
		}
		var next []*transfer.Transfer
		if q != nil && len(written) > 0 && (written[0].found || !tx.alone()) {
			// On PostgreSQL the question travels with the edit, before it is known
			// whether that has found its row.
			next, err = tx.toClaim(now, *q)
			if err != nil && (written[0].found || fault.CodeOf(err) != CodeFenced) {
				return err
			}
		}
		if err := tx.edited(now, written); err != nil || len(next) == 0 || due[0].Err != nil {
			return err
		}
		claimed = next
		return tx.own(now, *q, claimed)
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

// editRows writes rows and returns the edits of those. What is wrong with one
// alone is in its Err and leaves the transaction as it was: everything that can
// be wrong with an edit is looked at before the first statement, and a row that
// is not ours is not found by it, which edited sees.
func (t *tx) editRows(now time.Time, all []*Edit) (due []*Edit, err error) {
	for _, e := range all {
		if e.Err = e.prepare(now); e.Err == nil {
			due = append(due, e)
		}
	}
	for _, e := range due {
		if err := t.holdTerm(e.Row.Owner, false); err != nil {
			return nil, err
		}
	}
	for rest := due; len(rest) > 0; {
		some := rest[:1]
		for len(some) < min(mostEdited, len(rest)) && rest[len(some)].alike(some[0]) {
			some = rest[:len(some)+1]
		}
		rest = rest[len(some):]
		if err := t.updateAlike(some); err != nil {
			return nil, err
		}
	}
	return due, nil
}

// edited writes what belongs to rows that were written.
func (t *tx) edited(now time.Time, due []*Edit) error {
	if err := t.settled(); err != nil {
		return err
	}
	var blocks []blockOf
	for _, e := range due {
		if !e.found {
			_, err := t.transfer(e.Row.ID)
			switch {
			case err == nil:
				e.Err = fault.New(CodeFenced, e.Row.ID)
			case fault.CodeOf(err) == CodeNotFound:
				e.Err = err
			default:
				return err
			}
			continue
		}
		t.note(e.Row, e.after)
		if e.after.Status != e.Row.Status {
			if err := t.statusEvent(now, e.Row.Status, e.after); err != nil {
				return err
			}
		}
		for n := range e.blocks {
			blocks = append(blocks, blockOf{e.after, &e.blocks[n]})
		}
		for _, event := range e.Events {
			event.TransferID = e.after.ID
			if err := t.event(now, event); err != nil {
				return err
			}
		}
	}
	return t.putAll(now, blocks)
}

// prepare lets an edit change its row and says what is wrong with it.
func (e *Edit) prepare(now time.Time) error {
	before, row := e.Row, new(transfer.Transfer)
	*row = *before
	e.after, e.found, e.changed = row, false, nil
	if before.Owner == "" { // given up: nobody holds it
		return fault.New(CodeFenced, before.ID)
	}
	if len(e.blocks) > 0 {
		row.ReleasedAt, row.PurgedAt = time.Time{}, time.Time{} // there is payload again
	}
	if e.F != nil {
		if err := e.F(row); err != nil {
			return err
		}
	}
	if err := legal(now, before, row, false); err != nil {
		return err
	}
	for _, b := range e.blocks {
		if err := checkPlace(row, b.block); err != nil {
			return err
		}
	}
	e.changed = changedColumns(before, row)
	return nil
}

// mostEdited is how many rows one statement changes.
const mostEdited = 8

// alike says that two edits are of one holder and change the same columns, so
// that one statement can write both.
func (e *Edit) alike(o *Edit) bool {
	return e.Row.Owner == o.Row.Owner && e.Row.Term == o.Row.Term && e.after.UpdatedAt.Equal(o.after.UpdatedAt) &&
		slices.EqualFunc(e.changed, o.changed, func(a, b column) bool { return a.name == b.name })
}

// updateAlike writes rows whose edits are alike, and notes which were found.
func (t *tx) updateAlike(some []*Edit) error {
	first := some[0]
	if len(some) == 1 {
		return t.update(first.Row, first.after, true, func(n int64) error { first.found = n > 0; return nil })
	}
	args := []any{first.Row.Owner, first.Row.Term, micros{&first.after.UpdatedAt}}
	var rows, names, sets strings.Builder
	for n, c := range first.changed {
		name := "n" + strconv.Itoa(n)
		names.WriteString(", " + name)
		sets.WriteString(", " + c.name + " = v." + name)
	}
	for n, e := range some {
		t.work = t.work || e.after.Owner == "" && claimable(e.after) == 1
		if n > 0 {
			rows.WriteString(", ")
		}
		cells := append([]column{{"", &e.Row.ID}, {"", &e.Row.Attempt}}, e.changed...)
		for k, c := range cells {
			args = append(args, c.ref)
			cell := "$" + strconv.Itoa(len(args))
			if n == 0 { // what the first row is, all are
				cell = "CAST(" + cell + " AS " + sqlType(c.ref) + ")"
			}
			if k > 0 {
				cell = ", " + cell
			}
			rows.WriteString(map[bool]string{true: "(" + cell, false: cell}[k == 0])
		}
		rows.WriteString(")")
	}
	found, err := t.query("WITH v (id, attempt"+names.String()+") AS (VALUES "+rows.String()+") UPDATE transfers SET updated_at = $3"+sets.String()+
		" FROM v WHERE transfers.id = v.id AND transfers.owner = $1 AND transfers.term = $2 AND transfers.attempt = v.attempt"+
		" AND NOT EXISTS (SELECT 1 FROM instances i WHERE i.id = $1 AND i.term > $2) RETURNING transfers.id", args...)
	if err != nil {
		return err
	}
	defer found.Close()
	for found.Next() {
		var id string
		if err := found.Scan(&id); err != nil {
			return err
		}
		for _, e := range some {
			e.found = e.found || e.Row.ID == id
		}
	}
	return found.Err()
}

// sqlType is the type of a column in both engines' words.
func sqlType(ref any) string {
	switch ref.(type) {
	case *int, *int64, micros, flag, int:
		return "BIGINT"
	}
	return "TEXT"
}

// stillHeld finds a row only for who holds it: $2, $3 and $4 are owner, term
// and attempt. The term of the owner is looked up as well, because a former
// process of the same instance has the same owner, and its rows keep the old
// term until they are settled.
const stillHeld = ` AND owner = $2 AND term = $3 AND attempt = $4
	AND NOT EXISTS (SELECT 1 FROM instances i WHERE i.id = $2 AND i.term > $3)`

// update writes the columns of a row that are new: an index whose columns are
// left alone costs nothing, and most writes change few. held says that the row
// must still be the holder's who is named in before. found, if set, hears how
// many rows were.
func (t *tx) update(before, row *transfer.Transfer, held bool, found func(int64) error) error {
	t.work = t.work || row.Owner == "" && claimable(row) == 1
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
	for _, c := range changedColumns(before, row) {
		text.WriteString(", ")
		set(c.name, c.ref)
	}
	text.WriteString(" WHERE id = $1")
	text.WriteString(condition)
	return t.execThen(found, text.String(), args...)
}

// changedColumns are those that are new in row, what is computed from others
// included, but the time of the update.
func changedColumns(before, row *transfer.Transfer) (changed []column) {
	was := transferColumns(before)
	for n, c := range transferColumns(row) {
		if c.name != "updated_at" && !sameValue(was[n].ref, c.ref) {
			changed = append(changed, c)
		}
	}
	for _, derived := range []struct {
		name string
		of   func(*transfer.Transfer) int
	}{{"claimable", claimable}, {"due", due}} {
		if v := derived.of(row); v != derived.of(before) {
			changed = append(changed, column{derived.name, v})
		}
	}
	return changed
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
