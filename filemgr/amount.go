package filemgr

import (
	"fmt"
	"math/big"
	"strings"
)

// amountDecimals is how many decimals an amount may have. Amounts are summed in
// units of 10^-6, exactly, whatever the number of records.
const (
	amountDecimals = 6
	amountScale    = 1_000_000
	amountDigits   = 18 // before the point
)

// sum adds amounts without allocating once its numbers have their size.
type sum struct {
	total, term, scale big.Int
}

// add takes a field's text; it reports whether that is an amount.
func (s *sum) add(b []byte) bool {
	whole, micro, negative, ok := splitAmount(b)
	if !ok {
		return false
	}
	s.term.SetUint64(whole)
	s.term.Mul(&s.term, s.scale.SetUint64(amountScale))
	s.term.Add(&s.term, s.scale.SetUint64(micro))
	if negative {
		s.total.Sub(&s.total, &s.term)
	} else {
		s.total.Add(&s.total, &s.term)
	}
	return true
}

// String is the sum without needless zeros.
func (s *sum) String() string {
	var q, r big.Int
	q.QuoRem(new(big.Int).Abs(&s.total), big.NewInt(amountScale), &r)
	text := q.String()
	if r.Sign() != 0 {
		text += "." + strings.TrimRight(fmt.Sprintf("%0*d", amountDecimals, r.Uint64()), "0")
	}
	if s.total.Sign() < 0 {
		text = "-" + text
	}
	return text
}

// splitAmount reads spaces, a sign, up to 18 digits, and a point with up to six
// more ("0000000176800.000", protocols §5.5).
func splitAmount(b []byte) (whole, micro uint64, negative, ok bool) {
	for len(b) > 0 && b[0] == ' ' {
		b = b[1:]
	}
	for len(b) > 0 && b[len(b)-1] == ' ' {
		b = b[:len(b)-1]
	}
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		negative = b[0] == '-'
		b = b[1:]
	}
	i, digits := 0, 0
	for ; i < len(b) && b[i] >= '0' && b[i] <= '9'; i++ {
		if whole > 0 || b[i] != '0' {
			digits++
		}
		if digits > amountDigits {
			return 0, 0, false, false
		}
		whole = whole*10 + uint64(b[i]-'0')
	}
	if i == 0 {
		return 0, 0, false, false
	}
	if i < len(b) {
		if b[i] != '.' || i+1 == len(b) || len(b)-i-1 > amountDecimals {
			return 0, 0, false, false
		}
		unit := uint64(amountScale)
		for _, c := range b[i+1:] {
			if c < '0' || c > '9' {
				return 0, 0, false, false
			}
			unit /= 10
			micro += uint64(c-'0') * unit
		}
	}
	return whole, micro, negative, true
}
