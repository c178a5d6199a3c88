package store

import (
	"context"
	"encoding/json"
	"time"

	"pabal/transfer"
)

// Kinds of events that this package writes.
const (
	EventStatus   = "status"    // every change of status
	EventTakeOver = "take_over" // a new session of the same peer went on
	EventBackup   = "backup"    // the file stands in the backup directory
	EventRelease  = "release"   // the payload was deleted
)

// Event writes an entry of a transfer's or session's history. At, if zero,
// becomes now; Detail must be a JSON object or empty.
func (s *Store) Event(ctx context.Context, now time.Time, e transfer.Event) error {
	return s.write(ctx, 0, func(tx *tx) error { return tx.event(now, e) })
}

func (t *tx) event(now time.Time, e transfer.Event) error { return t.eventOf(now, e, nil) }

// eventOf notes an event, with the row that is written with it for the
// witness. It is written by putEvents, many with one statement.
func (t *tx) eventOf(now time.Time, e transfer.Event, row *transfer.Transfer) error {
	if e.At.IsZero() {
		e.At = now
	}
	e.At = normalTime(e.At)
	if err := checkText(refs(eventColumns(&e))); err != nil {
		return err // of the write that it belongs to
	}
	w := Written{Event: e}
	if row != nil {
		copied := *row
		w.Row = &copied
	}
	t.written = append(t.written, w)
	return nil
}

// putEvents writes the events that a write has noted, in their order. It is
// the last that happens in the write; where others share its transaction, one
// statement is for all of them.
func (t *tx) putEvents() error {
	due := make([]*transfer.Event, 0, len(t.written))
	for n := range t.written {
		if w := &t.written[n]; w.Instance == "" {
			due = append(due, &w.Event)
		}
	}
	if t.shared {
		t.events = due
		return nil
	}
	return t.insertEvents(due)
}

func (t *tx) insertEvents(due []*transfer.Event) error {
	for len(due) > 0 {
		some := due[:min(len(due), len(eventInserts))]
		due = due[len(some):]
		var args []any
		for _, e := range some {
			args = append(args, refs(eventColumns(e))[1:]...)
		}
		err := t.insert(func(ids []int64) {
			for k, id := range ids {
				some[k].ID = id
			}
		}, eventInserts[len(some)-1], args...)
		if err != nil {
			return err
		}
	}
	return nil
}

// EventFilter says which events to read. Empty fields do not restrict.
type EventFilter struct {
	TransferID string
	SessionID  string
	Kind       string
	Since      time.Time
	Until      time.Time
	// AfterID reads those written later than one that was seen. For watching
	// on a screen only: work is claimed by state, never by highest id, because
	// ids become visible out of order when several hosts write (design D6).
	AfterID     int64
	Limit       int
	NewestFirst bool
}

// Events reads the events that match, in the order they were written.
func (s *Store) Events(ctx context.Context, f EventFilter) ([]*transfer.Event, error) {
	var w where
	w.equal("transfer_id", f.TransferID)
	w.equal("session_id", f.SessionID)
	w.equal("kind", f.Kind)
	w.times("at", f.Since, f.Until)
	if f.AfterID > 0 {
		w.add("id > " + w.arg(f.AfterID))
	}
	return list(ctx, s, w.query("SELECT "+eventList+" FROM events", byID(f.NewestFirst), f.Limit), w.args, eventColumns)
}

func byID(newestFirst bool) string {
	if newestFirst {
		return "id DESC"
	}
	return "id"
}

// OpenSession writes a session that has begun. An empty ID is filled in, and
// OpenedAt, if zero, becomes now.
func (s *Store) OpenSession(ctx context.Context, now time.Time, session *transfer.Session) error {
	fillSession(now, session)
	return s.write(ctx, 0, func(tx *tx) error {
		return tx.later(sessionInsert, refs(sessionColumns(session))...)
	})
}

func fillSession(now time.Time, session *transfer.Session) {
	if session.ID == "" {
		session.ID = NewID(now)
	}
	if session.OpenedAt.IsZero() {
		session.OpenedAt = normalTime(now)
	}
}

// CloseSession writes the whole session and frees its line. ClosedAt, if zero,
// becomes now. term is that of its instance in which it was opened: as long as
// it goes on the session has the last word on itself, also where its row was
// closed on its behalf because a newer one needed the line, see OpenLine. Errors:
// CodeFenced when the term is over; the row stays as it was closed then.
func (s *Store) CloseSession(ctx context.Context, now time.Time, term int64, session *transfer.Session) error {
	if session.ClosedAt.IsZero() {
		session.ClosedAt = normalTime(now)
	}
	return s.write(ctx, 0, func(tx *tx) error {
		if err := tx.inTerm(session.ID, session.Instance, term); err != nil {
			return err
		}
		if err := tx.later(`DELETE FROM lines WHERE session_id = $1`, session.ID); err != nil {
			return err
		}
		return tx.later(sessionUpdate, refs(sessionColumns(session))...)
	})
}

// SessionFilter says which sessions to read. Empty fields do not restrict.
type SessionFilter struct {
	ID          string
	Institution string
	Instance    string
	OpenOnly    bool
	Failed      bool      // closed with a fault, or a file was refused in it
	IDs         []string  // none = any
	Since       time.Time // opened at or after
	Until       time.Time // opened before
	Limit       int
	NewestFirst bool
}

// Sessions reads the sessions that match, by the time they were opened.
func (s *Store) Sessions(ctx context.Context, f SessionFilter) ([]*transfer.Session, error) {
	var w where
	w.equal("id", f.ID)
	w.equal("institution", f.Institution)
	w.equal("instance", f.Instance)
	w.times("opened_at", f.Since, f.Until)
	if f.OpenOnly {
		w.add("closed_at = 0")
	}
	if f.Failed {
		w.add("(error_code <> '' OR id IN (SELECT session_id FROM events WHERE " + refusals + "))")
	}
	w.in("id", f.IDs)
	order := "opened_at, id"
	if f.NewestFirst {
		order = "opened_at DESC, id DESC"
	}
	return list(ctx, s, w.query("SELECT "+sessionList+" FROM sessions", order, f.Limit), w.args, sessionColumns)
}

func list[T any](ctx context.Context, s *Store, text string, args []any, columns func(*T) []column) ([]*T, error) {
	rows, err := s.query(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	all, err := readAll(rows, columns)
	return all, s.engine.translate(err)
}

// detail makes the JSON object of an event.
func detail(name, value string) string {
	b, _ := json.Marshal(map[string]string{name: value}) // strings cannot fail
	return string(b)
}
