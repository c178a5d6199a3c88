package transfer

import (
	"slices"
	"time"
)

// Transfer is one file on its way in one direction (일괄전송 파일). Times are
// UTC; a zero time means "not yet". Sizes are bytes.
type Transfer struct {
	ID        string // sortable by time of creation, unique across databases
	Direction Direction
	Status    Status

	// Identity (design D6): equal for the same file sent or received again.
	Institution string
	Job         string
	FileID      string // the registration
	WireName    string // the name that the peer sees
	BaseDate    string // business date of the data, YYYYMMDD
	Serial      string // the profile's serial number of the file, if it has one

	// Where it comes from or goes to.
	Name       string // sending: the name in the scan directory; receiving: the full formatted name
	Place      string // the host whose directories hold it
	SourceID   string // sending: identity of the source file (device, inode, size, time) when claimed
	WorkPath   string // sending: the claimed file, until backed up
	BackupPath string // sending: where the backup is or, with BackedUpAt zero, will be
	FinalPath  string // receiving: the chosen final name, set by placing

	// Shape. Payload rows hold what goes over the wire; the file may differ
	// from it by line ends, gzip or EBCDIC.
	Form        string // record form, as the registration writes it: fixed, lines, raw …
	Encoding    string // transforms on the wire beside the form: "", "gzip", "ebcdic", "gzip+ebcdic"
	FileSize    int64
	WireSize    int64
	MessageSize int // N of the profile for which the file was cut
	DataSize    int // L: data bytes per telegram; every telegram but the last is full
	PerBlock    int // sequences per block
	HeadSize    int // sending: bytes of the first telegram where that is a part of its own, 0 = it is not
	TailSize    int // … and of the last
	Records     int64
	Sequences   int64
	Blocks      int64
	FileDigest  string // sha256 hex of the file
	WireDigest  string // sha256 hex of the payload, once complete
	// PayloadIn says where the wire bytes are (design D3): "" in the block rows,
	// InFile in the file of the business side itself, or else the path of a file
	// that is kept for them alone.
	PayloadIn string

	// Ownership (design D4).
	Owner   string
	Term    int64
	Attempt int64

	// Progress and outcome.
	SessionID   string
	SentBytes   int64 // sending: how much may have reached the peer in earlier sessions
	Resent      int64 // sequences sent again because the peer missed them
	Missed      int64 // receiving: sequences we asked for again
	Tries       int   // failures in a row since the last progress
	NextTry     time.Time
	EndedOnce   bool   // an attempt has reached ending, and no answer has said that it failed
	EndedDigest string // FileDigest of that attempt: what "already complete" would be about (design D5)
	Response    string // the peer's last response code
	ErrorCode   string // fault code of the last failure, "" when none
	ErrorDetail string // its subject and values as JSON, for the sentence
	Proofs      string // what proved success, as JSON
	Ask         Ask    // sending: what a person wants the peer to be asked about it
	HeldFrom    Status // what it was when a quarantine held it; releasing it restores that
	RepeatOf    string // receiving: the transfer of the same name that this one is, or was, compared with
	Repeat      Repeat // receiving: what came of it
	Result      string // sending: "" = no result file is asked for, else ResultWanted or the status that the last one told
	ErrorPath   string // sending: where in error/ a refused file stands

	CreatedAt  time.Time
	UpdatedAt  time.Time
	StartedAt  time.Time // first telegram of the current attempt
	BackedUpAt time.Time
	EndedAt    time.Time
	ReleasedAt time.Time // payload is not to be used: its deletion has begun; backup file and digests stay
	PurgedAt   time.Time // no payload is left
}

// Repeat says how a received file stands to an earlier one of its name (design
// D6). Comparing is done when it is whole, before it is put together.
type Repeat string

const (
	NotRepeated   Repeat = ""       // a file of its own
	RepeatAbsorb  Repeat = "absorb" // to be compared; other content is held for a person
	RepeatSuspect Repeat = "doubt"  // to be compared, as the peer may not have heard our answer; other content is a file of its own
	RepeatEqual   Repeat = "equal"  // compared: the same content
	RepeatOther   Repeat = "other"  // compared: other content
)

// Undecided reports that the content is still to be compared.
func (r Repeat) Undecided() bool { return r == RepeatAbsorb || r == RepeatSuspect }

// ResultWanted is Transfer.Result until a result file has been written.
const ResultWanted = "wanted"

// ResultDue reports that a result file is to be written: sending has come to
// an end that the last one did not tell.
func (t *Transfer) ResultDue() bool {
	switch t.Status {
	case Sent, Failed, Refused:
		return t.Direction == Send && t.Result != "" && t.Result != string(t.Status)
	}
	return false
}

// ErrorFileDue reports that the file of a refused transfer is not known to
// stand in error/ yet.
func (t *Transfer) ErrorFileDue() bool {
	return t.Direction == Send && t.Status == Refused && t.ErrorPath == ""
}

// InFile as Transfer.PayloadIn: the wire bytes are those of the work file, or of
// its backup once it is there; of a received file, those of the placed one.
const InFile = "file"

// PayloadFiles are the paths at which the payload may stand if it is in a file,
// the likeliest first: between a rename and its note in the row it is the next.
func (t *Transfer) PayloadFiles() []string {
	var all []string
	switch t.PayloadIn {
	case "":
		return nil
	case InFile:
		all = []string{t.WorkPath, t.BackupPath, t.FinalPath}
	default:
		all = []string{t.PayloadIn, t.FinalPath}
	}
	return slices.DeleteFunc(all, func(p string) bool { return p == "" })
}

// Ask is a question to the peer about a file that was sent, put in the next
// session (파일조회, 파일 취소/초기화).
type Ask string

const (
	AskNothing Ask = ""
	AskStatus  Ask = "inquire" // what has become of it
	AskRecall  Ask = "recall"  // forget it, so that it can be sent afresh
)

// Ref is what a holder of a transfer presents with every write. A write whose
// owner, term or attempt no longer match the row is fenced off.
type Ref struct {
	ID      string
	Owner   string
	Term    int64
	Attempt int64
}

// Ref of the transfer as it was read.
func (t *Transfer) Ref() Ref {
	return Ref{ID: t.ID, Owner: t.Owner, Term: t.Term, Attempt: t.Attempt}
}

// Geometry of the transfer's payload.
func (t *Transfer) Geometry() Geometry {
	return Geometry{DataSize: t.DataSize, PerBlock: t.PerBlock, Head: t.HeadSize, Tail: t.TailSize}
}

// Event is one entry of a transfer's or session's history.
type Event struct {
	ID         int64
	At         time.Time
	TransferID string
	SessionID  string
	Kind       string // "status", "resend", "round", "backup", …
	From, To   Status // for kind "status"
	Code       string // fault code, if it tells of a failure
	Detail     string // JSON object
}

// Command is what a person asked for, and what it changed. Rows are never
// written again.
type Command struct {
	ID           int64
	At           time.Time
	Name         string // hold, release, resend, cancel, …, request, approve, reject
	Subject      string // what it is about beside a transfer: the order that was requested, a version, a place
	TransferID   string // "" for what is about no transfer
	Who          string // OS user; see Person
	Login        string
	LoginBy      string
	Host         string
	Reason       string
	RequestID    string // the request that was made, decided or carried out
	Approver     string // who agreed to it, where a second person must
	Before       Status
	After        Status
	BeforeFields string // what of the row changed, as JSON by column: what it was
	AfterFields  string // … and what it became
}

// Request is an order that waits for a second person.
type Request struct {
	ID         string
	At         time.Time
	ExpiresAt  time.Time
	Command    string // name of the order
	Options    string // of the order, as JSON
	TransferID string
	Seen       string // what of the transfer the order rests on, when it was asked for
	Who        string // OS user; see Person
	Login      string
	LoginBy    string
	Host       string
	Reason     string
	State      RequestState
	DecidedAt  time.Time
	DecidedBy  string
}

// RequestState is what has become of a request. One that nobody has decided
// on stays pending; ExpiresAt says that it is too late.
type RequestState string

const (
	Pending  RequestState = "pending"
	Approved RequestState = "approved"
	Rejected RequestState = "rejected"
)

// Session is one connection with a counterparty, from accept or connect to close.
type Session struct {
	ID          string
	Institution string
	Profile     string
	Instance    string
	Host        string    // where it was held, and where its log is
	Direction   Direction // which way files went, or were asked for; BothWays; "" = neither yet
	Calling     bool      // we connected
	Peer        string    // address
	OpenedAt    time.Time
	ClosedAt    time.Time
	Files       int
	Heard       bool // receiving: the peer went on after our last end reply, so it has it; or there was none
	ErrorCode   string
	ErrorDetail string
}
