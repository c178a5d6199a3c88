package filemgr

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
)

// Kinds of directories beside the scan directory that have one directory for
// each day (design §5).
const (
	BackupDays = backupDir
	ErrorDays  = errorDir
)

var (
	dayName = regexp.MustCompile(`^[0-9]{8}$`)
	// oursName is what BackupPath, ErrorPath and Refuse make: the name with the
	// time, the transfer's ID where two met, and the text beside it.
	oursName = regexp.MustCompile(`[0-9]{17}(-[0-9a-z]+)?(\.txt)?$`)
)

// RemoveDays removes the files that we put into day directories before the day
// first (YYYYMMDD), and each directory that is empty then. What keep wants
// stays, and so does what is not ours. Stopped half way it is called again. It
// returns how many files it removed.
func RemoveDays(ctx context.Context, scanDir, kind, first string, keep func(path string) bool) (removed int, err error) {
	top := filepath.Join(filepath.Dir(filepath.Clean(scanDir)), kind)
	days, err := os.ReadDir(top)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil // nothing was put there yet
	}
	if err != nil {
		return 0, dirFault(top, err)
	}
	for _, day := range days {
		if !day.IsDir() || !dayName.MatchString(day.Name()) || day.Name() >= first {
			continue
		}
		n, err := removeDay(ctx, filepath.Join(top, day.Name()), keep)
		removed += n
		if err != nil {
			return removed, err
		}
	}
	return removed, nil
}

func removeDay(ctx context.Context, dir string, keep func(path string) bool) (removed int, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, dirFault(dir, err)
	}
	for _, e := range entries {
		if ctx.Err() != nil {
			return removed, ctx.Err()
		}
		path := filepath.Join(dir, e.Name())
		if !e.Type().IsRegular() || !oursName.MatchString(e.Name()) || keep(path) {
			continue
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return removed, osFault(path, err)
		}
		removed++
	}
	err = os.Remove(dir)
	if errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, syscall.EEXIST) || errors.Is(err, fs.ErrNotExist) {
		return removed, nil
	}
	return removed, osFault(dir, err)
}
