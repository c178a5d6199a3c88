package instance

import (
	"context"
	"errors"
	"maps"

	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/store"
	"pabal/transfer"
)

// sameName is the registration's policy, or what the profile makes of it:
// where a counterparty takes a repeated name as a new file, it is one.
func (i *Instance) sameName(t *transfer.Transfer, inst *institution) SameName {
	policy := SameNameHold
	if inst.Profile.Files.Repeat == protocol.RepeatNew {
		policy = SameNameNew
	}
	if f := i.file(t); f != nil {
		policy = or(f.SameName, policy)
	}
	return policy
}

// namesakes tells which of some files are not the only ones of their identity,
// with one question for each counterparty. One that comes later has a later id,
// and finds the earlier one when it is stored itself.
func (i *Instance) namesakes(ctx context.Context, some []*transfer.Transfer) (map[string]bool, error) {
	of := map[string][]*transfer.Transfer{}
	for _, t := range some {
		of[t.Institution] = append(of[t.Institution], t)
	}
	all := map[string]bool{}
	for _, theirs := range of {
		named, err := i.s.Namesakes(ctx, theirs)
		if err != nil {
			return nil, err
		}
		maps.Copy(all, named)
	}
	return all, nil
}

// sameBefore: a file of the same identity that went out, or is on its way, is
// not sent again unless the registration or a person says so (design D6). A
// transfer that was stored before, and is now stored again from its backup, is
// itself. With "replace" the earlier ones are cancelled here, before the new one
// is ready: after a crash in between it is stored again and finds none.
func (i *Instance) sameBefore(ctx context.Context, t *transfer.Transfer, inst *institution) (*fault.Error, error) {
	policy := i.sameName(t, inst)
	if policy == SameNameNew || t.FileDigest != "" {
		return nil, nil
	}
	same, err := i.s.FindSame(ctx, store.Identity{Institution: t.Institution, Direction: transfer.Send, WireName: t.WireName, BaseDate: t.BaseDate})
	if err != nil {
		return nil, err
	}
	var before []*transfer.Transfer
	for _, o := range same {
		switch o.Status {
		case transfer.Failed, transfer.Refused, transfer.Cancelled:
			continue
		}
		// Of two that have not gone further the smaller id is the first. It says
		// nothing about one that has: the clock may have been set back.
		waits := o.Status == transfer.Storing && o.FileDigest == "" || o.ErrorCode == string(CodeSameName)
		if o.ID < t.ID || o.ID > t.ID && !waits {
			before = append(before, o)
		}
	}
	if len(before) == 0 {
		return nil, nil
	}
	if policy == SameNameReplace {
		if done, err := i.replace(ctx, t, before); done || err != nil {
			return nil, err
		}
	}
	return fault.New(CodeSameName, t.WireName, "other", before[0].ID, "status", string(before[0].Status)), nil
}

// replaceable reports that nobody has been asked to confirm this file, so that
// it can be cancelled without leaving a doubt (design D5).
func replaceable(t *transfer.Transfer) bool {
	switch t.Status {
	case transfer.Storing, transfer.Stored, transfer.Sending, transfer.Waiting, transfer.Held:
		return !t.EndedOnce
	}
	return false
}

// replace cancels what a newer file of the name stands for, all or nothing: if
// one of them cannot be taken back, a person decides.
func (i *Instance) replace(ctx context.Context, t *transfer.Transfer, before []*transfer.Transfer) (bool, error) {
	for _, o := range before {
		if !replaceable(o) {
			return false, nil
		}
	}
	for _, o := range before {
		now := i.now()
		_, err := i.s.Command(ctx, now, transfer.Command{Name: "cancel", TransferID: o.ID, Who: "pabal", Host: i.o.Place,
			Reason: "same_name: replace, " + t.ID}, func(r *transfer.Transfer) error {
			if !replaceable(r) {
				return errElsewhere // its end has been asked for in this moment
			}
			if r.Status == transfer.Sending {
				r.SentBytes = r.WireSize
			}
			r.Status, r.SessionID, r.EndedAt = transfer.Cancelled, "", now
			note(r, fault.New(CodeReplaced, r.Name, "other", t.ID))
			return nil
		})
		if errors.Is(err, errElsewhere) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		i.log.Info("file replaced by a newer one of its name", "transfer", o.ID, "name", o.Name, "by", t.ID)
	}
	return true, nil
}
