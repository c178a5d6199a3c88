package protocol

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/catalog"
	"pabal/naming"
)

// parseChecked is Parse as the program does it: names are judged, too.
func parseChecked(file, text string) (*Profile, error) {
	l := NewLibrary()
	l.CheckNames(naming.ScriptExpected)
	name, err := l.Add(file, []byte(text))
	if err != nil {
		return nil, err
	}
	return l.Load(name)
}

func TestNameRuleMistakes(t *testing.T) {
	const rule = `name: "${FILE_ID:4}+${RECORD@29:4}"`
	var all []broken
	for _, c := range []struct{ name, script, expected string }{
		{"a name that is none", "${FILEID:4}", "one of FILE_ID, INSTITUTION, JOB, SEQ, yyyyMMdd, yyMMdd, MMdd, HHmmss, RECORD@offset in ${…}, not FILEID"},
		{"no end", "${FILE_ID:4", "a } behind every ${"},
		{"nothing behind the plus", "${FILE_ID:4}+", "parts joined by +"},
		{"a record without a width", "${FILE_ID:4}+${RECORD@29}", "${RECORD@offset:n}, with an offset of 0…4095 and 1…64 bytes, not RECORD@29"},
		{"a record too far away", "${RECORD@4096:4}", "an offset of 0…4095"},
		{"more of a date than there is", "${MMdd:5}", `1…4 characters of MMdd, not "5"`},
		{"names wider than their row", "${FILE_ID:4}+${RECORD@29:5}", "names of at most 8 bytes; this one makes at least 9"},
	} {
		all = append(all, broken{c.name, rule, `name: "` + c.script + `"`, "", CodeProfileValue, "files.name", c.expected})
	}
	all = append(all, broken{"a narrower row", "name_width: 8", "name_width: 7", "  name:", CodeProfileValue, "files.name", "at most 7 bytes"})
	mistakes(t, "stranger", all)
}

// A profile that extends another has its rule, another one, or none; a mistake
// that it brings about is told where it stands.
func TestNameRuleIsTakenOver(t *testing.T) {
	l := NewLibrary()
	l.CheckNames(naming.ScriptExpected)
	load := func(text string) (*Profile, error) {
		name, err := l.Add("over.yaml", []byte(text))
		require.NoError(t, err)
		return l.Load(name)
	}
	_, err := l.Add("stranger.yaml", []byte(testSource(t, "stranger")))
	require.NoError(t, err)
	for files, want := range map[string]string{
		"{rounds: 6}":                    "${FILE_ID:4}+${RECORD@29:4}",
		`{name: "${FILE_ID:4}+${MMdd}"}`: "${FILE_ID:4}+${MMdd}",
		"{name: }":                       "",
	} {
		p, err := load("profile: over\nextends: stranger\nfiles: " + files + "\n")
		require.NoError(t, err)
		require.Equal(t, want, p.Files.Name)
		for lang, row := range map[string]string{
			"en": "| name on the wire, where a registration says none | `" + want + "` |",
			"ko": "| 송수신파일명(등록에 없을 때) | `" + want + "` |",
		} {
			require.Equal(t, want != "", strings.Contains(p.Page(lang), row+"\n"), "%s\n%s", row, p.Page(lang))
		}
	}
	_, err = load("profile: over\nextends: stranger\nfiles:\n  name: \"${NAME}\"\n")
	require.Len(t, faults(err), 1)
	args := faults(err)[0].Args
	require.Equal(t, []string{"over.yaml", "4", "files.name"}, []string{args["file"], args["line"], args["path"]})
	require.Contains(t, wanted(t, catalog.EN, faults(err)[0]), "one of FILE_ID, ")
}
