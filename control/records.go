package control

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"pabal/filemgr"
	"pabal/internal/fault"
	"pabal/internal/mask"
	"pabal/transfer"
)

// Record is one record for the eye. Unless somebody has asked for more and is
// on record for it, declared fields are masked by their type and all else shows
// its shape only: digits as 9, letters as x, Korean as 가.
type Record struct {
	Number int64         `json:"number"`
	Text   string        `json:"text"`
	Fields []RecordField `json:"fields,omitempty"`
}

// RecordField is a declared field of a record.
type RecordField struct {
	Name string `json:"name"`
	Type string `json:"type"`
	Text string `json:"text"`
}

// Layout says what stands where in the records of a file, as the registration
// declares it.
type Layout []Field

// Field is a declared field.
type Field struct {
	Name   string
	Offset int // bytes from 0, without EBCDIC
	Length int
	Type   mask.Type
	Starts string // only in records that begin so; "" = in all
}

// RecordQuery says which records to show and how.
type RecordQuery struct {
	From, To int64 // numbers, from 1
	Layout   Layout
	// Unmasked shows everything. Who asks and why goes on record first; Never
	// is who forbids it, "" for nobody.
	Unmasked bool
	Never    string
	By       Actor
}

// ShowRecords is the command row of somebody who saw unmasked records.
const ShowRecords = "show_records"

// maxRecords is how many records one call shows.
const maxRecords = 1000

// Records computes records from the stored payload (design D3), numbers from…to
// counted from 1, or as far as the file goes. Errors: CodeNoRecords where the
// wire bytes have no records of equal length, CodeNoPayload, CodeRecordRange;
// with Unmasked CodeMaskAlways and CodeReasonMissing.
func (c *Control) Records(ctx context.Context, id string, q RecordQuery) ([]Record, error) {
	if q.Unmasked {
		if q.Never != "" {
			return nil, fault.New(CodeMaskAlways, id, "by", q.Never)
		}
		if err := q.By.justified(ShowRecords); err != nil {
			return nil, err
		}
	}
	from, to := q.From, q.To
	t, err := c.s.Transfer(ctx, id)
	if err != nil {
		return nil, err
	}
	form, enc, err := shape(t)
	if err != nil {
		return nil, err
	}
	length := int64(form.WireRecord(enc))
	if length == 0 {
		return nil, fault.New(CodeNoRecords, title(t), "form", t.Form, "encoding", t.Encoding)
	}
	to = min(to, from+maxRecords-1)
	read := c.wireRecords
	if enc.Tag != "" {
		read = c.taggedRecords
	}
	wire, most, err := read(ctx, t, (from-1)*length, (to-from+1)*length)
	if err != nil {
		return nil, err
	}
	if most /= length; from > most {
		return nil, fault.New(CodeRecordRange, title(t), "from", from, "records", most)
	}
	to = min(to, most)
	if enc.EBCDIC {
		if wire, err = ascii(ctx, wire); err != nil {
			return nil, err
		}
	}
	if q.Unmasked { // before anything is seen
		row := q.By.Command(ShowRecords)
		row.TransferID, row.Before, row.After = t.ID, t.Status, t.Status
		row.Subject = fmt.Sprintf("%d..%d", from, to)
		if err := c.s.Record(ctx, c.now().UTC(), row); err != nil {
			return nil, err
		}
	}
	out := make([]Record, 0, to-from+1)
	for n := from; n <= to; n++ {
		one := wire[(n-from)*length : (n-from+1)*length]
		out = append(out, q.Layout.record(n, bytes.TrimRight(one, "\r\n"), q.Unmasked))
	}
	return out, nil
}

// record shows one record. Where declared fields overlap the first one counts.
func (l Layout) record(number int64, b []byte, unmasked bool) Record {
	hide := func(t mask.Type, b []byte) string {
		if unmasked {
			return plain(filemgr.Text(b))
		}
		return plain(mask.Field(t, filemgr.Text(b)))
	}
	r := Record{Number: number}
	fields := slices.Clone(l)
	slices.SortStableFunc(fields, func(a, b Field) int { return cmp.Compare(a.Offset, b.Offset) })
	var text strings.Builder
	at := 0
	for _, f := range fields {
		if f.Offset < at || f.Offset+f.Length > len(b) || !bytes.HasPrefix(b, []byte(f.Starts)) {
			continue
		}
		text.WriteString(hide(mask.Text, b[at:f.Offset]))
		one := hide(f.Type, b[f.Offset:f.Offset+f.Length])
		text.WriteString(one)
		r.Fields = append(r.Fields, RecordField{Name: f.Name, Type: string(f.Type), Text: one})
		at = f.Offset + f.Length
	}
	text.WriteString(hide(mask.Text, b[at:]))
	r.Text = text.String()
	return r
}

// plain keeps control characters of a file away from the terminal.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return '?'
		}
		return r
	}, text)
}

func shape(t *transfer.Transfer) (filemgr.Form, filemgr.Encoding, error) {
	none := fault.New(CodeNoPayload, title(t))
	if t.Form == "" {
		return filemgr.Form{}, filemgr.Encoding{}, none
	}
	form, err := filemgr.ParseForm(t.Form)
	if err != nil {
		return form, filemgr.Encoding{}, none.Because(err)
	}
	enc, err := filemgr.ParseEncoding(t.Encoding)
	if err != nil {
		return form, enc, none.Because(err)
	}
	return form, enc, nil
}

// ascii undoes EBCDIC.
func ascii(ctx context.Context, wire []byte) ([]byte, error) {
	var out bytes.Buffer
	source := func(emit func([]byte) error) error { return emit(wire) }
	err := filemgr.ToFile(ctx, filemgr.Form{Kind: filemgr.Raw}, filemgr.Encoding{EBCDIC: true}, 0, source, &out)
	return out.Bytes(), err
}
