package simulator

import (
	"time"

	"pabal/protocol/machine"
)

// EventKind says what happened.
type EventKind string

const (
	Taken  EventKind = "taken"  // a file arrived and has its final name
	Given  EventKind = "given"  // a file was given and its end confirmed
	Failed EventKind = "failed" // a file was not; Err says why
	Opened EventKind = "opened" // a session stands
	Closed EventKind = "closed" // a session is over; Err says why, if not in peace
)

// Event is something worth telling.
type Event struct {
	Kind    EventKind
	At      time.Time
	Session int64 // number of the session, from 1

	Name    string // on the wire
	File    string // giving: its name in the folder
	Date    string // business date, YYYYMMDD
	Serial  string
	Path    string // of the file; after giving, where it was moved to
	Bytes   int64  // of the file
	Wire    int64  // bytes on the wire
	SHA256  string // of the file, hex
	Blocks  int64
	Resent  int64         // sequences sent a second time: by us when giving, to us when taking
	Resumed int64         // bytes that were there before this session
	Took    time.Duration // from when it was begun until its end was settled
	Again   bool          // taken before with the same content and not placed a second time
	Result  machine.Result
	Code    string // the peer's response code, if it was one that decided
	Err     error
}

// Report tells how one session went.
type Report struct {
	Files  int     // given or taken to their end
	More   bool    // the peer has more than this session brought
	Events []Event // taken, given and failed files, in order
}
