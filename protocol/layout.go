package protocol

// place is one compiled row of a layout: so many bytes, meaning one field.
type place struct {
	title  string
	typ    string // as the document writes it: N, AN, A, C, H, B
	field  Field  // noField = filler or constant
	num    number // of a number field
	right  bool   // aligned to the right, as numbers are
	fill   byte   // of what the value leaves
	trim   bool   // the fill is the profile's own: it is taken off when read
	text   bool   // in the profile's character set; else bytes
	picks  picks  // of a moment or date, what stands here
	width  int    // bytes; 0 for toLast and toEnd
	span   span
	max    int    // for toEnd
	value  []byte // constant as it travels, already padded
	shown  string // … as it is written in the profile
	second bool   // the same field stands before it
	made   *made  // what stands here instead of a value; nil = a value, or value
	kept   Field  // where the bytes are kept for an answer that repeats them; noField = not
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
	typeWire string // as it travels
	where    []whereValue
	places   []place
	fields   uint64  // the bits of the fields of places
	repeated []patch // places that repeat the length digits of the framing
	alone    bool    // no other layout has its type
	fixed    int     // bytes of the places of fixed width
	spans    int     // how many places are not of fixed width (0 or 1)
	header   int     // bytes of the header
	readings         // of the places, see plan
}

type whereValue struct {
	field Field
	shown string
	value []byte // as it travels, padded to the field's width
	at    int    // offset in the telegram
}

// trimmed is v without what fills its place.
func (p *place) trimmed(v []byte) []byte {
	if !p.right {
		return trimRight(v, p.fill)
	}
	for len(v) > 0 && v[0] == p.fill {
		v = v[1:]
	}
	return v
}

// pad appends v to dst, cut or filled to width bytes.
func (p *place) pad(dst, v []byte, width int) []byte {
	if len(v) > width {
		v = v[:width]
	}
	fill := width - len(v)
	if !p.right {
		dst = append(dst, v...)
	}
	for range fill {
		dst = append(dst, p.fill)
	}
	if p.right {
		dst = append(dst, v...)
	}
	return dst
}
