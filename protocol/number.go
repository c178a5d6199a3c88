package protocol

// number is how a whole number stands in its bytes: as digits of the
// profile's character set, right aligned, or in binary.
type number struct {
	binary byteOrder
	zero   byte // the digit 0
	fill   byte // in place of leading zeros
}

// byteOrder is how a binary number stands.
type byteOrder uint8

const (
	inDigits  byteOrder = iota // it is not one
	highFirst                  // the high byte first
	lowFirst
)

// most is the greatest number that width bytes hold, at most 18 digits or 63 bits.
func (n number) most(width int) int64 {
	base, limit := int64(10), 18
	if n.binary != inDigits {
		base, limit = 256, 7
	}
	v := int64(1)
	for range min(width, limit) {
		v *= base
	}
	return v - 1
}

// put fills b with v and reports whether it fits.
func (n number) put(b []byte, v int64) bool {
	if v < 0 {
		return false
	}
	if n.binary != inDigits {
		return n.putBinary(b, uint64(v))
	}
	rest := uint64(v) // is divided by 10 with less ado than a signed one
	for i := len(b) - 1; i >= 0; i-- {
		tenth := rest / 10
		b[i] = n.zero + byte(rest-10*tenth)
		rest = tenth
	}
	if n.fill != n.zero {
		for i := 0; i < len(b)-1 && b[i] == n.zero; i++ {
			b[i] = n.fill
		}
	}
	return rest == 0
}

func (n number) putBinary(b []byte, v uint64) bool {
	for i := range b {
		at := i
		if n.binary == highFirst {
			at = len(b) - 1 - i
		}
		b[at] = byte(v)
		v >>= 8
	}
	return v == 0
}

// parse reads a number. Leading blanks count as zero, as some senders leave
// unused numbers blank.
func (n number) parse(b []byte, space byte) (int64, bool) {
	if n.binary != inDigits {
		return n.parseBinary(b)
	}
	if len(b) > 18 {
		return 0, false
	}
	if n.fill == n.zero && len(b) > 0 && b[0] != space { // as a rule
		return n.parseDigits(b)
	}
	for len(b) > 0 && (b[0] == space || b[0] == n.fill && n.fill != n.zero) {
		b = b[1:]
	}
	return n.parseDigits(b)
}

func (n number) parseDigits(b []byte) (int64, bool) {
	var v int64
	for _, c := range b {
		d := c - n.zero
		if d > 9 {
			return 0, false
		}
		v = v*10 + int64(d)
	}
	return v, true
}

func (n number) parseBinary(b []byte) (int64, bool) {
	var v uint64
	for i := range b {
		at := len(b) - 1 - i
		if n.binary == highFirst {
			at = i
		}
		if v>>55 != 0 {
			return 0, false
		}
		v = v<<8 | uint64(b[at])
	}
	return int64(v), true
}

// patch is a number's place in a telegram; one without width has no place.
type patch struct {
	at, width int
	num       number
	before    int // a length: bytes of the telegram that it does not count
}

// write puts v in its place.
func (p *patch) write(b []byte, v int64) bool {
	return p.width == 0 || p.num.put(b[p.at:p.at+p.width], v)
}
