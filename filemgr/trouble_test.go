package filemgr

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"pabal/internal/place"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"pabal/internal/fault"
)

// openDir is a temporary directory that other users may enter.
func openDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755))
	require.NoError(t, os.Chmod(dir, 0o755))
	return dir
}

// asNobody runs f without the right of root to pass file modes: Linux takes it
// from a thread whose file system user is another. As an ordinary user it just
// runs f.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		f()
		return
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_, err := unix.SetfsuidRetUid(65534)
	require.NoError(t, err)
	defer unix.SetfsuidRetUid(0) //nolint:errcheck // root may
	f()
}

// tmpfs mounts a small file system, which needs root.
func tmpfs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("none", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("cannot mount a small file system here: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	return dir
}

func TestOSErrorsHaveCodes(t *testing.T) {
	for errno, code := range map[error]fault.Code{
		syscall.ENOSPC: CodeDiskFull, syscall.EDQUOT: CodeDiskFull, syscall.EROFS: CodeReadOnly,
		syscall.EACCES: CodeNoPermission, syscall.EPERM: CodeNoPermission, syscall.EIO: CodeIO,
		syscall.ENAMETOOLONG: CodeNameTooLong, syscall.ENOTDIR: CodeNotADir, syscall.ELOOP: CodeSymlink,
		errors.New("else"): CodeIO,
	} {
		err := osFault("/p", fmt.Errorf("around: %w", &fs.PathError{Err: errno}))
		requireCode(t, code, err)
		require.ErrorIs(t, err, errno, "the cause stays for the log")
	}
	require.NoError(t, osFault("/p", nil))
	for _, code := range []fault.Code{CodeDirMissing, CodeDiskFull, CodeReadOnly, CodeNoPermission, CodeExists, CodeChanged, CodeShrunk} {
		require.True(t, Waits(code), code)
	}
	for _, code := range []fault.Code{CodeTooLarge, CodeEmpty, CodeCount, CodeSymlink, CodeGzip, CodeReplaced, CodeVanished, ""} {
		require.False(t, Waits(code), code)
	}
}

func TestAFullDiskWaitsAndLeavesNothingBehind(t *testing.T) {
	ctx := context.Background()
	dir := tmpfs(t)
	big := source(make([]byte, 100<<10))
	_, err := Assemble(ctx, AssembleOptions{ReceiveDir: dir, ID: "1", Form: Form{Kind: Raw}}, big)
	require.True(t, Waits(requireCode(t, CodeDiskFull, err).Code))
	require.NoFileExists(t, StagedPath(dir, "1"), "half a file on a full disk is only in the way")

	work := put(t, filepath.Join(t.TempDir(), "1~a"), make([]byte, 100<<10))
	backup := filepath.Join(dir, "backup", "20260320", "a")
	requireCode(t, CodeDiskFull, BackUp(ctx, work, backup, place.Access{}))
	require.FileExists(t, work)
	entries, err := os.ReadDir(filepath.Dir(backup))
	require.NoError(t, err)
	require.Empty(t, entries)

	// Room again: the same call now succeeds, across file systems.
	require.NoError(t, os.Truncate(work, 1<<10))
	require.NoError(t, BackUp(ctx, work, backup, place.Access{}))
	require.NoFileExists(t, work)
}

func TestAReadOnlyDiskWaits(t *testing.T) {
	ctx := context.Background()
	dir := tmpfs(t)
	s, err := Assemble(ctx, AssembleOptions{ReceiveDir: dir, ID: "1", Form: Form{Kind: Raw}}, source([]byte("x")))
	require.NoError(t, err)
	require.NoError(t, unix.Mount("none", dir, "tmpfs", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	_, err = Assemble(ctx, AssembleOptions{ReceiveDir: dir, ID: "2", Form: Form{Kind: Raw}}, source([]byte("x")))
	requireCode(t, CodeReadOnly, err)
	requireCode(t, CodeReadOnly, Place(dir, "1", filepath.Join(dir, "final"), ExistingWait, ""))
	require.FileExists(t, s.Path)
	require.Equal(t, CodeReadOnly, CheckDirs(Dirs{Receive: dir})[0].Err.Code)
	require.True(t, Waits(CodeReadOnly))
	id, err := Identity(s.Path)
	require.NoError(t, err)
	_, err = Claim(Ready{Name: "1", Path: s.Path, Size: 1, Identity: id}, dir, "9", place.Access{})
	requireCode(t, CodeReadOnly, err)
}

func TestADirectoryThatWeMayNotWriteWaits(t *testing.T) {
	dir := openDir(t)
	receive := filepath.Join(dir, "receive")
	require.NoError(t, os.Mkdir(receive, 0o755))
	require.NoError(t, os.Chmod(receive, 0o555))
	asNobody(t, func() {
		_, err := Assemble(context.Background(), AssembleOptions{ReceiveDir: receive, ID: "1", Form: Form{Kind: Raw}}, source())
		require.True(t, Waits(requireCode(t, CodeNoPermission, err).Code))
		require.Equal(t, CodeNoPermission, CheckDirs(Dirs{Receive: receive})[0].Err.Code)
		requireCode(t, CodeNoPermission, StageResult(receive, "a", "text", place.Access{}))
	})
	requireCode(t, CodeDirMissing, PlaceResult(filepath.Join(dir, "none"), "1", "a", true))
	_, err := ChooseFinal(filepath.Join(dir, "none"), "a", "", ExistingWait)
	requireCode(t, CodeDirMissing, err)
	_, err = Assemble(context.Background(), AssembleOptions{ReceiveDir: filepath.Join(dir, "none"), ID: "1", Form: Form{Kind: Raw}}, source())
	requireCode(t, CodeDirMissing, err)
	require.NoDirExists(t, filepath.Join(dir, "none"), "a directory that is not mounted is not made up")
}
