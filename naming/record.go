package naming

import (
	"strconv"
	"strings"

	"pabal/internal/fault"
)

// ${RECORD@19:8} takes 8 bytes at offset 19 of the first record of the file:
// some counterparties name a file by what its header record says (protocols
// §4.7, §4.13). It is read when the file is claimed, and only for registrations
// that ask for it. In a name that a peer sends it may be any such characters.

// First gives the first n bytes of a file, or all that it has.
type First func(n int) ([]byte, error)

// varRecord begins such a part.
const varRecord = "RECORD"

const (
	mostRecordOffset = 4095
	mostRecordWidth  = 64
)

// compileRecord reads what stands between the braces.
func compileRecord(text, inside string) (part, error) {
	bad := fault.New(CodeScriptRecord, text, "part", inside)
	place, digits, cut := strings.Cut(strings.TrimPrefix(inside, varRecord), ":")
	at, isAt := strings.CutPrefix(place, "@")
	if !cut || !isAt {
		return part{}, bad
	}
	offset, err := strconv.Atoi(at)
	width, werr := strconv.Atoi(digits)
	if err != nil || werr != nil || offset < 0 || offset > mostRecordOffset || width < 1 || width > mostRecordWidth {
		return part{}, bad
	}
	return part{name: varRecord, at: offset, width: width}, nil
}

// reach is how many bytes of a file the script needs; 0 = none.
func (s *Script) reach() int {
	n := 0
	for _, p := range s.parts {
		if p.name == varRecord {
			n = max(n, p.at+p.width)
		}
	}
	return n
}

// ofRecord takes the part out of the beginning of a file.
func (p part) ofRecord(script, record string) (string, error) {
	if len(record) < p.at+p.width {
		return "", fault.New(CodeRecordShort, script, "offset", p.at, "width", p.width)
	}
	taken := record[p.at : p.at+p.width]
	if strings.IndexFunc(taken, func(r rune) bool { return !recordRune(r) }) >= 0 { // not shown: it may be anything
		return "", fault.New(CodeRecordCharacters, script, "offset", p.at, "width", p.width)
	}
	return taken, nil
}

// recordRune is what may come out of a record into a name.
func recordRune(r rune) bool { return r > ' ' && r < 0x7F && r != '.' && r != '/' }

// expand makes the name of a script, with the beginning of the file where it
// takes something from it.
func expand(s *Script, v Vars, first First) (string, error) {
	if n := s.reach(); n > 0 && first != nil {
		record, err := first(n)
		if err != nil {
			return "", err
		}
		v.Record = string(record)
	}
	return s.Expand(v)
}

// sampleFirst stands for any file where a registration is tried out.
func sampleFirst(n int) ([]byte, error) { return []byte(strings.Repeat("R", n)), nil }
