package catalog

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"pabal/internal/fault"
)

// all entries, read: who loads them looks only for where they begin.
func all(t *testing.T, c *Catalog) map[fault.Code]entry {
	t.Helper()
	entries := map[fault.Code]entry{}
	for code, w := range c.entries {
		e, err := w.read(code)
		require.NoError(t, err, code)
		entries[code] = e
	}
	return entries
}

// An entry is cut out of its file before it is read. That must give what the
// whole file says.
func TestEntriesAreThoseOfTheFiles(t *testing.T) {
	c, err := Load()
	require.NoError(t, err)
	want := map[fault.Code]entry{}
	names, err := fs.Glob(embedded, "sentences/*.yaml")
	require.NoError(t, err)
	for _, name := range names {
		text, err := embedded.ReadFile(name)
		require.NoError(t, err)
		require.NoError(t, yaml.Unmarshal(text, &want), name)
	}
	require.Equal(t, want, all(t, c))
}

func TestEveryEntryIsComplete(t *testing.T) {
	c, err := Load()
	require.NoError(t, err)
	hangul := regexp.MustCompile(`\p{Hangul}`)
	form := regexp.MustCompile(`^[a-z0-9_]+(\.[a-z0-9_]+)*$`)
	for code, e := range all(t, c) {
		require.Regexp(t, form, string(code))
		texts := map[string]string{"en": e.EN, "ko": e.KO}
		if !strings.HasPrefix(string(code), areaUI) && !strings.HasPrefix(string(code), fault.Phrases) {
			texts["next_en"], texts["next_ko"] = e.NextEN, e.NextKO
		}
		for name, text := range texts {
			require.NotEmpty(t, strings.TrimSpace(text), "%s %s", code, name)
			require.Equal(t, strings.HasSuffix(name, "ko"), hangul.MatchString(text), "%s %s: %q", code, name, text)
			require.NotContains(t, placeholder.ReplaceAllString(text, ""), "%!", "%s %s", code, name)
		}
		require.Equal(t, placeholders(e.EN), placeholders(e.KO), "%s: placeholders of en and ko", code)
		require.Equal(t, placeholders(e.NextEN), placeholders(e.NextKO), "%s: placeholders of next_en and next_ko", code)
	}
}

func TestLangFrom(t *testing.T) {
	for _, tc := range []struct {
		flag string
		env  map[string]string
		want Lang
	}{
		{"", nil, EN},
		{"ko", nil, KO},
		{"KO", map[string]string{"LANG": "en_US.UTF-8"}, KO},
		{"en", map[string]string{"LC_ALL": "ko_KR.UTF-8"}, EN},
		{"", map[string]string{"LANG": "ko_KR.eucKR"}, KO},
		{"", map[string]string{"LC_ALL": "C", "LANG": "ko_KR.UTF-8"}, EN},
		{"", map[string]string{"LC_MESSAGES": "ko_KR", "LANG": "C"}, KO},
		{"", map[string]string{"LC_ALL": "", "LC_MESSAGES": "de_DE", "LANG": "ko"}, EN},
	} {
		require.Equal(t, tc.want, LangFrom(tc.flag, func(k string) string { return tc.env[k] }), "%+v", tc)
	}
}

func sample(t *testing.T, text string) *Catalog {
	t.Helper()
	c, err := load(fstest.MapFS{
		"sentences/a.yaml": {Data: []byte(text)},
		"sentences/internal.yaml": {Data: []byte(
			"internal: {en: 'odd: {text}', ko: '이상: {text}', next_en: look, next_ko: 보십시오}")},
	})
	require.NoError(t, err)
	return c
}

func TestSentence(t *testing.T) {
	c := sample(t, `
name.unknown: {en: 'No "{file_id}" in {subject}.', ko: '{subject}에 "{file_id}"이(가) 없습니다.', next_en: 'Register {file_id}.', next_ko: '{file_id}을(를) 등록하십시오.'}
name.held: {en: held, ko: 보류, next_en: 'pabal transfer release {transfer}', next_ko: 'pabal transfer release {transfer} 실행'}
ui.files: {en: '{n} files', ko: '파일 {n}건'}
`)
	inner := fault.New("name.unknown", "inner")
	f := fault.New("name.unknown", "a.b", "file_id", "EB21").Because(inner)
	err := fmt.Errorf("scan: %w", f)

	s, next := c.Sentence(EN, err)
	require.Equal(t, `No "EB21" in a.b.`, s)
	require.Equal(t, "Register EB21.", next)
	s, next = c.Sentence(KO, err)
	require.Equal(t, `a.b에 "EB21"이 없습니다.`, s)
	require.Equal(t, "EB21을 등록하십시오.", next)

	s, _ = c.Sentence(EN, inner)
	require.Equal(t, `No "?" in inner.`, s, "a missing value is visible and not an error")
	_, next = c.Sentence(EN, fault.New("name.held", "x"))
	require.Equal(t, "pabal transfer release ID", next, "nobody knows of which transfer it is")
	_, next = c.Sentence(EN, fault.New("name.held", "x").OfTransfer("06f1"))
	require.Equal(t, "pabal transfer release 06f1", next)
	s, _ = c.Sentence(EN, fault.New("name.unknown", "x", "file_id", "{subject}"))
	require.Equal(t, `No "{subject}" in x.`, s, "values are not expanded again")

	s, next = c.Sentence(EN, errors.New("disk on fire"))
	require.Equal(t, "odd: disk on fire", s)
	require.Equal(t, "look", next)
	s, _ = c.Sentence(KO, fault.New("no.such", "thing"))
	require.Equal(t, "이상: no.such thing", s)
	s, next = c.Sentence(EN, nil)
	require.Empty(t, s+next)

	require.Equal(t, "파일 3건", c.Text(KO, "ui.files", fault.Args{"n": "3"}))
	require.Equal(t, "ui.none", c.Text(KO, "ui.none", nil))
	require.Equal(t, []fault.Code{"internal", "name.held", "name.unknown", "ui.files"}, c.Codes())
}

// What was expected, say, is words too: of both languages, each with values of
// its own, and a phrase in a phrase.
func TestPhrases(t *testing.T) {
	c := sample(t, `
profile.value: {en: '{path} is "{subject}"; expected is {expected}.', ko: '{path}: "{subject}"이(가) 아니라 {expected}', next_en: 'Now.', next_ko: '지금.'}
phrase.at_most: {en: 'at most {most}', ko: '{most} 이하'}
phrase.where: {en: '{what}, where {key} is so', ko: '{what}({key}인 경우)'}
`)
	f := fault.New("profile.value", "7", "path", "files.rounds", "expected",
		fault.Say("where", "what", fault.Say("at_most", "most", 5), "key", "{most}"))
	again := fault.Noted(string(f.Code), f.Detail()) // as a row keeps it
	for _, e := range []*fault.Error{f, again} {
		s, _ := c.Sentence(EN, e)
		require.Equal(t, `files.rounds is "7"; expected is at most 5, where {most} is so.`, s)
		s, _ = c.Sentence(KO, e)
		require.Equal(t, `files.rounds: "7"이 아니라 5 이하({most}인 경우)`, s)
	}
	require.Equal(t, fault.Args{"path": "files.rounds", "expected": "phrase.where", "expected.key": "{most}",
		"expected.what": "phrase.at_most", "expected.what.most": "5"}, f.Args)
	require.Equal(t, "at most 5", c.Text(EN, f.Args.Phrase("expected").Args().Phrase("what").Key(), fault.Args{"most": "5"}))
	require.False(t, f.Args.Phrase("path").Said())
	s, _ := c.Sentence(EN, fault.New("profile.value", "7", "path", "a", "expected", fault.Say("newer")))
	require.Equal(t, `a is "7"; expected is phrase.newer.`, s, "of another version: the key, and no error")
}

func TestLoadRefusesBrokenFiles(t *testing.T) {
	good := "internal: {en: a, ko: b, next_en: c, next_ko: d}"
	for name, files := range map[string]fstest.MapFS{
		"same code":    {"sentences/a.yaml": {Data: []byte(good)}, "sentences/b.yaml": {Data: []byte(good)}},
		"twice":        {"sentences/a.yaml": {Data: []byte(good + "\n" + good)}},
		"no entry":     {"sentences/a.yaml": {Data: []byte(good + "\nx\n")}},
		"no fall-back": {"sentences/a.yaml": {Data: []byte("x: {en: a, ko: b}")}},
	} {
		_, err := load(files)
		require.Error(t, err, name)
	}
	_, err := load(fstest.MapFS{"sentences/a.yaml": {Data: []byte(good)}, "sentences/empty.yaml": {Data: []byte("# nothing yet\n")}})
	require.NoError(t, err)

	c := sample(t, "x: {en: a, kr: b}\ny: {en: 'a}\nz:\n  en: a\n  ko: b")
	for _, broken := range []fault.Code{"x", "y"} {
		_, err := c.entries[broken].read(broken)
		require.Error(t, err, broken)
		require.Equal(t, string(broken), c.Text(EN, broken, nil))
	}
	require.Equal(t, "b", c.Text(KO, "z", nil))
}

func TestParticlesFollowTheLastSound(t *testing.T) {
	for in, want := range map[string]string{
		"기관은(는)":          "기관은",
		"업무은(는)":          "업무는",
		"EB21이(가)":        "EB21이",
		"EB22이(가)":        "EB22가",
		`"KFTC"을(를)`:      `"KFTC"를`,
		"CMS과(와) EDI과(와)": "CMS와 EDI와",
		"8(으)로":           "8로",
		"6(으)로":           "6으로",
		"서울(으)로":          "서울로",
		"URL(으)로":         "URL로",
		"abc.dat을(를)":     "abc.dat을(를)",
		"(없음)은(는)":        "(없음)은",
		"은(는)":            "은(는)",
		"파일(file)":        "파일(file)",
	} {
		require.Equal(t, want, josa(in), in)
	}
}
