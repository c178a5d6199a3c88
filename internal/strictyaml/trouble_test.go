package strictyaml

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"pabal/internal/catalog"
)

type wait time.Duration

func (w *wait) UnmarshalYAML(n *yaml.Node) error {
	d, err := time.ParseDuration(n.Value)
	if *w = wait(d); err != nil {
		return WrongKind(n, "time.Duration")
	}
	return nil
}

// What the library says in English is said in words of the catalogue. The texts
// are the library's: a new version that words them otherwise is noticed here.
func TestTroubles(t *testing.T) {
	say, err := catalog.Load()
	require.NoError(t, err)
	for text, want := range map[string]struct {
		line   int
		en, ko string
	}{
		"yes: maybe":      {1, `"maybe" is not true or false`, `"maybe" 값은 true 또는 false 값이 아님`},
		"\nn: many":       {2, `"many" is not a whole number`, `"many" 값은 정수가 아님`},
		"t: [a]":          {1, "a single value is expected here", "값 하나가 와야 함"},
		"list: {a: 1}":    {1, "a list is expected here", "목록이 와야 함"},
		"map: one":        {1, `"one" is not a group of "key: value" lines`, `"one" 값은 "키: 값" 묶음이 아님`},
		"wait: 60x":       {1, `"60x" is not a time such as 60s`, `"60x" 값은 60s 형식의 시간이 아님`},
		"wait: {a: 1}":    {1, "a time such as 60s is expected here", "60s 형식의 시간이 와야 함"},
		"t: a\nt: b":      {2, `"t" is written twice, first in line 1`, `"t" 키가 중복됨(처음 쓰인 곳은 1행)`},
		"t: *nobody":      {1, "there is no anchor &nobody", "&nobody 앵커가 없음"},
		"a:\n  b: 1\n c:": {2, "a key is expected here; compare the indentation with the lines around", "이 위치에는 키가 와야 함(앞뒤 행과 들여쓰기를 비교)"},
		"a:\n- b\nc":      {3, `the ":" behind a key is missing`, `키 뒤의 ":"이 빠짐`},
		"a:\n  - b\n  c: 1": {1, `the next "- " of a list is expected here; compare the indentation with the lines around`,
			`이 위치에는 목록의 다음 "- "가 와야 함(앞뒤 행과 들여쓰기를 비교)`},
		"a: [b":       {1, `a "," or "]" is missing in a list`, `목록에 "," 또는 "]"이 빠짐`},
		"a: {b: 1":    {1, `a "," or "}" is missing in { … }`, `{ … } 안에 "," 또는 "}"이 빠짐`},
		"a: b: c":     {1, `a second ":" in a line, or a line that is indented too far`, `한 행에 ":"이 두 번 있거나 들여쓰기가 맞지 않음`},
		"a: @b":       {1, "a tab, or a character that can begin a value only in quotes", "탭 문자이거나 따옴표로 묶어야 하는 문자"},
		"a: \"b":      {1, "a quote that is never closed", "닫히지 않은 따옴표"},
		`a: "\q"`:     {1, "a backslash in double quotes before a character that has no such form", "큰따옴표 안의 역슬래시 뒤에 쓸 수 없는 문자"},
		"a: ]":        {1, "a value is expected here", "이 위치에 값이 없음"},
		"a: - b":      {1, `a "- " where no list can begin`, `목록이 올 수 없는 위치의 "- "`},
		"a: b\n\tc d": {2, "a tab in the indentation", "들여쓰기에 쓰인 탭 문자"},
		"a: &a [*a]":  {1, "anchor 'a' value contains itself", "YAML 문법 오류(anchor 'a' value contains itself)"},
	} {
		var into struct {
			Yes  bool              `yaml:"yes"`
			N    int64             `yaml:"n"`
			T    string            `yaml:"t"`
			List []string          `yaml:"list"`
			Map  map[string]string `yaml:"map"`
			Wait wait              `yaml:"wait"`
			A    any               `yaml:"a"`
		}
		err := yaml.Unmarshal([]byte(text), &into)
		require.Error(t, err, text)
		got := Troubles(err)
		require.Len(t, got, 1, text)
		require.Equal(t, want.en, say.Text(catalog.EN, got[0].What.Key(), got[0].What.Args()), "%q: %s", text, err)
		require.Equal(t, want.ko, say.Text(catalog.KO, got[0].What.Key(), got[0].What.Args()), text)
		require.Equal(t, want.line, got[0].Line, "%q: %s", text, err)
	}
}
