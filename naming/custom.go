package naming

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"

	"pabal/internal/fault"
)

// customNames are the two expressions of a registration whose names cannot
// follow the rule.
//
// The parse expression sees name (the file name), today (YYYYMMDD), file_id,
// institution and job of the registration. It gives nil if the name is not one
// of this registration, else a map with any of wire_name, base_date and serial;
// what it leaves out is taken as for a name by the rule. groups(text, pattern)
// gives the groups of a regular expression that matches the whole text, or nil.
//
// The format expression sees file_id, institution, job, wire_name, base_date,
// serial and suffix, and gives the file name.
type customNames struct {
	parse, format *vm.Program
}

func parseEnv(r *registration, name string, now time.Time) map[string]any {
	return map[string]any{
		"name": name, "today": now.Format("20060102"),
		"file_id": r.FileID, "institution": r.Institution, "job": r.Job,
	}
}

func formatEnv(n Name) map[string]any {
	return map[string]any{
		"file_id": n.FileID, "institution": n.Institution, "job": n.Job,
		"wire_name": n.WireName, "base_date": n.BaseDate, "serial": n.Serial, "suffix": n.Suffix,
	}
}

// groups is offered to expressions, which have no way to take a match apart.
var groups = expr.Function("groups", func(args ...any) (any, error) {
	re, err := regexp.Compile(`^(?:` + args[1].(string) + `)$`)
	if err != nil {
		return nil, err
	}
	found := re.FindStringSubmatch(args[0].(string))
	if found == nil {
		return nil, nil
	}
	return found, nil
}, new(func(string, string) []string))

func compileCustom(r *registration) (*customNames, []fault.Problem) {
	if r.Parse == "" || r.Format == "" {
		return nil, []fault.Problem{{Path: "custom", Err: fault.New(CodeCustomPair, r.FileID)}}
	}
	var problems []fault.Problem
	program := func(path, text string, env map[string]any, options ...expr.Option) *vm.Program {
		p, err := expr.Compile(text, append(options, expr.Env(env))...)
		if err != nil {
			problems = append(problems, fault.Problem{Path: path,
				Err: fault.New(CodeCustomExpression, r.FileID, "reason", fault.Say("expression_says", "text", err)).Because(err)})
		}
		return p
	}
	c := &customNames{
		parse:  program("custom.parse", r.Parse, parseEnv(r, "", sampleDate), groups),
		format: program("custom.format", r.Format, formatEnv(Name{}), expr.AsKind(reflect.String)),
	}
	if len(problems) > 0 {
		return nil, problems
	}
	if len(r.Examples) == 0 {
		return nil, []fault.Problem{{Path: "custom", Err: fault.New(CodeCustomNoExamples, r.FileID)}}
	}
	for i, example := range r.Examples {
		again, err := "", error(nil)
		n, ok, err := c.read(r, example, sampleDate, sampleFirst)
		if err == nil && ok {
			again, err = c.write(n)
		}
		if err != nil || again != example {
			f := fault.New(CodeCustomExampleLost, example, "again", again)
			if known := fault.As(err); known != nil {
				f = known
			} else if err != nil {
				f = fault.New(CodeCustomFailed, example, "reason", fault.Say("expression_says", "text", err)).Because(err)
			}
			problems = append(problems, fault.Problem{Path: fmt.Sprintf("custom.examples[%d]", i), Err: f})
		}
	}
	return c, problems
}

// read runs the parse expression. It is not ok when the name is another's.
func (c *customNames) read(r *registration, name string, now time.Time, first First) (Name, bool, error) {
	got, err := expr.Run(c.parse, parseEnv(r, name, now))
	if err != nil {
		return Name{}, false, err
	}
	if got == nil || got == false {
		return Name{}, false, nil
	}
	fields, ok := got.(map[string]any)
	if !ok {
		return Name{}, false, errors.New("parse gives neither a map nor nil")
	}
	n := Name{FileID: r.FileID, Institution: r.Institution, Job: r.Job}
	for field, into := range map[string]*string{
		"wire_name": &n.WireName, "base_date": &n.BaseDate, "serial": &n.Serial, "suffix": &n.Suffix,
	} {
		value, given := fields[field]
		if !given {
			continue
		}
		if *into, ok = value.(string); !ok {
			return Name{}, false, fmt.Errorf("parse gives a %s that is not text", field)
		}
	}
	if n.BaseDate == "" {
		n.BaseDate = now.Format("20060102")
	}
	if !validDate(n.BaseDate) {
		return Name{}, false, fault.New(CodeBadDate, name, "part", n.BaseDate)
	}
	if n.WireName == "" {
		if n.WireName, err = r.wireName(n, now, first); err != nil {
			return Name{}, false, err
		}
	}
	return n, true, nil
}

func (c *customNames) write(n Name) (string, error) {
	got, err := expr.Run(c.format, formatEnv(n))
	if err != nil {
		return "", err
	}
	text, ok := got.(string)
	if !ok {
		return "", errors.New("format gives no text")
	}
	return text, nil
}
