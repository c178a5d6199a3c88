package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"testing"

	"github.com/stretchr/testify/require"
)

// A rule that cannot fail keeps nothing. Each is shown something forbidden
// here, and something like it that is allowed.

func TestDirectionRuleCanFail(t *testing.T) {
	for _, tt := range []struct{ from, to, why string }{
		{"cmd/pabal", "config", ""},
		{"cmd/pabal", "instance", ""},
		{"instance", "store", ""},
		{"store", "transfer", ""},
		{"protocol/machine", "protocol", ""},
		{"console", "control", ""},
		{"transfer", "internal/fault", ""},
		{"internal/place", "internal/fault", ""},

		{"control", "console", "one level"},
		{"filemgr", "store", "one level"},
		{"instance", "simulator", "one level"},
		{"store", "instance", "go down only"},
		{"transfer", "protocol", "go down only"},
		{"message", "transfer", "one level"},
		{"instance", "config", "only cmd"},
		{"store", "config", "only cmd"},
		{"internal/claim", "transfer", "without domain"},
		{"misc", "transfer", "no level"},
		{"cmd/pabal", "misc", "no level"},
	} {
		why := checkDirection(tt.from, tt.to)
		if tt.why == "" {
			require.Empty(t, why, "%s -> %s", tt.from, tt.to)
			continue
		}
		require.Contains(t, why, tt.why, "%s -> %s", tt.from, tt.to)
	}
}

func TestPureRuleCanFail(t *testing.T) {
	require.NotEmpty(t, checkPure("transfer", "os"))
	require.NotEmpty(t, checkPure("transfer", "os/exec"))
	require.NotEmpty(t, checkPure("message", "database/sql"))
	require.NotEmpty(t, checkPure("protocol/machine", "net"))
	require.NotEmpty(t, checkClock("protocol/machine", "Now"))
	require.NotEmpty(t, checkClock("protocol/machine", "AfterFunc"))

	require.Empty(t, checkPure("transfer", "slices"))
	require.Empty(t, checkPure("protocol", "net"))
	require.Empty(t, checkClock("protocol/machine", "Duration"))
	require.Empty(t, checkClock("protocol/machine", "Time"))
	require.Empty(t, checkClock("protocol", "Now"))
}

func TestIsolationRuleCanFail(t *testing.T) {
	require.NotEmpty(t, checkIsolated("instance", "database/sql"))
	require.NotEmpty(t, checkIsolated("instance", "modernc.org/sqlite/lib"))
	require.NotEmpty(t, checkIsolated("filemgr", "github.com/stretchr/testify/require"))
	require.Empty(t, checkIsolated("store", "database/sql"))
	require.Empty(t, checkIsolated("store/storetest", "testing"))
	require.Empty(t, checkIsolated("instance", "context"))
}

func TestPrivatePathRuleCanFail(t *testing.T) {
	for _, s := range []string{"see /work/main/x", "cd /root/go", "`/root`", "../shared/design.md", "\"/tmp/plan/common.md\""} {
		require.Regexp(t, private, s)
	}
	for _, s := range []string{"/data/work/instanceBAT01", "work/main", "/data/root", "/tmp/demo", "shared/"} {
		require.NotRegexp(t, private, s)
	}
}

func TestStateRuleCanFail(t *testing.T) {
	for _, tt := range []struct {
		name, code string
		found      int
	}{
		{"a table", `var t = map[string]int{"a": 1}; func f() int { return t["a"] }`, 0},
		{"a pattern", `var p = regexp.MustCompile("x")`, 0},
		{"an error", `var ErrX = errors.New("x")`, 0},
		{"a contract", `var _ I = T{}; type I interface{}; type T struct{}`, 0},
		{"a pool", `var p sync.Pool; func f() { p.Put(1) }`, 0},
		{"an embedded file", "//go:embed x\nvar x []byte", 0},
		{"a local of the same name", `var n = 1; func f() int { n := 2; n++; return n }`, 0},

		{"a counter", `var n = 0; func f() { n++ }`, 1},
		{"a registry", `var r = map[string]int{}; func Register(k string) { r[k] = 1 }`, 1},
		{"a field", `var s = struct{ a int }{}; func f() { s.a = 1 }`, 1},
		{"a place to write", `var n = 0; func f() *int { return &n }`, 1},
		{"a cache", `var m = map[string]int{}; func f() { delete(m, "a") }`, 1},
		{"set by others", `var Default = 1`, 1},
		{"set later", `var conn any`, 1},
		{"an init", `func init() {}`, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, "p.go", "package p\n"+tt.code, parser.ParseComments|parser.SkipObjectResolution)
			require.NoError(t, err)
			require.Len(t, packageState(set, []*ast.File{file}), tt.found)
		})
	}
}
