package catalog

import (
	"strings"
	"unicode/utf8"
)

// Korean particles change with the last sound of the word before them, which
// is not known while a sentence is written. Sentences write both forms, as
// printed forms do, and josa keeps the one that fits. Where the sound cannot be
// told (a Latin word in lower case) both forms stay.

// particle is one pair: how it is written in sentences, and the form after a
// final consonant and after a vowel.
type particle struct{ both, closed, open string }

var particles = [...]particle{
	{"은(는)", "은", "는"},
	{"이(가)", "이", "가"},
	{"을(를)", "을", "를"},
	{"과(와)", "과", "와"},
	{"(으)로", "으로", "로"},
	{"(이)", "이", ""},
}

type sound int

const (
	unclear sound = iota
	vowel
	consonant
	rieul // ㄹ, after which (으)로 is 로
)

func josa(text string) string {
	if !strings.Contains(text, "(") {
		return text
	}
	var b strings.Builder
	b.Grow(len(text))
	for len(text) > 0 {
		if p, ok := particleAt(text); ok {
			b.WriteString(p.after(lastSound(b.String())))
			text = text[len(p.both):]
			continue
		}
		_, n := utf8.DecodeRuneInString(text)
		b.WriteString(text[:n])
		text = text[n:]
	}
	return b.String()
}

func particleAt(text string) (particle, bool) {
	for _, p := range particles {
		if strings.HasPrefix(text, p.both) {
			return p, true
		}
	}
	return particle{}, false
}

func (p particle) after(s sound) string {
	switch {
	case s == unclear:
		return p.both
	case s == vowel, s == rieul && p.both == "(으)로":
		return p.open
	}
	return p.closed
}

// lastSound looks through closing quotes and brackets at the last letter.
func lastSound(before string) sound {
	before = strings.TrimRight(before, `"'”’」』)]}>`)
	r, _ := utf8.DecodeLastRuneInString(before)
	switch {
	case r >= '가' && r <= '힣':
		return hangul(r)
	case r >= '0' && r <= '9':
		return [...]sound{consonant, rieul, vowel, consonant, vowel, vowel, consonant, rieul, rieul, vowel}[r-'0']
	case r == 'L' || r == 'R': // 엘, 알
		return rieul
	case r == 'M' || r == 'N': // 엠, 엔
		return consonant
	case r >= 'A' && r <= 'Z':
		return vowel
	}
	return unclear
}

func hangul(r rune) sound {
	switch (r - '가') % 28 {
	case 0:
		return vowel
	case 8:
		return rieul
	}
	return consonant
}
