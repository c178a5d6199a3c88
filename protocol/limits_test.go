package protocol

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/catalog"
)

func TestLimits(t *testing.T) {
	p, err := Parse("a.yaml", []byte("profile: a\nextends: cms\nlimits: {first_data: 150, empty: refuse, text: euc-kr, full: true}\n"))
	require.NoError(t, err)
	require.Equal(t, Limits{FirstData: 150, NoEmpty: true, Text: "euc-kr", Full: true}, p.Limits)
	for _, row := range []string{"| least data in the first telegram | 150 |", "| empty files | not taken |", "| content | only text (euc-kr) |", "| data telegrams | all full but the last |"} {
		require.Contains(t, p.Page("en"), row+"\n")
	}
	require.Contains(t, p.Page("ko"), "| 파일 내용 | 텍스트만 가능(euc-kr) |\n")
	require.Equal(t, Limits{}, profile(t, "cms").Limits)
}

// What blocks and sequences can number is what a file may have (§1.5).
func TestLargestFile(t *testing.T) {
	require.EqualValues(t, 9999*100*4057, profile(t, "cms").MaxFile(4057))
	parse := func(changes string) *Profile {
		p, err := Parse("a.yaml", []byte("profile: a\nextends: cms\n"+changes))
		require.NoError(t, err)
		return p
	}
	require.EqualValues(t, 9999*999*10, parse("files: {per_block: 999}\n").MaxFile(10), "to 999 sequences in a block")
	seq := "bodies:\n"
	for _, name := range []string{"data", "check", "check-reply"} {
		seq += "  " + name + ": {sequence: {width: 5}}\n"
	}
	require.EqualValues(t, 99999*10, parse(seq+"files: {sequences: running}\n").MaxFile(10), "00001 to 99999")
	require.EqualValues(t, 100000*10, parse(seq+"files: {sequences: running, first_sequence: 0}\n").MaxFile(10), "00000 to 99999")
	require.EqualValues(t, 50*100*10, parse(seq+"files: {sequences: running, max_block: 50}\n").MaxFile(10), "the blocks are fewer")
}

func TestLimitMistakes(t *testing.T) {
	for _, c := range []struct{ changes, path, expected string }{
		{"limits: {empty: never}\n", "limits.empty", "allow, refuse"},
		{"limits: {text: utf-8}\n", "limits.text", "ascii, euc-kr, cp949"},
		{"limits: {first_data: 4058}\n", "limits.first_data", "at most 4057"},
		{"limits: {first_data: -1}\n", "limits.first_data", "at most 4057"},
		{"limits: {full: true}\nfiles: {packing: one}\n", "limits.full", "packing is one"},
		{"limits: {full: maybe}\n", "", "maybe"},
		{"letters: {pad: x}\n", "letters.pad", "files.map_width"},
		{"letters: {pad: xx}\n", "letters.pad", "one character"},
		{"limits: {last: 1}\n", "limits.last", "unknown key"},
		{"files: {max_block: 10000}\n", "files.max_block", "at most 9999"},
		{"files: {max_block: 9999, first_block: 0}\nbodies:\n  check: {block: {width: 3}}\n", "files.max_block", "at most 1000, which is what the row of the block in telegrams.check"},
		{"bodies:\n  data: {sequence: {width: 2}}\n", "files.per_block", "at most 99"},
	} {
		_, err := Parse("a.yaml", []byte("profile: a\nextends: cms\n"+c.changes))
		require.Error(t, err, c.changes)
		var seen []string
		told := false
		for _, e := range faults(err) {
			seen = append(seen, e.Error())
			told = told || e.Args["path"] == c.path && strings.Contains(wanted(t, catalog.EN, e), c.expected)
		}
		require.True(t, told, "%q: %s %q not in\n%s", c.changes, c.path, c.expected, strings.Join(seen, "\n"))
	}
}
