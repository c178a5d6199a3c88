package store

import (
	"context"
	"slices"
	"time"

	"pabal/internal/fault"
	"pabal/transfer"
)

// Line is a session that is open with a counterparty, on one of its lines.
// Rows of terms that are over are none.
type Line struct {
	Institution string
	Direction   string // LineSend, LineReceive or LineBoth
	Slot        int    // from 1
	SessionID   string
	Owner       string // the instance that holds the session
	Term        int64
	TakenAt     time.Time
}

// Directions of lines. A counterparty whose opening does not say which way
// files will go has lines for both.
const (
	LineSend    = "send"
	LineReceive = "receive"
	LineBoth    = "both"
)

func lineColumns(l *Line) []column {
	return []column{{"institution", &l.Institution}, {"direction", &l.Direction}, {"slot", &l.Slot}, {"session_id", &l.SessionID},
		{"owner", &l.Owner}, {"term", &l.Term}, {"taken_at", micros{&l.TakenAt}}}
}

const (
	lineList = `institution, direction, slot, session_id, owner, term, taken_at`
	lineLive = `NOT ` + termOver + `lines.term)`
)

// Opening is a session that is about to open on a line (design D4: sessions
// with a counterparty are limited over all instances together).
type Opening struct {
	Session   *transfer.Session // filled in as by OpenSession; Instance is the owner
	Term      int64             // of the owner
	Direction string            // of the line
	Most      int               // lines of this direction, at least 1

	// Newest is for a session that the counterparty has opened and proven:
	// where no line is free the oldest session is ended, because it is mostly
	// a connection that died without anybody's hearing it. Its row is closed with
	// Why, until it says itself how it ended, see CloseSession, and Settle says
	// what becomes of what it had in hand.
	Newest bool
	Why    fault.Code
	Settle func(*transfer.Transfer) error
}

// OpenLine takes a line and writes the session's row, at once. It returns the
// sessions that were ended for it, which may be other processes'. From then on
// they claim and begin nothing, and what they held is no longer theirs.
// Errors: CodeLineTaken when all lines are taken, CodeFenced, CodeQuarantined.
func (s *Store) OpenLine(ctx context.Context, now time.Time, o Opening) (ended []string, err error) {
	fillSession(now, o.Session)
	if !o.Newest {
		// A caller that finds the line taken looks again and again; it is not
		// to wait for the writer each time.
		taken, err := s.lines(ctx, `institution = $1 AND direction = $2`, o.Session.Institution, o.Direction)
		if err != nil {
			return nil, err
		}
		if len(taken) >= max(1, o.Most) {
			return nil, fault.New(CodeLineTaken, o.Session.Institution)
		}
	}
	err = s.write(ctx, 0, func(tx *tx) error {
		ended = nil
		if err := tx.inTerm(o.Session.Institution, o.Session.Instance, o.Term); err != nil {
			return err
		}
		if err := tx.noQuarantine(o.Session.Institution); err != nil {
			return err
		}
		gone, err := tx.takeLine(now, o)
		if err != nil {
			return err
		}
		for _, l := range gone {
			if err := tx.endSession(now, l, o); err != nil {
				return err
			}
			ended = append(ended, l.SessionID)
		}
		return tx.later(sessionInsert, refs(sessionColumns(o.Session))...)
	})
	if err != nil {
		return nil, err
	}
	return ended, nil
}

// lineRaces is how often a line is looked for when others take the one that
// was found at the same moment.
const lineRaces = 20

// takeLine finds a line and takes it. gone are the sessions that make room.
func (t *tx) takeLine(now time.Time, o Opening) (gone []*Line, err error) {
	ours := Line{o.Session.Institution, o.Direction, 0, o.Session.ID, o.Session.Instance, o.Term, normalTime(now)}
	for range lineRaces {
		rows, err := t.query(`SELECT `+lineList+` FROM lines WHERE institution = $1 AND direction = $2 ORDER BY slot`+t.dialect.lockRow,
			ours.Institution, ours.Direction)
		if err != nil {
			return nil, err
		}
		there, err := readResult(rows, lineColumns)
		if err != nil {
			return nil, err
		}
		var live []*Line
		former := map[int]string{} // by slot: the session whose row is replaced
		for _, l := range there {
			over, err := t.termOver(l.Owner, l.Term)
			switch {
			case err != nil:
				return nil, err
			case l.SessionID == ours.SessionID: // of a run whose commit was not answered
				return nil, nil
			case over:
				former[l.Slot] = l.SessionID
			default:
				live = append(live, l)
			}
		}
		gone = nil
		for len(live) >= max(1, o.Most) {
			if !o.Newest {
				return nil, fault.New(CodeLineTaken, ours.Institution)
			}
			oldest := slices.MinFunc(live, func(a, b *Line) int { return a.TakenAt.Compare(b.TakenAt) })
			live = slices.DeleteFunc(live, func(l *Line) bool { return l == oldest })
			gone = append(gone, oldest)
			former[oldest.Slot] = oldest.SessionID
		}
		for ours.Slot = 1; slices.ContainsFunc(live, func(l *Line) bool { return l.Slot == ours.Slot }); ours.Slot++ {
		}
		n, err := t.exec(`INSERT INTO lines (`+lineList+`) VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (institution, direction, slot) DO UPDATE SET session_id = excluded.session_id, owner = excluded.owner,
				term = excluded.term, taken_at = excluded.taken_at
			WHERE lines.session_id = $8`, append(refs(lineColumns(&ours)), former[ours.Slot])...)
		if err != nil || n > 0 {
			return gone, err
		}
	}
	return nil, fault.New(CodeLineTaken, ours.Institution)
}

// isOver finds a row when a later term than $2 of the instance $1 has begun.
const isOver = `SELECT 1 FROM instances WHERE id = $1 AND term > $2`

func (t *tx) termOver(owner string, term int64) (bool, error) {
	var one int
	return t.scan([]any{&one}, isOver, owner, term)
}

// endSession takes from a session everything by which it could write: its
// line, its row, and then the transfers in its hand. What it begins at this
// moment is either committed before and found here, or finds its row closed.
func (t *tx) endSession(now time.Time, l *Line, o Opening) error {
	if err := t.later(`DELETE FROM lines WHERE session_id = $1`, l.SessionID); err != nil {
		return err
	}
	why := fault.New(o.Why, o.Session.Institution)
	if err := t.later(`UPDATE sessions SET closed_at = $1, error_code = $2, error_detail = $3 WHERE id = $4 AND closed_at = 0`,
		toMicros(now), string(why.Code), why.Detail(), l.SessionID); err != nil {
		return err
	}
	rows, err := t.query(`SELECT `+transferList+` FROM transfers WHERE `+openInHand+` AND owner = $1 AND session_id = $2 ORDER BY id`+t.dialect.lockRow,
		l.Owner, l.SessionID)
	if err != nil {
		return err
	}
	held, err := readResult(rows, transferColumns)
	for _, row := range held {
		if err == nil {
			err = t.takeAway(now, row, o.Settle)
		}
	}
	return err
}

// halt is true while the database is in quarantine.
const halt = `EXISTS (SELECT 1 FROM meta WHERE name = '` + metaQuarantine + `')`

func (t *tx) halted() (yes bool, err error) {
	_, err = t.scan([]any{&yes}, `SELECT `+halt)
	return yes, err
}

// Lines reads those that are in use, on all hosts.
func (s *Store) Lines(ctx context.Context) ([]*Line, error) { return s.lines(ctx, `1 = 1`) }

func (s *Store) lines(ctx context.Context, where string, args ...any) ([]*Line, error) {
	rows, err := s.query(ctx, `SELECT `+lineList+` FROM lines WHERE `+where+` AND `+lineLive+` ORDER BY institution, direction, slot`, args...)
	if err != nil {
		return nil, err
	}
	all, err := readAll(rows, lineColumns)
	return all, s.engine.translate(err)
}
