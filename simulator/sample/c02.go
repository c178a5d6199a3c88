package sample

// c02 makes the purchase slips of a corporate card (protocols §5.5). The table
// there gives where each field ends; the offsets here are where it begins.
type c02 struct {
	o     Options
	words *words
}

const slashDate = "2006/01/02"

func (c *c02) header(r *record) {
	r.text(0, 1, "H")
	r.text(1, 20, c.o.Date.Format("20060102")+"01COAQ")
	r.text(21, 10, c.o.Date.Format(slashDate))
	r.text(31, 8, "02:00:00")
}

func (c *c02) data(r *record, number int64) {
	w, day := c.words, c.o.Date.Format(slashDate)
	trade := c.o.Date.AddDate(0, 0, -1-int(w.under(3)))
	total := w.won()
	vat := total / 11
	serial := digits(uint64(number), 8)

	r.text(0, 1, "D")
	r.text(1, 20, c.o.Institution)
	r.text(21, 10, day)
	r.text(31, 8, serial)
	r.text(39, 1, "F")

	class := "A"
	if w.chance(4) {
		class = "B"
	}
	r.text(40, 1, class)
	r.text(41, 16, "9"+w.number(15)) // no card number of a real issuer begins with 9
	r.text(57, 12, w.number(8))
	r.text(69, 32, c.o.Date.Format("20060102")+serial)
	r.text(101, 12, serial)
	r.text(113, 10, trade.Format(slashDate))
	r.text(123, 10, day)
	r.text(133, 8, digits(8+w.under(14), 2)+":"+digits(w.under(60), 2)+":"+digits(w.under(60), 2))
	r.text(141, 3, "KRW")
	r.amount(144, total) // total in local currency
	r.amount(161, total) // total in KRW
	r.amount(178, 0)     // rate
	r.amount(195, 0)     // USD
	r.amount(212, 0)     // conversion fee
	r.amount(229, total) // purchase total
	r.text(246, 1, "1")
	r.text(247, 10, c.o.Date.AddDate(0, 0, 20).Format(slashDate))
	r.text(257, 1, "N") // abroad
	r.text(258, 1, "Y") // EDC

	r.text(259, 10, w.number(10))
	r.text(269, 12, w.number(9))
	shop := w.under(uint64(len(w.merchants)))
	r.text(281, 50, w.merchants[shop])
	r.text(331, 50, w.one(w.owners))
	r.text(381, 14, "02"+w.number(8))
	r.text(395, 6, digits(10000+w.under(50000), 5))
	r.text(401, 100, w.one(w.cities))
	r.text(501, 100, digits(1+w.under(300), 1))
	r.text(601, 50, w.mcc[shop%uint64(len(w.mcc))])
	r.text(651, 4, digits(5000+w.under(1000), 4))
	r.text(655, 3, "NNN") // partial cancel, no approval, discount
	r.amount(690, 0)      // discount
	r.amount(707, total)  // local total
	r.amount(724, 0)      // fee
	r.amount(741, total-vat)
	r.amount(758, vat)
	r.amount(775, 0) // tip
	if pg := w.one(w.gate); pg != "" {
		r.text(792, 50, pg)
		r.text(842, 10, w.number(10))
	}
	r.text(852, 4, "01")
	r.text(856, 8, c.o.Date.Format("20060102"))
	r.text(864, 8, trade.Format("20060102"))
	r.text(872, 2, "KB")
}

func (c *c02) trailer(r *record, count int64) {
	r.text(0, 1, "T")
	r.num(1, 8, count)
	r.text(9, 10, c.o.Date.Format(slashDate))
	r.text(19, 8, "02:05:00")
}
