package instance

import (
	"time"

	"pabal/internal/fault"
	"pabal/internal/loop"
	"pabal/transfer"
)

// note writes what went wrong into the row, as code and values: the sentence
// is made where it is read (design D8).
func note(t *transfer.Transfer, err error) {
	if err == nil {
		t.ErrorCode, t.ErrorDetail = "", ""
		return
	}
	e := fault.As(err)
	if e == nil {
		e = fault.New("internal", err.Error())
	}
	t.ErrorCode = string(e.Code)
	t.ErrorDetail = detail(e)
}

// detail is the subject and the values of a fault as a JSON object.
func detail(e *fault.Error) string { return e.Detail() }

// Noted is the fault that a row holds, nil if it holds none.
func Noted(code, detail string) *fault.Error { return fault.Noted(code, detail) }

// retry puts a transfer to wait, longer after each failure in a row; after
// the configured number of them it fails. One whose end may have been confirmed
// does not: it might have arrived, and the peer settles it (design D5).
func (i *Instance) retry(t *transfer.Transfer, inst *institution, err error, now time.Time) {
	note(t, err)
	t.Owner, t.SessionID = "", ""
	switch fault.CodeOf(err) {
	case CodeDraining, CodeLeaseLost, CodeTermOver: // our own doing, no failure
		t.Status, t.NextTry = again(t, inst), now
		return
	}
	t.Tries++
	if inst != nil && inst.RetryTries > 0 && t.Tries >= inst.RetryTries && !t.EndedOnce {
		t.Status = transfer.Failed
		t.EndedAt = now
		note(t, triesUsed(t))
		return
	}
	first, most := 30*time.Second, 10*time.Minute
	if inst != nil {
		first, most = or(inst.RetryFirst, first), or(inst.RetryMax, most)
	}
	t.Status = again(t, inst)
	t.NextTry = now.Add(loop.Backoff(first, most, t.Tries))
}

// triesUsed says that a transfer is given up, and the last failure with its own
// values: what is to be put right is that. The subject is that of the failure.
func triesUsed(t *transfer.Transfer) *fault.Error {
	last := Noted(t.ErrorCode, t.ErrorDetail)
	return fault.New(CodeTriesUsed, last.Subject, "name", t.Name, "tries", t.Tries, "because", t.ErrorCode).Telling(last)
}

// again is the status of a file that goes back to be sent. Where the profile
// settles an unknown end by announcing the file again, an announcement that came
// to nothing has settled nothing: the end is as unknown as before (design D5).
func again(t *transfer.Transfer, inst *institution) transfer.Status {
	if t.EndedOnce && inst != nil && inst.Profile.Files.SettleAgain {
		return transfer.Unknown
	}
	return transfer.Waiting
}
