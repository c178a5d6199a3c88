package control

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"pabal/internal/fault"
	"pabal/transfer"
)

// Transfer is a transfer as people and programs are shown it. Times are UTC;
// one that has not come is left out. Sizes are bytes.
type Transfer struct {
	ID          string `json:"id"`
	Direction   string `json:"direction"`
	Status      string `json:"status"`
	StatusText  string `json:"status_text"` // the status in words
	Institution string `json:"institution"`
	Job         string `json:"job"`
	FileID      string `json:"file_id"`
	WireName    string `json:"wire_name"`
	BaseDate    string `json:"base_date"`
	Serial      string `json:"serial,omitempty"`
	Name        string `json:"name"`

	FileSize  int64 `json:"file_size"`
	WireSize  int64 `json:"wire_size"`
	Records   int64 `json:"records"`
	Sequences int64 `json:"sequences"`
	Blocks    int64 `json:"blocks"`
	SentBytes int64 `json:"sent_bytes,omitempty"`
	Resent    int64 `json:"resent"`
	Missed    int64 `json:"missed"`
	Tries     int   `json:"tries"`

	Created time.Time  `json:"created"`
	Updated time.Time  `json:"updated"`
	Started *time.Time `json:"started,omitempty"`
	Ended   *time.Time `json:"ended,omitempty"`
	NextTry *time.Time `json:"next_try,omitempty"`
	Asked   string     `json:"asked,omitempty"` // what the counterparty is to be asked in its next session

	// WaitsForPlace is the host whose directories it needs next, while none of
	// that host's instances runs.
	WaitsForPlace string `json:"waits_for_place,omitempty"`

	Owner   string   `json:"owner,omitempty"`
	Attempt int64    `json:"attempt"`
	Session string   `json:"session,omitempty"`
	Error   *Failure `json:"error,omitempty"`

	RepeatOf   string `json:"repeat_of,omitempty"` // the transfer of the same name that it was compared with
	Repeat     string `json:"repeat,omitempty"`    // absorb and doubt: to be compared; equal; other
	RepeatText string `json:"repeat_text,omitempty"`

	// Pending is the request that an order has made instead of being carried
	// out, where another person must agree.
	Pending *Request `json:"pending,omitempty"`
}

// Failure is a fault in words.
type Failure struct {
	Code     string `json:"code"`
	Sentence string `json:"sentence"`
	Next     string `json:"next,omitempty"`
}

// Detail is all that is known of one transfer.
type Detail struct {
	Transfer
	Place       string     `json:"place"`
	WorkPath    string     `json:"work_path,omitempty"`
	BackupPath  string     `json:"backup_path,omitempty"`
	BackedUp    *time.Time `json:"backed_up,omitempty"`
	BackupWaits string     `json:"backup_waits_for_place,omitempty"` // as WaitsForPlace
	FinalPath   string     `json:"final_path,omitempty"`
	ErrorPath   string     `json:"error_path,omitempty"`  // of a refused file
	ResultFile  string     `json:"result_file,omitempty"` // "wanted", or the status that the last one told
	Form        string     `json:"form,omitempty"`
	Encoding    string     `json:"encoding,omitempty"`
	MessageSize int        `json:"message_size,omitempty"`
	DataSize    int        `json:"data_size,omitempty"`
	PerBlock    int        `json:"per_block,omitempty"`
	FileDigest  string     `json:"file_sha256,omitempty"`
	WireDigest  string     `json:"wire_sha256,omitempty"`
	Response    string     `json:"response,omitempty"` // the peer's last response code
	Proofs      []Proof    `json:"proofs,omitempty"`   // what was compared before it counted as arrived
	Released    *time.Time `json:"payload_deleted,omitempty"`
	// Troubles is what of its files on disk cannot be written at present.
	Troubles []FileTrouble `json:"troubles,omitempty"`
	Map      []Block       `json:"block_map"`
	History  []Entry       `json:"history"`
	Sessions []*Session    `json:"sessions"` // of its attempts
}

// Proof is one thing that was compared.
type Proof struct {
	transfer.Proof
	Holds bool   `json:"holds"`
	Text  string `json:"text"` // what it is, in words

	ExpectedText string `json:"-"` // what was compared, in words
	ActualText   string `json:"-"`
}

// Block is what is held of one block.
type Block struct {
	Number    int64  `json:"number"`
	Sequences int    `json:"sequences"` // that it has, as far as is known
	Held      int    `json:"held"`
	Missing   []int  `json:"missing,omitempty"`
	Bytes     int64  `json:"bytes"`
	State     string `json:"state"`
}

// States of a block.
const (
	BlockWhole   = "whole"
	BlockPart    = "part"
	BlockNothing = "nothing"
)

// Entry is one line of a transfer's history: an event, or an order of a person.
type Entry struct {
	At       time.Time       `json:"at"`
	Kind     string          `json:"kind"`
	From     string          `json:"from,omitempty"`
	To       string          `json:"to,omitempty"`
	Session  string          `json:"session,omitempty"`
	Who      string          `json:"who,omitempty"`
	Login    string          `json:"login,omitempty"`
	Host     string          `json:"host,omitempty"`
	Reason   string          `json:"reason,omitempty"`
	Subject  string          `json:"subject,omitempty"`
	Approver string          `json:"approver,omitempty"`
	Before   json.RawMessage `json:"before,omitempty"` // an order: what of the row it changed
	After    json.RawMessage `json:"after,omitempty"`
	Detail   json.RawMessage `json:"detail,omitempty"`
	Text     string          `json:"text,omitempty"` // the detail in words, where there are words for it
	Error    *Failure        `json:"error,omitempty"`
	order    bool
}

// Person is who gave an order, for people.
func (e Entry) Person() string {
	return transfer.Person{Who: e.Who, Login: e.Login, Host: e.Host}.String()
}

// Order reports that a person did this.
func (e Entry) Order() bool { return e.order }

func (c *Control) view(t *transfer.Transfer) *Transfer {
	repeat := ""
	if t.Repeat != transfer.NotRepeated {
		repeat = c.cat.Text(c.lang, fault.Code("ui.repeat."+string(t.Repeat)), nil)
	}
	return &Transfer{
		RepeatOf: t.RepeatOf, Repeat: string(t.Repeat), RepeatText: repeat,

		ID: t.ID, Direction: string(t.Direction), Status: string(t.Status),
		StatusText:  c.cat.Status(c.lang, string(t.Status)),
		Institution: t.Institution, Job: t.Job, FileID: t.FileID, WireName: t.WireName,
		BaseDate: t.BaseDate, Serial: t.Serial, Name: t.Name,
		FileSize: t.FileSize, WireSize: t.WireSize, Records: t.Records, Sequences: t.Sequences, Blocks: t.Blocks,
		SentBytes: t.SentBytes, Resent: t.Resent, Missed: t.Missed, Tries: t.Tries,
		Created: t.CreatedAt, Updated: t.UpdatedAt, Started: at(t.StartedAt), Ended: at(t.EndedAt),
		NextTry: nextTry(t), Asked: string(t.Ask), Owner: t.Owner, Attempt: t.Attempt, Session: t.SessionID,
		Error: c.inForce(t),
	}
}

// inForce is what stands in the way of a transfer. A row keeps the failure of
// its last attempt while the next one runs; that is history, not what is wrong.
func (c *Control) inForce(t *transfer.Transfer) *Failure {
	if underWay(t.Status) {
		return nil
	}
	return c.failureOf(t.ID, t.SessionID, t.ErrorCode, t.ErrorDetail)
}

// underWay reports that a session is at it at this moment.
func underWay(s transfer.Status) bool { return s == transfer.Sending || s == transfer.Ending }

// nextTry is shown only where a next try is what the transfer waits for.
func nextTry(t *transfer.Transfer) *time.Time {
	switch t.Status {
	case transfer.Waiting, transfer.Unknown, transfer.Storing:
		return at(t.NextTry)
	}
	if t.Ask != transfer.AskNothing {
		return at(t.NextTry)
	}
	return nil
}

// proofs puts what was compared into words.
func (c *Control) proofs(text string) []Proof {
	var out []Proof
	for _, p := range transfer.ProofsOf(text) {
		out = append(out, Proof{Proof: p, Holds: p.Holds(), Text: c.cat.Text(c.lang, fault.Code("ui.proof."+p.Name), nil),
			ExpectedText: c.proven(p.Expected), ActualText: c.proven(p.Actual)})
	}
	return out
}

// proven is a value of a proof in words.
func (c *Control) proven(value string) string {
	if p, ok := transfer.Words(value).(fault.Phrase); ok {
		return c.cat.Text(c.lang, p.Key(), p.Args())
	}
	return value
}

// failureOf is a failure that stands in the row or the history of a transfer.
// session is "" where it is not known.
func (c *Control) failureOf(id, session, code, detail string) *Failure {
	return c.told(fault.Noted(code, detail).OfTransfer(id).InSession(session))
}

func (c *Control) failure(code, detail string) *Failure {
	return c.told(fault.Noted(code, detail))
}

// told is a fault in words; nil for none.
func (c *Control) told(e *fault.Error) *Failure {
	if e == nil {
		return nil
	}
	f := &Failure{Code: string(e.Code)}
	f.Sentence, f.Next = c.cat.Sentence(c.lang, c.inWords(e))
	return f
}

// inWords puts the label of a status in the place of the status itself, so
// that a Korean sentence has no English word in it.
func (c *Control) inWords(e *fault.Error) *fault.Error {
	word, ok := e.Args["status"]
	if !ok || !slices.Contains(transfer.Statuses(), transfer.Status(word)) {
		return e
	}
	said := *e
	said.Args = maps.Clone(e.Args)
	said.Args["status"] = c.cat.Status(c.lang, word)
	return &said
}

func at(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// raw is a JSON object of a row, nil if it is none.
func raw(text string) json.RawMessage {
	if text == "" || !json.Valid([]byte(text)) {
		return nil
	}
	return json.RawMessage(text)
}

// title is what people call a transfer.
func title(t *transfer.Transfer) string {
	if t.Name != "" {
		return t.Name
	}
	return t.WireName
}

// newest lists ids, the latest first.
func newest(found map[string]*transfer.Transfer) string {
	ids := slices.Sorted(maps.Keys(found))
	slices.Reverse(ids)
	return strings.Join(ids, ", ")
}
