package protocol

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
)

// A header as small as one can be, after which everything is as in cms.
const smallHeader = `
header:
  - {title: length, field: length, type: N, width: 4}
  - {title: type, field: type, type: N, width: 4}
  - {title: code, field: response, type: N, width: 3}
letters: {direction: {upload: R, download: S}}
bodies:
  work:
    - {title: work, field: work, type: N, width: 3}
    - {title: way, field: direction, type: A, width: 1}
    - {title: bank, field: institution, type: AN, width: 4}
    - {title: who, field: sender_name, type: A, width: 10}
`

func small(t testing.TB, changes string) *Profile {
	t.Helper()
	head := smallHeader
	if strings.Contains(changes, "\nheader:") {
		head = head[strings.Index(head, "letters:"):]
		head = strings.Replace("\n"+head, "\nletters:", "\nletters:", 1)
	}
	p, err := Parse("small.yaml", []byte("profile: small\nextends: cms-bank\n"+strings.TrimLeft(head, "\n")+changes))
	require.NoError(t, err)
	return p
}

// Expected bytes are written out by hand: length, type, code, then the body of
// a check of block 7, sequence 100.
func TestLengths(t *testing.T) {
	check := Telegram{Kind: Check}
	check.SetNumber(Block, 7)
	check.SetNumber(Sequence, 100)
	row := "\nheader:\n  - {title: length, field: length, type: %T, width: %W}\n  - {title: type, field: type, type: N, width: 4}\n  - {title: code, field: response, type: N, width: 3}\n"
	of := func(typ, width, framing string) string {
		return strings.NewReplacer("%T", typ, "%W", width).Replace(row) + framing
	}
	for _, c := range []struct{ name, changes, want string }{
		{"what follows", "framing: {counts: rest}\n", "001406200000007100"},
		{"itself too", "framing: {counts: self}\n", "001806200000007100"},
		{"the body", "framing: {counts: body}\n", "000706200000007100"},
		{"the whole", "framing: {counts: all}\n", "001806200000007100"},
		{"two digits", of("N", "2", "framing: {width: 2, counts: rest}\nfiles: {message_size: 90, per_block: 50}\n"), "1406200000007100"},
		{"ten digits", of("N", "10", "framing: {width: 10, counts: rest}\n"), "000000001406200000007100"},
		{"binary, high byte first", of("I", "2", "framing: {width: 2, counts: rest}\n"), "\x00\x0e06200000007100"},
		{"binary, low byte first", of("IL", "4", "framing: {width: 4, counts: all}\n"), "\x12\x00\x00\x0006200000007100"},
		{"in the middle of the header", "\nheader:\n  - {title: type, field: type, type: N, width: 4}\n  - {title: length, field: length, type: N, width: 4}\n" +
			"  - {title: code, field: response, type: N, width: 3}\nframing: {offset: 4, counts: self}\n", "062000140000007100"},
		{"behind a prefix", "\nheader:\n  - {title: STX, type: B, width: 1, value: \"hex:02\"}\n  - {title: length, field: length, type: N, width: 4}\n" +
			"  - {title: type, field: type, type: N, width: 4}\n  - {title: code, field: response, type: N, width: 3}\nframing: {offset: 1}\n", "\x02001406200000007100"},
		{"a further one that counts the body", "\nheader:\n  - {title: length, field: length, type: N, width: 4}\n  - {title: body, field: length, type: N, width: 4, counts: body}\n" +
			"  - {title: type, field: type, type: N, width: 4}\n  - {title: code, field: response, type: N, width: 3}\n", "0018000706200000007100"},
		{"bytes at the end", "\nheader:\n  - {title: type, field: type, type: N, width: 4}\n  - {title: code, field: response, type: N, width: 3}\n" +
			"framing: {offset: , width: , counts: , ends: \"hex:FF EF\"}\n", "06200000007100\xff\xef"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := small(t, c.changes)
			got, err := p.Append(nil, &check)
			require.NoError(t, err)
			require.Equal(t, c.want, string(got))

			stream := strings.Repeat(c.want, 3)
			r := p.NewReader(iotest.OneByteReader(strings.NewReader(stream)), make([]byte, p.FrameBuffer()))
			for range 3 {
				frame, err := r.Next()
				require.NoError(t, err)
				var back Telegram
				require.NoError(t, p.Decode(frame, &back))
				require.Equal(t, Check, back.Kind)
				require.EqualValues(t, 7, back.Number(Block))
				require.EqualValues(t, 100, back.Number(Sequence))
			}
			_, err = r.Next()
			require.ErrorIs(t, err, io.EOF)

			// A data telegram through the template is the one through the encoder.
			data := Telegram{Kind: DataTelegram}
			tpl, err := p.Template(&data, 40)
			require.NoError(t, err)
			got, err = tpl.Append(nil, 7, 3, []byte("twelve bytes"))
			require.NoError(t, err)
			data.SetNumber(Block, 7)
			data.SetNumber(Sequence, 3)
			data.Set(Data, []byte("twelve bytes"))
			want, err := p.Append(nil, &data)
			require.NoError(t, err)
			require.Equal(t, string(want), string(got))
		})
	}
}

func TestReaderOfEndings(t *testing.T) {
	p := small(t, "\nheader:\n  - {title: type, field: type, type: N, width: 4}\n  - {title: code, field: response, type: N, width: 3}\n"+
		"framing: {offset: , width: , counts: , ends: \"hex:FF EF\", max: 100}\nfiles: {message_size: 90, per_block: 50}\n")
	require.Equal(t, "\xff\xef", string(p.Delimiter()))
	data := Telegram{Kind: DataTelegram}
	tpl, err := p.Template(&data, 40)
	require.NoError(t, err)
	_, err = tpl.Append(nil, 1, 1, []byte("ab\xff\xefcd"))
	require.Equal(t, CodeDelimiter, fault.CodeOf(err), "a file with the delimiter in it would arrive as something else (§4.12)")
	ok, err := tpl.Append(nil, 1, 1, []byte("ab\xff"))
	require.NoError(t, err)
	require.True(t, strings.HasSuffix(string(ok), "ab\xff\xff\xef"))
	read := func(stream string) ([]string, error) {
		r := p.NewReader(iotest.HalfReader(strings.NewReader(stream)), make([]byte, p.FrameBuffer()))
		for all := []string(nil); ; {
			f, err := r.Next()
			if err != nil {
				return all, err
			}
			all = append(all, string(f))
		}
	}
	got, err := read("0600000001\xff\xef0600000\xff\xff\xef")
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, []string{"0600000001", "0600000\xff"}, got, "a byte of the ending before it belongs to the telegram")
	_, err = read("0600000001\xff")
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	_, err = read("06\xff\xef")
	require.Equal(t, CodeTooShort, fault.CodeOf(err))
	_, err = read(strings.Repeat("x", 200))
	require.Equal(t, CodeTooLong, fault.CodeOf(err), "never waits for an ending that does not come")
}

func TestReaderOfPrefixes(t *testing.T) {
	p := small(t, "\nheader:\n  - {title: STX, type: B, width: 1, value: \"hex:02\"}\n  - {title: length, field: length, type: N, width: 4}\n"+
		"  - {title: type, field: type, type: N, width: 4}\n  - {title: code, field: response, type: N, width: 3}\nframing: {offset: 1}\n")
	r := p.NewReader(strings.NewReader("\x03001406200000007100"), make([]byte, p.FrameBuffer()))
	_, err := r.Next()
	require.Equal(t, CodeBadPrefix, fault.CodeOf(err))
}

// Digits are F0…F9 and blanks 40; data stays as it is.
func TestEBCDIC(t *testing.T) {
	p := small(t, "charset: ebcdic\n")
	open := Telegram{Kind: Open}
	open.SetText(Work, "001")
	open.SetText(Direction, "R")
	open.SetText(Institution, "AB")
	open.SetText(SenderName, "TESTER")
	got, err := p.Append(nil, &open)
	require.NoError(t, err)
	want := "\xF0\xF0\xF2\xF5" + "\xF0\xF6\xF0\xF0" + "\xF0\xF0\xF0" + "\xF0\xF0\xF1" + "\xD9" + "\xC1\xC2\x40\x40" + "\xE3\xC5\xE2\xE3\xC5\xD9\x40\x40\x40\x40"
	require.Equal(t, []byte(want), got)
	var back, kept Telegram
	require.NoError(t, p.Decode(got, &back))
	require.Equal(t, "AB", back.Text(Institution))
	require.Equal(t, "TESTER", back.Text(SenderName))
	kept.Keep(&back, nil)
	kept.SetText(Direction, "S")
	again, err := p.Append(nil, &kept)
	require.NoError(t, err)
	require.Equal(t, strings.Replace(want, "\xD9\xC1\xC2", "\xE2\xC1\xC2", 1), string(again), "what came goes back as it came, what is ours is put into the set")

	data := Telegram{Kind: DataTelegram}
	data.SetNumber(Block, 1)
	data.SetNumber(Sequence, 2)
	data.Set(Data, []byte("\x00AB\xFF"))
	got, err = p.Append(nil, &data)
	require.NoError(t, err)
	require.Equal(t, "\x00AB\xFF", string(got[len(got)-4:]))
	require.NoError(t, p.Decode(got, &back))
	require.EqualValues(t, 2, back.Number(Sequence))
	require.Equal(t, "\x00AB\xFF", string(back.Data()))
}

func TestHangul(t *testing.T) {
	p := small(t, "")
	open := Telegram{Kind: Open}
	open.SetText(SenderName, "홍길동")
	open.SetText(Direction, "R")
	got, err := p.Append(nil, &open)
	require.NoError(t, err)
	require.Equal(t, "\xc8\xab\xb1\xe6\xb5\xbf    ", string(got[len(got)-10:]), "two bytes each (§1.10)")
	var back Telegram
	require.NoError(t, p.Decode(got, &back))
	require.Equal(t, "홍길동", back.Text(SenderName))

	open.SetText(SenderName, "홍길동홍길동")
	_, err = p.Append(nil, &open)
	require.Equal(t, CodeDoesNotFit, fault.CodeOf(err), "widths are bytes, never characters (§4.9)")
	open.SetText(SenderName, "☃")
	_, err = p.Append(nil, &open)
	require.Equal(t, CodeCharset, fault.CodeOf(err))
	require.Equal(t, "sender_name", fault.As(err).Subject)

	p = small(t, "charset: ascii\n")
	open.SetText(SenderName, "홍")
	_, err = p.Append(nil, &open)
	require.Equal(t, CodeCharset, fault.CodeOf(err))
}

func TestShapesOfValues(t *testing.T) {
	p := small(t, `
header:
  - {title: length, field: length, type: N, width: 4}
  - {title: type, field: type, type: N, width: 4}
  - {title: blank filled, field: size, type: N, width: 6, fill: " "}
  - {title: to the right, field: name, type: AN, width: 6, align: right}
  - {title: stars, field: serial, type: AN, width: 4, fill: "*"}
  - {title: day, field: date, type: N, width: 4, format: MMdd}
  - {title: moment, field: sent_at, type: N, width: 12, format: HHmmssyyMMdd}
  - {title: code, field: response, type: N, width: 3}
files: {name_width: 6}
`)
	tg := Telegram{Kind: Check}
	tg.SetNumber(Size, 42)
	tg.SetText(Name, "AB")
	tg.SetText(Serial, "7")
	tg.SetText(Date, "20260602")
	tg.Set(SentAt, Stamp(time.Date(2026, 6, 2, 13, 14, 15, 0, time.UTC)))
	got, err := p.Append(nil, &tg)
	require.NoError(t, err)
	require.Equal(t, "0620"+"    42"+"    AB"+"7***"+"0602"+"131415260602"+"000"+"0000000", string(got[4:]))
	var back Telegram
	require.NoError(t, p.Decode(got, &back))
	require.EqualValues(t, 42, back.Number(Size))
	require.Equal(t, "0602", back.Text(Date))
	require.Equal(t, "AB", back.Text(Name))
	require.Equal(t, "7", back.Text(Serial))
}
