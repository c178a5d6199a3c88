package filemgr

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"pabal/internal/fault"
	"pabal/internal/place"
)

// Dirs are the directories of one instance. An empty one is not checked.
type Dirs struct {
	Scan    string // SCAN_DIRECTORY_NAME
	Work    string // WORK_DIRECTORY_NAME, the one that all instances share
	Receive string // RECEIVE_DIRECTORY_NAME
}

// CheckDirs proves at start that the directories can do what is asked of them:
// they exist, none is the same as another or inside it, files can be made in
// them and in backup/ and error/ beside the scan directory, and a file can be
// renamed from scan to work, which bind mounts refuse even on one device. Paths of the problems are "scan", "work", "receive".
func CheckDirs(d Dirs) []fault.Problem {
	var problems []fault.Problem
	add := func(path string, err error) {
		if f := fault.As(err); f != nil {
			problems = append(problems, fault.Problem{Path: path, Err: f})
		}
	}
	type named struct{ name, dir string }
	var all []named
	for _, n := range []named{{"scan", d.Scan}, {"work", d.Work}, {"receive", d.Receive}} {
		if n.dir == "" {
			continue
		}
		for _, other := range all {
			if overlap(n.dir, other.dir) {
				add(n.name, fault.New(CodeDirOverlap, n.dir, "other", other.dir))
			}
		}
		all = append(all, n)
		add(n.name, probe(n.dir))
		add(n.name, keptFromOthers(n.dir))
	}
	if d.Scan != "" {
		for _, kind := range []string{backupDir, errorDir} {
			add("scan", probeBeside(d.Scan, kind))
			add("scan", keptFromOthers(filepath.Join(filepath.Dir(filepath.Clean(d.Scan)), kind)))
		}
	}
	if d.Scan != "" && d.Work != "" && len(problems) == 0 {
		add("work", probeRename(d.Scan, d.Work))
	}
	return problems
}

// keptFromOthers finds a directory into which everybody on the machine may
// write: who can put a file there, or exchange one, decides what is sent.
func keptFromOthers(dir string) error {
	fi, err := os.Stat(dir)
	if err != nil {
		return nil //nolint:nilerr // that it is missing is said elsewhere
	}
	if mode := fi.Mode().Perm(); mode&0o002 != 0 {
		return fault.New(CodeOpenDirectory, dir, "mode", fmt.Sprintf("%04o", mode))
	}
	return nil
}

// overlap reports that two directories are one, or one contains the other.
func overlap(a, b string) bool {
	ra, rb := resolved(a), resolved(b)
	sep := string(filepath.Separator)
	return ra == rb || strings.HasPrefix(ra, rb+sep) || strings.HasPrefix(rb, ra+sep)
}

func resolved(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		return real
	}
	return filepath.Clean(dir)
}

// probeName is hidden, so that no scan sees it, and has the process in it, so
// that two hosts on one network directory do not meet.
func probeName() string {
	host, _ := os.Hostname()
	return fmt.Sprintf(".pabal-probe-%s-%d", host, os.Getpid())
}

func probe(dir string) error {
	if f := checkDir(dir); f != nil {
		return f
	}
	path := filepath.Join(dir, probeName())
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return osFault(dir, err)
	}
	_, werr := f.WriteString("probe")
	return osFault(dir, errors.Join(werr, f.Close(), os.Remove(path)))
}

// probeBeside proves that backup/ or error/ can be written, or made if it is
// not there yet.
func probeBeside(scan, kind string) error {
	parent := filepath.Dir(filepath.Clean(scan))
	dir := filepath.Join(parent, kind)
	there, err := exists(dir)
	switch {
	case err != nil:
		return err
	case overlap(scan, dir):
		return fault.New(CodeDirOverlap, scan, "other", dir)
	case there:
		return probe(dir)
	}
	return probe(parent)
}

func probeRename(scan, work string) error {
	from, to := filepath.Join(scan, probeName()), filepath.Join(work, probeName())
	if err := os.WriteFile(from, nil, 0o600); err != nil {
		return osFault(scan, err)
	}
	defer os.Remove(from) //nolint:errcheck // usually renamed away
	if err := os.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return osFault(work, err)
	}
	err := place.NoReplace(from, to)
	if errors.Is(err, syscall.EXDEV) {
		return fault.New(CodeOtherDisk, work, "scan", scan).Because(err)
	}
	if err != nil {
		return osFault(work, err)
	}
	return osFault(work, os.Remove(to))
}

// WorkDir is the directory of one instance below the work directory: its ID
// without underscores (design §5).
func WorkDir(work, instance string) string {
	return filepath.Join(work, strings.ReplaceAll(instance, "_", ""))
}

// MakeDir creates a directory of ours, durably, with what is missing above it.
func MakeDir(dir string) error { return makeDir(dir, place.Access{}) }

// MakeDirAs is MakeDir for a directory that is to have other access.
func MakeDirAs(dir string, access place.Access) error { return makeDir(dir, access) }

func makeDir(dir string, access place.Access) error {
	return accessFault(dir, access.MakeDir(dir))
}
