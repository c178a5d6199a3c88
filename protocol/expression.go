package protocol

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"

	"pabal/internal/fault"
)

// expression is the value of a row, made of other fields of the same telegram.
// It is evaluated where a telegram is encoded, and of the data telegrams of a
// block once: the data path has none (design D1).
type expression struct {
	program *vm.Program
	text    string           // as it is written
	fields  map[string]Field // those that it names
	number  bool             // its value is a number, else text
}

// value evaluates for a row of t. CodeExpression says why there is none.
func (e *expression) value(c charset, t *Telegram, row string) (number int64, text string, err error) {
	bad := func(reason fault.Phrase) *fault.Error {
		return fault.New(CodeExpression, row, "reason", reason, "kind", t.Kind)
	}
	env := make(map[string]any, len(e.fields))
	for name, f := range e.fields {
		switch {
		case f.IsNumber():
			env[name] = int(t.Number(f))
		case t.own&f.bit() != 0:
			env[name] = t.Text(f)
		default:
			env[name] = c.text(trimRight(t.Raw(f), c.space()))
		}
	}
	got, err := vm.Run(e.program, env)
	if err != nil {
		return 0, "", bad(reason(err)).Because(err)
	}
	if e.number {
		n, ok := got.(int64)
		if !ok {
			return 0, "", bad(fault.Say("no_whole_number"))
		}
		return n, "", nil
	}
	text, ok := got.(string)
	if !ok {
		return 0, "", bad(fault.Say("no_text"))
	}
	return 0, text, nil
}

// reason is what a function of ours says, or the library, in one line.
func reason(err error) fault.Phrase {
	if p := fault.WordsOf(err); p.Said() {
		return p
	}
	return fault.Say("expression_says", "text", oneLine(err))
}

func oneLine(err error) string {
	var at *file.Error
	if errors.As(err, &at) {
		return at.Message
	}
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// hiddenFields are not offered to expressions: lengths are known only when the
// telegram is whole, data and map are bytes, a moment or date stands in a row
// of its own with a format, and a password nowhere else.
func hiddenFields() []Field {
	return []Field{Length, DataLength, Type, SentAt, Date, EndDate, QueryDate, SenderPassword, Password, Map, Data}
}

// expressionFunctions are what expressions may call beside operators. All end,
// and none has an effect.
func expressionFunctions() []expr.Option {
	return []expr.Option{
		expr.DisableAllBuiltins(),
		expr.EnableBuiltin("len"), expr.EnableBuiltin("int"), expr.EnableBuiltin("string"),
		expr.EnableBuiltin("upper"), expr.EnableBuiltin("lower"), expr.EnableBuiltin("trim"),
		expr.EnableBuiltin("min"), expr.EnableBuiltin("max"),
		expr.Function("pad", pad, new(func(string, int, string) string), new(func(int, int) string)),
		expr.Function("div", div, new(func(int, int) int)),
	}
}

// ownFunctions are those of them that are ours.
func ownFunctions() []string { return []string{"pad", "div"} }

// unknownName begins what the library says of one.
const unknownName = "unknown name "

// unknown says what may be named instead of a name that there is not.
func (c *compiler) unknown(name string, column int) fault.Phrase {
	all := slices.Sorted(maps.Keys(c.offered()))
	known := strings.Join(all, ", ")
	if near := likely(name, all); near != "" {
		return fault.Say("unknown_name_near", "column", column, "name", name, "near", near, "known", known)
	}
	return fault.Say("unknown_name", "column", column, "name", name, "known", known)
}

// mostPad bounds what pad makes.
const mostPad = 9999

// pad fills a text on the right, or a number with zeros on the left.
func pad(args ...any) (any, error) {
	width, err := whole(args[1])
	if err != nil || width < 0 || width > mostPad {
		return nil, fault.Say("pad_width", "most", mostPad).Err()
	}
	if len(args) == 2 {
		n, err := whole(args[0])
		text := strconv.FormatInt(n, 10)
		return strings.Repeat("0", max(0, int(width)-len(text))) + text, err
	}
	text, _ := args[0].(string)
	fill, _ := args[2].(string)
	if len(fill) != 1 {
		return nil, fault.Say("pad_fill").Err()
	}
	return text + strings.Repeat(fill, max(0, int(width)-len(text))), nil
}

// div divides whole numbers, as / does in expressions of rows.
func div(args ...any) (any, error) {
	a, err := whole(args[0])
	b, berr := whole(args[1])
	switch {
	case err != nil || berr != nil:
		return nil, errors.Join(err, berr)
	case b == 0:
		return nil, fault.Say("division_by_zero").Err()
	}
	return int(a / b), nil
}

func whole(v any) (int64, error) {
	switch n := v.(type) {
	case int:
		return int64(n), nil
	case int64:
		return n, nil
	}
	return 0, fault.Say("no_whole_number").Err()
}

// names gathers what an expression names and what it gives a name itself, and
// makes / divide whole numbers.
type names struct {
	found []named
	own   []string
}

type named struct {
	name   string
	column int // from 1
}

// Visit is called for each node.
func (n *names) Visit(node *ast.Node) {
	switch x := (*node).(type) {
	case *ast.IdentifierNode:
		n.found = append(n.found, named{x.Value, x.Location().From + 1})
	case *ast.VariableDeclaratorNode:
		n.own = append(n.own, x.Name)
	case *ast.BinaryNode:
		if x.Operator == "/" {
			ast.Patch(node, &ast.CallNode{Callee: &ast.IdentifierNode{Value: "div"}, Arguments: []ast.Node{x.Left, x.Right}})
		}
	}
}

// expression compiles the expression of a row of a telegram.
func (c *compiler) expression(kind Kind, r row, p *place) *expression {
	path := r.path + ".expr"
	c.ownRow(r, p, "expr")
	if p.span != fixedSpan {
		c.problem(r.path+".width", CodeProfileWidth, r.Width, fault.Say("fixed_expression"))
	}
	env := map[string]any{}
	for name, f := range c.offered() {
		if env[name] = ""; f.IsNumber() {
			env[name] = int(0)
		}
	}
	out := &expression{text: r.Expr, number: r.Type == "N" || p.num.binary != inDigits, fields: map[string]Field{}}
	kindOf := expr.AsKind(reflect.String)
	if out.number {
		kindOf = expr.AsInt64()
	}
	seen := &names{}
	options := append(expressionFunctions(), expr.Env(env), kindOf, expr.Patch(seen))
	program, err := expr.Compile(r.Expr, options...)
	if err != nil {
		column, detail := 1, oneLine(err)
		if at := (*file.Error)(nil); errors.As(err, &at) {
			column = at.Column + 1
		}
		expected := fault.Say("at_column", "column", column, "detail", reason(err))
		if name, ok := strings.CutPrefix(detail, unknownName); ok {
			expected = c.unknown(name, column)
		}
		c.problem(path, CodeProfileExpression, r.Expr, expected)
		return out
	}
	out.program = program
	for _, n := range seen.found {
		name := n.name
		f, ok := c.offered()[name]
		switch {
		case ok:
		case slices.Contains(seen.own, name), slices.Contains(ownFunctions(), name):
			continue
		default: // the library does not look at what pad and div are given
			c.problem(path, CodeProfileExpression, r.Expr, c.unknown(name, n.column))
			continue
		}
		out.fields[name] = f
		if (kind == DataTelegram || kind == Resend) && (f == Block || f == Sequence) {
			c.problem(path, CodeProfileExpression, r.Expr, fault.Say("same_for_data", "name", name))
		}
	}
	return out
}

// offered are the fields that an expression may name.
func (c *compiler) offered() map[string]Field {
	out := map[string]Field{}
	hidden := hiddenFields()
	for name, f := range c.names {
		if !slices.Contains(hidden, f) {
			out[name] = f
		}
	}
	for name, f := range c.own {
		if !strings.HasPrefix(name, echoed) {
			out[name] = f
		}
	}
	return out
}
