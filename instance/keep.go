package instance

import (
	"context"
	"os"

	"pabal/filemgr"
	"pabal/internal/fault"
	"pabal/store"
	"pabal/transfer"
)

// This file is all that the instance decides about where payload is kept
// (design D3): the place of a new transfer's payload, and when a file that has
// its payload already is taken as it is. Everything else puts and reads blocks
// and does not ask.

// sendIn is where the payload of a file to send is kept: in the work file where
// its bytes go over the wire as they are, else in a file beside it.
func (i *Instance) sendIn(t *transfer.Transfer, f *File, inst *institution) string {
	switch {
	case !i.o.InFiles:
		return ""
	case filemgr.SameBytes(f.Form, inst.encoding(f)):
		return transfer.InFile
	}
	return filemgr.WirePath(i.work, t.ID)
}

// keepIn notes the place before payload goes there: a crash in between leaves a
// transfer in storing, which is cut again from the start. What is adopted goes
// nowhere and is noted with the blocks. A file that was kept for the payload of
// an earlier try and is not wanted any more goes.
func (i *Instance) keepIn(ctx context.Context, t *transfer.Transfer, in string, geo transfer.Geometry) (*transfer.Transfer, error) {
	if t.PayloadIn == in || in == transfer.InFile && t.PayloadIn == "" {
		return t, nil
	}
	former := t.PayloadIn
	t, err := i.s.Change(ctx, i.now(), t.Ref(), func(r *transfer.Transfer) error {
		r.PayloadIn = in
		shape(r, geo)
		return nil
	})
	if err == nil && former != "" && former != transfer.InFile {
		err = filemgr.DiscardAt(former)
	}
	return t, err
}

// receiveIn is where the payload of a received file is kept: where its file is
// staged.
func (i *Instance) receiveIn(id string) string {
	if !i.o.InFiles {
		return ""
	}
	return filemgr.StagedPath(i.o.Dirs.Receive, id)
}

// standsReady reports that the payload of a received transfer is its file, at
// the place where it would be built.
func (i *Instance) standsReady(t *transfer.Transfer, form filemgr.Form, enc filemgr.Encoding) bool {
	return t.PayloadIn == filemgr.StagedPath(i.o.Dirs.Receive, t.ID) && filemgr.SameBytes(form, enc)
}

// stagedAt is where the file of a transfer in "placing" stands; "" is where
// files are built. Beside it if its payload, which differs from it, is there.
func (i *Instance) stagedAt(t *transfer.Transfer, form filemgr.Form, enc filemgr.Encoding) string {
	path := filemgr.StagedPath(i.o.Dirs.Receive, t.ID)
	if t.PayloadIn != path || i.standsReady(t, form, enc) {
		return ""
	}
	return path + ".file"
}

// stagedOf is stagedAt as the row tells it, which it does from "placing" on.
func (i *Instance) stagedOf(t *transfer.Transfer) (path string, ready bool, err error) {
	if t.PayloadIn == "" {
		return "", false, nil
	}
	form, err := filemgr.ParseForm(t.Form)
	if err != nil {
		return "", false, err
	}
	enc, err := filemgr.ParseEncoding(t.Encoding)
	if err != nil {
		return "", false, err
	}
	return i.stagedAt(t, form, enc), i.standsReady(t, form, enc), nil
}

// stage makes the file of a received transfer, or takes the one that its
// payload is: then every block is compared with its checksum and nothing is
// copied.
func (i *Instance) stage(ctx context.Context, t *transfer.Transfer, o filemgr.AssembleOptions) (filemgr.Staged, error) {
	o.Staged = i.stagedAt(t, o.Form, o.Encoding)
	if !i.standsReady(t, o.Form, o.Encoding) {
		if file := i.aheads.take(t.ID); file != nil {
			if staged, there := file.Adopt(ctx, o); there {
				return staged, nil
			}
		}
		src := func(emit func([]byte) error) error { return i.s.PayloadHeld(ctx, t, emit) }
		if o.Encoding.Tag != "" {
			src = i.payload(ctx, t, o.Encoding)
		}
		return filemgr.Build(ctx, o, src)
	}
	v := store.Verified{SHA256: t.WireDigest}
	var err error
	if t.WireDigest == "" { // it came in several sessions
		v, err = i.s.Verify(ctx, t.ID)
	}
	if err == nil && (t.WireDigest != "" || o.Check != nil) {
		v.Size, err = i.lookThrough(ctx, t, o.Check)
	}
	if err != nil {
		return filemgr.Staged{}, err
	}
	if v.Size != t.WireSize { // build compares it with what was proven
		return filemgr.Staged{WireSize: v.Size}, nil
	}
	return filemgr.Adopt(o, v.Size, v.SHA256)
}

// stillHoldAll asks the store which transfers are still ours, see
// filemgr.LockAll: one error or nil for each.
func (i *Instance) stillHoldAll(ctx context.Context, refs []transfer.Ref) func() []error {
	return func() []error {
		errs := make([]error, len(refs))
		held, err := i.s.HoldsAll(ctx, i.o.ID, i.term, refs)
		for n := range refs {
			if errs[n] = err; err == nil && !held[n] {
				errs[n] = fault.New(store.CodeFenced, refs[n].ID)
			}
		}
		return errs
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
