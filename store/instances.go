package store

import (
	"cmp"
	"context"
	"hash/crc32"
	"strings"
	"time"

	"pabal/internal/fault"
	"pabal/transfer"
)

// Instance is a running identity and the term of its present process.
type Instance struct {
	ID      string
	Term    int64
	Beat    time.Time     // of the last beat, on the instance's own clock: for people
	Beats   int64         // how many beats this term had: for observers
	Lease   time.Duration // it is dead when it has not beaten for so long
	Host    string        // its place
	PID     int
	Started time.Time

	// Ended is when its last term was over, zero while it has one. EndedBy is
	// the instance that ended it: itself when it stopped, another that found
	// it dead.
	Ended   time.Time
	EndedBy string
}

// Lease is how long an instance of this process may go without a beat before
// others take over (design D4).
func (s *Store) Lease() time.Duration { return s.options.Lease }

// Sealed says that payload is encrypted before it is stored.
func (s *Store) Sealed() bool { return s.sealer.write != nil }

// Begin starts a new term of an instance, with this store's lease. From then
// on every write of an earlier term is fenced off. Sessions that an earlier
// term left open are closed with CodeSessionCut.
func (s *Store) Begin(ctx context.Context, now time.Time, instanceID, host string, pid int) (term int64, err error) {
	err = s.write(ctx, 0, func(tx *tx) error {
		if err := tx.holdTerm(instanceID, true); err != nil {
			return err
		}
		_, err := tx.scan([]any{&term}, `INSERT INTO instances (id, term, beat, host, pid, started, lease) VALUES ($1, 1, $2, $3, $4, $2, $5)
			ON CONFLICT (id) DO UPDATE SET term = instances.term + 1, beat = excluded.beat, host = excluded.host,
				pid = excluded.pid, started = excluded.started, lease = excluded.lease, beats = 0, ended = 0, ended_by = ''
			RETURNING term`, instanceID, toMicros(now), host, pid, s.options.Lease.Microseconds())
		if err != nil {
			return err
		}
		tx.written = append(tx.written, Written{Instance: instanceID, Term: term})
		return tx.cutSessions(now, instanceID)
	})
	return term, err
}

func (t *tx) cutSessions(now time.Time, instanceID string) error {
	return t.later(`UPDATE sessions SET closed_at = $1, error_code = $2 WHERE closed_at = 0 AND instance = $3`,
		toMicros(now), string(CodeSessionCut), instanceID)
}

// Beat says that the instance lives. Errors: CodeFenced when its term is over.
func (s *Store) Beat(ctx context.Context, now time.Time, instanceID string, term int64) error {
	return s.write(ctx, 0, func(tx *tx) error {
		n, err := tx.exec(`UPDATE instances SET beat = $1, beats = beats + 1 WHERE id = $2 AND term = $3`, toMicros(now), instanceID, term)
		if err == nil && n == 0 {
			err = fault.New(CodeFenced, instanceID)
		}
		return err
	})
}

// End ends the instance's own term, when it stops. What it still holds is then
// an orphan, see Orphans. A term that is over already stays as it is.
func (s *Store) End(ctx context.Context, now time.Time, instanceID string, term int64) error {
	_, err := s.endTerm(ctx, now, instanceID, instanceID, `id = $3 AND term = $4`, instanceID, term)
	return err
}

// Bury ends the term of an instance that by has found dead: one whose row is
// still what was seen before the lease time. From then on its writes are
// fenced off, its lines are free, and what it held are Orphans. False says
// that it lives, or that somebody else was faster.
func (s *Store) Bury(ctx context.Context, now time.Time, seen *Instance, by string) (bool, error) {
	return s.endTerm(ctx, now, seen.ID, by, `id = $3 AND term = $4 AND beats = $5`, seen.ID, seen.Term, seen.Beats)
}

// endTerm raises a term without anybody who has it.
func (s *Store) endTerm(ctx context.Context, now time.Time, instanceID, by, where string, args ...any) (ended bool, err error) {
	err = s.write(ctx, 0, func(tx *tx) error {
		// Its writes that have begun end first: after this none is committed.
		if err := tx.holdTerm(instanceID, true); err != nil {
			return err
		}
		n, err := tx.exec(`UPDATE instances SET term = term + 1, ended = $1, ended_by = $2 WHERE ended = 0 AND `+where,
			append([]any{toMicros(now), by}, args...)...)
		ended = n > 0
		if err != nil || !ended {
			return err
		}
		return tx.cutSessions(now, instanceID)
	})
	return ended, err
}

// Instances reads all that ever began a term.
func (s *Store) Instances(ctx context.Context) ([]*Instance, error) {
	rows, err := s.query(ctx, `SELECT id, term, beat, beats, lease, host, pid, started, ended, ended_by FROM instances ORDER BY id`)
	if err != nil {
		return nil, err
	}
	all, err := readAll(rows, func(i *Instance) []column {
		return []column{{"id", &i.ID}, {"term", &i.Term}, {"beat", micros{&i.Beat}}, {"beats", &i.Beats}, {"lease", &i.Lease},
			{"host", &i.Host}, {"pid", &i.PID}, {"started", micros{&i.Started}}, {"ended", micros{&i.Ended}}, {"ended_by", &i.EndedBy}}
	})
	for _, i := range all {
		i.Lease *= time.Microsecond
	}
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
	if !take && t.term == owner {
		return nil
	}
	t.term = owner
	return t.later(text, int64(crc32.ChecksumIEEE([]byte(owner)))|termLocks)
}

// termLocks is the part of the lock's key that says what kind of lock it is.
const termLocks = int64(0x7061_6261) << 32 // "paba"

// inTerm is for writes that make somebody the owner: it ends the write with
// CodeFenced when a later term of that owner has begun.
func (t *tx) inTerm(subject, owner string, term int64) error {
	if err := t.holdTerm(owner, false); err != nil {
		return err
	}
	var one int
	return t.scanThen([]any{&one}, func(over bool) error {
		if over {
			return fault.New(CodeFenced, cmp.Or(subject, owner))
		}
		return nil
	}, isOver, owner, term)
}

// termOver is true of a row whose owner has lost the term that it took it in.
const termOver = `EXISTS (SELECT 1 FROM instances i WHERE i.id = owner AND i.term > `

// Orphans reads what terms that are over have left in hand, whoever's they
// were: open rows with an owner that can write to them no more, oldest first.
// What becomes of each is the instance's decision, see Reclaim.
func (s *Store) Orphans(ctx context.Context) ([]*transfer.Transfer, error) {
	// The terms that are over, each by the index of what is owned. A join of the
	// two and nothing more: PostgreSQL may think that one row is open when there are
	// thousands, and must have no way to compare each with each.
	return list(ctx, s, "SELECT t."+strings.Join(transferNames, ", t.")+` FROM instances i CROSS JOIN transfers t
		WHERE `+openInHand+` AND t.owner = i.id AND t.term < i.term AND i.id > '' ORDER BY t.created_at, t.id`, nil, transferColumns)
}

// Owned reads the open rows that an instance holds in one of its terms, oldest
// first.
func (s *Store) Owned(ctx context.Context, owner string, term int64) ([]*transfer.Transfer, error) {
	var w where
	w.add(openInHand)
	w.add("owner = " + w.arg(owner))
	w.add("term = " + w.arg(term))
	return s.transfers(ctx, w, false, 0)
}

// Reclaim takes an orphan, as ref says that it was seen, from its owner and
// lets f choose what becomes of it. Nobody owns it then, and its attempt is
// raised. CodeFenced says that it is no orphan any more: somebody else was
// faster.
func (s *Store) Reclaim(ctx context.Context, now time.Time, ref transfer.Ref, f func(*transfer.Transfer) error) (*transfer.Transfer, error) {
	var out *transfer.Transfer
	err := s.write(ctx, 0, func(tx *tx) error {
		t, err := tx.transfer(ref.ID)
		if err != nil {
			return err
		}
		over, err := tx.termOver(ref.Owner, ref.Term)
		if err == nil && (!over || t.Ref() != ref) {
			err = fault.New(CodeFenced, ref.ID)
		}
		if err != nil {
			return err
		}
		out = t
		return tx.takeAway(now, t, f)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// takeAway ends the ownership of a row that was just read.
func (t *tx) takeAway(now time.Time, row *transfer.Transfer, f func(*transfer.Transfer) error) error {
	attempt := row.Attempt + 1
	return t.change(now, row, func(row *transfer.Transfer) error {
		if f != nil {
			if err := f(row); err != nil {
				return err
			}
		}
		row.Owner, row.Attempt = "", attempt
		return nil
	}, true)
}
