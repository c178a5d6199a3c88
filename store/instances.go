package store

import (
	"context"
	"hash/crc32"
	"time"

	"pabal/internal/fault"
	"pabal/transfer"
)

// Instance is a running identity and the term of its present process.
type Instance struct {
	ID      string
	Term    int64
	Beat    time.Time
	Host    string
	PID     int
	Started time.Time
}

// Begin starts a new term of an instance. From then on every write of a
// process of an earlier term is fenced off. Sessions that an earlier process
// left open are closed with CodeSessionCut.
func (s *Store) Begin(ctx context.Context, now time.Time, instanceID, host string, pid int) (term int64, err error) {
	err = s.write(ctx, 0, func(tx *tx) error {
		if err := tx.holdTerm(instanceID, true); err != nil {
			return err
		}
		_, err := tx.scan([]any{&term}, `INSERT INTO instances (id, term, beat, host, pid, started) VALUES ($1, 1, $2, $3, $4, $2)
			ON CONFLICT (id) DO UPDATE SET term = instances.term + 1, beat = excluded.beat, host = excluded.host,
				pid = excluded.pid, started = excluded.started
			RETURNING term`, instanceID, toMicros(now), host, pid)
		if err != nil {
			return err
		}
		_, err = tx.exec(`UPDATE sessions SET closed_at = $1, error_code = $2 WHERE closed_at = 0 AND instance = $3`,
			toMicros(now), string(CodeSessionCut), instanceID)
		return err
	})
	return term, err
}

// Beat says that the instance lives. Errors: CodeFenced when its term is over.
func (s *Store) Beat(ctx context.Context, now time.Time, instanceID string, term int64) error {
	return s.write(ctx, 0, func(tx *tx) error {
		n, err := tx.exec(`UPDATE instances SET beat = $1 WHERE id = $2 AND term = $3`, toMicros(now), instanceID, term)
		if err == nil && n == 0 {
			err = fault.New(CodeFenced, instanceID)
		}
		return err
	})
}

// Instances reads all that ever began a term.
func (s *Store) Instances(ctx context.Context) ([]*Instance, error) {
	rows, err := s.query(ctx, `SELECT id, term, beat, host, pid, started FROM instances ORDER BY id`)
	if err != nil {
		return nil, err
	}
	all, err := readAll(rows, func(i *Instance) []column {
		return []column{{"id", &i.ID}, {"term", &i.Term}, {"beat", micros{&i.Beat}},
			{"host", &i.Host}, {"pid", &i.PID}, {"started", micros{&i.Started}}}
	})
	return all, s.engine.translate(err)
}

// holdTerm keeps an instance's term as it is until the transaction ends, or
// waits until nobody else does and keeps it for a change. A statement sees the
// database as it was when the statement began, so without this a write could
// look at the term, be overtaken by Begin, and be committed after it.
//
// It is the first lock that a transaction takes, so that no two can wait for
// each other. It is not the instance's row: its beat must never wait for writes.
func (t *tx) holdTerm(owner string, take bool) error {
	text := t.dialect.shareTerm
	if take {
		text = t.dialect.takeTerm
	}
	if text == "" || owner == "" {
		return nil
	}
	_, err := t.exec(text, int64(crc32.ChecksumIEEE([]byte(owner)))|termLocks)
	return err
}

// termLocks is the part of the lock's key that says what kind of lock it is.
const termLocks = int64(0x7061_6261) << 32 // "paba"

// inTerm is for writes that make somebody the owner: it fails with CodeFenced
// when a later term of that owner has begun.
func (t *tx) inTerm(subject, owner string, term int64) error {
	if err := t.holdTerm(owner, false); err != nil {
		return err
	}
	var one int
	over, err := t.scan([]any{&one}, `SELECT 1 FROM instances WHERE id = $1 AND term > $2`, owner, term)
	if err == nil && over {
		if subject == "" {
			subject = owner
		}
		err = fault.New(CodeFenced, subject)
	}
	return err
}

// Orphans reads what an earlier process of this instance left in hand: open
// rows with this owner and an earlier term, oldest first. What becomes of
// each is the instance's decision, see Reclaim.
func (s *Store) Orphans(ctx context.Context, instanceID string, term int64) ([]*transfer.Transfer, error) {
	var w where
	w.add("claimable = 1")
	w.add("owner = " + w.arg(instanceID))
	w.add("term < " + w.arg(term))
	return s.transfers(ctx, w, false, 0)
}

// Reclaim takes an orphan over into this term, raises its attempt, and lets f
// settle it: clear the owner and choose a status, as a rule. CodeFenced says
// that it is no orphan of this instance any more.
func (s *Store) Reclaim(ctx context.Context, now time.Time, instanceID string, term int64, id string, f func(*transfer.Transfer) error) (*transfer.Transfer, error) {
	var out *transfer.Transfer
	err := s.write(ctx, 0, func(tx *tx) error {
		if err := tx.inTerm(id, instanceID, term); err != nil {
			return err
		}
		t, err := tx.transfer(id)
		if err != nil {
			return err
		}
		if t.Owner != instanceID || t.Term >= term {
			return fault.New(CodeFenced, id)
		}
		attempt := t.Attempt + 1
		err = tx.change(now, t, func(t *transfer.Transfer) error {
			t.Owner, t.Term, t.Attempt = instanceID, term, attempt
			if f != nil {
				if err := f(t); err != nil {
					return err
				}
			}
			t.Term, t.Attempt = term, attempt
			return nil
		}, true)
		out = t
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
