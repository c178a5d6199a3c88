package protocol

import (
	"fmt"
	"strconv"
	"time"

	"pabal/internal/fault"
)

// place is one compiled row of a layout: so many bytes, meaning one field.
type place struct {
	title   string
	field   Field // noField = filler or constant
	numeric bool  // zero filled, right aligned; else space filled, left aligned
	width   int   // bytes; 0 for toLast and toEnd
	span    span
	max     int    // for toEnd
	value   []byte // constant, already padded
}

type span uint8

const (
	fixedSpan span = iota
	toLast         // one byte per sequence, 1…the sequence field
	toEnd          // what is left of the telegram
)

// layout is one telegram, header and body, flat.
type layout struct {
	kind     Kind
	title    string
	typeCode string
	where    []whereValue
	places   []place
	fixed    int // bytes of the places of fixed width
	spans    int // how many places are not of fixed width (0 or 1)
	header   int // bytes of the header
}

type whereValue struct {
	field Field
	value []byte // padded to the field's width
	at    int    // offset in the telegram
}

// compiler gathers problems and the profile's own field names.
type compiler struct {
	own      map[string]Field
	names    map[string]Field
	problems []fault.Problem
}

func newCompiler() *compiler {
	c := &compiler{own: map[string]Field{}, names: map[string]Field{}}
	for i, n := range fieldNames() {
		c.names[n] = Field(i)
	}
	return c
}

func (c *compiler) problem(path string, line int, code fault.Code, subject string, kv ...any) {
	e := fault.New(code, subject, kv...)
	if e.Args == nil {
		e.Args = fault.Args{}
	}
	e.Args["line"] = strconv.Itoa(line)
	c.problems = append(c.problems, fault.Problem{Path: path, Err: e})
}

// field finds a field by name; a name that is not ours becomes the profile's own.
func (c *compiler) field(path string, line int, name string) Field {
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
		c.problem(path, line, CodeProfileField, name, "expected", fmt.Sprintf("at most %d fields of the profile's own", maxOwn))
		return noField
	}
	f := firstOwn + Field(len(c.own))
	c.own[name] = f
	return f
}

func (c *compiler) place(path string, s FieldSpec) place {
	p := place{title: s.Title, field: c.field(path, s.Line, s.Field), max: s.Max}
	switch s.Type {
	case "N":
		p.numeric = true
	case "AN", "A", "C", "H", "B":
	default:
		c.problem(path+".type", s.Line, CodeProfileValue, s.Type, "expected", "N, A, AN, C, H, B")
	}
	switch s.Width {
	case "last":
		p.span = toLast
	case "rest":
		p.span = toEnd
	default:
		w, err := strconv.Atoi(s.Width)
		if err != nil || w < 1 || w > 9999 {
			c.problem(path+".width", s.Line, CodeProfileWidth, s.Width, "expected", "1…9999, last, rest")
			w = 1
		}
		p.width = w
	}
	if s.Value != "" {
		if len(s.Value) > p.width {
			c.problem(path+".value", s.Line, CodeProfileWidth, s.Value, "expected", fmt.Sprintf("at most %d bytes", p.width))
		} else {
			p.value = pad(nil, []byte(s.Value), p.width, p.numeric)
		}
	}
	if p.field.IsNumber() && p.width > 18 {
		c.problem(path+".width", s.Line, CodeProfileWidth, s.Width, "expected", "at most 18 digits")
	}
	if p.field == SentAt && s.Format == "" {
		c.problem(path+".format", s.Line, CodeProfileMissing, "format", "expected", "MMddHHmmss, yyMMddHHmmss, yyyyMMddHHmmss")
	}
	return p
}

// build makes the layout of one telegram.
func (c *compiler) build(kind Kind, path string, spec *Spec, t TelegramSpec) *layout {
	l := &layout{kind: kind, title: t.Title, typeCode: t.Type}
	rows := make([]FieldSpec, 0, len(spec.Header)+12)
	used := map[string]bool{}
	for _, h := range spec.Header {
		if o, ok := t.Override[h.Field]; ok && h.Field != "" {
			used[h.Field] = true
			if o.Width != h.Width {
				c.problem(path+".override."+h.Field, o.Line, CodeProfileWidth, o.Width, "expected", h.Width)
			}
			h = o
		}
		rows = append(rows, h)
	}
	for name := range t.Override {
		if !used[name] {
			c.problem(path+".override", t.Line, CodeProfileField, name, "expected", "a field of the header")
		}
	}
	nHeader := len(rows)
	if t.Body != "" {
		body, ok := spec.Bodies[t.Body]
		if !ok {
			c.problem(path+".body", t.Line, CodeProfileField, t.Body, "expected", "a layout under bodies")
		}
		rows = append(rows, body...)
	}
	for i, r := range rows {
		p := c.place(fmt.Sprintf("%s[%d]", path, i), r)
		if p.field == Type {
			p.value = pad(nil, []byte(t.Type), p.width, p.numeric)
			if len(t.Type) != p.width {
				c.problem(path+".type", t.Line, CodeProfileWidth, t.Type, "expected", fmt.Sprintf("%d characters", p.width))
			}
		}
		for name, v := range t.Where {
			if r.Field == name && p.value == nil {
				p.value = pad(nil, []byte(v), p.width, p.numeric)
				l.where = append(l.where, whereValue{field: p.field, value: p.value, at: l.fixed})
			}
		}
		if p.span != fixedSpan {
			l.spans++
			if i != len(rows)-1 {
				c.problem(path, r.Line, CodeProfileWidth, r.Title, "expected", "a fixed width: only the last row may be of open width")
			}
		}
		l.fixed += p.width
		l.places = append(l.places, p)
		if i < nHeader {
			l.header = l.fixed
		}
	}
	return l
}

// pad appends v to dst, cut or filled to width bytes.
func pad(dst, v []byte, width int, numeric bool) []byte {
	if len(v) > width {
		v = v[:width]
	}
	fill := width - len(v)
	if numeric {
		for range fill {
			dst = append(dst, '0')
		}
		return append(dst, v...)
	}
	dst = append(dst, v...)
	for range fill {
		dst = append(dst, ' ')
	}
	return dst
}

// goFormat turns a document's time pattern into Go's.
func goFormat(pattern string) (string, bool) {
	switch pattern {
	case "MMddHHmmss":
		return "0102150405", true
	case "yyMMddHHmmss":
		return "060102150405", true
	case "yyyyMMddHHmmss":
		return "20060102150405", true
	}
	return "", false
}

// Stamp is the time now as the profile writes it in sent_at, in now's zone.
func (p *Profile) Stamp(now time.Time) []byte {
	return now.AppendFormat(make([]byte, 0, 14), p.stampFormat)
}
