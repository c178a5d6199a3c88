package instance

import (
	"context"
	"errors"
	"io"
	"os"

	"pabal/filemgr"
	"pabal/internal/fault"
	"pabal/store"
	"pabal/transfer"
)

// backupStep moves the work files of stored transfers to backup/. Sending
// does not wait for it. A crash at any point leaves the work file, the
// backup, or both; each is recognised.
func (i *Instance) backupStep(ctx context.Context) (bool, error) {
	todo, err := i.s.NotBackedUp(ctx, i.o.Place, 100)
	if err != nil {
		return false, err
	}
	done := false
	for _, t := range todo {
		if t.Status == transfer.Storing || t.Status == transfer.Refused || ctx.Err() != nil {
			continue
		}
		path, err := i.backUp(ctx, t)
		if err != nil {
			i.log.Error("backup failed", "transfer", t.ID, "name", t.Name, "code", fault.CodeOf(err), "err", err)
			continue
		}
		if _, err := i.s.BackedUp(ctx, i.now(), t.ID, path); err != nil {
			return false, err
		}
		done = true
	}
	return done && len(todo) == 100, nil
}

func (i *Instance) backUp(ctx context.Context, t *transfer.Transfer) (string, error) {
	path := t.BackupPath
	err := filemgr.BackUp(ctx, t.WorkPath, path)
	if fault.CodeOf(err) == filemgr.CodeBackupConflict {
		path += "-" + t.ID
		err = filemgr.BackUp(ctx, t.WorkPath, path)
	}
	if fault.CodeOf(err) == filemgr.CodeVanished && t.WireDigest != "" && t.ReleasedAt.IsZero() {
		i.log.Warn("work file is lost, the backup is written from the stored payload", "transfer", t.ID, "name", t.Name)
		err = filemgr.RestoreBackup(path, func(w io.Writer) error { return i.writeFile(ctx, t, w) })
	}
	return path, err
}

// writeFile writes the file that the payload of a transfer stands for.
func (i *Instance) writeFile(ctx context.Context, t *transfer.Transfer, w io.Writer) error {
	form, err := filemgr.ParseForm(t.Form)
	if err != nil {
		return err
	}
	enc, err := filemgr.ParseEncoding(t.Encoding)
	if err != nil {
		return err
	}
	return filemgr.ToFile(ctx, form, enc, 0, i.payload(ctx, t), w)
}

// payload reads the wire bytes of a transfer in order, a block at a time.
func (i *Instance) payload(ctx context.Context, t *transfer.Transfer) filemgr.Source {
	return func(emit func([]byte) error) error {
		infos, err := i.s.BlockInfos(ctx, t.ID)
		if err != nil {
			return err
		}
		var buf []byte
		for _, b := range infos {
			if buf, err = i.s.ReadRange(ctx, t.ID, b.Offset, b.Size, buf[:0]); err != nil {
				return err
			}
			if err := emit(buf); err != nil {
				return err
			}
		}
		return nil
	}
}

// restorable reports whether a lost payload can be stored again from a file.
func (i *Instance) restorable(t *transfer.Transfer) bool {
	for _, p := range []string{t.WorkPath, t.BackupPath} {
		if _, err := os.Lstat(p); p != "" && err == nil {
			return true
		}
	}
	return false
}

// lostPayload says that an error of the keeper means that stored bytes are
// not there any more, or not what was stored.
func lostPayload(err error) bool {
	c := fault.CodeOf(err)
	return c == store.CodeBlockMissing || c == store.CodeBlockDamaged || c == store.CodeBlockForeign
}

// result writes the result file that a registration asks for. Business
// programs that read it must find it even if writing it failed at first.
func (i *Instance) result(ctx context.Context, t *transfer.Transfer) {
	f := i.file(t)
	if i.o.Result == "" || f == nil || !f.Result || t.Direction != transfer.Send {
		return
	}
	ok := t.Status == transfer.Sent
	text := t.ID + " " + t.Name + " " + string(t.Status) + "\n"
	if why := Noted(t.ErrorCode, t.ErrorDetail); why != nil {
		text += i.o.Explain(why)
	}
	write := func(context.Context) error { return filemgr.WriteResult(i.o.Result, t.Name, ok, text) }
	if err := write(ctx); err != nil && !errors.Is(err, context.Canceled) {
		i.log.Error("result file not written", "transfer", t.ID, "name", t.Name, "err", err)
		i.later(write)
	}
}
