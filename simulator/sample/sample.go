// Package sample writes business files as counterparties and institutions
// exchange them, of any size and with made-up content: valid header, data and
// trailer records, Korean text in EUC-KR, totals that agree. Equal options give
// equal bytes, so a file can be made again instead of being kept.
package sample

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Kind is a kind of business file.
type Kind string

const (
	EB13 Kind = "EB13" // 출금이체신청 of the institution, 120 bytes (protocols §5.2)
	EB21 Kind = "EB21" // 출금의뢰, 150 bytes (protocols §5.3)
	EB22 Kind = "EB22" // 출금결과, failed items only, 150 bytes (protocols §5.3)
	C02  Kind = "C02"  // 법인카드 매입, 874 bytes (protocols §5.5)
)

// Kinds lists what Write can make.
func Kinds() []Kind { return []Kind{EB13, EB21, EB22, C02} }

// maker fills the records of one kind. data is called once per data record,
// number counting from 1; trailer comes last and knows how many there were.
type maker interface {
	header(r *record)
	data(r *record, number int64)
	trailer(r *record, count int64)
}

// RecordLength of a kind in bytes without line end, or 0 for unknown kinds.
func RecordLength(k Kind) int {
	switch k {
	case EB13:
		return 120
	case EB21, EB22:
		return 150
	case C02:
		return 874
	}
	return 0
}

// MaxRecords is the most data records of a file: serial numbers have eight
// digits and 99999999 is the trailer's.
const MaxRecords = 99_999_998

// DefaultMACKeys are those of the published test vector (protocols §1.9).
func DefaultMACKeys() [2]string { return [2]string{"6465911134", "5911135911"} }

// Options of one file.
type Options struct {
	Records     int64     // data records; not together with Size
	Size        int64     // bytes of the file, rounded down to whole records
	Date        time.Time // base date, in the business zone
	Institution string    // 기관코드 or, in C02, the company's 사업자번호; up to 10 ASCII characters
	Seed        int64     // another seed gives other content
	MACKeys     [2]string // ten digits each; empty = DefaultMACKeys
	LineEnd     string    // "", "\n" or "\r\n" after every record
}

// Write writes a whole file of a kind to w, in constant memory.
func Write(w io.Writer, k Kind, o Options) error {
	length := RecordLength(k)
	if length == 0 {
		return fmt.Errorf("no sample file of kind %q; there are %v", k, Kinds())
	}
	count, err := o.count(length)
	if err != nil {
		return err
	}
	words := newWords(o.Seed, k)
	var m maker
	switch k {
	case C02:
		m = &c02{o: o, words: words}
	default:
		if m, err = newEB(k, o, words); err != nil {
			return err
		}
	}
	out := bufio.NewWriterSize(w, 64<<10)
	r := &record{buf: make([]byte, length, length+len(o.LineEnd))}
	put := func() error {
		_, err := out.Write(append(r.buf, o.LineEnd...))
		return err
	}
	r.clear()
	m.header(r)
	if err := put(); err != nil {
		return err
	}
	for n := range count {
		r.clear()
		m.data(r, n+1)
		if err := put(); err != nil {
			return err
		}
	}
	r.clear()
	m.trailer(r, count)
	if err := put(); err != nil {
		return err
	}
	return out.Flush()
}

// count checks the options and returns how many data records they ask for.
func (o Options) count(length int) (int64, error) {
	switch {
	case o.Date.IsZero():
		return 0, fmt.Errorf("a sample file needs a date")
	case o.Records != 0 && o.Size != 0:
		return 0, fmt.Errorf("give the number of records or the size, not both")
	case len(o.Institution) > 10 || strings.ContainsFunc(o.Institution, func(c rune) bool { return c < ' ' || c > '~' }):
		return 0, fmt.Errorf("the institution code %q does not fit into 10 bytes of ASCII", o.Institution)
	case !slices.Contains([]string{"", "\n", "\r\n"}, o.LineEnd):
		return 0, fmt.Errorf("%q is not a line end", o.LineEnd)
	}
	count := o.Records
	if o.Size != 0 {
		line := int64(length + len(o.LineEnd))
		if count = o.Size/line - 2; count < 0 {
			return 0, fmt.Errorf("%d bytes are less than header and trailer, which take %d", o.Size, 2*line)
		}
	}
	if count < 0 || count > MaxRecords {
		return 0, fmt.Errorf("a file has 0 to %d data records, not %d", MaxRecords, count)
	}
	return count, nil
}

// WireName is the name that the counterparty sees: for CMS files four characters
// and MMDD (protocols §4.7), for example EB210320, and for C02 the kind code of
// the VAN's header (protocols §3), which has no date.
func WireName(k Kind, date time.Time) string {
	if k == C02 {
		return string(k)
	}
	return string(k) + date.Format("0102")
}

// FileName is the name under which the file is dropped (design §5), for example
// EB21.KFTC.CMS.20260320.
func FileName(k Kind, institution, job string, date time.Time) string {
	return strings.Join([]string{string(k), institution, job, date.Format("20060102")}, ".")
}
