package store

import (
	"context"
	"encoding/json"
	"time"
)

// LineState is what an instance tells of its lines beside their sessions: the
// certificates that it uses, the callers that it did not let in, and the files
// that it cannot write beside their transfers. It is for people; nothing is
// decided by it.
type LineState struct {
	Since        time.Time     `json:"since"` // from when callers are counted
	Certificates []Certificate `json:"certificates,omitempty"`
	Refused      []Refused     `json:"refused,omitempty"` // those of the last ones
	Troubles     []Trouble     `json:"troubles,omitempty"`
}

// Certificate is one that an instance shows or trusts, or, with an error, a
// file that has changed and whose new content cannot be used.
type Certificate struct {
	File        string    `json:"file"`
	CA          bool      `json:"ca,omitempty"` // it is trusted, not shown
	Subject     string    `json:"subject,omitempty"`
	SHA256      string    `json:"sha256,omitempty"`
	NotBefore   time.Time `json:"not_before,omitzero"`
	NotAfter    time.Time `json:"not_after,omitzero"`
	ErrorCode   string    `json:"error_code,omitempty"`
	ErrorDetail string    `json:"error_detail,omitempty"`
}

// Refused are callers from one address, or one network of v6, that were not
// let in for one reason.
type Refused struct {
	Address string    `json:"address"`
	Code    string    `json:"code"`
	Detail  string    `json:"detail,omitempty"` // of the last one, as in rows
	Count   int64     `json:"count"`
	First   time.Time `json:"first"`
	Last    time.Time `json:"last"`
}

// Stages that write files beside transfers.
const (
	TroubleBackup = "backup" // of a stored file
	TroubleError  = "error"  // a refused file, which still lies in the work directory
	TroubleResult = "result" // the result file
)

// Trouble are files that could not be written for one reason, when that was
// tried last. Nothing else waits for them, so their rows do not have it.
type Trouble struct {
	Stage string         `json:"stage"`
	Code  string         `json:"code"`
	Count int            `json:"count"`
	Files []TroubledFile `json:"files"` // those that have waited longest
}

// TroubledFile is the file of one transfer, since when it could not be written,
// and the values of the code, as in rows.
type TroubledFile struct {
	ID     string    `json:"id"`
	Since  time.Time `json:"since"`
	Detail string    `json:"detail,omitempty"`
}

// lineState is the name of an instance's LineState in table meta.
func lineState(instanceID string) string { return "lines of " + instanceID }

// SetLineState replaces what the instance told before. Errors: CodeFenced when
// its term is over.
func (s *Store) SetLineState(ctx context.Context, instanceID string, term int64, l LineState) error {
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	return s.write(ctx, 0, func(tx *tx) error {
		if err := tx.inTerm("", instanceID, term); err != nil {
			return err
		}
		_, err := tx.exec(`INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
			lineState(instanceID), string(text))
		return err
	})
}

// LineState is what the instance told last; the zero value if it never did, or
// in a form that this version does not know.
func (s *Store) LineState(ctx context.Context, instanceID string) (l LineState, err error) {
	text, ok, err := s.Meta(ctx, lineState(instanceID))
	if err == nil && ok && json.Unmarshal([]byte(text), &l) != nil {
		l = LineState{}
	}
	return l, err
}
