package store

import (
	"context"
	"time"

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
	IDs         []string
	Asked       bool // only those that a person wants the peer to be asked about
	NotAsked    bool // only the others

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
// Errors: CodeFenced when the term is over, CodeIllegalMove.
func (s *Store) Claim(ctx context.Context, now time.Time, q ClaimQuery) ([]*transfer.Transfer, error) {
	// Most calls find nothing, and then there is no need to wait for the
	// writer, let alone for a sync.
	if found, err := s.anyClaimable(ctx, now, q); err != nil || !found {
		return nil, err
	}
	var claimed []*transfer.Transfer
	err := s.write(ctx, 0, func(tx *tx) error {
		claimed = nil
		if err := tx.inTerm("", q.Owner, q.Term); err != nil {
			return err
		}
		w := q.where(now)
		rows, err := tx.queryOnce(w.query("SELECT "+transferList+" FROM transfers", "created_at, id", max(1, q.Limit))+tx.dialect.skipLocked, w.args...)
		if err != nil {
			return err
		}
		found, err := readAll(rows, transferColumns)
		if err != nil {
			return err
		}
		for _, t := range found {
			err := tx.change(now, t, func(t *transfer.Transfer) error {
				t.Owner, t.Term, t.Attempt = q.Owner, q.Term, t.Attempt+1
				if q.To != "" {
					t.Status = q.To
				}
				if q.SessionID != "" {
					t.SessionID = q.SessionID
				}
				return nil
			}, true)
			if err != nil {
				return err
			}
		}
		claimed = found
		return nil
	})
	if err != nil {
		return nil, err
	}
	return claimed, nil
}

func (s *Store) anyClaimable(ctx context.Context, now time.Time, q ClaimQuery) (bool, error) {
	w := q.where(now)
	rows, err := s.engine.readers().direct(ctx, w.query("SELECT id FROM transfers", "created_at, id", 1), w.args...)
	if err != nil {
		return false, s.engine.translate(err)
	}
	defer rows.Close()
	return rows.Next(), s.engine.translate(rows.Err())
}

// where has "claimable = 1" as plain text, so that a planner sees that the
// partial index will do.
func (q ClaimQuery) where(now time.Time) where {
	var w where
	w.add("claimable = 1")
	if len(q.Statuses) == 0 {
		w.add("1 = 0")
	}
	w.in("status", strs(q.Statuses))
	w.add("next_try <= " + w.arg(toMicros(now)))
	ours := "owner = " + w.arg(q.Owner)
	if q.To == "" {
		ours = "(" + ours + " AND term < " + w.arg(q.Term) + ")"
	}
	w.add("(owner = '' OR " + ours + ")")
	w.equal("direction", string(q.Direction))
	w.equal("institution", q.Institution)
	w.equal("place", q.Place)
	w.in("id", q.IDs)
	if q.Asked {
		w.add("ask <> ''")
	}
	if q.NotAsked {
		w.add("ask = ''")
	}
	return w
}
