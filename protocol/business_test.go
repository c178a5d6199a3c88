package protocol

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
)

// Institutions of one header have business codes of their own (§1.2).
func TestForBusiness(t *testing.T) {
	fts := profile(t, "cms-bank")
	require.Equal(t, "FTS", fts.Business())
	ksn, err := fts.ForBusiness("KSN")
	require.NoError(t, err)
	require.Equal(t, "KSN", ksn.Business())
	const check = "0030KSN0570620RBGR1555070000001002"
	var got Telegram
	require.NoError(t, ksn.Decode([]byte(check), &got))
	b, err := ksn.Append(nil, &got)
	require.NoError(t, err)
	require.Equal(t, check, string(b))
	require.Equal(t, CodeWrongBusiness, fault.CodeOf(fts.Decode([]byte(check), &got)), "the profile itself is as it was")
	require.Equal(t, CodeWrongBusiness, fault.CodeOf(ksn.Decode([]byte(strings.Replace(check, "KSN", "FTS", 1)), &got)))
	require.NoError(t, fts.AnyBusiness().Decode([]byte(check), &got))
	require.Contains(t, ksn.Page("en"), "`KSN`")

	// An address where both call: answers have the code of the request.
	both, err := fts.ForBusiness("FTS", "KSN")
	require.NoError(t, err)
	for _, code := range []string{"FTS", "KSN"} {
		asked := strings.Replace(check, "KSN", code, 1)
		require.NoError(t, both.Decode([]byte(asked), &got))
		require.True(t, both.RightBusiness(&got))
		answer := got
		answer.Kind = CheckReply
		b, err = both.Append(nil, &answer)
		require.NoError(t, err)
		require.Equal(t, code, string(b[4:7]))
	}
	require.Equal(t, CodeWrongBusiness, fault.CodeOf(both.Decode([]byte(strings.Replace(check, "KSN", "KTB", 1)), &got)))
	fresh := Telegram{Kind: Check}
	fresh.SetRaw(Business, []byte("XXX"))
	b, err = both.Append(nil, &fresh)
	require.NoError(t, err)
	require.Equal(t, "FTS", string(b[4:7]), "never a code that is not agreed")

	for name, code := range map[string]string{"cms-bank": "KSNET", "edi": "KSN"} {
		_, err := profile(t, name).ForBusiness(code)
		require.Equal(t, CodeProfileBusiness, fault.CodeOf(err))
	}

	// Also where it stands before the length, which is compared with every telegram.
	p := small(t, "\nheader:\n  - {title: business, field: business, type: AN, width: 2, value: AA}\n  - {title: length, field: length, type: N, width: 4}\n"+
		"  - {title: type, field: type, type: N, width: 4}\n  - {title: code, field: response, type: N, width: 3}\nframing: {offset: 2}\n")
	both, err = p.ForBusiness("BB", "CC")
	require.NoError(t, err)
	for text, code := range map[string]fault.Code{"BB": "", "CC": "", "AA": CodeWrongBusiness} {
		frame, err := both.NewReader(strings.NewReader(text+"001406200000007100"), make([]byte, both.FrameBuffer())).Next()
		require.NoError(t, err)
		require.Equal(t, code, fault.CodeOf(both.Decode(frame, &got)), text)
	}
}
