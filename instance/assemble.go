package instance

import (
	"context"
	"time"

	"pabal/filemgr"
	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/store"
	"pabal/transfer"
)

// assembleStep builds received files and places them, once (design D2):
//
//	received, waiting → built beside the receive directory, synced
//	                  → "placing" committed with the final name
//	                  → placed without replacing, synced
//	                  → "assembled"
//
// A crash before "placing" builds it anew over what is there. A crash after
// it finds the temporary, and places it, or does not, and then it was placed.
func (i *Instance) assembleStep(ctx context.Context) (bool, error) {
	claimed, err := i.s.Claim(ctx, i.now(), store.ClaimQuery{
		Owner: i.o.ID, Term: i.term, Direction: transfer.Receive, Place: i.o.Place, Limit: 1,
		Statuses: []transfer.Status{transfer.Received, transfer.Waiting, transfer.Placing},
	})
	if err != nil || len(claimed) == 0 {
		return false, err
	}
	t := claimed[0]
	if t.Status == transfer.Placing {
		err = i.place(ctx, t)
	} else {
		err = i.build(ctx, t)
	}
	return true, i.settled(ctx, t, err)
}

func (i *Instance) build(ctx context.Context, t *transfer.Transfer) error {
	if t.Repeat.Undecided() {
		return i.compare(ctx, t)
	}
	f := i.file(t)
	if f == nil {
		return i.assembleLater(ctx, t, fault.New(CodeNotRoutable, t.Name, "institution", t.Institution))
	}
	enc, err := filemgr.ParseEncoding(t.Encoding)
	if err != nil {
		return i.assembleLater(ctx, t, err)
	}
	name, err := i.receivedName(ctx, t, f)
	if err != nil {
		return err
	}
	// Before the file is built: one that waits for its name is not built each time.
	final, err := filemgr.ChooseFinal(i.o.Dirs.Receive, name, suffixOf(f), f.Existing)
	if err != nil {
		return i.assembleLater(ctx, t, err)
	}
	staged, err := filemgr.Assemble(ctx, filemgr.AssembleOptions{
		ReceiveDir: i.o.Dirs.Receive, ID: t.ID, Form: f.Form, Encoding: enc, MaxSize: t.FileSize,
	}, i.payload(ctx, t))
	if err != nil {
		return i.assembleLater(ctx, t, err)
	}
	if staged.WireSize != t.WireSize || t.WireDigest != "" && t.WireDigest != staged.WireDigest {
		return i.assembleLater(ctx, t, fault.New(store.CodeBlockDamaged, t.ID, "block", 1))
	}
	t, err = i.s.Change(ctx, i.now(), t.Ref(), func(r *transfer.Transfer) error {
		r.Status, r.FinalPath, r.Form = transfer.Placing, final, f.Form.String()
		r.FileSize, r.FileDigest, r.WireDigest = staged.FileSize, staged.FileDigest, staged.WireDigest
		r.Records = staged.Records
		note(r, nil)
		return nil
	})
	if err != nil {
		return err
	}
	return i.place(ctx, t)
}

// receivedName is the transfer's name; where several files of one name come
// on a day by the profile's rule, those after the first carry their serial.
func (i *Instance) receivedName(ctx context.Context, t *transfer.Transfer, f *File) (string, error) {
	inst := i.insts[t.Institution]
	severalADay := t.RepeatOf != "" || inst != nil && or(f.Repeat, inst.Profile.Files.Repeat) == protocol.RepeatNew
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

func (i *Instance) place(ctx context.Context, t *transfer.Transfer) error {
	state, err := filemgr.Recover(i.o.Dirs.Receive, t.ID)
	if err != nil {
		return i.placeLater(ctx, t, err)
	}
	existing, flag := filemgr.ExistingWait, ""
	if f := i.file(t); f != nil {
		existing, flag = f.Existing, f.FlagPlaced
	}
	if state == filemgr.StatePlaced {
		i.log.Info("file was placed before the crash", "transfer", t.ID, "path", t.FinalPath)
	}
	// Also when it was placed: the directories' sync and the flag file may be
	// what the crash cut off.
	err = filemgr.Place(i.o.Dirs.Receive, t.ID, t.FinalPath, existing, flag)
	if fault.CodeOf(err) == filemgr.CodeExists {
		return i.assembleLater(ctx, t, err) // the rename was refused: it is not placed, and another name may do
	}
	if err != nil {
		return i.placeLater(ctx, t, err)
	}
	now := i.now()
	r, err := i.s.Change(ctx, now, t.Ref(), func(r *transfer.Transfer) error {
		r.Status, r.Owner, r.EndedAt, r.Tries = transfer.Assembled, "", now, 0
		note(r, nil)
		return nil
	})
	if err != nil {
		return err
	}
	i.log.Info("file assembled", "transfer", r.ID, "path", r.FinalPath, "bytes", r.FileSize, "sha256", r.FileDigest)
	return nil
}

// placeLater tries placing again. The file may stand under its final name
// already, and the business system may have taken it, so the status stays:
// from any other it would be built a second time (design D2).
func (i *Instance) placeLater(ctx context.Context, t *transfer.Transfer, why error) error {
	if fault.CodeOf(why) == "" || ctx.Err() != nil {
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
	if code == "" || store.Away(why) || ctx.Err() != nil {
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
