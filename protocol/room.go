package protocol

import (
	"slices"
	"strconv"

	"pabal/internal/fault"
	"pabal/transfer"
)

// What a row must hold can be known before anybody is called: the longest name,
// the agreed size, the most that can be missing. One that is too narrow for it
// would end a session with an error, one day, with a file that nobody tried.

// writes reports that a value of ours stands in the row, in so many bytes: no
// constant, nothing made, no row of open width.
func (p *place) writes() bool { return p.value == nil && p.made == nil && p.span == fixedSpan }

// eachRow goes over the rows of all telegrams, the announcement's first: what is
// wrong in the header is said of it. Where missing data has no telegram of its
// own its rows are those of data.
func (p *Profile) eachRow(look func(k Kind, pl *place)) {
	for _, k := range append([]Kind{Info}, Kinds()...) {
		if l := p.layouts[k]; l != nil && l.kind == k {
			for i := range l.places {
				look(k, &l.places[i])
			}
		}
	}
}

// compileRoom holds that rows have room for what must stand in them.
func (p *Profile) compileRoom(c *compiler) {
	p.nameRoom(c)
	p.numberRoom(c)
	p.mapRoom(c)
	p.codeRoom(c)
	p.eachRow(func(k Kind, pl *place) {
		if pl.field == SenderPassword && pl.writes() && p.Session.Cipher == KFTCCipher && pl.width < passwordWidth {
			c.problem("session.cipher", CodeProfileWidth, string(KFTCCipher),
				fault.Say("password_room", "width", passwordWidth, "kind", k, "has", pl.width))
		}
	})
}

// nameRoom holds that the longest name fits every row that a name stands in. A
// fetch names no file.
func (p *Profile) nameRoom(c *compiler) {
	least, at := p.Files.NameWidth, ""
	narrow := func(where string, pl *place) {
		if (pl.field == Name || pl.field == QueryName) && pl.writes() && pl.width < least {
			least, at = pl.width, where
		}
	}
	p.eachRow(func(k Kind, pl *place) {
		if k != Fetch && k != FetchReply {
			narrow("telegrams."+k.String(), pl)
		}
	})
	if p.Parts != nil {
		for of, l := range p.Parts.rows {
			for i := 0; l != nil && i < len(l.places); i++ {
				narrow("parts."+Part(of).String(), &l.places[i])
			}
		}
	}
	if at != "" {
		c.problem("files.name_width", CodeProfileWidth, strconv.Itoa(p.Files.NameWidth),
			fault.Say("name_room", "most", least, "where", at))
	}
}

// numberRoom holds that numbers which are known beforehand fit their rows.
func (p *Profile) numberRoom(c *compiler) {
	data := p.layouts[DataTelegram]
	if data == nil || !data.hasData() {
		return
	}
	size, most := p.Files.MessageSize, p.MaxData(p.Files.MessageSize)
	p.eachRow(func(k Kind, pl *place) {
		holds := pl.num.most(pl.width)
		switch {
		case !pl.writes() || !pl.field.IsNumber():
		case pl.field == DataLength && holds < int64(most) && (k == DataTelegram || k == Resend):
			c.problem("files.message_size", CodeProfileValue, strconv.Itoa(size),
				fault.Say("data_length_room", "most", size-most+int(holds), "kind", k, "holds", holds))
		case pl.field == MessageSize && holds < int64(size):
			c.problem("files.message_size", CodeProfileValue, strconv.Itoa(size),
				fault.Say("message_size_room", "most", holds, "kind", k))
		case pl.field == Missing && k == CheckReply && holds < int64(p.Files.PerBlock):
			c.problem("files.per_block", CodeProfileValue, strconv.Itoa(p.Files.PerBlock),
				fault.Say("missing_room", "most", holds, "kind", k))
		}
	})
	for _, k := range []Kind{DataTelegram, Resend} {
		l := p.layouts[k]
		if l == nil || l.kind != k || p.Files.Whole {
			continue
		}
		for _, r := range l.repeated {
			if says := r.num.most(r.width) + int64(r.before); says < int64(l.fixed+most) {
				c.problem("telegrams."+k.String(), CodeProfileWidth, strconv.Itoa(r.width),
					fault.Say("further_length", "offset", r.at, "width", l.fixed+most))
			}
		}
	}
}

// mapRoom holds that the answer to a check can say all that may be missing.
func (p *Profile) mapRoom(c *compiler) {
	l, f := p.layouts[CheckReply], &p.Files
	if l == nil || !l.has(Map) {
		return
	}
	row := &l.places[slices.IndexFunc(l.places, func(pl place) bool { return pl.field == Map })]
	if f.MapNumbers {
		if _, width := p.sequenceRow(); l.fixed+width*f.PerBlock > p.frame.maxTotal {
			c.problem("files.per_block", CodeProfileValue, strconv.Itoa(f.PerBlock),
				fault.Say("list_room", "most", max(0, p.frame.maxTotal-l.fixed)/max(1, width), "kind", CheckReply))
		}
		return
	}
	switch {
	case !row.writes() && row.span == fixedSpan:
	case f.MapWidth > 0 && row.span == toLast:
		c.problem("files.map_width", CodeProfileWidth, strconv.Itoa(f.MapWidth),
			fault.Say("map_to_last", "kind", CheckReply, "width", f.MapWidth))
	case f.MapWidth == 0 && row.span == fixedSpan && (row.right || row.width < f.PerBlock):
		c.problem("files.map_width", CodeProfileValue, "0",
			fault.Say("map_of_width", "width", min(row.width, transfer.MaxPerBlock), "kind", CheckReply))
	}
}

// codeRoom holds that response codes, and the centre's code, have one width
// wherever they stand.
func (p *Profile) codeRoom(c *compiler) {
	width := p.Width(OpenReply, Response)
	p.eachRow(func(k Kind, pl *place) {
		switch {
		case pl.field == Response && isReply(k) && pl.writes() && width > 0 && pl.width != width:
			c.problem("telegrams."+k.String(), CodeProfileWidth, strconv.Itoa(pl.width),
				fault.Say("response_width", "width", width, "kind", OpenReply))
		case (pl.field == From || pl.field == To) && pl.writes() && len(p.Session.Hub) > pl.width:
			c.problem("session.hub", CodeProfileWidth, p.Session.Hub,
				fault.Say("row_room", "most", pl.width, "field", p.fieldIn(c, pl.field), "kind", k))
		}
	})
}
