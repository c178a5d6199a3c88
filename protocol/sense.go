package protocol

import (
	"bytes"
	"slices"
	"strconv"

	"pabal/internal/fault"
)

// compileSense holds that what a profile says of two things can both be so.
func (p *Profile) compileSense(c *compiler, spec *Spec) {
	p.endsSense(c, spec)
	p.codesSense(c)
	p.sizesSense(c)
}

// stands compares where a row is with the offset that the document has for it.
func (c *compiler) stands(r row, at int) {
	if r.At != nil && *r.At != at {
		c.problem(r.path+".at", CodeProfileWidth, strconv.Itoa(*r.At), fault.Say("row_at", "at", at))
	}
}

// once are the fields of which a telegram has one row: of two the one that is
// read would be the last, whichever was meant.
func once(f Field) bool {
	return f.IsNumber() && f != Length ||
		slices.Contains([]Field{Type, Direction, Response, Result, SenderName, SenderPassword, Challenge, Password, Serial, Gzip, EBCDIC, QueryKind, QueryName, Range, Map, Data}, f)
}

// hasValueOf reports that one of the rows is of the field, and no constant.
func hasValueOf(rows []place, f Field) bool {
	return slices.ContainsFunc(rows, func(pl place) bool { return pl.field == f && pl.value == nil })
}

// tells reports that no telegram is one of both layouts: there is a place at
// which they have different values.
func tells(a, b *layout) bool {
	for _, v := range a.where {
		for _, w := range b.where {
			if v.at == w.at && !bytes.Equal(v.value, w.value) {
				return true
			}
		}
	}
	return false
}

// endsSense holds that what ends a telegram does not stand in every one.
func (p *Profile) endsSense(c *compiler, spec *Spec) {
	ends := p.frame.ends
	if len(ends) == 0 {
		return
	}
	plain := func(b byte) bool { return b == c.charset.space() || b-c.charset.zero() <= 9 }
	if !slices.ContainsFunc(ends, func(b byte) bool { return !plain(b) }) {
		c.problem("framing.ends", CodeProfileValue, spec.Framing.Ends, fault.Say("ends_fill"))
		return
	}
	p.eachRow(func(k Kind, pl *place) {
		if bytes.Contains(pl.value, ends) {
			c.problem("framing.ends", CodeProfileValue, spec.Framing.Ends, fault.Say("ends_constant", "title", pl.title, "kind", k))
		}
	})
}

// codesSense holds that no refusal of ours reads as anything better to who goes
// by the same table.
func (p *Profile) codesSense(c *compiler) {
	for _, r := range reasons() {
		code, said := p.responses[r]
		if m := p.meanings[code]; said && r != OK && (m == Complete || m == Nothing) && m != r {
			c.problem("responses."+string(r), CodeProfileValue, code,
				fault.Say("code_of_meaning", "meaning", m))
		}
	}
}

// sizesSense finds how large a file can be said to be, and holds that one as
// large as the counterparty takes can be said and numbered.
func (p *Profile) sizesSense(c *compiler) {
	p.mostBytes = 0
	limit := func(pl *place) {
		if most := pl.num.most(pl.width); pl.writes() && (p.mostBytes == 0 || most < p.mostBytes) {
			p.mostBytes = most
		}
	}
	if !p.Files.FileSizes { // else they are about other bytes than those that travel
		p.eachRow(func(k Kind, pl *place) {
			if pl.field == Size && (k == Info && !p.Files.NoSize || k == End || k == EndMore) || pl.field == Held && k == InfoReply {
				limit(pl)
			}
		})
	}
	said := p.Limits.Size
	if said == 0 || p.layouts[DataTelegram] == nil || !p.layouts[DataTelegram].hasData() {
		return
	}
	p.Limits.Size = 0
	most := p.MaxFile(p.MaxData(p.Files.MessageSize))
	if p.Limits.Size = said; said > most {
		c.problem("limits.size", CodeProfileValue, strconv.FormatInt(said, 10),
			fault.Say("size_room", "most", most))
	}
}
