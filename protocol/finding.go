package protocol

import (
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"pabal/internal/fault"
)

// Finding is what has become of a file that is asked about, or that is to be
// forgotten, whatever the profile's code for it (protocols §1.6: 0410, 0510).
// "" = nothing that the profile knows: nobody may act on it.
type Finding string

// Findings of an inquiry. The last two are those of a cancellation too.
const (
	FoundWhole      Finding = "whole"      // held, and in order
	FoundUnfinished Finding = "unfinished" // not all of it came
	FoundBadMAC     Finding = "mac"        // it came; its MAC is wrong
	FoundBadData    Finding = "data"       // it came; its data are wrong
	FoundAltered    Finding = "altered"    // it came; its data were altered on the way
	FoundProcessing Finding = "processing" // still at work on it
	FoundNothing    Finding = "nothing"    // no such file
)

// Findings of a cancellation.
const (
	CancelDone   Finding = "done"     // forgotten: it can be sent afresh
	CancelBefore Finding = "before"   // was cancelled before
	CancelLate   Finding = "late"     // it has gone on, and cannot be sent again
	CancelKind   Finding = "kind"     // files of this kind cannot be cancelled
	CancelClosed Finding = "deadline" // the time for it has passed
	CancelLinked Finding = "linked"   // another file is linked to it
	CancelOther  Finding = "other"
)

// Codes are the codes of one finding: the first is the one that we answer, all
// are understood. In YAML a list, or one code.
type Codes []string

// UnmarshalYAML reads one code, or several.
func (c *Codes) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*c = Codes{n.Value}
		return nil
	}
	return n.Decode((*[]string)(c))
}

// asked is one telegram that is answered with a finding.
type asked struct {
	kind    Kind
	yes     Finding   // what was asked for
	needed  []Finding // that its answer must have a code for
	further []Finding // … and may have
	// instead says which one says as much as can be said without a code.
	instead map[Finding]Finding
}

func (a *asked) all() []Finding { return append(a.needed[:len(a.needed):len(a.needed)], a.further...) }

func questions() []asked {
	return []asked{{
		kind: Inquiry, yes: FoundWhole, needed: []Finding{FoundWhole, FoundNothing},
		further: []Finding{FoundProcessing, FoundUnfinished, FoundBadMAC, FoundBadData, FoundAltered},
		instead: map[Finding]Finding{
			FoundProcessing: FoundWhole, FoundBadData: FoundWhole, // it is held, which is what was asked
			FoundBadMAC: FoundBadData, FoundAltered: FoundBadData, FoundUnfinished: FoundNothing,
		},
	}, {
		kind: Cancel, yes: CancelDone, needed: []Finding{CancelDone, FoundNothing, CancelLate},
		further: []Finding{FoundProcessing, CancelBefore, CancelKind, CancelClosed, CancelLinked, CancelOther},
		instead: map[Finding]Finding{
			CancelBefore: FoundNothing, FoundProcessing: CancelLate, CancelKind: CancelLate,
			CancelClosed: CancelLate, CancelLinked: CancelLate, CancelOther: CancelLate,
		},
	}}
}

// findingCodes are the codes of one kind of answer.
type findingCodes struct {
	row   Field              // where they stand: Result, or Response where there is no such row
	own   map[Finding]Codes  // as the profile says
	write map[Finding]string // what we answer
	read  map[string]Finding // what theirs mean
}

// compileFindings reads the codes of what inquiries and cancellations find.
func (p *Profile) compileFindings(c *compiler, spec *Spec) {
	p.findings = map[Kind]*findingCodes{}
	for name := range spec.Results {
		c.one("results."+name, name, Inquiry.String(), Cancel.String())
	}
	for _, a := range questions() {
		answer := a.kind.Reply()
		if p.layouts[a.kind] == nil {
			continue // a table that was taken over without its telegram does nothing
		}
		f := &findingCodes{row: Response, own: map[Finding]Codes{}, write: map[Finding]string{}, read: map[string]Finding{}}
		if p.Carries(answer, Result) {
			f.row = Result
		}
		p.findings[answer] = f
		path := "results." + a.kind.String()
		table, said := spec.Results[a.kind.String()]
		switch {
		case said:
			p.codesOf(c, path, table, &a, f)
		case f.row == Result:
			c.problem(path, CodeProfileMissing, a.kind.String(), fault.Say("result_codes", "kind", answer))
		default:
			p.plainCodes(&a, f)
		}
		for _, from := range a.all() {
			for to := from; f.write[from] == "" && a.instead[to] != ""; {
				to = a.instead[to]
				f.write[from] = f.write[to]
			}
		}
	}
}

// codesOf reads one table. A code means one thing only.
func (p *Profile) codesOf(c *compiler, path string, table map[string]Codes, a *asked, f *findingCodes) {
	for name := range table {
		c.one(path+"."+name, name, words(a.all())...)
	}
	width := p.Width(a.kind.Reply(), f.row)
	for _, found := range a.all() {
		codes := table[string(found)]
		at := path + "." + string(found)
		for i, code := range codes {
			if other, twice := f.read[code]; twice {
				c.problem(at, CodeProfileValue, code, fault.Say("other_code", "other", path+"."+string(other)))
			}
			if len(code) != width {
				c.problem(at, CodeProfileWidth, code, fault.Say("characters", "width", width))
			}
			f.read[code] = found
			if i == 0 {
				f.own[found], f.write[found] = codes, code
			}
		}
	}
	for _, found := range a.needed {
		if f.write[found] == "" {
			c.problem(path, CodeProfileMissing, string(found), fault.Say("code_such_as", "example", strconv.Quote(strings.Repeat("0", width))))
		}
	}
	if ok := p.responses[OK]; f.row == Response && ok != "" && f.read[ok] != a.yes {
		c.problem(path+"."+string(a.yes), CodeProfileValue, strings.Join(table[string(a.yes)], ", "),
			fault.Say("code_of_ok", "code", ok))
	}
}

// plainCodes are those of an answer that says what it found by the response
// codes alone.
func (p *Profile) plainCodes(a *asked, f *findingCodes) {
	for code, m := range p.meanings {
		switch m {
		case OK:
			f.read[code] = a.yes
		case Nothing:
			f.read[code] = FoundNothing
		}
	}
	f.read[""] = a.yes // a blank response code is yes, here as elsewhere
	f.write[a.yes], f.write[FoundNothing] = p.Code(OK), p.Code(Nothing)
	if a.kind == Cancel {
		f.write[CancelLate] = p.Code(Unable)
	}
}

// Tells reports that answers of a kind have a code of its own for a finding,
// rather than the nearest one's.
func (p *Profile) Tells(answer Kind, f Finding) bool { return len(p.findings[answer].own[f]) > 0 }

// SetFinding puts the code of a finding into the answer to an inquiry or a
// cancellation. One that the profile has no code for is said as near as it can.
func (p *Profile) SetFinding(t *Telegram, f Finding) {
	if codes := p.findings[t.Kind]; codes != nil && codes.write[f] != "" {
		t.SetText(codes.row, codes.write[f])
	}
}

// Found reads such an answer: its code, and what that means, "" if nothing that
// the profile knows. Where response says no, a result beside it says nothing.
func (p *Profile) Found(t *Telegram) (code string, f Finding) {
	codes := p.findings[t.Kind]
	if codes == nil {
		return t.Text(Response), ""
	}
	code = t.Text(codes.row)
	switch {
	case codes.row == Response:
		return code, codes.read[code]
	case code == "" || p.Meaning(t.Text(Response)) != OK:
		return t.Text(Response), ""
	}
	return code, codes.read[code]
}
