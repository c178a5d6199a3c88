package protocol

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"pabal/internal/catalog"
	"pabal/internal/fault"
)

func testSource(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "testdata", "profiles", name+".yaml"))
	require.NoError(t, err)
	return string(text)
}

func testProfile(t testing.TB, name string) *Profile {
	t.Helper()
	p, err := Parse(name+".yaml", []byte(testSource(t, name)))
	require.NoError(t, err)
	return p
}

// mistakes breaks a profile of testdata/profiles in one place each.
type broken struct {
	name, old, broken string
	at                string // text whose line the message names; "" = broken
	code              fault.Code
	path, expected    string
}

func mistakes(t *testing.T, profile string, all []broken) {
	good := testSource(t, profile)
	for _, c := range all {
		t.Run(c.name, func(t *testing.T) {
			require.Contains(t, good, c.old, "the test breaks nothing")
			src := strings.Replace(good, c.old, c.broken, 1)
			_, err := parseChecked("my.yaml", src)
			require.Error(t, err)
			mark := c.at
			if mark == "" {
				mark = c.broken
			}
			require.Contains(t, src, mark)
			line := strings.Count(src[:strings.Index(src, mark)], "\n") + 1
			var seen []string
			for _, e := range faults(err) {
				seen = append(seen, fmt.Sprintf("%s %v", e.Error(), e.Args))
				if e.Code == c.code && e.Args["path"] == c.path && e.Args["line"] == strconv.Itoa(line) && e.Args["file"] == "my.yaml" &&
					strings.Contains(wanted(t, catalog.EN, e), c.expected) {
					return
				}
			}
			require.Fail(t, "not told", "%s %s line %d %q in\n%s", c.code, c.path, line, c.expected, strings.Join(seen, "\n"))
		})
	}
}

func TestBeginMistakes(t *testing.T) {
	step := "    - {by: centre, telegram: verify}"
	mistakes(t, "login", []broken{
		{"an unknown key", step, "    - {from: centre, telegram: verify}", "", CodeProfileSyntax, "session.begins[2].from", "unknown key"},
		{"who is nobody", step, "    - {by: bank, telegram: verify}", "", CodeProfileValue, "session.begins[2].by", "caller, called, institution, centre"},
		{"neither bytes nor telegram", step, "    - {by: centre}", "", CodeProfileValue, "session.begins[2]", "either bytes or telegram"},
		{"both", step, "    - {by: centre, telegram: verify, bytes: X}", "", CodeProfileValue, "session.begins[2]", "either"},
		{"another telegram", step, "    - {by: centre, telegram: open}", "", CodeProfileValue, "session.begins[2].telegram", "login, verify"},
		{"bytes after a telegram", step, step + "\n    - {by: centre, bytes: GO}", "    - {by: centre, bytes: GO}", CodeProfileValue, "session.begins[3].bytes", "before the first one"},
		{"bytes that are none", "hex:1605", "hex:16X5", "", CodeProfileValue, "session.begins[1].bytes", "hex:0D0A"},
		{"bytes that are no ASCII", "hex:1605", "안녕", "", CodeProfileValue, "session.begins[1].bytes", "ASCII"},
		{"a line that ends otherwise", `until: "\r\n"`, `until: "\n\n"`, "", CodeProfileValue, "session.begins[0].until", "what bytes end with"},
		{"a line longer than its limit", "max: 20", "max: 4", "", CodeProfileValue, "session.begins[0].until", "within 4 bytes"},
		{"a limit that is none", "max: 20", "max: 5000", "", CodeProfileValue, "session.begins[0].max", "1…4096"},
		{"a limit of fixed bytes", `bytes: "hex:1605"`, `bytes: "hex:1605", max: 3`, "", CodeProfileValue, "session.begins[1].max", "until"},
		{"a limit of a telegram", step, "    - {by: centre, telegram: verify, max: 3}", "", CodeProfileValue, "session.begins[2]", "for bytes"},
		{"a telegram that nobody sends", step + "\n", "", "  verify: {", CodeProfileMissing, "telegrams.verify", "telegram: verify"},
		{"a step without its telegram", "  verify: {title: 확인 요구, type: \"0700\", body: once}\n  verify-reply: {title: 확인 통보, type: \"0710\", body: who}\n", "", "telegrams:", CodeProfileMissing, "telegrams", "its layout"},
		{"the role where the sender opens", "  cipher: none", "  cipher: none\n  opens: sender", step, CodeProfileValue, "session.begins[2].by", "caller, called"},
		{"a challenge too short", "width: 6}\n  who", "width: 3}\n  who", "  login-reply: {", CodeProfileWidth, "telegrams.login-reply", "at least 4"},
		{"challenges of two widths", "width: 6}\n  who", "width: 7}\n  who", "  login-reply: {", CodeProfileWidth, "telegrams.login-reply", "6 bytes"},
		{"a challenge elsewhere", "telegrams:\n", "telegrams:\n  open-reply: {where: , type: \"0610\", body: once}\n", "  open-reply: {", CodeProfileField, "telegrams.open-reply", "but in login"},
		{"a challenge that nobody repeats", "{title: 확인 통보, type: \"0710\", body: who}\n  login: {title: 로그인 요구, type: \"0720\", body: who}", "{title: 확인 통보, type: \"0710\"}\n  login: {title: 로그인 요구, type: \"0720\"}", "  begins:", CodeProfileMissing, "session.begins", "repeats it"},
		{"a first telegram that we cannot send", "first_min: 33", "first_min: 34", "", CodeProfileValue, "framing.first_min", "at most 33"},
	})
	_, err := Parse("my.yaml", []byte(strings.Replace(testSource(t, "login"), "  begins:", "  begins:"+strings.Repeat("\n    - {by: caller, bytes: A}", 7), 1)))
	require.Equal(t, "at most 8 steps", wanted(t, catalog.EN, faults(err)[0]))
}

// A login whose answer cannot say no lets nobody be refused.
func TestLoginNeedsACode(t *testing.T) {
	_, err := Parse("my.yaml", []byte(`profile: my
extends: cms
header: {response: null}
bodies: {code: [{title: code, field: response, type: N, width: 3}]}
telegrams:
  login: {title: login, type: "0700"}
  login-reply: {title: login, type: "0710"}
session: {begins: [{by: caller, telegram: login}]}
`))
	var told []string
	for _, e := range faults(err) {
		told = append(told, e.Args["path"]+" "+wanted(t, catalog.EN, e))
	}
	require.Contains(t, told, "telegrams.login-reply a row for the response code: without one nobody can be refused")
}

func TestGreet(t *testing.T) {
	p := testProfile(t, "login")
	line, exact := &p.Session.Begins[0], &p.Session.Begins[1]
	for _, c := range []struct {
		name   string
		step   *Step
		stream string
		code   fault.Code
		left   int
	}{
		{"the line", line, "READY\r\n0029", "", 4},
		{"another line", line, "welcome\r\r\n", "", 0},
		{"as long as it may be", line, "123456789012345678\r\n", "", 0},
		{"longer", line, "1234567890123456789\r\n", CodeGreeting, 21},
		{"the bytes", exact, "\x16\x050045", "", 4},
		{"others", exact, "\x16\x06", CodeGreeting, 2},
		{"none of them", exact, "GET / HTTP/1.1\r\n", CodeGreeting, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := p.NewReader(iotest.OneByteReader(strings.NewReader(c.stream)), make([]byte, p.FrameBuffer()))
			_, err := r.Greet(c.step)
			require.Equal(t, c.code, fault.CodeOf(err))
			if c.code == "" { // what follows is a telegram's
				rest, err := io.ReadAll(io.MultiReader(strings.NewReader(string(r.buf[r.from:r.to])), r.src))
				require.NoError(t, err)
				require.Len(t, rest, c.left)
			}
		})
	}
	for said, end := range map[string]error{"READ": io.ErrUnexpectedEOF, "": io.EOF} {
		_, err := p.NewReader(strings.NewReader(said), make([]byte, p.FrameBuffer())).Greet(line)
		require.ErrorIs(t, err, end)
	}
}

// The first telegram of who comes to us may have to be longer than others.
func TestShortestFirst(t *testing.T) {
	p := testProfile(t, "login")
	short, long := "0023FTS0570999RB        000", "0029FTS0570700RC        000123456"
	r := p.NewReader(strings.NewReader(long+short+short), make([]byte, p.FrameBuffer()))
	r.First()
	for _, want := range []string{long, short} {
		got, err := r.Next()
		require.NoError(t, err)
		require.Equal(t, want, string(got))
	}
	r.First()
	_, err := r.Next()
	require.Equal(t, CodeTooShort, fault.CodeOf(err))
	require.Equal(t, "33", fault.As(err).Args["expected"])
}

// What a login says in secret is shown nowhere; what it consists of is.
func TestLoginIsExplained(t *testing.T) {
	p := testProfile(t, "login")
	e := p.Explain([]byte("0049FTS0570720RB        000kim         secret  123456"))
	require.NoError(t, e.Err)
	require.Equal(t, Login, e.Kind)
	require.Equal(t, "kim", e.Rows[8].Value)
	for _, row := range e.Rows[9:] {
		require.True(t, row.Hidden, row.Field)
		require.Empty(t, row.Value, row.Field)
	}
	challenge := Telegram{Kind: Login}
	challenge.SetText(Challenge, "1234567")
	_, err := p.Append(nil, &challenge)
	require.Equal(t, CodeDoesNotFit, fault.CodeOf(err))
	require.NotContains(t, err.Error(), "1234567")

	en, ko := p.Page("en"), p.Page("ko")
	for _, row := range []string{
		"| 1 | the side that is called | `52454144590D0A` (READY..) | reads up to `0D0A`, at most 20 bytes |",
		"| 2 | the side that connects | `1605` (..) | wants exactly these bytes |",
		"| 3 | the centre | `verify` | answers `verify-reply` |",
		"The one-time value (6 bytes) is made up by who first sends it",
	} {
		require.Contains(t, en, row)
	}
	require.Contains(t, ko, "| 4 | 이용기관 | `login` | `login-reply`(으)로 응답 |")
	require.NotContains(t, en+ko, "%!")
}
