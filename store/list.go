package store

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"pabal/transfer"
)

// Filter says which transfers to list. Fields that are empty do not restrict.
type Filter struct {
	IDs         []string
	Statuses    []transfer.Status
	Direction   transfer.Direction
	Institution string
	Job         string
	FileID      string
	WireName    string
	BaseDate    string
	Name        string // Transfer.Name, whole
	Place       string
	Owner       string
	SessionID   string
	Since       time.Time // created at or after
	Until       time.Time // created before
	Limit       int       // 0 is no limit
	NewestFirst bool
}

// List reads the transfers that match, oldest first unless asked otherwise.
//
// What it costs does not grow with what has ended where it asks for any of:
// ids, open statuses, a wire name, or with a limit the newest or oldest at all,
// of a status, of an institution, or of both. Other fields alone, such as a
// full name or a file's ID, are looked for in all there is.
func (s *Store) List(ctx context.Context, f Filter) ([]*transfer.Transfer, error) {
	text, args := f.query(s.engine.readers().oneOf)
	rows, err := s.query(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	all, err := readAll(rows, transferColumns)
	return all, s.engine.translate(err)
}

// query puts the question; oneOf is that of the engine's statements.
func (f Filter) query(oneOf func(query string) string) (text string, args []any) {
	var w where
	f.others(&w)
	order := inOrder(f.NewestFirst)
	if f.byStatus() {
		w = where{terms: []string{"id" + oneOf("SELECT id FROM ("+f.branches(&w, order)+") AS found")}, args: w.args}
		return w.query("SELECT "+transferList+" FROM transfers", order, f.Limit), w.args
	}
	w.in("status", strs(f.Statuses))
	switch {
	case len(f.IDs) > 0:
	case len(f.Statuses) > 0 && !slices.ContainsFunc(f.Statuses, transfer.Status.Final):
		w.add(f.open())
	case f.WireName != "":
		w.add(byIdentity)
	default:
		w.add(byTime)
	}
	return w.query("SELECT "+transferList+" FROM transfers", order, f.Limit), w.args
}

// open names the index of what is open that a filter is for.
func (f Filter) open() string {
	switch {
	case f.WireName != "":
		return openByName
	case f.Institution != "":
		return openByInstitution
	}
	return openByStatus
}

// others are the conditions that are not about the status.
func (f Filter) others(w *where) {
	w.in("id", strs(f.IDs))
	w.equal("direction", string(f.Direction))
	w.equal("institution", f.Institution)
	w.equal("job", f.Job)
	w.equal("file_id", f.FileID)
	w.equal("wire_name", f.WireName)
	w.equal("base_date", f.BaseDate)
	w.equal("name", f.Name)
	w.equal("place", f.Place)
	w.equal("owner", f.Owner)
	w.equal("session_id", f.SessionID)
	w.times("created_at", f.Since, f.Until)
}

// byStatus reports that the answer is found in what has ended, status by
// status: the indexes of that have the status before the time.
func (f Filter) byStatus() bool {
	switch {
	case len(f.IDs) > 0 || f.WireName != "":
		return false
	case len(f.Statuses) == 0:
		return f.Institution != "" && f.Limit > 0
	}
	return slices.ContainsFunc(f.Statuses, transfer.Status.Final)
}

// branches select from what is open, and from each status in which a transfer
// has ended. Each looks at no more than as many as are wanted, in the order of its
// index.
func (f Filter) branches(w *where, order string) string {
	statuses := f.Statuses
	if len(statuses) == 0 {
		statuses = transfer.Statuses()
	}
	var parts []string
	branch := func(by string, statuses []transfer.Status) {
		some := where{terms: append(slices.Clone(w.terms), by), args: w.args}
		some.in("status", strs(statuses))
		parts = append(parts, "SELECT * FROM ("+some.query("SELECT created_at, id FROM transfers", order, f.Limit)+") AS s"+strconv.Itoa(len(parts)))
		w.args = some.args
	}
	// A status that is final may be open: delivery of the file may still be due.
	branch(f.open(), f.Statuses)
	ended := endedByStatus
	if f.Institution != "" {
		ended = endedByInstitution
	}
	for _, status := range statuses {
		if status.Final() {
			branch(ended, []transfer.Status{status})
		}
	}
	return strings.Join(parts, " UNION ALL ") + " ORDER BY " + order + limited(f.Limit)
}

func inOrder(newestFirst bool) string {
	if newestFirst {
		return "created_at DESC, id DESC"
	}
	return "created_at, id"
}

// WentOn reports whether the session that brought a file has begun another one
// after it. It looks for them in the session's history: if that has been
// deleted as too old, it did not.
func (s *Store) WentOn(ctx context.Context, t *transfer.Transfer) (bool, error) {
	var one int
	// With OFFSET no planner makes a join of it, in which it might begin with all transfers.
	return s.scan(ctx, []any{&one}, `SELECT 1 FROM events e WHERE e.session_id = $1 AND e.session_id <> '' AND EXISTS (
			SELECT 1 FROM transfers t WHERE t.id = e.transfer_id AND t.session_id = $1 AND t.institution = $2 AND t.direction = $3
			AND (t.created_at > $4 OR t.created_at = $4 AND t.id > $5) LIMIT 1 OFFSET 0) LIMIT 1`,
		t.SessionID, t.Institution, string(t.Direction), toMicros(t.CreatedAt), t.ID)
}
