package simulator

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"pabal/internal/fault"
	"pabal/internal/place"
	"pabal/protocol"
	"pabal/transfer"
)

// taker looks after the files taken: those that are whole, by a journal beside
// them, and those that are not, each with a note of what it is.
type taker struct {
	opt   Options
	notes string

	mu     sync.Mutex
	taken  []entry
	halves map[string]*half // by note path, those that may be gone on with
}

// identity is what tells files apart on the wire.
type identity struct{ caller, name, date, serial string }

// entry is one line of the journal. The line of a file stands before the file
// gets its final name: if the staged file is still there after a crash, it is
// placed then.
type entry struct {
	Op     string `json:"op"` // take, cancel
	Caller string `json:"caller,omitempty"`
	Name   string `json:"name"`
	Date   string `json:"date"`
	Serial string `json:"serial,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
	Size   int64  `json:"size,omitempty"`
	Staged string `json:"staged,omitempty"`
	Final  string `json:"final,omitempty"`
}

// about compares by what is known: an inquiry may leave out date or serial.
func (e *entry) about(id identity) bool {
	return e.Caller == id.caller && e.Name == id.name && (id.date == "" || e.Date == id.date) &&
		(id.serial == "" || e.Serial == id.serial)
}

// half is a file that is not whole yet: the bytes without a gap from the start,
// in order, so that whatever a crash leaves of it is good as far as it goes.
type half struct {
	halfNote
	note  string // path of its note, "" if it cannot be gone on with
	path  string
	file  *os.File
	owner *session

	start   int64 // where the block under way begins
	held    int64 // bytes without a gap
	resumed int64
	gzip    bool
	ebcdic  bool
	cells   cells // lengths of the telegrams, where they are taken apart again
}

// halfNote is what must be equal for a file to be gone on with (§1.5).
type halfNote struct {
	Caller      string    `json:"caller,omitempty"`
	Name        string    `json:"name"`
	Date        string    `json:"date"`
	Serial      string    `json:"serial,omitempty"`
	Size        int64     `json:"size"` // declared
	MessageSize int       `json:"message_size"`
	Head        int       `json:"head,omitempty"` // bytes of the first telegram, where it is a header
	DataSize    int       `json:"data_size"`      // L, as the first telegram of data had it
	Begun       time.Time `json:"begun"`
}

func (h *half) event(e Event) Event {
	e.Name, e.Date, e.Serial, e.Resumed, e.Wire = h.Name, h.Date, h.Serial, h.resumed, h.held
	return e
}

func newTaker(opt Options) (*taker, error) {
	t := &taker{opt: opt, notes: filepath.Join(opt.TakeDir, notesDir), halves: map[string]*half{}}
	if err := os.MkdirAll(t.notes, 0o750); err != nil {
		return nil, err
	}
	if err := t.readJournal(); err != nil {
		return nil, err
	}
	return t, t.readHalves()
}

func (t *taker) journal() string { return filepath.Join(t.notes, "taken.jsonl") }

func (t *taker) readJournal() error {
	return readLines(t.journal(), func(line []byte) error {
		var e entry
		if json.Unmarshal(line, &e) != nil {
			return nil // cut off by a crash: what it says did not happen
		}
		if e.Op == "cancel" {
			t.apply(e)
			return nil
		}
		t.taken = append(t.taken, e)
		staged := filepath.Join(t.notes, e.Staged)
		if _, err := os.Lstat(staged); err != nil {
			return nil // placed before, the usual case
		}
		return place.NoReplace(staged, filepath.Join(t.opt.TakeDir, e.Final))
	})
}

// readHalves finds what a Peer before this one had begun, and clears away what
// nobody can go on with.
func (t *taker) readHalves() error {
	entries, err := os.ReadDir(t.notes)
	if err != nil {
		return err
	}
	for _, e := range entries {
		base, isPart := strings.CutSuffix(e.Name(), ".part")
		if !isPart {
			continue
		}
		h := &half{note: filepath.Join(t.notes, base+".json"), path: filepath.Join(t.notes, e.Name())}
		src, err := os.ReadFile(h.note)
		if err == nil {
			err = json.Unmarshal(src, &h.halfNote)
		}
		if err != nil {
			if err := os.Remove(h.path); err != nil {
				return err
			}
			continue
		}
		t.halves[h.note] = h
	}
	return nil
}

func (t *taker) apply(c entry) {
	for i := range t.taken {
		if e := &t.taken[i]; e.Op == "take" && e.about(identity{c.Caller, c.Name, c.Date, c.Serial}) {
			e.Op = "cancelled"
		}
	}
}

// has finds a file that was taken whole.
func (t *taker) has(id identity) *entry {
	for i := len(t.taken) - 1; i >= 0; i-- {
		if t.taken[i].Op == "take" && t.taken[i].about(id) {
			return &t.taken[i]
		}
	}
	return nil
}

// notePath is where a file that can be gone on with has its note.
func (t *taker) notePath(id identity) string {
	sum := sha256.Sum256([]byte(id.caller + "\x00" + id.name))
	return filepath.Join(t.notes, "half-"+hex.EncodeToString(sum[:8])+".json")
}

// begin finds the half file to go on with, or starts one. A session that comes
// later takes it from one that came before.
func (t *taker) begin(s *session, id identity, want halfNote) (*half, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	path := t.notePath(id)
	if h := t.halves[path]; h != nil {
		if h.fits(want, t.opt.MaxAge) {
			return h, t.reopen(s, h)
		}
		h.owner = nil
		if err := t.remove(h); err != nil {
			return nil, err
		}
	}
	h := &half{halfNote: want, owner: s}
	var err error
	if t.opt.Profile.Files.Resume && want.Size > 0 {
		h.note, h.path = path, strings.TrimSuffix(path, ".json")+".part"
		t.halves[path] = h
		h.file, err = os.OpenFile(h.path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o640)
		return h, err
	}
	if h.file, err = os.CreateTemp(t.notes, "file-*.part"); err == nil {
		h.path = h.file.Name()
	}
	return h, err
}

// fits: all that §1.5 asks for before a receiver answers more than zero bytes.
// A day that changed under a session is another day.
func (h *half) fits(want halfNote, maxAge time.Duration) bool {
	return h.Caller == want.Caller && h.Name == want.Name && h.Date == want.Date && h.Serial == want.Serial &&
		h.Size == want.Size && h.Size > 0 && h.MessageSize == want.MessageSize && h.DataSize > 0 &&
		want.Begun.Sub(h.Begun) < maxAge
}

// reopen goes on with h: as many full telegrams as are there.
func (t *taker) reopen(s *session, h *half) error {
	if h.file != nil {
		_ = h.file.Close() // of a session that will find out
	}
	var err error
	if h.file, err = os.OpenFile(h.path, os.O_RDWR, 0); err != nil {
		return err
	}
	fi, err := h.file.Stat()
	if err != nil {
		return err
	}
	h.owner = s
	g := h.geometry(t.opt.Profile)
	at := g.At(min(fi.Size(), h.Size), h.Size)
	h.held = g.Offset(at, h.Size)
	h.resumed = h.held
	h.start = g.Offset(transfer.Position{Block: at.Block, Seq: 1}, h.Size)
	h.cells = cells{from: at.Block}
	return nil
}

// save writes what the block has without a gap. It is there for every later
// process when save returns, though not for one after a loss of power.
func (t *taker) save(s *session, h *half, b *transfer.Block, complete bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if h.owner != s {
		return fault.New(CodeTaken, h.Name)
	}
	if h.measure(t.opt.Profile, b) {
		if h.note != "" {
			if err := t.writeNote(h); err != nil {
				return err
			}
		}
	}
	n := int64(0)
	for seq := 1; b.Held.Has(seq); seq++ {
		n += int64(b.Lengths[seq-1])
	}
	if _, err := h.file.WriteAt(b.Payload[:n], h.start); err != nil {
		return err
	}
	h.held = h.start + n
	if t.opt.Profile.Parts != nil {
		h.cells.put(b)
	}
	if complete {
		h.start = h.held
	}
	return nil
}

// writeNote: one that a crash cut off cannot be read, and the file starts again.
func (t *taker) writeNote(h *half) error {
	src, err := json.Marshal(h.halfNote)
	if err != nil {
		return err
	}
	return os.WriteFile(h.note, src, 0o640)
}

// stop ends a session's work on h; keep leaves it for a later one.
func (t *taker) stop(s *session, h *half, keep bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if h.owner != s {
		return nil
	}
	if keep && h.note != "" && h.DataSize > 0 {
		h.owner = nil
		err := h.file.Close()
		h.file = nil
		return err
	}
	return t.remove(h)
}

// release is stop for a session that ended without saying what became of h.
func (t *taker) release(s *session, h *half) {
	if err := t.stop(s, h, true); err != nil {
		t.opt.Logger.Warn("half file", "name", h.Name, "error", err)
	}
}

// remove forgets a half file.
func (t *taker) remove(h *half) error {
	if h.file != nil {
		_ = h.file.Close()
		h.file = nil
	}
	var noted error
	if h.note != "" {
		if t.halves[h.note] == h {
			delete(t.halves, h.note)
		}
		noted = os.Remove(h.note)
	}
	err := os.Remove(h.path)
	for _, e := range []*error{&noted, &err} {
		if errors.Is(*e, fs.ErrNotExist) {
			*e = nil
		}
	}
	return errors.Join(noted, err)
}

// inquire says what is known of a file and its size.
func (t *taker) inquire(id identity) (protocol.Finding, int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.has(id); e != nil {
		return protocol.FoundWhole, e.Size
	}
	if h := t.halves[t.notePath(id)]; h != nil && (id.date == "" || h.Date == id.date) {
		return protocol.FoundUnfinished, h.held
	}
	return protocol.FoundNothing, 0
}

// cancel forgets a file, so that it can come again. What was placed keeps its
// bytes under another name.
func (t *taker) cancel(id identity) (protocol.Finding, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if h := t.halves[t.notePath(id)]; h != nil && h.owner == nil && (id.date == "" || h.Date == id.date) {
		return protocol.CancelDone, t.remove(h)
	}
	e := t.has(id)
	if e == nil {
		for i := range t.taken {
			if t.taken[i].Op == "cancelled" && t.taken[i].about(id) {
				return protocol.CancelBefore, nil
			}
		}
		return protocol.FoundNothing, nil
	}
	c := entry{Op: "cancel", Caller: e.Caller, Name: e.Name, Date: e.Date, Serial: e.Serial}
	if err := appendLine(t.journal(), c); err != nil {
		return "", err
	}
	final := filepath.Join(t.opt.TakeDir, e.Final)
	t.apply(c)
	if err := place.NoReplace(final, t.free(filepath.Base(final)+".cancelled")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	return protocol.CancelDone, nil
}

// free is the path in TakeDir for the first of names that is not in use; where
// all are, the last one is numbered.
func (t *taker) free(names ...string) string {
	for n := 2; ; n++ {
		for _, name := range names {
			path := filepath.Join(t.opt.TakeDir, name)
			if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
				return path
			}
		}
		names = []string{strings.TrimSuffix(names[len(names)-1], "."+strconv.Itoa(n-1)) + "." + strconv.Itoa(n)}
	}
}
