package store

import (
	"context"
	"slices"
	"time"

	"pabal/internal/fault"
	"pabal/transfer"
)

// This file deletes what nobody needs any more, in steps of one short
// transaction each, so that writers get their turn between two. A crash
// between any two steps leaves a state in which the next call goes on.
// In quarantine nothing is deleted (CodeQuarantined): what the rows say is old
// may be all that is left of what the database has lost.

const (
	purgeTransfers = 64  // looked at in one step of Purge
	expireRows     = 500 // rows of history in one step
)

// Release deletes the payload of a transfer that is final, in small steps, and
// notes when it began (ReleasedAt) and when nothing was left (PurgedAt). A file
// that was kept for it alone goes too; one of the business side is not touched.
// Row, history and digests stay. It can be repeated after a crash. Errors:
// CodeNotFound, CodeNotFinal (arg status).
func (s *Store) Release(ctx context.Context, now time.Time, id string) error {
	fileGone := false
	for {
		var t *transfer.Transfer
		err := s.write(ctx, groupPayload, func(tx *tx) (err error) {
			if err := tx.noQuarantine(id); err != nil {
				return err
			}
			if t, err = tx.transfer(id); err != nil {
				return err
			}
			// Asked again in each step: a person may have asked to send it again.
			if !t.Status.Final() {
				return fault.New(CodeNotFinal, id, "status", t.Status)
			}
			_, err = tx.release(now, t, fileGone)
			return err
		})
		if err != nil || !t.PurgedAt.IsZero() {
			return err
		}
		if err := removeFile(t); err != nil {
			return err
		}
		fileGone = true
	}
}

// release deletes up to dropStep blocks and returns how many. The first step
// notes that payload is no longer to be used, so that payload of which a part is
// gone never passes for whole. The last one notes that nothing is left; where a
// file is kept for the payload that is only after somebody has removed it, which
// nobody does before the first note is durable.
func (t *tx) release(now time.Time, row *transfer.Transfer, fileGone bool) (int64, error) {
	n, err := t.deleteBlocks(row.ID, 1)
	if err != nil {
		return 0, err
	}
	if row.ReleasedAt.IsZero() {
		if err := t.event(now, transfer.Event{TransferID: row.ID, Kind: EventRelease}); err != nil {
			return 0, err
		}
	}
	return n, t.change(now, row, func(r *transfer.Transfer) error {
		if r.ReleasedAt.IsZero() {
			r.ReleasedAt = now
		}
		if n < dropStep && (fileGone || !ownFile(r)) {
			r.PurgedAt = now
		}
		return nil
	}, false)
}

// purgeRule says of which transfers that ended before $1 the payload is of no use
// to anybody: no stage and no person wants anything of them, and a file that was
// sent stands in backup/ with its digest known, so that it can be sent again
// (without a wire digest it never was whole); one that was received stands under
// its name. A received file that failed keeps its payload, which is all there is
// of it, until a person has cancelled it. Half a deletion is always finished.
const purgeRule = `claimable = 0 AND purged_at = 0 AND owner = '' AND ask = '' AND (released_at > 0
	OR ended_at < $1 AND updated_at < $1 AND (
		status IN ('assembled', 'delivered') AND final_path <> '' AND file_digest <> ''
		OR status IN ('refused', 'abandoned', 'duplicate')
		OR status = 'cancelled' AND direction = 'receive'
		OR status IN ('sent', 'failed', 'cancelled') AND direction = 'send'
			AND (wire_digest = '' OR backed_up_at > 0 AND work_path = '' AND file_digest <> '')))`

// Purge deletes, in one transaction, payload of transfers that ended before a
// time, as much as one step takes. It returns the transfers of which nothing
// is left now, and whether there is more to do. Call it until there is not; any
// number of processes may. It looks at each row again under its lock, so what a
// person wants sent again at this moment stays.
func (s *Store) Purge(ctx context.Context, now, before time.Time) (done []string, more bool, err error) {
	const (
		from  = `SELECT id FROM transfers WHERE ` + purgeRule
		begun = from + ` AND released_at > 0 ORDER BY released_at LIMIT $2`
		ended = from + ` AND released_at = 0 AND ended_at < $1 ORDER BY ended_at LIMIT $2`
	)
	ids, err := s.ids(ctx, begun, toMicros(before), purgeTransfers)
	if err == nil && len(ids) == 0 {
		ids, err = s.ids(ctx, ended, toMicros(before), purgeTransfers)
	}
	if err != nil || len(ids) == 0 {
		return nil, false, err
	}
	q, err := s.Quarantine(ctx) // before a file goes
	if err == nil {
		err = quarantined(q, "payload")
	}
	if err != nil {
		return nil, false, err
	}
	slices.Sort(ids) // several processes lock them in one order
	filesGone, err := s.removeFiles(ctx, ids)
	if err != nil {
		return nil, false, err
	}
	err = s.write(ctx, groupPayload, func(tx *tx) error {
		done, more = nil, false
		if err := tx.noQuarantine("payload"); err != nil {
			return err
		}
		deleted := int64(0)
		for _, id := range ids {
			t := new(transfer.Transfer)
			ok, err := tx.scan(refs(transferColumns(t)), "SELECT "+transferList+" FROM transfers WHERE id = $2 AND "+purgeRule+tx.dialect.lockRow,
				toMicros(before), id)
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
			n, err := tx.release(now, t, filesGone[id])
			if err != nil {
				return err
			}
			more = true
			if !t.PurgedAt.IsZero() {
				done = append(done, id)
			}
			if deleted += n; deleted >= dropStep {
				return nil
			}
		}
		return nil
	})
	if err != nil {
		return nil, false, err
	}
	return done, more, nil
}

// removeFiles removes the files that were kept for payload of which it is noted
// that nobody is to use it, and says whose.
func (s *Store) removeFiles(ctx context.Context, ids []string) (map[string]bool, error) {
	gone := map[string]bool{}
	for _, id := range ids {
		t, err := s.Transfer(ctx, id)
		if fault.CodeOf(err) == CodeNotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		if t.ReleasedAt.IsZero() || !ownFile(t) {
			continue
		}
		if err := removeFile(t); err != nil {
			return nil, err
		}
		gone[id] = true
	}
	return gone, nil
}

func (s *Store) ids(ctx context.Context, text string, args ...any) ([]string, error) {
	rows, err := s.query(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ids []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, s.engine.translate(err)
		}
		ids = append(ids, id)
	}
	return ids, s.engine.translate(rows.Err())
}

// ExpireTransfers deletes one step of the rows of transfers that were made and
// last touched before a time, are final and have no payload left, with their
// events. Commands stay: they are the audit. Whoever is sent or sends a file of
// the same name after that is a stranger, so the time must be longer than
// anybody comes back with an old file. It reports whether there is more.
func (s *Store) ExpireTransfers(ctx context.Context, before time.Time) (n int64, more bool, err error) {
	const which = `SELECT id FROM transfers WHERE ` + byTime + ` AND created_at < $1 AND updated_at < $1 AND claimable = 0
		AND purged_at > 0 AND work_path = '' AND owner = '' AND ask = '' ORDER BY created_at, id LIMIT 50`
	if ids, err := s.ids(ctx, which, toMicros(before)); err != nil || len(ids) == 0 {
		return 0, false, err
	}
	err = s.write(ctx, 0, func(tx *tx) error {
		if err := tx.noQuarantine("transfers"); err != nil {
			return err
		}
		if err := tx.forget(before); err != nil {
			return err
		}
		if _, err := tx.exec(`DELETE FROM events WHERE transfer_id IN (`+which+`)`, toMicros(before)); err != nil {
			return err
		}
		n, err = tx.exec(`DELETE FROM transfers WHERE id IN (`+which+`)`, toMicros(before))
		return err
	})
	return n, err == nil && n > 0, err
}

// ExpireEvents deletes one step of the events from before a time, except those
// of transfers that are still under way. after is 0 for the first step, then
// what the last one returned as next; 0 means that there is no more.
func (s *Store) ExpireEvents(ctx context.Context, before time.Time, after int64) (n, next int64, err error) {
	// Ids go with the time, so the old ones are the first.
	var oldest int64
	_, err = s.scan(ctx, []any{&next, &oldest}, `SELECT COALESCE(max(id), 0), COALESCE(min(at), 0)
		FROM (SELECT id, at FROM events WHERE id > $1 ORDER BY id LIMIT $2) AS step`, after, expireRows)
	if err != nil || next == 0 || oldest >= toMicros(before) {
		return 0, 0, err
	}
	err = s.write(ctx, 0, func(tx *tx) (err error) {
		if err := tx.noQuarantine("events"); err != nil {
			return err
		}
		if err := tx.forget(before); err != nil {
			return err
		}
		n, err = tx.exec(`DELETE FROM events WHERE id > $1 AND id <= $2 AND at < $3
			AND NOT EXISTS (SELECT 1 FROM transfers t WHERE t.id = events.transfer_id AND t.claimable = 1)`, after, next, toMicros(before))
		return err
	})
	return n, next, err
}

// ExpireSessions deletes one step of the sessions that were closed before a
// time, and reports whether there is more.
func (s *Store) ExpireSessions(ctx context.Context, before time.Time) (n int64, more bool, err error) {
	const which = `SELECT id FROM sessions WHERE opened_at < $1 AND closed_at > 0 AND closed_at < $1 ORDER BY opened_at LIMIT 500`
	if ids, err := s.ids(ctx, which, toMicros(before)); err != nil || len(ids) == 0 {
		return 0, false, err
	}
	err = s.write(ctx, 0, func(tx *tx) error {
		if err := tx.noQuarantine("sessions"); err != nil {
			return err
		}
		n, err = tx.exec(`DELETE FROM sessions WHERE id IN (`+which+`)`, toMicros(before))
		return err
	})
	return n, err == nil && n > 0, err
}

// Turn gives one of all processes the turn at something that is done from time
// to time, at most once in every. It only spares work: what is done must bear
// being done twice, because clocks differ and a holder may die. In quarantine
// nobody has a turn.
func (s *Store) Turn(ctx context.Context, now time.Time, name string, every time.Duration) (bool, error) {
	var n int64
	err := s.write(ctx, 0, func(tx *tx) (err error) {
		if halted, err := tx.halted(); err != nil || halted {
			return err
		}
		// One that is far ahead was noted by a clock that was set back since.
		n, err = tx.exec(`INSERT INTO windows (name, last_try, last_success, updated_at) VALUES ($1, $2, 0, $2)
			ON CONFLICT (name) DO UPDATE SET last_try = excluded.last_try, updated_at = excluded.updated_at
			WHERE windows.last_try <= $3 OR windows.last_try > $4`,
			name, toMicros(now), toMicros(now.Add(-every)), toMicros(now.Add(every)))
		return err
	})
	return n > 0, err
}
