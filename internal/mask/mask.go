// Package mask hides content that people are shown: what stands in records may
// be somebody's account, name or amount. What is not declared is hidden whole,
// so that nothing has to be guessed; declared fields keep the part by which
// people in Korean banks know them from one another.
package mask

import (
	"strings"
	"unicode"
)

// Type says what a field holds.
type Type string

// Types of fields and what stays visible of them.
const (
	Account  Type = "account"  // 계좌번호: the last four digits, of eight and more
	Card     Type = "card"     // 카드번호: the first six and the last four, of fifteen and more
	Resident Type = "resident" // 주민등록번호: the date of birth, of thirteen
	Name     Type = "name"     // 이름: the first character, and of three and more the last
	Phone    Type = "phone"    // 전화번호: the area or network and the last four, of nine and more
	Amount   Type = "amount"   // 금액: leading zeros, so that the magnitude shows
	Code     Type = "code"     // everything: record types, bank codes, dates
	Text     Type = "text"     // nothing but the kind of each character
)

// Types are all types, in the order of their documentation.
func Types() []Type { return []Type{Account, Card, Resident, Name, Phone, Amount, Code, Text} }

// Field hides the content of a field. Characters that are hidden by a rule of
// the type become *; a type that does not exist counts as Text.
func Field(t Type, text string) string {
	digits := 0
	for _, r := range text {
		if isDigit(r) {
			digits++
		}
	}
	switch t {
	case Code:
		return text
	case Account:
		return keep(text, 0, last4(digits, 8))
	case Card:
		if digits >= 15 {
			return keep(text, 6, 4)
		}
		return keep(text, 0, last4(digits, 8))
	case Resident:
		if digits == 13 {
			return keep(text, 6, 0)
		}
		return keep(text, 0, 0)
	case Phone:
		first := 3
		if strings.HasPrefix(text, "02") {
			first = 2
		}
		if digits < 9 {
			first = 0
		}
		return keep(text, first, last4(digits, 9))
	case Name:
		return name(text)
	case Amount:
		return amount(text)
	}
	return Shape(text)
}

func last4(digits, least int) int {
	if digits < least {
		return 0
	}
	return 4
}

// keep shows the first and the last so many digits, hides the other digits and
// all letters, and leaves what separates them.
func keep(text string, first, last int) string {
	total := 0
	for _, r := range text {
		if isDigit(r) {
			total++
		}
	}
	var b strings.Builder
	seen := 0
	for _, r := range text {
		switch {
		case isDigit(r):
			if seen < first || seen >= total-last {
				b.WriteRune(r)
			} else {
				b.WriteByte('*')
			}
			seen++
		case r == ' ' || r == '-':
			b.WriteRune(r)
		default:
			b.WriteByte('*')
		}
	}
	return b.String()
}

func name(text string) string {
	inner := []rune(strings.Trim(text, " "))
	for n := range inner {
		if n > 0 && (n < len(inner)-1 || len(inner) == 2) && inner[n] != ' ' || len(inner) == 1 {
			inner[n] = '*'
		}
	}
	for n, r := range inner {
		if isDigit(r) { // then it is no name
			inner[n] = '*'
		}
	}
	left := len(text) - len(strings.TrimLeft(text, " "))
	right := len(strings.TrimLeft(text, " ")) - len(strings.Trim(text, " "))
	return strings.Repeat(" ", left) + string(inner) + strings.Repeat(" ", right)
}

func amount(text string) string {
	var b strings.Builder
	leading := true
	for _, r := range text {
		switch {
		case leading && (r == '0' || r == ' ' || r == '+' || r == '-'):
			b.WriteRune(r)
		default:
			leading = false
			b.WriteByte('*')
		}
	}
	return b.String()
}

// Shape hides everything: of each character only its kind is left. 9 is a
// digit, x a letter, 가 a character of Korean or another script, - a sign, ? no
// character at all. Spaces stay.
func Shape(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == ' ':
			b.WriteByte(' ')
		case isDigit(r):
			b.WriteByte('9')
		case r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z':
			b.WriteByte('x')
		case r > ' ' && r < 0x7f:
			b.WriteByte('-')
		case r == unicode.ReplacementChar || !unicode.IsPrint(r):
			b.WriteByte('?')
		default:
			b.WriteString("가")
		}
	}
	return b.String()
}

func isDigit(r rune) bool { return unicode.IsDigit(r) }
