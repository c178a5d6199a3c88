package simulator

import (
	"cmp"
	"fmt"

	"pabal/filemgr"
	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/transfer"
)

// Where the profile sorts the data of a file by tags: how a file to give is cut,
// and how one that was taken comes apart again.

// geometry is how files to give are cut.
func (g *giver) geometry() transfer.Geometry {
	geo := transfer.Geometry{DataSize: g.dataSize, PerBlock: g.opt.Profile.Files.PerBlock}
	if p := g.opt.Profile.Parts; p != nil {
		geo.Head, geo.Tail = p.Size(protocol.HeaderPart), p.Size(protocol.TrailerPart)
	}
	return geo
}

// parts are the header and trailer of a file to give; nil where the profile has
// none. A file of which an earlier session left a note keeps its date: it
// stands in the header, and the file is to be the same.
func (g *giver) parts(gi *gift) (*filemgr.Parts, error) {
	p := g.opt.Profile.Parts
	if p == nil {
		return nil, nil
	}
	g.mu.Lock()
	gi.date = cmp.Or(gi.date, g.known[gi.file].Date, g.today())
	g.mu.Unlock()
	facts := protocol.PartFacts{Name: gi.name, Date: gi.date, Institution: g.opt.Institution}
	out, err := &filemgr.Parts{}, error(nil)
	if p.Size(protocol.HeaderPart) > 0 {
		out.Head, err = p.Make(protocol.HeaderPart, facts)
	}
	if p.Size(protocol.TrailerPart) > 0 {
		out.Tail = func(records, bytes int64) ([]byte, error) {
			facts.Records, facts.Bytes = records, bytes
			return p.Make(protocol.TrailerPart, facts)
		}
	}
	return out, err
}

// geometry is how a half file was cut, as far as its first telegrams tell.
func (h *half) geometry(p *protocol.Profile) transfer.Geometry {
	g := transfer.Geometry{DataSize: h.DataSize, PerBlock: p.Files.PerBlock, Head: h.Head}
	if p.Parts != nil {
		g.Tail = p.Parts.Size(protocol.TrailerPart)
	}
	return g
}

// measure learns from the first telegrams how the file is cut, and says that it
// knows now.
func (h *half) measure(p *protocol.Profile, b *transfer.Block) bool {
	first := 1
	if p.Parts != nil && p.Parts.Size(protocol.HeaderPart) > 0 {
		first = 2
		if p.Files.PerBlock == 1 && b.Number == 1 { // the second comes with the next block
			h.Head = int(b.Lengths[0])
			return false
		}
		if p.Files.PerBlock == 1 {
			first = 1
		}
	}
	if h.DataSize != 0 || !b.Held.Has(first) || !b.Held.Has(1) {
		return false
	}
	if first == 2 {
		h.Head = int(b.Lengths[0])
	}
	h.DataSize = int(b.Lengths[first-1])
	return true
}

// lengths are those of the first telegrams of a block.
func lengths(g transfer.Geometry, block int64, telegrams int, size int64) []uint16 {
	out := make([]uint16, telegrams)
	for n := range out {
		at := g.Offset(transfer.Position{Block: block, Seq: n + 1}, size)
		out[n] = uint16(g.Offset(transfer.Position{Block: block, Seq: n + 2}, size) - at)
	}
	return out
}

// cells are the lengths of the telegrams that came in this session, by block.
type cells struct {
	from   int64 // number of the first block; 0 = 1
	blocks [][]uint16
}

func (c *cells) put(b *transfer.Block) {
	at := int(b.Number - max(1, c.from))
	for len(c.blocks) <= at {
		c.blocks = append(c.blocks, nil)
	}
	c.blocks[at] = append(c.blocks[at][:0], b.Lengths...)
}

// all are the lengths of all telegrams of a file that came whole: those of
// earlier sessions as the file was cut, for the rest as they came.
func (h *half) all(p *protocol.Profile) []uint16 {
	var out []uint16
	g := h.geometry(p)
	for block := int64(1); block < h.cells.from; block++ {
		_, _, last := g.BlockRange(block, h.Size)
		out = append(out, lengths(g, block, last, h.Size)...)
	}
	if len(h.cells.blocks) == 0 && h.cells.from > 0 {
		_, _, last := g.BlockRange(h.cells.from, h.Size)
		out = append(out, lengths(g, h.cells.from, last, h.Size)...)
	}
	for _, b := range h.cells.blocks {
		out = append(out, b...)
	}
	return out
}

// sorted is what a file has between header and trailer; totals compares it,
// when it has been read, with what the trailer says.
func (t *taker) sorted(h *half, source filemgr.Source) (content filemgr.Source, totals func() error) {
	p := t.opt.Profile
	sort := p.Parts.Sort(protocol.PartFacts{Name: h.Name, Date: h.Date},
		func(date string) string { return protocol.FullDate(date, t.opt.Now()) })
	held := filemgr.NewRecordCounter(t.opt.form())
	content = func(emit func([]byte) error) error {
		all, part := h.all(p), []byte(nil)
		return source(func(b []byte) error {
			for part = append(part, b...); len(all) > 0 && len(part) >= int(all[0]); all = all[1:] {
				data, err := sort.Telegram(part[:all[0]])
				if err == nil {
					_, _ = held.Write(data)
					err = emit(data)
				}
				if err != nil {
					return err
				}
				part = part[all[0]:]
			}
			return nil
		})
	}
	return content, func() error {
		said, bytes, err := sort.End()
		if err != nil {
			return err
		}
		hasRecords, hasBytes := p.Parts.Counts()
		records, counted := held.Records()
		for _, c := range []struct {
			what       fault.Phrase
			has        bool
			said, came int64
		}{{fault.Say("trailer_records"), hasRecords && counted, said.Records, records}, {fault.Say("trailer_bytes"), hasBytes, said.Bytes, bytes}} {
			if c.has && c.said != c.came {
				return fault.New(CodeBadProof, h.Name, "what", c.what, "declared", fmt.Sprint(c.said), "held", c.came)
			}
		}
		return nil
	}
}
