package naming

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"pabal/internal/fault"
)

// Script is a compiled name script (design §5): parts joined by +, each literal
// text, ${NAME} or ${NAME:n}. ${NAME:n} takes the first n characters and refuses
// a shorter value; ${RECORD@offset:n} takes n bytes of the first record. With EA11 on 20 March ${FILE_ID:4}+${MMdd:4} is EA110320.
type Script struct {
	text  string
	parts []part
}

// part is literal text, or a name of which width characters are taken (0: all).
type part struct {
	literal string
	name    string
	at      int // of RECORD: its offset
	width   int
}

// Vars are the values that a script draws on. An empty value is not known.
type Vars struct {
	FileID      string
	Institution string
	Job         string
	Serial      string // SEQ, digits
	BaseDate    string // YYYYMMDD, for yyyyMMdd, yyMMdd and MMdd
	Clock       string // HHMMSS, for HHmmss
	WireName    string // only in the script of a received name
	Record      string // the beginning of the file, for RECORD
}

// The names of scripts. The date patterns are looked up in dateSlots.
const (
	varFileID      = "FILE_ID"
	varInstitution = "INSTITUTION"
	varJob         = "JOB"
	varSerial      = "SEQ"
	varWireName    = "WIRE_NAME"
)

const scriptNames = "FILE_ID, INSTITUTION, JOB, SEQ, yyyyMMdd, yyMMdd, MMdd, HHmmss, RECORD@offset"

// A date and time is fourteen digits, yyyyMMddHHmmss. A pattern is a run of
// them, which lets matching put each digit where it belongs and notice when two
// parts of one name disagree.
const (
	slotMonth = 4
	slotDay   = 6
	slotClock = 8
	slotCount = 14
)

// dateSlots gives the first slot of a date pattern.
var dateSlots = map[string]int{"yyyyMMdd": 0, "yyMMdd": 2, "MMdd": slotMonth, "HHmmss": slotClock}

// CompileScript compiles a wire name script. Errors are *fault.Error with the
// script as subject.
func CompileScript(text string) (*Script, error) { return compileScript(text, false) }

// compileScript allows WIRE_NAME in the script of a received name.
func compileScript(text string, received bool) (*Script, error) {
	s := &Script{text: text}
	for joined := range strings.SplitSeq(text, "+") {
		rest := strings.TrimSpace(joined)
		if rest == "" {
			return nil, fault.New(CodeScriptEmptyPart, text)
		}
		for rest != "" {
			open := strings.Index(rest, "${")
			literal := rest
			if open >= 0 {
				literal = rest[:open]
			}
			if i := strings.IndexAny(literal, "${}"); i >= 0 {
				return nil, fault.New(CodeScriptStray, text, "character", literal[i:i+1])
			}
			if literal != "" {
				s.parts = append(s.parts, part{literal: literal})
			}
			if open < 0 {
				break
			}
			inside, after, closed := strings.Cut(rest[open+2:], "}")
			if !closed {
				return nil, fault.New(CodeScriptUnclosed, text)
			}
			p, err := compilePart(text, inside, received)
			if err != nil {
				return nil, err
			}
			if p.name == varSerial && s.draws(varSerial) {
				return nil, fault.New(CodeScriptSerialTwice, text)
			}
			s.parts = append(s.parts, p)
			rest = after
		}
	}
	return s, nil
}

func compilePart(text, inside string, received bool) (part, error) {
	if strings.HasPrefix(inside, varRecord) && !received {
		return compileRecord(text, inside)
	}
	name, digits, cut := strings.Cut(inside, ":")
	limit := 255
	switch name {
	case varFileID, varInstitution, varJob, varSerial:
	case varWireName:
		if !received {
			return part{}, fault.New(CodeScriptUnknownName, text, "name", name, "known", scriptNames)
		}
	default:
		if _, ok := dateSlots[name]; !ok {
			known := scriptNames
			if received {
				known = varWireName + ", " + scriptNames
			}
			return part{}, fault.New(CodeScriptUnknownName, text, "name", name, "known", known)
		}
		limit = len(name)
	}
	p := part{name: name}
	if cut {
		n, err := strconv.Atoi(digits)
		if err != nil || n < 1 || n > limit {
			return part{}, fault.New(CodeScriptWidth, text, "name", name, "width", digits, "limit", limit)
		}
		p.width = n
	}
	return p, nil
}

// String is the script as it was written.
func (s *Script) String() string { return s.text }

// value of a name, whole. A date pattern of an unknown date is empty.
func (v Vars) value(name string) string {
	switch name {
	case varFileID:
		return v.FileID
	case varInstitution:
		return v.Institution
	case varJob:
		return v.Job
	case varSerial:
		return v.Serial
	case varWireName:
		return v.WireName
	}
	slot := dateSlots[name]
	if slot == slotClock {
		return v.Clock
	}
	if len(v.BaseDate) != slotClock {
		return ""
	}
	return v.BaseDate[slot:]
}

// Expand makes the name. A value that is not known, or shorter than the script
// demands, is an error.
func (s *Script) Expand(v Vars) (string, error) {
	var b strings.Builder
	for _, p := range s.parts {
		if p.name == "" {
			b.WriteString(p.literal)
			continue
		}
		if p.name == varRecord {
			taken, err := p.ofRecord(s.text, v.Record)
			if err != nil {
				return "", err
			}
			b.WriteString(taken)
			continue
		}
		value := v.value(p.name)
		if value == "" && p.name == varSerial {
			return "", fault.New(CodeSerialMissing, s.text)
		}
		taken, ok := p.take(value)
		if !ok {
			return "", fault.New(CodeScriptShort, s.text, "name", p.name, "value", value, "width", max(1, p.width))
		}
		b.WriteString(taken)
	}
	return b.String(), nil
}

// take cuts the value to the width in characters. Too short is not ok.
func (p part) take(value string) (string, bool) {
	if p.width == 0 {
		return value, value != ""
	}
	at := 0
	for range p.width {
		_, n := utf8.DecodeRuneInString(value[at:])
		if n == 0 {
			return "", false
		}
		at += n
	}
	return value[:at], true
}

// draws reports whether the script takes the named value.
func (s *Script) draws(name string) bool {
	return slices.ContainsFunc(s.parts, func(p part) bool { return p.name == name })
}

// uses reports whether a literal part of the script contains the text.
func (s *Script) uses(text string) bool {
	for _, p := range s.parts {
		if strings.Contains(p.literal, text) {
			return true
		}
	}
	return false
}
