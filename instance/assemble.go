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
	return i.step(ctx, store.ClaimQuery{
		Direction: transfer.Receive, Statuses: []transfer.Status{transfer.Received, transfer.Waiting, transfer.Placing},
	}, func(t *transfer.Transfer) int64 { return t.WireSize }, i.assemble)
}

// assemble takes some files all the way. errs gets what is to be settled.
func (i *Instance) assemble(ctx context.Context, some []*transfer.Transfer, errs []error) {
	edits, named := i.buildAll(ctx, some, errs)
	i.toPlacing(ctx, edits, named, errs)
	placed := i.placeAll(ctx, some, errs)
	i.commit(ctx, placed, errs)
	for n, e := range placed {
		if e != nil && errs[n] == nil {
			t := e.Row
			i.log.Info("file assembled", "transfer", t.ID, "path", t.FinalPath, "bytes", t.FileSize, "sha256", t.FileDigest)
		}
	}
}

// buildAll builds the files of some and returns the edits with which they go into
// placing, nil for those that have nothing to commit before they are placed; and
// whether the name of a built file is durable already.
func (i *Instance) buildAll(ctx context.Context, some []*transfer.Transfer, errs []error) (edits []*store.Edit, named []bool) {
	edits, named = make([]*store.Edit, len(some)), make([]bool, len(some))
	var builds []*build
	for n, t := range some {
		if t.Status == transfer.Placing {
			continue
		}
		b, err := i.toBuild(ctx, t)
		if errs[n] = err; b != nil {
			b.n = n
			builds = append(builds, b)
		}
	}
	if len(builds) == 0 {
		return edits, named
	}
	refs, paths := make([]transfer.Ref, len(builds)), make([]string, len(builds))
	for k, b := range builds {
		refs[k], paths[k] = b.t.Ref(), b.path(i)
	}
	// What is wrong with the directory is said by the lock.
	_ = filemgr.MakeStaging(filemgr.AssembleOptions{ReceiveDir: i.o.Dirs.Receive, Access: i.o.Access.Receive})
	release, locked := filemgr.LockAll(paths, i.stillHoldAll(ctx, refs))
	defer release()
	each(len(builds), func(k int) {
		b := builds[k]
		if locked[k] != nil {
			errs[b.n] = i.assembleLater(ctx, b.t, locked[k])
			return
		}
		edits[b.n], named[b.n], errs[b.n] = i.build(ctx, b)
	})
	return edits, named
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

// placeAll places those that are in placing and returns the edits with which
// they are assembled.
func (i *Instance) placeAll(ctx context.Context, some []*transfer.Transfer, errs []error) []*store.Edit {
	var files []filemgr.Placing
	var whose []int
	var refs []transfer.Ref
	var paths []string
	for n, t := range some {
		if t.Status != transfer.Placing || errs[n] != nil {
			continue
		}
		p, err := i.placing(t)
		if errs[n] = err; err == nil {
			files, whose = append(files, p), append(whose, n)
			refs, paths = append(refs, t.Ref()), append(paths, p.Staged)
		}
	}
	placed := make([]*store.Edit, len(some))
	if len(files) == 0 {
		return placed
	}
	release, locked := filemgr.LockAll(paths, i.stillHoldAll(ctx, refs))
	defer release()
	var ours []filemgr.Placing
	var which []int
	for k, n := range whose {
		if locked[k] != nil {
			errs[n] = i.placeLater(ctx, some[n], locked[k])
			continue
		}
		ours, which = append(ours, files[k]), append(which, n)
	}
	for k, err := range filemgr.PlaceAll(i.o.Dirs.Receive, ours) {
		n := which[k]
		placed[n], errs[n] = i.placed(ctx, some[n], err)
	}
	return placed
}

// build is a file that is about to be built.
type build struct {
	n     int // which of its batch
	t     *transfer.Transfer
	f     *File
	enc   filemgr.Encoding
	final string
	check *filemgr.Check
}

func (b *build) path(i *Instance) string {
	return or(i.stagedAt(b.t, b.f.Form, b.enc), filemgr.StagedPath(i.o.Dirs.Receive, b.t.ID))
}

// toBuild says how a file is built; nil if it waits, or has come to another end.
func (i *Instance) toBuild(ctx context.Context, t *transfer.Transfer) (*build, error) {
	if t.Repeat.Undecided() {
		return nil, i.compare(ctx, t)
	}
	f := i.file(t)
	if f == nil {
		return nil, i.assembleLater(ctx, t, fault.New(CodeNotRoutable, t.Name, "institution", t.Institution))
	}
	enc, err := filemgr.ParseEncoding(t.Encoding)
	if err != nil {
		return nil, i.assembleLater(ctx, t, err)
	}
	name, err := i.receivedName(ctx, t, f)
	if err != nil {
		return nil, err
	}
	// Before the file is built: one that waits for its name is not built each time.
	final, err := filemgr.ChooseFinal(i.o.Dirs.Receive, name, suffixOf(f), f.Existing)
	if err != nil {
		return nil, i.assembleLater(ctx, t, err)
	}
	check, err := i.check(t, f)
	if err != nil {
		return nil, i.assembleLater(ctx, t, err)
	}
	return &build{t: t, f: f, enc: enc, final: final, check: check}, nil
}

// build builds one file, whose path is locked, and returns the edit with which
// it goes into placing, nil if it waits, or has come to another end; and whether
// the name of the file is durable, see toPlacing.
func (i *Instance) build(ctx context.Context, b *build) (_ *store.Edit, named bool, _ error) {
	t := b.t
	staged, err := i.stage(ctx, t, filemgr.AssembleOptions{
		ReceiveDir: i.o.Dirs.Receive, ID: t.ID, Form: b.f.Form, Encoding: b.enc, MaxSize: t.FileSize, Access: i.o.Access.Receive,
		WireSize: t.WireSize, WireDigest: t.WireDigest, Locked: true, Check: b.check,
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
		r.Status, r.FinalPath, r.Form = transfer.Placing, b.final, b.f.Form.String()
		r.FileSize, r.FileDigest, r.WireDigest = staged.FileSize, staged.FileDigest, staged.WireDigest
		r.Records = staged.Records
		if b.check != nil {
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
	// With its wire name, which the full name contains: there is an index of it.
	same, err := i.s.List(ctx, store.Filter{Institution: t.Institution, Direction: transfer.Receive, WireName: t.WireName, Name: t.Name})
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
func (i *Instance) placing(t *transfer.Transfer) (p filemgr.Placing, err error) {
	p = filemgr.Placing{ID: t.ID, Final: t.FinalPath, Existing: filemgr.ExistingWait, Access: i.o.Access.Receive, Locked: true}
	if p.Staged, _, err = i.stagedOf(t); err != nil {
		return p, err
	}
	p.Staged = or(p.Staged, filemgr.StagedPath(i.o.Dirs.Receive, t.ID))
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
