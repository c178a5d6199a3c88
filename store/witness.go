package store

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"time"

	"pabal/internal/fault"
	"pabal/transfer"
)

// Witness is who remembers what was written from a place, outside the
// database, so that an older copy of the database is recognised when somebody
// puts one in its place. Its methods are called by many at once and must not
// wait for a disk: Wrote is called after every commit, before its writer goes on.
type Witness interface {
	// Mark is what was written last, as far as it knows.
	Mark() Mark
	// Wrote tells of what a transaction has written and is durable now.
	Wrote(written []Written)
	// Trust says that the database is the one of m from here on.
	Trust(m Mark)
	// Distrust says that the database was found to be another or an older
	// one: what comes after is about that one. id is the quarantine's.
	Distrust(id string)
}

// Written is an event that was committed, or a term that began.
type Written struct {
	Event transfer.Event
	Row   *transfer.Transfer // as it was written with the event; nil if the event changed no status

	Instance string
	Term     int64
}

// Mark is by what a database is recognised: it has this name, no instance of
// it is in an earlier term, and it has this event.
type Mark struct {
	Identity string // "" = nothing was remembered yet
	Terms    map[string]int64
	Event    transfer.Event // ID 0 = none
}

// Why a database is in quarantine.
const (
	WhyOther     = "other_database" // its name is another
	WhyOlderTerm = "older_term"     // an instance of it is in an earlier term than was seen
	WhyOlder     = "older_event"    // an event is not there that was committed before
)

// Quarantine is the state of a database that is not what some place remembers
// of it. Nothing is claimed while it lasts.
type Quarantine struct {
	ID    string    `json:"id"`
	Since time.Time `json:"since"`
	Place string    `json:"place"` // who found it
	Why   string    `json:"why"`
	// Compared are the places that have held the rows against what they
	// remember, with the number of things that nobody has explained yet.
	Compared map[string]int `json:"compared,omitempty"`
}

const metaQuarantine = "quarantine"

// EventQuarantine is the kind of the events that tell of its begin and end.
const EventQuarantine = "quarantine"

// Quarantine reads why the database is in quarantine; nil if it is not.
func (s *Store) Quarantine(ctx context.Context) (*Quarantine, error) {
	text, there, err := s.Meta(ctx, metaQuarantine)
	if err != nil || !there {
		return nil, err
	}
	return readQuarantine(text), nil
}

// readQuarantine keeps one that cannot be read a quarantine.
func readQuarantine(text string) *Quarantine {
	q := new(Quarantine)
	if json.Unmarshal([]byte(text), q) != nil {
		return &Quarantine{ID: "-", Why: WhyOther}
	}
	return q
}

// Unsure reports that the database has not been recognised since it was opened
// or since the last connection to it was made. Reads and writes fail with
// CodeUnrecognised until Recognise has been called.
func (s *Store) Unsure() bool { return s.unsure.Load() }

// believed lets the calls of ctx through to a database that is not recognised.
func believed(ctx context.Context) context.Context { return context.WithValue(ctx, believe{}, true) }

type believe struct{}

func (s *Store) recognised(ctx context.Context) error {
	if s.unsure.Load() && ctx.Value(believe{}) == nil {
		return fault.New(CodeUnrecognised, s.engine.name())
	}
	return nil
}

// Recognise holds the database against what the place remembers. One that is
// older or another is put into quarantine, in one transaction: a row that says
// so, and every transfer that is under way held, with what it was before. A
// crash before that transaction leaves a database that the next call finds
// again. The result is the quarantine, nil if there is none.
func (s *Store) Recognise(ctx context.Context, now time.Time, place string) (*Quarantine, error) {
	ctx = believed(ctx)
	w := s.options.Witness
	if w == nil {
		return s.Quarantine(ctx)
	}
	remembered := w.Mark()
	found, there, err := s.mark(ctx, remembered.Event)
	if err != nil {
		return nil, err
	}
	why := remembered.differs(found, there)
	if why == "" {
		q, err := s.Quarantine(ctx)
		if err != nil {
			return nil, err
		}
		if q != nil {
			w.Distrust(q.ID) // found by another place
		}
		if remembered.Identity == "" {
			w.Trust(found)
		}
		s.unsure.Store(false)
		return q, nil
	}
	q := &Quarantine{ID: NewID(now), Since: normalTime(now), Place: place, Why: why}
	w.Distrust(q.ID)
	err = s.write(ctx, 0, func(tx *tx) error {
		text, err := json.Marshal(q)
		if err != nil {
			return err
		}
		if _, err := tx.exec(`INSERT INTO meta (name, value) VALUES ($1, $2)
			ON CONFLICT (name) DO UPDATE SET value = excluded.value`, metaQuarantine, string(text)); err != nil {
			return err
		}
		// A process that works on must not share its term with the next one.
		for id, term := range remembered.Terms {
			found.Terms[id] = max(found.Terms[id], term)
			if _, err := tx.exec(`INSERT INTO instances (id, term, beat, host, pid, started) VALUES ($1, $2, 0, '', 0, 0)
				ON CONFLICT (id) DO UPDATE SET term = excluded.term, ended = 0, ended_by = '' WHERE instances.term < excluded.term`, id, term); err != nil {
				return err
			}
		}
		return tx.holdAll(now, q)
	})
	if err != nil {
		return nil, err
	}
	event := w.Mark().Event // the one of the quarantine, or a later one
	found.Event = event
	w.Trust(found)
	s.unsure.Store(false)
	return q, nil
}

// mark reads by what the database is recognised, and whether it has the event.
func (s *Store) mark(ctx context.Context, event transfer.Event) (Mark, bool, error) {
	m := Mark{Terms: map[string]int64{}}
	var err error
	if m.Identity, err = s.Identity(ctx); err != nil {
		return m, false, err
	}
	all, err := s.Instances(ctx)
	if err != nil {
		return m, false, err
	}
	for _, i := range all {
		m.Terms[i.ID] = i.Term
	}
	if event.ID == 0 {
		return m, true, nil
	}
	var one int
	there, err := s.scan(ctx, []any{&one}, sameEvent, eventKey(event)...)
	if err != nil || there {
		return m, there, err
	}
	// Deleted as too old is not absent. A copy from before the event cannot
	// have forgotten up to a time after it.
	until, err := s.Forgotten(ctx)
	return m, event.At.Before(until), err
}

const metaForgotten = "history_until"

// Forgotten is the time up to which history, and rows of transfers, may have
// been deleted; zero if never.
func (s *Store) Forgotten(ctx context.Context) (time.Time, error) {
	text, there, err := s.Meta(ctx, metaForgotten)
	if err != nil || !there {
		return time.Time{}, err
	}
	micros, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, nil // a note that nobody can read proves nothing
	}
	return fromMicros(micros), nil
}

// forget notes up to when history is deleted in this transaction. The numbers
// have as many digits until the year 2286, so they compare as text.
func (t *tx) forget(before time.Time) error {
	_, err := t.exec(`INSERT INTO meta (name, value) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE meta.value < excluded.value`,
		metaForgotten, strconv.FormatInt(toMicros(before), 10))
	return err
}

const sameEvent = `SELECT 1 FROM events WHERE id = $1 AND at = $2 AND transfer_id = $3 AND kind = $4 AND from_status = $5 AND to_status = $6`

func eventKey(e transfer.Event) []any {
	return []any{e.ID, toMicros(e.At), e.TransferID, e.Kind, string(e.From), string(e.To)}
}

// differs says why a database is not the one that is remembered.
func (m Mark) differs(found Mark, event bool) string {
	switch {
	case m.Identity == "":
		return ""
	case m.Identity != found.Identity:
		return WhyOther
	case !event:
		return WhyOlder
	}
	for id, term := range m.Terms {
		if found.Terms[id] < term {
			return WhyOlderTerm
		}
	}
	return ""
}

// underWay are the transfers that a quarantine holds: neither at their end nor
// held by a person already. A question to the peer about a finished one waits
// by itself, because nothing is claimed.
const underWay = openByStatus + ` AND status NOT IN
	('held', 'sent', 'assembled', 'delivered', 'refused', 'failed', 'cancelled', 'abandoned', 'duplicate')`

func (t *tx) holdAll(now time.Time, q *Quarantine) error {
	why := fault.New(CodeHeldThen, "", "since", q.Since.Format(time.RFC3339))
	if t.dialect.lockRow != "" { // or a row could change between the two statements
		if _, err := t.exec(`SELECT 1 FROM transfers WHERE ` + underWay + ` ORDER BY id` + t.dialect.lockRow); err != nil {
			return err
		}
	}
	if _, err := t.exec(`INSERT INTO events (at, transfer_id, session_id, kind, from_status, to_status, code, detail)
		SELECT CAST($1 AS BIGINT), id, '', '`+EventStatus+`', status, 'held', CAST($2 AS TEXT), CAST($3 AS TEXT) FROM transfers WHERE `+underWay,
		toMicros(now), string(why.Code), why.Detail()); err != nil {
		return err
	}
	// What waits for a second person in the copy may have been carried out since.
	if _, err := t.exec(`UPDATE requests SET expires_at = $1 WHERE state = 'pending' AND expires_at > $1`, toMicros(now)); err != nil {
		return err
	}
	// All of what was on the line may have reached the peer.
	n, err := t.exec(`UPDATE transfers SET held_from = status, status = 'held', owner = '', session_id = '', attempt = attempt + 1,
		sent_bytes = CASE WHEN status IN ('sending', 'ending') THEN wire_size ELSE sent_bytes END,
		error_code = $1, error_detail = $2, updated_at = $3 WHERE `+underWay, string(why.Code), why.Detail(), toMicros(now))
	if err != nil {
		return err
	}
	return t.event(now, transfer.Event{Kind: EventQuarantine, Code: string(why.Code),
		Detail: fault.New("", q.Place, "why", q.Why, "held", n).Detail()})
}

// Compared notes that a place has held the rows against what it remembers.
func (s *Store) Compared(ctx context.Context, place string, unexplained int) error {
	return s.write(ctx, 0, func(tx *tx) error {
		q, err := tx.quarantine()
		if err != nil || q == nil {
			return err
		}
		if q.Compared == nil {
			q.Compared = map[string]int{}
		}
		q.Compared[place] = unexplained
		text, err := json.Marshal(q)
		if err != nil {
			return err
		}
		_, err = tx.exec(`UPDATE meta SET value = $2 WHERE name = $1`, metaQuarantine, string(text))
		return err
	})
}

func (t *tx) quarantine() (*Quarantine, error) {
	var text string
	there, err := t.scan([]any{&text}, `SELECT value FROM meta WHERE name = $1`+t.dialect.lockRow, metaQuarantine)
	if err != nil || !there {
		return nil, err
	}
	return readQuarantine(text), nil
}

// noQuarantine fails with CodeQuarantined while the database is in quarantine.
func (t *tx) noQuarantine(subject string) error {
	q, err := t.quarantine()
	if err != nil {
		return err
	}
	return quarantined(q, subject)
}

func quarantined(q *Quarantine, subject string) error {
	if q == nil {
		return nil
	}
	return fault.New(CodeQuarantined, subject, "since", q.Since.Format(time.RFC3339))
}

// EndQuarantine lets the stages work again, as a command. What was held stays
// held. allowed may refuse, with what the row says at that moment.
// Errors: allowed's, CodeNoQuarantine.
func (s *Store) EndQuarantine(ctx context.Context, now time.Time, c transfer.Command, allowed func(*Quarantine) error) error {
	return s.write(ctx, 0, func(tx *tx) error {
		q, err := tx.quarantine()
		switch {
		case err != nil:
			return err
		case q == nil && tx.again:
			return nil // a run before this one was committed after all
		case q == nil:
			return fault.New(CodeNoQuarantine, s.engine.name())
		}
		if err := allowed(q); err != nil {
			return err
		}
		if _, err := tx.exec(`DELETE FROM meta WHERE name = $1`, metaQuarantine); err != nil {
			return err
		}
		c := c
		c.At = normalTime(now)
		if err := tx.command(&c); err != nil {
			return err
		}
		tx.work = true
		return tx.event(now, transfer.Event{Kind: EventQuarantine, Detail: fault.New("", "", "ended", "yes").Detail()})
	})
}

// Establish is Command for what is proven from outside the database: the row
// is made what f makes of it, whatever moves are legal. Without a row of that
// ID f is given an empty one, which is created.
func (s *Store) Establish(ctx context.Context, now time.Time, c transfer.Command, f func(*transfer.Transfer) error) (*transfer.Transfer, error) {
	now = normalTime(now)
	var out *transfer.Transfer
	err := s.write(ctx, 0, func(tx *tx) error {
		row, err := tx.transfer(c.TransferID)
		made := errors.Is(err, ErrNotFound)
		if made {
			row = &transfer.Transfer{ID: c.TransferID}
		} else if err != nil {
			return err
		}
		before := *row
		if err := f(row); err != nil {
			return err
		}
		row.Owner, row.Attempt, row.UpdatedAt = "", before.Attempt+1, now
		if made && row.CreatedAt.IsZero() {
			row.CreatedAt = now
		}
		normal(row)
		if made {
			err = tx.create(now, row, nil)
		} else if err = tx.update(&before, row, false, nil); err == nil && row.Status != before.Status {
			err = tx.statusEvent(now, before.Status, row)
		}
		if err != nil {
			return err
		}
		tx.note(&before, row)
		c := c
		c.At, c.Before, c.After = now, before.Status, row.Status
		c.BeforeFields, c.AfterFields = changed(&before, row)
		out = row
		return tx.command(&c)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// tell lets the witness know what was committed. It leaves out an event whose id is not known, after a commit whose answer was
// lost: to the witness that is as if this process had died after the commit.
func (s *Store) tell(written []Written) {
	written = slices.DeleteFunc(written, func(w Written) bool { return w.Instance == "" && w.Event.ID == 0 })
	if w := s.options.Witness; w != nil && len(written) > 0 {
		w.Wrote(written)
	}
}

// With is m after something was written.
func (m Mark) With(w Written) Mark {
	if w.Event.ID > 0 {
		m.Event = w.Event
	}
	if w.Instance != "" {
		m.Terms = maps.Clone(m.Terms)
		if m.Terms == nil {
			m.Terms = map[string]int64{}
		}
		m.Terms[w.Instance] = max(m.Terms[w.Instance], w.Term)
	}
	return m
}
