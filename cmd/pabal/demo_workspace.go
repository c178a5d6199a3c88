package main

import (
	"bufio"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"pabal/internal/fault"
	"pabal/internal/place"
	"pabal/simulator/sample"
)

// demoPassword is what the demonstration's centre expects of us.
const demoPassword = "123ABC"

//go:embed demo_config.yaml
var demoConfig string

// workspace is the directory of one demonstration. It stays when the program
// ends: what happened can be looked at, and the server started again by hand.
type workspace struct {
	dir     string
	store   string // address of the database, "" = a SQLite file in dir
	listen  string // address where the VAN calls us
	connect string // address of the clearing centre
}

func (w *workspace) path(parts ...string) string {
	return filepath.Join(append([]string{w.dir}, parts...)...)
}

// rel is a path as people see it: from the workspace.
func (w *workspace) rel(path string) string {
	if r, err := filepath.Rel(w.dir, path); err == nil && !strings.HasPrefix(r, "..") {
		return r
	}
	return path
}

func (w *workspace) config() string    { return w.path("pabal.yaml") }
func (w *workspace) serverLog() string { return w.path("logs", "server.log") }

// database is the address of the database.
func (w *workspace) database() string {
	if w.store != "" {
		return w.store
	}
	return "sqlite:" + w.path("pabal.db")
}

// newWorkspace makes the directories in dir, or in a new temporary directory.
// A directory with something in it is refused: the demonstration would mix
// with whatever is there.
func newWorkspace(dir string) (*workspace, error) {
	var err error
	if dir == "" {
		dir, err = os.MkdirTemp("", "pabal-demo-")
	} else if dir, err = filepath.Abs(dir); err == nil {
		err = os.MkdirAll(dir, 0o750)
	}
	if err != nil {
		return nil, fault.New(codeCannotWrite, dir).Because(err)
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, fault.New(codeCannotWrite, dir).Because(err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		return nil, fault.New(codeDemoDirectory, dir).Because(err)
	}
	w := &workspace{dir: dir}
	for _, d := range []string{
		"data/scan", "data/work", "data/receive", "data/result", "samples", "logs",
		"counterparties/kftc/give", "counterparties/kftc/take", "counterparties/van/give", "counterparties/van/take",
	} {
		if err := os.MkdirAll(w.path(d), 0o750); err != nil {
			return nil, fault.New(codeCannotWrite, w.path(d)).Because(err)
		}
	}
	return w, nil
}

// writeConfig writes pabal.yaml for the addresses that were found free.
func (w *workspace) writeConfig() error {
	port := func(address string) string {
		_, p, _ := net.SplitHostPort(address)
		return p
	}
	text := strings.NewReplacer("{{listen}}", port(w.listen), "{{connect}}", port(w.connect)).Replace(demoConfig)
	mode := os.FileMode(0o640)
	if w.store != "" { // it may hold a password
		text, mode = strings.Replace(text, `"sqlite:pabal.db"`, strconv.Quote(w.store), 1), 0o600
	}
	if err := os.WriteFile(w.config(), []byte(text), mode); err != nil {
		return fault.New(codeCannotWrite, w.config()).Because(err)
	}
	if err := os.WriteFile(w.path("kftc.password"), []byte(demoPassword+"\n"), 0o600); err != nil {
		return fault.New(codeCannotWrite, w.path("kftc.password")).Because(err)
	}
	return nil
}

// sampleFile is one file of the demonstration.
type sampleFile struct {
	kind sample.Kind
	name string // in samples/
	path string
	date time.Time
}

// makeSample writes a file of about size bytes into samples/. It stays there,
// to be compared with what arrives.
func (w *workspace) makeSample(kind sample.Kind, date time.Time, size int64) (sampleFile, error) {
	s := sampleFile{kind: kind, date: date}
	switch kind {
	case sample.EB22:
		s.name = sample.WireName(kind, date)
	case sample.C02:
		s.name = string(kind) + "." + date.Format("20060102")
	default:
		s.name = sample.FileName(kind, "KFTC", "CMS", date)
	}
	s.path = w.path("samples", s.name)
	err := place.Create(s.path, func(out io.Writer) error {
		return sample.Write(out, kind, sample.Options{Size: size, Date: date, Institution: "1234567890", Seed: 1})
	})
	if err != nil {
		return s, fault.New(codeCannotWrite, s.path).Because(err)
	}
	return s, nil
}

// put copies a sample to where it is picked up, as a business program should.
func (w *workspace) put(s sampleFile, dir ...string) error {
	return dropCopy(s.path, filepath.Join(w.path(dir...), s.name))
}

// dropCopy copies a file to where it is picked up: at once and whole.
func dropCopy(from, to string) error {
	err := place.Create(to, func(out io.Writer) error {
		in, err := os.Open(from)
		if err != nil {
			return err
		}
		defer in.Close()
		_, err = io.Copy(out, in)
		return err
	})
	if err != nil {
		return fault.New(codeCannotWrite, to).Because(err)
	}
	return nil
}

// fileSum is the sha256 of a file as it lies on the disk now.
func fileSum(path string) (sum string, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	h := sha256.New()
	size, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), size, err
}

// lastLines of a log, to say why a server ended.
func lastLines(path string, n int) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	var lines []string
	in := bufio.NewScanner(f)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		if lines = append(lines, in.Text()); len(lines) > n {
			lines = lines[1:]
		}
	}
	return strings.Join(lines, "\n")
}

// treeLine is one line of a directory tree.
type treeLine struct {
	name  string // with its branches
	size  string
	other int // files left out
}

// tree draws the workspace. Directories with many files show the first ones.
func (w *workspace) tree() ([]treeLine, error) {
	const most = 12
	lines := []treeLine{{name: w.dir + "/"}}
	var walk func(dir, indent string) error
	walk = func(dir, indent string) error {
		all, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		var entries []fs.DirEntry
		for _, e := range all {
			if !strings.HasPrefix(e.Name(), ".") {
				entries = append(entries, e)
			}
		}
		left := max(0, len(entries)-most)
		for n, e := range entries[:len(entries)-left] {
			branch, below := "├── ", "│   "
			if n == len(entries)-1 {
				branch, below = "└── ", "    "
			}
			if e.IsDir() {
				lines = append(lines, treeLine{name: indent + branch + e.Name() + "/"})
				if err := walk(filepath.Join(dir, e.Name()), indent+below); err != nil {
					return err
				}
				continue
			}
			info, err := e.Info()
			if errors.Is(err, fs.ErrNotExist) {
				continue // moved on by the server meanwhile
			} else if err != nil {
				return err
			}
			lines = append(lines, treeLine{name: indent + branch + e.Name(), size: count(info.Size())})
		}
		if left > 0 {
			lines = append(lines, treeLine{name: indent + "└── ", other: left})
		}
		return nil
	}
	return lines, walk(w.dir, "")
}

// sequenceList writes sequence numbers as telegrams carry them: 037, 058.
func sequenceList(numbers []int) string {
	parts := make([]string, 0, len(numbers))
	for n, seq := range numbers {
		if n == 12 {
			parts = append(parts, "… ("+strconv.Itoa(len(numbers))+")")
			break
		}
		parts = append(parts, fmt.Sprintf("%03d", seq))
	}
	return strings.Join(parts, ", ")
}
