package filemgr

import (
	"sync"
	"unicode/utf8"

	"golang.org/x/text/encoding/korean"
)

// TextRule says which bytes the text of a file may have.
type TextRule string

const (
	TextAny   TextRule = ""       // not checked
	TextASCII TextRule = "ascii"  // printable ASCII
	TextEUCKR TextRule = "euc-kr" // printable ASCII and the characters of KS X 1001
	TextCP949 TextRule = "cp949"  // the same and the further syllables of code page 949
)

// Stricter is the rule that both allow.
func Stricter(a, b TextRule) TextRule {
	for _, r := range []TextRule{TextASCII, TextEUCKR, TextCP949} {
		if a == r || b == r {
			return r
		}
	}
	return TextAny
}

// doubleBytes is the set of double-byte characters of code page 949, by lead
// and trail byte. It is made on first use and never changes.
var doubleBytes = sync.OnceValue(func() *[256][256]bool {
	set := new([256][256]bool)
	decoder := korean.EUCKR.NewDecoder()
	for lead := 0x81; lead <= 0xFE; lead++ {
		for trail := 0x41; trail <= 0xFE; trail++ {
			out, err := decoder.Bytes([]byte{byte(lead), byte(trail)})
			r, size := utf8.DecodeRune(out)
			set[lead][trail] = err == nil && r != utf8.RuneError && size == len(out)
		}
	}
	return set
})

// badText returns the index of the first byte in p that begins no character of
// the set, or -1. Line ends are not text; control characters never are.
func badText(rule TextRule, p []byte) int {
	set := doubleBytes()
	for i := 0; i < len(p); i++ {
		b := p[i]
		if b >= 0x20 && b <= 0x7E {
			continue
		}
		if rule == TextASCII || b < 0x81 || i+1 == len(p) || !set[b][p[i+1]] {
			return i
		}
		// KS X 1001 has both bytes in 0xA1…0xFE; the rest is Microsoft's.
		if rule == TextEUCKR && (b < 0xA1 || p[i+1] < 0xA1) {
			return i
		}
		i++
	}
	return -1
}
