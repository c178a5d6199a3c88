package store

import (
	"cmp"
	"database/sql"
	"reflect"
	"strconv"
	"strings"
	"time"

	"pabal/transfer"
)

// column is a name and where its value lives in a struct. The same place is
// scanned into and taken as an argument, so the two cannot drift apart.
type column struct {
	name string
	ref  any
}

func transferColumns(t *transfer.Transfer) []column {
	return []column{
		{"id", &t.ID}, {"direction", &t.Direction}, {"status", &t.Status},
		{"institution", &t.Institution}, {"job", &t.Job}, {"file_id", &t.FileID},
		{"wire_name", &t.WireName}, {"base_date", &t.BaseDate}, {"serial", &t.Serial},
		{"name", &t.Name}, {"place", &t.Place}, {"source_id", &t.SourceID},
		{"work_path", &t.WorkPath}, {"backup_path", &t.BackupPath}, {"final_path", &t.FinalPath},
		{"form", &t.Form}, {"encoding", &t.Encoding}, {"file_size", &t.FileSize}, {"wire_size", &t.WireSize},
		{"message_size", &t.MessageSize}, {"data_size", &t.DataSize}, {"per_block", &t.PerBlock}, {"head_size", &t.HeadSize}, {"tail_size", &t.TailSize},
		{"records", &t.Records}, {"sequences", &t.Sequences}, {"blocks", &t.Blocks},
		{"file_digest", &t.FileDigest}, {"wire_digest", &t.WireDigest}, {"payload_in", &t.PayloadIn},
		{"owner", &t.Owner}, {"term", &t.Term}, {"attempt", &t.Attempt},
		{"session_id", &t.SessionID}, {"sent_bytes", &t.SentBytes}, {"resent", &t.Resent}, {"missed", &t.Missed},
		{"tries", &t.Tries}, {"next_try", micros{&t.NextTry}}, {"ended_once", flag{&t.EndedOnce}}, {"ended_digest", &t.EndedDigest},
		{"response", &t.Response}, {"error_code", &t.ErrorCode}, {"error_detail", &t.ErrorDetail}, {"proofs", &t.Proofs}, {"ask", &t.Ask}, {"held_from", &t.HeldFrom},
		{"repeat_of", &t.RepeatOf}, {"repeat", &t.Repeat}, {"result", &t.Result}, {"error_path", &t.ErrorPath},
		{"created_at", micros{&t.CreatedAt}}, {"updated_at", micros{&t.UpdatedAt}}, {"started_at", micros{&t.StartedAt}},
		{"backed_up_at", micros{&t.BackedUpAt}}, {"ended_at", micros{&t.EndedAt}}, {"released_at", micros{&t.ReleasedAt}},
		{"purged_at", micros{&t.PurgedAt}},
	}
}

func eventColumns(e *transfer.Event) []column {
	return []column{
		{"id", &e.ID}, {"at", micros{&e.At}}, {"transfer_id", &e.TransferID}, {"session_id", &e.SessionID},
		{"kind", &e.Kind}, {"from_status", &e.From}, {"to_status", &e.To}, {"code", &e.Code}, {"detail", &e.Detail},
	}
}

func commandColumns(c *transfer.Command) []column {
	return []column{
		{"id", &c.ID}, {"at", micros{&c.At}}, {"name", &c.Name}, {"subject", &c.Subject}, {"transfer_id", &c.TransferID},
		{"who", &c.Who}, {"login", &c.Login}, {"login_by", &c.LoginBy}, {"host", &c.Host}, {"reason", &c.Reason},
		{"request_id", &c.RequestID}, {"approver", &c.Approver},
		{"before_status", &c.Before}, {"after_status", &c.After},
		{"before_fields", &c.BeforeFields}, {"after_fields", &c.AfterFields},
	}
}

func requestColumns(r *transfer.Request) []column {
	return []column{
		{"id", &r.ID}, {"at", micros{&r.At}}, {"expires_at", micros{&r.ExpiresAt}},
		{"command", &r.Command}, {"options", &r.Options}, {"transfer_id", &r.TransferID}, {"seen", &r.Seen},
		{"who", &r.Who}, {"login", &r.Login}, {"login_by", &r.LoginBy}, {"host", &r.Host}, {"reason", &r.Reason},
		{"state", &r.State}, {"decided_at", micros{&r.DecidedAt}}, {"decided_by", &r.DecidedBy},
	}
}

func sessionColumns(s *transfer.Session) []column {
	return []column{
		{"id", &s.ID}, {"institution", &s.Institution}, {"profile", &s.Profile}, {"instance", &s.Instance}, {"host", &s.Host},
		{"direction", &s.Direction}, {"calling", flag{&s.Calling}}, {"peer", &s.Peer},
		{"opened_at", micros{&s.OpenedAt}}, {"closed_at", micros{&s.ClosedAt}},
		{"files", &s.Files}, {"heard", flag{&s.Heard}}, {"error_code", &s.ErrorCode}, {"error_detail", &s.ErrorDetail},
	}
}

func refs(columns []column) []any {
	r := make([]any, len(columns))
	for i, c := range columns {
		r[i] = c.ref
	}
	return r
}

func names(columns []column) []string {
	n := make([]string, len(columns))
	for i, c := range columns {
		n[i] = c.name
	}
	return n
}

// sameValue reports whether two refs of one column hold the same.
func sameValue(a, b any) bool {
	switch a := a.(type) {
	case *string:
		return *a == *b.(*string)
	case *int64:
		return *a == *b.(*int64)
	case *int:
		return *a == *b.(*int)
	case micros:
		return toMicros(*a.t) == toMicros(*b.(micros).t)
	case flag:
		return *a.b == *b.(flag).b
	default: // a kind of string
		return reflect.ValueOf(a).Elem().Equal(reflect.ValueOf(b).Elem())
	}
}

// insertText is an INSERT of one row of these columns with $1, $2 …
func insertText(table string, columns []string) string { return insertTexts(table, columns, 1)[0] }

// insertTexts are INSERTs of 1, 2, 3 … rows of these columns.
func insertTexts(table string, columns []string, count int) []string {
	texts := make([]string, count)
	for n := range texts {
		var text strings.Builder
		text.WriteString("INSERT INTO " + table + " (" + strings.Join(columns, ", ") + ") VALUES ")
		for row := range n + 1 {
			places := make([]string, len(columns))
			for i := range places {
				places[i] = "$" + strconv.Itoa(row*len(columns)+i+1)
			}
			if row > 0 {
				text.WriteString(", ")
			}
			text.WriteString("(" + strings.Join(places, ", ") + ")")
		}
		texts[n] = text.String()
	}
	return texts
}

// updateText sets these columns; the first is the key.
func updateText(table string, columns []string) string {
	sets := make([]string, 0, len(columns))
	for i, c := range columns[1:] {
		sets = append(sets, c+" = $"+strconv.Itoa(i+2))
	}
	return "UPDATE " + table + " SET " + strings.Join(sets, ", ") + " WHERE " + columns[0] + " = $1"
}

const onConflict = " ON CONFLICT (id) DO NOTHING"

// Texts that are put together once from the columns above.
var (
	transferNames  = names(transferColumns(new(transfer.Transfer)))
	transferList   = strings.Join(transferNames, ", ")
	transferInsert = insertText("transfers", transferStored) + onConflict
	// transferInserts make 1, 2, 3 … rows.
	transferInserts = insertTexts("transfers", transferStored, 8)
	// transferInsertIf ends before the condition under which the row is written.
	transferInsertIf = strings.NewReplacer(" VALUES (", " SELECT ", ")$", "").Replace(insertText("transfers", transferStored)+"$") + " WHERE "
	transferStored   = append(names(transferColumns(new(transfer.Transfer))), "claimable", "due")

	eventList     = strings.Join(names(eventColumns(new(transfer.Event))), ", ")
	eventInserts  = insertTexts("events", names(eventColumns(new(transfer.Event)))[1:], 24)
	commandList   = strings.Join(names(commandColumns(new(transfer.Command))), ", ")
	commandInsert = insertText("commands", names(commandColumns(new(transfer.Command)))[1:])
	requestList   = strings.Join(names(requestColumns(new(transfer.Request))), ", ")
	requestInsert = insertText("requests", names(requestColumns(new(transfer.Request)))) + " ON CONFLICT (id) DO NOTHING"
	sessionList   = strings.Join(names(sessionColumns(new(transfer.Session))), ", ")
	sessionInsert = insertText("sessions", names(sessionColumns(new(transfer.Session)))) + " ON CONFLICT (id) DO NOTHING"
	sessionUpdate = updateText("sessions", names(sessionColumns(new(transfer.Session))))
)

// claimable is 1 for rows that a stage may still have work with: those that
// are not final, and final ones for which a next try is set, as for the
// delivery of an assembled file.
func claimable(t *transfer.Transfer) int {
	if !t.Status.Final() || !t.NextTry.IsZero() {
		return 1
	}
	return 0
}

// due is 1 for rows that a file is still to be written for, beside the
// transfer's own way.
func due(t *transfer.Transfer) int {
	if t.ResultDue() || t.ErrorFileDue() {
		return 1
	}
	return 0
}

// values are what a row's INSERT takes: the struct's, and what is
// computed from them.
func values(t *transfer.Transfer) []any {
	return append(refs(transferColumns(t)), claimable(t), due(t))
}

// normal brings times to what the database can hold, so that a struct equals
// the one that is read back.
func normal(t *transfer.Transfer) {
	for _, c := range transferColumns(t) {
		if m, ok := c.ref.(micros); ok {
			*m.t = normalTime(*m.t)
		}
	}
}

func normalTime(t time.Time) time.Time { return fromMicros(toMicros(t)) }

// readAll reads what a query has found.
func readAll[T any](rows *sql.Rows, columns func(*T) []column) ([]*T, error) {
	all, err := readResult(rows, columns)
	return all, cmp.Or(err, rows.Err())
}

// readResult reads what a statement of a write has found.
func readResult[T any](rows result, columns func(*T) []column) ([]*T, error) {
	defer rows.Close()
	var all []*T
	for rows.Next() {
		v := new(T)
		if err := rows.Scan(refs(columns(v))...); err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}
