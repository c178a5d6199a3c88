package filemgr

import (
	"fmt"
	"time"

	"pabal/internal/fault"
)

// Field is a range of bytes in a record.
type Field struct {
	Offset int // from 0
	Length int
}

func (f Field) of(record []byte) ([]byte, bool) {
	if f.Offset+f.Length > len(record) {
		return nil, false
	}
	return record[f.Offset : f.Offset+f.Length], true
}

// DateField is a date in a record. Format is one of DateFormats and gives the
// field's length.
type DateField struct {
	Offset int
	Format string
}

// dateLayouts are the date forms of headers in the field's notation.
var dateLayouts = map[string]string{
	"yyMMdd":     "060102",
	"yyyyMMdd":   "20060102",
	"MMdd":       "0102",
	"yyyy/MM/dd": "2006/01/02",
	"yyyy-MM-dd": "2006-01-02",
}

// Match is a condition on a record: it has Text at Offset.
type Match struct {
	Offset int
	Text   string
}

func (m Match) matches(record []byte) bool {
	return m.Offset+len(m.Text) <= len(record) && string(record[m.Offset:m.Offset+len(m.Text)]) == m.Text
}

// HeaderCheck is what the first record must be.
type HeaderCheck struct {
	Mark string     // its first bytes, for example "H"; "" = any
	Name *Field     // must hold the wire name, left aligned, space filled
	Date *DateField // must hold the base date
}

// Total is a number in the trailer that must agree with the data records.
type Total struct {
	At    Field   // in the trailer; digits, with a sign or decimals if any
	Sum   *Field  // what to add up in the data records; nil = how many there are
	Where []Match // only data records that meet all of these
	All   bool    // a count includes header and trailer
}

// TrailerCheck is what the last record must be.
type TrailerCheck struct {
	Mark   string // its first bytes, for example "T"; "" = any
	Totals []Total
}

// Rule is a further check in expr-lang that must yield true. Its variables are
// header, trailer (the records' bytes, "" where there is no such check), records,
// size, wire_name, base_date (YYYYMMDD), file_id; with Each also record and
// number. Functions: field(text, offset, length), num(text), decimal(text) and
// mac(k1, k2, data) (protocols §1.9).
type Rule struct {
	Name string // what a failure calls it
	Expr string
	Each bool // evaluated for every data record instead of once at the end
}

// CheckOptions are the basic checks of one file registration. The zero value
// refuses an empty file and checks the record lengths that the form implies.
type CheckOptions struct {
	SendEmpty bool // an empty file passes, and no other check is made on it
	Header    *HeaderCheck
	Trailer   *TrailerCheck
	Text      TextRule
	Rules     []Rule
}

// Names are the facts about a file that its content must agree with.
type Names struct {
	File     string // what failures are about: the name that was dropped
	WireName string
	BaseDate time.Time // only its date counts
	FileID   string
}

// Validate returns what cannot work with files of the given form. Paths are
// those of the registration's checks: header.name, trailer.totals[0].at, rules[1].
func (o CheckOptions) Validate(form Form) []fault.Problem {
	v := &validator{form: form}
	if (o.Header != nil || o.Trailer != nil) && form.Kind == Raw {
		v.add("header", fault.Say("no_records"))
	}
	if h := o.Header; h != nil {
		v.mark("header.mark", 0, h.Mark)
		if h.Name != nil {
			v.field("header.name", *h.Name)
		}
		if h.Date != nil {
			if layout, ok := dateLayouts[h.Date.Format]; !ok {
				v.add("header.date", fault.Say("no_date_format", "format", h.Date.Format))
			} else {
				v.field("header.date", Field{h.Date.Offset, len(layout)})
			}
		}
	}
	if t := o.Trailer; t != nil {
		v.mark("trailer.mark", 0, t.Mark)
		for i, total := range t.Totals {
			path := fmt.Sprintf("trailer.totals[%d]", i)
			v.field(path+".at", total.At)
			if total.Sum != nil {
				v.field(path+".sum", *total.Sum)
				if total.All {
					v.add(path+".all", fault.Say("only_count"))
				}
			}
			for j, m := range total.Where {
				v.mark(fmt.Sprintf("%s.where[%d]", path, j), m.Offset, m.Text)
			}
		}
	}
	if o.Text != TextAny && o.Text != TextASCII && o.Text != TextEUCKR && o.Text != TextCP949 {
		v.add("text", fault.Say("no_charset", "charset", o.Text))
	}
	for i, r := range o.Rules {
		path := fmt.Sprintf("rules[%d]", i)
		if r.Each && form.Kind == Raw {
			v.add(path+".each", fault.Say("no_records"))
		}
		if _, err := compileRule(r); err != nil {
			v.problems = append(v.problems, fault.Problem{Path: path + ".expr", Err: fault.As(err)})
		}
	}
	return v.problems
}

type validator struct {
	form     Form
	problems []fault.Problem
}

func (v *validator) add(path string, why fault.Phrase) {
	v.problems = append(v.problems, fault.Problem{Path: path, Err: fault.New(CodeBadOption, path, "why", why)})
}

func (v *validator) field(path string, f Field) {
	switch {
	case f.Offset < 0 || f.Length < 1 || f.Offset+f.Length > MaxRecord:
		v.add(path, fault.Say("span_out_of_range"))
	case v.form.Length > 0 && f.Offset+f.Length > v.form.Length:
		v.add(path, fault.Say("span_outside", "first", f.Offset, "last", f.Offset+f.Length-1, "length", v.form.Length))
	}
}

func (v *validator) mark(path string, offset int, text string) {
	if text != "" || offset != 0 {
		v.field(path, Field{offset, len(text)})
	}
}
