package instance

import (
	"context"
	"errors"
	"os"
	"slices"
	"time"

	"pabal/filemgr"
	"pabal/internal/fault"
	"pabal/store"
	"pabal/transfer"
)

// batchBytes is how much payload one transaction takes, so that other writers
// get their turn (design §2).
const batchBytes = 4 << 20

// adoptAtOnce is how many blocks without their payload it takes.
const adoptAtOnce = 4096

// storeStep cuts claimed files into blocks, many at once: small ones share the
// transaction that has their blocks and says that they are stored. A crash
// leaves a row in storing; it is cut again from the start, over the same block
// numbers.
func (i *Instance) storeStep(ctx context.Context) (bool, error) {
	return i.step(ctx, store.ClaimQuery{Direction: transfer.Send, Statuses: []transfer.Status{transfer.Storing}},
		func(t *transfer.Transfer) int64 { return t.FileSize },
		func(ctx context.Context, some []*transfer.Transfer, errs []error) {
			// Of a registration, perhaps, that came after this step began.
			i.current().storeFiles(ctx, some, errs)
		})
}

// storeFiles cuts some files, a few at a time, and commits them together.
func (i *Instance) storeFiles(ctx context.Context, some []*transfer.Transfer, errs []error) {
	edits := make([]*store.Edit, len(some)) // nil: the file has come to another end
	named, err := i.namesakes(ctx, some)
	if err != nil {
		for n := range errs {
			errs[n] = err
		}
		return
	}
	each(len(some), func(n int) { edits[n], errs[n] = i.storeFile(ctx, some[n], named[some[n].ID]) })
	i.commit(ctx, edits, errs)
	for n, e := range edits {
		if e != nil && errs[n] == nil {
			t := e.Row
			i.log.Info("file stored", "transfer", t.ID, "name", t.Name, "records", t.Records,
				"sequences", t.Sequences, "blocks", t.Blocks, "bytes", t.WireSize, "sha256", t.FileDigest)
		}
	}
	i.wake.send.Give()
	i.wake.backup.Give()
}

// settled gives a transfer that a stage claimed up when its work failed for
// a reason that is not the transfer's: it is tried again.
func (i *Instance) settled(ctx context.Context, t *transfer.Transfer, err error) error {
	if err == nil || errors.Is(err, store.ErrFenced) {
		return nil
	}
	give := func(ctx context.Context) error {
		_, cerr := i.s.Change(ctx, i.now(), t.Ref(), func(r *transfer.Transfer) error {
			r.Owner = ""
			r.NextTry = i.now().Add(2 * time.Second)
			return nil
		})
		return cerr
	}
	if give(context.WithoutCancel(ctx)) != nil {
		i.later(give)
	}
	return err
}

// storeFile cuts one file and returns what is to be committed: its last blocks
// together with the status, so that a small file costs no transaction of its
// own. It returns nil for a file that has come to another end. namesakes says that
// it is not the only one of its identity.
func (i *Instance) storeFile(ctx context.Context, t *transfer.Transfer, namesakes bool) (*store.Edit, error) {
	if t.ErrorCode != "" && t.FileID == "" || i.file(t) == nil || i.insts[t.Institution] == nil || t.WireName == "" {
		if t.ErrorCode == "" {
			note(t, fault.New(CodeNotRoutable, t.Name, "institution", t.Institution))
		}
		return nil, i.refuse(ctx, t, Noted(t.ErrorCode, t.ErrorDetail))
	}
	if code := fault.Code(t.ErrorCode); code == CodeWireName || code == CodeNotRoutable {
		return nil, i.refuse(ctx, t, Noted(t.ErrorCode, t.ErrorDetail))
	}
	f, inst := i.file(t), i.insts[t.Institution]
	cut, err := inst.cut(f, t)
	if err != nil {
		return nil, i.refuse(ctx, t, err)
	}
	path, identity := t.WorkPath, t.SourceID
	if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
		path, identity = t.BackupPath, ""
		if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
			return nil, i.fail(ctx, t, fault.New(CodeWorkLost, t.Name, "work", t.WorkPath, "backup", t.BackupPath))
		}
	}
	if t.Attempt > 1 { // somebody has had it before, and may have left blocks
		if err := i.s.DropBlocks(ctx, i.now(), t.Ref(), 1); err != nil {
			return nil, err
		}
	}
	base, err := time.ParseInLocation("20060102", t.BaseDate, i.o.Zone)
	if err != nil {
		return nil, i.refuse(ctx, t, err)
	}
	in := i.sendIn(t, f, inst)
	if t, err = i.keepIn(ctx, t, in, cut.Geometry); err != nil {
		return nil, err
	}
	b := batch{i: i, t: t, geo: cut.Geometry, in: in}
	find := delimiterSearch{delimiter: inst.Profile.Delimiter()}
	own := inst.ownParts(f, t, base)
	res, err := filemgr.Split(ctx, path, filemgr.SplitOptions{
		Form: f.Form, Encoding: inst.encoding(f), Checks: inst.checks(f), Geometry: cut.Geometry, Parts: cut.parts, Identity: identity,
		Names:   filemgr.Names{File: t.Name, WireName: t.WireName, BaseDate: base, FileID: t.FileID},
		MaxWire: inst.Profile.MaxFile(cut.DataSize),
	}, func(block transfer.Block) error {
		if at, found := find.in(block.Payload); found {
			return fault.New(CodeDelimiter, t.Name, "at", at, "profile", inst.Profile.Name)
		}
		if err := own.block(&block); err != nil {
			return err
		}
		return b.add(ctx, block)
	})
	if werr := b.wait(); err == nil {
		err = werr
	}
	if err == nil {
		err = own.end()
	}
	if err == nil {
		err = numbered(inst.Profile, t.Name, cut.Geometry, res)
	}
	if err == nil && in == transfer.InFile {
		err = filemgr.SyncWork(path) // it is what "stored" speaks of
	}
	t = b.t
	if err != nil {
		return nil, i.notStored(ctx, t, err)
	}
	return i.stored(ctx, t, inst, f, cut, res, b, namesakes)
}

// notStored sorts the reasons why a file could not be cut into blocks: the
// disk or the writer of the file is at it, or the file itself is wrong.
func (i *Instance) notStored(ctx context.Context, t *transfer.Transfer, err error) error {
	code := fault.CodeOf(err)
	switch {
	case code == "" || store.Away(err) || errors.Is(err, store.ErrFenced) || ctx.Err() != nil:
		return err
	case slices.Contains([]fault.Code{filemgr.CodeChanged, filemgr.CodeShrunk}, code):
		// Still being written to though it was taken: look at it again later.
		_, cerr := i.s.Change(ctx, i.now(), t.Ref(), func(r *transfer.Transfer) error {
			note(r, err)
			if id, ierr := filemgr.Identity(r.WorkPath); ierr == nil {
				r.SourceID = id
			}
			r.Owner = ""
			r.NextTry = i.now().Add(max(i.o.Settle, time.Second))
			return nil
		})
		return cerr
	case filemgr.Waits(code):
		_, cerr := i.s.Change(ctx, i.now(), t.Ref(), func(r *transfer.Transfer) error {
			note(r, err)
			r.Owner = ""
			r.NextTry = i.now().Add(10 * time.Second)
			return nil
		})
		return cerr
	case code == filemgr.CodeVanished || code == filemgr.CodeReplaced:
		return i.fail(ctx, t, err)
	}
	return i.refuse(ctx, t, err)
}

// stored makes the edit with which a file is stored.
func (i *Instance) stored(ctx context.Context, t *transfer.Transfer, inst *institution, f *File,
	cut cut, res filemgr.Result, b batch, namesakes bool,
) (*store.Edit, error) {
	if t.FileDigest != "" && t.FileDigest != res.FileDigest {
		return nil, i.altered(ctx, t, res)
	}
	var again *fault.Error
	if namesakes {
		var err error
		if again, err = i.sameBefore(ctx, t, inst); err != nil {
			return nil, err
		}
	}
	return &store.Edit{Row: t, Also: store.Also{Blocks: b.blocks}, F: func(r *transfer.Transfer) error {
		if r.WireDigest != "" && r.WireDigest != res.WireDigest {
			r.SentBytes = 0 // the same file in other bytes: nobody goes on from the old ones
		}
		r.Form, r.Encoding = f.Form.String(), inst.encoding(f).String()
		r.FileSize, r.WireSize = res.FileSize, res.WireSize
		r.FileDigest, r.WireDigest = res.FileDigest, res.WireDigest
		r.Records, r.Sequences, r.Blocks = res.Records, res.Sequences, res.Blocks
		r.MessageSize, r.PayloadIn = cut.messageSize, b.in
		shape(r, cut.Geometry)
		r.Owner, r.NextTry, r.Tries = "", time.Time{}, 0
		note(r, nil)
		r.Status = transfer.Stored
		if again != nil {
			r.Status = transfer.Held
			note(r, again)
		}
		return nil
	}}, nil
}

// altered ends a transfer whose file is no longer the one that was stored at
// first. What has been written of it is not to be sent: without a wire digest
// a person's resend stores it again, and comes here again unless the file is back.
func (i *Instance) altered(ctx context.Context, t *transfer.Transfer, res filemgr.Result) error {
	path := t.BackupPath
	if t.WorkPath != "" {
		path = t.WorkPath
	}
	t, err := i.s.Change(ctx, i.now(), t.Ref(), func(r *transfer.Transfer) error { r.WireDigest = ""; return nil })
	if err != nil {
		return err
	}
	return i.fail(ctx, t, fault.New(filemgr.CodeReplaced, path, "was", t.FileSize, "size", res.FileSize))
}

// refuse ends a transfer whose file failed its checks. The scan stage moves
// the file to error/.
func (i *Instance) refuse(ctx context.Context, t *transfer.Transfer, why error) error {
	now := i.now()
	r, err := i.s.Change(ctx, now, t.Ref(), func(r *transfer.Transfer) error {
		// The file is for error/ now; the backup stage has no business with it.
		r.Status, r.Owner, r.EndedAt, r.WorkPath = transfer.Refused, "", now, ""
		note(r, why)
		return nil
	})
	if err != nil {
		return err
	}
	i.log.Warn("file refused", "transfer", r.ID, "name", r.Name, "code", r.ErrorCode, "err", why)
	i.wake.result.Give()
	i.wake.scan.Give()
	return i.s.Release(ctx, now, r.ID)
}

func (i *Instance) fail(ctx context.Context, t *transfer.Transfer, why error) error {
	now := i.now()
	r, err := i.s.Change(ctx, now, t.Ref(), func(r *transfer.Transfer) error {
		r.Status, r.Owner, r.EndedAt = transfer.Failed, "", now
		note(r, why)
		return nil
	})
	if err != nil {
		return err
	}
	i.log.Error("transfer failed", "transfer", r.ID, "name", r.Name, "code", r.ErrorCode, "err", why)
	i.wake.result.Give()
	return nil
}

// batch gathers blocks for one transaction. Split uses its buffers again, so
// payloads are copied here. While one batch is being written the next is
// gathered: the two are all the memory that a file takes. Of a file that is
// adopted only what the rows say is gathered.
type batch struct {
	i       *Instance
	t       *transfer.Transfer
	geo     transfer.Geometry
	in      string // where the payload is kept
	blocks  []transfer.Block
	buf     []byte
	spare   []byte     // of the batch that was written last
	writing chan error // of the one that is being written; nil = none is
}

func (b *batch) add(ctx context.Context, block transfer.Block) error {
	if b.in == transfer.InFile {
		if len(b.blocks) == adoptAtOnce {
			if err := b.write(ctx); err != nil {
				return err
			}
		}
		block.Payload, block.Lengths = nil, slices.Clone(block.Lengths)
		b.blocks = append(b.blocks, block)
		return nil
	}
	if b.buf == nil {
		b.buf = make([]byte, 0, min(batchBytes/2, max(64<<10, int(b.t.FileSize)+4096)))
	}
	if len(b.blocks) > 0 && len(b.buf)+len(block.Payload) > cap(b.buf) {
		if err := b.write(ctx); err != nil {
			return err
		}
	}
	at := len(b.buf)
	b.buf = append(b.buf, block.Payload...)
	block.Payload = b.buf[at:len(b.buf):len(b.buf)]
	block.Lengths = slices.Clone(block.Lengths)
	b.blocks = append(b.blocks, block)
	return nil
}

// write begins to write what was gathered, when the batch before it is durable:
// after a crash there is never a later block without the earlier ones.
func (b *batch) write(ctx context.Context) error {
	if err := b.wait(); err != nil {
		return err
	}
	// The store compares blocks with the row's geometry, so that goes with them.
	e := &store.Edit{Row: b.t, Also: store.Also{Blocks: b.blocks}, F: func(r *transfer.Transfer) error {
		r.PayloadIn = b.in
		shape(r, b.geo)
		return nil
	}}
	b.writing = make(chan error, 1)
	go func() {
		err := b.i.s.ChangeAll(ctx, b.i.now(), []*store.Edit{e})
		b.writing <- or(err, e.Err)
	}()
	b.blocks = make([]transfer.Block, 0, cap(b.blocks))
	if b.spare == nil {
		b.spare = make([]byte, 0, cap(b.buf))
	}
	b.buf, b.spare = b.spare[:0], b.buf
	return nil
}

// wait returns when nothing is being written any more, and what became of it.
func (b *batch) wait() error {
	if b.writing == nil {
		return nil
	}
	err := <-b.writing
	b.writing = nil
	return err
}
