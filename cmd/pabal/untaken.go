package main

import (
	"os"
	"time"

	"pabal/config"
	"pabal/control"
	"pabal/filemgr"
)

// untakenAfter is how long a file lies in the scan directory before status
// names it: a few looks, and what it needs to stand still.
func untakenAfter(cfg *config.Config) time.Duration {
	return max(time.Minute, 3*(cfg.Scan.Settle+cfg.Scan.Every))
}

// untaken says which files lie in the scan directory of this host and are not
// taken; nil if there are none, if an instance of another host looks there, or
// if this user may not look. Nothing of them is in the database yet.
func (a *app) untaken(cfg *config.Config) *control.Untaken {
	if !cfg.Complete() || !cfg.RunsHere(cfg.Scanner()) {
		return nil
	}
	entries, err := os.ReadDir(cfg.System.Scan)
	if err != nil {
		return nil
	}
	before := a.now().Add(-untakenAfter(cfg))
	var out *control.Untaken
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || filemgr.Ignored(e.Name()) {
			continue
		}
		since := filemgr.Arrived(info)
		if since.After(before) {
			continue
		}
		if out == nil {
			out = &control.Untaken{Directory: cfg.System.Scan}
		}
		if out.Files++; out.Files == 1 || since.Before(out.Since) {
			out.Oldest, out.Since = e.Name(), since
		}
	}
	return out
}
