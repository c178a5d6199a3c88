package protocol

import (
	"fmt"
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
	own      map[string]Field
	names    map[string]Field
	problems []fault.Problem
	said     map[string]bool
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
func (c *compiler) problem(path string, code fault.Code, subject, expected string) {
	key := path + " " + string(code) + " " + subject
	if c.said[key] {
		return
	}
	c.said[key] = true
	at, line := lineOf(c.root, path)
	e := fault.New(code, subject, "expected", expected, "line", line, "file", c.origins[at])
	c.problems = append(c.problems, fault.Problem{Path: path, Err: e})
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
		c.problem(path+".field", CodeProfileField, name, fmt.Sprintf("at most %d fields of the profile's own", maxOwn))
		return noField
	}
	f := firstOwn + Field(len(c.own))
	c.own[name] = f
	return f
}

func (c *compiler) place(path string, s FieldSpec) place {
	p := place{title: s.Title, typ: s.Type, field: c.field(path, s.Field), max: s.Max}
	switch s.Type {
	case "N":
		p.numeric = true
	case "AN", "A", "C", "H", "B":
	default:
		c.problem(path+".type", CodeProfileValue, s.Type, "N, A, AN, C, H, B")
	}
	switch s.Width {
	case "last":
		p.span = toLast
	case "rest":
		p.span = toEnd
	default:
		w, err := strconv.Atoi(s.Width)
		if err != nil || w < 1 || w > 9999 {
			c.problem(path+".width", CodeProfileWidth, s.Width, "1…9999, last, rest")
			w = 1
		}
		p.width = w
	}
	if s.Max < 0 {
		c.problem(path+".max", CodeProfileValue, strconv.Itoa(s.Max), "at least 1")
	}
	if s.Value != "" {
		p.value = c.fixed(path+".value", s.Value, p)
	}
	if p.field.IsNumber() && (p.span != fixedSpan || p.width > 18) {
		c.problem(path+".width", CodeProfileWidth, s.Width, "at most 18 digits")
	}
	if p.field == SentAt {
		if _, ok := goFormat(s.Format); !ok {
			c.problem(path+".format", CodeProfileValue, s.Format, "MMddHHmmss, yyMMddHHmmss, yyyyMMddHHmmss")
		} else if len(s.Format) != p.width {
			c.problem(path+".width", CodeProfileWidth, s.Width, strconv.Itoa(len(s.Format)))
		}
	}
	return p
}

// fixed is the constant v as it stands in place p. It must fit: a value that
// is cut off would be another value.
func (c *compiler) fixed(path, v string, p place) []byte {
	if len(v) > p.width {
		c.problem(path, CodeProfileWidth, v, fmt.Sprintf("at most %d bytes", p.width))
	}
	return pad(nil, []byte(v), p.width, p.numeric)
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
				c.problem(at+".width", CodeProfileWidth, o.Width, h.Width)
			}
			h = o
		}
		out = append(out, row{h, at})
	}
	for name := range t.Override {
		if !used[name] {
			c.problem(path+".override."+name, CodeProfileField, name, "a field of the header")
		}
	}
	if t.Body != "" {
		body, ok := spec.Bodies[t.Body]
		if !ok {
			c.problem(path+".body", CodeProfileField, t.Body, "a layout under bodies")
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
		if p.field == Type {
			if len(t.Type) != p.width {
				c.problem(path+".type", CodeProfileWidth, t.Type, fmt.Sprintf("%d characters", p.width))
			}
			p.value = pad(nil, []byte(t.Type), p.width, p.numeric)
		}
		if v, ok := t.Where[r.Field]; ok && r.Field != "" && p.value == nil && p.span == fixedSpan {
			told[r.Field] = true
			p.value = c.fixed(path+".where."+r.Field, v, p)
			l.where = append(l.where, whereValue{field: p.field, value: p.value, at: l.fixed})
		}
		if p.span != fixedSpan {
			l.spans++
			if i != len(rows)-1 {
				c.problem(r.path+".width", CodeProfileWidth, r.Width, "a number: only the last row may be of open width")
			}
		}
		if p.span == toLast && !l.has(Sequence) {
			c.problem(r.path+".width", CodeProfileWidth, r.Width, "a row for the sequence before it")
		}
		if p.field == Length && l.fixed != spec.Framing.Offset {
			l.repeated = append(l.repeated, patch{l.fixed, p.width})
		}
		if p.field != noField {
			p.second = p.field == Name && l.fields&Name.bit() != 0
			l.fields |= p.field.bit()
		}
		l.fixed += p.width
		l.places = append(l.places, p)
		if i < len(spec.Header) {
			l.header = l.fixed
		}
	}
	for name := range t.Where {
		if !told[name] {
			c.problem(path+".where."+name, CodeProfileField, name, "a field of this telegram that has no constant value")
		}
	}
	return l
}

// distinct holds that telegrams of one type can be told apart.
func (c *compiler) distinct(code string, group []*layout) {
	for i, l := range group {
		if len(l.where) == 0 {
			c.problem("telegrams."+l.kind.String(), CodeProfileMissing, "where", "a field that tells it from the others of type "+code)
		}
		for _, other := range group[:i] {
			if sameWhere(l, other) {
				c.problem("telegrams."+l.kind.String()+".where", CodeProfileValue, l.kind.String(),
					"another value than telegrams."+other.kind.String()+" of the same type has")
			}
		}
	}
}

func sameWhere(a, b *layout) bool {
	words := func(l *layout) string {
		var w strings.Builder
		for _, v := range l.where {
			fmt.Fprintf(&w, "%d=%s\n", v.at, v.value)
		}
		return w.String()
	}
	return words(a) == words(b)
}

// mapFits reports whether the map of a full block has room in its answer.
func mapFits(l *layout, perBlock, mapWidth, most int) bool {
	if l == nil || !l.has(Map) {
		return true
	}
	if mapWidth > 0 {
		return mapWidth >= perBlock && mapWidth <= transfer.MaxPerBlock
	}
	return l.fixed+perBlock <= most
}
