package store

import (
	"context"
	"slices"
	"strings"
	"time"

	"pabal/internal/fault"
	"pabal/transfer"
)

// Create writes a new transfer and its first event, of kind "status" with
// From "". An empty ID is filled in; a given one is kept, and ErrExists says
// that there is a row of that id already. CreatedAt, if zero, and UpdatedAt
// become now. Errors: CodeExists, CodeFenced when it has an owner whose term or session is
// over.
func (s *Store) Create(ctx context.Context, now time.Time, t *transfer.Transfer) error {
	row := *t
	for {
		if t.ID == "" {
			row.ID = NewID(now)
		}
		err := s.CreateAll(ctx, now, []*transfer.Transfer{&row})
		if t.ID == "" && fault.CodeOf(err) == CodeExists {
			continue // two in one millisecond drew the same 16 bits
		}
		if err == nil {
			*t = row
		}
		return err
	}
}

// CreateAll is Create for many whose IDs are given, in one transaction.
func (s *Store) CreateAll(ctx context.Context, now time.Time, all []*transfer.Transfer) error {
	rows := make([]*transfer.Transfer, len(all))
	for n, t := range all {
		rows[n] = created(now, t)
	}
	err := s.write(ctx, 0, func(tx *tx) error {
		for rest := rows; len(rest) > 0; {
			n := 1
			for n < min(len(transferInserts), len(rest)) && rest[0].Owner == "" && rest[n].Owner == "" {
				n++
			}
			if err := tx.createSome(now, rest[:n]); err != nil {
				return err
			}
			rest = rest[n:]
		}
		return nil
	})
	if err == nil {
		for n, row := range rows {
			*all[n] = *row
		}
	}
	return err
}

// createSome makes rows; if there are several, nobody owns them.
func (t *tx) createSome(now time.Time, rows []*transfer.Transfer) error {
	if len(rows) == 1 {
		return t.create(now, rows[0], nil)
	}
	var args []any
	for _, row := range rows {
		args = append(args, values(row)...)
	}
	n, err := t.exec(transferInserts[len(rows)-1]+onConflict, args...)
	if err != nil {
		return err
	}
	if n < int64(len(rows)) { // some were there
		for _, row := range rows {
			there, err := t.transfer(row.ID)
			if err == nil && *there != *row {
				err = fault.New(CodeExists, row.ID)
			}
			if err != nil {
				return err
			}
		}
		if !t.again { // they are as we would have made them, but we did not
			return fault.New(CodeExists, rows[0].ID)
		}
	}
	for _, row := range rows {
		if err := t.made(now, row); err != nil {
			return err
		}
	}
	return nil
}

// created is a row as it is made from what is known of it.
func created(now time.Time, of *transfer.Transfer) *transfer.Transfer {
	row := *of
	row.UpdatedAt = now
	if row.CreatedAt.IsZero() {
		row.CreatedAt = now
	}
	normal(&row)
	return &row
}

// made notes a row that was made.
func (t *tx) made(now time.Time, row *transfer.Transfer) error {
	t.work = t.work || claimable(row) == 1 && row.Owner == ""
	return t.statusEvent(now, "", row)
}

// create fences a row that is made with an owner like every other write of a
// holder: a process whose term is over makes none. as may be nil.
func (t *tx) create(now time.Time, row *transfer.Transfer, as *Announced) error {
	fenced := row.Owner != ""
	if fenced && !t.alone() {
		if err := t.mayOwn(row.ID, row.Owner, row.Term, row.SessionID); err != nil {
			return err
		}
	}
	if as != nil && !t.alone() {
		if err := t.unseen(row, as); err != nil {
			return err
		}
	}
	text, args := transferInsert, values(row)
	if fenced && t.alone() { // the same in one statement
		w := where{args: args}
		w.mayOwn(row.Owner, row.Term, row.SessionID)
		if row.SessionID != "" {
			w.add("NOT " + halt)
		}
		if as != nil {
			w.add("(" + as.count(&w, row.ID) + ") <= " + w.arg(as.Seen))
		}
		text, args = transferInsertIf+strings.Join(w.terms, " AND ")+onConflict, w.args
	}
	n, err := t.exec(text, args...)
	if err != nil {
		return err
	}
	if n == 0 && fenced && t.alone() {
		err := t.mayOwn(row.ID, row.Owner, row.Term, row.SessionID)
		if err == nil && as != nil {
			err = t.unseen(row, as)
		}
		if err != nil {
			return err
		}
	}
	if n == 0 {
		return t.exists(row)
	}
	return t.made(now, row)
}

// exists is what Create answers when there is a row of that id, unless it is
// its own, of a run whose commit was not answered.
func (t *tx) exists(row *transfer.Transfer) error {
	if t.again {
		there, err := t.transfer(row.ID)
		if err != nil || *there == *row {
			return err
		}
	}
	return fault.New(CodeExists, row.ID)
}

// Transfer reads one by its full id. Errors: CodeNotFound.
func (s *Store) Transfer(ctx context.Context, id string) (*transfer.Transfer, error) {
	t := new(transfer.Transfer)
	ok, err := s.scan(ctx, refs(transferColumns(t)), "SELECT "+transferList+" FROM transfers WHERE id = $1", id)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fault.New(CodeNotFound, id)
	}
	return t, nil
}

// Find reads one by its id or a beginning of it that only one has. Capital
// letters, and letters that are easily taken for digits, are accepted.
// Errors: CodeNotFound, CodeAmbiguous (arg ids: some of those that match).
func (s *Store) Find(ctx context.Context, idOrPrefix string) (*transfer.Transfer, error) {
	t, err := s.Transfer(ctx, idOrPrefix)
	prefix := readID(idOrPrefix)
	if fault.CodeOf(err) != CodeNotFound || prefix == "" {
		return t, err
	}
	rows, err := s.query(ctx, "SELECT "+transferList+" FROM transfers WHERE id >= $1 AND id < $2 ORDER BY id DESC LIMIT 4",
		prefix, prefix+"~")
	if err != nil {
		return nil, err
	}
	found, err := readAll(rows, transferColumns)
	if err != nil {
		return nil, s.engine.translate(err)
	}
	switch len(found) {
	case 0:
		return nil, fault.New(CodeNotFound, idOrPrefix)
	case 1:
		return found[0], nil
	}
	ids := make([]string, len(found))
	for i, t := range found {
		ids[i] = t.ID
	}
	return nil, fault.New(CodeAmbiguous, idOrPrefix, "ids", strings.Join(ids, ", "))
}

// Identity is what makes two transfers the same file (design D6). Fields that
// are empty do not restrict, except Institution, Direction and WireName, which
// every question names.
type Identity struct {
	Institution string
	Direction   transfer.Direction
	FileID      string
	WireName    string
	BaseDate    string
	Or          []string // other base dates
	Serial      string
}

// FindSame reads all transfers of one identity in any status, newest first.
func (s *Store) FindSame(ctx context.Context, id Identity) ([]*transfer.Transfer, error) {
	return s.transfers(ctx, id.where(), true, 0)
}

func (id Identity) where() where {
	w := where{terms: []string{byIdentity}}
	w.identity(id)
	return w
}

// halves are those of an identity that are being received; args are what has
// been said before.
func (id Identity) halves(args []any) where {
	w := where{terms: []string{openByName}, args: args}
	w.identity(id)
	w.add("status = " + w.arg(string(transfer.Receiving)))
	return w
}

func (w *where) identity(id Identity) {
	w.add("institution = " + w.arg(id.Institution))
	w.add("direction = " + w.arg(string(id.Direction)))
	w.add("wire_name = " + w.arg(id.WireName))
	if id.BaseDate != "" && len(id.Or) > 0 {
		w.in("base_date", append(id.Or, id.BaseDate))
	} else {
		w.equal("base_date", id.BaseDate)
	}
	w.equal("serial", id.Serial)
	w.equal("file_id", id.FileID)
}

// Known reports whether there is a transfer of an identity, or one of it of any
// day that has not come whole: whether FindSame or FindPartial would find
// something.
func (s *Store) Known(ctx context.Context, id Identity) (bool, error) {
	same := id.where()
	id.BaseDate = "" // a half file of another day counts as well
	w := id.halves(same.args)
	var one int
	return s.scan(ctx, []any{&one}, same.query("SELECT 1 WHERE EXISTS (SELECT 1 FROM transfers", "", 0)+`) OR EXISTS (`+
		w.query("SELECT 1 FROM transfers", "", 0)+`)`, w.args...)
}

// FindReceived is FindSame for files that we receive.
func (s *Store) FindReceived(ctx context.Context, institution, wireName, baseDate, serial string) ([]*transfer.Transfer, error) {
	return s.FindSame(ctx, Identity{Institution: institution, Direction: transfer.Receive,
		WireName: wireName, BaseDate: baseDate, Serial: serial})
}

// Partial is a file that has not come whole.
type Partial struct {
	Transfer *transfer.Transfer
	Held     int64 // bytes from the start without a gap
}

// FindPartial is what the answer to a resume rests on (protocols §1.5): the
// transfers of an identity that are being received, newest first, each with
// what of it is held. Whether one may be continued is for the caller to say.
func (s *Store) FindPartial(ctx context.Context, id Identity) ([]Partial, error) {
	w := id.halves(nil)
	all, err := s.transfers(ctx, w, true, 0)
	if err != nil {
		return nil, err
	}
	var partial []Partial
	for _, t := range all {
		held, err := s.Contiguous(ctx, t.ID)
		if err != nil {
			return nil, err
		}
		partial = append(partial, Partial{t, held})
	}
	return partial, nil
}

// Namesakes tells which of some transfers are not the only ones of their
// identity (institution, direction, wire name and base date), whatever has become
// of the others. All are of one institution and direction.
func (s *Store) Namesakes(ctx context.Context, some []*transfer.Transfer) (map[string]bool, error) {
	if len(some) == 0 {
		return nil, nil
	}
	type name struct{ wire, date string }
	var names, dates []string
	for _, t := range some {
		names, dates = append(names, t.WireName), append(dates, t.BaseDate)
	}
	slices.Sort(dates)
	w := where{terms: []string{byIdentity}}
	w.add("institution = " + w.arg(some[0].Institution))
	w.add("direction = " + w.arg(string(some[0].Direction)))
	w.in("wire_name", fewLengths(names))
	w.in("base_date", fewLengths(slices.Compact(dates)))
	found, err := list(ctx, s, w.query("SELECT wire_name, base_date FROM transfers", "", 0), w.args,
		func(n *name) []column { return []column{{"wire_name", &n.wire}, {"base_date", &n.date}} })
	if err != nil {
		return nil, err
	}
	count := map[name]int{}
	for _, n := range found {
		count[*n]++
	}
	several := map[string]bool{}
	for _, t := range some {
		several[t.ID] = count[name{t.WireName, t.BaseDate}] > 1
	}
	return several, nil
}

// NotBackedUp is a file to send, claimed at this place, that has no backup yet.
type NotBackedUp struct{ ID, Name, WorkPath, BackupPath string }

// NotBackedUp reads the files that a backup can be made of now, oldest first:
// those that are cut, whatever has become of them since. One whose payload is
// in the work file itself must have come to its end. See BackedUp.
func (s *Store) NotBackedUp(ctx context.Context, place string, limit int) ([]*NotBackedUp, error) {
	var w where
	w.add("place = " + w.arg(place))
	w.add("backed_up_at = 0 AND work_path <> ''")
	w.add("status NOT IN (" + w.arg(string(transfer.Storing)) + ", " + w.arg(string(transfer.Refused)) + ")")
	// A work file that is itself the payload stays until nobody needs it.
	w.add("(claimable = 0 OR payload_in <> " + w.arg(transfer.InFile) + ")")
	return list(ctx, s, w.query("SELECT id, name, work_path, backup_path FROM transfers", "created_at, id", limit), w.args,
		func(n *NotBackedUp) []column {
			return []column{{"id", &n.ID}, {"name", &n.Name}, {"work_path", &n.WorkPath}, {"backup_path", &n.BackupPath}}
		})
}

// WorkFiles reads the ids of the files of a place whose row says that they
// stand in a work directory.
func (s *Store) WorkFiles(ctx context.Context, place string) (map[string]bool, error) {
	rows, err := s.query(ctx, "SELECT id FROM transfers WHERE place = $1 AND backed_up_at = 0 AND work_path <> ''", place)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	ids := map[string]bool{}
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, s.engine.translate(err)
		}
		ids[id] = true
	}
	return ids, s.engine.translate(rows.Err())
}

// Due reads the transfers of a place for which a file is still to be written:
// a result file, or a refused one in error/. See ResultDue and ErrorFileDue.
func (s *Store) Due(ctx context.Context, place string, limit int) ([]*transfer.Transfer, error) {
	var w where
	w.add("place = " + w.arg(place))
	w.add("due = 1")
	return s.transfers(ctx, w, false, limit)
}

func (s *Store) transfers(ctx context.Context, w where, newestFirst bool, limit int) ([]*transfer.Transfer, error) {
	rows, err := s.query(ctx, w.query("SELECT "+transferList+" FROM transfers", inOrder(newestFirst), limit), w.args...)
	if err != nil {
		return nil, err
	}
	all, err := readAll(rows, transferColumns)
	return all, s.engine.translate(err)
}
