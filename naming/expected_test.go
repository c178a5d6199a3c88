package naming

import (
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/catalog"
)

// What is wrong with a script is said by what would be right.
func TestScriptExpected(t *testing.T) {
	say, err := catalog.Load()
	require.NoError(t, err)
	for _, c := range []struct {
		script   string
		most     int
		expected string // "" = nothing is wrong
	}{
		{"${FILE_ID:4}+${RECORD@29:4}", 8, ""},
		{"${FILE_ID}", 1, ""}, // may be as short
		{"X${yyMMdd}+${SEQ}", 8, ""},
		{"X${yyMMdd}+${SEQ}", 7, "at most 7 bytes; this one makes at least 8"},
		{"${FILE_ID:4}+${RECORD@29:5}", 8, "at most 8 bytes; this one makes at least 9"},
		{"가나다", 8, "at least 9"},
		{"${FILE_ID:4}+", 8, "parts joined by +"},
		{"$FILE_ID", 8, "parts joined by +"},
		{"${FILE_ID", 8, "a } behind every ${"},
		{"${FILEID}", 8, "one of FILE_ID, INSTITUTION, JOB, SEQ, yyyyMMdd, yyMMdd, MMdd, HHmmss, RECORD@offset in ${…}, not FILEID"},
		{"${WIRE_NAME}", 8, "not WIRE_NAME"},
		{"${MMdd:5}", 8, `1…4 characters of MMdd, not "5"`},
		{"${SEQ:1}+${SEQ:1}", 8, "${SEQ} once"},
		{"${RECORD@29}", 8, "${RECORD@offset:n}, with an offset of 0…4095 and 1…64 bytes, not RECORD@29"},
	} {
		got := ScriptExpected(c.script, c.most)
		if c.expected == "" {
			require.False(t, got.Said(), c.script)
		} else {
			require.Contains(t, say.Text(catalog.EN, got.Key(), got.Args()), c.expected, c.script)
		}
	}
}
