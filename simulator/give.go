package simulator

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"pabal/filemgr"
	"pabal/internal/fault"
	"pabal/internal/place"
	"pabal/transfer"
)

const (
	notesDir = ".pabal" // what must survive the process, beside the files it is about
	givenDir = "given"
)

// giver looks after the files to give.
type giver struct {
	opt      Options
	dataSize int
	notes    string

	mu      sync.Mutex
	claimed map[string]bool // file names that a session is giving
	warned  map[string]bool // names that do not fit, so that each is said once
	known   map[string]note // by file name, those not confirmed yet
	serials map[string]int  // last serial, by kind and day
}

// gift is a file being given.
type gift struct {
	file               string // its name in GiveDir
	name, date, serial string
	result             filemgr.Result
	note               note
	info               fs.FileInfo
	wire               *os.File
}

// note is what is remembered of a file that has not been confirmed: the last
// line about it in a journal. It is written before what it says may happen, so
// that after a crash it never says too little.
type note struct {
	File   string `json:"file"`
	Name   string `json:"name"`
	Done   bool   `json:"done,omitempty"` // confirmed; only the serial counts
	Digest string `json:"digest"`         // of the wire bytes
	Sent   int64  `json:"sent"`           // most bytes that may have reached the peer
	Ended  bool   `json:"ended"`          // the end request may have
	Date   string `json:"date,omitempty"`
	Serial string `json:"serial,omitempty"`
}

// wish is what a fetch asks for.
type wish struct{ name, from, to, only string }

func newGiver(opt Options, dataSize int) (*giver, error) {
	g := &giver{
		opt: opt, dataSize: dataSize, notes: filepath.Join(opt.GiveDir, notesDir),
		claimed: map[string]bool{}, warned: map[string]bool{}, known: map[string]note{}, serials: map[string]int{},
	}
	for _, dir := range []string{g.notes, filepath.Join(opt.GiveDir, givenDir)} {
		if err := os.MkdirAll(dir, 0o750); err != nil {
			return nil, err
		}
	}
	return g, readLines(g.journal(), func(line []byte) error {
		var n note
		if json.Unmarshal(line, &n) == nil { // else cut off by a crash: it did not happen
			g.apply(n)
		}
		return nil
	})
}

func (g *giver) journal() string { return filepath.Join(g.notes, "given.jsonl") }

// apply takes a line of the journal to heart.
func (g *giver) apply(n note) {
	g.known[n.File] = n
	if n.Done {
		delete(g.known, n.File)
	}
	if serial, err := strconv.Atoi(n.Serial); err == nil {
		key := n.Name + "." + n.Date
		g.serials[key] = max(serial, g.serials[key])
	}
}

// write notes n before what it says may happen.
func (g *giver) write(n note) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := appendLine(g.journal(), n); err != nil {
		return err
	}
	g.apply(n)
	return nil
}

// waiting lists the files that lie ready, by name.
func (g *giver) waiting(w wish) ([]string, error) {
	entries, err := os.ReadDir(g.opt.GiveDir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		n := e.Name()
		if !e.Type().IsRegular() || strings.HasPrefix(n, ".") || strings.HasSuffix(n, ".tmp") || strings.HasSuffix(n, ".part") {
			continue
		}
		name, date, _ := g.meaning(n)
		if len(name) > g.opt.Profile.Files.NameWidth || name == "" {
			g.warn(n)
			continue
		}
		if g.wanted(w, name, cmp.Or(date, g.today())) {
			names = append(names, n)
		}
	}
	return names, nil
}

// split tells the files to give from those whose end is unknown and is to be
// asked about, where the profile has it so (design D5).
func (g *giver) split(names []string) (give, ask []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	give = []string{}
	for _, n := range names {
		if g.known[n].Ended && !g.opt.Profile.Files.SettleAgain {
			ask = append(ask, n)
		} else {
			give = append(give, n)
		}
	}
	return give, ask
}

func (g *giver) warn(file string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.warned[file] {
		g.warned[file] = true
		g.opt.Logger.Warn("not given", "error", fault.New(CodeGiveName, file, "width", g.opt.Profile.Files.NameWidth))
	}
}

// wanted: "ZZZ" is every kind; R asks for what was received before, of which
// nothing waits.
func (g *giver) wanted(w wish, name, date string) bool {
	return (w.name == "" || w.name == "ZZZ" || w.name == name) && w.only != "R" &&
		(w.from == "" || date >= w.from) && (w.to == "" || date <= w.to)
}

func (g *giver) today() string { return g.opt.Now().Format("20060102") }

// meaning reads a file's name: the wire name and, where files have serials,
// date and serial if they are there.
func (g *giver) meaning(file string) (name, date, serial string) {
	if !g.opt.Profile.Files.Serial {
		return file, "", ""
	}
	parts := strings.Split(file, ".")
	if len(parts) > 1 && digits(parts[1], 8) {
		date = parts[1]
		if len(parts) > 2 && digits(parts[2], 3) {
			serial = parts[2]
		}
	}
	return parts[0], date, serial
}

func digits(s string, n int) bool {
	return len(s) == n && strings.Trim(s, "0123456789") == ""
}

// claim takes the first waiting file that no session has and this one has not
// tried; first those of the queue, where there is one, then those to ask about:
// a peer that does not know the inquiry must not keep the files waiting. nil =
// there is none.
func (g *giver) claim(ctx context.Context, queue []string, tried map[string]bool) (*gift, error) {
	for {
		file, err := g.reserve(queue, tried)
		if file == "" || err != nil {
			return nil, err
		}
		tried[file] = true
		gi, err := g.open(ctx, file)
		if err == nil {
			return gi, nil
		}
		g.unclaim(file)
		if !errors.Is(err, fs.ErrNotExist) {
			g.opt.Logger.Warn("not given", "file", file, "error", err)
		}
	}
}

func (g *giver) reserve(queue []string, tried map[string]bool) (string, error) {
	if f := g.first(queue, tried); f != "" {
		return f, nil
	}
	ready, err := g.waiting(wish{})
	if err != nil {
		return "", err
	}
	give, ask := g.split(ready)
	if queue == nil {
		ask = append(give, ask...)
	}
	return g.first(ask, tried), nil
}

// first reserves the first of names that is free and was not tried.
func (g *giver) first(names []string, tried map[string]bool) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, f := range names {
		if !tried[f] && !g.claimed[f] {
			g.claimed[f] = true
			return f
		}
	}
	return ""
}

// more reports whether claim would find another file.
func (g *giver) more(queue []string, tried map[string]bool) bool {
	f, err := g.reserve(queue, tried)
	if f != "" {
		g.unclaim(f)
	}
	return err == nil && f != ""
}

func (g *giver) unclaim(file string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.claimed, file)
}

func (g *giver) release(gi *gift) {
	if gi.wire != nil {
		_ = gi.wire.Close()
	}
	if g.opt.encoding() != (filemgr.Encoding{}) {
		_ = os.Remove(g.spool(gi.file))
	}
	g.unclaim(gi.file)
}

func (g *giver) spool(file string) string { return filepath.Join(g.notes, file+".wire") }

// open reads the file once for its digest and, where bytes are changed for the
// wire, writes those beside it.
func (g *giver) open(ctx context.Context, file string) (gi *gift, err error) {
	path := filepath.Join(g.opt.GiveDir, file)
	gi = &gift{file: file}
	gi.name, gi.date, gi.serial = g.meaning(file)
	if gi.info, err = os.Lstat(path); err != nil {
		return nil, err
	}
	same := g.opt.encoding() == filemgr.Encoding{}
	emit := func(transfer.Block) error { return nil }
	if same {
		gi.wire, err = os.Open(path)
	} else {
		gi.wire, err = os.OpenFile(g.spool(file), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o640)
		emit = func(b transfer.Block) error {
			_, err := gi.wire.Write(b.Payload)
			return err
		}
	}
	if err != nil {
		return nil, err
	}
	parts, err := g.parts(gi)
	if err == nil {
		gi.result, err = filemgr.Split(ctx, path, filemgr.SplitOptions{
			Form: g.opt.form(), Encoding: g.opt.encoding(), Checks: filemgr.CheckOptions{SendEmpty: true},
			Geometry: g.geometry(), Parts: parts, MaxWire: g.opt.Profile.MaxFile(g.dataSize),
		}, emit)
	}
	if err == nil {
		err = g.remember(gi)
	}
	if err != nil {
		g.release(gi)
		return nil, err
	}
	return gi, nil
}

// remember finds what an earlier session left about this content, or starts
// afresh, and notes that any byte of it may reach the peer from now on.
func (g *giver) remember(gi *gift) error {
	g.mu.Lock()
	n, known := g.known[gi.file]
	if !known || n.Digest != gi.result.WireDigest {
		n = note{File: gi.file, Name: gi.name, Digest: gi.result.WireDigest, Serial: gi.serial}
		n.Date = cmp.Or(gi.date, g.today())
		if g.opt.Profile.Files.Serial && n.Serial == "" {
			n.Serial = fmt.Sprintf("%03d", g.serials[n.Name+"."+n.Date]+1)
		}
	}
	g.mu.Unlock()
	gi.note, gi.date, gi.serial = n, n.Date, n.Serial
	n.Sent = gi.result.WireSize
	return g.write(n)
}

// load fills dst from the wire bytes.
func (gi *gift) load(offset int64, dst []byte) error {
	if len(dst) == 0 {
		return nil
	}
	_, err := gi.wire.ReadAt(dst, offset)
	if errors.Is(err, io.EOF) {
		return fault.New(CodeChanged, gi.file)
	}
	return err
}

// ending notes that the end request is about to leave: from here on the peer
// may have the file.
func (g *giver) ending(gi *gift) error {
	fi, err := os.Lstat(filepath.Join(g.opt.GiveDir, gi.file))
	if err != nil || !os.SameFile(fi, gi.info) || fi.Size() != gi.info.Size() || !fi.ModTime().Equal(gi.info.ModTime()) {
		return fault.New(CodeChanged, gi.file).Because(err)
	}
	n := gi.note
	n.Sent, n.Ended = gi.result.WireSize, true
	return g.write(n)
}

// notEnded takes that back when the peer has said that it does not have it.
func (g *giver) notEnded(gi *gift) error {
	n := gi.note
	n.Sent, n.Ended = gi.result.WireSize, false
	return g.write(n)
}

// done moves a confirmed file away and says where it is now.
func (g *giver) done(gi *gift) (string, error) {
	dir := filepath.Join(g.opt.GiveDir, givenDir)
	for n := 1; ; n++ {
		to := filepath.Join(dir, gi.file)
		if n > 1 {
			to += "." + strconv.Itoa(n)
		}
		err := place.NoReplace(filepath.Join(g.opt.GiveDir, gi.file), to)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err == nil {
			n := gi.note
			n.Done = true
			err = g.write(n)
		}
		return to, err
	}
}
