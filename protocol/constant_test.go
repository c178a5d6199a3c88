package protocol

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
)

// TestConstantsOfRequests: the kind code of an edi opening is 000 (§3), also
// though its type has one layout only. A reply may leave it blank (§4.13).
func TestConstantsOfRequests(t *testing.T) {
	p, err := Load("edi")
	require.NoError(t, err)
	frame := func(k Kind) []byte {
		b, err := p.Append(nil, &Telegram{Kind: k})
		require.NoError(t, err)
		require.Equal(t, "000", string(b[4:7]))
		return b
	}
	var got Telegram
	for kind, code := range map[Kind]fault.Code{Open: CodeWrongConstant, Close: CodeWrongConstant, OpenReply: "", CloseReply: ""} {
		require.NoError(t, p.Decode(frame(kind), &got))
		other := bytes.Replace(frame(kind), []byte("000"), []byte("100"), 1)
		if kind == OpenReply || kind == CloseReply {
			copy(other[4:7], "   ")
		}
		require.Equal(t, code, fault.CodeOf(p.Decode(other, &got)), kind)
		require.Equal(t, kind, got.Kind, "so that it can be answered")
	}
}
