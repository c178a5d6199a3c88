package journal

import (
	"encoding/json"
	"maps"
	"time"

	"pabal/store"
	"pabal/transfer"
)

// Kinds of lines.
const (
	lineBase     = "base"     // the database that the following lines are about, and its last event
	lineDistrust = "distrust" // the database was found to be another or an older one
	lineEvent    = "event"
	lineTerm     = "term"
)

// Line is one line of a journal. Times are microseconds since 1970 in UTC.
type Line struct {
	What string `json:"what"`
	At   int64  `json:"at,omitempty"`

	// event, and of base the last one
	Event    int64           `json:"event,omitempty"`
	Transfer string          `json:"transfer,omitempty"`
	Kind     string          `json:"kind,omitempty"`
	From     transfer.Status `json:"from,omitempty"`
	To       transfer.Status `json:"to,omitempty"`
	Code     string          `json:"code,omitempty"`
	Detail   string          `json:"detail,omitempty"`
	Row      *Row            `json:"row,omitempty"`

	Instance string `json:"instance,omitempty"` // term
	Term     int64  `json:"term,omitempty"`

	Identity   string           `json:"identity,omitempty"` // base
	Terms      map[string]int64 `json:"terms,omitempty"`
	Quarantine string           `json:"quarantine,omitempty"` // base, distrust
}

// Row is what of a transfer a journal keeps: enough to know the file again, to
// find it, and to enter the transfer in a database that has never had it.
type Row struct {
	Direction   transfer.Direction `json:"direction"`
	Institution string             `json:"institution"`
	Job         string             `json:"job,omitempty"`
	FileID      string             `json:"file_id,omitempty"`
	WireName    string             `json:"wire_name,omitempty"`
	BaseDate    string             `json:"base_date,omitempty"`
	Serial      string             `json:"serial,omitempty"`
	Name        string             `json:"name,omitempty"`
	Place       string             `json:"place,omitempty"`
	WorkPath    string             `json:"work_path,omitempty"`
	BackupPath  string             `json:"backup_path,omitempty"`
	FinalPath   string             `json:"final_path,omitempty"`
	Form        string             `json:"form,omitempty"`
	Encoding    string             `json:"encoding,omitempty"`
	FileSize    int64              `json:"file_size,omitempty"`
	WireSize    int64              `json:"wire_size,omitempty"`
	FileDigest  string             `json:"file_digest,omitempty"`
	WireDigest  string             `json:"wire_digest,omitempty"`
	EndedOnce   bool               `json:"ended_once,omitempty"`
	EndedDigest string             `json:"ended_digest,omitempty"`
	Response    string             `json:"response,omitempty"`
	Proofs      string             `json:"proofs,omitempty"`
	CreatedAt   int64              `json:"created_at"`
}

func lineOf(w store.Written) Line {
	if w.Instance != "" {
		return Line{What: lineTerm, Instance: w.Instance, Term: w.Term}
	}
	e := w.Event
	l := Line{What: lineEvent, Event: e.ID, Transfer: e.TransferID, Kind: e.Kind, From: e.From, To: e.To, Code: e.Code}
	if !e.At.IsZero() {
		l.At = e.At.UnixMicro()
	}
	if e.Kind == store.EventBackup {
		l.Detail = e.Detail
	}
	if t := w.Row; t != nil {
		l.Row = &Row{
			Direction: t.Direction, Institution: t.Institution, Job: t.Job, FileID: t.FileID, WireName: t.WireName, BaseDate: t.BaseDate,
			Serial: t.Serial, Name: t.Name, Place: t.Place, WorkPath: t.WorkPath, BackupPath: t.BackupPath, FinalPath: t.FinalPath,
			Form: t.Form, Encoding: t.Encoding, FileSize: t.FileSize, WireSize: t.WireSize, FileDigest: t.FileDigest, WireDigest: t.WireDigest,
			EndedOnce: t.EndedOnce, EndedDigest: t.EndedDigest, Response: t.Response, Proofs: t.Proofs, CreatedAt: t.CreatedAt.UnixMicro(),
		}
	}
	return l
}

func (l Line) bytes() []byte {
	b, _ := json.Marshal(l) // texts, numbers and truth values cannot fail
	return append(b, '\n')
}

func (l Line) event() transfer.Event {
	if l.Event == 0 {
		return transfer.Event{}
	}
	return transfer.Event{ID: l.Event, At: time.UnixMicro(l.At).UTC(), TransferID: l.Transfer, Kind: l.Kind, From: l.From, To: l.To}
}

// Known is what a journal knows of a transfer.
type Known struct {
	event  int64 // its number
	Status transfer.Status
	At     time.Time
	Code   string // fault of the last change
	Row    Row
}

// Transfer is the row that a database would have had, as far as a journal knows.
func (k *Known) Transfer(id string) transfer.Transfer {
	r := &k.Row
	return transfer.Transfer{
		ID: id, Direction: r.Direction, Status: k.Status, Institution: r.Institution, Job: r.Job, FileID: r.FileID, WireName: r.WireName,
		BaseDate: r.BaseDate, Serial: r.Serial, Name: r.Name, Place: r.Place, WorkPath: r.WorkPath, BackupPath: r.BackupPath, FinalPath: r.FinalPath,
		Form: r.Form, Encoding: r.Encoding, FileSize: r.FileSize, WireSize: r.WireSize, FileDigest: r.FileDigest, WireDigest: r.WireDigest,
		EndedOnce: r.EndedOnce, EndedDigest: r.EndedDigest, Response: r.Response, Proofs: r.Proofs, CreatedAt: time.UnixMicro(r.CreatedAt).UTC(),
	}
}

// Memory is what the journal of a place says about the time before the
// database was found to be another or an older one.
type Memory struct {
	From      time.Time // of the first line
	Transfers map[string]*Known
}

// Recall reads a journal. Without a quarantine it is about the present.
func Recall(dir string) (*Memory, error) {
	numbers, err := files(dir)
	if err != nil {
		return nil, err
	}
	m := &Memory{Transfers: map[string]*Known{}}
	now := m.Transfers
	quarantine, frozen := "", false
	for _, n := range numbers {
		err := readFile(dir+"/"+fileName(n), func(l Line) {
			if m.From.IsZero() && l.At > 0 {
				m.From = time.UnixMicro(l.At).UTC()
			}
			switch {
			case l.What == lineDistrust && l.Quarantine != quarantine:
				quarantine, frozen = l.Quarantine, true
				m.Transfers = maps.Clone(now)
			case l.What == lineEvent && l.Row != nil:
				// A process that still wrote to the file before this one may have been later.
				if k := now[l.Transfer]; k != nil && k.event > l.Event && k.At.After(time.UnixMicro(l.At)) {
					return
				}
				now[l.Transfer] = &Known{event: l.Event, Status: l.To, At: time.UnixMicro(l.At).UTC(), Code: l.Code, Row: *l.Row}
			case l.What == lineEvent && l.Kind == store.EventBackup:
				var d struct{ Path string }
				if k := now[l.Transfer]; k != nil && json.Unmarshal([]byte(l.Detail), &d) == nil {
					moved := *k
					moved.Row.WorkPath, moved.Row.BackupPath = "", d.Path
					now[l.Transfer] = &moved
				}
			}
		})
		if err != nil {
			return nil, err
		}
	}
	if !frozen {
		m.Transfers = now
	}
	return m, nil
}
