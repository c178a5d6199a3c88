package instance

import (
	"context"
	"errors"
	"time"

	"pabal/filemgr"
	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/store"
	"pabal/transfer"
)

// assembleStep builds received files and places them, each once (design D2),
// many together:
//
//	received, waiting → built beside the receive directory, each synced, then
//	                    their directory
//	                  → "placing" committed with the final names
//	                  → placed without replacing, then the directories synced
//	                  → "assembled"
//
// A crash before "placing" builds a file anew over what is there. A crash after
// it finds the temporary, and places it, or does not, and then it was placed.
func (i *Instance) assembleStep(ctx context.Context) (bool, error) {
	claimed, err := i.claim(ctx, store.ClaimQuery{
		Owner: i.o.ID, Term: i.term, Direction: transfer.Receive, Place: i.o.Place, Limit: claimAtOnce,
		Statuses: []transfer.Status{transfer.Received, transfer.Waiting, transfer.Placing},
	})
	if err != nil || len(claimed) == 0 {
		return false, err
	}
	for _, some := range batches(claimed, func(t *transfer.Transfer) int64 { return t.WireSize }) {
		errs := make([]error, len(some))
		if err != nil { // the store is away, as a rule: the rest is given back
			for n := range errs {
				errs[n] = err
			}
		} else {
			i.assemble(ctx, some, errs)
		}
		err = errors.Join(err, i.settledAll(ctx, some, errs))
	}
	return true, err
}

// assemble takes some files all the way. errs gets what is to be settled.
func (i *Instance) assemble(ctx context.Context, some []*transfer.Transfer, errs []error) {
	edits := make([]*store.Edit, len(some)) // nil: nothing to commit before it is placed
	named := make([]bool, len(some))        // the name of the built file is durable already
	each(len(some), func(n int) {
		if some[n].Status != transfer.Placing {
			edits[n], named[n], errs[n] = i.build(ctx, some[n])
		}
	})
	i.toPlacing(ctx, edits, named, errs)
	var files []filemgr.Placing
	var whose []int
	for n, t := range some {
		if t.Status != transfer.Placing || errs[n] != nil {
			continue
		}
		p, err := i.placing(ctx, t)
		if errs[n] = err; err == nil {
			files, whose = append(files, p), append(whose, n)
		}
	}
	placed := make([]*store.Edit, len(some))
	for k, err := range filemgr.PlaceAll(i.o.Dirs.Receive, files) {
		n := whose[k]
		placed[n], errs[n] = i.placed(ctx, some[n], err)
	}
	i.commit(ctx, placed, errs)
	for n, e := range placed {
		if e != nil && errs[n] == nil {
			t := e.Row
			i.log.Info("file assembled", "transfer", t.ID, "path", t.FinalPath, "bytes", t.FileSize, "sha256", t.FileDigest)
		}
	}
}

// toPlacing makes the names of built files durable and commits "placing". No
// name may be committed whose file a crash could still take away. A file that
// was received where it stands got its name with its first block.
func (i *Instance) toPlacing(ctx context.Context, edits []*store.Edit, named []bool, errs []error) {
	due := func(n int) bool { return edits[n] != nil && !named[n] }
	for n := range edits {
		if !due(n) {
			continue
		}
		if err := filemgr.SyncStaged(i.o.Dirs.Receive); err != nil {
			for n, e := range edits {
				if due(n) {
					edits[n], errs[n] = nil, i.assembleLater(ctx, e.Row, err)
				}
			}
		}
		break // one sync is for all
	}
	i.commit(ctx, edits, errs)
}

// build builds one file and returns the edit with which it goes into placing,
// nil if it waits, or has come to another end; and whether the name of the file
// is durable, see toPlacing.
func (i *Instance) build(ctx context.Context, t *transfer.Transfer) (_ *store.Edit, named bool, _ error) {
	if t.Repeat.Undecided() {
		return nil, false, i.compare(ctx, t)
	}
	f := i.file(t)
	if f == nil {
		return nil, false, i.assembleLater(ctx, t, fault.New(CodeNotRoutable, t.Name, "institution", t.Institution))
	}
	enc, err := filemgr.ParseEncoding(t.Encoding)
	if err != nil {
		return nil, false, i.assembleLater(ctx, t, err)
	}
	name, err := i.receivedName(ctx, t, f)
	if err != nil {
		return nil, false, err
	}
	// Before the file is built: one that waits for its name is not built each time.
	final, err := filemgr.ChooseFinal(i.o.Dirs.Receive, name, suffixOf(f), f.Existing)
	if err != nil {
		return nil, false, i.assembleLater(ctx, t, err)
	}
	check, err := i.check(t, f)
	if err != nil {
		return nil, false, i.assembleLater(ctx, t, err)
	}
	staged, err := i.stage(ctx, t, filemgr.AssembleOptions{
		Check:      check,
		ReceiveDir: i.o.Dirs.Receive, ID: t.ID, Form: f.Form, Encoding: enc, MaxSize: t.FileSize, Access: i.o.Access.Receive,
		WireSize: t.WireSize, WireDigest: t.WireDigest,
	})
	if filemgr.IsContent(fault.CodeOf(err)) {
		return nil, false, i.holdContent(ctx, t, fault.As(err))
	}
	if err != nil {
		return nil, false, i.assembleLater(ctx, t, err)
	}
	if staged.WireSize != t.WireSize {
		return nil, false, i.assembleLater(ctx, t, fault.New(store.CodeBlockDamaged, t.ID, "block", 1))
	}
	return &store.Edit{Row: t, F: func(r *transfer.Transfer) error {
		r.Status, r.FinalPath, r.Form = transfer.Placing, final, f.Form.String()
		r.FileSize, r.FileDigest, r.WireDigest = staged.FileSize, staged.FileDigest, staged.WireDigest
		r.Records = staged.Records
		if check != nil {
			r.Proofs = withChecks(r.Proofs, passed)
		}
		note(r, nil)
		return nil
	}}, staged.Named, nil
}

// receivedName is the transfer's name; where several files of one name come
// on a day by the profile's rule, those after the first carry their serial.
func (i *Instance) receivedName(ctx context.Context, t *transfer.Transfer, f *File) (string, error) {
	inst := i.insts[t.Institution]
	severalADay := t.RepeatOf != "" || inst != nil && inst.repeat(f) == protocol.RepeatNew
	if !severalADay || f.ReceiveName != "" {
		return t.Name, nil
	}
	same, err := i.s.List(ctx, store.Filter{Institution: t.Institution, Direction: transfer.Receive, Name: t.Name})
	if err != nil {
		return "", err
	}
	n := 1
	for _, o := range same {
		if o.ID < t.ID && o.Status != transfer.Abandoned && o.Status != transfer.Failed && o.Status != transfer.Cancelled && o.Status != transfer.Duplicate && o.Status != transfer.Receiving {
			n++
		}
	}
	if n == 1 {
		return t.Name, nil
	}
	return t.Name + "." + serial(n), nil
}

func suffixOf(f *File) string {
	if len(f.Suffixes) > 0 {
		return f.Suffixes[0]
	}
	return ""
}

// placing is what is to be placed for a transfer. Also of one that was placed
// before a crash: the directories' sync and the flag file may be what it cut off.
func (i *Instance) placing(ctx context.Context, t *transfer.Transfer) (p filemgr.Placing, err error) {
	p = filemgr.Placing{ID: t.ID, Final: t.FinalPath, Existing: filemgr.ExistingWait, Access: i.o.Access.Receive, Held: i.stillHolds(ctx, t)}
	if p.Staged, _, err = i.stagedOf(t); err != nil {
		return p, err
	}
	if f := i.file(t); f != nil {
		p.Existing, p.FlagSuffix = f.Existing, f.FlagPlaced
	}
	return p, nil
}

// placed returns the edit for a file that was placed, or settles why it was not.
func (i *Instance) placed(ctx context.Context, t *transfer.Transfer, err error) (*store.Edit, error) {
	if fault.CodeOf(err) == filemgr.CodeExists {
		return nil, i.assembleLater(ctx, t, err) // the rename was refused: it is not placed, and another name may do
	}
	if err != nil {
		return nil, i.placeLater(ctx, t, err)
	}
	_, ready, err := i.stagedOf(t)
	if err != nil {
		return nil, err
	}
	now := i.now()
	return &store.Edit{Row: t, F: func(r *transfer.Transfer) error {
		if ready { // it has taken its payload with it
			r.PayloadIn = transfer.InFile
		}
		r.Status, r.Owner, r.EndedAt, r.Tries = transfer.Assembled, "", now, 0
		note(r, nil)
		return nil
	}}, nil
}

// placeLater tries placing again. The file may stand under its final name
// already, and the business system may have taken it, so the status stays:
// from any other it would be built a second time (design D2).
func (i *Instance) placeLater(ctx context.Context, t *transfer.Transfer, why error) error {
	if fault.CodeOf(why) == "" || errors.Is(why, store.ErrFenced) || ctx.Err() != nil {
		return why
	}
	now := i.now()
	r, err := i.s.Change(ctx, now, t.Ref(), func(r *transfer.Transfer) error {
		r.Owner, r.Tries, r.NextTry = "", r.Tries+1, now.Add(pauseOf(r.Tries+1))
		note(r, why)
		return nil
	})
	if err != nil {
		return err
	}
	i.log.Warn("file is not placed", "transfer", r.ID, "status", string(r.Status), "code", r.ErrorCode, "err", why)
	return nil
}

// pauseOf is how long the n-th failure in a row of assembling or placing waits.
func pauseOf(n int) time.Duration { return min(time.Duration(n)*5*time.Second, time.Minute) }

// assembleLater: what is in the way of placing passes, or a person must see to
// it. The payload is whole, so the transfer waits; only content that can never
// become a file fails.
func (i *Instance) assembleLater(ctx context.Context, t *transfer.Transfer, why error) error {
	code := fault.CodeOf(why)
	if code == "" || store.Away(why) || errors.Is(why, store.ErrFenced) || ctx.Err() != nil {
		return why
	}
	now := i.now()
	r, err := i.s.Change(ctx, now, t.Ref(), func(r *transfer.Transfer) error {
		r.Owner = ""
		note(r, why)
		if filemgr.Waits(code) || code == CodeNotRoutable {
			r.Tries++
			r.Status, r.NextTry = transfer.Waiting, now.Add(pauseOf(r.Tries))
			return nil
		}
		r.Status, r.EndedAt = transfer.Failed, now
		return nil
	})
	if err != nil {
		return err
	}
	i.log.Warn("file is not placed", "transfer", r.ID, "status", string(r.Status), "code", r.ErrorCode, "err", why)
	return nil
}
