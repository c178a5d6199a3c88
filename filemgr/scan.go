package filemgr

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"pabal/internal/fault"
)

// DefaultSlow is how long a file may stay unready before it is reported.
const DefaultSlow = 10 * time.Minute

// ScanOptions of one scan directory.
type ScanOptions struct {
	Dir    string        // SCAN_DIRECTORY_NAME
	Settle time.Duration // how long size and time must stand still
	Slow   time.Duration // a file not ready after this is reported once; 0 = DefaultSlow

	// FlagFor returns the suffix of the flag file that the registration of the
	// file called name asks for, such as ".fin", or "" if it asks for none. The
	// suffix starts with a dot. It is called several times per name and scan, so
	// it should be cheap. nil = no flag files.
	FlagFor func(name string) string
}

// Ready is a file that may be claimed.
type Ready struct {
	Name     string
	Path     string
	Size     int64
	ModTime  time.Time
	Identity string // see Identity
	Flag     string // path of its flag file, or ""
}

// Problem is something in the scan directory that a person should look at.
type Problem struct {
	Name string
	Err  *fault.Error
}

// Scanner finds files that are ready in one directory by looking at it again
// and again. It needs no event from the system (network file systems send
// none): what Watch reports is only a reason to call Scan earlier. A Scanner is
// not safe for concurrent use.
//
// A file is ready
//   - when its registration asks for a flag file: as soon as that is there. A
//     flag that is older than the file's last change may be left over from an
//     earlier file of the name, so then the file has to settle as well;
//   - otherwise, when it was renamed in: it has content, its inode changed after
//     its content did, and the kernel says that nobody has it open for writing.
//     Where the kernel cannot say (network file systems, files of another owner),
//     it settles like all others. Nothing else tells a rename from a slow writer
//     after the fact, and a doubt costs only the settle time;
//   - otherwise, when size, time and inode were the same in two scans at least
//     the settle time apart, and in all scans between.
type Scanner struct {
	o    ScanOptions
	seen map[string]*sighting
}

// sighting is what a Scanner remembers of one name.
type sighting struct {
	identity string
	still    time.Time // since when the identity is the same
	first    time.Time // first sight of the name
	told     map[fault.Code]bool
}

// NewScanner returns a scanner that has seen nothing yet.
func NewScanner(o ScanOptions) *Scanner {
	if o.Slow <= 0 {
		o.Slow = DefaultSlow
	}
	return &Scanner{o: o, seen: map[string]*sighting{}}
}

// Scan looks at the directory once. now is only compared with the now of other
// calls; from time.Now it brings its monotonic reading, so that setting the wall
// clock settles nothing early. It returns the files that are ready, by name; a
// ready file that is not claimed is returned again. Each problem is reported
// once as long as the name stays. An error is about the directory itself: the
// stage waits (Waits) and nothing is forgotten.
func (s *Scanner) Scan(now time.Time) ([]Ready, []Problem, error) {
	entries, err := os.ReadDir(s.o.Dir)
	if err != nil {
		return nil, nil, dirFault(s.o.Dir, err)
	}
	present := make(map[string]bool, len(entries))
	for _, e := range entries {
		present[e.Name()] = true
	}
	for name := range s.seen {
		if !present[name] {
			delete(s.seen, name)
		}
	}
	var ready []Ready
	var problems []Problem
	for _, e := range entries {
		name := e.Name()
		if Ignored(name) || s.isFlag(name) {
			continue
		}
		r, f := s.look(name, now, present)
		if f != nil && s.tell(name, f.Code) {
			problems = append(problems, Problem{Name: name, Err: f})
		}
		if r != nil {
			ready = append(ready, *r)
		}
	}
	slices.SortFunc(ready, func(a, b Ready) int { return strings.Compare(a.Name, b.Name) })
	return ready, problems, nil
}

// unstorable refuses a name that no database holds as it is and no log shows
// as it is: one in EUC-KR, mostly. (A name has no NUL.)
func unstorable(dir, name string) *fault.Error {
	if utf8.ValidString(name) {
		return nil
	}
	return fault.New(CodeNameNotUTF8, filepath.Join(dir, strings.Trim(strconv.QuoteToASCII(name), `"`)))
}

// Ignored reports names that are never looked at: hidden ones and those under
// which programs build a file before they rename it.
func Ignored(name string) bool {
	lower := strings.ToLower(name)
	return strings.HasPrefix(name, ".") || strings.HasSuffix(lower, ".tmp") || strings.HasSuffix(lower, ".part")
}

// isFlag reports that name is the flag file of some other name.
func (s *Scanner) isFlag(name string) bool {
	if s.o.FlagFor == nil {
		return false
	}
	for i := 1; i < len(name); i++ {
		if name[i] == '.' && s.o.FlagFor(name[:i]) == name[i:] {
			return true
		}
	}
	return false
}

// tell reports whether the problem is news, and remembers it.
func (s *Scanner) tell(name string, code fault.Code) bool {
	told := s.seen[name].told
	if told[code] {
		return false
	}
	told[code] = true
	return true
}

// look judges one name. It returns the file if it is ready, or a reason why a
// person should look at it; usually neither.
func (s *Scanner) look(name string, now time.Time, present map[string]bool) (*Ready, *fault.Error) {
	path := filepath.Join(s.o.Dir, name)
	seen := s.seen[name]
	if seen == nil {
		seen = &sighting{first: now, still: now, told: map[fault.Code]bool{}}
		s.seen[name] = seen
	}
	fi, err := os.Lstat(path)
	if err != nil {
		return nil, nil // gone since the directory was read; the next scan will know
	}
	if f := kindFault(path, fi); f != nil {
		return nil, f
	}
	if f := unstorable(s.o.Dir, name); f != nil {
		return nil, f
	}
	if id := identityOf(fi); id != seen.identity {
		seen.identity, seen.still = id, now
	}
	settled := now.Sub(seen.still) >= s.o.Settle

	flag, f := s.flag(name, fi, present, settled)
	switch {
	case f != nil:
		return nil, s.whenSlow(seen, now, f)
	case flag == "" && !settled && !renamedIn(path, fi):
		return nil, s.whenSlow(seen, now, fault.New(CodeStillGrowing, path, "size", fi.Size()))
	}
	file, opened, err := openRegular(path)
	if err != nil {
		return nil, fault.New(CodeUnreadable, path).Because(err)
	}
	_ = file.Close()
	if identityOf(opened) != seen.identity {
		return nil, nil // changed this instant; the next scan judges it anew
	}
	return &Ready{Name: name, Path: path, Size: fi.Size(), ModTime: fi.ModTime(),
		Identity: seen.identity, Flag: flag}, nil
}

func (s *Scanner) whenSlow(seen *sighting, now time.Time, f *fault.Error) *fault.Error {
	if now.Sub(seen.first) < s.o.Slow {
		return nil
	}
	return f
}

// flag returns the path of the flag file that vouches for the file, "" when
// none is asked for, or why the file cannot be taken yet.
func (s *Scanner) flag(name string, fi fs.FileInfo, present map[string]bool, settled bool) (string, *fault.Error) {
	if s.o.FlagFor == nil {
		return "", nil
	}
	suffix := s.o.FlagFor(name)
	if suffix == "" {
		return "", nil
	}
	path := filepath.Join(s.o.Dir, name)
	flag := path + suffix
	if !present[name+suffix] {
		return "", fault.New(CodeFlagMissing, path, "flag", filepath.Base(flag))
	}
	at, err := os.Lstat(flag)
	if err != nil {
		return "", fault.New(CodeFlagMissing, path, "flag", filepath.Base(flag))
	}
	if at.ModTime().Before(fi.ModTime()) && !settled {
		return "", fault.New(CodeStillGrowing, path, "size", fi.Size())
	}
	return flag, nil
}
