package place

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func put(t *testing.T, path, text string) string {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func get(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(b)
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	out := []string{}
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func TestNoReplace(t *testing.T) {
	for name, rename := range map[string]func(tmp, final string) error{
		"as the system does it": NoReplace,
		"by linking":            linkNoReplace,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			tmp, final := put(t, filepath.Join(dir, "tmp"), "new"), filepath.Join(dir, "final")
			require.NoError(t, rename(tmp, final))
			require.Equal(t, []string{"final"}, names(t, dir))
			require.Equal(t, "new", get(t, final))

			put(t, tmp, "newer")
			require.ErrorIs(t, rename(tmp, final), fs.ErrExist)
			require.Equal(t, "new", get(t, final), "the existing file is untouched")
			require.Equal(t, "newer", get(t, tmp), "the refused file stays")
		})
	}
}

func TestNoReplaceFinishesALinkThatACrashLeft(t *testing.T) {
	dir := t.TempDir()
	tmp, final := put(t, filepath.Join(dir, "tmp"), "x"), filepath.Join(dir, "final")
	require.NoError(t, os.Link(tmp, final))
	require.NoError(t, NoReplace(tmp, final))
	require.Equal(t, []string{"final"}, names(t, dir))
	require.Equal(t, "x", get(t, final))
}

func TestNoReplaceOntoItselfKeepsTheFile(t *testing.T) {
	dir := t.TempDir()
	a := put(t, filepath.Join(dir, "a"), "x")
	require.ErrorIs(t, NoReplace(a, filepath.Join(dir, ".", "a")), fs.ErrExist)
	require.Equal(t, "x", get(t, a))
}

func TestNoReplaceDoesNotFollowALinkAtTheFinalName(t *testing.T) {
	dir := t.TempDir()
	tmp := put(t, filepath.Join(dir, "tmp"), "x")
	require.NoError(t, os.Symlink(filepath.Join(dir, "nowhere"), filepath.Join(dir, "final")))
	require.ErrorIs(t, NoReplace(tmp, filepath.Join(dir, "final")), fs.ErrExist)
}

func TestCreate(t *testing.T) {
	dir := t.TempDir()
	final := filepath.Join(dir, strings.Repeat("n", 255))
	write := func(text string) func(io.Writer) error {
		return func(w io.Writer) error {
			_, err := io.WriteString(w, text)
			require.NoFileExists(t, filepath.Join(dir, "seen"))
			return err
		}
	}
	put(t, tempName(final), "left by a crash, and longer than the next")
	require.NoError(t, Create(final, write("one")))
	require.Equal(t, "one", get(t, final))
	require.Len(t, names(t, dir), 1, "no temporary stays")

	require.ErrorIs(t, Create(final, write("two")), fs.ErrExist)
	require.Equal(t, "one", get(t, final))
	require.Len(t, names(t, dir), 1)

	require.NoError(t, Replace(final, write("three")))
	require.Equal(t, "three", get(t, final))

	boom := errors.New("boom")
	require.ErrorIs(t, Create(filepath.Join(dir, "other"), func(io.Writer) error { return boom }), boom)
	require.Len(t, names(t, dir), 1)
}

func TestCopySyncAndMove(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	src := put(t, filepath.Join(dir, "src"), strings.Repeat("0123456789", 60_000))
	dst := filepath.Join(dir, "dst")
	require.NoError(t, CopySync(ctx, src, dst))
	require.Equal(t, get(t, src), get(t, dst))
	require.ErrorIs(t, Move(ctx, src, dst), fs.ErrExist)
	require.FileExists(t, src)

	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	require.ErrorIs(t, CopySync(cancelled, src, filepath.Join(dir, "third")), context.Canceled)
	require.Len(t, names(t, dir), 2)

	require.NoError(t, Move(ctx, src, filepath.Join(dir, "moved")))
	require.NoFileExists(t, src)
}

// A shared memory file system is another device on every Linux that has one.
func TestMoveBetweenFileSystems(t *testing.T) {
	shm, err := os.MkdirTemp("/dev/shm", "pabal-place-")
	if err != nil {
		t.Skipf("no second file system to move to: %v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(shm) })
	dir := t.TempDir()
	same, err := SameFileSystem(dir, shm)
	require.NoError(t, err)
	if same {
		t.Skip("the temporary directory is on the same file system as /dev/shm")
	}
	src := put(t, filepath.Join(dir, "src"), "content")
	require.NoError(t, Move(context.Background(), src, filepath.Join(shm, "dst")))
	require.Equal(t, []string{"dst"}, names(t, shm))
	require.Empty(t, names(t, dir))
	require.Equal(t, "content", get(t, filepath.Join(shm, "dst")))
}

func TestMakeDirAndSameFileSystem(t *testing.T) {
	dir := t.TempDir()
	deep := filepath.Join(dir, "a", "b", "c")
	require.NoError(t, MakeDir(deep))
	require.NoError(t, MakeDir(deep), "twice is fine")
	same, err := SameFileSystem(dir, deep)
	require.NoError(t, err)
	require.True(t, same)

	file := put(t, filepath.Join(dir, "file"), "")
	require.Error(t, MakeDir(filepath.Join(file, "x")))
	require.Error(t, MakeDir(file))
	_, err = SameFileSystem(dir, filepath.Join(dir, "missing"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorIs(t, SyncDir(filepath.Join(dir, "missing")), fs.ErrNotExist)
	require.NoError(t, SyncDir(dir))
}

// TestGuard: one has a path at a time, also within a process, and the paths of a
// directory do not keep each other.
func TestGuard(t *testing.T) {
	path, other := filepath.Join(t.TempDir(), "one"), ""
	other = filepath.Join(filepath.Dir(path), "two")
	release, ok, err := Guard(path)
	require.NoError(t, err)
	require.True(t, ok)
	_, ok, err = Guard(path)
	require.NoError(t, err)
	require.False(t, ok, "another has it")
	free, ok, err := Guard(other)
	require.NoError(t, err)
	require.True(t, ok)
	free()
	_, ok, err = Guard(path)
	require.NoError(t, err)
	require.False(t, ok, "releasing the other has released nothing else")
	release()
	release, ok, err = Guard(path)
	require.NoError(t, err)
	require.True(t, ok)
	release()
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	for _, e := range entries {
		require.True(t, IsGuard(e.Name()), e.Name())
	}
}
