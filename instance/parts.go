package instance

import (
	"context"
	"iter"
	"time"

	"pabal/filemgr"
	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/protocol/machine"
	"pabal/transfer"
)

// Where a profile sorts the data of a file by tags, the tags, the header and
// the trailer are made once, when a file is stored to be sent, and taken off
// once, when a received one is put together (design D3), unless the files of a
// registration have them (parts_own.go). What is stored is what
// travels, so positions, missing numbers and resume need not know of them.

// parts yields what of a registration cannot work with the parts of the
// profile, by the key that says it.
func (n *Institution) parts(f *File) iter.Seq2[string, *fault.Error] {
	return func(yield func(string, *fault.Error) bool) {
		p := n.Profile.Parts
		if f.AllParts && p == nil {
			if !yield("parts", fault.New(CodeAllParts, f.FileID, "profile", n.Profile.Name)) {
				return
			}
		}
		if f.AllParts && f.CheckComes {
			if !yield("checks", fault.New(CodePartsChecks, f.FileID)) {
				return
			}
		}
		if p == nil || f.Direction != transfer.Send {
			return
		}
		if f.AllParts {
			if e := n.ownPartsForm(f); e != nil {
				yield("record", e)
			}
			return
		}
		if records, _ := p.Counts(); records && f.Form.Kind == filemgr.Raw {
			yield("record", fault.New(CodePartsRecords, f.FileID, "profile", n.Profile.Name))
		}
	}
}

// cut is how a file is cut for the line.
type cut struct {
	transfer.Geometry
	messageSize int
	parts       *filemgr.Parts
}

// cut of a file that is stored to be sent. One whose parts were cut for a
// smaller N, because the counterparty takes no more, stays with it.
func (n *Institution) cut(f *File, t *transfer.Transfer) (cut, error) {
	p := n.Profile.Parts
	if p == nil {
		size, err := n.dataSize(f)
		return cut{transfer.Geometry{DataSize: size, PerBlock: n.Profile.Files.PerBlock}, n.messageSize(), nil}, err
	}
	smaller := *n
	if t.MessageSize > 0 && t.MessageSize < n.messageSize() {
		smaller.MessageSize = t.MessageSize
	}
	if !n.Profile.Carriable(smaller.messageSize()) {
		return cut{}, fault.New(CodeMessageSize, n.Code, "message_size", smaller.messageSize(), "profile", n.Profile.Name)
	}
	size, err := smaller.dataSize(f)
	if err != nil {
		return cut{}, err
	}
	if f.AllParts { // they are in the file
		return cut{transfer.Geometry{DataSize: size, PerBlock: n.Profile.Files.PerBlock}, smaller.messageSize(), nil}, nil
	}
	facts := protocol.PartFacts{Name: t.WireName, Date: t.BaseDate, Institution: n.WireCode}
	c := cut{messageSize: smaller.messageSize(), parts: &filemgr.Parts{}, Geometry: transfer.Geometry{
		DataSize: size, PerBlock: n.Profile.Files.PerBlock, Head: p.Size(protocol.HeaderPart), Tail: p.Size(protocol.TrailerPart),
	}}
	if c.Head > 0 {
		if c.parts.Head, err = p.Make(protocol.HeaderPart, facts); err != nil {
			return cut{}, err
		}
	}
	if c.Tail > 0 {
		c.parts.Tail = func(records, bytes int64) ([]byte, error) {
			facts.Records, facts.Bytes = records, bytes
			return p.Make(protocol.TrailerPart, facts)
		}
	}
	return c, nil
}

// shape notes the geometry that blocks are compared with.
func shape(r *transfer.Transfer, g transfer.Geometry) {
	r.DataSize, r.PerBlock, r.HeadSize, r.TailSize = g.DataSize, g.PerBlock, g.Head, g.Tail
}

// cutAnew has a file stored again, for the smaller telegrams that the
// counterparty takes: tags cannot be moved into those.
func (s *session) cutAnew(ctx context.Context, t *transfer.Transfer, o machine.Outcome) {
	s.settle(ctx, t, func(r *transfer.Transfer) {
		r.Status, r.Owner, r.SessionID, r.NextTry = transfer.Storing, "", "", time.Time{}
		r.MessageSize, r.WireDigest, r.SentBytes = o.MessageSize, "", 0
		note(r, o.Err)
	})
	s.log.Info("file is cut anew", "transfer", t.ID, "name", t.Name, "message_size", o.MessageSize)
	s.wake.store.Give()
}

// arriving is the form and the encoding of a file that comes.
func (s *session) arriving(f *File, o machine.Offer) (form, encoding string) {
	e := filemgr.Encoding{Gzip: o.Gzip, EBCDIC: o.EBCDIC}
	p := s.profile.Parts
	switch {
	case p == nil:
		return f.Form.String(), e.String()
	case f.AllParts: // what travels is the file
		return filemgr.Form{Kind: filemgr.Raw}.String(), e.String()
	}
	e.Tag = string(p.DataTag())
	return f.Form.String(), e.String()
}

// trailerTotals reads a file that came whole telegram by telegram: whether its
// parts are in order, and whether it has the records and bytes that the trailer
// says. The payload is read back for it, as nothing else proves what is stored
// (design D2). Of a file without records only the bytes are compared.
func (s *session) trailerTotals(ctx context.Context, t *transfer.Transfer) (transfer.Proof, error) {
	proof := transfer.Proof{Name: transfer.ProofTrailerTotals}
	form := filemgr.Form{Kind: filemgr.Raw}
	if f := s.Instance.file(t); f != nil {
		form = f.Form
	}
	sort := s.profile.Parts.Sort(protocol.PartFacts{Name: t.WireName, Date: t.BaseDate},
		func(date string) string { return protocol.FullDate(date, s.business()) })
	content := func(emit func([]byte) error) error {
		return s.s.Telegrams(ctx, t.ID, func(telegram []byte) error {
			p, err := sort.Telegram(telegram)
			if err != nil || len(p) == 0 {
				return err
			}
			return emit(p)
		})
	}
	held := filemgr.NewRecordCounter(form)
	if err := filemgr.ToFile(ctx, form, filemgr.Encoding{}, 0, content, held); err != nil {
		return proof, err
	}
	said, bytes, err := sort.End()
	if err != nil {
		return proof, err
	}
	records, counted := held.Records()
	hasRecords, hasBytes := s.profile.Parts.Counts()
	if !hasRecords || !counted {
		said.Records, records = -1, -1
	}
	if !hasBytes {
		said.Bytes, bytes = -1, -1
	}
	proof.Expected, proof.Actual = transfer.InOrder(said.Records, said.Bytes), transfer.InOrder(records, bytes)
	return proof, nil
}

// refusal is what the peer is told of a file that is not what it should be.
func refusal(code fault.Code) protocol.Reason {
	switch code {
	case protocol.CodePart, protocol.CodePartOfOther, protocol.CodeNotANumber:
		return protocol.BadFormat
	}
	return protocol.BadSize
}
