package protocol

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
)

func TestExplain(t *testing.T) {
	cms := profile(t, "cms")
	e := cms.Explain([]byte("0077FTE123456780600RE        0000602131309001Honggildong         T1W129SVBPPJ8BFE"))
	require.NoError(t, e.Err)
	require.Equal(t, Open, e.Kind)
	require.Equal(t, Told{Title: "송신자명", Field: "sender_name", Offset: 45, Width: 20, Value: "Honggildong"}, e.Rows[10])
	require.Equal(t, Told{Title: "송신자암호", Field: "sender_password", Offset: 65, Width: 16, Hidden: true}, e.Rows[11])

	e = cms.Explain([]byte("0049FTE123456780320REEB21060200000010010010ACCOUNT123"))
	require.Equal(t, Told{Title: "파일내역", Field: "data", Offset: 43, Width: 10, Hidden: true}, e.Rows[len(e.Rows)-1], "data is never shown")

	e = cms.Explain([]byte("0052FTE123456780630REEB210602000EB21060200000000x0004096"))
	require.Equal(t, CodeNotANumber, fault.CodeOf(e.Err))
	require.Equal(t, "00000000x000", e.Rows[9].Value, "what cannot be read is what one wants to see")
	e = cms.Explain([]byte("0025FTE123456780630REEB210602"))
	require.Equal(t, CodeTooShort, fault.CodeOf(e.Err))
	require.NotEmpty(t, e.Rows)
	e = cms.Explain([]byte("0028FTE123456789999REEB210602000"))
	require.Equal(t, CodeUnknownType, fault.CodeOf(e.Err))
	require.Empty(t, e.Rows)

	seen := 0
	err := cms.ExplainAll(strings.NewReader("0035FTE123456780620REEB2106020000001002"+"x035FTE123456780620REEB2106020000001002\r\n"), func(Explained) error { seen++; return nil })
	require.Equal(t, CodeNotThisProfile, fault.CodeOf(err))
	require.Equal(t, "39", fault.As(err).Args["offset"])
	require.Equal(t, 1, seen)
	err = cms.ExplainAll(strings.NewReader("0035FTE123456780620REEB2106020000001002"+"0035FTE123456780620REEB2106020000001002\r\n"), func(Explained) error { seen++; return nil })
	require.NoError(t, err)
	require.Equal(t, 3, seen)
}

// A capture may have what both ends greet with, or one, or nothing of it, and
// is decoded from its first telegram on; the telegram itself is never taken for a greeting.
func TestExplainGreetings(t *testing.T) {
	p := testProfile(t, "login")
	login := "0049FTS0570720RB        000kim         secret  123456"
	for capture, want := range map[string][]string{
		"READY\r\n\x16\x05" + login:          {"called READY..", "caller .."},
		"\x16\x05" + login:                   {"caller .."},
		"READY at 9\r\n" + login:             {"called "},
		login + login:                        nil,
		login + "READY\r\n":                  nil,
		"READY but far too long\r\n" + login: nil,
	} {
		var got []string
		kinds := 0
		err := p.ExplainAll(strings.NewReader(capture), func(e Explained) error {
			if e.By != "" {
				require.Zero(t, kinds)
				require.Equal(t, e.Rows[0].Value == "", e.Rows[0].Hidden)
				got = append(got, e.By+" "+e.Rows[0].Value)
				return nil
			}
			require.NoError(t, e.Err)
			require.Equal(t, Login, e.Kind)
			kinds++
			return nil
		})
		require.Equal(t, want, got, "%q", capture)
		switch {
		case strings.Contains(capture, "long"):
			require.Equal(t, "0", fault.As(err).Args["offset"])
		case strings.HasPrefix(capture, login):
			require.NotZero(t, kinds)
		default:
			require.NoError(t, err)
			require.Equal(t, 1, kinds)
			require.True(t, p.Begins([]byte(capture)))
		}
	}
	err := p.ExplainAll(strings.NewReader("\x16\x05x"+login), func(Explained) error { return nil })
	require.Equal(t, "2", fault.As(err).Args["offset"], "counted from the first byte of the capture")
}
