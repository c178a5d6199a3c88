package protocol

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"pabal/internal/fault"
)

// Part is what the data of a telegram belongs to, where a profile has tags
// that sort it.
type Part uint8

// The parts of a file, in the order in which they travel.
const (
	HeaderPart Part = iota
	DataPart
	TrailerPart
	numParts
)

func partNames() [numParts]string { return [numParts]string{"header", "data", "trailer"} }

func (p Part) String() string { return partNames()[p] }

// Parts are what the data of telegrams is sorted by: each begins with a tag.
// The header is the first telegram of a file, the trailer the last one, and what
// lies between them is the business file.
type Parts struct {
	profile *Profile
	tags    [numParts][]byte  // as they travel; nil = the profile has no such part
	rows    [numParts]*layout // behind the tag; nil for data
	shown   [numParts]string
	titles  [numParts]string
}

// PartFacts are what header and trailer say of a file.
type PartFacts struct {
	Name        string // on the wire
	Date        string // business date, YYYYMMDD
	Institution string // code in the header of telegrams
	Records     int64  // of the business file
	Bytes       int64  // of its data as they travel, without tags
}

// TagWidth is how many bytes the tag has.
func (p *Parts) TagWidth() int { return len(p.tags[DataPart]) }

// DataTag is the tag of data as it travels.
func (p *Parts) DataTag() []byte { return p.tags[DataPart] }

// Size is how many bytes the telegram of a header or trailer has, its tag
// included; 0 where the profile has none.
func (p *Parts) Size(of Part) int {
	if p.rows[of] == nil {
		return 0
	}
	return p.TagWidth() + p.rows[of].fixed
}

// least is how many data bytes a telegram must have room for.
func (p *Parts) least() int {
	return max(p.TagWidth()+1, p.Size(HeaderPart), p.Size(TrailerPart))
}

// Counts reports whether the trailer says how many records, and how many
// bytes, there are.
func (p *Parts) Counts() (records, bytes bool) {
	l := p.rows[TrailerPart]
	return l != nil && l.has(Records), l != nil && l.has(Bytes)
}

// Make is the data of a header's or trailer's telegram. Errors: CodeDoesNotFit.
func (p *Parts) Make(of Part, f PartFacts) ([]byte, error) {
	t := Telegram{Kind: DataTelegram}
	t.SetText(Name, f.Name)
	t.SetText(Date, f.Date)
	t.SetText(Institution, f.Institution)
	t.SetNumber(Records, f.Records)
	t.SetNumber(Bytes, f.Bytes)
	out := bytes.Clone(p.tags[of])
	var err error
	for i := range p.rows[of].places {
		if out, err = p.profile.appendPlace(out, &p.rows[of].places[i], &t); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Sorter takes the telegrams of one file apart, in their order.
type Sorter struct {
	parts *Parts
	want  PartFacts
	date  func(string) string
	n     int64 // telegrams
	next  Part  // the first that may come
	said  PartFacts
	bytes int64 // of data
}

// Sort begins a file of which name and date are known. date makes a date of a
// header complete; see FullDate.
func (p *Parts) Sort(want PartFacts, date func(string) string) *Sorter {
	s := &Sorter{parts: p, want: want, date: date}
	if p.tags[HeaderPart] == nil {
		s.next = DataPart
	}
	return s
}

// Telegram takes the data of the next one and returns what it has of the
// business file, nothing for a header or trailer. Errors: CodePart where that
// part has no place here or is no whole one, CodePartOfOther where the header is
// about another file, CodeNotANumber.
func (s *Sorter) Telegram(data []byte) ([]byte, error) {
	s.n++
	p := s.parts
	width := p.TagWidth()
	for part, tag := range p.tags {
		of := Part(part)
		if tag == nil || !bytes.HasPrefix(data, tag) {
			continue
		}
		l := p.rows[of]
		if of < s.next || s.next == HeaderPart && of != HeaderPart || s.next == numParts || l != nil && len(data)-width < l.fixed {
			break
		}
		if s.next = of; of != DataPart {
			s.next++
			return nil, s.read(of, data[width:])
		}
		s.bytes += int64(len(data) - width)
		return data[width:], nil
	}
	return nil, s.misplaced(data[:min(width, len(data))], len(data))
}

func (s *Sorter) misplaced(tag []byte, length int) error {
	expected := "-"
	if s.next < numParts {
		var may []string
		for of := s.next; of < numParts && (of == s.next || s.next == DataPart); of++ {
			if s.parts.tags[of] != nil {
				may = append(may, s.parts.shown[of])
			}
		}
		expected = strings.Join(may, ", ")
	}
	return fault.New(CodePart, s.want.Name, "telegram", s.n, "tag", printable(tag), "length", length, "expected", expected)
}

// read takes what a header or trailer says.
func (s *Sorter) read(of Part, rows []byte) error {
	l := s.parts.rows[of]
	var t Telegram
	t.become(DataTelegram, l.fields)
	t.charset = s.parts.profile.charset
	if err := s.parts.profile.read(l, rows[:l.fixed], &t); err != nil {
		return err
	}
	if of == TrailerPart {
		s.said = PartFacts{Records: t.Number(Records), Bytes: t.Number(Bytes)}
	}
	name, date := t.Text(Name), s.date(t.Text(Date))
	if name != "" && name != s.want.Name || date != "" && s.want.Date != "" && date != s.want.Date {
		return fault.New(CodePartOfOther, s.want.Name, "part", of, "name", name, "date", date, "base_date", s.want.Date)
	}
	return nil
}

// End is what the trailer has said, when the last telegram has been taken, and
// how many bytes of data there were. Errors: CodePart where a part is missing.
func (s *Sorter) End() (said PartFacts, bytes int64, err error) {
	whole := s.next == numParts || s.next == DataPart && s.parts.tags[TrailerPart] == nil
	if !whole {
		s.n++
		return s.said, s.bytes, s.misplaced(nil, 0)
	}
	return s.said, s.bytes, nil
}

// partFields are the fields that rows of a header or trailer may have.
func partFields(of Part) []Field {
	fields := []Field{Name, Date, Institution}
	if of == TrailerPart {
		fields = append(fields, Records, Bytes)
	}
	return fields
}

// mostTag is how many bytes a tag has at most.
const mostTag = 8

func (p *Profile) compileParts(c *compiler, spec *Spec) {
	s := spec.Parts
	given := [numParts]PartSpec{s.Header, s.Data, s.Trailer}
	if s.Header.Tag == "" && s.Data.Tag == "" && s.Trailer.Tag == "" && s.Header.Rows == nil && s.Trailer.Rows == nil {
		return
	}
	parts := &Parts{profile: p}
	if given[DataPart].Tag == "" {
		c.problem("parts.data.tag", CodeProfileMissing, "tag", fault.Say("data_tag"))
	}
	for n, g := range given {
		of := Part(n)
		path := "parts." + of.String()
		if g.Tag == "" {
			if len(g.Rows) > 0 {
				c.problem(path+".tag", CodeProfileMissing, "tag", fault.Say("part_tag", "part", of))
			}
			continue
		}
		parts.tags[of], parts.shown[of], parts.titles[of] = p.compileTag(c, path+".tag", g.Tag), g.Tag, g.Title
		for other := range of {
			if tag := parts.tags[other]; tag != nil && bytes.Equal(tag, parts.tags[of]) {
				c.problem(path+".tag", CodeProfileValue, g.Tag, fault.Say("other_tag", "other", other))
			} else if tag != nil && len(tag) != len(parts.tags[of]) {
				c.problem(path+".tag", CodeProfileWidth, g.Tag, fault.Say("tag_width", "width", len(tag), "other", other))
			}
		}
		parts.rows[of] = p.compilePart(c, path, of, parts.tags[of], g)
	}
	p.Parts = parts
}

func (p *Profile) compileTag(c *compiler, path, tag string) []byte {
	wire, err := c.charset.encode([]byte(tag))
	if digits, isHex := strings.CutPrefix(tag, hexMark); isHex {
		wire, err = unhex(digits)
	}
	if err != nil || len(wire) < 1 || len(wire) > mostTag {
		c.problem(path, CodeProfileValue, tag, fault.Say("a_tag", "most", mostTag))
	}
	return wire
}

func (p *Profile) compilePart(c *compiler, path string, of Part, tag []byte, g PartSpec) *layout {
	if of == DataPart {
		if len(g.Rows) > 0 {
			c.problem(path+".rows", CodeProfileValue, "rows", fault.Say("no_rows"))
		}
		return nil
	}
	l := &layout{kind: DataTelegram, title: g.Title}
	for i, r := range g.Rows {
		at := fmt.Sprintf("%s.rows[%d]", path, i)
		pl := c.place(at, r)
		c.stands(row{r, at}, len(tag)+l.fixed)
		if r.Expr != "" || r.Reply != "" || r.Counter != (CounterSpec{}) {
			c.problem(at, CodeProfileValue, r.Title, fault.Say("plain_part"))
		}
		if pl.span != fixedSpan {
			c.problem(at+".width", CodeProfileWidth, r.Width, fault.Say("fixed_part"))
		}
		if !c.partField(pl.field, of) {
			names := make([]string, 0, 5)
			for _, f := range partFields(of) {
				names = append(names, fieldNames()[f])
			}
			c.problem(at+".field", CodeProfileField, r.Field, fault.Say("part_field", "known", strings.Join(names, ", ")))
		}
		if pl.field != noField {
			l.fields |= pl.field.bit()
		}
		l.fixed += pl.width
		l.places = append(l.places, pl)
	}
	return l
}

func (c *compiler) partField(f Field, of Part) bool {
	if f == noField || f >= firstOwn {
		return true
	}
	for _, known := range partFields(of) {
		if f == known {
			return true
		}
	}
	return false
}

// partsFit holds that what the rest of the profile says goes with parts.
func (p *Profile) partsFit(c *compiler, spec *Spec) {
	if p.Parts == nil {
		return
	}
	most := spec.Files.MessageSize - p.dataOverhead
	for _, of := range []Part{HeaderPart, TrailerPart} {
		if n := p.Parts.Size(of); n > most {
			c.problem("parts."+of.String()+".rows", CodeProfileWidth, strconv.Itoa(n), fault.Say("part_room", "most", most))
		}
	}
	if p.Parts.TagWidth() >= most {
		c.problem("parts.data.tag", CodeProfileWidth, p.Parts.shown[DataPart], fault.Say("tag_room", "most", most))
	}
	if spec.Files.Sizes == "file" {
		c.problem("files.sizes", CodeProfileValue, "file", fault.Say("sizes_of_parts"))
	}
	if spec.Limits.Full {
		c.problem("limits.full", CodeProfileValue, "true", fault.Say("false_full_parts"))
	}
	if spec.Files.Gzip {
		c.problem("files.gzip", CodeProfileValue, "true", fault.Say("false_with_parts"))
	}
	if spec.Files.EBCDIC {
		c.problem("files.ebcdic", CodeProfileValue, "true", fault.Say("false_with_parts"))
	}
}

// told is what the data of a telegram begins with, for people to read: its tag
// and, of a header or trailer, the rows behind it. Of data nothing is shown.
func (p *Parts) told(at int, data []byte) []Told {
	for n, tag := range p.tags {
		if tag == nil || !bytes.HasPrefix(data, tag) {
			continue
		}
		out := []Told{{Title: p.titles[n], Field: "part", Offset: at, Width: len(tag), Value: p.shown[n]}}
		at, data = at+len(tag), data[len(tag):]
		if p.rows[n] == nil || len(data) < p.rows[n].fixed {
			return out
		}
		for i := range p.rows[n].places {
			pl := &p.rows[n].places[i]
			out = append(out, p.profile.told(pl, at, data[:pl.width]))
			at, data = at+pl.width, data[pl.width:]
		}
		return out
	}
	return nil
}

// parts are the tags and what stands behind them.
func (w *page) parts() {
	p := w.p.Parts
	if p == nil {
		return
	}
	w.line("## %s\n", w.say("Parts of a file", "파일 구성"))
	w.line("%s\n", w.say("The data of every telegram begins with a tag. The first telegram of a file is its header, the last one its trailer; only what lies between them is the business file, unless its registration asks for all (`parts: all`). Sizes in telegrams count all of it, tags included.",
		"모든 데이터 전문의 파일내역은 구분코드로 시작합니다. 첫 전문은 헤더, 마지막 전문은 트레일러이며, 그 사이의 데이터만 업무 파일 내용입니다(파일 등록에 `parts: all` 이 있으면 전부). 전문의 크기 항목은 구분코드를 포함한 전체 바이트 수입니다."))
	w.table(w.say("part", "구분"), w.say("tag", "구분코드"), w.say("title", "항목"), w.say("bytes", "길이"))
	names := map[Part]string{HeaderPart: w.say("header", "헤더"), DataPart: w.say("data", "데이터"), TrailerPart: w.say("trailer", "트레일러")}
	for of := range numParts {
		if p.tags[of] == nil {
			continue
		}
		size := "n"
		if p.rows[of] != nil {
			size = strconv.Itoa(p.Size(of))
		}
		w.row(names[of], "`"+p.shown[of]+"`", p.titles[of], size)
	}
	w.line("")
	for of := range numParts {
		if l := p.rows[of]; l != nil {
			w.line("### %s\n", names[of])
			w.places(l, func(int, place) bool { return true })
		}
	}
}
