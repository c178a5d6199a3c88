package store

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"pabal/internal/fault"
)

// checkText refuses text that one engine would take and the other not: what is
// not UTF-8, and the character NUL. So what works on one works on both. Names
// and codes from outside are made safe before they get here.
func checkText(args []any) error {
	for _, a := range args {
		var text string
		switch v := a.(type) {
		case string:
			text = v
		case *string:
			text = *v
		default: // numbers, times, bytes, and words of ours
			continue
		}
		if !utf8.ValidString(text) || strings.IndexByte(text, 0) >= 0 {
			return fault.New(CodeText, strconv.QuoteToASCII(text[:min(len(text), 64)]))
		}
	}
	return nil
}
