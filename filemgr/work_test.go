package filemgr

import (
	"os"
	"pabal/internal/place"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
)

// dropped makes a scan and a work directory and one ready file.
func dropped(t *testing.T, name, content string) (Ready, string) {
	t.Helper()
	root := t.TempDir()
	scanDir, work := filepath.Join(root, "scan"), filepath.Join(root, "work")
	require.NoError(t, os.Mkdir(scanDir, 0o700))
	require.NoError(t, os.Mkdir(work, 0o700))
	path := put(t, filepath.Join(scanDir, name), []byte(content))
	id, err := Identity(path)
	require.NoError(t, err)
	return Ready{Name: name, Path: path, Size: int64(len(content)), Identity: id}, work
}

func TestClaim(t *testing.T) {
	r, work := dropped(t, "EB21~x.KFTC.CMS", "content")
	r.Flag = put(t, r.Path+".fin", nil)
	c, err := Claim(r, work, "01H", place.Access{})
	require.NoError(t, err)
	require.Equal(t, filepath.Join(work, "01H~EB21~x.KFTC.CMS"), c.Path)
	require.NoFileExists(t, r.Path)
	require.NoFileExists(t, r.Flag)
	id, err := Identity(c.Path)
	require.NoError(t, err)
	require.Equal(t, r.Identity, id, "a rename keeps the identity")

	put(t, filepath.Join(work, ".hidden"), nil)
	put(t, filepath.Join(work, "stranger"), nil)
	require.NoError(t, os.Mkdir(filepath.Join(work, "02~dir"), 0o700))
	files, err := WorkFiles(work)
	require.NoError(t, err)
	require.Equal(t, []Claimed{c}, files, "found again after a crash, with its name")
	_, err = WorkFiles(filepath.Join(work, "none"))
	requireCode(t, CodeDirMissing, err)
}

func TestClaimLeavesWhatIsNotWhatWasSeen(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(t *testing.T, path string)
		code   fault.Code
	}{
		{"grown", func(t *testing.T, p string) { put(t, p, []byte("content and more")) }, CodeChanged},
		{"shrunk", func(t *testing.T, p string) { put(t, p, []byte("con")) }, CodeShrunk},
		{"replaced", func(t *testing.T, p string) { require.NoError(t, os.Rename(put(t, p+"2", []byte("CONTENT")), p)) }, CodeReplaced},
		{"touched", func(t *testing.T, p string) { require.NoError(t, os.Chtimes(p, time.Unix(1, 0), time.Unix(1, 0))) }, CodeChanged},
		{"gone", func(t *testing.T, p string) { require.NoError(t, os.Remove(p)) }, CodeVanished},
		{"a link", func(t *testing.T, p string) {
			require.NoError(t, os.Rename(p, p+"2"))
			require.NoError(t, os.Symlink(p+"2", p))
		}, CodeSymlink},
		{"a directory", func(t *testing.T, p string) {
			require.NoError(t, os.Remove(p))
			require.NoError(t, os.Mkdir(p, 0o700))
		}, CodeDirectory},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, work := dropped(t, "a", "content")
			c.change(t, r.Path)
			_, err := Claim(r, work, "1", place.Access{})
			requireCode(t, c.code, err)
			entries, err := os.ReadDir(work)
			require.NoError(t, err)
			require.Empty(t, entries)
			if c.code != CodeVanished {
				_, err := os.Lstat(r.Path)
				require.NoError(t, err, "nothing is lost")
			}
		})
	}
}

// Another file can take the name between the look and the rename; this is the
// state right after that rename.
func TestClaimGivesBackAFileThatSlippedIn(t *testing.T) {
	r, work := dropped(t, "a", "content")
	require.NoError(t, os.Rename(r.Path, r.Path+".away")) // removed, its inode could be used again
	to := put(t, filepath.Join(work, "1~a"), []byte("another"))
	requireCode(t, CodeReplaced, confirm(r, to, nil))
	require.Equal(t, "another", content(t, r.Path))
	require.NoFileExists(t, to)

	to = put(t, to, []byte("a third"))
	err := confirm(r, to, nil)
	require.Error(t, err)
	require.Equal(t, "another", content(t, r.Path))
	require.Equal(t, "a third", content(t, to), "nothing is overwritten")
}

func TestClaimOnlyOnce(t *testing.T) {
	r, work := dropped(t, "a", "content")
	var wg sync.WaitGroup
	won := make(chan string, 16)
	for _, id := range strings.Split("abcdefghijklmnop", "") {
		wg.Go(func() {
			if c, err := Claim(r, work, id, place.Access{}); err == nil {
				won <- c.Path
			}
		})
	}
	wg.Wait()
	require.Len(t, won, 1)
	require.FileExists(t, <-won)
}

func TestClaimRefuses(t *testing.T) {
	r, work := dropped(t, "a", "content")
	for _, id := range []string{"", "a~b", "a/b", ".a"} {
		_, err := Claim(r, work, id, place.Access{})
		requireCode(t, CodeBadID, err)
	}
	_, err := Claim(r, filepath.Join(work, "none"), "1", place.Access{})
	requireCode(t, CodeDirMissing, err)
	put(t, filepath.Join(work, "1~a"), nil)
	_, err = Claim(r, work, "1", place.Access{})
	requireCode(t, CodeClaimTaken, err)

	long, work := dropped(t, strings.Repeat("n", 255), "content")
	_, err = Claim(long, work, "1", place.Access{})
	requireCode(t, CodeNameTooLong, err)
	require.FileExists(t, long.Path)
}

// The crash between the rename and the end of Claim leaves the file in the work
// directory and its flag in the scan directory; the flag is then older than any
// file that is being written under the same name.
func TestFlagLeftByACrash(t *testing.T) {
	r, work := dropped(t, "a", "content")
	put(t, r.Path+".fin", nil)
	require.NoError(t, os.Rename(r.Path, filepath.Join(work, "1~a")))
	files, err := WorkFiles(work)
	require.NoError(t, err)
	require.Equal(t, "1", files[0].ID)
	require.Equal(t, "a", files[0].Name)

	s := NewScanner(ScanOptions{Dir: filepath.Dir(r.Path), Settle: time.Minute, FlagFor: func(string) string { return ".fin" }})
	fresh(t, r.Path, "the next file, not complete")
	ready, _ := scan(t, s, now)
	require.Empty(t, ready)
}

func TestIdentityRefusesWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	_, err := Identity(dir)
	requireCode(t, CodeDirectory, err)
	_, err = Identity(filepath.Join(dir, "none"))
	requireCode(t, CodeVanished, err)
	_, err = Identity(filepath.Join(dir, "no", "dir"))
	requireCode(t, CodeDirMissing, err)
	require.NoError(t, os.Symlink(dir, filepath.Join(dir, "link")))
	_, err = Identity(filepath.Join(dir, "link"))
	requireCode(t, CodeSymlink, err)
}
