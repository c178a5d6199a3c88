// Package place puts files under their final names so that nobody ever sees
// half of one and nothing is lost by a crash (design D2): data is synced before
// it gets its name, a name that is taken is never overwritten by accident, and
// the directories are synced after every change of names.
//
// Errors are those of the operating system; callers turn them into codes.
package place

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// bufferSize is the copy buffer of CopySync in bytes.
const bufferSize = 256 << 10

// NoReplace renames tmp to final on the same file system and refuses, with an
// error that is fs.ErrExist, when final is taken. It syncs nothing.
//
// Where the kernel or the file system cannot do that in one step, it links the
// new name and then removes the old one. A crash between the two leaves both
// names on one file, so finding that state is not a conflict: the old name is
// removed and the call succeeds.
func NoReplace(tmp, final string) error {
	err := renameNoReplace(tmp, final)
	if errors.Is(err, errNoSupport) {
		err = linkNoReplace(tmp, final)
	}
	if errors.Is(err, fs.ErrExist) && sameFile(tmp, final) {
		err = os.Remove(tmp)
	}
	return err
}

// errNoSupport says that there is no rename without replacing here.
var errNoSupport = errors.New("rename without replacing is not supported")

func linkNoReplace(tmp, final string) error {
	if err := os.Link(tmp, final); err != nil {
		return err
	}
	return os.Remove(tmp)
}

func sameFile(a, b string) bool {
	if filepath.Clean(a) == filepath.Clean(b) {
		return false // removing one would remove both
	}
	ai, err := os.Lstat(a)
	if err != nil {
		return false
	}
	bi, err := os.Lstat(b)
	return err == nil && os.SameFile(ai, bi)
}

// SyncFile makes the content of the open file durable.
func SyncFile(f *os.File) error { return f.Sync() }

// SyncDir makes the names in a directory durable. File systems that have no
// such operation answer EINVAL or ENOTSUP, which counts as done: there is
// nothing better to do on them.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		err = nil
	}
	return errors.Join(err, d.Close())
}

// SyncParents syncs the directories of all paths, each once.
func SyncParents(paths ...string) error {
	done := make(map[string]bool, len(paths))
	for _, p := range paths {
		dir := filepath.Dir(p)
		if done[dir] {
			continue
		}
		done[dir] = true
		if err := SyncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

// SameFileSystem reports whether two existing paths are on one device. Bind
// mounts can still refuse a rename between them with EXDEV.
func SameFileSystem(a, b string) (bool, error) {
	ad, err := device(a)
	if err != nil {
		return false, err
	}
	bd, err := device(b)
	return ad == bd, err
}

func device(path string) (uint64, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, fmt.Errorf("stat of %s has no device", path)
	}
	return uint64(st.Dev), nil //nolint:unconvert // int32 on some systems
}

// tempName is short whatever the length of final's name, so that a name of the
// greatest length still has a temporary.
func tempName(final string) string {
	h := fnv.New64a()
	h.Write([]byte(filepath.Base(final))) //nolint:errcheck // a hash never fails
	return filepath.Join(filepath.Dir(final), fmt.Sprintf(".pabal-%016x.part", h.Sum64()))
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Move gives src the name dst without replacing: by rename or, between file
// systems, by CopySync and removing src. Both directories are synced. A crash
// in the middle of a copy can leave both names; the caller tells by comparing.
func Move(ctx context.Context, src, dst string) error {
	if err := MoveUnsynced(ctx, src, dst); err != nil {
		return err
	}
	return SyncParents(dst, src)
}

// MakeDir is that of an Access that nobody has said anything about, as are those below.
func MakeDir(dir string) error { return Access{}.MakeDir(dir) }

// Create is Access.Create.
func Create(final string, write func(io.Writer) error) error { return Access{}.Create(final, write) }

// Replace is Access.Replace.
func Replace(final string, write func(io.Writer) error) error { return Access{}.Replace(final, write) }

// CopySync is Access.CopySync.
func CopySync(ctx context.Context, src, dst string) error { return Access{}.CopySync(ctx, src, dst) }

// MoveUnsynced is Access.MoveUnsynced.
func MoveUnsynced(ctx context.Context, src, dst string) error {
	return Access{}.MoveUnsynced(ctx, src, dst)
}
