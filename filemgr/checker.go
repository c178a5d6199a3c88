package filemgr

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/expr-lang/expr/vm"

	"pabal/internal/fault"
	"pabal/internal/mask"
)

// checker looks at a file's bytes as they pass. It holds at most two records:
// one that is not complete yet, and the last complete one, which may turn out
// to be the trailer.
type checker struct {
	form  Form
	o     CheckOptions
	names Names

	size    int64 // bytes seen
	records int64 // complete ones
	begin   int64 // offset of the record in part
	part    []byte

	last      []byte // the last complete record, while it may be the trailer
	lastAt    int64
	haveLast  bool
	header    []byte
	totals    []running
	each, end []compiledRule
	machine   vm.VM
	env       ruleEnv
	content   bool // records must be looked at, not only counted
	textRest  []byte
}

// running is the state of one total.
type running struct {
	count int64
	sum   sum
}

func newChecker(form Form, o CheckOptions, names Names) (*checker, error) {
	if problems := o.Validate(form); len(problems) > 0 {
		return nil, problems[0].Err
	}
	c := &checker{form: form, o: o, names: names}
	for _, r := range o.Rules {
		compiled, err := compileRule(r)
		if err != nil {
			return nil, err
		}
		if r.Each {
			c.each = append(c.each, compiled)
		} else {
			c.end = append(c.end, compiled)
		}
	}
	if o.Trailer != nil {
		c.totals = make([]running, len(o.Trailer.Totals))
	}
	c.content = form.Kind == Lines || form.Kind == Fixed &&
		(o.Header != nil || o.Trailer != nil || o.Text != TextAny || len(c.each) > 0)
	c.env = ruleEnv{WireName: names.WireName, BaseDate: names.BaseDate.Format("20060102"), FileID: names.FileID}
	return c, nil
}

// Write takes the next bytes of the file and returns the first failure.
func (c *checker) Write(p []byte) (int, error) {
	n := len(p)
	c.size += int64(n)
	if c.form.Kind == Raw && c.o.Text != TextAny {
		return n, c.rawText(p)
	}
	if !c.content {
		return n, nil
	}
	for len(p) > 0 {
		length, complete, err := c.next(p)
		if err != nil {
			return 0, err
		}
		if !complete {
			c.part = append(c.part, p[:length]...)
			break
		}
		record := p[:length]
		if len(c.part) > 0 {
			c.part = append(c.part, record...)
			record = c.part
		}
		if err := c.record(record); err != nil {
			return 0, err
		}
		c.begin += int64(len(record))
		c.part = c.part[:0]
		p = p[length:]
	}
	return n, nil
}

// next finds how much of p belongs to the record in progress, with its line
// end, and whether that completes it.
func (c *checker) next(p []byte) (length int, complete bool, err error) {
	if c.form.Kind == Fixed {
		need := c.form.Length - len(c.part)
		return min(need, len(p)), len(p) >= need, nil
	}
	length = bytes.IndexByte(p, '\n') + 1
	if complete = length > 0; !complete {
		length = len(p)
	}
	// A line that is too long is refused before it is held.
	limit := MaxRecord + 2
	if c.form.Length > 0 {
		limit = c.form.Length + 2
	}
	if len(c.part)+length > limit {
		if c.form.Length > 0 {
			return 0, false, c.fail(CodeLineLength, c.begin, "want", c.form.Length, "got", fmt.Sprintf(">%d", c.form.Length))
		}
		return 0, false, c.fail(CodeLineTooLong, c.begin, "limit", MaxRecord)
	}
	return length, complete, nil
}

// fail makes a failure of the record in progress.
func (c *checker) fail(code fault.Code, offset int64, kv ...any) error {
	return c.failAt(code, c.records+1, offset, kv...)
}

func (c *checker) failAt(code fault.Code, record, offset int64, kv ...any) error {
	return fault.New(code, c.names.File, append([]any{"record", record, "offset", offset}, kv...)...)
}

// record takes one complete record with its line end.
func (c *checker) record(raw []byte) error {
	record := raw
	if c.form.Kind == Lines {
		var err error
		if record, err = c.line(raw); err != nil {
			return err
		}
	}
	if c.o.Text != TextAny {
		if i := badText(c.o.Text, record); i >= 0 {
			return c.fail(CodeText, c.begin+int64(i), "bytes", fmt.Sprintf("%X", record[i:min(i+2, len(record))]), "charset", string(c.o.Text))
		}
	}
	c.records++
	switch {
	case c.records == 1 && c.o.Header != nil:
		c.header = append(c.header, record...)
		return c.checkHeader()
	case c.o.Trailer == nil:
		return c.data(record, c.records, c.begin)
	}
	if c.haveLast {
		if err := c.data(c.last, c.records-1, c.lastAt); err != nil {
			return err
		}
	}
	c.last, c.lastAt, c.haveLast = append(c.last[:0], record...), c.begin, true
	return nil
}

// line takes the line end off and checks it and the length. A CR before the LF
// always counts as part of the line end, never as content.
func (c *checker) line(raw []byte) ([]byte, error) {
	record := raw[:len(raw)-1]
	want, got := strings.ToUpper(c.form.endName()), "LF"
	if len(record) > 0 && record[len(record)-1] == '\r' {
		record, got = record[:len(record)-1], "CRLF"
	}
	if want != got {
		return nil, c.fail(CodeLineEnd, c.begin, "want", want, "got", got)
	}
	if c.form.Length > 0 && len(record) != c.form.Length {
		return nil, c.fail(CodeLineLength, c.begin, "want", c.form.Length, "got", len(record))
	}
	return record, nil
}

func (c *checker) checkHeader() error {
	h := c.o.Header
	if !bytes.HasPrefix(c.header, []byte(h.Mark)) {
		return c.failAt(CodeHeaderMark, 1, 0, "want", h.Mark, "got", shown(c.header[:min(len(h.Mark), len(c.header))]))
	}
	if h.Name != nil {
		got, ok := h.Name.of(c.header)
		if !ok {
			return c.failAt(CodeField, 1, int64(h.Name.Offset), "length", h.Name.Length)
		}
		if strings.TrimRight(string(got), " ") != strings.TrimRight(c.names.WireName, " ") {
			return c.failAt(CodeHeaderName, 1, int64(h.Name.Offset), "want", c.names.WireName, "got", shownName(got, strings.TrimRight(c.names.WireName, " ")))
		}
	}
	if h.Date != nil {
		want := c.names.BaseDate.Format(dateLayouts[h.Date.Format])
		f := Field{h.Date.Offset, len(want)}
		got, ok := f.of(c.header)
		if !ok {
			return c.failAt(CodeField, 1, int64(f.Offset), "length", f.Length)
		}
		if string(got) != want {
			return c.failAt(CodeHeaderDate, 1, int64(f.Offset), "want", want, "got", shownDate(got, dateLayouts[h.Date.Format], c.names.BaseDate))
		}
	}
	return nil
}

// data takes one data record: neither header nor trailer.
func (c *checker) data(record []byte, number, offset int64) error {
	for i := range c.totals {
		total := &c.o.Trailer.Totals[i]
		if !matchesAll(total.Where, record) {
			continue
		}
		c.totals[i].count++
		if total.Sum == nil {
			continue
		}
		// The value is not shown: in a record that is out of place it could be
		// part of an account number.
		value, ok := total.Sum.of(record)
		if !ok {
			return c.failAt(CodeField, number, offset+int64(total.Sum.Offset), "length", total.Sum.Length)
		}
		if !c.totals[i].sum.add(value) {
			return c.failAt(CodeNumber, number, offset+int64(total.Sum.Offset))
		}
	}
	if len(c.each) == 0 {
		return nil
	}
	c.env.Header, c.env.Record, c.env.Number = string(c.header), string(record), number
	c.env.Records, c.env.Size = c.records, c.size
	for _, r := range c.each {
		if err := r.run(&c.machine, &c.env, c.names.File, number, offset); err != nil {
			return err
		}
	}
	return nil
}

func matchesAll(where []Match, record []byte) bool {
	for _, m := range where {
		if !m.matches(record) {
			return false
		}
	}
	return true
}

// rawText checks text that has no records. A character may be cut by the end
// of p; its first byte waits for the rest.
func (c *checker) rawText(p []byte) error {
	at := c.size - int64(len(p)) - int64(len(c.textRest))
	text := p
	if len(c.textRest) > 0 {
		text = append(c.textRest, p...)
	}
	for len(text) > 0 {
		i := badText(c.o.Text, text)
		switch {
		case i < 0:
			c.textRest = c.textRest[:0]
			return nil
		case text[i] == '\n' || text[i] == '\r':
			at, text = at+int64(i)+1, text[i+1:]
		case i == len(text)-1 && text[i] >= 0x81:
			c.textRest = append(c.textRest[:0], text[i])
			return nil
		default:
			return c.failAt(CodeText, 0, at+int64(i), "bytes", fmt.Sprintf("%X", text[i:min(i+2, len(text))]), "charset", string(c.o.Text))
		}
	}
	c.textRest = c.textRest[:0]
	return nil
}

// Close makes the checks that need the whole file.
func (c *checker) Close() error {
	if c.size == 0 {
		if !c.o.SendEmpty {
			return fault.New(CodeEmpty, c.names.File)
		}
		return nil
	}
	switch {
	case len(c.textRest) > 0:
		return c.failAt(CodeText, 0, c.size-1, "bytes", fmt.Sprintf("%X", c.textRest), "charset", string(c.o.Text))
	case c.form.Kind == Fixed:
		if rest := c.size % int64(c.form.Length); rest != 0 {
			return c.failAt(CodeRecordLength, c.size/int64(c.form.Length)+1, c.size-rest,
				"size", c.size, "length", c.form.Length, "rest", rest)
		}
		c.records = c.size / int64(c.form.Length)
	case len(c.part) > 0:
		return c.fail(CodeLastLineEnd, c.begin, "want", strings.ToUpper(c.form.endName()))
	}
	if err := c.checkTrailer(); err != nil {
		return err
	}
	c.env.Header, c.env.Trailer, c.env.Records, c.env.Size = string(c.header), string(c.last), c.records, c.size
	c.env.Record, c.env.Number = "", 0
	for _, r := range c.end {
		if err := r.run(&c.machine, &c.env, c.names.File, 0, 0); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) checkTrailer() error {
	t := c.o.Trailer
	if t == nil {
		return nil
	}
	if !c.haveLast {
		return c.failAt(CodeTrailerMark, c.records, 0, "want", t.Mark, "got", "")
	}
	if !bytes.HasPrefix(c.last, []byte(t.Mark)) {
		return c.failAt(CodeTrailerMark, c.records, c.lastAt, "want", t.Mark,
			"got", shown(c.last[:min(len(t.Mark), len(c.last))]))
	}
	for i, total := range t.Totals {
		at := c.lastAt + int64(total.At.Offset)
		said, ok := total.At.of(c.last)
		if !ok {
			return c.failAt(CodeField, c.records, at, "length", total.At.Length)
		}
		var want sum
		if !want.add(said) {
			return c.failAt(CodeNumber, c.records, at)
		}
		code, got := CodeAmount, &c.totals[i].sum
		if total.Sum == nil {
			code, got = CodeCount, new(sum)
			n := c.totals[i].count
			if total.All {
				n++ // the trailer
				if c.o.Header != nil {
					n++
				}
			}
			got.add(fmt.Append(nil, n))
		}
		if want.total.Cmp(&got.total) != 0 {
			// Without a mark nothing says that this is a trailer, and a number that
			// is far off may be no number of records: either may be an account.
			expected := want.String()
			if t.Mark == "" || code == CodeCount && len(expected) > len(got.String())+2 {
				expected = mask.Shape(expected)
			}
			return c.failAt(code, c.records, at, "want", expected, "got", got.String())
		}
	}
	return nil
}
