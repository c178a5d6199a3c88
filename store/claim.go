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

// claim takes the oldest of all statuses: it reads the rows with one statement
// and writes them with another.
func (t *tx) claim(now time.Time, q ClaimQuery) ([]*transfer.Transfer, error) {
	found, err := t.toClaim(now, q)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found, t.own(now, q, found)
}

// toClaim reads the rows that a claim takes, and locks them.
func (t *tx) toClaim(now time.Time, q ClaimQuery) ([]*transfer.Transfer, error) {
	// Where others write meanwhile, term and session are locked first. Whoever
	// is alone asks for them together with the rows.
	if !t.alone() {
		if err := t.mayOwn(q.Owner, q.Owner, q.Term, q.SessionID); err != nil {
			return nil, err
		}
	}
	if len(q.Statuses) == 0 {
		return nil, nil
	}
	text, args := q.oldest(now, transferList, t.dialect.skipLocked, t.alone())
	rows, err := t.query(text, args...)
	if err != nil {
		return nil, err
	}
	found, err := readResult(rows, transferColumns)
	if err != nil || len(found) == 0 {
		if err == nil && t.alone() {
			err = t.mayOwn(q.Owner, q.Owner, q.Term, q.SessionID)
		}
		return nil, err
	}
	slices.SortFunc(found, func(a, b *transfer.Transfer) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return found[:min(max(1, q.Limit), len(found))], nil
}

// own makes rows the claimer's.
func (t *tx) own(now time.Time, q ClaimQuery, rows []*transfer.Transfer) error {
	// Written in the order in which everybody writes several rows, see ChangeAll.
	rows = slices.SortedFunc(slices.Values(rows), func(a, b *transfer.Transfer) int { return cmp.Compare(a.ID, b.ID) })
	before := make([]transfer.Transfer, len(rows))
	for n, row := range rows {
		before[n] = *row
		row.Owner, row.Term, row.Attempt = q.Owner, q.Term, row.Attempt+1
		if q.To != "" {
			row.Status = q.To
		}
		if q.SessionID != "" {
			row.SessionID = q.SessionID
		}
		if err := legal(now, &before[n], row, true); err != nil {
			return err
		}
	}
	for rest := rows; len(rest) > 0; {
		some := rest[:1]
		for len(some) < min(mostOwned, len(rest)) && sameFlags(rest[len(some)], some[0]) {
			some = rest[:len(some)+1]
		}
		rest = rest[len(some):]
		var w where
		set := "UPDATE transfers SET updated_at = " + w.arg(toMicros(now)) + ", owner = " + w.arg(q.Owner) +
			", term = " + w.arg(q.Term) + ", attempt = attempt + 1"
		if q.SessionID != "" {
			set += ", session_id = " + w.arg(q.SessionID)
		}
		if q.To != "" {
			set += ", status = " + w.arg(string(q.To)) +
				", claimable = " + w.arg(claimable(some[0])) + ", due = " + w.arg(due(some[0]))
		}
		ids := make([]string, 0, mostOwned)
		for _, row := range some {
			ids = append(ids, row.ID)
		}
		w.in("id", fewLengths(ids))
		if err := t.later(set+" WHERE "+w.terms[0], w.args...); err != nil {
			return err
		}
	}
	for n, row := range rows {
		t.note(&before[n], row)
		if row.Status == before[n].Status {
			continue
		}
		if err := t.statusEvent(now, before[n].Status, row); err != nil {
			return err
		}
	}
	return nil
}

// sameFlags reports that what is computed from two rows is the same.
func sameFlags(a, b *transfer.Transfer) bool { return claimable(a) == claimable(b) && due(a) == due(b) }

// mostOwned is how many rows one statement makes the claimer's.
const mostOwned = 32

// Claimable reports whether Claim would find something. It only reads.
func (s *Store) Claimable(ctx context.Context, now time.Time, q ClaimQuery) (bool, error) {
	if len(q.Statuses) == 0 {
		return false, nil
	}
	q.Limit = 1
	text, args := q.oldest(now, "1", "", false)
	var one int
	return s.scan(ctx, []any{&one}, text, args...)
}

// oldest reads columns of the rows that can be claimed: for each status the
// oldest, because then the index gives them at once however many wait. allowed
// asks also whether the term and the session go on.
func (q ClaimQuery) oldest(now time.Time, columns, lock string, allowed bool) (text string, args []any) {
	w := q.where(now)
	if allowed {
		w.mayOwn(q.Owner, q.Term, q.SessionID)
	}
	var parts []string
	for _, status := range q.Statuses {
		of := where{terms: slices.Clone(w.terms), args: w.args}
		of.equal("status", string(status))
		w.args = of.args
		// The order is that of the index, so that it is the one that is taken.
		parts = append(parts, of.query("SELECT "+columns+" FROM transfers", "created_at, id", max(1, q.Limit))+lock)
	}
	if len(parts) == 1 {
		return parts[0], w.args
	}
	for n := range parts {
		parts[n] = "SELECT * FROM (" + parts[n] + ") AS s" + strconv.Itoa(n)
	}
	return strings.Join(parts, " UNION ALL "), w.args
}

// where is everything but the status.
func (q ClaimQuery) where(now time.Time) where {
	var w where
	switch {
	case q.Asked:
		w.add(openByAsk)
	case q.Institution != "":
		w.add(openByInstitution)
	default:
		w.add(openByStatus)
	}
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
	if q.NotAsked {
		w.add("ask = ''")
	}
	return w
}

// alone says that nobody else writes while this transaction is open.
func (t *tx) alone() bool { return t.dialect.lockRow == "" }

// mayOwn ends the write with CodeFenced where owner and session may take
// nothing: a later term has begun, the session was ended, by itself or by
// others, or the database was put into quarantine, which ends all sessions. One
// that is not there is perhaps of before a copy of the database was made.
func (t *tx) mayOwn(subject, owner string, term int64, sessionID string) error {
	if sessionID == "" {
		return t.inTerm(subject, owner, term)
	}
	if err := t.holdTerm(owner, false); err != nil {
		return err
	}
	var over, halted bool
	var closed int64
	return t.scanThen([]any{&over, &closed, &halted}, func(bool) error {
		if over || closed != 0 || halted {
			return fault.New(CodeFenced, subject)
		}
		return nil
	}, `SELECT EXISTS (SELECT 1 FROM instances WHERE id = $1 AND term > $2), coalesce((SELECT closed_at FROM sessions WHERE id = $3`+
		t.dialect.shareRow+`), 0), `+halt, owner, term, sessionID)
}

// mayOwn is the same as a condition of a statement, for who is alone. It is not
// about quarantine.
func (w *where) mayOwn(owner string, term int64, sessionID string) {
	w.add("NOT EXISTS (SELECT 1 FROM instances i WHERE i.id = " + w.arg(owner) + " AND i.term > " + w.arg(term) + ")")
	if sessionID != "" {
		w.add("NOT EXISTS (SELECT 1 FROM sessions s WHERE s.id = " + w.arg(sessionID) + " AND s.closed_at <> 0)")
	}
}
