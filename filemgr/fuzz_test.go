package filemgr

import (
	"bytes"
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
)

// Whatever a file holds: it is refused with a code, or it goes over the wire and
// comes back as it was.
func FuzzFormsAndChecks(f *testing.F) {
	f.Add("fixed:17", byte(0), []byte(small()))
	f.Add("lines:lf:strip:3", byte(1), []byte("abc\ndef\n"))
	f.Add("lines:crlf:strip:2", byte(2), []byte("ab\r\nc\r\r\n"))
	f.Add("lines:crlf:keep", byte(3), []byte("\xB0\xA1\r\n\n"))
	f.Add("raw", byte(4), []byte("\xB0\n\xA1"))
	f.Fuzz(func(t *testing.T, formText string, encoding byte, content []byte) {
		form, err := ParseForm(formText)
		if err != nil {
			requireCode(t, CodeBadForm, err)
			return
		}
		require.Equal(t, formText, form.String())
		o := CheckOptions{SendEmpty: true}
		if encoding&4 != 0 {
			o.Text = TextCP949
		}
		e := Encoding{Gzip: encoding&1 != 0, EBCDIC: encoding&2 != 0}
		ch, err := newChecker(form, o, testNames)
		require.NoError(t, err)
		var wire, back bytes.Buffer
		out := toWire(form, e, &wire)
		if _, err = ch.Write(content); err == nil {
			err = ch.Close()
		}
		if err != nil {
			require.NotNil(t, fault.As(err))
			return
		}
		_, err = out.Write(content)
		require.NoError(t, err, "what the checks let pass can be transformed")
		require.NoError(t, out.Close())
		require.NoError(t, ToFile(context.Background(), form, e, 0, source(wire.Bytes()), &back))
		require.True(t, bytes.Equal(content, back.Bytes()))
	})
}
