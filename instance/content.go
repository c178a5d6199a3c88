package instance

import (
	"context"
	"slices"
	"time"

	"pabal/filemgr"
	"pabal/internal/fault"
	"pabal/transfer"
)

// What a registration wants to know of the content of a received file is looked
// at when the file is put together. The end has been confirmed by then, and
// rightly: all that the counterparty has sent is here. So a file that does not
// pass is not placed and not failed but held, with all its content, for a
// person to say whether it is taken as it is (release) or not (cancel). What was
// found stands among the proofs, and a file that a person has released is not
// held for it again.

// passed is the proof of a file that passes its checks.
const passed = transfer.Passed

// check is what a file is still to be held against, nil if nothing.
func (i *Instance) check(t *transfer.Transfer, f *File) (*filemgr.Check, error) {
	looked := slices.ContainsFunc(transfer.ProofsOf(t.Proofs), func(p transfer.Proof) bool { return p.Name == transfer.ProofContentChecks })
	if !f.CheckComes || looked {
		return nil, nil
	}
	base, err := time.ParseInLocation("20060102", t.BaseDate, i.o.Zone)
	if err != nil {
		return nil, err
	}
	return filemgr.NewCheck(f.Form, f.Checks, filemgr.Names{File: t.Name, WireName: t.WireName, BaseDate: base, FileID: t.FileID})
}

// withChecks adds what the checks have come to.
func withChecks(proofs, result string) string {
	return transfer.ProofsText(append(transfer.ProofsOf(proofs),
		transfer.Proof{Name: transfer.ProofContentChecks, Expected: passed, Actual: result}))
}

// lookThrough reads the payload of a file that stands where it belongs, each
// block compared with its checksum, and its content with check, if there is one.
func (i *Instance) lookThrough(ctx context.Context, t *transfer.Transfer, check *filemgr.Check) (size int64, err error) {
	err = i.s.PayloadHeld(ctx, t, func(p []byte) error {
		size += int64(len(p))
		if check == nil {
			return nil
		}
		_, err := check.Write(p)
		return err
	})
	if err == nil && check != nil {
		err = check.Close()
	}
	return size, err
}

// holdContent holds a file whose content does not pass. A crash before the
// commit has it looked at again.
func (i *Instance) holdContent(ctx context.Context, t *transfer.Transfer, why *fault.Error) error {
	held := fault.New(CodeContent, t.WireName, "because", why.Code).Telling(why)
	r, err := i.s.Change(ctx, i.now(), t.Ref(), func(r *transfer.Transfer) error {
		r.Status, r.Owner, r.NextTry, r.Tries = transfer.Held, "", time.Time{}, 0
		r.Proofs = withChecks(r.Proofs, string(why.Code))
		note(r, held)
		return nil
	})
	if err != nil {
		return err
	}
	i.log.Warn("file does not pass its checks and is held", "transfer", r.ID, "wire_name", r.WireName, "code", why.Code, "err", why)
	return nil
}
