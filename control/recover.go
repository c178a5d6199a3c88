package control

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"pabal/filemgr"
	"pabal/internal/fault"
	"pabal/naming"
	"pabal/protocol/sessionlog"
	"pabal/store"
	"pabal/store/journal"
	"pabal/transfer"
)

// Recovery compares a database in quarantine with what this place knows.
type Recovery struct {
	*Control
	Place   string
	Journal string       // directory of the place's journal
	Said    string       // … and of its session logs; "" = there are none
	Scan    string       // the scan directory, beside which the backups are
	Receive string       // the receive directory
	Book    *naming.Book // reads the names of backups
	Zone    *time.Location
	Peers   map[string]Peer // for releasing, see Order
}

// Report is what the comparison has found.
type Report struct {
	Quarantine *store.Quarantine `json:"quarantine"`
	Place      string            `json:"place"`
	Since      time.Time         `json:"journal_since"` // how far the journal goes back
	Findings   []*Finding        `json:"findings"`
	Open       int               `json:"open"` // findings that nothing was done about
	Held       int               `json:"held"` // transfers that the quarantine still holds
}

// Quarantine says whether the database is in quarantine; nil if it is not.
func (c *Control) Quarantine(ctx context.Context) (*store.Quarantine, error) {
	return c.s.Quarantine(ctx)
}

// CommandRecover is the name of the commands by which recovering is on record.
const CommandRecover = "recover"

// Recover compares, and with apply writes what is proven: each as a command.
// Errors: store.CodeNoQuarantine, CodeNoJournal.
func (r *Recovery) Recover(ctx context.Context, apply bool, by Actor) (*Report, error) {
	if apply {
		if err := by.justified(CommandRecover); err != nil {
			return nil, err
		}
	}
	report, rows, err := r.compare(ctx)
	if err != nil || !apply {
		return report, err
	}
	for _, f := range report.Findings {
		if !f.Open() {
			continue
		}
		if err := r.establish(ctx, f, rows[f.ID], by); err != nil {
			return nil, err
		}
	}
	report, _, err = r.compare(ctx)
	return report, err
}

func (r *Recovery) compare(ctx context.Context) (*Report, map[string]*transfer.Transfer, error) {
	forgotten, err := r.s.Forgotten(ctx)
	if err != nil {
		return nil, nil, err
	}
	q, err := r.s.Quarantine(ctx)
	if err != nil {
		return nil, nil, err
	}
	if q == nil {
		return nil, nil, fault.New(store.CodeNoQuarantine, r.Place)
	}
	memory, err := journal.Recall(r.Journal)
	if err != nil {
		return nil, nil, fault.New(CodeNoJournal, r.Journal).Because(err)
	}
	if memory.From.IsZero() {
		return nil, nil, fault.New(CodeNoJournal, r.Journal)
	}
	all, err := r.carried(memory)
	if err != nil {
		return nil, nil, err
	}
	rows, err := r.rows(ctx, memory, all)
	if err != nil {
		return nil, nil, err
	}
	files, err := r.files(memory.From, forgotten)
	if err != nil {
		return nil, nil, err
	}
	said := r.hear(all, rows, memory, files)
	report := &Report{Quarantine: q, Place: r.Place, Since: memory.From}
	ids := map[string]bool{}
	for id := range rows {
		ids[id] = true
	}
	for id, k := range memory.Transfers {
		if rows[id] != nil || k.Row.Place == r.Place || outcome(k.Status) {
			ids[id] = true // else its own place has more to say
		}
	}
	for id := range ids {
		row, known := rows[id], memory.Transfers[id]
		if row == nil && known.At.Before(forgotten) {
			continue // deleted as too old
		}
		if row != nil && known == nil && (row.Status != transfer.Held || row.Place != r.Place) {
			continue // finished, or another place's
		}
		exists := there
		if row != nil && row.Place != r.Place {
			exists = func(string) bool { return true } // its own place looks
		}
		f := judge(id, row, known, q.Since, exists)
		if c := said[id]; c != nil {
			f.Session = c.Session
		}
		report.add(f)
	}
	for _, f := range files.unexplained() {
		report.add(f)
	}
	slices.SortFunc(report.Findings, func(a, b *Finding) int { return strings.Compare(a.ID, b.ID) })
	for _, t := range rows {
		if t.HeldFrom != "" {
			report.Held++
		}
	}
	return report, rows, r.s.Compared(ctx, r.Place, report.Open)
}

func (r *Report) add(f *Finding) {
	if f == nil {
		return
	}
	r.Findings = append(r.Findings, f)
	if f.Open() {
		r.Open++
	}
}

// rows are the transfers that the journal or a session log may say something
// about, and those that the quarantine holds.
func (r *Recovery) rows(ctx context.Context, memory *journal.Memory, said map[string]*sessionlog.Carried) (map[string]*transfer.Transfer, error) {
	rows := map[string]*transfer.Transfer{}
	for _, f := range []store.Filter{
		{Since: memory.From.Add(-24 * time.Hour)},
		{Statuses: []transfer.Status{transfer.Held}},
	} {
		list, err := r.s.List(ctx, f)
		if err != nil {
			return nil, err
		}
		for _, t := range list {
			rows[t.ID] = t
		}
	}
	var ids []string // older ones that went on since
	for id := range memory.Transfers {
		if rows[id] == nil {
			ids = append(ids, id)
		}
	}
	for id := range said {
		if rows[id] == nil && memory.Transfers[id] == nil {
			ids = append(ids, id)
		}
	}
	for some := range slices.Chunk(ids, 500) {
		list, err := r.s.List(ctx, store.Filter{IDs: some})
		if err != nil {
			return nil, err
		}
		for _, t := range list {
			rows[t.ID] = t
		}
	}
	return rows, nil
}

// outcome: what a session of this place has come to, wherever the file is from.
func outcome(s transfer.Status) bool {
	return s == transfer.Sent || s == transfer.Ending || s == transfer.Unknown
}

func there(path string) bool {
	if path == "" {
		return false
	}
	_, err := os.Lstat(path)
	return err == nil || !errors.Is(err, fs.ErrNotExist)
}

// establish writes what a finding proposes.
func (r *Recovery) establish(ctx context.Context, f *Finding, row *transfer.Transfer, by Actor) error {
	c := by.Command(CommandRecover)
	c.TransferID, c.Subject = f.ID, f.Kind
	now := r.now().UTC()
	_, err := r.s.Establish(ctx, now, c, func(t *transfer.Transfer) error {
		if row == nil {
			if f.known != nil {
				*t = f.known.Transfer(f.ID)
			} else {
				r.fromBackup(t, f)
			}
		}
		f.mark(t, now)
		return nil
	})
	return err
}

// fromBackup is the row of a backup file of which nothing else is known.
func (r *Recovery) fromBackup(t *transfer.Transfer, f *Finding) {
	t.Direction, t.Status, t.Name, t.Place = transfer.Send, transfer.Storing, f.Name, r.Place
	t.BackupPath, t.BackedUpAt, t.FileSize, t.CreatedAt = f.Path, f.At.UTC(), f.Size, f.At.UTC()
	if name, err := r.Book.Parse(f.Name, f.At.In(r.Zone)); err == nil {
		t.Institution, t.Job, t.FileID = name.Institution, name.Job, name.FileID
		t.WireName, t.BaseDate, t.Serial = name.WireName, name.BaseDate, name.Serial
	}
}

// ReleaseSafe releases what the quarantine holds and the comparison has found
// to be as it was. It returns how many were released, and how many wait for a
// second person.
func (r *Recovery) ReleaseSafe(ctx context.Context, by Actor) (released, asked int, err error) {
	if err := by.justified(Release); err != nil {
		return 0, 0, err
	}
	report, rows, err := r.compare(ctx)
	if err != nil {
		return 0, 0, err
	}
	// Another place may know that what is unchanged here has arrived.
	if err := r.compared(ctx, Order{Name: Release}); err != nil {
		return 0, 0, err
	}
	for _, f := range report.Findings {
		if t := rows[f.ID]; f.Kind != FoundSafe || t == nil || t.HeldFrom == "" {
			continue
		}
		out, err := r.Do(ctx, f.ID, Order{Name: Release, Peers: r.Peers}, by)
		switch {
		case fault.CodeOf(err) == store.CodeRequested:
			asked++
		case err != nil:
			return released, asked, err
		case out.Pending != nil:
			asked++
		default:
			released++
		}
	}
	return released, asked, nil
}

// End ends the quarantine: when nothing is left that nobody has explained, at
// any place; by force in any case; and, with fresh, when the database is a new
// and empty one that was made on purpose.
// Errors: CodeUnexplained (arg open), CodeNotCompared (arg places), CodeNotFresh.
func (r *Recovery) End(ctx context.Context, force, fresh bool, by Actor) error {
	if err := by.justified(CommandRecover); err != nil {
		return err
	}
	if !force && !fresh {
		if _, _, err := r.compare(ctx); err != nil {
			return err
		}
	}
	hosts, err := r.hosts(ctx)
	if err != nil {
		return err
	}
	var rows []*transfer.Transfer
	if fresh {
		if rows, err = r.s.List(ctx, store.Filter{Limit: 1}); err != nil {
			return err
		}
	}
	c := by.Command(CommandRecover)
	c.Subject = "end"
	if force {
		c.Subject = "end --force"
	}
	if fresh {
		c.Subject = "new-database"
	}
	return r.s.EndQuarantine(ctx, r.now().UTC(), c, func(q *store.Quarantine) error {
		switch {
		case fresh && (q.Why != store.WhyOther || len(rows) > 0):
			return fault.New(CodeNotFresh, r.Place)
		case force || fresh:
			return nil
		}
		return explained(q, hosts)
	})
}

// compared refuses an order that may have something sent, while the database is
// in quarantine and a place has not compared or has something open: what the
// rows say may be long out of date.
func (c *Control) compared(ctx context.Context, o Order) error {
	if o.Name != Release && o.Name != Resend && o.Name != Settle {
		return nil
	}
	q, err := c.s.Quarantine(ctx)
	if err != nil || q == nil {
		return err
	}
	hosts, err := c.hosts(ctx)
	if err != nil {
		return err
	}
	return explained(q, hosts)
}

// hosts are the places on which instances have run.
func (c *Control) hosts(ctx context.Context) ([]string, error) {
	instances, err := c.s.Instances(ctx)
	var hosts []string
	for _, i := range instances {
		if i.Host != "" && !slices.Contains(hosts, i.Host) {
			hosts = append(hosts, i.Host)
		}
	}
	return hosts, err
}

func explained(q *store.Quarantine, hosts []string) error {
	var missing []string
	for _, host := range hosts {
		if _, done := q.Compared[host]; !done {
			missing = append(missing, host)
		}
	}
	if len(missing) > 0 {
		return fault.New(CodeNotCompared, q.Place, "places", strings.Join(missing, ", "))
	}
	for _, place := range slices.Sorted(maps.Keys(q.Compared)) {
		if open := q.Compared[place]; open > 0 {
			return fault.New(CodeUnexplained, place, "open", open)
		}
	}
	return nil
}

// staged reports that what was put together for a received file has not been
// placed yet.
func staged(finalPath, id string) bool {
	return finalPath != "" && there(filemgr.StagedPath(filepath.Dir(finalPath), id))
}
