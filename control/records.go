package control

import (
	"bytes"
	"context"

	"pabal/filemgr"
	"pabal/internal/fault"
	"pabal/transfer"
)

// Record is one record for the eye: its shape, not its content. Bytes that may
// be somebody's account, name or amount are masked.
type Record struct {
	Number int64  `json:"number"`
	Text   string `json:"text"`
}

// maxRecords is how many records one call shows.
const maxRecords = 1000

// Records computes records from the stored payload (design D3), numbers from…to
// counted from 1, or as far as the file goes. Errors: CodeNoRecords where the
// wire bytes have no records of equal length, CodeNoPayload, CodeRecordRange.
func (c *Control) Records(ctx context.Context, id string, from, to int64) ([]Record, error) {
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
	held, err := c.s.Contiguous(ctx, id)
	if err != nil {
		return nil, err
	}
	if held == 0 {
		return nil, fault.New(CodeNoPayload, title(t))
	}
	most := held / length
	if from > most {
		return nil, fault.New(CodeRecordRange, title(t), "from", from, "records", most)
	}
	to = min(to, most, from+maxRecords-1)
	wire, err := c.s.ReadRange(ctx, id, (from-1)*length, (to-from+1)*length, nil)
	if err != nil {
		return nil, err
	}
	if enc.EBCDIC {
		if wire, err = ascii(ctx, wire); err != nil {
			return nil, err
		}
	}
	out := make([]Record, 0, to-from+1)
	for n := from; n <= to; n++ {
		one := wire[(n-from)*length : (n-from+1)*length]
		out = append(out, Record{Number: n, Text: mask(bytes.TrimRight(one, "\r\n"))})
	}
	return out, nil
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

// mask shows the first byte, which tells header, data and trailer apart, and
// of the rest only what kind of character stands where: 9 a digit, x a letter,
// 가 a character of two bytes. Which fields hold accounts and names differs from
// file to file, so nothing is guessed.
func mask(record []byte) string {
	out := make([]byte, 0, len(record)+16)
	for n := 0; n < len(record); n++ {
		switch b := record[n]; {
		case n == 0 && b > ' ' && b < 0x7f, b == ' ':
			out = append(out, b)
		case b >= '0' && b <= '9':
			out = append(out, '9')
		case b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z':
			out = append(out, 'x')
		case b >= 0x81 && n+1 < len(record) && record[n+1] >= 0x41:
			out = append(out, "가"...)
			n++
		case b > ' ' && b < 0x7f:
			out = append(out, '-')
		default:
			out = append(out, '?')
		}
	}
	return string(out)
}
