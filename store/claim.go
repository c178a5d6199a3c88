package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"pabal/internal/fault"
	"pabal/transfer"
)

// ClaimQuery says what a stage wants to work on. Empty fields do not
// restrict, except Owner, Term, Statuses and Limit.
type ClaimQuery struct {
	Owner string // the claiming instance
	Term  int64  // its term, from Begin

	Statuses    []transfer.Status
	Direction   transfer.Direction
	Institution string
	Place       string
	// Here, if set, leaves out payload that is in files of another place.
	Here     string
	IDs      []string
	Asked    bool // only those that a person wants the peer to be asked about
	NotAsked bool // only the others

	// To is the status that the claimed rows get, "" to leave it. Without it a
	// row that the owner holds in this term is not claimed again: somebody is
	// at work on it until a change clears the owner.
	To transfer.Status
	// SessionID, if set, is written to the rows.
	SessionID string
	Limit     int
}

// Claim takes transfers for an instance: those in one of the statuses whose
// next try has come and that nobody else owns, oldest first. Each gets owner
// and term, a raised attempt, and the status To with its event. No two calls
// get the same row, in whatever process they run. On PostgreSQL a row that
// somebody is writing to at this moment is passed over.
// Errors: CodeFenced when the term or the session is over, CodeIllegalMove. With
// CodeCommitUnknown come the rows that may be claimed: nobody works on them,
// so the caller must give them back when the store answers again.
func (s *Store) Claim(ctx context.Context, now time.Time, q ClaimQuery) ([]*transfer.Transfer, error) {
	// Most calls find nothing, and then there is no need to wait for the
	// writer, let alone for a sync.
	if found, err := s.Claimable(ctx, now, q); err != nil || !found {
		return nil, err
	}
	var claimed []*transfer.Transfer
	err := s.write(ctx, 0, func(tx *tx) (err error) {
		claimed, err = tx.claim(now, q)
		return err
	})
	switch {
	case err == nil, fault.CodeOf(err) == CodeCommitUnknown:
		return claimed, err
	}
	return nil, err
}

// claim asks for each status by itself, because then the index gives the
// oldest at once however many wait, and takes the oldest of all.
func (t *tx) claim(now time.Time, q ClaimQuery) ([]*transfer.Transfer, error) {
	if err := t.inTerm("", q.Owner, q.Term); err != nil {
		return nil, err
	}
	if err := t.inSession(q.Owner, q.SessionID); err != nil {
		return nil, err
	}
	limit := max(1, q.Limit)
	var found []*transfer.Transfer
	for _, status := range q.Statuses {
		w := q.where(now)
		w.equal("status", string(status))
		rows, err := t.query(w.query("SELECT "+transferList+" FROM transfers", "created_at, id", limit)+t.dialect.skipLocked, w.args...)
		if err != nil {
			return nil, err
		}
		some, err := readAll(rows, transferColumns)
		if err != nil {
			return nil, err
		}
		found = append(found, some...)
	}
	slices.SortFunc(found, func(a, b *transfer.Transfer) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	found = found[:min(limit, len(found))]
	// Written in the order in which everybody writes several rows, see ChangeAll.
	byID := slices.Clone(found)
	slices.SortFunc(byID, func(a, b *transfer.Transfer) int { return cmp.Compare(a.ID, b.ID) })
	for _, row := range byID {
		err := t.change(now, row, func(row *transfer.Transfer) error {
			row.Owner, row.Term, row.Attempt = q.Owner, q.Term, row.Attempt+1
			if q.To != "" {
				row.Status = q.To
			}
			if q.SessionID != "" {
				row.SessionID = q.SessionID
			}
			return nil
		}, true)
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// Claimable reports whether Claim would find something. It only reads.
func (s *Store) Claimable(ctx context.Context, now time.Time, q ClaimQuery) (bool, error) {
	for _, status := range q.Statuses {
		w := q.where(now)
		w.equal("status", string(status))
		var one int
		// The order is that of the index, so that it is the one that is taken.
		found, err := s.scan(ctx, []any{&one}, w.query("SELECT 1 FROM transfers", "created_at, id", 1), w.args...)
		if found || err != nil {
			return found, err
		}
	}
	return false, nil
}

// where is everything but the status. It has "claimable = 1" as plain text, so
// that a planner sees that the partial index will do.
func (q ClaimQuery) where(now time.Time) where {
	var w where
	w.add("claimable = 1")
	w.add("NOT " + halt)
	w.add("next_try <= " + w.arg(toMicros(now)))
	ours := "owner = " + w.arg(q.Owner)
	if q.To == "" {
		ours = "(" + ours + " AND term < " + w.arg(q.Term) + ")"
	}
	w.add("(owner = '' OR " + ours + ")")
	w.equal("direction", string(q.Direction))
	w.equal("institution", q.Institution)
	w.equal("place", q.Place)
	if q.Here != "" {
		w.add("(payload_in = '' OR place = " + w.arg(q.Here) + ")")
	}
	w.in("id", q.IDs)
	if q.Asked {
		w.add("ask <> ''")
	}
	if q.NotAsked {
		w.add("ask = ''")
	}
	return w
}
