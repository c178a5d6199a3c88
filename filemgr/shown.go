package filemgr

import (
	"strings"
	"time"

	"golang.org/x/text/encoding/korean"

	"pabal/internal/mask"
)

// Text is content as UTF-8, read as code page 949, which has ASCII and EUC-KR
// in it. What is no character becomes U+FFFD.
func Text(b []byte) string {
	out, err := korean.EUCKR.NewDecoder().Bytes(b)
	if err != nil {
		return strings.Repeat("\uFFFD", len(b))
	}
	return string(out)
}

// shown is content as it may stand in a sentence: its shape. In a file that is
// not what it should be, an account may stand where a name or date belongs; who
// needs to know looks at the place in the file.
func shown(b []byte) string { return mask.Shape(strings.TrimRight(Text(b), " ")) }

// shownName is shown, but in clear if it is formed like the name that was
// expected, with letters where that has letters: no account looks so.
func shownName(got []byte, want string) string {
	text := strings.TrimRight(string(got), " ")
	if form := mask.Shape(text); form == mask.Shape(want) && strings.Contains(form, "x") {
		return text
	}
	return shown(got)
}

// shownDate is shown, but in clear if it is a date within a year of the one that
// was expected: no date of birth is.
func shownDate(got []byte, layout string, want time.Time) string {
	at, err := time.ParseInLocation(layout, string(got), want.Location())
	if err == nil && at.Sub(want).Abs() <= 366*24*time.Hour && layout != "0102" {
		return string(got)
	}
	return shown(got)
}
