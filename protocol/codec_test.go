package protocol

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
)

func TestDecodeRefuses(t *testing.T) {
	const info = "0052FTE123456780630REEB210602000EB2106020000000003004096"
	for _, c := range []struct {
		name, profile, frame string
		code                 fault.Code
		kind                 Kind
	}{
		{"shorter than the type", "cms", "0004FTE1", CodeTooShort, NoKind},
		{"shorter than its layout", "cms", info[:55], CodeTooShort, Info},
		{"only the header", "cms", info[:32], CodeTooShort, Info},
		{"longer than its layout", "cms", info + "0", CodeTooLong, Info},
		{"letters where digits belong", "cms", strings.Replace(info, "00000000300", "0000000O300", 1), CodeNotANumber, Info},
		{"digits, then a blank", "cms", strings.Replace(info, "4096", "409 ", 1), CodeNotANumber, Info},
		{"a minus sign", "cms", strings.Replace(info, "4096", "-096", 1), CodeNotANumber, Info},
		{"unknown type", "cms", strings.Replace(info, "0630", "0666", 1), CodeUnknownType, NoKind},
		{"0600 with a 업무관리정보 that nobody knows", "cms",
			"0077FTE123456780600RE        0000602131309009Honggildong         T1W129SVBPPJ8BFE", CodeUnknownType, NoKind},
		{"another business code", "cms", strings.Replace(info, "FTE", "FTS", 1), CodeWrongBusiness, Info},
		{"more data than the frame", "cms", "0049FTE123456780320REEB210602000000100100110123456789", CodeDataLength, DataTelegram},
		{"a map for a check", "cms", "0036FTE123456780620REEB21060200000010021", CodeTooLong, Check},
		{"type of seven characters that is none", "edi", strings.Repeat(" ", 7) + "0666666" + strings.Repeat(" ", 86), CodeUnknownType, NoKind},
	} {
		t.Run(c.name, func(t *testing.T) {
			var tg Telegram
			err := profile(t, c.profile).Decode([]byte(c.frame), &tg)
			require.Equal(t, c.code, fault.CodeOf(err), "%v", err)
			require.Equal(t, c.kind, tg.Kind)
		})
	}
}

func TestDecodeIsLenient(t *testing.T) {
	cms := profile(t, "cms")
	for _, c := range []struct {
		name, frame string
		check       func(*testing.T, *Telegram)
	}{
		{"blanks for a number (§1.5)", "0052FTE123456780640RCEB210602000EB210602            4096",
			func(t *testing.T, tg *Telegram) { require.Zero(t, tg.Number(Size)) }},
		{"no name in the header of data (§4.8)", "0041FTE123456780320RE        00000010010002ab",
			func(t *testing.T, tg *Telegram) { require.Equal(t, "ab", string(tg.Data())) }},
		{"no name in the body (§4.8)", "0052FTE123456780640RCEB210602000        0000000000004096",
			func(t *testing.T, tg *Telegram) { require.Equal(t, "EB210602", tg.Text(Name)) }},
		{"less data than the frame: the byte count counts (§1.5)", "0042FTE123456780320RE        00000010010002abc",
			func(t *testing.T, tg *Telegram) { require.Equal(t, "ab", string(tg.Data())) }},
		{"an empty map with count 000 (§4.4)", "0038FTE123456780300RCEB2106020000001002000",
			func(t *testing.T, tg *Telegram) { require.Empty(t, tg.Raw(Map)) }},
		{"a map that is longer than asked (§4.4)", "0041FTE123456780300RCEB2106020000001002000110",
			func(t *testing.T, tg *Telegram) { require.Equal(t, "110", string(tg.Raw(Map))) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			var tg Telegram
			require.NoError(t, cms.Decode([]byte(c.frame), &tg))
			c.check(t, &tg)
		})
	}
}

// A telegram that is decoded again and again never shows what an earlier one had.
func TestDecodeForgets(t *testing.T) {
	for _, name := range []string{"cms", "edi", "cms-bank"} {
		p := profile(t, name)
		var frames [][]byte
		for _, v := range readVectors(t, name) {
			frames = append(frames, v.bytes, v.bytes[:len(v.bytes)-1], []byte("rubbish"))
		}
		var used Telegram
		for _, a := range frames {
			for _, b := range frames {
				var fresh Telegram
				_ = p.Decode(a, &used)
				used.SetText(Work, "left over")
				used.SetNumber(Total, 99)
				wantErr := p.Decode(b, &fresh)
				err := p.Decode(b, &used)
				require.Equal(t, fault.CodeOf(wantErr), fault.CodeOf(err))
				for f := range Field(numFields) {
					if f.IsNumber() {
						require.Equal(t, fresh.Number(f), used.Number(f), p.FieldName(f))
					} else {
						require.Equal(t, string(fresh.Raw(f)), string(used.Raw(f)), p.FieldName(f))
					}
				}
			}
		}
		used.Reset()
		require.Equal(t, Telegram{}, used)
	}
}

func TestAppendRefuses(t *testing.T) {
	cms, edi := profile(t, "cms"), profile(t, "edi")
	for _, c := range []struct {
		name string
		p    *Profile
		kind Kind
		set  func(*Telegram)
		code fault.Code
	}{
		{"a name too long", cms, Info, func(t *Telegram) { t.SetText(Name, "EB2106021") }, CodeDoesNotFit},
		{"a size too great", cms, Info, func(t *Telegram) { t.SetNumber(Size, 1_000_000_000_000) }, CodeDoesNotFit},
		{"a negative number", cms, Info, func(t *Telegram) { t.SetNumber(Size, -1) }, CodeDoesNotFit},
		{"a sender name too long", cms, Open, func(t *Telegram) { t.SetText(SenderName, strings.Repeat("y", 21)) }, CodeDoesNotFit},
		{"a password too long", edi, Info, func(t *Telegram) { t.SetText(Password, strings.Repeat("x", 33)) }, CodeDoesNotFit},
		{"a map longer than its sequence", cms, CheckReply, func(t *Telegram) { t.SetNumber(Sequence, 2); t.SetText(Map, "111") }, CodeDoesNotFit},
		{"a sequence that no block has", cms, CheckReply, func(t *Telegram) { t.SetNumber(Sequence, 1_000) }, CodeDoesNotFit},
		{"data longer than the layout", edi, DataTelegram, func(t *Telegram) { t.Set(Data, make([]byte, 3201)) }, CodeDoesNotFit},
		{"data longer than the framing", cms, DataTelegram, func(t *Telegram) { t.Set(Data, make([]byte, 9999)) }, CodeTooLong},
		{"a kind that the profile has not", cms, Fetch, func(*Telegram) {}, CodeNotInProfile},
	} {
		t.Run(c.name, func(t *testing.T) {
			tg := Telegram{Kind: c.kind}
			c.set(&tg)
			before := []byte("before")
			got, err := c.p.Append(before, &tg)
			require.Equal(t, c.code, fault.CodeOf(err), "%v", err)
			require.Equal(t, "before", string(got), "nothing is written")
			require.NotContains(t, err.Error(), "xxxx", "a password never reaches an error")
		})
	}
	tg := Telegram{Kind: Info}
	tg.SetText(Name, "EB210602   ")
	_, err := cms.Append(nil, &tg)
	require.NoError(t, err, "padding may be cut")
}

func TestTemplateRefuses(t *testing.T) {
	cms := profile(t, "cms")
	tpl, err := cms.Template(&Telegram{Kind: DataTelegram}, 10)
	require.NoError(t, err)
	for _, c := range []struct {
		block int64
		seq   int
		data  int
		code  fault.Code
	}{
		{10_000, 1, 1, CodeDoesNotFit}, {-1, 1, 1, CodeDoesNotFit}, {1, 1000, 1, CodeDoesNotFit}, {1, -1, 1, CodeDoesNotFit}, {1, 1, 11, CodeTooLong},
	} {
		got, err := tpl.Append([]byte("before"), c.block, c.seq, make([]byte, c.data))
		require.Equal(t, c.code, fault.CodeOf(err))
		require.Equal(t, "before", string(got))
	}
	_, err = cms.Template(&Telegram{Kind: Info}, 10)
	require.Equal(t, CodeNotInProfile, fault.CodeOf(err))
}

func TestReaderRefuses(t *testing.T) {
	cms, edi := profile(t, "cms"), profile(t, "edi")
	for _, c := range []struct {
		name, bytes string
		p           *Profile
		code        fault.Code
		plain       error
	}{
		{"no number", "00A2FTE", cms, CodeBadLength, nil},
		{"bytes of another protocol", "GET / HTTP/1.1\r\n", cms, CodeBadLength, nil},
		{"blank", "    FTE", cms, CodeBadLength, nil},
		{"less than a header", "0027FTE", cms, CodeTooShort, nil},
		{"more than the profile allows", "3297000", edi, CodeTooLong, nil},
		{"ends within the length", "00", cms, "", io.ErrUnexpectedEOF},
		{"ends within a telegram", "0052FTE", cms, "", io.ErrUnexpectedEOF},
		{"nothing at all", "", cms, "", io.EOF},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := c.p.NewReader(strings.NewReader(c.bytes), make([]byte, c.p.FrameBuffer()))
			_, err := r.Next()
			if c.plain != nil {
				require.ErrorIs(t, err, c.plain)
				return
			}
			require.Equal(t, c.code, fault.CodeOf(err), "%v", err)
		})
	}
	r := cms.NewReader(idle{}, make([]byte, cms.FrameBuffer()))
	_, err := r.Next()
	require.ErrorIs(t, err, io.ErrNoProgress)
}

type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

func TestReaderKeepsItsPlaceInALargerBuffer(t *testing.T) {
	cms := profile(t, "cms")
	var all []byte
	for _, v := range readVectors(t, "cms") {
		all = append(all, v.bytes...)
	}
	r := cms.NewReader(bytes.NewReader(all), make([]byte, cms.FrameBuffer()))
	for i, v := range readVectors(t, "cms") {
		frame, err := r.Next()
		require.NoError(t, err)
		require.Equal(t, string(v.bytes), string(frame))
		if i == 1 {
			require.True(t, r.Buffered())
			r.Use(make([]byte, 2*cms.FrameBuffer()))
		}
	}
	require.False(t, r.Buffered())
}

func TestKeepCopies(t *testing.T) {
	cms := profile(t, "cms")
	frame := []byte("0052FTE123456780630REEB210602000EB2106020000000003004096")
	var tg, kept Telegram
	require.NoError(t, cms.Decode(frame, &tg))
	buf := kept.Keep(&tg, nil)
	for i := range frame {
		frame[i] = 'x'
	}
	require.Equal(t, "EB210602", kept.Text(Name))
	require.EqualValues(t, 300, kept.Number(Size))
	buf2 := kept.Keep(&tg, buf)
	require.Same(t, &buf[:1][0], &buf2[:1][0], "the buffer is used again")
}

func TestMeaningsOfCodes(t *testing.T) {
	cms, edi := profile(t, "cms"), profile(t, "edi")
	for _, c := range []struct {
		p    *Profile
		code string
		want Reason
	}{
		{cms, "000", OK}, {cms, "", OK}, {cms, "630", Complete}, {cms, "631", Refused}, {cms, "090", Retry}, {cms, "777", Refused}, {cms, "00", Refused},
		{edi, "00", OK}, {edi, "84", Nothing}, {edi, "91", Refused}, {edi, "000", Refused},
	} {
		require.Equal(t, c.want, c.p.Meaning(c.code), "%s %q", c.p.Name, c.code)
	}
	require.Equal(t, "320", cms.Code(BadPassword))
	require.Equal(t, "999", cms.Code("no such reason"))
	require.Equal(t, "20200602131309", string(Stamp(time.Date(2020, 6, 2, 13, 13, 9, 0, time.UTC))))
}

// protocols §1.5: data per message and the largest file at N = 4096.
func TestSizes(t *testing.T) {
	cms := profile(t, "cms")
	require.Equal(t, 4096-39, cms.MaxData(4096))
	require.Equal(t, 4096-34, profile(t, "cms-bank").MaxData(4096))
	require.EqualValues(t, int64(9999)*100*4057, cms.MaxFile(cms.MaxData(4096)))
	require.GreaterOrEqual(t, cms.MostData(), 4096, "some senders put N bytes of data in a message")
	edi := profile(t, "edi")
	require.Equal(t, 3200, edi.MaxData(3200))
	require.Equal(t, 3200, edi.MostData())
}

// Some headers repeat the length (§2.2, Shinhan): both places are filled.
func TestLengthThatStandsTwice(t *testing.T) {
	src := strings.Replace(string(sourceOf(t, "cms")), "{title: 기관코드, field: institution, type: AN, width: 8}",
		"{title: 전문SIZE, field: length, type: N, width: 4}\n  - {title: 회원사코드, field: institution, type: AN, width: 4}", 1)
	p, err := Parse("twice.yaml", []byte(src))
	require.NoError(t, err)
	tg := Telegram{Kind: DataTelegram}
	tg.SetText(Institution, "02")
	tg.Set(Data, []byte("ab"))
	got, err := p.Append(nil, &tg)
	require.NoError(t, err)
	require.Equal(t, "0041FTE004102  0320", string(got[:19]))
	tpl, err := p.Template(&tg, 10)
	require.NoError(t, err)
	got, err = tpl.Append(nil, 1, 1, []byte("abc"))
	require.NoError(t, err)
	require.Equal(t, "0042FTE0042", string(got[:11]))
}
