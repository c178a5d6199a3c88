package sessionlog

import (
	"encoding/hex"
	"encoding/json"
	"strconv"
	"time"

	"pabal/protocol"
)

// What a record tells.
const (
	WhatSession  = "session"  // the first of a file: whose conversation it is
	WhatTelegram = "telegram" // one telegram, secrets masked
	WhatData     = "data"     // data telegrams in a row, without their content
	WhatMore     = "more"     // a piece of the data telegram before it, which carries a whole file
	WhatBytes    = "bytes"    // what was said before the first telegram, as far as the profile says it
	WhatFile     = "file"     // which transfer the following telegrams are about
	WhatNote     = "note"     // the log itself: what it could not take
	WhatEnd      = "end"      // how the session ended
	WhatAway     = "away"     // a caller that was not let in; what it said follows
)

// Notes of a log about itself.
const (
	NoteLost     = "lost"      // Bytes of records could not be written
	NoteFull     = "full"      // the log has reached its size; only files and the end follow
	NoteAwayFull = "away_full" // the log of callers that were turned away has reached its size: it takes no more this day
	NoteBodies   = "bodies"    // content is left out from here on, because half of the size is used
)

// Directions of telegrams.
const (
	In  = "in"  // the counterparty said it
	Out = "out" // we said it
)

// Record is one line of a log. Fields that a kind does not have are empty.
type Record struct {
	At   int64  `json:"at"` // microseconds since 1970 in UTC
	What string `json:"what"`

	// telegram, data, more, bytes
	Way      string `json:"way,omitempty"`  // In or Out
	Kind     string `json:"kind,omitempty"` // as in a profile, "none" where it is none of its telegrams
	By       string `json:"by,omitempty"`   // bytes: who says them by the profile
	Bytes    int64  `json:"bytes,omitempty"`
	Text     string `json:"text,omitempty"`     // the telegram, where all of it can be printed
	Hex      string `json:"hex,omitempty"`      // … where not
	Response string `json:"response,omitempty"` // of an answer, as it stands there
	Meaning  string `json:"meaning,omitempty"`  // … and how it is to be taken (protocol.Reason)
	Code     string `json:"code,omitempty"`     // fault of a telegram that is not what it should be; of note and end as well

	// data
	Block int64 `json:"block,omitempty"`
	First int   `json:"first,omitempty"` // sequence, from 1
	Last  int   `json:"last,omitempty"`
	Count int   `json:"count,omitempty"`

	// file
	Transfer  string `json:"transfer,omitempty"`
	Direction string `json:"direction,omitempty"` // send or receive, of session too
	Name      string `json:"name,omitempty"`
	WireName  string `json:"wire_name,omitempty"`
	FileID    string `json:"file_id,omitempty"`
	Job       string `json:"job,omitempty"`
	BaseDate  string `json:"base_date,omitempty"`
	Serial    string `json:"serial,omitempty"`
	WireSize  int64  `json:"wire_size,omitempty"`
	FileSize  int64  `json:"file_size,omitempty"`

	// session; Host also of file: whose directories it is in
	Session     string `json:"session,omitempty"`
	Institution string `json:"institution,omitempty"`
	Profile     string `json:"profile,omitempty"`
	Instance    string `json:"instance,omitempty"`
	Host        string `json:"host,omitempty"`
	Peer        string `json:"peer,omitempty"`
	Calling     bool   `json:"calling,omitempty"`
	Level       Level  `json:"level,omitempty"`

	// away, beside Profile, Instance, Host, Peer, Code, and as Count those that
	// were left out before it
	Detail string `json:"detail,omitempty"` // values of the fault, as fault.Noted reads them

	// end
	Files int `json:"files,omitempty"`
}

// Time of the record.
func (r *Record) Time() time.Time { return time.UnixMicro(r.At).UTC() }

// Frame is what travelled, passwords masked: a telegram, a piece of one, or
// bytes before the first; nil where the record has none.
func (r *Record) Frame() []byte {
	switch {
	case r.Text != "":
		return []byte(r.Text)
	case r.Hex == "":
		return nil
	}
	b, _ := hex.DecodeString(r.Hex) // what a torn line leaves is decoded as far as it goes
	return b
}

// line is any record as a line.
func (r *Record) line(dst []byte) []byte {
	b, _ := json.Marshal(r) // texts, numbers and truth values cannot fail
	return append(append(dst, b...), '\n')
}

// head begins the line of a telegram or of data. These are written by hand:
// there are several for every block of a file.
func head(dst []byte, what string, at time.Time, out bool, kind protocol.Kind, bytes int64) []byte {
	way := In
	if out {
		way = Out
	}
	dst = append(dst, `{"at":`...)
	dst = strconv.AppendInt(dst, at.UnixMicro(), 10)
	dst = append(dst, `,"what":"`...)
	dst = append(dst, what...)
	dst = append(dst, `","way":"`...)
	dst = append(dst, way...)
	dst = append(dst, `","kind":"`...)
	dst = append(dst, kind.String()...)
	dst = append(dst, `","bytes":`...)
	return strconv.AppendInt(dst, bytes, 10)
}

// number adds a field.
func number(dst []byte, name string, v int64) []byte {
	dst = append(append(append(dst, `,"`...), name...), `":`...)
	return strconv.AppendInt(dst, v, 10)
}

// text adds a field of printable ASCII.
func text(dst []byte, name string, v []byte) []byte {
	dst = append(append(append(dst, `,"`...), name...), `":"`...)
	for _, c := range v {
		if c == '"' || c == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, c)
	}
	return append(dst, '"')
}

// frame adds the bytes of a telegram.
func frame(dst, b []byte) []byte {
	if printable(b) {
		return text(dst, "text", b)
	}
	dst = append(dst, `,"hex":"`...)
	dst = hex.AppendEncode(dst, b)
	return append(dst, '"')
}

func printable(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}
