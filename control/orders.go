package control

import (
	"cmp"
	"time"

	"pabal/internal/fault"
	"pabal/protocol/machine"
	"pabal/transfer"
)

// Apply does to the row what the order asks for, or says why it cannot be. It
// looks at nothing but the row, so every case is one line of a table in the
// tests. Owner and attempt are the store's: it takes the transfer away from
// whoever holds it. What moves a transfer on takes a question back that has
// not been answered: the answer would be about something else.
func Apply(t *transfer.Transfer, o Order, now time.Time) error {
	err := apply(t, o, now)
	if t.Status != transfer.Held {
		t.HeldFrom = ""
	}
	return err
}

func apply(t *transfer.Transfer, o Order, now time.Time) error {
	switch o.Name {
	case Hold:
		return hold(t)
	case Release:
		return release(t, now)
	case Resend:
		return resend(t, o.Again, o.FromBlock, now)
	case Settle:
		return settle(t, o.As, now)
	case Inquire, Recall:
		return ask(t, transfer.Ask(o.Name), now)
	}
	return cancel(t, now)
}

// possible says whether the counterparty's protocol has what the order wants.
func (o Order) possible(t *transfer.Transfer) error {
	if o.FromBlock != 0 && t.Direction == transfer.Send && !o.Peers[t.Institution].Resumes {
		return fault.New(CodeNoResume, t.ID, "name", title(t), "institution", t.Institution, "profile", cmp.Or(o.Peers[t.Institution].Profile, "-"))
	}
	if o.Name != Inquire && o.Name != Recall || t.Direction == transfer.Receive {
		return nil
	}
	peer := o.Peers[t.Institution]
	if o.Name == Inquire && !peer.Inquire || o.Name == Recall && !peer.Recall {
		return fault.New(CodeAskCannot, t.ID, "name", title(t), "question", o.Name, "institution", t.Institution, "profile", cmp.Or(peer.Profile, "-"))
	}
	if t.Status == transfer.Unknown && peer.Settles {
		// The sending stage takes it as a file to announce; a question beside
		// that would be put in the middle of it.
		return refuse(CodeAskSettling, t)
	}
	return nil
}

// ask has the counterparty asked in its next session. The status stays: what
// the answer means is for the person to say.
func ask(t *transfer.Transfer, question transfer.Ask, now time.Time) error {
	switch {
	case t.Direction == transfer.Receive:
		return refuse(CodeAskReceived, t)
	case t.Ask != transfer.AskNothing:
		return fault.New(CodeAskedAlready, t.ID, "status", t.Status, "name", title(t), "asked", t.Ask)
	}
	switch t.Status {
	case transfer.Sent, transfer.Failed, transfer.Held, transfer.Unknown:
		t.Ask, t.NextTry, t.Tries = question, now, 0
		return nil
	}
	return refuse(CodeAskNotSent, t)
}

// refuse is an order that makes no sense for the transfer as it stands.
func refuse(code fault.Code, t *transfer.Transfer) error {
	return fault.New(code, t.ID, "status", t.Status, "name", title(t))
}

// unsettled: the end of this file may have been confirmed without our
// hearing it. It stays so while it is held (design D5).
func unsettled(t *transfer.Transfer) bool {
	waits := t.Status == transfer.Held || t.Status == transfer.Waiting && t.Direction == transfer.Send
	return t.Status == transfer.Unknown || waits && t.EndedOnce
}

// settling: a file whose end is unknown is claimed for a call that may settle it,
// or in the middle of one.
func settling(t *transfer.Transfer) bool {
	return t.Status == transfer.Sending && t.EndedOnce
}

func hold(t *transfer.Transfer) error {
	switch t.Status {
	case transfer.Held:
		return nil // as asked
	case transfer.Ending:
		return refuse(CodeEnding, t)
	case transfer.Placing:
		return refuse(CodePlacing, t)
	case transfer.Receiving:
		// Half a file that is held would look like one that we have.
		return refuse(CodeComing, t)
	case transfer.Sending:
		t.SentBytes = t.WireSize // all of it may have reached the peer
	}
	if t.Status.Final() {
		return refuse(CodeFinished, t)
	}
	t.Status, t.SessionID = transfer.Held, ""
	t.ErrorCode, t.ErrorDetail = "", ""
	return nil
}

// release lets a held transfer go on where it stood, and has one that waits
// for its next try go at once.
func release(t *transfer.Transfer, now time.Time) error {
	switch {
	case t.Status == transfer.Waiting:
		t.NextTry = now
		return nil
	case t.Status == transfer.Duplicate && t.Direction == transfer.Receive && !t.ReleasedAt.IsZero():
		return fault.New(CodeNoPayload, title(t), "status", t.Status)
	case t.Status == transfer.Duplicate && t.Direction == transfer.Receive: // a person says that it is a file of its own all the same
		t.EndedAt = time.Time{}
		t.Status = transfer.Received
	case t.Status != transfer.Held:
		return refuse(CodeNotHeld, t)
	case t.HeldFrom != "":
		t.ErrorCode, t.ErrorDetail = "", ""
		goOn(t)
	case t.Direction == transfer.Receive:
		t.Status = transfer.Received
	case unsettled(t):
		t.Status = transfer.Unknown // the profile's rule settles it, nothing else
	default:
		queue(t)
	}
	t.NextTry, t.Tries, t.Ask = now, 0, transfer.AskNothing
	if t.Status != transfer.Storing {
		t.ErrorCode, t.ErrorDetail = "", ""
	}
	return nil
}

// goOn restores what a transfer was before a quarantine held it. What was in
// a session is where the next start of a server would have put it.
func goOn(t *transfer.Transfer) {
	switch from := t.HeldFrom; {
	case unsettled(t) || from == transfer.Ending || from == transfer.Unknown:
		t.Status = transfer.Unknown
	case from == transfer.Placing || from == transfer.Receiving:
		t.Status = from
	case t.Direction == transfer.Receive:
		t.Status = transfer.Received
	default:
		queue(t)
	}
}

// queue puts a file to send where it can go on from: what was never stored,
// or whose payload was deleted, is cut again from the work file or backup.
func queue(t *transfer.Transfer) {
	t.Status = transfer.Waiting
	if t.WireDigest == "" || !t.ReleasedAt.IsZero() {
		t.Status, t.ReleasedAt = transfer.Storing, time.Time{}
	}
}

// settle is a person's word for how an unknown end went (design D5): the
// counterparty was asked by other means. It is also for a transfer that is
// held because the peer says that it has the file.
func settle(t *transfer.Transfer, as string, now time.Time) error {
	there := t.Status == transfer.Held && t.Direction == transfer.Send && t.ErrorCode == string(machine.CodeAlreadyThere)
	switch {
	case as != AsArrived && as != AsNotArrived:
		return fault.New(CodeSettleAs, t.ID, "status", t.Status, "name", title(t), "as", as)
	case settling(t) || t.Status == transfer.Ending:
		// What the counterparty says there counts more than what a person was
		// told before it.
		return refuse(CodeSettling, t)
	case t.Direction == transfer.Receive || !unsettled(t) && !there:
		return refuse(CodeNothingToSettle, t)
	case as == AsArrived:
		t.Status, t.EndedAt, t.NextTry = transfer.Sent, now, time.Time{}
		t.Proofs = transfer.ProofsText([]transfer.Proof{{Name: transfer.ProofPerson, Expected: AsArrived, Actual: as}})
	default:
		t.EndedOnce, t.EndedDigest = false, "" // "already complete" would be about something else
		queue(t)
		t.NextTry = now
	}
	t.Tries, t.SessionID, t.Ask = 0, "", transfer.AskNothing
	t.ErrorCode, t.ErrorDetail = "", ""
	return nil
}

// resend puts a file to send again. fromBlock, if not 0, says that a person
// knows the counterparty to hold the blocks before it: where the sending then
// begins is what the counterparty answers to the announcement, for nothing in
// it could name a block (protocols §1.5); an answer that goes further than
// anything that was sent would else be held as somebody else's.
func resend(t *transfer.Transfer, again bool, fromBlock int64, now time.Time) error {
	switch {
	case t.Direction == transfer.Receive:
		return refuse(CodeOnlySending, t)
	case unsettled(t):
		return refuse(CodeUnsettled, t)
	case t.Status == transfer.Refused:
		return refuse(CodeRefused, t)
	case t.Status == transfer.Sent && !again:
		return refuse(CodeArrived, t)
	case t.Status == transfer.Sent, t.Status == transfer.Failed, t.Status == transfer.Cancelled, t.Status == transfer.Held:
	default:
		return refuse(CodeOnItsWay, t)
	}
	if fromBlock < 0 || fromBlock > t.Blocks {
		return fault.New(CodeFromBlock, t.ID, "status", t.Status, "name", title(t), "block", fromBlock, "blocks", t.Blocks)
	}
	if t.Status == transfer.Sent {
		// It is to be a new file for the peer: nothing of the first time counts.
		t.SentBytes, t.Resent, t.EndedOnce, t.EndedDigest, t.Proofs = 0, 0, false, "", ""
	}
	if fromBlock != 0 {
		t.SentBytes = max(t.SentBytes, t.Geometry().Offset(transfer.Position{Block: fromBlock, Seq: 1}, t.WireSize))
	}
	queue(t)
	if t.Result != "" {
		t.Result = transfer.ResultWanted // also where it ends as it did before
	}
	t.NextTry, t.Tries, t.EndedAt, t.SessionID, t.Ask = now, 0, time.Time{}, "", transfer.AskNothing
	t.ErrorCode, t.ErrorDetail = "", ""
	return nil
}

func cancel(t *transfer.Transfer, now time.Time) error {
	switch {
	case t.Status == transfer.Ending:
		return refuse(CodeEnding, t)
	case t.Status == transfer.Placing:
		return refuse(CodePlacing, t)
	case settling(t):
		return refuse(CodeSettling, t)
	case unsettled(t):
		return refuse(CodeUnsettled, t)
	case t.Status.Final() && t.Status != transfer.Failed:
		return refuse(CodeFinished, t)
	case t.Status == transfer.Sending:
		t.SentBytes = t.WireSize
	}
	t.Status, t.SessionID, t.EndedAt, t.Ask = transfer.Cancelled, "", now, transfer.AskNothing
	t.ErrorCode, t.ErrorDetail = "", ""
	return nil
}
