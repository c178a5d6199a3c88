package sample

import (
	"pabal/filemgr"
)

// Marks and fixed serial numbers of header, data and trailer (protocols §5.2, §5.3).
const (
	headerMark    = "H"
	dataMark      = "R"
	trailerMark   = "T"
	trailerSerial = 99999999
)

// failures are codes of items that could not be withdrawn (protocols §5.3).
// Most fail for want of balance.
var failures = [...]string{"0021", "0021", "0021", "0021", "0021", "0012", "0014", "0017", "0019",
	"0022", "0031", "0034", "0035", "0041", "0051", "A013", "A016"}

// eb makes the CMS files: EB13, EB21 and EB22.
type eb struct {
	kind  Kind
	o     Options
	words *words
	mac   *filemgr.MACState

	// What the trailer says: by 신청구분 in EB13, by 출금형태 or 출금여부 else.
	registered, cancelled, forced int64
	full, part                    total
}

type total struct{ count, amount int64 }

func (t *total) add(amount int64) {
	t.count++
	t.amount += amount
}

func newEB(k Kind, o Options, w *words) (*eb, error) {
	if o.MACKeys == [2]string{} {
		o.MACKeys = DefaultMACKeys()
	}
	mac, err := filemgr.NewMACState(o.MACKeys[0], o.MACKeys[1])
	if err != nil {
		return nil, err
	}
	return &eb{kind: k, o: o, words: w, mac: mac}, nil
}

// begin puts what all records of all kinds begin with.
func (e *eb) begin(r *record, mark string, serial int64) {
	r.text(0, 1, mark)
	r.num(1, 8, serial)
	r.text(9, 10, e.o.Institution)
}

func (e *eb) header(r *record) {
	e.begin(r, headerMark, 0)
	r.text(19, 8, WireName(e.kind, e.o.Date))
	r.text(27, 6, e.o.Date.Format("060102"))
	if e.kind != EB13 {
		r.text(33, 7, e.words.branch())
		r.text(40, 16, e.words.account())
	}
}

func (e *eb) data(r *record, number int64) {
	e.begin(r, dataMark, number)
	if e.kind == EB13 {
		e.application(r)
	} else {
		e.withdrawal(r)
	}
}

// application is a data record of EB13 (protocols §5.2).
func (e *eb) application(r *record) {
	w := e.words
	r.text(19, 6, e.o.Date.Format("060102"))
	switch n := w.under(100); {
	case n < 80:
		r.text(25, 1, "1")
		e.registered++
	case n < 97:
		r.text(25, 1, "3")
		e.cancelled++
	default:
		r.text(25, 1, "7")
		e.forced++
	}
	r.text(26, 20, w.number(10))
	r.text(46, 7, w.branch())
	r.text(53, 16, w.account())
	r.text(69, 16, w.person())
	r.text(97, 12, w.phone())
	e.protect(r.of(53, 16))
}

// withdrawal is a data record of EB21 and EB22 (protocols §5.3).
func (e *eb) withdrawal(r *record) {
	w := e.words
	amount := w.won()
	partial := w.chance(15)
	r.text(19, 7, w.branch())
	r.text(26, 16, w.account())
	r.num(42, 13, amount)
	r.text(55, 13, w.person())
	r.text(73, 16, w.one(w.memos))
	r.text(91, 20, w.number(10))
	r.text(116, 1, "1")
	if partial {
		r.text(116, 1, "0")
	}
	r.text(117, 12, w.phone())
	if e.kind == EB22 {
		// A result file carries failed items only: what was not withdrawn at
		// all, and what is missing of a partial withdrawal.
		r.text(68, 1, "N")
		code := failures[w.under(uint64(len(failures)))]
		if partial {
			r.text(68, 1, "P")
			code = "0021"
		}
		r.text(69, 4, code)
	}
	if partial {
		e.part.add(amount)
	} else {
		e.full.add(amount)
	}
	e.protect(r.of(26, 16))
	e.protect(r.of(42, 13))
}

// protect adds a field to the MAC. How a file's fields are chained is not
// public (protocols §1.9): here they follow each other, spaces as zeros.
func (e *eb) protect(field []byte) {
	var plain [16]byte
	for i, c := range field {
		if c < '0' || c > '9' {
			c = '0'
		}
		plain[i] = c
	}
	_ = e.mac.Add(string(plain[:len(field)])) // digits only, so it cannot fail
}

func (e *eb) trailer(r *record, count int64) {
	e.begin(r, trailerMark, trailerSerial)
	r.text(19, 8, WireName(e.kind, e.o.Date))
	r.num(27, 8, count)
	sum := e.mac.Sum()
	sum = sum[len(sum)-10:] // the field has ten bytes
	if e.kind == EB13 {
		r.num(35, 8, e.registered)
		r.num(43, 8, 0) // 변경등록 is always zero
		r.num(51, 8, e.cancelled)
		r.num(59, 8, e.forced)
		r.text(110, 10, sum)
		return
	}
	r.num(35, 8, e.full.count)
	r.num(43, 13, e.full.amount)
	r.num(56, 8, e.part.count)
	r.num(64, 13, e.part.amount)
	if e.kind == EB22 {
		success := e.success(count)
		r.num(77, 8, success.count)
		r.num(85, 13, success.amount)
	}
	r.text(140, 10, sum)
}

// success is what the result file does not list: about nineteen of twenty items
// of the request, with amounts like those of the failed ones.
func (e *eb) success(failed int64) total {
	t := total{count: min(failed*19+int64(e.words.under(19)), MaxRecords)}
	t.amount = t.count * 50_000
	return t
}
