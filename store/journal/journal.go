// Package journal is what a place remembers of the database outside of it: a
// file to which every change of status is appended after its commit. It is the
// witness by which an older copy of the database is recognised (store.Witness),
// and what "pabal recover" holds such a copy against.
//
// A line is written to the page cache, which a killed process cannot take
// back, and synced every second by a goroutine of its own: it costs the way of
// a file no sync. So the journal may be behind the database, after a crash of
// the process between commit and line and after one of the host, and never
// ahead of it. Behind is no alarm.
package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"pabal/internal/place"
	"pabal/store"
)

// Options of a journal.
type Options struct {
	Dir string
	// Server makes the directory, begins new files and deletes old ones.
	// Without it a journal only appends to what a server has begun.
	Server bool
	Keep   time.Duration // how long a file is kept after its last line; 0 = for ever
	Size   int64         // bytes after which a new file is begun; 0 = 8 MiB
	Now    func() time.Time
	// Failed is told what went wrong, for the log: the server goes on without.
	Failed func(error)
}

const (
	fileSize  = 8 << 20
	syncEvery = time.Second
	prefix    = "journal-"
	suffix    = ".jsonl"
)

// Journal is an open journal. It is safe for concurrent use.
type Journal struct {
	o    Options
	stop chan struct{}
	done chan struct{}

	mu         sync.Mutex
	mark       store.Mark
	quarantine string // the last that was noted
	file       output
	torn       bool // the last line has no end
	number     int
	size       int64
	day        string
	dirty      bool
	old        []output // begun anew since, still to be synced and closed
}

// output is a file to which lines are appended.
type output interface {
	io.WriteCloser
	Sync() error
}

// Open opens the journal in a directory. Without Server it returns nil where
// there is none, for a host that has no place of its own.
func Open(o Options) (*Journal, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Failed == nil {
		o.Failed = func(error) {}
	}
	if o.Size <= 0 {
		o.Size = fileSize
	}
	if o.Server {
		if err := place.MakeDir(o.Dir); err != nil {
			return nil, err
		}
	}
	numbers, err := files(o.Dir)
	if err != nil {
		return nil, err
	}
	j := &Journal{o: o, stop: make(chan struct{}), done: make(chan struct{})}
	if len(numbers) > 0 {
		j.number = numbers[len(numbers)-1]
	} else if !o.Server {
		return nil, nil
	}
	if err := j.remember(numbers); err != nil {
		return nil, err
	}
	if err := j.open(); err != nil {
		return nil, err
	}
	go j.syncs()
	return j, nil
}

// remember reads the mark: from the newest file that begins with one on.
func (j *Journal) remember(numbers []int) error {
	for n := len(numbers) - 1; n >= 0; n-- {
		based := false
		err := readFile(filepath.Join(j.o.Dir, fileName(numbers[n])), func(l Line) { based = based || l.What == lineBase })
		if err != nil {
			return err
		}
		if !based && n > 0 {
			continue
		}
		for _, number := range numbers[n:] {
			if err := readFile(filepath.Join(j.o.Dir, fileName(number)), j.fold); err != nil {
				return err
			}
		}
		break
	}
	return nil
}

// fold takes a line into what is remembered.
func (j *Journal) fold(l Line) {
	switch l.What {
	case lineBase:
		j.mark = store.Mark{Identity: l.Identity, Terms: maps.Clone(l.Terms), Event: l.event()}
		j.quarantine = l.Quarantine
	case lineDistrust:
		j.quarantine = l.Quarantine
	default:
		j.mark = j.mark.With(store.Written{Event: l.event(), Instance: l.Instance, Term: l.Term})
	}
}

// open opens the newest file for appending, or begins the first. A line that
// a crash has torn is ended, so that it spoils only itself.
func (j *Journal) open() error {
	if j.number == 0 {
		return j.begin()
	}
	path := filepath.Join(j.o.Dir, fileName(j.number))
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	st, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	j.file, j.size, j.day = f, st.Size(), st.ModTime().UTC().Format(time.DateOnly)
	if j.size > 0 {
		last := make([]byte, 1)
		if _, err := f.ReadAt(last, j.size-1); err != nil {
			return errors.Join(err, f.Close())
		}
		if last[0] != '\n' {
			j.append([]byte("\n"))
		}
	}
	return nil
}

// begin starts a new file with the mark as its first line.
func (j *Journal) begin() error {
	path := filepath.Join(j.o.Dir, fileName(j.number+1))
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR|os.O_APPEND|syscall.O_NOFOLLOW, 0o600)
	if errors.Is(err, fs.ErrExist) {
		// Another process of this place has begun it.
		f, err = os.OpenFile(path, os.O_RDWR|os.O_APPEND|syscall.O_NOFOLLOW, 0)
	}
	if err != nil {
		return err
	}
	if j.file != nil {
		j.old = append(j.old, j.file)
	}
	j.file, j.number, j.size, j.torn = f, j.number+1, 0, false
	j.day = j.o.Now().UTC().Format(time.DateOnly)
	if j.mark.Identity != "" {
		j.append(j.base().bytes())
	}
	j.expire()
	return nil
}

func (j *Journal) base() Line {
	l := lineOf(store.Written{Event: j.mark.Event})
	l.What, l.Identity, l.Terms, l.Quarantine, l.Detail = lineBase, j.mark.Identity, j.mark.Terms, j.quarantine, ""
	return l
}

// expire deletes files that were written to last before the time they are kept.
func (j *Journal) expire() {
	if j.o.Keep <= 0 {
		return
	}
	numbers, err := files(j.o.Dir)
	if err != nil {
		j.o.Failed(err)
		return
	}
	for _, n := range numbers {
		path := filepath.Join(j.o.Dir, fileName(n))
		st, err := os.Stat(path)
		if n >= j.number || err != nil || j.o.Now().Sub(st.ModTime()) < j.o.Keep {
			break
		}
		if err := os.Remove(path); err != nil {
			j.o.Failed(err)
		}
	}
}

// append writes to the page cache. What cannot be written is told once and
// left out: a journal that is behind is no false alarm, and a server that
// stops over it would be one. A line of which a full disk took a part is ended
// before the next one, so that it spoils only itself.
func (j *Journal) append(b []byte) {
	if j.torn {
		b = append([]byte{'\n'}, b...)
	}
	n, err := j.file.Write(b)
	j.size += int64(n)
	j.dirty = true
	if n > 0 {
		j.torn = b[n-1] != '\n'
	}
	if err != nil {
		j.o.Failed(err)
	}
}

// Mark is what was written last.
func (j *Journal) Mark() store.Mark {
	j.mu.Lock()
	defer j.mu.Unlock()
	m := j.mark
	m.Terms = maps.Clone(m.Terms)
	return m
}

// Wrote appends what was committed.
func (j *Journal) Wrote(written []store.Written) {
	var text []byte
	for _, w := range written {
		text = append(text, lineOf(w).bytes()...)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		return
	}
	if j.o.Server && j.size > 0 && (j.size+int64(len(text)) > j.o.Size || j.day != j.o.Now().UTC().Format(time.DateOnly)) {
		if err := j.begin(); err != nil {
			j.o.Failed(err)
		}
	}
	for _, w := range written {
		j.mark = j.mark.With(w)
	}
	j.append(text)
}

// Trust notes that the database is this one from here on.
func (j *Journal) Trust(m store.Mark) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.mark = m
	if j.file != nil {
		j.append(j.base().bytes())
	}
}

// Distrust notes that the database was found to be an older or another one.
// The same quarantine is noted once.
func (j *Journal) Distrust(id string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.quarantine == id || j.file == nil {
		return
	}
	j.quarantine = id
	j.append(Line{What: lineDistrust, At: j.o.Now().UnixMicro(), Quarantine: id}.bytes())
}

func (j *Journal) syncs() {
	defer close(j.done)
	tick := time.NewTicker(syncEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			j.sync()
		case <-j.stop:
			return
		}
	}
}

// sync makes durable what was appended. It holds nobody up: the file is
// synced outside the lock, and closed by nobody but this goroutine and Close.
func (j *Journal) sync() {
	j.mu.Lock()
	old, f, dirty := j.old, j.file, j.dirty
	j.old, j.dirty = nil, false
	j.mu.Unlock()
	for _, o := range old {
		if err := errors.Join(o.Sync(), o.Close()); err != nil {
			j.o.Failed(err)
		}
	}
	if dirty {
		if err := f.Sync(); err != nil {
			j.o.Failed(err)
		}
	}
}

// Close syncs and closes. What is written later is left out.
func (j *Journal) Close() error {
	close(j.stop)
	<-j.done
	j.sync()
	j.mu.Lock()
	defer j.mu.Unlock()
	f := j.file
	j.file = nil
	return f.Close()
}

// files are the numbers of the files in a directory, ascending.
func files(dir string) ([]int, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var numbers []int
	for _, e := range entries {
		text, ok := strings.CutPrefix(e.Name(), prefix)
		text, end := strings.CutSuffix(text, suffix)
		var n int
		if _, err := fmt.Sscanf(text, "%d", &n); ok && end && err == nil && n > 0 && fileName(n) == e.Name() {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

func fileName(n int) string { return fmt.Sprintf("%s%06d%s", prefix, n, suffix) }

// lineBegins is how every line begins. It stands nowhere within one, because
// texts have their quotes escaped.
const lineBegins = `{"what":`

// readFile gives every line that can be read. One that cannot was torn by a
// crash or a full disk; what another process has written behind it, before
// anybody could end it, is read all the same.
func readFile(path string, f func(Line)) error {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // expired meanwhile
	}
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // only read
	return readLines(file, func(b []byte) {
		var l Line
		b = b[max(0, bytes.LastIndex(b, []byte(lineBegins))):]
		if json.Unmarshal(b, &l) == nil && l.What != "" {
			f(l)
		}
	})
}

// readLines gives the lines of r, the last one also without its end.
func readLines(r io.Reader, f func([]byte)) error {
	buf := make([]byte, 0, 64<<10)
	chunk := make([]byte, 64<<10)
	for {
		n, err := r.Read(chunk)
		buf = append(buf, chunk[:n]...)
		for {
			end := bytes.IndexByte(buf, '\n')
			if end < 0 {
				break
			}
			f(buf[:end])
			buf = buf[end+1:]
		}
		if errors.Is(err, io.EOF) {
			if len(buf) > 0 {
				f(buf)
			}
			return nil
		}
		if err != nil {
			return err
		}
	}
}
