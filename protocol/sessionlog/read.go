package sessionlog

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Find is the path of the log of a session; "" if there is none.
func Find(dir, session string) (string, error) {
	if session == "" || strings.ContainsAny(session, `/\*?[`) {
		return "", nil
	}
	paths, err := filepath.Glob(filepath.Join(globbed(dir), "*", session+suffix))
	if err != nil || len(paths) == 0 {
		return "", err
	}
	return paths[len(paths)-1], nil
}

// globbed is a path of which no character stands for others.
func globbed(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// mark is what every log begins with.
var mark = []byte(`{"at":`)

// Is reports that bytes are the beginning of a log.
func Is(text []byte) bool {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	var r Record
	return bytes.HasPrefix(line, mark) && json.Unmarshal(line, &r) == nil && r.What != ""
}

// Read gives the records of a log in order. A line that cannot be read was torn
// by a crash or a full disk and is passed over; one without its end, at the
// end, is not complete and counts as not written.
func Read(r io.Reader, f func(*Record) error) error {
	_, err := readFrom(r, f)
	return err
}

// readFrom is Read and says how many bytes of whole lines there were.
func readFrom(r io.Reader, f func(*Record) error) (n int64, err error) {
	b := bufio.NewReaderSize(r, 64<<10)
	for {
		line, err := b.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		n += int64(len(line))
		rec := new(Record)
		if json.Unmarshal(line, rec) != nil || rec.What == "" {
			continue
		}
		if err := f(rec); err != nil {
			return n, err
		}
	}
}

// Follower reads a log that is being written.
type Follower struct {
	path string
	at   int64
}

// NewFollower follows the log at path from its beginning.
func NewFollower(path string) *Follower { return &Follower{path: path} }

// Next gives the records that were written since the last call.
func (w *Follower) Next(f func(*Record) error) error {
	file, err := os.Open(w.path)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // only read
	if _, err := file.Seek(w.at, io.SeekStart); err != nil {
		return err
	}
	n, err := readFrom(file, f)
	w.at += n
	return err
}
