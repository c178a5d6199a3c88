// Package machine holds the three pure machines that interpret any profile: a
// Session (open, exchanges, close) that runs one file sender or one file
// receiver at a time (design D1).
//
// They do no I/O and read no clock. Step takes one event and returns what is
// to be done, in order. A list of actions ends with at most one question
// (Ask…, Load, Save, MarkEnding, Verify, Finish); the driver answers it with
// the event of the same row before it reads another telegram. That is what
// makes "persist, then answer" (D2) a property of the lists: a positive reply
// only ever appears behind the answer to a question.
package machine

import (
	"time"

	"pabal/protocol"
	"pabal/transfer"
)

// EventKind tells events apart.
type EventKind uint8

const (
	Started  EventKind = iota // the connection stands
	Arrived                   // a telegram of the peer
	Garbled                   // a telegram whose bytes do not fit its layout; Telegram as far as it was read
	TimedOut                  // the timer ran out
	Lost                      // the connection is gone, or the peer broke the framing
	Greeted                   // answers Expect: the bytes came
	Judged                    // answers AskOpen
	Chosen                    // answers AskNext
	Counted                   // answers AskFetch
	Accepted                  // answers AskAccept
	Loaded                    // answers Load
	Saved                     // answers Save
	Marked                    // answers MarkEnding
	Verified                  // answers Verify
	Finished                  // answers Finish
	Answered                  // answers AskInquiry and AskCancel
	Broke                     // answers any question: it could not be done
	numEvents
)

// Event is what happened. Only the fields of its kind are set.
type Event struct {
	Kind     EventKind
	Now      time.Time          // in the business zone
	Telegram *protocol.Telegram // Arrived, Garbled
	Err      error              // Lost, Broke, Garbled
	Reason   protocol.Reason    // Judged, Accepted, Counted, Verified, Answered; Broke: what the peer is told
	Order    Order              // Chosen
	Terms    Terms              // Judged
	Resume   Resume             // Accepted
	More     bool               // Marked: another file follows
	Count    int                // Counted: files in this session
	Total    int                // Counted: files in all
	Finding  protocol.Finding   // Answered: what has become of the file; "" = Reason says it
	Size     int64              // Answered: bytes held
	Drop     bool               // Broke: the file is lost to us (held, cancelled, fenced), the session lives
}

// Do says what an action is.
type Do uint8

const (
	Send       Do = iota // Telegram
	SendBytes            // Step: its bytes, before the first telegram
	SendData             // Telegram is the head; Block, Sequences of the loaded block, cut as Geometry has it of a file that is the block
	Keep                 // the data of the telegram just arrived is sequence First of the block being received
	Timer                // TimedOut comes After from now unless another Timer is set; replaces the last
	HangUp               // flush, close; the session is over with Outcome.Err or without
	Expect               // Step: the peer's bytes before its first telegram → Greeted
	AskOpen              // who is there: Telegram is an opening, or by its kind a telegram of the login → Judged
	AskNext              // what to do next → Chosen
	AskFetch             // the peer asks for files: Telegram → Counted
	AskAccept            // Offer → Accepted
	Load                 // Offset, Length of the file being sent → Loaded
	Save                 // Block, Sequences held (up to Last), Complete → Saved
	MarkEnding           // commit "ending" → Marked
	Verify               // Claims → Verified
	Finish               // Outcome of the file → Finished
	AskInquiry           // Telegram → Answered
	AskCancel            // Telegram → Answered
)

// Action is one thing for the driver to do.
type Action struct {
	Do        Do
	Telegram  protocol.Telegram
	Step      *protocol.Step
	Block     int64
	First     int
	Last      int
	Sequences transfer.SeqSet
	Complete  bool
	Geometry  transfer.Geometry
	Offset    int64
	Length    int64 // Load; SendData: of the whole file, where one telegram carries it
	Ahead     int64 // Load: bytes of the block after this one, which will be loaded next; 0 = none
	Rest      int64 // Load: bytes of the blocks after that, all but the last as long as it
	After     time.Duration
	Offer     Offer
	Claims    Claims
	Outcome   Outcome
}

// OrderKind is what the driving side does next.
type OrderKind uint8

const (
	NothingMore OrderKind = iota // close
	SendFile                     // send Order.File
	FetchFiles                   // ask for files: Order.Query
	AskAbout                     // inquire after Order.File or Query
	CancelFile                   // ask the peer to forget a file: Order.Query
)

// question reports that the driver answers d before anything else.
func (d Do) question() bool { return d >= Expect }

// answers reports that an event of this kind is the answer to question d.
func (k EventKind) answers(d Do) bool {
	switch k {
	case Greeted, TimedOut: // of the questions, only the peer's bytes are waited for
		return d == Expect
	case Judged:
		return d == AskOpen
	case Chosen:
		return d == AskNext
	case Counted:
		return d == AskFetch
	case Accepted:
		return d == AskAccept
	case Loaded:
		return d == Load
	case Saved:
		return d == Save
	case Marked:
		return d == MarkEnding
	case Verified:
		return d == Verify
	case Finished:
		return d == Finish
	case Answered:
		return d == AskInquiry || d == AskCancel
	case Broke:
		return d.question()
	}
	return false
}

// Order is the host's answer to AskNext.
type Order struct {
	Kind  OrderKind
	File  File
	Query Query
}

// File is a file to send, as far as the machine must know it.
type File struct {
	Name        string // on the wire
	Date        string // business date, YYYYMMDD
	Serial      string
	Size        int64 // wire bytes
	Declared    int64 // what the announcement and the end say
	Records     int64 // 0 = not counted
	Unit        int   // smallest piece that a telegram must hold whole: the record on the wire, or 1
	DataSize    int   // L it was cut for
	MessageSize int   // N it was cut for
	Head, Tail  int   // bytes of the first and the last telegram, where these are parts of their own
	CutOnce     bool  // the cut is part of the content: it cannot be sent in smaller telegrams
	Sent        int64 // most bytes that may have reached the peer before
	Ended       bool  // an earlier attempt with this content reached its end request
	Settle      bool  // its end is unknown: inquire before anything else
	Gzip        bool
	EBCDIC      bool
	Password    string // transfer password, where the profile has one
}

// Query asks the peer for or about files.
type Query struct {
	Name     string
	Date     string // YYYYMMDD; with EndDate a range
	EndDate  string
	Range    string // A all, R received, E not yet received
	Kind     string // 조회종류
	Password string
}

// Offer is a file that the peer announces, or starts without announcing.
type Offer struct {
	Name        string
	Date        string // as the profile carries it, "" if not
	Serial      string
	Size        int64 // declared; -1 where nothing was declared
	MessageSize int   // the peer's N, 0 if it has none
	Gzip        bool
	EBCDIC      bool
	Password    string
	// Opened is what the opening has named, where it does. Misnamed says that it
	// is another file than this, which is refused (protocol.BadName).
	Opened   string
	Misnamed bool
	// Despite says that the peer was told "complete already" and sends the data
	// all the same. It is taken from the start and compared (§1.5).
	Despite bool
}

// Resume is where an accepted file goes on.
type Resume struct {
	Held        int64    // bytes held without a gap
	Block       int64    // the block that is expected next, from 1
	Lengths     []uint16 // sequences of that block that are held, from 1
	MessageSize int      // agreed N, 0 = the offered one
	Record      int      // bytes of a record on the wire, 0 = they are not counted
}

// Claims are what the peer says of a file that it has sent whole.
type Claims struct {
	Declared int64 // in the announcement, -1 none
	AtEnd    int64 // in the end request, -1 none
	Blocks   int64 // blocks that were checked and saved, the resumed ones included
	// Sequences is the sum of the last sequences of the blocks that were checked
	// in this session.
	Sequences int64
	Serial    string
	Missed    int64 // sequences that we asked for again
}

// Result is how a file's way ended in this session.
type Result uint8

const (
	ArrivedWhole  Result = iota // the peer confirmed the end
	AlreadyThere                // the peer says that it had it, and we never sent its end
	RefusedByPeer               // a definite no
	LaterByPeer                 // the peer cannot now
	FailedHere                  // we gave it up: missing rounds, wrong resume …
	CutBefore                   // the line was lost before the end request
	EndUnknown                  // the line was lost, or silence, after the end request
	NotThere                    // an inquiry says that the peer does not have it
	GivenUpByPeer               // receiving: the sender gave it up
	InquiryDone                 // Response and Size hold the answer
)

// String is the result in words, for logs.
func (r Result) String() string {
	return [...]string{"arrived", "already there", "refused by peer", "later by peer", "failed here", "cut",
		"end unknown", "not there", "given up by peer", "inquiry done"}[r]
}

// Outcome of a file or a session.
type Outcome struct {
	Result   Result
	Response string           // the peer's code
	Finding  protocol.Finding // … of an inquiry or a cancellation: what it means
	Err      error
	Sent     int64            // bytes that may have reached the peer
	Resent   int64            // sequences sent again
	Missed   int64            // sequences asked for again
	Proofs   []transfer.Proof // ArrivedWhole: what was compared
	Settled  bool             // ArrivedWhole by the rule for unknown ends, so without the proofs of a whole sending
	Size     int64
	// MessageSize is the N that the peer takes, where the file is to be cut anew
	// for it (CodeCutSmaller).
	MessageSize int
}
