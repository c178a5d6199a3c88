package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pabal/config"
	"pabal/control"
	"pabal/filemgr"
	"pabal/internal/fault"
)

// A file system counts as nearly full when less than a twentieth of it is free
// and less than lowRoom bytes are: a twentieth of a large one is room enough.
const (
	lowShare = 20
	lowRoom  = 1 << 30
)

// room is what is free on a file system, in bytes.
type room struct{ free, size uint64 }

func (r room) low() bool { return r.free < lowRoom && r.free < r.size/lowShare }

// trouble names the directories of this host that are not there or nearly full,
// each file system once. Where the disk of the database is full the server can
// note nothing in its rows, so who asks must look for himself. look is roomOf.
func (a *app) trouble(cfg *config.Config, look func(string) (room, error)) []control.Directory {
	dirs := []string{cfg.System.Work, cfg.System.Scan, cfg.System.Receive, cfg.System.Result}
	if path, ok := strings.CutPrefix(cfg.Database.URL, "sqlite:"); ok {
		dirs = slices.Insert(dirs, 0, filepath.Dir(path))
	}
	out := []control.Directory{}
	beside := filepath.Dir(cfg.System.Scan)
	made := []string{filepath.Join(beside, filemgr.BackupDays), filepath.Join(beside, filemgr.ErrorDays)} // when they are first needed
	dirs = append(dirs, made...)
	var full []room // a file system is known by its figures: equal ones are one
	for _, dir := range dirs {
		if dir == "" {
			continue
		}
		d := control.Directory{Path: dir}
		_, err := os.Stat(dir)
		r, failed := room{}, err
		if err == nil {
			r, failed = look(dir)
		}
		var e *fault.Error
		switch {
		case errors.Is(err, fs.ErrNotExist) && slices.Contains(made, dir):
			continue
		case errors.Is(err, fs.ErrNotExist):
			e = fault.New(filemgr.CodeDirMissing, dir)
		case failed != nil || !r.low() || slices.Contains(full, r):
			continue // what this user may not look at is not told to be in trouble
		default:
			full = append(full, r)
			d.Free, d.Size = int64(r.free), int64(r.size)
			e = fault.New(codeDiskLow, dir, "free", bytesText(d.Free), "size", bytesText(d.Size))
		}
		d.Failure.Code = string(e.Code)
		d.Failure.Sentence, d.Failure.Next = a.cat.Sentence(a.language(), e)
		out = append(out, d)
	}
	return out
}
