package protocol

import (
	"fmt"
	"maps"
	"slices"

	"pabal/internal/fault"
)

// made is what stands in a row of which neither a constant nor the value of a
// field travels: exactly one of these.
type made struct {
	echo    Field       // an answer's row: the request's bytes, kept under this field; noField = not
	blank   bool        // an answer's row that is sent blank, and read as any other
	counter *counter    // a running number
	expr    *expression // what an expression makes of other fields
}

// appendMade writes such a row.
func (p *Profile) appendMade(dst []byte, pl *place, t *Telegram) ([]byte, error) {
	m := pl.made
	switch {
	case m.blank:
		return append(dst, pl.blanks(p.charset)...), nil
	case m.echo != noField:
		if v := t.texts[m.echo-numNumbers]; len(v) == pl.width {
			return append(dst, v...), nil
		}
		return append(dst, pl.blanks(p.charset)...), nil // nothing was asked
	case m.counter != nil:
		v, err := m.counter.value(&t.counts, pl.named(), t.Kind)
		if err != nil {
			return dst, err
		}
		return p.appendNumber(dst, pl, t, v)
	}
	number, text, err := m.expr.value(p.charset, t, pl.named())
	switch {
	case err != nil:
		return dst, err
	case m.expr.number:
		return p.appendNumber(dst, pl, t, number)
	}
	v, err := p.charset.encode([]byte(text))
	if err != nil {
		fault.As(err).Subject = pl.named()
		return dst, err
	}
	if len(v) > pl.width {
		return dst, fault.New(CodeDoesNotFit, pl.named(), "kind", t.Kind, "width", pl.width, "value", text)
	}
	return pl.pad(dst, v, pl.width), nil
}

func (p *Profile) appendNumber(dst []byte, pl *place, t *Telegram, v int64) ([]byte, error) {
	at := len(dst)
	dst = pl.pad(dst, nil, pl.width)
	if !pl.num.put(dst[at:], v) {
		return dst[:at], fault.New(CodeDoesNotFit, pl.named(), "kind", t.Kind, "width", pl.width, "value", v)
	}
	return dst, nil
}

// named is how a row is spoken of: a row that the program knows nothing of has
// only the document's own word.
func (p *place) named() string { return p.title }

// repeats says how an answer's row has no value of ours.
func (p *place) repeats() string {
	switch {
	case p.made == nil:
		return ""
	case p.made.blank:
		return replyBlank
	case p.made.echo != noField:
		return replyEcho
	}
	return ""
}

// blanks are the bytes of a row that says nothing.
func (p *place) blanks(c charset) []byte {
	fill := c.space()
	if !p.text {
		fill = 0
	}
	out := make([]byte, p.width)
	for i := range out {
		out[i] = fill
	}
	return out
}

// make compiles what a row says instead of a value. It comes behind place, for
// each telegram that has the row.
func (c *compiler) make(kind Kind, r row, p *place) {
	said := 0
	for _, is := range []bool{r.Value != "", r.Expr != "", r.Counter != CounterSpec{}} {
		if is {
			said++
		}
	}
	switch {
	case said > 1:
		c.problem(r.path, CodeProfileValue, r.Title, fault.Say("one_origin"))
	case r.Expr != "":
		p.made = &made{echo: noField, expr: c.expression(kind, r, p)}
	case r.Counter != CounterSpec{}:
		p.made = &made{echo: noField, counter: c.counter(r, p)}
	}
	if r.Reply == "" || c.one(r.path+".reply", r.Reply, replyWords()...) != r.Reply {
		return
	}
	if p.field == noField {
		c.problem(r.path+".reply", CodeProfileMissing, r.Title, fault.Say("reply_field"))
		return
	}
	if !isReply(kind) {
		return
	}
	if p.span != fixedSpan || relied(c, kind, p.field, r.Reply) {
		c.problem(r.path+".reply", CodeProfileValue, r.Reply,
			fault.Say("relied_on", "field", r.Field, "kind", kind))
		return
	}
	p.value, p.shown = nil, ""
	p.made = &made{echo: noField, blank: r.Reply == replyBlank}
	if r.Reply == replyEcho {
		p.made.echo = c.field(r.path, echoed+r.Field)
	}
}

// What stands in the row of an answer where it is not a value of ours.
const (
	replyEcho  = "echo"
	replyBlank = "blank"
)

// echoed begins the names under which the bytes of requests are kept. No name
// of a profile has a blank in it.
const echoed = "request "

func replyWords() []string { return []string{replyEcho, replyBlank} }

func isReply(kind Kind) bool {
	return slices.ContainsFunc(Kinds(), func(k Kind) bool { return k.Reply() == kind })
}

// relied reports that whoever asked goes by what the answer itself says in this
// field: an echo there would be taken for a statement of ours.
func relied(c *compiler, kind Kind, f Field, how string) bool {
	switch f {
	case Type, Length, DataLength, Data, Map, Missing, Response, Result, Count, Total:
		return true
	case Size:
		return kind == InfoReply && c.sizeHeld || kind == InquiryReply || kind == CancelReply
	case Held:
		return kind == InfoReply
	case MessageSize:
		return kind == InfoReply && how == replyEcho
	case Block, Sequence:
		return kind == CheckReply && how == replyBlank
	}
	return false
}

// nameFields gives the profile's own fields their places before any row is
// compiled, as an expression may name one that stands behind it.
func (c *compiler) nameFields(spec *Spec) {
	add := func(path string, rows []FieldSpec) {
		for i, r := range rows {
			c.field(fmt.Sprintf("%s[%d]", path, i), r.Field)
		}
	}
	add("header", spec.Header)
	for _, name := range slices.Sorted(maps.Keys(spec.Bodies)) {
		add("bodies."+name, spec.Bodies[name])
	}
	for _, k := range Kinds() {
		t := spec.Telegrams[k.String()]
		for _, name := range slices.Sorted(maps.Keys(t.Override)) {
			c.field("telegrams."+k.String()+".override."+name, t.Override[name].Field)
		}
	}
}

// keepEchoes has requests keep the bytes that their answers repeat.
func (p *Profile) keepEchoes(c *compiler, each bool) {
	for _, k := range Kinds() {
		reply := p.layouts[k.Reply()]
		if k.Reply() == NoKind || p.layouts[k] == nil || reply == nil {
			continue
		}
		asking := []*layout{p.layouts[k]}
		if k == Check && each { // data that was sent again is answered like a check
			asking = append(asking, p.layouts[DataTelegram], p.layouts[Resend])
		}
		for i := range reply.places {
			pl := &reply.places[i]
			if pl.made == nil || pl.made.echo == noField {
				continue
			}
			for n, l := range asking {
				if kept := l != nil && l.keep(pl); !kept && n == 0 {
					c.problem("telegrams."+reply.kind.String(), CodeProfileMissing, p.fieldIn(c, pl.field),
						fault.Say("echoed_row", "width", pl.width, "kind", k))
				}
			}
		}
	}
}

// keep has a request's row of the same field kept for the answer's row.
func (l *layout) keep(answer *place) bool {
	for i := range l.places {
		if pl := &l.places[i]; pl.field == answer.field && pl.span == fixedSpan && pl.width == answer.width {
			pl.kept = answer.made.echo
			l.fields |= pl.kept.bit()
			return true
		}
	}
	return false
}

// fieldIn is a field's name while the profile is being compiled.
func (p *Profile) fieldIn(c *compiler, f Field) string {
	for name, own := range c.own {
		if own == f {
			return name
		}
	}
	return p.FieldName(f)
}

// made is what a page says of a row.
func (w *page) made(m *made) string {
	switch {
	case m.blank:
		return w.say("blank", "공란")
	case m.echo != noField:
		return w.say("as in the request", "요구 전문의 값")
	case m.expr != nil:
		return "= `" + m.expr.text + "`"
	}
	c := m.counter
	what := map[clock]string{
		telegramClock: w.say("telegrams of the session", "세션의 전문 일련번호"),
		inFileClock:   w.say("telegrams of the file", "파일별 전문 일련번호"),
		fileClock:     w.say("files of the session", "세션의 파일 일련번호"),
	}[c.clock]
	after := w.say("then none", "초과 시 오류")
	if c.wraps {
		after = w.say("then again", "이후 반복")
	}
	return fmt.Sprintf("%s, %d…%d, %s", what, c.first, c.last, after)
}
