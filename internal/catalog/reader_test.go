package catalog

import (
	"go/parser"
	"go/token"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
)

// The test above is only as good as its reader of Go files.
func TestReaderFindsCodesUsesAndKeys(t *testing.T) {
	s := &source{codes: map[fault.Code]string{}, byName: map[string]fault.Code{}, uses: map[string]int{}, literals: map[string]bool{}}
	for rel, text := range map[string]string{
		"store/codes.go": `package store
import "pabal/internal/fault"
const (
	CodeA fault.Code = "store.a"
	CodeB            = fault.Code("store.b")
	CodeC fault.Code = "store.c"
	other            = "store.d"
)
const CodeAgain fault.Code = "store.a"
func f() error { return fault.New(CodeA, "s", "n", 1, "m", 2) }`,
		"cmd/pabal/main.go": `package main
import ( f "pabal/internal/fault"; "pabal/store" )
func g(kv ...any) {
	_ = f.New(store.CodeB, "s")
	_ = f.New(store.CodeB, "s", kv...)
	_ = "ui.status." + "x"
	_ = f.New(store.CodeB, "s", "why", f.Say("where", "what", f.Say("at_most", "most", 5), "key", "a key"))
	_ = f.New(store.CodeB, "s", "why", fmt.Sprintf("at most %d", 5))
	_ = f.New(store.CodeB, "s", "known", "send, receive")
	_ = f.Say(key)
}`,
	} {
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, rel, text, parser.SkipObjectResolution)
		require.NoError(t, err)
		s.file(set, file, rel)
	}
	require.Equal(t, map[fault.Code]string{"store.a": "store/codes.go:4", "store.b": "store/codes.go:5", "store.c": "store/codes.go:6"}, s.codes)
	require.Equal(t, []declared{{"store.a", "store/codes.go:9"}}, s.twice)
	require.Positive(t, s.uses["store.CodeA"])
	require.Positive(t, s.uses["store.CodeB"])
	require.Zero(t, s.uses["store.CodeC"])
	require.ElementsMatch(t, []call{
		{"store/codes.go:10", "store.CodeA", map[string]bool{"n": true, "m": true}},
		{"cmd/pabal/main.go:4", "store.CodeB", map[string]bool{}},
		{"cmd/pabal/main.go:7", "store.CodeB", map[string]bool{"why": true}},
		{"cmd/pabal/main.go:8", "store.CodeB", map[string]bool{"why": true}},
		{"cmd/pabal/main.go:9", "store.CodeB", map[string]bool{"known": true}},
	}, s.calls)
	require.ElementsMatch(t, []call{
		{"cmd/pabal/main.go:7", "phrase.where", map[string]bool{"what": true, "key": true}},
		{"cmd/pabal/main.go:7", "phrase.at_most", map[string]bool{"most": true}},
	}, s.phrases)
	require.ElementsMatch(t, []string{
		`cmd/pabal/main.go:7: "a key" is in one language only: make it a phrase (fault.Say)`,
		`cmd/pabal/main.go:8: "at most %d" is in one language only: make it a phrase (fault.Say)`,
		"cmd/pabal/main.go:10: a phrase needs its key written out",
	}, s.unsaid)
	require.True(t, s.asLiteral("ui.status.sent"))
	require.False(t, s.asLiteral("ui.other.sent"))
	require.False(t, s.asLiteral("store.d"), "only interface texts go without a constant")
}
