package store

import (
	"context"
	"encoding/json"
	"reflect"
	"time"

	"pabal/internal/fault"
	"pabal/transfer"
)

// Command is what a person asked for. It needs no ref: it raises the attempt
// and clears the owner, so that whoever holds the transfer is fenced off by
// its next write, lets f change the row, and writes the command with what it
// changed. At, Before, After, the fields and ID of c are filled in.
// Errors: f's own, CodeNotFound, CodeIllegalMove, CodeForbidden.
func (s *Store) Command(ctx context.Context, now time.Time, c transfer.Command, f func(*transfer.Transfer) error) (*transfer.Transfer, error) {
	var out *transfer.Transfer
	err := s.write(ctx, 0, func(tx *tx) error {
		t, err := tx.transfer(c.TransferID)
		if err != nil {
			return err
		}
		out = t
		return tx.obey(now, c, t, f)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Record writes a command that is about no transfer: a configuration that was
// applied, a quarantine that was ended.
func (s *Store) Record(ctx context.Context, now time.Time, c transfer.Command) error {
	c.At = normalTime(now)
	return s.write(ctx, 0, func(tx *tx) error { return tx.command(&c) })
}

// obey lets f change a row that was just read, and writes the command.
func (t *tx) obey(now time.Time, c transfer.Command, row *transfer.Transfer, f func(*transfer.Transfer) error) error {
	before := *row
	err := t.change(now, row, func(r *transfer.Transfer) error {
		r.Owner = ""
		if f != nil {
			if err := f(r); err != nil {
				return err
			}
		}
		r.Attempt = before.Attempt + 1
		return nil
	}, true)
	if err != nil {
		return err
	}
	c.At, c.Before, c.After = now, before.Status, row.Status
	c.BeforeFields, c.AfterFields = changed(&before, row)
	return t.command(&c)
}

// changed are the columns in which two rows differ, as two JSON objects. The
// time of the update is not among them: it stands in the command.
func changed(before, after *transfer.Transfer) (was, is string) {
	from, to := map[string]any{}, map[string]any{}
	columns := transferColumns(after)
	for n, c := range transferColumns(before) {
		if c.name == "updated_at" {
			continue
		}
		if x, y := shownValue(c.ref), shownValue(columns[n].ref); x != y {
			from[c.name], to[c.name] = x, y
		}
	}
	return object(from), object(to)
}

// shownValue is a column for people: times as text.
func shownValue(ref any) any {
	switch r := ref.(type) {
	case micros:
		if r.t.IsZero() {
			return ""
		}
		return r.t.UTC().Format(time.RFC3339Nano)
	case flag:
		return *r.b
	}
	return reflect.ValueOf(ref).Elem().Interface()
}

func object(m map[string]any) string {
	b, _ := json.Marshal(m) // texts, numbers and truth values cannot fail
	return string(b)
}

func (t *tx) command(c *transfer.Command) error {
	_, err := t.exec(commandInsert, refs(commandColumns(c))[1:]...)
	return err
}

// CommandFilter says which commands to read. Empty fields do not restrict.
type CommandFilter struct {
	TransferID  string
	Name        string
	Who         string // a user, as whom or by whom it was given, or who agreed
	Since       time.Time
	Until       time.Time
	Limit       int
	NewestFirst bool
}

// Commands reads what people asked for. The rows are append-only.
func (s *Store) Commands(ctx context.Context, f CommandFilter) ([]*transfer.Command, error) {
	var w where
	w.equal("transfer_id", f.TransferID)
	w.equal("name", f.Name)
	if f.Who != "" {
		who := w.arg(f.Who)
		w.add("(who = " + who + " OR login = " + who + " OR approver = " + who + ")")
	}
	w.times("at", f.Since, f.Until)
	return list(ctx, s, w.query("SELECT "+commandList+" FROM commands", byID(f.NewestFirst), f.Limit), w.args, commandColumns)
}

// Ask writes an order that waits for a second person, and that it was asked
// for, as the command "request". f is given the transfer and says what of it
// the order rests on, or why it cannot be. Seen and State of r are filled in,
// and ID and At if they are empty.
// Errors: f's own, CodeNotFound, CodeRequested (arg request) when one of this
// transfer waits already.
func (s *Store) Ask(ctx context.Context, now time.Time, r *transfer.Request, f func(*transfer.Transfer) (seen string, err error)) error {
	now = normalTime(now)
	if r.ID == "" {
		r.ID = NewID(now)
	}
	r.At, r.State = now, transfer.Pending
	return s.write(ctx, 0, func(tx *tx) error {
		t, err := tx.transfer(r.TransferID)
		if err != nil {
			return err
		}
		var other string
		there, err := tx.scan([]any{&other}, `SELECT id FROM requests
			WHERE transfer_id = $1 AND state = 'pending' AND expires_at > $2 AND id <> $3 LIMIT 1`, t.ID, toMicros(now), r.ID)
		if err != nil {
			return err
		}
		if there {
			return fault.New(CodeRequested, t.ID, "request", other)
		}
		if r.Seen, err = f(t); err != nil {
			return err
		}
		n, err := tx.exec(requestInsert, refs(requestColumns(r))...)
		if err != nil || n == 0 { // 0: a run before this one was committed after all
			return err
		}
		return tx.command(&transfer.Command{At: now, Name: CommandRequest, Subject: r.Command, TransferID: t.ID,
			Who: r.Who, Login: r.Login, LoginBy: r.LoginBy, Host: r.Host, Reason: r.Reason, RequestID: r.ID, Before: t.Status, After: t.Status})
	})
}

// Names of the commands that are written for a request beside the order itself.
const (
	CommandRequest = "request"
	CommandApprove = "approve"
	CommandReject  = "reject"
)

// Decide ends a pending request as by, in one transaction. f is given the
// request and its transfer as they are now; to approve, it changes the
// transfer and returns the order that is written for it, beside the command
// of by. To reject, it returns nil. An error of f leaves the request pending.
// Errors: f's own, CodeNoRequest, CodeRequestOver (arg state, by), and those of Command.
func (s *Store) Decide(ctx context.Context, now time.Time, id string, by transfer.Command,
	f func(*transfer.Request, *transfer.Transfer) (order *transfer.Command, err error)) (*transfer.Transfer, error) {
	now = normalTime(now)
	var out *transfer.Transfer
	err := s.write(ctx, 0, func(tx *tx) error {
		r := new(transfer.Request)
		there, err := tx.scan(refs(requestColumns(r)), "SELECT "+requestList+" FROM requests WHERE id = $1"+tx.dialect.lockRow, id)
		switch {
		case err != nil:
			return err
		case !there:
			return fault.New(CodeNoRequest, id)
		case r.State != transfer.Pending:
			return fault.New(CodeRequestOver, id, "state", r.State, "by", r.DecidedBy)
		}
		t, err := tx.transfer(r.TransferID)
		if err != nil {
			return err
		}
		was := t.Status
		after := *t
		order, err := f(r, &after)
		if err != nil {
			return err
		}
		state := transfer.Rejected
		if order != nil {
			state = transfer.Approved
			order.RequestID, order.TransferID, order.Approver = r.ID, t.ID, by.By().User()
			err = tx.obey(now, *order, t, func(row *transfer.Transfer) error { *row = after; return nil })
			if err != nil {
				return err
			}
		}
		out = t
		if _, err := tx.exec(`UPDATE requests SET state = $1, decided_at = $2, decided_by = $3 WHERE id = $4`,
			string(state), toMicros(now), by.By().User(), r.ID); err != nil {
			return err
		}
		c := by
		c.At, c.Subject, c.TransferID, c.RequestID, c.Before, c.After = now, r.Command, t.ID, r.ID, was, t.Status
		return tx.command(&c)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// RequestFilter says which requests to read. Empty fields do not restrict.
type RequestFilter struct {
	ID          string
	TransferID  string
	PendingAt   time.Time // only those that can be decided on at this time
	Limit       int
	NewestFirst bool
}

// Requests reads orders that wait, or waited, for a second person.
func (s *Store) Requests(ctx context.Context, f RequestFilter) ([]*transfer.Request, error) {
	var w where
	w.equal("id", f.ID)
	w.equal("transfer_id", f.TransferID)
	if !f.PendingAt.IsZero() {
		w.add("state = 'pending'")
		w.add("expires_at > " + w.arg(toMicros(f.PendingAt)))
	}
	return list(ctx, s, w.query("SELECT "+requestList+" FROM requests", byID(f.NewestFirst), f.Limit), w.args, requestColumns)
}
