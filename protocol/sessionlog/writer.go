package sessionlog

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"pabal/internal/place"
	"pabal/protocol"
)

// Sizes that count where nothing else is said, in bytes.
const (
	DefaultSession = 16 << 20
	DefaultTotal   = 2 << 30
)

// Options of the logs of a place.
type Options struct {
	Dir     string        // under which the files stand; "" = none are written
	Level   Level         // "" = Off
	Keep    time.Duration // after the last line; 0 = for ever
	Session int64         // bytes of one log; 0 = DefaultSession
	Total   int64         // bytes of all logs, the oldest go first; 0 = DefaultTotal
}

// suffix of the files, which have the session's id as their name and stand in
// a directory of the day on which it began.
const suffix = ".jsonl"

func pathOf(dir string, day time.Time, id string) string {
	return filepath.Join(dir, day.Format("20060102"), id+suffix)
}

// pause is how long the writer waits after a round, so that a busy server is
// not woken for every telegram. It is also how much of a conversation a killed
// process may leave out.
const pause = 5 * time.Millisecond

// Writer writes the logs of all sessions of an instance. Its goroutine runs
// while there are any.
type Writer struct {
	now    func() time.Time
	failed func(error) // told of what cannot be written, once in a while

	mu      sync.Mutex
	dirty   []*Log
	known   map[*Log]bool // in dirty
	open    map[string]bool
	running chan struct{} // closed when the goroutine has ended; nil = there is none
	bell    chan struct{}
	closing bool
	awayMu  sync.Mutex
	away    *Log // of callers that were turned away, of this day

	o     Options // of the log that began last
	total int64   // bytes of all files, -1 = not counted yet

	told time.Time // the goroutine's: when failed was called last
}

// file is the writer's side of a log.
type file struct {
	f    *os.File
	bad  bool // it cannot be written: the rest is left out
	torn bool // the last line has no end
	lost int64
}

// NewWriter prepares a writer. failed may be nil.
func NewWriter(now func() time.Time, failed func(error)) *Writer {
	if failed == nil {
		failed = func(error) {}
	}
	return &Writer{now: now, failed: failed, known: map[*Log]bool{}, open: map[string]bool{}, bell: make(chan struct{}, 1), total: -1}
}

// Log is a log of a session in which p is spoken.
func (w *Writer) Log(p *protocol.Profile) *Log {
	return &Log{w: w, profile: p, level: Headers}
}

// add makes a log known, and starts the goroutine.
func (w *Writer) add(l *Log, o Options) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.o = o
	w.open[l.path] = true
	if w.running == nil && !w.closing {
		w.running = make(chan struct{})
		go w.run(w.running)
	}
}

// wake has a log looked at.
func (w *Writer) wake(l *Log) {
	w.mu.Lock()
	if !w.known[l] {
		w.known[l] = true
		w.dirty = append(w.dirty, l)
	}
	w.mu.Unlock()
	select {
	case w.bell <- struct{}{}:
	default:
	}
}

// Close writes what is left. Logs that come later are not written.
func (w *Writer) Close() {
	w.mu.Lock()
	w.closing = true
	running := w.running
	w.mu.Unlock()
	if running == nil {
		return
	}
	select {
	case w.bell <- struct{}{}:
	default:
	}
	<-running
}

func (w *Writer) run(done chan struct{}) {
	defer close(done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	var files []*Log
	for {
		<-w.bell
		w.mu.Lock()
		dirty, closing, o := w.dirty, w.closing, w.o
		w.dirty = nil
		clear(w.known)
		w.mu.Unlock()
		for _, l := range dirty {
			if l.file.f == nil && !l.file.bad {
				files = append(files, l)
			}
			if w.write(l, o) {
				files = slices.DeleteFunc(files, func(f *Log) bool { return f == l })
			}
		}
		if closing {
			for _, l := range files {
				w.shut(l)
			}
			return
		}
		timer.Reset(pause)
		<-timer.C
	}
}

// write takes what a log has given and reports that it has ended.
func (w *Writer) write(l *Log, o Options) (ended bool) {
	l.mu.Lock()
	text, lost := l.given, l.lost
	ended = l.ended
	l.given, l.lost = nil, 0
	l.mu.Unlock()
	f := &l.file
	f.lost += lost
	if f.f == nil && !f.bad && len(text) > 0 {
		w.begin(l, o)
	}
	switch {
	case f.f == nil:
		f.lost += int64(len(text))
	case len(text) > 0:
		w.put(l, text)
		w.room(o)
	}
	if cap(text) <= 2*gather {
		l.mu.Lock()
		if l.given == nil {
			l.given = text[:0]
		}
		l.mu.Unlock()
	}
	if ended {
		w.shut(l)
	}
	return ended
}

// begin makes the file of a log.
func (w *Writer) begin(l *Log, o Options) {
	dir := filepath.Dir(l.path)
	err := makeDirs(o.Dir, dir)
	if err == nil {
		how := os.O_CREATE | os.O_WRONLY | os.O_APPEND | syscall.O_NOFOLLOW
		if !l.appends {
			how |= os.O_EXCL
		}
		l.file.f, err = os.OpenFile(l.path, how, 0o600)
	}
	if err != nil {
		l.file.bad = true // tried with the next session again
		w.tell(err)
	}
}

// makeDirs makes directories that nobody else reads.
func makeDirs(dirs ...string) error {
	for _, dir := range dirs {
		if err := os.Mkdir(dir, 0o700); err == nil || errors.Is(err, fs.ErrExist) {
			continue
		}
		if err := place.MakeDir(filepath.Dir(dir)); err != nil {
			return err
		}
		if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// put appends lines. A line that the disk took a part of is ended before the
// next one, so that it spoils only itself.
func (w *Writer) put(l *Log, lines []byte) {
	f := &l.file
	if f.lost > 0 {
		note := Record{At: w.now().UnixMicro(), What: WhatNote, Code: NoteLost, Bytes: f.lost}
		lines = append(note.line(nil), lines...)
	}
	if f.torn {
		lines = append([]byte{'\n'}, lines...)
	}
	n, err := f.f.Write(lines)
	w.mu.Lock()
	if w.total >= 0 {
		w.total += int64(n)
	}
	w.mu.Unlock()
	if n > 0 {
		f.torn = lines[n-1] != '\n'
	}
	if err != nil {
		f.lost += int64(len(lines) - n)
		w.tell(err)
		return
	}
	f.lost = 0
}

func (w *Writer) shut(l *Log) {
	if l.file.f != nil {
		if err := l.file.f.Close(); err != nil {
			w.tell(err)
		}
		l.file.f, l.file.bad = nil, true
	}
	w.mu.Lock()
	delete(w.open, l.path)
	w.mu.Unlock()
}

// tellEvery is how often a full disk is told of.
const tellEvery = time.Minute

func (w *Writer) tell(err error) {
	if now := w.now(); w.told.IsZero() || now.Sub(w.told) >= tellEvery {
		w.told = now
		w.failed(err)
	}
}

// room keeps all logs together below their size: the oldest that are not being
// written go.
func (w *Writer) room(o Options) {
	most := o.Total
	if most <= 0 {
		most = DefaultTotal
	}
	w.mu.Lock()
	total := w.total
	w.mu.Unlock()
	if total >= 0 && total <= most {
		return
	}
	all, err := files(o.Dir)
	if err != nil {
		w.tell(err)
		return
	}
	total = 0
	for _, f := range all {
		total += f.size
	}
	if total > most {
		for _, f := range all {
			if total <= most-most/10 {
				break
			}
			if w.writing(f.path) {
				continue
			}
			if err := os.Remove(f.path); err == nil || errors.Is(err, fs.ErrNotExist) {
				total -= f.size
			}
			_ = os.Remove(filepath.Dir(f.path)) // when it is empty
		}
	}
	w.mu.Lock()
	w.total = total
	w.mu.Unlock()
}

func (w *Writer) writing(path string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.open[path]
}

// Expire removes the logs that were written to last before a time, and says how
// many.
func (w *Writer) Expire(dir string, before time.Time) (int, error) {
	all, err := files(dir)
	if err != nil {
		return 0, err
	}
	n := 0
	var errs []error
	for _, f := range all {
		if !f.changed.Before(before) || w.writing(f.path) {
			continue
		}
		if err := os.Remove(f.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
			continue
		}
		n++
		_ = os.Remove(filepath.Dir(f.path)) // when it is empty
	}
	w.mu.Lock()
	w.total = -1
	w.mu.Unlock()
	return n, errors.Join(errs...)
}

// found is a log on the disk.
type found struct {
	path    string
	session string
	size    int64
	changed time.Time
}

// files are the logs of a directory, the oldest first.
func files(dir string) ([]found, error) {
	days, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []found
	for _, day := range days {
		if !day.IsDir() {
			continue
		}
		entries, err := os.ReadDir(filepath.Join(dir, day.Name()))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, e := range entries {
			id, ours := strings.CutSuffix(e.Name(), suffix)
			info, err := e.Info()
			if !ours || err != nil || !info.Mode().IsRegular() {
				continue
			}
			all = append(all, found{filepath.Join(dir, day.Name(), e.Name()), id, info.Size(), info.ModTime()})
		}
	}
	// By day, and within it ids go with the time.
	slices.SortFunc(all, func(a, b found) int { return strings.Compare(a.path, b.path) })
	return all, nil
}
