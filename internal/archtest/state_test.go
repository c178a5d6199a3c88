package archtest

import (
	"errors"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
	"testing"
)

const noState = "a package has no state of its own: two servers in one process (the demo, a test) must not share it, and a test must not see what another left. Put it in a struct that the caller makes"

// A package-level variable may be a table, a compiled pattern or an error:
// something that is made once and never changes.
func TestNoPackageState(t *testing.T) {
	set, all := sources(t)
	packages := map[string][]*ast.File{}
	for _, s := range all {
		// The programs of the build and the tests run alone.
		if s.test() || within(s.dir, []string{"internal/tools"}) {
			continue
		}
		packages[s.dir] = append(packages[s.dir], s.ast)
	}
	for _, files := range packages {
		for _, p := range packageState(set, files) {
			t.Errorf("%s: %s\n\t%s", set.Position(p.pos), p.what, noState)
		}
	}
}

type problem struct {
	pos  token.Pos
	what string
}

// noImports makes every import fail: names within the package are resolved
// all the same, and that is all we look at.
type noImports struct{}

func (noImports) Import(string) (*types.Package, error) { return nil, errors.New("not looked at") }

// packageState finds what a package keeps between calls: init functions,
// variables that are written to, and exported ones that another package could.
func packageState(set *token.FileSet, files []*ast.File) []problem {
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}
	conf := types.Config{Importer: noImports{}, Error: func(error) {}}
	pkg, _ := conf.Check("p", set, files, info) // errors are those of the imports

	var found []problem
	for _, file := range files {
		for _, decl := range file.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil && d.Name.Name == "init" {
					found = append(found, problem{d.Pos(), "func init: a package does nothing when it is only imported"})
				}
			case *ast.GenDecl:
				if d.Tok == token.VAR {
					found = append(found, declared(d)...)
				}
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			for _, target := range written(n) {
				id := base(target)
				if id == nil {
					continue
				}
				if v, ok := info.Uses[id].(*types.Var); ok && v.Parent() == pkg.Scope() {
					found = append(found, problem{target.Pos(), "package variable " + id.Name + " is written to"})
				}
			}
			return true
		})
	}
	return found
}

// declared looks at variables for what their declaration alone shows.
func declared(d *ast.GenDecl) []problem {
	var found []problem
	for _, spec := range d.Specs {
		v := spec.(*ast.ValueSpec)
		if embedded(d.Doc) || embedded(v.Doc) {
			continue // the compiler fills it in
		}
		for _, name := range v.Names {
			switch {
			case name.Name == "_":
			case len(v.Values) == 0 && !pool(v.Type):
				found = append(found, problem{name.Pos(), "package variable " + name.Name + " has no value yet, so somebody will write to it"})
			case name.IsExported() && !strings.HasPrefix(name.Name, "Err"):
				found = append(found, problem{name.Pos(), "package variable " + name.Name + " is exported, so another package can write to it; use a function"})
			}
		}
	}
	return found
}

func embedded(doc *ast.CommentGroup) bool {
	return doc != nil && slices.ContainsFunc(doc.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed ") })
}

// pool: a sync.Pool holds nothing that anybody could notice.
func pool(e ast.Expr) bool {
	sel, ok := e.(*ast.SelectorExpr)
	return ok && sel.Sel.Name == "Pool"
}

// written lists the expressions that a node assigns to, or hands out as a
// place to write.
func written(n ast.Node) []ast.Expr {
	switch s := n.(type) {
	case *ast.AssignStmt:
		if s.Tok != token.DEFINE {
			return s.Lhs
		}
	case *ast.IncDecStmt:
		return []ast.Expr{s.X}
	case *ast.RangeStmt:
		if s.Tok == token.ASSIGN {
			return []ast.Expr{s.Key, s.Value}
		}
	case *ast.UnaryExpr:
		if s.Op == token.AND {
			return []ast.Expr{s.X}
		}
	case *ast.CallExpr:
		if f, ok := s.Fun.(*ast.Ident); ok && (f.Name == "delete" || f.Name == "clear") && len(s.Args) > 0 {
			return s.Args[:1]
		}
	}
	return nil
}

// base is the variable that an expression like v, v[i].f or *v starts from.
func base(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.IndexExpr:
			e = x.X
		case *ast.SliceExpr:
			e = x.X
		case *ast.SelectorExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return nil
		}
	}
}
