// Package naming turns file names into meaning and back (design §5).
//
// A file that is dropped to be sent is called
// FILEID[.WIRENAME].INSTITUTION.JOB[.YYYYMMDD], with a suffix if its
// registration declares one. Package naming knows the registrations only as far
// as names need them. It does no I/O and reads no clock: every call that depends
// on the date is given the time in the business zone (design D9).
package naming

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"pabal/internal/fault"
	"pabal/transfer"
)

// Registration is what naming needs of a file registration (일괄전송파일정보).
type Registration struct {
	FileID      string
	Institution string
	Job         string
	Direction   transfer.Direction
	WireName    string   // script; "" = the file ID, and any wire name in a file name
	Suffixes    []string // such as ".dat"; taken off a dropped file's name first

	// Names that cannot follow the rule: two expr-lang expressions and examples
	// on which Format(Parse(x)) must give x back. See the type customNames.
	Parse    string
	Format   string
	Examples []string

	// ReceiveName is a script for the received file, which may also take
	// WIRE_NAME; "" = Format if there is one, else the full rule.
	ReceiveName string
}

// Name is what a file name says. Format of a Name that Parse gave leads back to it.
type Name struct {
	FileID      string
	WireName    string // as the peer sees it
	Institution string
	Job         string
	BaseDate    string // YYYYMMDD
	Suffix      string // with its dot, or ""
	Serial      string // digits, if the wire name or an expression tells one
}

// registration is a Registration with everything compiled.
type registration struct {
	Registration
	wire    *Script // nil: the wire name is the file ID
	receive *Script
	custom  *customNames
}

// key of a registration. One file ID may go to several institutions and jobs.
type key struct {
	fileID, institution, job string
	direction                transfer.Direction
}

func (r *registration) key() key { return key{r.FileID, r.Institution, r.Job, r.Direction} }

// vars of the registration; date and serial unknown.
func (r *registration) vars() Vars {
	return Vars{FileID: r.FileID, Institution: r.Institution, Job: r.Job}
}

// Book holds the registrations and reads and makes names by them. It is
// read-only after NewBook and safe for concurrent use.
type Book struct {
	regs  []*registration
	byKey map[key]*registration
}

// NewBook compiles the registrations. Problems stand at paths such as
// files[2].wire_name, by the index in regs; with any problem the Book is nil.
func NewBook(regs []Registration) (*Book, []fault.Problem) {
	b := &Book{byKey: map[key]*registration{}}
	var problems []fault.Problem
	for i, r := range regs {
		c, found := compile(r)
		for _, p := range found {
			p.Path = fmt.Sprintf("files[%d].%s", i, p.Path)
			problems = append(problems, p)
		}
		if len(found) > 0 {
			continue
		}
		if _, twice := b.byKey[c.key()]; twice {
			problems = append(problems, fault.Problem{Path: fmt.Sprintf("files[%d].id", i), Err: fault.New(CodeRegisteredTwice, r.FileID,
				"institution", r.Institution, "job", r.Job, "direction", r.Direction)})
			continue
		}
		for _, other := range b.regs {
			if err := collide(other, c); err != nil {
				problems = append(problems, fault.Problem{Path: fmt.Sprintf("files[%d].wire_name", i), Err: err})
			}
		}
		b.regs = append(b.regs, c)
		b.byKey[c.key()] = c
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return b, nil
}

// Find returns the registration of a file ID with an institution and job.
func (b *Book) Find(fileID, institution, job string, d transfer.Direction) (Registration, bool) {
	r, ok := b.byKey[key{fileID, institution, job, d}]
	if !ok {
		return Registration{}, false
	}
	return r.Registration, true
}

// compile checks one registration on its own; paths are relative to it.
func compile(r Registration) (*registration, []fault.Problem) {
	c := &registration{Registration: r}
	var problems []fault.Problem
	problem := func(path string, err error) {
		if f := fault.As(err); f != nil {
			problems = append(problems, fault.Problem{Path: path, Err: f})
		}
	}
	for path, value := range map[string]string{"id": r.FileID, "institution": r.Institution, "job": r.Job} {
		if !namePart(value) {
			problem(path, fault.New(CodeBadPart, value))
		}
	}
	if r.Direction != transfer.Send && r.Direction != transfer.Receive {
		problem("direction", fault.New(CodeBadDirection, string(r.Direction)))
	}
	for i, s := range r.Suffixes {
		if len(s) < 2 || s[0] != '.' || strings.HasSuffix(s, ".") || !namePart(strings.ReplaceAll(s, ".", "")) {
			problem(fmt.Sprintf("suffixes[%d]", i), fault.New(CodeBadSuffix, s))
		}
	}
	var err error
	if r.WireName != "" {
		if c.wire, err = CompileScript(r.WireName); err == nil {
			err = tryScript(c.wire, r)
		}
		problem("wire_name", err)
	}
	if r.ReceiveName != "" {
		if c.receive, err = compileScript(r.ReceiveName, true); err == nil {
			err = tryScript(c.receive, r)
		}
		problem("receive_name", err)
	}
	if r.Parse != "" || r.Format != "" || len(r.Examples) > 0 {
		var found []fault.Problem
		c.custom, found = compileCustom(c)
		problems = append(problems, found...)
	}
	slices.SortFunc(problems, func(a, b fault.Problem) int { return strings.Compare(a.Path, b.Path) })
	return c, problems
}

// sampleDate stands for any date where a registration is tried out.
var sampleDate = time.Date(2024, 11, 11, 11, 11, 11, 0, time.UTC)

// tryScript expands with values of full width, so that only what the
// registration itself fixes can be too short.
func tryScript(s *Script, r Registration) error {
	_, err := s.Expand(Vars{
		FileID: r.FileID, Institution: r.Institution, Job: r.Job,
		Serial: strings.Repeat("1", 255), WireName: strings.Repeat("W", 255),
		BaseDate: sampleDate.Format("20060102"), Clock: sampleDate.Format("150405"),
		Record: strings.Repeat("R", mostRecordOffset+mostRecordWidth),
	})
	return err
}

// collide finds two registrations that peer or store could not tell apart. Sent
// files of one institution and job are told apart by wire name (design D6), and
// a received wire name must lead to one registration.
func collide(a, b *registration) *fault.Error {
	if a.Institution != b.Institution || a.Direction != b.Direction {
		return nil
	}
	if a.Direction == transfer.Send && a.Job != b.Job {
		return nil
	}
	ea, okA := a.layout()
	eb, okB := b.layout()
	if !okA || !okB {
		return nil
	}
	if a.Direction == transfer.Send {
		if slices.Equal(ea, eb) {
			return fault.New(CodeSendCollision, b.FileID, "other", a.FileID, "institution", b.Institution)
		}
		return nil
	}
	if example, ok := overlap(ea, eb); ok {
		return fault.New(CodeReceiveOverlap, b.FileID, "other", a.FileID, "institution", b.Institution, "example", example)
	}
	return nil
}

// layout of the registration's wire names.
func (r *registration) layout() ([]elem, bool) {
	if r.wire != nil {
		return r.wire.elems(r.vars())
	}
	var out []elem
	for _, c := range r.FileID {
		out = append(out, elem{kind: elemLiteral, lit: c})
	}
	return out, true
}

// namePart says whether text can stand between two dots of a file name.
func namePart(text string) bool {
	return text != "" && !strings.ContainsAny(text, "./") && readable(text)
}

// readable refuses what no terminal, log or list could show: control
// characters, and bytes that are not UTF-8.
func readable(text string) bool {
	return utf8.ValidString(text) && strings.IndexFunc(text, unicode.IsControl) < 0
}

// validDate says whether text is a day, YYYYMMDD.
func validDate(text string) bool {
	_, err := time.Parse("20060102", text)
	return err == nil && len(text) == 8
}
