package naming

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
	"pabal/transfer"
)

// The header record of a KFTC file has its name at offset 19 and its date at
// 27 (protocols §5.3); a card company names files by code and the MMDD in it
// (§4.7).
const headerRecord = "H000000001234567890EB210602260602"

func TestNamesFromTheFirstRecord(t *testing.T) {
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	book := func(script string, d transfer.Direction) *Book {
		b, problems := NewBook([]Registration{{FileID: "EB21", Institution: "KFTC", Job: "CMS", Direction: d, WireName: script}})
		require.Empty(t, problems)
		return b
	}
	read := 0
	first := func(n int) ([]byte, error) { read = n; return []byte(headerRecord)[:min(n, len(headerRecord))], nil }
	for _, c := range []struct {
		script, name, wire string
		read               int
		code               fault.Code
	}{
		{"${RECORD@19:8}", "EB21.KFTC.CMS", "EB210602", 27, ""},
		{"${FILE_ID:4}+${RECORD@29:4}", "EB21.KFTC.CMS.20261122", "EB210602", 33, ""},
		{"${FILE_ID:4}+${RECORD@29:4}", "EB21.EB210603.KFTC.CMS", "EB210603", 0, ""}, // said in the name
		{"${FILE_ID:4}+${MMdd:4}", "EB21.KFTC.CMS", "EB211122", 0, ""},
		{"${FILE_ID:4}", "EB21.KFTC.CMS", "EB21", 0, ""},
		{"${RECORD@32:8}", "EB21.KFTC.CMS", "", 40, CodeRecordShort},
	} {
		read = 0
		n, err := book(c.script, transfer.Send).ParseFile(c.name, now, first)
		require.Equal(t, c.code, fault.CodeOf(err), c.script)
		require.Equal(t, c.wire, n.WireName, c.script)
		require.Equal(t, c.read, read, "no file is read for nothing: %s", c.script)
		if err != nil {
			require.Equal(t, c.name, fault.As(err).Subject)
		}
	}
	for _, bad := range []string{"EB21 602", "EB21.602", "EB21/602", "EB21\xb0\xa122", "EB21\n602"} {
		_, err := book("${RECORD@0:8}", transfer.Send).ParseFile("EB21.KFTC.CMS", now, func(int) ([]byte, error) { return []byte(bad), nil })
		require.Equal(t, CodeRecordCharacters, fault.CodeOf(err), "%q", bad)
		require.NotContains(t, err.Error(), bad, "what stands in a record is not shown")
	}
	away := errors.New("the disk is away")
	_, err := book("${RECORD@0:8}", transfer.Send).ParseFile("EB21.KFTC.CMS", now, func(int) ([]byte, error) { return nil, away })
	require.ErrorIs(t, err, away)

	// What a peer sends under such a name is found by what is known of it.
	in := book("${FILE_ID:4}+${RECORD@29:4}", transfer.Receive)
	_, n, err := in.Receive("KFTC", "EB210602", now)
	require.NoError(t, err)
	require.Equal(t, "20261122", n.BaseDate, "a record's characters are no date of ours")
	for _, other := range []string{"EB2106022", "EB220602", "EB21 602"} {
		_, _, err = in.Receive("KFTC", other, now)
		require.Equal(t, CodeReceiveUnknown, fault.CodeOf(err), other)
	}
}

func TestRecordScripts(t *testing.T) {
	for _, bad := range []string{"${RECORD}", "${RECORD:8}", "${RECORD@8}", "${RECORD@x:8}", "${RECORD@-1:8}", "${RECORD@0:0}", "${RECORD@0:65}", "${RECORD@4096:1}", "${RECORDS@0:8}"} {
		_, err := CompileScript(bad)
		require.Equal(t, CodeScriptRecord, fault.CodeOf(err), bad)
	}
	_, problems := NewBook([]Registration{{FileID: "EB21", Institution: "KFTC", Job: "CMS", Direction: transfer.Receive, ReceiveName: "${RECORD@0:8}"}})
	require.Equal(t, CodeScriptUnknownName, problems[0].Err.Code, "what is placed is named before it is read")
	_, problems = NewBook([]Registration{
		{FileID: "EB21", Institution: "KFTC", Job: "CMS", Direction: transfer.Receive, WireName: "${FILE_ID:4}+${RECORD@29:4}"},
		{FileID: "EB2X", Institution: "KFTC", Job: "CMS", Direction: transfer.Receive, WireName: "EB21X${RECORD@29:3}"},
	})
	require.Equal(t, CodeReceiveOverlap, problems[0].Err.Code)
}
