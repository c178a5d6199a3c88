package filemgr

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
)

// now is a fixed clock for scans; only its differences matter.
var now = time.Date(2026, 3, 20, 9, 0, 0, 0, time.UTC)

// fresh writes a file whose content is younger than its inode, as if it were
// being written, so that it never looks renamed in.
func fresh(t testing.TB, path, content string) string {
	t.Helper()
	put(t, path, []byte(content))
	later := time.Now().Add(time.Hour)
	require.NoError(t, os.Chtimes(path, later, later))
	return path
}

func scan(t *testing.T, s *Scanner, at time.Time) (ready []string, problems map[string]fault.Code) {
	t.Helper()
	found, bad, err := s.Scan(at)
	require.NoError(t, err)
	problems = map[string]fault.Code{}
	for _, r := range found {
		ready = append(ready, r.Name)
	}
	for _, p := range bad {
		problems[p.Name] = p.Err.Code
	}
	return ready, problems
}

func TestScanWaitsUntilAFileStandsStill(t *testing.T) {
	dir := t.TempDir()
	s := NewScanner(ScanOptions{Dir: dir, Settle: 2 * time.Second})
	path := fresh(t, filepath.Join(dir, "EB21.KFTC.CMS"), "one")

	ready, _ := scan(t, s, now)
	require.Empty(t, ready, "seen for the first time")
	ready, _ = scan(t, s, now.Add(1999*time.Millisecond))
	require.Empty(t, ready)
	fresh(t, path, "grown")
	ready, _ = scan(t, s, now.Add(3*time.Second))
	require.Empty(t, ready, "the clock starts again")
	ready, problems := scan(t, s, now.Add(5*time.Second))
	require.Equal(t, []string{"EB21.KFTC.CMS"}, ready)
	require.Empty(t, problems)
	ready, _ = scan(t, s, now.Add(6*time.Second))
	require.Len(t, ready, 1, "offered again until it is claimed")

	require.NoError(t, os.Remove(path))
	ready, _ = scan(t, s, now.Add(7*time.Second))
	require.Empty(t, ready)
	fresh(t, path, "grown")
	ready, _ = scan(t, s, now.Add(60*time.Second))
	require.Empty(t, ready, "a new file of an old name settles anew")
}

func TestScanSettlesAReplacedFileAnew(t *testing.T) {
	dir := t.TempDir()
	s := NewScanner(ScanOptions{Dir: dir, Settle: time.Second})
	path := fresh(t, filepath.Join(dir, "a"), "same")
	fi, err := os.Stat(path)
	require.NoError(t, err)
	scan(t, s, now)
	other := fresh(t, filepath.Join(dir, ".other"), "same")
	require.NoError(t, os.Rename(other, path))
	require.NoError(t, os.Chtimes(path, fi.ModTime(), fi.ModTime()))
	ready, _ := scan(t, s, now.Add(time.Minute))
	require.Empty(t, ready, "equal size and time, another inode")
}

func TestScanTakesARenamedFileAtOnce(t *testing.T) {
	dir := t.TempDir()
	s := NewScanner(ScanOptions{Dir: dir, Settle: time.Hour})
	// The content is older than the inode's last change: that is what a rename
	// leaves. The lease needs a file system that grants one.
	old := time.Now().Add(-time.Minute)
	path := put(t, filepath.Join(dir, "a.tmp"), []byte("whole"))
	require.NoError(t, os.Chtimes(path, old, old))
	ready, _ := scan(t, s, now)
	require.Empty(t, ready, ".tmp is not looked at")
	writer, err := os.OpenFile(path, os.O_WRONLY, 0)
	require.NoError(t, err)
	require.NoError(t, os.Rename(path, filepath.Join(dir, "a")))
	ready, _ = scan(t, s, now)
	require.Empty(t, ready, "somebody may still write to it")
	require.NoError(t, writer.Close())

	require.NoError(t, os.Chtimes(put(t, filepath.Join(dir, "empty"), nil), old, old))
	ready, _ = scan(t, s, now)
	require.Equal(t, []string{"a"}, ready, "an empty file settles")
}

func TestScanLooksAway(t *testing.T) {
	dir := t.TempDir()
	s := NewScanner(ScanOptions{Dir: dir, FlagFor: func(name string) string {
		if name == "flagged" {
			return ".fin"
		}
		return ""
	}})
	for _, name := range []string{".hidden", "a.tmp", "b.TMP", "c.part", "flagged.fin", "plain.fin", "plain"} {
		put(t, filepath.Join(dir, name), []byte("x"))
	}
	scan(t, s, now)
	ready, problems := scan(t, s, now.Add(time.Second))
	require.Equal(t, []string{"plain", "plain.fin"}, ready, "plain.fin is nobody's flag")
	require.Empty(t, problems)
}

func TestScanFlagFiles(t *testing.T) {
	dir := t.TempDir()
	s := NewScanner(ScanOptions{Dir: dir, Settle: time.Minute, Slow: time.Hour, FlagFor: func(string) string { return ".fin" }})
	path := put(t, filepath.Join(dir, "a"), []byte("x"))
	at := time.Now().Add(-time.Minute)
	require.NoError(t, os.Chtimes(path, at, at))
	ready, _ := scan(t, s, now)
	require.Empty(t, ready)
	ready, problems := scan(t, s, now.Add(30*time.Minute))
	require.Empty(t, ready, "however long it stands still")
	require.Empty(t, problems)
	_, problems = scan(t, s, now.Add(time.Hour))
	require.Equal(t, map[string]fault.Code{"a": CodeFlagMissing}, problems)
	_, problems = scan(t, s, now.Add(2*time.Hour))
	require.Empty(t, problems, "told once")

	put(t, path+".fin", nil)
	found, _, err := s.Scan(now.Add(2 * time.Hour))
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Equal(t, path+".fin", found[0].Flag)

	// The flag of an earlier file does not vouch for one that is being written.
	fresh(t, path, "being written")
	ready, _ = scan(t, s, now.Add(3*time.Hour))
	require.Empty(t, ready)
	ready, _ = scan(t, s, now.Add(3*time.Hour+time.Minute))
	require.Equal(t, []string{"a"}, ready)
}

func TestScanReportsOnceWhatItCannotTake(t *testing.T) {
	dir := t.TempDir()
	s := NewScanner(ScanOptions{Dir: dir, Settle: time.Minute, Slow: 5 * time.Minute})
	target := put(t, filepath.Join(t.TempDir(), "secret"), []byte("x"))
	require.NoError(t, os.Symlink(target, filepath.Join(dir, "link")))
	require.NoError(t, os.Symlink(filepath.Join(dir, "nowhere"), filepath.Join(dir, "dangling")))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "sub"), 0o700))
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	fresh(t, filepath.Join(dir, "growing"), "x")

	ready, problems := scan(t, s, now)
	require.Empty(t, ready)
	require.Equal(t, map[string]fault.Code{"link": CodeSymlink, "dangling": CodeSymlink, "sub": CodeDirectory, "pipe": CodeNotRegular}, problems)
	for i := range 6 {
		fresh(t, filepath.Join(dir, "growing"), string(make([]byte, i+2)))
		ready, problems = scan(t, s, now.Add(time.Duration(i)*time.Minute))
		require.Empty(t, ready)
		if i < 5 {
			require.Empty(t, problems)
		}
	}
	require.Equal(t, map[string]fault.Code{"growing": CodeStillGrowing}, problems)

	require.NoError(t, os.Remove(filepath.Join(dir, "sub")))
	scan(t, s, now.Add(7*time.Minute))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "sub"), 0o700))
	_, problems = scan(t, s, now.Add(8*time.Minute))
	require.Equal(t, CodeDirectory, problems["sub"], "a new one is news")
}

func TestScanReportsAnUnreadableFile(t *testing.T) {
	dir := openDir(t)
	s := NewScanner(ScanOptions{Dir: dir})
	require.NoError(t, os.Chmod(put(t, filepath.Join(dir, "a"), []byte("x")), 0))
	asNobody(t, func() {
		ready, problems := scan(t, s, now)
		require.Empty(t, ready)
		require.Equal(t, map[string]fault.Code{"a": CodeUnreadable}, problems)
	})
}

func TestScanWithoutItsDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "scan")
	s := NewScanner(ScanOptions{Dir: dir})
	_, _, err := s.Scan(now)
	require.True(t, Waits(requireCode(t, CodeDirMissing, err).Code))
	put(t, dir, nil)
	_, _, err = s.Scan(now)
	require.True(t, Waits(requireCode(t, CodeNotADir, err).Code))
}

func TestWatch(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	watch, err := Watch(ctx, dir)
	require.NoError(t, err)
	next := func() bool {
		select {
		case _, ok := <-watch:
			return ok
		case <-time.After(4 * time.Minute):
			t.Fatal("no signal")
			return false
		}
	}
	require.True(t, next(), "one to start with: the watch is there, now scan")
	put(t, filepath.Join(dir, "a"), []byte("x"))
	require.True(t, next())
	cancel()
	for range watch { // ends with the context
	}

	lost, err := Watch(context.Background(), dir)
	require.NoError(t, err)
	require.NoError(t, os.RemoveAll(dir))
	for range lost { // ends with the directory
	}
	_, err = Watch(context.Background(), dir)
	requireCode(t, CodeDirMissing, err)
}

func TestCheckDirs(t *testing.T) {
	root := t.TempDir()
	mk := func(name string) string {
		dir := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(dir, 0o700))
		return dir
	}
	good := Dirs{Scan: mk("scan"), Work: mk("work"), Receive: mk("receive")}
	require.Empty(t, CheckDirs(good))
	for _, dir := range []string{good.Scan, good.Work, good.Receive} {
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Empty(t, entries, "the probe cleans up")
	}
	require.NoError(t, os.Symlink(good.Scan, filepath.Join(root, "alias")))
	put(t, filepath.Join(root, "file"), nil)
	other := mk("second/scan")
	put(t, filepath.Join(root, "second", "backup"), nil)
	for _, c := range []struct {
		name string
		dirs Dirs
		path string
		code fault.Code
	}{
		{"missing", Dirs{Receive: filepath.Join(root, "none")}, "receive", CodeDirMissing},
		{"beside a backup that is a file", Dirs{Scan: other}, "scan", CodeNotADir},
		{"called backup", Dirs{Scan: mk("third/backup")}, "scan", CodeDirOverlap},
		{"a file", Dirs{Receive: filepath.Join(root, "file")}, "receive", CodeNotADir},
		{"the same", Dirs{Scan: good.Scan, Receive: good.Scan}, "receive", CodeDirOverlap},
		{"inside", Dirs{Scan: good.Scan, Work: mk("scan/work")}, "work", CodeDirOverlap},
		{"around", Dirs{Scan: mk("work/scan"), Work: good.Work}, "work", CodeDirOverlap},
		{"by a link", Dirs{Scan: good.Scan, Work: filepath.Join(root, "alias")}, "work", CodeDirOverlap},
	} {
		problems := CheckDirs(c.dirs)
		require.Len(t, problems, 1, c.name)
		require.Equal(t, c.path, problems[0].Path, c.name)
		require.Equal(t, c.code, problems[0].Err.Code, c.name)
	}
	require.Equal(t, "/w/instanceBAT01", WorkDir("/w", "instance_BAT_01"))
	if shm, err := os.MkdirTemp("/dev/shm", "pabal-"); err == nil {
		defer os.RemoveAll(shm)
		problems := CheckDirs(Dirs{Scan: good.Scan, Work: shm})
		require.Len(t, problems, 1)
		require.Equal(t, CodeOtherDisk, problems[0].Err.Code)
	}
}

// TestOpenDirectories: a directory into which everybody may write is refused.
func TestOpenDirectories(t *testing.T) {
	dir := t.TempDir()
	d := Dirs{Scan: filepath.Join(dir, "scan"), Work: filepath.Join(dir, "work"), Receive: filepath.Join(dir, "receive")}
	all := []string{d.Scan, d.Work, d.Receive, filepath.Join(dir, "backup"), filepath.Join(dir, "error")}
	for _, one := range all {
		require.NoError(t, os.Mkdir(one, 0o750))
	}
	require.Empty(t, CheckDirs(d))
	for _, one := range all {
		require.NoError(t, os.Chmod(one, 0o777))
		problems := CheckDirs(d)
		require.Len(t, problems, 1, one)
		require.Equal(t, CodeOpenDirectory, problems[0].Err.Code)
		require.Equal(t, "0777", problems[0].Err.Args["mode"])
		require.NoError(t, os.Chmod(one, 0o770))
	}
	require.Empty(t, CheckDirs(d))
}
