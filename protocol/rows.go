package protocol

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"pabal/internal/fault"
	"pabal/transfer"
)

// compiler gathers problems and the profile's own field names.
type compiler struct {
	root     *yaml.Node // the document, for the lines of problems; nil without one
	origins  origins    // whose lines they are
	charset  charset
	own      map[string]Field
	names    map[string]Field
	problems []fault.Problem
	doubts   []fault.Problem
	said     map[string]bool
	sizeHeld bool // the size in the answer to an announcement is that of what is held
}

func newCompiler(root *yaml.Node, from origins) *compiler {
	c := &compiler{root: root, origins: from, own: map[string]Field{}, names: map[string]Field{}, said: map[string]bool{}}
	for i, n := range fieldNames() {
		c.names[n] = Field(i)
	}
	return c
}

// problem notes what is wrong at path, once: a row of the header is compiled
// for every telegram.
func (c *compiler) problem(path string, code fault.Code, subject string, expected fault.Phrase) {
	key := path + " " + string(code) + " " + subject
	if c.said[key] {
		return
	}
	c.said[key] = true
	at, line := lineOf(c.root, path)
	if zero := subject == "" || subject == "0" || subject == "0s"; zero && (code == CodeProfileValue || code == CodeProfileWidth) && !hasKey(c.root, path) {
		code = CodeProfileAbsent // who forgot a key has not written its zero value
	}
	e := fault.New(code, subject, "expected", expected, "line", line, "file", c.origins[at])
	c.problems = append(c.problems, fault.Problem{Path: path, Err: e})
}

// hasKey reports that the document says something at a path, whatever it is.
func hasKey(root *yaml.Node, path string) bool {
	dot := strings.LastIndexByte(path, '.')
	if root == nil || strings.HasSuffix(path, "]") { // an item of a list is there
		return true
	}
	at, _ := lineOf(root, path[:max(0, dot)])
	next, _ := child(at, path[dot+1:])
	return next != nil
}

// field finds a field by name; a name that is not ours becomes the profile's own.
func (c *compiler) field(path, name string) Field {
	if name == "" {
		return noField
	}
	if f, ok := c.names[name]; ok {
		return f
	}
	if f, ok := c.own[name]; ok {
		return f
	}
	if len(c.own) == maxOwn {
		c.problem(path+".field", CodeProfileField, name, fault.Say("most_own", "most", maxOwn))
		return noField
	}
	f := firstOwn + Field(len(c.own))
	c.own[name] = f
	c.doubtName(path, name)
	return f
}

func (c *compiler) place(path string, s FieldSpec) place {
	p := place{title: s.Title, typ: s.Type, field: c.field(path, s.Field), kept: noField, max: s.Max, text: true, fill: c.charset.space()}
	p.num = number{zero: c.charset.zero(), fill: c.charset.zero()}
	switch s.Type {
	case "N":
		p.right, p.fill = true, p.num.zero
	case "AN", "A", "C", "H":
	case "B":
		p.text = false
	case "I", "IL":
		p.num.binary, p.right, p.text, p.fill = highFirst, true, false, 0
		if s.Type == "IL" {
			p.num.binary = lowFirst
		}
	default:
		c.problem(path+".type", CodeProfileValue, s.Type, fault.Say("one_of", "known", "N, A, AN, C, H, B, I, IL"))
	}
	c.shape(path, s, &p)
	switch s.Width {
	case "last":
		p.span = toLast
	case "rest":
		p.span = toEnd
	default:
		w, err := strconv.Atoi(s.Width)
		if err != nil || w < 1 || w > 9999 {
			c.problem(path+".width", CodeProfileWidth, s.Width, fault.Say("one_of", "known", "1…9999, last, rest"))
			w = 1
		}
		p.width = w
	}
	if s.Max < 0 {
		c.problem(path+".max", CodeProfileValue, strconv.Itoa(s.Max), fault.Say("at_least", "least", 1))
	}
	if s.Value != "" {
		p.value, p.shown = c.fixed(path+".value", s.Value, &p), s.Value
	}
	c.doubtDigits(path, s, p.field)
	c.numeric(path, s, &p)
	c.dated(path, s, &p)
	return p
}

// shape reads how a value stands in its place where the type does not say.
func (c *compiler) shape(path string, s FieldSpec, p *place) {
	p.trim = s.Align != "" || s.Fill != ""
	switch s.Align {
	case "", "left", "right":
		p.right = s.Align == "right" || s.Align == "" && p.right
	default:
		c.problem(path+".align", CodeProfileValue, s.Align, fault.Say("one_of", "known", "left, right"))
	}
	if s.Fill == "" {
		return
	}
	fill, err := c.charset.encode([]byte(s.Fill))
	if err != nil || len(fill) != 1 || p.num.binary != inDigits {
		c.problem(path+".fill", CodeProfileValue, s.Fill, fault.Say("a_fill"))
		return
	}
	p.fill, p.num.fill = fill[0], fill[0]
}

// numeric holds that a number of ours stands where a number can.
func (c *compiler) numeric(path string, s FieldSpec, p *place) {
	most := 18
	if p.num.binary != inDigits {
		most = 7
	}
	switch {
	case p.field.IsNumber() && s.Type == "B":
		c.problem(path+".type", CodeProfileValue, s.Type, fault.Say("type_of_number"))
	case !p.field.IsNumber() && p.num.binary != inDigits && s.Expr == "" && s.Counter == CounterSpec{}:
		c.problem(path+".type", CodeProfileValue, s.Type, fault.Say("number_field"))
	case p.field.IsNumber() && (p.span != fixedSpan || p.width > most):
		c.problem(path+".width", CodeProfileWidth, s.Width, fault.Say("most_digits", "most", most))
	case p.field.IsNumber() && !p.right:
		if p.num.fill = p.num.zero; s.Align != "" {
			c.problem(path+".align", CodeProfileValue, s.Align, fault.Say("right_number"))
		}
	}
	if s.Counts != "" && p.field != Length {
		c.problem(path+".counts", CodeProfileField, s.Field, fault.Say("counts_of_length"))
	}
}

// dated reads the pattern of a moment or date.
func (c *compiler) dated(path string, s FieldSpec, p *place) {
	if s.Format == "" && p.field != SentAt {
		return
	}
	picks, ok := parsePattern(s.Format)
	switch {
	case !p.field.isDate():
		c.problem(path+".format", CodeProfileField, s.Field, fault.Say("one_of", "known", "sent_at, date, end_date, query_date"))
	case !ok || p.field != SentAt && picks.most() > len("yyyyMMdd"):
		c.problem(path+".format", CodeProfileValue, s.Format, fault.Say("date_pattern"))
	case len(s.Format) != p.width:
		c.problem(path+".width", CodeProfileWidth, s.Width, fault.Say("format_width", "width", len(s.Format)))
	}
	p.picks = picks
}

// fixed is the constant v as it travels in place p. It must fit: a value that
// is cut off would be another value.
func (c *compiler) fixed(path, v string, p *place) []byte {
	wire, err := []byte(v), error(nil)
	switch digits, isHex := strings.CutPrefix(v, hexMark); {
	case isHex:
		wire, err = unhex(digits)
	case p.num.binary != inDigits:
		n, bad := strconv.ParseInt(v, 10, 64)
		wire = make([]byte, p.width)
		if err = bad; err == nil && !p.num.put(wire, n) {
			wire = make([]byte, p.width+1)
		}
	default:
		wire, err = c.charset.encode(wire)
	}
	if err != nil {
		c.problem(path, CodeProfileValue, v, fault.Say("a_constant"))
	}
	if len(wire) > p.width {
		c.problem(path, CodeProfileWidth, v, fault.Say("most_bytes", "most", p.width))
	}
	return p.pad(nil, wire, p.width)
}

// hexMark begins a value that is written as bytes.
const hexMark = "hex:"

func unhex(s string) ([]byte, error) {
	return hex.DecodeString(strings.ReplaceAll(s, " ", ""))
}

// row is one row of a telegram with where it is written down.
type row struct {
	FieldSpec
	path string
}

// rows puts header, overrides and body of a telegram behind one another.
func (c *compiler) rows(path string, spec *Spec, t TelegramSpec) []row {
	out := make([]row, 0, len(spec.Header)+12)
	used := map[string]bool{}
	for i, h := range spec.Header {
		at := fmt.Sprintf("header[%d]", i)
		if o, ok := t.Override[h.Field]; ok && h.Field != "" {
			used[h.Field] = true
			at = path + ".override." + h.Field
			if o.Width != h.Width {
				c.problem(at+".width", CodeProfileWidth, o.Width, fault.Say("header_width", "width", h.Width))
			}
			h = o
		}
		out = append(out, row{h, at})
	}
	for name := range t.Override {
		if !used[name] {
			c.problem(path+".override."+name, CodeProfileField, name, fault.Say("header_field"))
		}
	}
	if t.Body != "" {
		body, ok := spec.Bodies[t.Body]
		if !ok {
			c.problem(path+".body", CodeProfileField, t.Body, fault.Say("a_body"))
		}
		for i, b := range body {
			out = append(out, row{b, fmt.Sprintf("bodies.%s[%d]", t.Body, i)})
		}
	}
	return out
}

// build makes the layout of one telegram.
func (c *compiler) build(kind Kind, path string, spec *Spec, t TelegramSpec) *layout {
	l := &layout{kind: kind, title: t.Title, typeCode: t.Type}
	rows := c.rows(path, spec, t)
	told := map[string]bool{}
	for i, r := range rows {
		p := c.place(r.path, r.FieldSpec)
		c.make(kind, r, &p)
		if p.field == Type {
			if len(t.Type) != p.width {
				c.problem(path+".type", CodeProfileWidth, t.Type, fault.Say("characters", "width", p.width))
			}
			p.value, p.shown = c.fixed(path+".type", t.Type, &p), t.Type
			l.typeWire = string(p.value)
		}
		if v, ok := t.Where[r.Field]; ok && r.Field != "" && p.value == nil && p.made == nil && p.span == fixedSpan {
			told[r.Field] = true
			p.value, p.shown = c.fixed(path+".where."+r.Field, v, &p), v
			l.where = append(l.where, whereValue{field: p.field, shown: v, value: p.value, at: l.fixed})
		}
		c.stands(r, l.fixed)
		if p.span != fixedSpan {
			l.spans++
			if i != len(rows)-1 {
				c.problem(r.path+".width", CodeProfileWidth, r.Width, fault.Say("fixed_row"))
			}
		}
		if p.span == toLast && !l.has(Sequence) {
			c.problem(r.path+".width", CodeProfileWidth, r.Width, fault.Say("sequence_before"))
		}
		if p.field == Length && (l.fixed != spec.Framing.Offset || spec.Framing.Width == 0) {
			before, ok := lengthBefore(r.Counts, spec, l.fixed, p.width)
			if r.Counts != "" && !ok {
				c.problem(r.path+".counts", CodeProfileValue, r.Counts, fault.Say("one_of", "known", countsWords))
			}
			l.repeated = append(l.repeated, patch{at: l.fixed, width: p.width, num: p.num, before: before})
		} else if p.field == Length && r.Counts != "" {
			c.problem(r.path+".counts", CodeProfileValue, r.Counts, fault.Say("counts_of_framing"))
		}
		if p.field != noField {
			before := l.places
			if i >= len(spec.Header) {
				before = l.places[len(spec.Header):] // a header may say what a body says again
			}
			if once(p.field) && p.value == nil && hasValueOf(before, p.field) {
				c.problem(r.path+".field", CodeProfileField, r.Field, fault.Say("field_twice", "where", path))
			}
			p.second = (p.field == Name || p.field == Date) && l.fields&p.field.bit() != 0
			l.fields |= p.field.bit()
		}
		l.fixed += p.width
		l.places = append(l.places, p)
		if i < len(spec.Header) {
			l.header = l.fixed
		}
	}
	if t.Bytes != 0 && t.Bytes != l.fixed {
		c.problem(path+".bytes", CodeProfileWidth, strconv.Itoa(t.Bytes), fault.Say("bytes_of_rows", "bytes", l.fixed))
	}
	for name := range t.Where {
		if !told[name] {
			c.problem(path+".where."+name, CodeProfileField, name, fault.Say("where_field"))
		}
	}
	return l
}

// distinct holds that telegrams of one type can be told apart.
func (c *compiler) distinct(code string, group []*layout) {
	for i, l := range group {
		if len(l.where) == 0 {
			c.problem("telegrams."+l.kind.String(), CodeProfileMissing, "where", fault.Say("where", "type", code))
		}
		for _, other := range group[:i] {
			if len(l.where) > 0 && len(other.where) > 0 && !tells(l, other) {
				c.problem("telegrams."+l.kind.String()+".where", CodeProfileValue, l.kind.String(),
					fault.Say("where_value", "kind", other.kind))
			}
		}
	}
}

// mapFits reports whether the map of a full block has room in its answer.
func mapFits(l *layout, perBlock, mapWidth, most int) bool {
	if l == nil || !l.has(Map) {
		return true
	}
	if mapWidth > 0 {
		row := slices.IndexFunc(l.places, func(p place) bool { return p.field == Map })
		if pl := &l.places[row]; pl.span == fixedSpan && pl.width < mapWidth {
			return false
		}
		return mapWidth >= perBlock && mapWidth <= transfer.MaxPerBlock
	}
	return l.fixed+perBlock <= most
}
