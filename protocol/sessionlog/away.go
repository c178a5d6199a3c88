package sessionlog

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Callers that were not let in have no session and so no log of their own: who
// knocks at a door could make as many files as there are. An instance has one
// log of them for each day, with a record for each caller and behind it what it
// said, and both are bounded.
const (
	// MostAway is how large that log becomes. What comes later that day is told
	// by the server's log and counted by its status alone.
	MostAway = 4 << 20
	// saidAway is how much is kept of what one of them said.
	saidAway = 2 << 10
	// awayPrefix begins the names of these logs. No id of a session has it.
	awayPrefix = "away-"
)

// AwayID is the name of the log of callers that an instance turned away on a
// day, as Find knows it.
func AwayID(instance string, day time.Time) string {
	return awayPrefix + day.Format("20060102") + "-" + instance
}

// Away writes down a caller that was not let in: r has Peer, Profile, Instance,
// Host, Code and Detail, and as Count how many others were left out before it.
// said may be nil.
func (w *Writer) Away(at time.Time, r Record, said *Log, o Options) {
	if o.Dir == "" || o.Level == Off || o.Level == "" {
		return
	}
	w.awayMu.Lock()
	defer w.awayMu.Unlock()
	path := pathOf(o.Dir, at, AwayID(r.Instance, at))
	l := w.away
	if l == nil || l.path != path {
		if l != nil {
			l.over()
		}
		l = &Log{w: w, level: Headers, path: path, most: MostAway, appends: true}
		if info, err := os.Stat(path); err == nil { // of an earlier process
			l.taken = info.Size()
			l.full = l.taken >= l.most
		}
		w.away = l
		w.add(l, o)
	}
	if l.full {
		return
	}
	r.At, r.What = at.UnixMicro(), WhatAway
	l.lines = append(r.line(l.lines), said.beginning(saidAway)...)
	if l.taken+int64(len(l.lines)) >= l.most {
		l.full = true
		l.lines = (&Record{At: at.UnixMicro(), What: WhatNote, Code: NoteAwayFull}).line(l.lines)
	}
	l.give()
}

// beginning is as many whole lines as fit into n bytes, of a log that was never
// begun.
func (l *Log) beginning(n int) []byte {
	if l == nil || l.path != "" {
		return nil
	}
	l.flushRun()
	if len(l.lines) <= n {
		return l.lines
	}
	return l.lines[:strings.LastIndexByte(string(l.lines[:n]), '\n')+1]
}

// over ends a log without another word.
func (l *Log) over() {
	l.mu.Lock()
	l.ended = true
	l.mu.Unlock()
	l.w.wake(l)
}

// TurnedAway gives the records of callers that were not let in since a time, by
// the instances of this host: in the order of days and instances, with the name
// of the log that each stands in.
func TurnedAway(dir string, since time.Time, f func(log string, r *Record) error) error {
	all, err := files(dir)
	if err != nil {
		return err
	}
	for _, found := range all {
		if !strings.HasPrefix(found.session, awayPrefix) || found.changed.Before(since) {
			continue
		}
		in, err := os.Open(filepath.Clean(found.path))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		err = Read(in, func(r *Record) error {
			if r.What != WhatAway || r.Time().Before(since) {
				return nil
			}
			return f(found.session, r)
		})
		if err := errors.Join(err, in.Close()); err != nil {
			return err
		}
	}
	return nil
}
