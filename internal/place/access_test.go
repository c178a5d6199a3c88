package place

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Mode().Perm()
}

// TestAccessNotUmask: what is made has the access that is set, whatever the
// umask is, and is readable by nobody else while it is being written.
func TestAccessNotUmask(t *testing.T) {
	for _, umask := range []int{0, 0o077} {
		before := syscall.Umask(umask)
		t.Cleanup(func() { syscall.Umask(before) })
		dir := t.TempDir()
		require.NoError(t, MakeDir(filepath.Join(dir, "a", "b")))
		require.Equal(t, fs.FileMode(0o750), mode(t, filepath.Join(dir, "a")))
		require.Equal(t, fs.FileMode(0o750), mode(t, filepath.Join(dir, "a", "b")))
		strict := Access{File: 0o600, Dir: 0o700}
		require.NoError(t, strict.MakeDir(filepath.Join(dir, "c")))
		require.Equal(t, fs.FileMode(0o700), mode(t, filepath.Join(dir, "c")))

		path := filepath.Join(dir, "a", "file")
		for _, test := range []struct {
			access Access
			want   fs.FileMode
		}{{Access{}, 0o640}, {strict, 0o600}, {Access{File: 0o660}, 0o660}} {
			require.NoError(t, test.access.Replace(path, func(w io.Writer) error {
				require.Equal(t, test.want, mode(t, tempName(path)), "before there is anything in it")
				_, err := io.WriteString(w, "x")
				return err
			}))
			require.Equal(t, test.want, mode(t, path))
		}
		syscall.Umask(before)
	}
}

// TestAdopt: a file that comes with another mode gets ours, also by moving it.
func TestAdopt(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	require.NoError(t, os.WriteFile(from, []byte("x"), 0o600))
	require.NoError(t, os.Chmod(from, 0o666))
	require.NoError(t, Access{}.Adopt(from))
	require.Equal(t, fs.FileMode(0o640), mode(t, from))
	require.NoError(t, Access{File: 0o400}.MoveUnsynced(t.Context(), from, to))
	require.Equal(t, fs.FileMode(0o400), mode(t, to))

	require.NoError(t, os.Symlink(to, from))
	require.Error(t, Access{}.Adopt(from), "what a link points at is left alone")
	require.Equal(t, fs.FileMode(0o400), mode(t, to))
}

// TestOwner: a file is given away where we may, and it is an error where not.
func TestOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	mine := Access{Own: true, UID: os.Getuid(), GID: -1, Strict: true}
	require.NoError(t, mine.Adopt(path))
	other := Access{Own: true, UID: os.Getuid() + 1, GID: -1, Strict: true}
	err := other.Adopt(path)
	if os.Geteuid() != 0 {
		require.ErrorIs(t, err, fs.ErrPermission)
		require.NoError(t, Access{Own: true, UID: os.Getuid() + 1, GID: -1}.Adopt(path))
		return
	}
	require.NoError(t, err)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.EqualValues(t, os.Getuid()+1, info.Sys().(*syscall.Stat_t).Uid)
}
