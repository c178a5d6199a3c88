package sample

import "fmt"

// record is one record under construction. Offsets count from 0, lengths are
// bytes, as in the counterparties' tables.
type record struct {
	buf []byte
}

// clear fills the record with spaces.
func (r *record) clear() {
	for i := range r.buf {
		r.buf[i] = ' '
	}
}

// text puts an A or AN field: left aligned, space filled.
func (r *record) text(offset, length int, s string) {
	copy(r.buf[offset:offset+length], s)
}

// num puts an N field: right aligned, zero filled.
func (r *record) num(offset, length int, n int64) {
	for i := offset + length - 1; i >= offset; i-- {
		r.buf[i] = byte('0' + n%10)
		n /= 10
	}
}

// amount puts an amount of 17 bytes with three decimals (protocols §5.5).
func (r *record) amount(offset int, n int64) {
	r.num(offset, 13, n)
	r.text(offset+13, 4, ".000")
}

// of returns the bytes of a field.
func (r *record) of(offset, length int) []byte { return r.buf[offset : offset+length] }

// digits writes n with leading zeros.
func digits(n uint64, width int) string { return fmt.Sprintf("%0*d", width, n) }
