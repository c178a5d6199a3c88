package naming

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
)

// FuzzScript: whatever is written as a script is refused with a code, or makes
// names that it knows again: with the date and the serial number that they have.
func FuzzScript(f *testing.F) {
	for _, script := range []string{"${FILE_ID:4}+${MMdd:4}", "${RECORD@19:8}", "A${SEQ:3}${yyyyMMdd}", "${SEQ}+-+${yyMMdd}", "${yyyyMMdd}${HHmmss}", "${MMdd:3}${MMdd}",
		"${INSTITUTION}_${JOB:2} + ${WIRE_NAME}", "${", "a}b", "+", "${SEQ}${SEQ}", "${RECORD@4095:64}", "가${FILE_ID:1}", "\xff"} {
		f.Add(script, "EB21", "007", "SAMPLE RECORD 12345678901234567890")
	}
	f.Fuzz(func(t *testing.T, script, fileID, serial, record string) {
		s, err := CompileScript(script)
		require.Equal(t, err == nil, !ScriptExpected(script, 1<<20).Said())
		if err != nil {
			require.NotEmpty(t, fault.CodeOf(err))
			return
		}
		require.Equal(t, script, s.String())
		if strings.Trim(serial, "0123456789") != "" || !utf8.ValidString(script+fileID) {
			return
		}
		v := Vars{FileID: fileID, Institution: "KFTC", Job: "CMS", Serial: serial, BaseDate: "20260320", Clock: "235901", Record: record}
		name, err := s.Expand(v)
		if err != nil {
			require.NotEmpty(t, fault.CodeOf(err))
			return
		}
		require.GreaterOrEqual(t, len(name), s.least())
		known := Vars{FileID: fileID, Institution: "KFTC", Job: "CMS"}
		found, ok := s.Match(name, known, march20)
		require.True(t, ok, "%q makes %q and does not know it", script, name)
		if found.BaseDate != "" {
			require.Equal(t, v.BaseDate, found.BaseDate)
		}
		if found.Serial != "" && strings.Count(script, "${SEQ}") == 1 && strings.HasPrefix(script, "${SEQ}+-") {
			require.Equal(t, serial, found.Serial)
		}
	})
}
