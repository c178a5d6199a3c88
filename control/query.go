package control

import (
	"cmp"
	"context"
	"slices"

	"pabal/store"
	"pabal/transfer"
)

// List reads transfers, newest first as a rule of the filter.
func (c *Control) List(ctx context.Context, f store.Filter) ([]*Transfer, error) {
	return c.Listed(ctx, Pick{Filter: f})
}

// Listed is List by what holds them as well. Errors: those of Check too.
func (c *Control) Listed(ctx context.Context, p Pick) ([]*Transfer, error) {
	list, err := c.picked(ctx, p)
	if err != nil {
		return nil, err
	}
	there, err := c.places(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]*Transfer, len(list))
	for n, t := range list {
		out[n] = c.view(t)
		out[n].WaitsForPlace = there.wanted(t)
	}
	return out, nil
}

// Show reads all that is known of one transfer. Errors: those of Find.
func (c *Control) Show(ctx context.Context, id string) (*Detail, error) {
	t, err := c.Find(ctx, id)
	if err != nil {
		return nil, err
	}
	d := &Detail{
		Transfer: *c.view(t), Place: t.Place, WorkPath: t.WorkPath, FinalPath: t.FinalPath,
		BackedUp: at(t.BackedUpAt), Form: t.Form, Encoding: t.Encoding,
		MessageSize: t.MessageSize, DataSize: t.DataSize, PerBlock: t.PerBlock,
		FileDigest: t.FileDigest, WireDigest: t.WireDigest, Response: t.Response,
		Proofs: c.proofs(t.Proofs), ErrorPath: t.ErrorPath, ResultFile: t.Result, Released: at(t.ReleasedAt),
	}
	if d.BackedUp != nil {
		d.BackupPath = t.BackupPath // before that it is only an intention
	}
	there, err := c.places(ctx)
	if err != nil {
		return nil, err
	}
	d.WaitsForPlace = there.wanted(t)
	if t.WorkPath != "" && t.BackedUpAt.IsZero() && t.Status != transfer.Storing && t.Status != transfer.Refused && !there[t.Place] {
		d.BackupWaits = t.Place
	}
	if d.Troubles, err = c.troublesOf(ctx, t); err != nil {
		return nil, err
	}
	infos, err := c.s.BlockInfos(ctx, t.ID)
	if err != nil {
		return nil, err
	}
	d.Map = blockMap(t, infos)
	if d.History, err = c.history(ctx, t.ID); err != nil {
		return nil, err
	}
	d.Sessions, err = c.sessionsOf(ctx, d)
	return d, err
}

// blockMap is what is held, block by block, with a line for each block before
// the last that is not there at all. How many sequences the last block has is
// only known when the file is whole; until then it counts as far as it came.
func blockMap(t *transfer.Transfer, infos []store.BlockInfo) []Block {
	byNumber := make(map[int64]*store.BlockInfo, len(infos))
	last := int64(0)
	for n := range infos {
		byNumber[infos[n].Number] = &infos[n]
		last = max(last, infos[n].Number)
	}
	if len(infos) > 0 {
		last = max(last, t.Blocks)
	}
	out := make([]Block, 0, last)
	for number := int64(1); number <= last; number++ {
		b := Block{Number: number, State: BlockNothing}
		info := byNumber[number]
		known := number < last || t.WireDigest != "" || t.Proofs != "" || t.WireSize > 0
		switch {
		case t.WireSize > 0 && t.DataSize > 0 && t.PerBlock > 0:
			_, _, b.Sequences = t.Geometry().BlockRange(number, t.WireSize)
		case number < last:
			b.Sequences = t.PerBlock
		}
		if info != nil {
			b.Held, b.Bytes = info.Held.Count(), info.Size
			// A counterparty may fill its telegrams otherwise than we assume.
			b.Sequences = max(b.Sequences, info.Held.Last())
			if t.Proofs != "" {
				b.Sequences = info.Held.Last()
			}
			for seq := info.Held.NextMissing(1, b.Sequences); seq > 0; seq = info.Held.NextMissing(seq+1, b.Sequences) {
				b.Missing = append(b.Missing, seq)
			}
			b.State = BlockPart
			if len(b.Missing) == 0 && known {
				b.State = BlockWhole
			}
		}
		out = append(out, b)
	}
	return out
}

// history joins what happened with what people ordered, by time. The change
// of status that an order made stands in both; the order says more.
func (c *Control) history(ctx context.Context, id string) ([]Entry, error) {
	events, err := c.s.Events(ctx, store.EventFilter{TransferID: id})
	if err != nil {
		return nil, err
	}
	orders, err := c.s.Commands(ctx, store.CommandFilter{TransferID: id})
	if err != nil {
		return nil, err
	}
	out := make([]Entry, 0, len(events)+len(orders))
	for _, o := range orders {
		out = append(out, Entry{
			At: o.At, Kind: o.Name, From: string(o.Before), To: string(o.After),
			Who: o.Who, Login: o.Login, Host: o.Host, Reason: o.Reason, Subject: o.Subject, Approver: o.Approver,
			Before: raw(o.BeforeFields), After: raw(o.AfterFields), order: true,
		})
	}
	for _, e := range events {
		if e.Kind == store.EventStatus && slices.ContainsFunc(out[:len(orders)], func(o Entry) bool {
			return o.At.Equal(e.At) && o.From == string(e.From) && o.To == string(e.To)
		}) {
			continue
		}
		entry := Entry{
			At: e.At, Kind: e.Kind, From: string(e.From), To: string(e.To), Session: e.SessionID,
			Error: c.failureOf(id, e.SessionID, e.Code, e.Detail),
		}
		ofBefore := e.Kind == store.EventStatus && underWay(e.To) // the row still has the failure of the attempt before
		if ofBefore || e.Kind == eventErrorFile {
			entry.Error = nil
		}
		if entry.Error == nil && !ofBefore && e.Detail != "" && e.Detail != "{}" {
			entry.Detail = raw(e.Detail)
			entry.Text = c.inText(e)
		}
		out = append(out, entry)
	}
	slices.SortStableFunc(out, func(a, b Entry) int { return cmp.Compare(a.At.UnixMicro(), b.At.UnixMicro()) })
	return out, nil
}
