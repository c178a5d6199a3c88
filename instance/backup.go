package instance

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"pabal/filemgr"
	"pabal/internal/fault"
	"pabal/store"
	"pabal/transfer"
)

// backupAtOnce is how many files are backed up together, and noteAtOnce how
// many are noted in one transaction: on PostgreSQL a claim passes over rows
// that are being written to, and these may be waiting to be sent.
const (
	backupAtOnce = 256
	noteAtOnce   = 16
	// backupGathers is how long a backup waits for others: nobody waits for it,
	// and all of them together sync each directory once.
	backupGathers = 250 * time.Millisecond
)

// backupStep moves the work files of stored transfers to backup/: all of them
// are renamed, then each directory is synced once, then transactions note
// them. Sending does not wait for it. A crash at any point leaves for each the
// work file, the backup, or both, and no note; each is recognised, and noted.
func (i *Instance) backupStep(ctx context.Context) (bool, error) {
	todo, err := i.s.NotBackedUp(ctx, i.o.Place, backupAtOnce)
	if err != nil {
		return false, err
	}
	failed := map[string]error{}
	defer func() { i.troubled(ctx, store.TroubleBackup, failed) }()
	if len(todo) == 0 {
		return false, nil
	}
	moves := make([]filemgr.Move, len(todo))
	for n, t := range todo {
		moves[n] = filemgr.Move{From: t.WorkPath, To: t.BackupPath, Access: i.o.Access.Backup}
	}
	var done []store.Backup
	for n, err := range filemgr.BackUpAll(ctx, moves) {
		t, path := todo[n], moves[n].To
		if err != nil {
			path, err = i.backUpOtherwise(ctx, t, err)
		}
		if err != nil {
			failed[t.ID] = err
			continue
		}
		done = append(done, store.Backup{ID: t.ID, Path: path})
	}
	if len(done) == 0 {
		return false, nil
	}
	for some := range slices.Chunk(done, noteAtOnce) {
		if err := i.s.BackedUp(ctx, i.now(), some...); err != nil {
			return false, err
		}
	}
	return len(todo) == backupAtOnce, nil
}

// troubled tells which files a stage could not write. Each is logged when it
// fails, and again only for another reason: status and show say that it lasts.
func (i *Instance) troubled(ctx context.Context, stage string, failed map[string]error) {
	if ctx.Err() != nil {
		return // that is what failed
	}
	for id, fresh := range i.troubles.tell(stage, failed, i.now()) {
		if fresh {
			i.wake.lines.Give()
			i.log.Error("file cannot be written, tried again", "file", stage, "transfer", id, "code", fault.CodeOf(failed[id]), "err", failed[id])
		}
	}
}

// backUpOtherwise is for a file that could not just be moved: the name is
// another file's, or the work file is lost and its payload is not.
func (i *Instance) backUpOtherwise(ctx context.Context, n *store.NotBackedUp, why error) (path string, err error) {
	path, err = n.BackupPath, why
	if fault.CodeOf(err) == filemgr.CodeBackupConflict {
		path += "-" + n.ID
		err = filemgr.BackUp(ctx, n.WorkPath, path, i.o.Access.Backup)
	}
	if fault.CodeOf(err) != filemgr.CodeVanished {
		return path, err
	}
	t, rerr := i.s.Transfer(ctx, n.ID)
	if rerr != nil || t.WireDigest == "" || !t.ReleasedAt.IsZero() {
		return path, errors.Join(err, rerr)
	}
	i.log.Warn("work file is lost, the backup is written from the stored payload", "transfer", t.ID, "name", t.Name)
	return path, filemgr.RestoreBackup(path, i.o.Access.Backup, func(w io.Writer) error { return i.writeFile(ctx, t, w) })
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
	return filemgr.ToFile(ctx, form, enc, 0, i.payload(ctx, t, enc), w)
}

// payload reads the wire bytes of a transfer in order, a block at a time, or a
// telegram at a time where each begins with a tag.
func (i *Instance) payload(ctx context.Context, t *transfer.Transfer, enc filemgr.Encoding) filemgr.Source {
	if enc.Tag != "" {
		return func(emit func([]byte) error) error { return i.s.Telegrams(ctx, t.ID, emit) }
	}
	return func(emit func([]byte) error) error { return i.s.Payload(ctx, t.ID, emit) }
}
