package instance

import (
	"context"

	"pabal/protocol"
	"pabal/store"
	"pabal/transfer"
)

// What a session that sends may take: files that are ready, and those that the
// peer is to be asked about.

// take gives what was claimed ahead, or claims.
func (s *session) take(ctx context.Context) (*transfer.Transfer, error) {
	if t := s.first; t != nil {
		s.first = nil
		return t, nil
	}
	if t := s.next; t != nil {
		s.next = nil
		return t, nil
	}
	if s.stopping() || s.inst.closedNow(s.business(), true) {
		return nil, nil
	}
	if s.left != 0 {
		t, err := s.claimFile(ctx, s.inst, s.row.ID, s.only)
		if t != nil {
			s.counted()
		}
		if t != nil || err != nil {
			return t, err
		}
	}
	return s.claimInquiry(ctx, s.inst, s.row.ID)
}

// wantsMore reports that the session may claim another file.
func (s *session) wantsMore() bool {
	return s.left != 0 && !s.stopping() && !s.inst.closedNow(s.business(), true)
}

// counted takes a file off those that the session still gets.
func (s *session) counted() {
	if s.left > 0 {
		s.left--
	}
}

// sendable reports whether there is something to call an institution for: a
// file that is ready, or one to ask about. It only reads.
func (i *Instance) sendable(ctx context.Context, inst *institution) (bool, error) {
	for _, q := range append(i.inquiryQueries(inst, ""), i.fileQuery(inst, "")) {
		if found, err := i.s.Claimable(ctx, i.now(), q); found || err != nil {
			return found, err
		}
	}
	return false, nil
}

// claimSend claims one transfer that is ready for an institution, or one
// whose end is to be asked about.
func (i *Instance) claimSend(ctx context.Context, inst *institution, sessionID string) (*transfer.Transfer, error) {
	t, err := i.claimFile(ctx, inst, sessionID, "")
	if t != nil || err != nil {
		return t, err
	}
	return i.claimInquiry(ctx, inst, sessionID)
}

// fileQuery looks for the oldest file that is ready. Where the profile settles
// an unknown end by announcing the file again, those are ready too (design D5).
func (i *Instance) fileQuery(inst *institution, sessionID string) store.ClaimQuery {
	q := store.ClaimQuery{
		Owner: i.o.ID, Term: i.term, Direction: transfer.Send, Institution: inst.Code, SessionID: sessionID, Here: i.o.Place, Limit: 1,
		Statuses: []transfer.Status{transfer.Stored, transfer.Waiting}, To: transfer.Sending,
		NotAsked: inst.Profile.Has(protocol.Inquiry), // a question goes first, and leaves the status alone
	}
	if inst.Profile.Files.SettleAgain {
		q.Statuses = append(q.Statuses, transfer.Unknown)
	}
	return q
}

func (i *Instance) claimFile(ctx context.Context, inst *institution, sessionID, wireName string) (*transfer.Transfer, error) {
	q := i.fileQuery(inst, sessionID)
	if wireName != "" {
		ids, err := i.waitingIDs(ctx, inst, wireName, q.Statuses)
		if err != nil || len(ids) == 0 {
			return nil, err
		}
		q.IDs = ids
	}
	got, err := i.claim(ctx, q)
	return one(got), err
}

// inquiryQueries look for a transfer that the peer is to be asked about:
// because a person wants to know, or because its end is unknown and the
// profile settles that by asking.
func (i *Instance) inquiryQueries(inst *institution, sessionID string) []store.ClaimQuery {
	if !inst.Profile.Has(protocol.Inquiry) {
		return nil
	}
	asked := store.ClaimQuery{
		Owner: i.o.ID, Term: i.term, Direction: transfer.Send, Institution: inst.Code, SessionID: sessionID, Limit: 1,
		Statuses: []transfer.Status{transfer.Sent, transfer.Failed, transfer.Held, transfer.Unknown}, Asked: true,
	}
	if inst.Profile.Files.SettleAgain {
		return []store.ClaimQuery{asked}
	}
	unknown := asked
	unknown.Statuses, unknown.Asked = []transfer.Status{transfer.Unknown}, false
	return []store.ClaimQuery{asked, unknown}
}

// claimInquiry claims one of those. Files come first: a peer that does not
// know the inquiry must not keep them waiting.
func (i *Instance) claimInquiry(ctx context.Context, inst *institution, sessionID string) (*transfer.Transfer, error) {
	for _, q := range i.inquiryQueries(inst, sessionID) {
		if got, err := i.claim(ctx, q); err != nil || len(got) > 0 {
			return one(got), err
		}
	}
	return nil, nil
}

func (i *Instance) waitingIDs(ctx context.Context, inst *institution, wireName string, in []transfer.Status) ([]string, error) {
	list, err := i.s.List(ctx, store.Filter{Institution: inst.Code, Direction: transfer.Send, WireName: wireName, Statuses: in, Limit: fetchMost})
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(list))
	for n, t := range list {
		ids[n] = t.ID
	}
	return ids, nil
}

func one(list []*transfer.Transfer) *transfer.Transfer {
	if len(list) == 0 {
		return nil
	}
	return list[0]
}
