package filemgr

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/expr-lang/expr"
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
		return compiledRule{}, fault.New(CodeBadRule, r.Name, "expr", r.Expr, "why", firstLine(err)).Because(err)
	}
	return compiledRule{Rule: r, program: program}, nil
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

func ruleField(p ...any) (any, error) {
	text, offset, length := p[0].(string), p[1].(int), p[2].(int)
	if offset < 0 || length < 0 || offset+length > len(text) {
		return nil, fmt.Errorf("bytes %d to %d of a record of %d", offset, offset+length-1, len(text))
	}
	return text[offset : offset+length], nil
}

// The errors of the number functions do not repeat the text: it can be part of
// an account number, and errors are logged.

func ruleNum(p ...any) (any, error) {
	n, err := strconv.Atoi(strings.TrimSpace(p[0].(string)))
	if err != nil {
		return nil, fmt.Errorf("num: not a whole number")
	}
	return n, nil
}

func ruleDecimal(p ...any) (any, error) {
	n, err := strconv.ParseFloat(strings.TrimSpace(p[0].(string)), 64)
	if err != nil {
		return nil, fmt.Errorf("decimal: not a number")
	}
	return n, nil
}

func ruleMAC(p ...any) (any, error) {
	return MAC(p[0].(string), p[1].(string), p[2].(string))
}

// run evaluates the rule; nil means that it holds.
func (r compiledRule) run(machine *vm.VM, env *ruleEnv, file string, record, offset int64) error {
	out, err := machine.Run(r.program, env)
	if err != nil {
		return fault.New(CodeRuleFailed, file, "rule", r.Name, "record", record, "offset", offset,
			"why", firstLine(err))
	}
	if ok, _ := out.(bool); !ok {
		return fault.New(CodeRule, file, "rule", r.Name, "record", record, "offset", offset)
	}
	return nil
}
