package protocol

import "slices"

// Masked appends frame to dst with everything that must not be written down
// replaced by asterisks: passwords, and with data set the data as well. The
// length stays, so a profile reads the result like the telegram itself. Of a
// telegram that is not what its layout says nobody knows where a password
// stands: behind its type only the kind of each byte is left, 9 for a digit, x
// for a letter, - for another sign, ? for the rest.
func (p *Profile) Masked(dst, frame []byte, bad error, data bool) []byte {
	at := len(dst)
	dst = append(dst, frame...)
	out := dst[at:]
	l, err := p.layoutOf(frame)
	if err != nil {
		p.shape(out, 0)
		return dst
	}
	if bad != nil {
		if l.hasSecret() || l.hasData() {
			p.shape(out, l.header)
		}
		return dst
	}
	from := 0
	for i := range l.places {
		pl := &l.places[i]
		to := min(from+pl.width, len(out))
		if pl.span != fixedSpan {
			to = len(out)
		}
		if v := out[min(from, len(out)):to]; pl.field == Data && data || p.hides(pl, v) {
			for n := range v {
				v[n] = p.charset.star()
			}
		}
		from = to
	}
	return dst
}

// hides reports that a row has a password, or another secret, in it. Zeros are
// one like any other: only a blank row is seen to have none.
func (p *Profile) hides(pl *place, v []byte) bool {
	return pl.field != noField && secret(pl.field) && len(trimRight(v, p.charset.space())) > 0
}

func (l *layout) hasSecret() bool {
	return slices.ContainsFunc(l.places, func(pl place) bool { return pl.field != noField && secret(pl.field) })
}

// shape leaves of all but the type, and the first keep bytes, the kind only.
func (p *Profile) shape(b []byte, keep int) {
	for n, c := range b {
		switch {
		case n < keep || n >= p.typeAt && n < p.typeAt+p.typeWidth:
		case c >= p.charset.zero() && c <= p.charset.zero()+9:
			b[n] = '9'
		case c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z':
			b[n] = 'x'
		case c == p.charset.space():
			b[n] = ' '
		case c > ' ' && c < 0x7f:
			b[n] = '-'
		default:
			b[n] = '?'
		}
	}
}

// star hides a byte.
func (c charset) star() byte {
	if c == ebcdic {
		return 0x5C
	}
	return '*'
}
