package machine

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

var span = regexp.MustCompile(`\{(\d+)\.\.(\d+)\}`)

// telegrams are the bytes of a line: between bars, "*n" is n bytes of filling,
// {001..100} is one telegram for each number, "^n text" puts text at offset n.
func telegrams(line string) []string {
	body := strings.TrimSpace(line[1:])
	if m := span.FindStringSubmatch(body); m != nil {
		from, _ := strconv.Atoi(m[1])
		to, _ := strconv.Atoi(m[2])
		var out []string
		for n := from; n <= to; n++ {
			out = append(out, telegrams(line[:1]+" "+strings.Replace(body, m[0], fmt.Sprintf("%0*d", len(m[1]), n), 1))...)
		}
		return out
	}
	if strings.HasPrefix(body, "@") {
		return []string{placed(body)}
	}
	return []string{fill(strings.TrimSuffix(strings.TrimPrefix(body, "|"), "|"))}
}

var notation = regexp.MustCompile(`\*\d+|e'([^']*)'(?:x(\d+))?|(?:\\x[0-9A-F]{2})+`)

func fill(text string) string {
	return notation.ReplaceAllStringFunc(text, func(found string) string {
		switch found[0] {
		case '*':
			size, _ := strconv.Atoi(found[1:])
			return content(0, size)
		case 'e':
			m, times := notation.FindStringSubmatch(found), 1
			if m[2] != "" {
				times, _ = strconv.Atoi(m[2])
			}
			return strings.Repeat(inEBCDIC(m[1]), times)
		}
		b, _ := hex.DecodeString(strings.ReplaceAll(found, `\x`, ""))
		return string(b)
	})
}

// inEBCDIC is capital letters, digits, blanks and hyphens by the table of code
// page 037, not by our codec.
func inEBCDIC(text string) string {
	out := make([]byte, len(text))
	for i, c := range []byte(text) {
		switch {
		case c >= '0' && c <= '9':
			out[i] = 0xF0 + c - '0'
		case c >= 'A' && c <= 'I':
			out[i] = 0xC1 + c - 'A'
		case c >= 'J' && c <= 'R':
			out[i] = 0xD1 + c - 'J'
		case c >= 'S' && c <= 'Z':
			out[i] = 0xE2 + c - 'S'
		case c == '-':
			out[i] = 0x60
		default:
			out[i] = 0x40
		}
	}
	return string(out)
}

// placed reads "@offset text" pairs over blanks; the last offset, with text or
// ".", sets the length.
func placed(body string) string {
	words := strings.Fields(body)
	var out []byte
	for i := 0; i < len(words); i++ {
		at, _ := strconv.Atoi(words[i][1:])
		for len(out) < at {
			out = append(out, ' ')
		}
		if i++; i < len(words) && words[i] != "." {
			out = append(out, fill(words[i])...)
		}
	}
	return string(out)
}

// content is the filling of files: the digit of the offset.
func content(from, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('0' + (from+i)%10)
	}
	return string(b)
}
