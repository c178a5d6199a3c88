package protocol

import "time"

// place is one compiled row of a layout: so many bytes, meaning one field.
type place struct {
	title   string
	typ     string // as the document writes it: N, AN, A, C, H, B
	field   Field  // noField = filler or constant
	numeric bool   // zero filled, right aligned; else space filled, left aligned
	width   int    // bytes; 0 for toLast and toEnd
	span    span
	max     int    // for toEnd
	value   []byte // constant, already padded
	second  bool   // the same field stands before it
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
	fields   uint64  // the bits of the fields of places
	repeated []patch // places that repeat the length digits of the framing
	alone    bool    // no other layout has its type
	fixed    int     // bytes of the places of fixed width
	spans    int     // how many places are not of fixed width (0 or 1)
	header   int     // bytes of the header
}

type whereValue struct {
	field Field
	value []byte // padded to the field's width
	at    int    // offset in the telegram
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
