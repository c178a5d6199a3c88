// Package sessionlog keeps what was said on a line: a file for each session,
// with a line for each telegram, so that a person can read it after a crash
// and without the server. What it does must never hold a session up: a log
// gathers lines in memory, one goroutine writes those of all sessions, and what
// cannot be written is counted and left out.
package sessionlog

import (
	"bytes"
	"encoding/hex"
	"sync"
	"time"

	"pabal/internal/fault"
	"pabal/protocol"
)

// Level is how much of a conversation is kept.
type Level string

// Levels of a log.
const (
	Off     Level = "off"
	Headers Level = "headers" // all telegrams but data whole, of data which and how many bytes
	Bodies  Level = "bodies"  // the data too
)

// Levels are all of them, as a configuration names them.
func Levels() []string { return []string{string(Off), string(Headers), string(Bodies)} }

const (
	gather  = 32 << 10  // of lines, before they are given to the writer
	waiting = 512 << 10 // of lines, before what comes is left out: the disk does not keep up
	content = 8 << 20   // … of a log with content
	unnamed = 16 << 10  // of lines of a caller that has not said who it is
)

// Log is what one session says and hears. All methods but those of its writer
// are called by one goroutine. A nil Log takes everything and keeps nothing.
type Log struct {
	w       *Writer
	profile *protocol.Profile
	level   Level
	path    string // "" until it is known whose session it is
	most    int64  // bytes of the file
	taken   int64  // … so far
	full    bool
	appends bool   // to what an earlier process has written
	lines   []byte // not yet given to the writer
	masked  []byte

	run run // of data telegrams, not yet a line

	mu    sync.Mutex
	given []byte // for the writer
	lost  int64  // bytes of lines that were left out
	ended bool
	file  file // the writer's alone
}

// run is data telegrams of a block that follow one another.
type run struct {
	at          time.Time
	out         bool
	kind        protocol.Kind
	block       int64
	first, last int
	count       int
	bytes       int64
}

// Begin names the session. Until then what is said is kept in memory.
func (l *Log) Begin(at time.Time, r Record, o Options) {
	if l == nil {
		return
	}
	if o.Level == Off || o.Level == "" || o.Dir == "" {
		l.level, l.lines, l.run = Off, nil, run{}
		return
	}
	l.level, l.most = o.Level, o.Session
	if l.most <= 0 {
		l.most = DefaultSession
	}
	said := l.lines
	r.At, r.What, r.Level = at.UnixMicro(), WhatSession, o.Level
	l.lines = r.line(make([]byte, 0, len(said)+512))
	l.lines = append(l.lines, said...)
	l.path = pathOf(o.Dir, at, r.Session)
	l.w.add(l, o)
	l.give()
}

// on reports that lines are to be made.
func (l *Log) on() bool {
	return l != nil && l.level != Off && !l.full && (l.path != "" || len(l.lines) < unnamed)
}

// Telegram writes down a telegram that is not data. bad is why it is not what
// it should be. frame is copied.
func (l *Log) Telegram(at time.Time, out bool, t *protocol.Telegram, frame []byte, bad error) {
	if !l.on() {
		return
	}
	l.flushRun()
	l.telegram(at, out, t, 0, 0, -1, frame, bad)
}

// telegram writes one with its bytes. One of data has its place, and n bytes of
// content; one that is nothing but content goes on with the telegram before it.
func (l *Log) telegram(at time.Time, out bool, t *protocol.Telegram, block int64, seq, n int, b []byte, bad error) {
	if end := len(l.profile.Delimiter()); out && end > 0 {
		b = b[:len(b)-end]
	}
	kind, what := t.Kind, WhatTelegram
	more := l.profile.Files.Whole && n == len(b)
	if more {
		what = WhatMore
	}
	l.lines = head(l.lines, what, at, out, kind, int64(len(b)))
	if code := fault.CodeOf(bad); code != "" {
		l.lines = text(l.lines, "code", []byte(code))
	} else if bad == nil && l.profile.Carries(kind, protocol.Response) {
		if code := t.Text(protocol.Response); code != "" && printable([]byte(code)) {
			l.lines = text(l.lines, "response", []byte(code))
			l.lines = text(l.lines, "meaning", []byte(l.profile.Meaning(code)))
		}
	}
	if seq > 0 {
		l.lines = number(number(l.lines, "block", block), "first", int64(seq))
	}
	l.masked = append(l.masked[:0], b...)
	if !more {
		l.masked = l.profile.Masked(l.masked[:0], b, bad, l.level != Bodies)
	}
	l.lines = append(frame(l.lines, l.masked), "}\n"...)
	l.grown()
}

// Bytes writes down what was said before the first telegram. Where that is not
// what the profile says by itself, only how much it was: it may be anything.
func (l *Log) Bytes(at time.Time, out bool, s *protocol.Step, b []byte) {
	if !l.on() {
		return
	}
	l.flushRun()
	r := Record{At: at.UnixMicro(), What: WhatBytes, Way: In, By: s.By.String(), Bytes: int64(len(b))}
	if out {
		r.Way = Out
	}
	if bytes.Equal(b, s.Bytes) {
		if r.Text = string(b); !printable(b) {
			r.Text, r.Hex = "", hex.EncodeToString(b)
		}
	}
	l.lines = r.line(l.lines)
	l.grown()
}

// Data writes down a data telegram with n bytes of content.
func (l *Log) Data(at time.Time, out bool, t *protocol.Telegram, block int64, seq, n int, frame []byte) {
	if !l.on() {
		return
	}
	if l.level == Bodies && l.path != "" {
		l.flushRun()
		l.telegram(at, out, t, block, seq, n, frame, nil)
		return
	}
	r := &l.run
	numbered := l.profile.Carries(t.Kind, protocol.Sequence)
	if !numbered { // whatever we count by ourselves
		block, seq = 0, 0
	}
	if r.count > 0 && r.out == out && r.kind == t.Kind && r.block == block && (seq > r.last || !numbered) {
		r.last = seq
		r.count++
		r.bytes += int64(n)
		return
	}
	l.flushRun()
	*r = run{at: at, out: out, kind: t.Kind, block: block, first: seq, last: seq, count: 1, bytes: int64(n)}
}

func (l *Log) flushRun() {
	r := &l.run
	if r.count == 0 {
		return
	}
	l.lines = head(l.lines, WhatData, r.at, r.out, r.kind, r.bytes)
	l.lines = number(l.lines, "block", r.block)
	l.lines = number(l.lines, "first", int64(r.first))
	l.lines = number(l.lines, "last", int64(r.last))
	l.lines = append(number(l.lines, "count", int64(r.count)), "}\n"...)
	*r = run{}
	l.grown()
}

// File says which transfer the following telegrams are about.
func (l *Log) File(at time.Time, r Record) {
	if l == nil || l.level == Off {
		return
	}
	l.flushRun()
	r.At, r.What = at.UnixMicro(), WhatFile
	l.lines = r.line(l.lines)
	l.give()
}

// End closes the log of a session. A caller that never said who it is leaves
// none.
func (l *Log) End(at time.Time, files int, code fault.Code) {
	if l == nil || l.level == Off || l.path == "" {
		return
	}
	l.flushRun()
	r := Record{At: at.UnixMicro(), What: WhatEnd, Files: files, Code: string(code)}
	l.lines = r.line(l.lines)
	l.give()
	l.mu.Lock()
	l.ended = true
	l.mu.Unlock()
	l.w.wake(l)
}

// Rest gives what was gathered to the writer: nothing more is said until the
// counterparty speaks.
func (l *Log) Rest() {
	if l != nil && len(l.lines) > 0 {
		l.give()
	}
}

// grown looks after the sizes behind a line.
func (l *Log) grown() {
	if l.path == "" {
		return
	}
	size := l.taken + int64(len(l.lines))
	note := ""
	switch {
	case size >= l.most:
		l.full, note = true, NoteFull
	case l.level == Bodies && size >= l.most/2:
		l.level, note = Headers, NoteBodies
	}
	if note != "" {
		l.lines = (&Record{At: l.w.now().UnixMicro(), What: WhatNote, Code: note}).line(l.lines)
	}
	if len(l.lines) >= gather {
		l.give()
	}
}

// give passes the lines on. It waits for nobody.
func (l *Log) give() {
	if l.path == "" {
		return
	}
	l.taken += int64(len(l.lines))
	l.mu.Lock()
	most := waiting
	if l.level == Bodies {
		most = content
	}
	if len(l.given)+len(l.lines) > most {
		l.lost += int64(len(l.lines))
	} else {
		l.given = append(l.given, l.lines...)
	}
	l.mu.Unlock()
	l.lines = l.lines[:0]
	if cap(l.lines) > 2*gather {
		l.lines = nil
	}
	l.w.wake(l)
}
