package naming

import (
	"strconv"
	"time"
)

// Found is what a name tells beyond what was known. Empty: it does not tell.
type Found struct {
	BaseDate string // YYYYMMDD
	Serial   string
}

// elem is one character of a script whose known values are filled in.
type elem struct {
	kind elemKind
	lit  rune
	slot int // of a date digit
}

type elemKind int

const (
	elemLiteral elemKind = iota
	elemDate             // one digit of the date or time
	elemSerial           // one digit of the serial number
	elemSerials          // one or more digits of it
	elemAny              // one character out of a record
)

// elems lays the script out. It is not ok when a known value is too short, so
// that the script can make no name.
func (s *Script) elems(known Vars) ([]elem, bool) {
	var out []elem
	literal := func(text string) {
		for _, r := range text {
			out = append(out, elem{kind: elemLiteral, lit: r})
		}
	}
	for _, p := range s.parts {
		if p.name == "" {
			literal(p.literal)
			continue
		}
		if p.name == varRecord {
			for range p.width {
				out = append(out, elem{kind: elemAny})
			}
			continue
		}
		slot, isDate := dateSlots[p.name]
		switch value := known.value(p.name); {
		case value != "":
			taken, ok := p.take(value)
			if !ok {
				return nil, false
			}
			literal(taken)
		case isDate:
			n := p.width
			if n == 0 {
				n = len(p.name)
			}
			for i := range n {
				out = append(out, elem{kind: elemDate, slot: slot + i})
			}
		case p.name == varSerial && p.width == 0:
			out = append(out, elem{kind: elemSerials})
		case p.name == varSerial:
			for range p.width {
				out = append(out, elem{kind: elemSerial})
			}
		default:
			return nil, false
		}
	}
	return out, true
}

// Match reads a name against the script: literal and known parts must be equal,
// date parts must make a date, SEQ must be digits. A date without a year takes
// the year that brings it nearest to near, one without a century likewise.
func (s *Script) Match(wire string, known Vars, near time.Time) (Found, bool) {
	elems, ok := s.elems(known)
	if !ok {
		return Found{}, false
	}
	m := matcher{near: near}
	if !m.match(elems, []rune(wire)) {
		return Found{}, false
	}
	return m.found, true
}

type matcher struct {
	near  time.Time
	slots [slotCount]byte
	found Found
}

// match walks both; only an open-ended SEQ makes it try more than one way.
func (m *matcher) match(elems []elem, text []rune) bool {
	var serial []rune
	for i, e := range elems {
		if len(text) == 0 {
			return false
		}
		r := text[0]
		switch e.kind {
		case elemLiteral:
			if r != e.lit {
				return false
			}
		case elemAny:
			if !recordRune(r) {
				return false
			}
		case elemDate:
			if !digit(r) || m.slots[e.slot] != 0 && m.slots[e.slot] != byte(r) {
				return false
			}
			m.slots[e.slot] = byte(r)
		case elemSerial:
			if !digit(r) {
				return false
			}
			serial = append(serial, r)
		case elemSerials:
			for n := 1; n <= len(text) && digit(text[n-1]); n++ {
				try := *m
				if try.match(elems[i+1:], text[n:]) {
					*m = try
					m.found.Serial = string(text[:n])
					return true
				}
			}
			return false
		}
		text = text[1:]
	}
	if len(text) > 0 {
		return false
	}
	if len(serial) > 0 && m.found.Serial == "" {
		m.found.Serial = string(serial)
	}
	return m.date()
}

func digit(r rune) bool { return r >= '0' && r <= '9' }

// date turns the digits found into the base date. Digits that cannot stand in
// any date or time make the whole name not match.
func (m *matcher) date() bool {
	if !m.clock() {
		return false
	}
	if !m.filled(slotMonth, slotClock) {
		return m.partialDate()
	}
	best, bestDistance := time.Time{}, time.Duration(-1)
	for _, year := range m.years() {
		t, err := time.Parse("20060102", year+string(m.slots[slotMonth:slotClock]))
		if err != nil {
			continue
		}
		y, mo, d := m.near.Date()
		distance := t.Sub(time.Date(y, mo, d, 0, 0, 0, 0, time.UTC)).Abs()
		if bestDistance < 0 || distance < bestDistance {
			best, bestDistance = t, distance
		}
	}
	if bestDistance < 0 {
		return false
	}
	m.found.BaseDate = best.Format("20060102")
	return true
}

// years lists the years that the digits allow: the one written, the centuries
// around when only part is written, last, this and next year when none is.
func (m *matcher) years() []string {
	reach := 1
	switch {
	case m.filled(0, slotMonth):
		return []string{string(m.slots[:slotMonth])}
	case m.slots[0] != 0 || m.slots[1] != 0 || m.slots[2] != 0 || m.slots[3] != 0:
		reach = 100
	}
	var out []string
	for y := m.near.Year() - reach; y <= m.near.Year()+reach; y++ {
		text := strconv.Itoa(y)
		fits := len(text) == slotMonth
		for i := 0; fits && i < slotMonth; i++ {
			fits = m.slots[i] == 0 || m.slots[i] == text[i]
		}
		if fits {
			out = append(out, text)
		}
	}
	return out
}

// partialDate checks the pieces of a date that is not whole.
func (m *matcher) partialDate() bool {
	return m.within(slotMonth, 1, 12) && m.within(slotDay, 1, 31)
}

func (m *matcher) clock() bool {
	return m.within(slotClock, 0, 23) && m.within(slotClock+2, 0, 59) && m.within(slotClock+4, 0, 59)
}

// within checks a two-digit value if both digits are there.
func (m *matcher) within(slot, low, high int) bool {
	if !m.filled(slot, slot+2) {
		return true
	}
	n := int(m.slots[slot]-'0')*10 + int(m.slots[slot+1]-'0')
	return n >= low && n <= high
}

func (m *matcher) filled(from, to int) bool {
	for _, b := range m.slots[from:to] {
		if b == 0 {
			return false
		}
	}
	return true
}

// overlap finds a name that both layouts would take. It looks at the form of
// dates digit by digit, so it may report a pair that only an impossible date
// has in common.
func overlap(a, b []elem) (example string, ok bool) {
	type state struct{ i, j int }
	seen := map[state]bool{}
	var walk func(i, j int, name []rune) bool
	walk = func(i, j int, name []rune) bool {
		if i == len(a) || j == len(b) {
			example = string(name)
			return i == len(a) && j == len(b)
		}
		if seen[state{i, j}] {
			return false
		}
		seen[state{i, j}] = true
		r, common := commonRune(a[i], b[j])
		if !common {
			return false
		}
		name = append(name, r)
		return walk(i+1, j+1, name) ||
			a[i].kind == elemSerials && walk(i, j+1, name) ||
			b[j].kind == elemSerials && walk(i+1, j, name)
	}
	ok = walk(0, 0, nil)
	if !ok {
		example = ""
	}
	return example, ok
}

func commonRune(a, b elem) (rune, bool) {
	if a.kind == elemLiteral {
		return a.lit, b.allows(a.lit)
	}
	for _, r := range "1023456789" { // ones first: 1111 is a date that people recognise
		if a.allows(r) && b.allows(r) {
			return r, true
		}
	}
	return b.lit, b.kind == elemLiteral && a.allows(b.lit)
}

func (e elem) allows(r rune) bool {
	if e.kind == elemLiteral {
		return r == e.lit
	}
	if e.kind == elemAny {
		return recordRune(r)
	}
	if e.kind == elemDate {
		switch e.slot {
		case slotMonth:
			return r == '0' || r == '1'
		case slotDay:
			return r >= '0' && r <= '3'
		case slotClock:
			return r >= '0' && r <= '2'
		case slotClock + 2, slotClock + 4:
			return r >= '0' && r <= '5'
		}
	}
	return digit(r)
}
