package filemgr

import (
	"context"
	"path/filepath"

	"github.com/fsnotify/fsnotify"
)

// Watch sends on the channel when something may have changed in dir. It is a
// hint: several changes can be one signal, and on a network file system none
// comes, so the caller scans at intervals all the same. The first signal is
// there when Watch returns; who scans only on signals and intervals therefore
// scans after the watch was added and misses nothing.
//
// The channel is closed when ctx ends or the watch is lost, for example with
// the directory itself. Then the caller goes on with its intervals, and may call
// Watch again.
func Watch(ctx context.Context, dir string) (<-chan struct{}, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, osFault(dir, err)
	}
	if err := w.Add(dir); err != nil {
		_ = w.Close()
		return nil, dirFault(dir, err)
	}
	out := make(chan struct{}, 1)
	out <- struct{}{}
	go func() {
		defer close(out)
		defer w.Close() //nolint:errcheck // nothing to do about it
		for {
			select {
			case <-ctx.Done():
				return
			case ev, ok := <-w.Events:
				if !ok || filepath.Clean(ev.Name) == filepath.Clean(dir) && (ev.Has(fsnotify.Remove) || ev.Has(fsnotify.Rename)) {
					return
				}
			case _, ok := <-w.Errors:
				// An overflow lost events; looking again makes up for it.
				if !ok {
					return
				}
			}
			select {
			case out <- struct{}{}:
			default:
			}
		}
	}()
	return out, nil
}
