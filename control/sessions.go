package control

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"pabal/internal/fault"
	"pabal/store"
	"pabal/transfer"
)

// Session is one connection with a counterparty as people and programs are
// shown it. Times are UTC.
type Session struct {
	ID          string     `json:"id"`
	Institution string     `json:"institution"`
	Profile     string     `json:"profile"`
	Instance    string     `json:"instance"`
	Host        string     `json:"host,omitempty"`
	Direction   string     `json:"direction,omitempty"`
	Calling     bool       `json:"calling"` // we connected
	Peer        string     `json:"peer"`
	Opened      time.Time  `json:"opened"`
	Closed      *time.Time `json:"closed,omitempty"`
	Seconds     float64    `json:"seconds,omitempty"` // from one to the other
	Files       int        `json:"files"`
	Error       *Failure   `json:"error,omitempty"`
	// Refused are files that the counterparty announced and that were not taken.
	Refused []RefusedFile `json:"refused_files,omitempty"`
}

// RefusedFile is one that a counterparty announced and that was not taken. No
// transfer stands for it.
type RefusedFile struct {
	At       time.Time `json:"at"`
	WireName string    `json:"wire_name"`
	Error    *Failure  `json:"error"`
}

// Sessions lists sessions as the filter says.
func (c *Control) Sessions(ctx context.Context, f store.SessionFilter) ([]*Session, error) {
	rows, err := c.s.Sessions(ctx, f)
	if err != nil {
		return nil, err
	}
	out := make([]*Session, len(rows))
	for n, r := range rows {
		out[n] = c.session(r)
	}
	return out, c.refusedFiles(ctx, out)
}

// refusedFiles adds to sessions the files that were refused in them.
func (c *Control) refusedFiles(ctx context.Context, sessions []*Session) error {
	byID := make(map[string]*Session, len(sessions))
	ids := make([]string, len(sessions))
	for n, s := range sessions {
		ids[n], byID[s.ID] = s.ID, s
	}
	for some := range slices.Chunk(ids, askedAtOnce) {
		events, err := c.s.Refusals(ctx, some)
		if err != nil {
			return err
		}
		for _, e := range events {
			if f := c.notTaken(e); f != nil {
				s := byID[e.SessionID]
				s.Refused = append(s.Refused, *f)
			}
		}
	}
	return nil
}

// notTaken is one refused file in words, nil if the event does not say why.
func (c *Control) notTaken(e *transfer.Event) *RefusedFile {
	why := fault.Noted(e.Code, e.Detail)
	if why == nil {
		return nil
	}
	name := cmp.Or(why.Args["wire_name"], why.Subject) // what is wrong may not be the file
	return &RefusedFile{At: e.At, WireName: name, Error: c.told(why.InSession(e.SessionID))}
}

// FileNotTaken is a refused file and whose it was.
type FileNotTaken struct {
	Institution string `json:"institution"`
	Session     string `json:"session"`
	RefusedFile
}

// notTakenShown is how many of the day's refused files status shows.
const notTakenShown = 10

// filesNotTaken are the latest files that were refused since a time.
func (c *Control) filesNotTaken(ctx context.Context, since time.Time) ([]FileNotTaken, error) {
	events, err := c.s.RefusalsSince(ctx, since, notTakenShown)
	if err != nil || len(events) == 0 {
		return nil, err
	}
	ids, of := make([]string, len(events)), map[string]string{}
	for n, e := range events {
		ids[n] = e.SessionID
	}
	rows, err := c.s.Sessions(ctx, store.SessionFilter{IDs: ids})
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		of[r.ID] = r.Institution
	}
	var out []FileNotTaken
	for _, e := range events {
		if f := c.notTaken(e); f != nil {
			out = append(out, FileNotTaken{of[e.SessionID], e.SessionID, *f})
		}
	}
	return out, nil
}

// askedAtOnce is of how many sessions the refused files are read at once.
const askedAtOnce = 500

func (c *Control) session(r *transfer.Session) *Session {
	s := &Session{
		ID: r.ID, Institution: r.Institution, Profile: r.Profile, Instance: r.Instance, Host: r.Host, Direction: string(r.Direction),
		Calling: r.Calling, Peer: r.Peer, Opened: r.OpenedAt, Closed: at(r.ClosedAt), Files: r.Files, Error: c.told(fault.Noted(r.ErrorCode, r.ErrorDetail).InSession(r.ID)),
	}
	if s.Closed != nil {
		s.Seconds = r.ClosedAt.Sub(r.OpenedAt).Seconds()
	}
	return s
}

// Session reads one by its id; nil if the database does not have it.
func (c *Control) Session(ctx context.Context, id string) (*Session, error) {
	rows, err := c.s.Sessions(ctx, store.SessionFilter{ID: strings.ToLower(strings.TrimSpace(id))})
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	s := c.session(rows[0])
	return s, c.refusedFiles(ctx, []*Session{s})
}

// Failure puts a fault code that stands without its values into words.
func (c *Control) Failure(code string) *Failure { return c.failure(code, "") }

// sessionsOf are the sessions in which something of a transfer was carried or
// asked, in their order. Of one whose row is gone only its id is known.
func (c *Control) sessionsOf(ctx context.Context, d *Detail) ([]*Session, error) {
	var ids []string
	for _, id := range append(sessionIDs(d.History), d.Session) {
		if id != "" && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return []*Session{}, nil
	}
	out, err := c.Sessions(ctx, store.SessionFilter{IDs: ids})
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if !slices.ContainsFunc(out, func(s *Session) bool { return s.ID == id }) {
			out = append(out, &Session{ID: id, Opened: store.TimeOf(id)})
		}
	}
	slices.SortFunc(out, func(a, b *Session) int { return strings.Compare(a.ID, b.ID) }) // ids go with the time
	return out, nil
}

func sessionIDs(history []Entry) []string {
	ids := make([]string, len(history))
	for n, e := range history {
		ids[n] = e.Session
	}
	return ids
}
