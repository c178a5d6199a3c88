package instance

import (
	"maps"
	"time"

	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/transfer"
)

// A registration that sends with `parts: all` gives files that have their
// header and trailer already, and whose every record begins with a tag. Each
// record is a telegram, as it stands; so nothing is made, moved or taken off,
// and what is left to do is to see, before anybody is called, that the
// counterparty would find the parts as the profile says.

// ownPartsForm holds that such files have records of one length, with room for
// a header, for data and for a trailer.
func (n *Institution) ownPartsForm(f *File) *fault.Error {
	p, length := n.Profile.Parts, f.Form.WireRecord(n.encoding(f))
	least := max(p.TagWidth()+1, p.Size(protocol.HeaderPart), p.Size(protocol.TrailerPart))
	if length >= least {
		return nil
	}
	return fault.New(CodeOwnPartsForm, f.FileID, "length", length, "least", least, "profile", n.Profile.Name)
}

// ownParts takes the telegrams of such a file as they are cut. A nil one takes
// all of them.
type ownParts struct {
	name    string
	parts   *protocol.Parts
	sort    *protocol.Sorter
	records int64
}

// ownParts begins a file; nil where the registration has none of the kind.
func (n *Institution) ownParts(f *File, t *transfer.Transfer, base time.Time) *ownParts {
	p := n.Profile.Parts
	if p == nil || !f.AllParts {
		return nil
	}
	return &ownParts{name: t.Name, parts: p, sort: p.Sort(protocol.PartFacts{Name: t.WireName, Date: t.BaseDate},
		func(date string) string { return protocol.FullDate(date, base) })}
}

// block takes the telegrams of the next block. Errors: CodeOwnParts.
func (o *ownParts) block(b *transfer.Block) error {
	if o == nil {
		return nil
	}
	at := 0
	for _, length := range b.Lengths {
		data, err := o.sort.Telegram(b.Payload[at : at+int(length)])
		if err != nil {
			return o.wrong(err)
		}
		if data != nil {
			o.records++
		}
		at += int(length)
	}
	return nil
}

// end holds the trailer against what the file had. Errors: CodeOwnParts,
// CodeOwnTrailer.
func (o *ownParts) end() error {
	if o == nil {
		return nil
	}
	said, bytes, err := o.sort.End()
	if err != nil {
		return o.wrong(err)
	}
	records, size := o.parts.Counts()
	switch {
	case records && said.Records != o.records:
		return fault.New(CodeOwnTrailer, o.name, "field", "records", "trailer", said.Records, "held", o.records)
	case size && said.Bytes != bytes:
		return fault.New(CodeOwnTrailer, o.name, "field", "bytes", "trailer", said.Bytes, "held", bytes)
	}
	return nil
}

func (o *ownParts) wrong(err error) error {
	why := fault.As(err)
	out := fault.New(CodeOwnParts, o.name, "because", why.Code)
	maps.Copy(out.Args, why.Args)
	return out
}
