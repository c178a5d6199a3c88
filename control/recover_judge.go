package control

import (
	"slices"
	"time"

	"pabal/internal/fault"
	"pabal/store/journal"
	"pabal/transfer"
)

// What the comparison can find.
const (
	FoundSafe     = "unchanged"     // the row is as the journal knows it, or further on
	FoundArrived  = "arrived"       // the peer has confirmed the file; the row would send it again
	FoundMaybe    = "maybe_arrived" // its end was asked for; the row would send it again
	FoundPartLeft = "part_sent"     // parts of it may have left since
	FoundEnded    = "ended"         // it had come to another end
	FoundHeld     = "was_held"      // a person or a rule had held it
	FoundPlaced   = "placed"        // a received file that was placed: the row would take it again
	FoundPlacing  = "placing"       // … that was being placed
	FoundLost     = "content_lost"  // the peer was told that we have it, and we no longer do
	FoundAbsent   = "no_row"        // a file to send that the database has never heard of; it is there
	FoundNoFile   = "no_file"       // … and it is not there any more
	FoundFileGone = "file_gone"     // a row that is to be cut from a file that is not there
	FoundBackup   = "backup_alone"  // a file in backup/ that neither database nor journal knows
	FoundPayload  = "payload_gone"  // content that is kept in a file, and the file is not there

	// Nothing is to be done about these; a person may know what they are.
	FoundReceived = "receive_alone" // a file in receive/ that neither database nor journal knows
	FoundError    = "error_alone"   // … in error/
)

// What is proposed about it.
const (
	ProposeNothing = ""
	ProposeMark    = "mark"  // write into the row what is known
	ProposeEnter   = "enter" // make the row
)

// Finding is what is known of one transfer.
type Finding struct {
	ID        string          `json:"id"`
	Kind      string          `json:"finding"`
	Direction string          `json:"direction"`
	Name      string          `json:"name"`
	WireName  string          `json:"wire_name,omitempty"`
	Row       transfer.Status `json:"database,omitempty"` // what the row says, before the quarantine held it
	Journal   transfer.Status `json:"journal,omitempty"`  // what the journal says
	At        time.Time       `json:"at"`                 // of the journal's word, or of the file
	Path      string          `json:"path,omitempty"`
	Size      int64           `json:"size,omitempty"`
	Session   string          `json:"session,omitempty"` // whose log knows more of it than the journal
	Proposal  string          `json:"proposal,omitempty"`
	Becomes   transfer.Status `json:"becomes,omitempty"` // the status that --apply writes
	known     *journal.Known
}

// Open reports that something is to be done about it.
func (f *Finding) Open() bool { return f.Proposal != ProposeNothing }

// judge says what is known of one transfer. row is nil where the database has
// none, known where the journal has nothing; one of them is there. It looks at
// nothing else but whether files exist.
func judge(id string, row *transfer.Transfer, known *journal.Known, since time.Time, exists func(string) bool) *Finding {
	f := &Finding{ID: id, known: known, Kind: FoundSafe}
	if known != nil {
		r := &known.Row
		f.Direction, f.Name, f.WireName, f.Journal, f.At = string(r.Direction), r.Name, r.WireName, known.Status, known.At
	}
	if row != nil {
		f.Direction, f.Name, f.WireName, f.Row = string(row.Direction), title(row), row.WireName, row.Status
		if row.HeldFrom != "" {
			f.Row = row.HeldFrom
		}
		if known == nil {
			f.At = row.UpdatedAt
		}
		if row.HeldFrom == "" && row.Status != transfer.Held && row.UpdatedAt.After(since) {
			return f // a person has decided since
		}
	}
	if f.Direction == string(transfer.Receive) {
		f.judgeReceived(row, known)
	} else {
		f.judgeSent(row, known, exists)
	}
	if !f.Open() {
		f.judgeContent(row, exists)
	}
	return f
}

func (f *Finding) propose(kind string, row *transfer.Transfer, becomes transfer.Status) {
	f.Kind, f.Becomes, f.Proposal = kind, becomes, ProposeMark
	if row == nil {
		f.Proposal = ProposeEnter
	}
}

func (f *Finding) judgeSent(row *transfer.Transfer, known *journal.Known, exists func(string) bool) {
	early := slices.Contains([]transfer.Status{transfer.Storing, transfer.Stored, transfer.Waiting}, f.Row)
	final := row != nil && row.Status.Final()
	switch {
	case f.Journal == transfer.Sent:
		if row == nil || row.Status != transfer.Sent {
			f.propose(FoundArrived, row, transfer.Sent)
		}
	case f.Journal == transfer.Ending || f.Journal == transfer.Unknown || known != nil && known.Row.EndedOnce && !known.Status.Final():
		if row == nil || !row.EndedOnce && row.Status != transfer.Sent {
			f.propose(FoundMaybe, row, transfer.Held)
		}
	case known != nil && known.Status.Final():
		if row == nil || !final {
			f.propose(FoundEnded, row, f.Journal)
		}
	case f.Journal == transfer.Held && row != nil:
		if row.HeldFrom != "" && row.ErrorCode != string(CodeEntered) {
			f.propose(FoundHeld, row, transfer.Held)
		}
	case row == nil:
		f.Path = known.Row.BackupPath
		if !exists(f.Path) {
			f.Path = known.Row.WorkPath
		}
		if f.propose(FoundAbsent, row, transfer.Held); !exists(f.Path) {
			f.propose(FoundNoFile, row, transfer.Failed)
		}
	case f.Row == transfer.Storing && row.HeldFrom != "" && !exists(row.WorkPath) && !exists(row.BackupPath):
		f.Path = row.WorkPath
		f.propose(FoundFileGone, row, transfer.Failed)
	case (f.Journal == transfer.Sending || f.Journal == transfer.Waiting) && early && row.HeldFrom != "" && row.SentBytes < max(row.WireSize, known.Row.WireSize):
		f.propose(FoundPartLeft, row, transfer.Held)
	}
}

func (f *Finding) judgeReceived(row *transfer.Transfer, known *journal.Known) {
	if known == nil {
		return
	}
	have := row != nil && (row.Status.Success() || slices.Contains([]transfer.Status{transfer.Received, transfer.Waiting, transfer.Placing}, f.Row))
	f.Path = known.Row.FinalPath
	switch f.Journal {
	case transfer.Assembled, transfer.Delivered:
		if row == nil || !row.Status.Success() {
			f.propose(FoundPlaced, row, f.Journal)
		}
	case transfer.Placing:
		if row == nil || f.Row != transfer.Placing && !row.Status.Success() {
			f.propose(FoundPlacing, row, transfer.Held)
		}
	case transfer.Received, transfer.Waiting, transfer.Held:
		switch {
		case have && f.Journal == transfer.Held && row.HeldFrom != "":
			f.propose(FoundHeld, row, transfer.Held)
		case have || row != nil && (row.Status.Final() || row.Status == transfer.Held && row.HeldFrom == ""):
		case staged(known.Row.FinalPath, f.ID):
			f.propose(FoundPlacing, row, transfer.Held)
		default:
			f.propose(FoundLost, row, transfer.Failed)
		}
	case transfer.Failed, transfer.Cancelled, transfer.Abandoned, transfer.Duplicate:
		if row != nil && !row.Status.Final() {
			f.propose(FoundEnded, row, f.Journal)
		}
	}
}

// mark makes a row what the finding says.
func (f *Finding) mark(t *transfer.Transfer, now time.Time) {
	if k := f.known; k != nil {
		r := &k.Row
		t.EndedOnce = t.EndedOnce || r.EndedOnce || f.Kind == FoundMaybe
		for _, text := range []struct {
			to   *string
			from string
		}{{&t.FileDigest, r.FileDigest}, {&t.WireDigest, r.WireDigest}, {&t.EndedDigest, r.EndedDigest}, {&t.Response, r.Response}} {
			if *text.to == "" {
				*text.to = text.from
			}
		}
		t.FileSize, t.WireSize = max(t.FileSize, r.FileSize), max(t.WireSize, r.WireSize)
		if r.FinalPath != "" {
			t.FinalPath = r.FinalPath
		}
	}
	from := t.Status
	if t.HeldFrom != "" {
		from = t.HeldFrom
	}
	t.NextTry, t.SessionID, t.Ask, t.HeldFrom = time.Time{}, "", transfer.AskNothing, ""
	t.Status = f.Becomes
	why := recovered(f)
	t.ErrorCode, t.ErrorDetail = string(why.Code), why.Detail()
	switch f.Kind {
	case FoundArrived, FoundPlaced:
		t.Proofs, t.EndedAt = f.known.Row.Proofs, f.known.At
		t.ErrorCode, t.ErrorDetail = "", ""
	case FoundMaybe:
		t.SentBytes, t.HeldFrom = t.WireSize, transfer.Unknown
	case FoundPartLeft:
		t.SentBytes, t.HeldFrom = t.WireSize, from
	case FoundHeld:
		t.SentBytes = t.WireSize
	case FoundPlacing:
		t.HeldFrom = transfer.Placing
	case FoundPayload:
		if f.Becomes == transfer.Abandoned {
			t.EndedAt = now
			break
		}
		// It is cut again from its file; what has left of it stays noted.
		t.HeldFrom, t.WireDigest, t.ReleasedAt = transfer.Storing, "", time.Time{}
	case FoundAbsent, FoundBackup:
		// Its payload is not here: it is cut again from the file.
		t.SentBytes, t.HeldFrom, t.WireDigest = t.WireSize, transfer.Storing, ""
		t.ReleasedAt = time.Time{}
		if f.Path != t.WorkPath {
			t.WorkPath = ""
		}
	case FoundEnded, FoundLost, FoundNoFile, FoundFileGone:
		t.EndedAt = now
		if f.Kind == FoundEnded && f.known != nil {
			t.EndedAt = f.known.At
		}
	}
}

// recovered is the fault that tells in the row how it came to stand there.
func recovered(f *Finding) *fault.Error {
	switch f.Kind {
	case FoundLost:
		return fault.New(CodeContentLost, f.Name)
	case FoundNoFile, FoundFileGone:
		return fault.New(CodeFileGone, f.Name, "path", f.Path)
	case FoundPayload:
		return fault.New(CodeContentGone, f.Name, "path", f.Path)
	case FoundAbsent, FoundBackup:
		return fault.New(CodeEntered, f.Name, "path", f.Path)
	}
	return fault.New(CodeRecovered, f.Name, "journal", f.Journal)
}
