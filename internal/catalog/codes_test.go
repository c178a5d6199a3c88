package catalog

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
)

// source is what the Go files of the module say about codes.
type source struct {
	codes    map[fault.Code]string // declared constants and where
	byName   map[string]fault.Code // "dir.Const" of each
	uses     map[string]int        // how often "dir.Const" is mentioned beside its declaration
	literals map[string]bool       // every string literal outside tests
	calls    []call
	phrases  []call   // each fault.Say("key", "name", …); code is the key
	unsaid   []string // where a Go string is handed over as words, or a phrase has no literal key
	twice    []declared
}

// declared is a code and where.
type declared struct {
	code fault.Code
	at   string
}

// call is one fault.New(Const, subject, "key", …) whose keys are all literal.
type call struct {
	at   string
	code string // "dir.Const"
	keys map[string]bool
}

func moduleRoot(t *testing.T) string {
	dir, err := os.Getwd()
	require.NoError(t, err)
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		require.NotEqual(t, dir, filepath.Dir(dir), "no go.mod above the test")
		dir = filepath.Dir(dir)
	}
}

func readModule(t *testing.T, root string) *source {
	s := &source{
		codes: map[fault.Code]string{}, byName: map[string]fault.Code{},
		uses: map[string]int{}, literals: map[string]bool{},
	}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		s.file(set, file, filepath.ToSlash(rel))
		return nil
	})
	require.NoError(t, err)
	return s
}

func (s *source) file(set *token.FileSet, file *ast.File, rel string) {
	dir := "."
	if i := strings.LastIndex(rel, "/"); i >= 0 {
		dir = rel[:i]
	}
	imports := map[string]string{} // local name → directory in the module
	for _, imp := range file.Imports {
		p, _ := strconv.Unquote(imp.Path.Value)
		if inside, ok := strings.CutPrefix(p, "pabal/"); ok {
			name := inside[strings.LastIndex(inside, "/")+1:]
			if imp.Name != nil {
				name = imp.Name.Name
			}
			imports[name] = inside
		}
	}
	// full names a constant as "dir.Const", or "" for other expressions.
	full := func(e ast.Expr) string {
		switch e := e.(type) {
		case *ast.Ident:
			return dir + "." + e.Name
		case *ast.SelectorExpr:
			if x, ok := e.X.(*ast.Ident); ok && imports[x.Name] != "" {
				return imports[x.Name] + "." + e.Sel.Name
			}
		}
		return ""
	}
	at := func(n ast.Node) string { return rel + ":" + strconv.Itoa(set.Position(n.Pos()).Line) }
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BasicLit:
			if text, err := strconv.Unquote(n.Value); err == nil {
				s.literals[text] = true
			}
		case *ast.Ident, *ast.SelectorExpr:
			s.uses[full(n.(ast.Expr))]++
		case *ast.ValueSpec:
			s.constants(n, full, at(n), func(name string) string { return dir + "." + name })
		case *ast.CallExpr:
			if c, ok := newFault(n, full); ok {
				c.at = at(n)
				s.calls = append(s.calls, c)
			}
			s.words(n, full, at(n))
		}
		return true
	})
}

// words reads what is said in the words of the catalogue, and what is not.
func (s *source) words(n *ast.CallExpr, full func(ast.Expr) string, at string) {
	first := 2
	switch full(n.Fun) {
	case "internal/fault.New":
	case "internal/fault.Say":
		first = 1
		lit, ok := n.Args[0].(*ast.BasicLit)
		if !ok {
			s.unsaid = append(s.unsaid, at+": a phrase needs its key written out")
			return
		}
		key, _ := strconv.Unquote(lit.Value)
		c := call{at: at, code: fault.Phrases + key, keys: map[string]bool{}}
		for i := 1; i < len(n.Args); i += 2 {
			if lit, ok := n.Args[i].(*ast.BasicLit); ok {
				name, _ := strconv.Unquote(lit.Value)
				c.keys[name] = true
			}
		}
		s.phrases = append(s.phrases, c)
	default:
		return
	}
	for i := first + 1; i < len(n.Args); i += 2 {
		ast.Inspect(n.Args[i], func(in ast.Node) bool {
			if inner, ok := in.(*ast.CallExpr); ok && full(inner.Fun) == "internal/fault.Say" {
				return false // is looked at by itself
			}
			if lit, ok := in.(*ast.BasicLit); ok && lit.Kind == token.STRING && prose.MatchString(lit.Value) {
				s.unsaid = append(s.unsaid, at+": "+lit.Value+" is in one language only: make it a phrase (fault.Say)")
			}
			return true
		})
	}
}

// prose is two words of English beside each other.
var prose = regexp.MustCompile(`[A-Za-z]{2} [a-z]|[a-z] [a-z]{2}`)

func (s *source) constants(spec *ast.ValueSpec, full func(ast.Expr) string, at string, named func(string) string) {
	const code = "internal/fault.Code"
	for i, value := range spec.Values {
		typed := spec.Type != nil && full(spec.Type) == code
		if conv, ok := value.(*ast.CallExpr); ok && len(conv.Args) == 1 && full(conv.Fun) == code {
			typed, value = true, conv.Args[0]
		}
		lit, ok := value.(*ast.BasicLit)
		if !typed || !ok {
			continue
		}
		text, _ := strconv.Unquote(lit.Value)
		if _, dup := s.codes[fault.Code(text)]; dup {
			s.twice = append(s.twice, declared{fault.Code(text), at})
			continue
		}
		s.codes[fault.Code(text)] = at
		s.byName[named(spec.Names[i].Name)] = fault.Code(text)
		s.uses[named(spec.Names[i].Name)]-- // the declaration itself
	}
}

func newFault(n *ast.CallExpr, full func(ast.Expr) string) (call, bool) {
	if full(n.Fun) != "internal/fault.New" || len(n.Args) < 2 || n.Ellipsis.IsValid() {
		return call{}, false
	}
	c := call{code: full(n.Args[0]), keys: map[string]bool{}}
	for i := 2; i < len(n.Args); i += 2 {
		lit, ok := n.Args[i].(*ast.BasicLit)
		if !ok {
			return call{}, false
		}
		key, _ := strconv.Unquote(lit.Value)
		c.keys[key] = true
	}
	return c, true
}

// TestCodesAndSentencesMatch has one subtest per package, so that
// -run TestCodesAndSentencesMatch/naming looks at one.
func TestCodesAndSentencesMatch(t *testing.T) {
	c, err := Load()
	require.NoError(t, err)
	entries := all(t, c)
	s := readModule(t, moduleRoot(t))
	require.Contains(t, s.codes, CodeInternal, "the reader of Go files finds the code of this package")

	wrong := map[string][]string{} // by directory
	note := func(at, format string, args ...any) {
		wrong[path.Dir(at)] = append(wrong[path.Dir(at)], at+": "+fmt.Sprintf(format, args...))
	}
	for _, twice := range s.twice {
		note(twice.at, "code %s is declared at %s too", twice.code, s.codes[twice.code])
	}
	for code, at := range s.codes {
		if _, ok := entries[code]; !ok {
			note(at, "code %s has no entry in the catalogue", code)
		}
	}
	for name, code := range s.byName {
		if s.uses[name] < 1 {
			note(s.codes[code], "code %s is declared and never raised", code)
		}
	}
	for code := range entries {
		if _, declared := s.codes[code]; !declared && !s.asLiteral(string(code)) && !strings.HasPrefix(string(code), fault.Phrases) {
			note("sentences/"+string(code), "has no constant of type fault.Code")
		}
	}
	for _, call := range s.calls {
		code := s.byName[call.code]
		for _, name := range placeholders(entries[code].EN + entries[code].NextEN) {
			if name != "subject" && name != fault.ArgTransfer && name != fault.ArgSession && !call.keys[name] {
				note(call.at, "the sentence of %s needs {%s}, which this call does not give", code, name)
			}
		}
	}
	s.phrasesMatch(entries, note)
	for dir, lines := range wrong {
		t.Run(dir, func(t *testing.T) {
			slices.Sort(lines)
			t.Error(strings.Join(lines, "\n"))
		})
	}
}

// phrasesMatch holds that what Go files say and the phrases of the catalogue are the same.
func (s *source) phrasesMatch(entries map[fault.Code]entry, note func(at, format string, args ...any)) {
	said := map[fault.Code]bool{}
	for _, p := range s.phrases {
		code := fault.Code(p.code)
		said[code] = true
		e, ok := entries[code]
		if !ok {
			note(p.at, "%s is not in the catalogue: give it words of both languages in sentences/phrase.yaml", code)
			continue
		}
		needs := placeholders(e.EN)
		for _, name := range needs {
			if !p.keys[name] {
				note(p.at, "%s needs {%s}, which this call does not give", code, name)
			}
		}
		for name := range p.keys {
			if !slices.Contains(needs, name) {
				note(p.at, "%s has no {%s}", code, name)
			}
		}
	}
	for code := range entries {
		if strings.HasPrefix(string(code), fault.Phrases) && !said[code] {
			note("sentences/phrase.yaml", "nobody says %s", code)
		}
	}
	for _, at := range s.unsaid {
		note(at, "see the comment of fault.Phrase")
	}
}

// asLiteral finds interface texts: by their whole code, or by a literal prefix
// that ends in a dot ("ui.status." + status).
func (s *source) asLiteral(code string) bool {
	if !strings.HasPrefix(code, areaUI) {
		return false
	}
	if s.literals[code] {
		return true
	}
	i := strings.LastIndex(code, ".")
	return i >= len(areaUI) && s.literals[code[:i+1]]
}
