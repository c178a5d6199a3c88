package filemgr

import (
	"errors"
	"strconv"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"

	"pabal/internal/fault"
)

// ruleEnv is what a rule sees. Records are their raw bytes; positions in them
// are bytes, as in the counterparties' tables.
type ruleEnv struct {
	Header   string `expr:"header"`
	Trailer  string `expr:"trailer"`
	Records  int64  `expr:"records"`
	Size     int64  `expr:"size"`
	WireName string `expr:"wire_name"`
	BaseDate string `expr:"base_date"`
	FileID   string `expr:"file_id"`
	Record   string `expr:"record"`
	Number   int64  `expr:"number"`
}

// compiledRule is a rule ready to run.
type compiledRule struct {
	Rule
	program *vm.Program
}

func compileRule(r Rule) (compiledRule, error) {
	program, err := expr.Compile(r.Expr,
		expr.Env(&ruleEnv{}),
		expr.AsBool(),
		expr.Function("field", ruleField, new(func(string, int, int) string)),
		expr.Function("num", ruleNum, new(func(string) int)),
		expr.Function("decimal", ruleDecimal, new(func(string) float64)),
		expr.Function("mac", ruleMAC, new(func(string, string, string) string)),
	)
	if err != nil {
		return compiledRule{}, fault.New(CodeBadRule, r.Name, "expr", r.Expr, "why", fault.Say("expression_says", "text", firstLine(err))).Because(err)
	}
	return compiledRule{Rule: r, program: program}, nil
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// What our own functions say repeats nothing of the record, which can hold an
// account number, so it may be shown and logged.

func ruleField(p ...any) (any, error) {
	text, offset, length := p[0].(string), p[1].(int), p[2].(int)
	if offset < 0 || length < 0 || offset > len(text) || length > len(text)-offset {
		return nil, fault.Say("field_outside", "length", length, "offset", offset, "record", len(text)).Err()
	}
	return text[offset : offset+length], nil
}

func ruleNum(p ...any) (any, error) {
	n, err := strconv.Atoi(strings.TrimSpace(p[0].(string)))
	if err != nil {
		return nil, fault.Say("num_of_other").Err()
	}
	return n, nil
}

func ruleDecimal(p ...any) (any, error) {
	n, err := strconv.ParseFloat(strings.TrimSpace(p[0].(string)), 64)
	if err != nil {
		return nil, fault.Say("decimal_of_other").Err()
	}
	return n, nil
}

func ruleMAC(p ...any) (any, error) {
	sum, err := MAC(p[0].(string), p[1].(string), p[2].(string))
	if err != nil {
		return nil, err
	}
	return sum, nil
}

// whyFailed explains a rule that could not be evaluated. The messages of
// expr-lang itself can quote values, so only the place in the rule is kept.
func whyFailed(err error) fault.Phrase {
	if own := fault.WordsOf(err); own.Said() {
		return own
	}
	var at *file.Error
	if errors.As(err, &at) {
		return fault.Say("at_rule", "line", at.Line, "column", at.Column+1)
	}
	return fault.Say("expression_failed")
}

// run evaluates the rule; nil means that it holds.
func (r compiledRule) run(machine *vm.VM, env *ruleEnv, name string, record, offset int64) error {
	out, err := machine.Run(r.program, env)
	if err != nil {
		return fault.New(CodeRuleFailed, name, "rule", r.Name, "record", record, "offset", offset,
			"why", whyFailed(err))
	}
	if ok, _ := out.(bool); !ok {
		return fault.New(CodeRule, name, "rule", r.Name, "record", record, "offset", offset)
	}
	return nil
}
