package mask

import (
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// FuzzField: of any text no more is left to be seen than its type promises, and
// what is seen does not depend on what is hidden.
func FuzzField(f *testing.F) {
	for i, text := range []string{"110-123-456789", "4518-1234-5678-9012", "900101-1234567", "홍길동", "02-123-4567", "  000012,345", "A1", "x\ufffd\x00가",
		"٣٣٣٣٣٣٣٣٣", "김 1 철", "-0+ 0012", "\u00a0\u20281234567890123456789"} {
		f.Add(byte(i), text)
	}
	most := map[Type]int{Account: 4, Card: 10, Resident: 6, Name: 2, Phone: 7, Text: 0}
	f.Fuzz(func(t *testing.T, which byte, text string) {
		kind := Types()[int(which)%len(Types())]
		if !utf8.ValidString(text) || kind == Code {
			return // content is made UTF-8 before it is masked
		}
		out, in := []rune(Field(kind, text)), []rune(text)
		require.Len(t, out, len(in), "each character is shown or hidden by itself")
		seen, other := 0, slices.Clone(in)
		for i, r := range out {
			switch {
			case kind != Text && r == in[i] && r != '*' && r != ' ' && r != '-' && (kind != Amount || r != '0' && r != '+'):
				seen++
			case isDigit(in[i]): // hidden: another one in its place, and no zero, which counts in amounts
				other[i] = '1' + (in[i]+1)%9
			case in[i] >= 'a' && in[i] <= 'z':
				other[i] = 'a' + (in[i]-'a'+1)%26
			}
		}
		require.LessOrEqual(t, seen, most[kind], "%s", string(out))
		if kind != Amount {
			require.Equal(t, string(out), Field(kind, string(other)))
			return
		}
		for i, r := range out { // of amounts the zeros and signs before the first other character
			if r != '*' {
				other[i] = in[i]
			}
		}
		require.Equal(t, string(out), Field(kind, string(other)))
	})
}
