package instance

import (
	"context"
	"errors"
	"time"

	"pabal/filemgr"
	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/protocol/line"
	"pabal/protocol/machine"
	"pabal/store"
	"pabal/transfer"
)

// Save makes one block durable. While the store is away the answer is held
// back, up to the institution's limit; then the machine says "system fault".
// A crash before the commit leaves nothing of the block, one after it a block
// that the peer sends again or that counts when it resumes.
func (s *session) Save(ctx context.Context, b *transfer.Block, complete bool) error {
	if s.incoming == nil {
		return errors.Join(line.ErrDropped, store.ErrNotFound)
	}
	b.Offset = s.offset
	if complete {
		defer s.sum.add(b)() // beside the writing
	}
	err := s.hold(ctx, "block", func() error {
		return s.change(ctx, s.incoming, nil, *b)
	})
	if err != nil {
		s.log.Error("block not stored", "transfer", s.incoming.ID, "block", b.Number, "err", err)
		return s.taken(err)
	}
	if err := s.lostStore(s.incoming.WireName); err != nil {
		return err
	}
	s.relyOnStore()
	if complete {
		s.offset += int64(len(b.Payload))
		return nil
	}
	var missing []int
	for seq := b.Held.NextMissing(1, len(b.Lengths)); seq > 0; seq = b.Held.NextMissing(seq+1, len(b.Lengths)) {
		missing = append(missing, seq)
	}
	if len(missing) > 0 {
		s.round(ctx, s.incoming, b.Number, missing)
	}
	return nil
}

// taken forgets a file that was taken from the session, so that what the
// session does next is not recorded for it.
func (s *session) taken(err error) error {
	if err = s.dropped(err); errors.Is(err, line.ErrDropped) {
		s.incoming = nil
		s.doubt.Give()
	}
	return err
}

// Verify holds what the peer claims against what the rows have, never against
// memory, and commits the result (design D2). While the store is away the
// answer is held back like that of a block. A crash before the commit leaves a
// file that the peer announces again, and of which only the end is missing;
// one after it a file of which the peer is told that it came.
func (s *session) Verify(ctx context.Context, c machine.Claims) (reason protocol.Reason, err error) {
	if s.incoming == nil {
		return protocol.OtherReason, nil
	}
	id := s.incoming.ID
	unknown := false // an earlier try may have been written after all
	err = s.hold(ctx, "end", func() error {
		reason, err = s.verify(ctx, c)
		if unknown && errors.Is(err, store.ErrFenced) {
			reason, err = s.verified(ctx, s.incoming)
		}
		unknown = unknown || fault.CodeOf(err) == store.CodeCommitUnknown
		return err
	})
	if err != nil || reason != protocol.OK {
		s.aheads.forget(id)
	}
	if err != nil {
		return "", s.taken(err)
	}
	s.incoming = nil
	return reason, nil
}

// verified reads what became of a file that we may have proven without our
// knowing. The session stays in the row of a file that came whole.
func (s *session) verified(ctx context.Context, t *transfer.Transfer) (protocol.Reason, error) {
	r, err := s.s.Transfer(ctx, t.ID)
	switch {
	case err != nil:
		return "", err
	case r.SessionID != s.row.ID:
	case cameWhole(r):
		s.wake.assemble.Give()
		return protocol.OK, nil
	case r.Status == transfer.Failed:
		return refusal(fault.Code(r.ErrorCode)), nil
	}
	return "", store.ErrFenced
}

func (s *session) verify(ctx context.Context, c machine.Claims) (protocol.Reason, error) {
	t := s.incoming
	wire, sequences, blocks, gap, err := s.held(ctx, t.ID)
	if err != nil {
		return "", err
	}
	there, err := s.s.Present(ctx, t, wire)
	if err != nil {
		return "", err
	}
	gap = gap || !there // what the rows speak of is gone
	fileSize, err := s.fileSize(ctx, t, wire)
	if err != nil && store.Away(err) {
		return "", err
	}
	size := wire
	if s.profile.Files.FileSizes {
		size = fileSize
	}
	proofs := s.received(t, c, gap, blocks, sequences, size)
	var wrong *fault.Error
	if s.profile.Parts != nil && err == nil && !gap {
		var totals transfer.Proof
		if totals, err = s.trailerTotals(ctx, t); err != nil && store.Away(err) {
			return "", err
		}
		if err == nil {
			proofs = append(proofs, totals)
		}
	}
	switch {
	case err != nil: // what came does not unfold to a file
		wrong = fault.As(err)
		if wrong == nil {
			wrong = fault.New(CodeWrongSize, t.WireName, "held", wire, "declared", c.Declared).Because(err)
		}
	default:
		wrong = disproved(t.WireName, proofs, wire, blocks)
	}
	digest := s.sum.of(wire)
	if wrong == nil { // before the commit: the stage may see the row at once
		s.sum.received(t.ID)
	}
	now := s.now()
	err = s.change(ctx, t, func(r *transfer.Transfer) error {
		r.Owner, r.Missed = "", r.Missed+c.Missed // the session stays: it tells later whether our answer was heard
		if c.Serial != "" {
			r.Serial = safe(c.Serial)
		}
		r.Proofs = transfer.ProofsText(proofs)
		if wrong != nil {
			r.Status, r.EndedAt = transfer.Failed, now
			note(r, wrong)
			return nil
		}
		note(r, nil)
		r.Status, r.NextTry = transfer.Received, time.Time{}
		r.WireSize, r.FileSize, r.Sequences, r.Blocks = wire, fileSize, sequences, blocks
		r.WireDigest = digest
		return nil
	})
	if err != nil {
		return "", err
	}
	if wrong != nil {
		s.log.Error("file is not whole", "transfer", t.ID, "wire_name", t.WireName, "code", wrong.Code, "err", wrong)
		return refusal(wrong.Code), nil
	}
	s.log.Info("received", "transfer", t.ID, "wire_name", t.WireName, "bytes", wire, "blocks", blocks, "missed", t.Missed)
	s.wake.assemble.Give()
	return protocol.OK, nil
}

// digest is for what comes from now on; what was begun for another file is over.
func (s *session) digest(sum *wireSum) {
	s.sum.drop()
	s.sum = sum
}

// held sums up the block rows of a transfer.
func (s *session) held(ctx context.Context, id string) (wire, sequences, blocks int64, gap bool, err error) {
	infos, err := s.s.BlockInfos(ctx, id)
	for n, b := range infos {
		if b.Number != int64(n)+1 || b.Offset != wire || b.Held.MissingUpTo(len(b.Lengths)) > 0 {
			gap = true
		}
		wire += b.Size
		sequences += int64(b.Held.Count())
	}
	return wire, sequences, int64(len(infos)), gap, err
}

// fileSize is how many bytes the wire bytes unfold to.
func (s *session) fileSize(ctx context.Context, t *transfer.Transfer, wire int64) (int64, error) {
	form, err := filemgr.ParseForm(t.Form)
	switch {
	case !s.profile.Files.FileSizes:
		return 0, nil // not claimed by the peer; assembly counts it
	case err == nil && t.Encoding == "" && !form.Strip:
		return wire, nil
	}
	c := counter(0)
	if err := s.writeFile(ctx, t, &c); err != nil {
		return 0, err
	}
	return int64(c), nil
}

type counter int64

func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}

// finishReceive notes how a receive was cut. The blocks stay for a resume.
func (s *session) finishReceive(ctx context.Context, o machine.Outcome) error {
	t := s.incoming
	s.incoming = nil
	if errors.Is(o.Err, line.ErrDropped) {
		return nil
	}
	s.log.Warn("receiving "+o.Result.String(), "transfer", t.ID, "wire_name", t.WireName, "err", o.Err)
	s.settle(ctx, t, func(r *transfer.Transfer) {
		r.Owner, r.SessionID = "", ""
		r.Missed += o.Missed
		note(r, o.Err)
	})
	return nil
}
