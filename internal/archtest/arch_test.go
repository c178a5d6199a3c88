package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "pabal"

// source is one Go file of the module.
type source struct {
	dir  string // of its package, relative to the module
	path string // relative to the module
	ast  *ast.File
}

func (s source) test() bool { return strings.HasSuffix(s.path, "_test.go") }

// root is the module's directory.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	require.NoError(t, err)
	require.FileExists(t, filepath.Join(dir, "go.mod"))
	return dir
}

// walk calls f with every file of the module, slash-separated and relative.
func walk(t *testing.T, f func(rel string)) {
	t.Helper()
	base := root(t)
	require.NoError(t, filepath.WalkDir(base, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(base, path)
		if err != nil {
			return err
		}
		switch {
		case d.IsDir() && (d.Name() == ".git" || rel == "bin" || rel == "demo" || rel == "vendor"):
			return filepath.SkipDir
		case d.Name() == ".git": // a file in a worktree, with the path of the checkout
		case d.Type().IsRegular():
			f(filepath.ToSlash(rel))
		}
		return nil
	}))
}

// sources parses the Go files of the module.
func sources(t *testing.T) (*token.FileSet, []source) {
	t.Helper()
	set := token.NewFileSet()
	var all []source
	walk(t, func(rel string) {
		if !strings.HasSuffix(rel, ".go") || strings.Contains("/"+rel, "/testdata/") {
			return
		}
		file, err := parser.ParseFile(set, filepath.Join(root(t), filepath.FromSlash(rel)), nil, parser.ParseComments|parser.SkipObjectResolution)
		require.NoError(t, err)
		all = append(all, source{dir: filepath.ToSlash(filepath.Dir(rel)), path: rel, ast: file})
	})
	require.NotEmpty(t, all)
	return set, all
}

func imports(f *ast.File) []string {
	var paths []string
	for _, spec := range f.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err == nil {
			paths = append(paths, path)
		}
	}
	return paths
}

// Product files keep the direction. Tests may look further, for example at the
// simulator as the other side, but nobody but cmd reads the configuration.
func TestImportDirection(t *testing.T) {
	_, all := sources(t)
	for _, s := range all {
		for _, path := range imports(s.ast) {
			to, ours := strings.CutPrefix(path, module+"/")
			if !ours || s.test() && top(to) != "config" {
				continue
			}
			if why := checkDirection(s.dir, to); why != "" {
				t.Errorf("%s imports %s\n\t%s", s.path, path, why)
			}
		}
	}
}

func TestPurePackages(t *testing.T) {
	set, all := sources(t)
	for _, s := range all {
		if s.test() {
			continue
		}
		for _, path := range imports(s.ast) {
			if why := checkPure(s.dir, path); why != "" {
				t.Errorf("%s imports %s\n\t%s", s.path, path, why)
			}
		}
		ast.Inspect(s.ast, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if pkg, ok := sel.X.(*ast.Ident); ok && pkg.Name == "time" {
				if why := checkClock(s.dir, sel.Sel.Name); why != "" {
					t.Errorf("%s uses time.%s\n\t%s", set.Position(sel.Pos()), sel.Sel.Name, why)
				}
			}
			return true
		})
	}
}

func TestLibrariesStayWhereTheyAre(t *testing.T) {
	_, all := sources(t)
	for _, s := range all {
		if s.test() {
			continue
		}
		for _, path := range imports(s.ast) {
			if why := checkIsolated(s.dir, path); why != "" {
				t.Errorf("%s imports %s\n\t%s", s.path, path, why)
			}
		}
	}
}

// private is a path of a machine on which the project was written, or of a
// tree beside it. A reader of the repository has none of them.
var private = regexp.MustCompile(`(?:^|[^\w.])/(?:root|work/(?:main|shared|\.library)|tmp/plan)\b|\.\./shared\b`)

func TestNoPrivatePaths(t *testing.T) {
	walk(t, func(rel string) {
		if rel == "internal/archtest/arch_test.go" || rel == "internal/archtest/rules_can_fail_test.go" {
			return
		}
		path := filepath.Join(root(t), filepath.FromSlash(rel))
		st, err := os.Stat(path)
		require.NoError(t, err)
		if st.Size() > 1<<20 {
			return // data, not prose
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		head := text[:min(len(text), 8000)]
		if strings.IndexByte(string(head), 0) >= 0 {
			return // not text
		}
		if m := private.Find(text); m != nil {
			t.Errorf("%s: %q is a path of one machine; a reader of the repository does not have it", rel, m)
		}
	})
}

// moduleRow is the first column of the table in docs/dependencies.md.
var moduleRow = regexp.MustCompile("(?m)^\\| `([^`]+)` \\|")

func TestEveryLibraryHasItsLine(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root(t), "docs", "dependencies.md"))
	require.NoError(t, err)
	var listed []string
	for _, m := range moduleRow.FindAllStringSubmatch(string(text), -1) {
		listed = append(listed, m[1])
	}
	require.NotEmpty(t, listed)

	_, all := sources(t)
	for _, s := range all {
		for _, path := range imports(s.ast) {
			if strings.Contains(top(path), ".") && !within(path, listed) {
				t.Errorf("%s imports %s, which has no line in docs/dependencies.md: what for, where isolated, what else was looked at", s.path, path)
			}
		}
	}
}
