package scenario

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/internal/catalog"
	"pabal/internal/fault"
	"pabal/simulator"
)

func today() time.Time { return time.Date(2026, 11, 21, 0, 0, 0, 0, time.FixedZone("KST", 9*60*60)) }

func TestParse(t *testing.T) {
	s, err := Parse("x.yaml", []byte(`
scenario: all of it
profile: cms
side: centre
role: listen
address: 127.0.0.1:9001
who: { password: "${env:PW}" }
message_size: 139
give:
  - { name: "E${n:3}${MMdd}", copies: 2, blocks: 1, telegrams: 2, bytes: 3 }
take: true
faults: { lose: 2:37, cut: after-check@2 }
answers:
  - { to: check, block: 2, times: 1, map: listed, missing: [3] }
  - { to: end, response: "090", delay: 1s }
within: 3s
expect: { given: 1, failed: { "E001${MMdd}": "090" } }
`), Options{Today: today(), Env: func(string) (string, bool) { return "SECRET", true }})
	require.NoError(t, err)
	require.True(t, s.Listens)
	require.Equal(t, "SECRET", s.Who.Password)
	require.Equal(t, "E0021121", s.Gifts[1].Name)
	require.Equal(t, int64(100*100+2*100+3), s.Gifts[0].Size)
	require.Equal(t, []simulator.Point{{Kind: s.Who.Faults.Cut[0].Kind, After: true, N: 1, Block: 2}}, s.Who.Faults.Cut)
	require.Len(t, s.Who.Faults.Answers, 2)
	require.Equal(t, []int{3}, s.Who.Faults.Answers[0].Missing)
	require.Equal(t, map[string]string{"E0011121": "090"}, s.Expect.Failed)
	require.Equal(t, 1, s.Expect.Given)
}

// A file with a mistake never runs: each says where and what was expected.
func TestMistakes(t *testing.T) {
	const good = "scenario: a\nprofile: cms\nside: institution\ngive: [{name: EB21}]\n"
	for _, test := range []struct {
		text     string
		code     fault.Code
		line     int
		path     string
		expected string
	}{
		{"", CodeSyntax, 1, "", ""},
		{"a: [", CodeSyntax, 1, "", ""},
		{good + "colour: red\n", CodeSyntax, 5, "colour", ""},
		{good + "faults: {loose: 5%}\n", CodeValue, 5, "faults.loose", "lose, duplicate"},
		{good + "faults: {cut: nowhere}\n", CodeValue, 5, "faults.cut", "[after-]WHAT"},
		{good + "answers: [{to: dance, silent: true}]\n", CodeValue, 5, "answers[0].to", "open, info"},
		{good + "answers: [{to: check}]\n", CodeValue, 5, "answers[0]", "response, delay"},
		{good + "answers: [{to: end, map: held}]\n", CodeValue, 5, "answers[0].map", "to: check"},
		{good + "answers: [{to: check, map: listed}]\n", CodeValue, 5, "answers[0].missing", "sequence numbers"},
		{good + "answers: [{to: check, map: odd}]\n", CodeValue, 5, "answers[0].map", "right, held"},
		{good + "within: soon\n", CodeValue, 5, "within", "a time"},
		{good + "sessions: 5000\n", CodeValue, 5, "sessions", "1…1000"},
		{good + "role: sleep\n", CodeValue, 5, "role", "connect, listen"},
		{good + "who: {password: \"${env:NOT_THERE}\"}\n", CodeValue, 5, "who.password", "a variable"},
		{good + "who: {login: {name: kim}}\n", CodeUnfit, 5, "who.login.name", "says no such thing"},
		{good + "server: {login: {user: kim}}\n", CodeSyntax, 5, "server.login.user", ""},
		{good + "message_size: 20\n", CodeUnfit, 5, "message_size", ""},
		{good + "expect: {given: 2}\n", CodeValue, 5, "expect.given", "0 to 1"},
		{good + "fetch: true\n", CodeValue, 5, "fetch", "take: true"},
		{strings.Replace(good, "cms", "nothing", 1), CodeValue, 2, "profile", "cms"},
		{strings.Replace(good, "institution", "middle", 1), CodeValue, 3, "side", "institution, centre"},
		{strings.Replace(good, "EB21", "EB21EB21X", 1), CodeValue, 4, "give[0].name", "8 characters"},
		{strings.Replace(good, "{name: EB21}", "{bytes: 1}", 1), CodeUnfit, 4, "give[0].name", "the name"},
		{strings.Replace(good, "{name: EB21}", "{name: A, copies: 2}", 1), CodeValue, 4, "give[0].name", "${n:3}"},
		{strings.Replace(good, "{name: EB21}", "{name: A, path: nothing.dat}", 1), CodeValue, 4, "give[0].path", "a file"},
		{strings.Replace(good, "{name: EB21}", "{name: A, sample: XX}", 1), CodeValue, 4, "give[0].sample", "a kind"},
		{strings.Replace(good, "{name: EB21}", "{name: ../A}", 1), CodeValue, 4, "give[0].name", "the name of a file, without"},
		{strings.Replace(good, "{name: EB21}", "{name: .A}", 1), CodeValue, 4, "give[0].name", "the name of a file, without"},
		{strings.Replace(good, "{name: EB21}", "{name: A.part}", 1), CodeValue, 4, "give[0].name", "the name of a file, without"},
		{strings.Replace(good, "{name: EB21}", "{name: A}, {name: A}", 1), CodeValue, 4, "give[1].name", "another name"},
		{good + "server: {sends: [{name: A}, {name: B}, {name: B}]}\n", CodeValue, 5, "server.sends[2].name", "another name"},
		{strings.Replace(good, "{name: EB21}", "{name: A, blocks: 9000000000000000000}", 1), CodeValue, 4, "give[0]", "bytes"},
		{strings.Replace(good, "{name: EB21}", "{name: A, bytes: -9000000000000000000, telegrams: 9000000000000000000}", 1), CodeValue, 4, "give[0]", "bytes"},
		{"scenario: a\nprofile: cms\nside: centre\n", CodeUnfit, 1, "give", "files to give"},
	} {
		_, err := Parse("x.yaml", []byte(test.text), Options{Today: today()})
		e := fault.As(err)
		require.NotNil(t, e, test.text)
		require.Equal(t, test.code, e.Code, "%s: %v", test.text, err)
		require.Equal(t, "x.yaml", e.Args["file"], test.text)
		require.Equal(t, strconv.Itoa(test.line), e.Args["line"], "%s: %v", test.text, err)
		require.Equal(t, test.path, e.Args["path"], test.text)
		require.Contains(t, wanted(t, catalog.EN, e), test.expected, test.text)
	}
}

// A profile with a mistake speaks for itself.
func TestBrokenProfileBeside(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "own.yaml"), []byte("profile: own\nextends: cms\nodd: 1\n"), 0o600))
	_, err := Parse(filepath.Join(dir, "x.yaml"), []byte("scenario: a\nprofile: own.yaml\nside: centre\ntake: true\n"), Options{})
	require.Contains(t, string(fault.CodeOf(err)), "profile.")
}
