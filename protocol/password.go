package protocol

import (
	"strings"
	"time"
)

// Cipher says how the sender password travels.
type Cipher string

const (
	NoCipher   Cipher = "none" // as it is
	KFTCCipher Cipher = "kftc" // enciphered by institution, day and sender name (§1.8)
)

const (
	kftcAlphabet  = "9876543210ZYXWVUTSRQPONMLKJIHGFEDCBA"
	passwordWidth = 16
)

// Encipher gives the password as it travels on the day of at, in at's zone.
// An empty password stays empty: some institutions ask for none.
func (c Cipher) Encipher(institution, sender, password string, at time.Time) string {
	if c != KFTCCipher || password == "" {
		return password
	}
	return kftcShift(password, kftcKey(institution, sender, at), +1)
}

// Matches reports whether travelled is password enciphered on the day of at,
// the day before or the day after: clocks differ around midnight (§1.8).
func (c Cipher) Matches(travelled, institution, sender, password string, at time.Time) bool {
	if c != KFTCCipher {
		return travelled == password
	}
	for _, day := range []int{0, -1, 1} {
		if travelled == c.Encipher(institution, sender, password, at.AddDate(0, 0, day)) {
			return true
		}
	}
	return false
}

// kftcKey is two characters of the institution code, the date as YYMMDD and
// eight of the sender name, padded with Z.
func kftcKey(institution, sender string, at time.Time) string {
	two := institution
	switch n := len(institution); {
	case n >= 8:
		two = institution[:1] + institution[n-1:]
	case n > 2:
		two = institution[n-2:]
	}
	return two + at.Format("060102") + (strings.ToUpper(sender) + "ZZZZZZZZ")[:8]
}

func kftcShift(password, key string, sign int) string {
	password, key = strings.ToUpper(password), strings.ToUpper(key)
	out := make([]byte, passwordWidth)
	for i := range out {
		a := strings.IndexByte(kftcAlphabet, password[i%len(password)])
		b := strings.IndexByte(kftcAlphabet, key[i%len(key)])
		if a < 0 || b < 0 {
			a, b = max(a, 0), max(b, 0)
		}
		out[i] = kftcAlphabet[(a+sign*b+len(kftcAlphabet))%len(kftcAlphabet)]
	}
	return string(out)
}
