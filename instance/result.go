package instance

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"pabal/filemgr"
	"pabal/internal/fault"
	"pabal/store"
	"pabal/transfer"
)

// resultStep writes what business programs and people find beside a transfer:
// the result file that its registration asks for, and in the history where a
// refused file stands. Both are due by the row alone, so they are made whoever
// brought the transfer to its end: a session, a stage, an operator on another
// host, or a process that died right after it.
func (i *Instance) resultStep(ctx context.Context) (bool, error) {
	const most = 100
	due, err := i.s.Due(ctx, i.o.Place, most)
	if err != nil {
		return false, err
	}
	var first error // the others may fare better
	failed := map[string]error{}
	for _, t := range due {
		err := i.beside(ctx, t)
		if ctx.Err() != nil || store.Away(err) {
			return false, err
		}
		if filemgr.Waits(fault.CodeOf(err)) {
			failed[t.ID] = err
		}
		if first == nil {
			first = err
		}
	}
	i.troubled(ctx, store.TroubleResult, failed)
	return first == nil && len(due) == most, first
}

// beside does what is due for one transfer.
func (i *Instance) beside(ctx context.Context, t *transfer.Transfer) error {
	if t.ErrorFileDue() {
		if err := i.findErrorFile(ctx, t); err != nil {
			return err
		}
	}
	if !t.ResultDue() {
		return nil
	}
	if err := i.tell(ctx, t); !errors.Is(err, errElsewhere) {
		return err
	}
	return nil
}

// tell writes one result file, once, also when the process dies in between and
// the business system takes the file at once:
//
//	staged and synced → the mark ">status key" committed → renamed → the status committed
//
// With the mark there, what is staged still has to be renamed, and what is not
// staged was. The key has the instance in it: two that are at it at once do not
// write into each other's file.
func (i *Instance) tell(ctx context.Context, t *transfer.Transfer) error {
	f := i.file(t)
	if f == nil || i.o.Result == "" { // the configuration asks for none any more
		return i.told(ctx, t, string(t.Status))
	}
	mark := ">" + string(t.Status) + " "
	key, marked := strings.CutPrefix(t.Result, mark)
	if !marked {
		key = t.ID + "." + i.o.ID
		text := t.ID + " " + t.Name + " " + string(t.Status) + "\n"
		if why := Noted(t.ErrorCode, t.ErrorDetail); why != nil {
			text += i.o.Explain(why.OfTransfer(t.ID))
		}
		if err := filemgr.StageResult(i.o.Result, key, text, i.o.Access.Result); err != nil {
			return err
		}
		if err := i.told(ctx, t, mark+key); err != nil {
			return err
		}
	}
	if err := filemgr.PlaceResult(i.o.Result, key, t.Name, t.Status == transfer.Sent); err != nil {
		return err
	}
	return i.told(ctx, t, string(t.Status))
}

// errElsewhere: somebody else has done it, or the transfer has moved on.
var errElsewhere = errors.New("done by another")

// told commits how far the result file of a status has come.
func (i *Instance) told(ctx context.Context, t *transfer.Transfer, result string) error {
	was, status := t.Result, t.Status
	r, err := i.s.Beside(ctx, i.now(), t.ID, func(r *transfer.Transfer) error {
		if r.Result != was || r.Status != status {
			return errElsewhere
		}
		r.Result = result
		return nil
	})
	if err == nil {
		t.Result = r.Result
	}
	return err
}

// findErrorFile notes where a refused file stands when the process died between
// moving it and saying so. As long as it lies in a work directory, the scan of
// that instance has yet to move it.
func (i *Instance) findErrorFile(ctx context.Context, t *transfer.Transfer) error {
	waiting, err := filepath.Glob(filepath.Join(i.o.Dirs.Work, "*", t.ID+"~*"))
	if err != nil || len(waiting) > 0 {
		return err
	}
	path := filemgr.ErrorPath(i.o.Dirs.Scan, t.Name, t.CreatedAt, i.o.Zone)
	if own := path + "-" + t.ID; exists(own) {
		path = own
	}
	return i.noteErrorFile(ctx, t, path)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// noteErrorFile writes into row and history where a refused file stands, once.
func (i *Instance) noteErrorFile(ctx context.Context, t *transfer.Transfer, path string) error {
	_, err := i.s.Beside(ctx, i.now(), t.ID, func(r *transfer.Transfer) error {
		if r.ErrorPath != "" {
			return errElsewhere
		}
		r.ErrorPath = path
		return nil
	}, transfer.Event{Kind: "error_file", Code: t.ErrorCode, Detail: detail(fault.New("", "", "path", path))})
	if errors.Is(err, errElsewhere) {
		return nil
	}
	return err
}
