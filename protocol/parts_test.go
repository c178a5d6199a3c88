package protocol

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
)

func TestPartsMistakes(t *testing.T) {
	good := string(sourceOf(t, "kfb"))
	for _, c := range []mistake{
		{"unknown key in a part", "    title: 파일 헤더", "    titel: 파일 헤더", "", CodeProfileSyntax, "parts.header.titel", "unknown key", "알 수 없는 키 parts.header.titel"},
		{"unknown key in a row of a part", "field: records, type: N", "feild: records, type: N", "", CodeProfileSyntax, "parts.trailer.rows[0].feild", "unknown key", "알 수 없는 키"},
		{"two parts with one tag", `    tag: "33"`, `    tag: "22"`, "", CodeProfileValue, "parts.trailer.tag", "another tag than parts.data", "parts.data의 구분코드와 다른 값"},
		{"tags of two widths", `tag: "33"`, `tag: "333"`, "", CodeProfileWidth, "parts.trailer.tag", "2 characters", "2자(parts.header의 구분코드와 같은 길이)"},
		{"a tag that is too long", `tag: "33"`, `tag: "333333333"`, "", CodeProfileValue, "parts.trailer.tag", "1…8", "1…8자 또는 hex:0B 형식의 바이트"},
		{"a tag that is no bytes", `tag: "33"`, `tag: "hex:3"`, "", CodeProfileValue, "parts.trailer.tag", "hex:0B", "hex:0B 형식의 바이트"},
		{"data without a tag", `  data: {title: 데이터, tag: "22"}`, `  data: {title: 데이터}`, "", CodeProfileMissing, "parts.data.tag", "the tag that data begins with", "데이터 앞에 붙는 구분코드"},
		{"rows without a tag", "    tag: \"33\"\n", "", "  trailer:", CodeProfileMissing, "parts.trailer.tag", "the trailer begins with", "trailer 앞에 붙는 구분코드"},
		{"rows behind data", `tag: "22"}`, `tag: "22", rows: [{title: x, width: 1, type: N}]}`, "", CodeProfileValue, "parts.data.rows", "the business file", "rows 없음(구분코드 다음은 업무 파일 내용)"},
		{"a count in the header", "field: institution, type: N, width: 3", "field: records, type: N, width: 3", "", CodeProfileField, "parts.header.rows[0].field", "name, date, institution", "name, date, institution 또는 프로파일 고유 이름"},
		{"a field that no part has", "field: bytes, type: N, width: 12", "field: size, type: N, width: 12", "", CodeProfileField, "parts.trailer.rows[1].field", "records, bytes", "records, bytes 또는 프로파일 고유 이름"},
		{"a row of open width", "field: bytes, type: N, width: 12", "type: AN, width: rest", "", CodeProfileWidth, "parts.trailer.rows[1].width", "fixed width", "숫자(parts의 항목은 고정 길이)"},
		{"a header that no telegram carries", "field: institution, type: N, width: 3", "type: AN, width: 4060", "    rows:", CodeProfileWidth, "parts.header.rows", "at most 4062", "구분코드를 포함하여 4062바이트 이하"},
		{"an expression in a row of a part", "field: institution, type: N, width: 3", "type: AN, width: 3, expr: '\"a\"'", "", CodeProfileValue, "parts.header.rows[0]", "no expr", "expr, counter, reply 없음"},
		{"file sizes with parts", "files:\n", "files:\n  sizes: file\n", "  sizes: file", CodeProfileValue, "files.sizes", "wire", "wire(parts가 있으면"},
		{"gzip with parts", "files:\n", "files:\n  gzip: true\n", "  gzip: true", CodeProfileValue, "files.gzip", "false", "false(parts가 있는 경우)"},
		{"EBCDIC with parts", "files:\n", "files:\n  ebcdic: true\n", "  ebcdic: true", CodeProfileValue, "files.ebcdic", "false", "false(parts가 있는 경우)"},
		{"full telegrams with parts", "files:\n", "limits: {full: true}\nfiles:\n", "limits:", CodeProfileValue, "limits.full", "false", "헤더와 트레일러가 별도 전문"},
		{"the totals not among the proofs", ", trailer_totals]", "]", "    receive:", CodeProfileMissing, "files.proofs.receive", "trailer_totals", "trailer_totals(parts가 있는 경우)"},
		{"a name in the opening, which the institution sends", "opens: sender", "opens: institution", "  names_file:", CodeProfileValue, "session.names_file", "opens: sender", "session.opens: sender(업무개시 측이 파일을 송신)"},
		{"a name in the opening, and questions", "telegrams:\n", "telegrams:\n  inquiry: {title: x, type: \"0400\", body: open}\n  inquiry-reply: {title: x, type: \"0410\", body: open}\n", "  names_file:", CodeProfileValue, "session.names_file", "no telegrams.inquiry", "telegrams.inquiry 없음"},
		{"a name in the opening, and files unannounced", "files:\n", "files:\n  announce: upload\n", "  announce:", CodeProfileValue, "files.announce", "always", "always(session.names_file이 true인 경우)"},
	} {
		t.Run(c.name, func(t *testing.T) { c.told(t, good) })
	}
}

// The bytes are those of the notes on the profile's page, written by hand.
func TestPartsOfAFile(t *testing.T) {
	p, err := Load("kfb")
	require.NoError(t, err)
	facts := PartFacts{Name: "GR155507", Date: "20250709", Institution: "57", Records: 3, Bytes: 6000}
	head, err := p.Parts.Make(HeaderPart, facts)
	require.NoError(t, err)
	require.Equal(t, "11057GR15550720250709", string(head))
	tail, err := p.Parts.Make(TrailerPart, facts)
	require.NoError(t, err)
	require.Equal(t, "330000000003000000006000", string(tail))
	require.Equal(t, []int{21, 0, 24}, []int{p.Parts.Size(HeaderPart), p.Parts.Size(DataPart), p.Parts.Size(TrailerPart)})
	_, err = p.Parts.Make(HeaderPart, PartFacts{Name: "GR1555070", Date: "20250709"})
	require.Equal(t, CodeDoesNotFit, fault.CodeOf(err))
	_, err = p.Parts.Make(TrailerPart, PartFacts{Records: 1e10})
	require.Equal(t, CodeDoesNotFit, fault.CodeOf(err))
	require.True(t, p.Carriable(34+24))
	require.False(t, p.Carriable(34+23), "the trailer has no room")
}

func TestSorter(t *testing.T) {
	p, err := Load("kfb")
	require.NoError(t, err)
	const head, tail = "11057GR15550720250709", "330000000003000000000005"
	for name, c := range map[string]struct {
		telegrams []string
		code      fault.Code // "" = in order
		at        string     // telegram that is told
		content   string
	}{
		"whole":                     {[]string{head, "22ab", "22cde", tail}, "", "", "abcde"},
		"empty":                     {[]string{head, tail}, "", "", ""},
		"a tag without data":        {[]string{head, "22", "22a", tail}, "", "", "a"},
		"filled up behind the rows": {[]string{head + "    ", "22a", tail + "   "}, "", "", "a"},
		"a blank name":              {[]string{"11057        00000000", "22a", tail}, "", "", "a"},
		"no header":                 {[]string{"22a", tail}, CodePart, "1", ""},
		"no trailer":                {[]string{head, "22a"}, CodePart, "3", "a"},
		"nothing":                   {nil, CodePart, "1", ""},
		"two headers":               {[]string{head, head}, CodePart, "2", ""},
		"a header behind data":      {[]string{head, "22a", head}, CodePart, "3", "a"},
		"data behind the trailer":   {[]string{head, tail, "22a"}, CodePart, "3", ""},
		"two trailers":              {[]string{head, tail, tail}, CodePart, "3", ""},
		"a trailer alone":           {[]string{tail}, CodePart, "1", ""},
		"another tag":               {[]string{head, "44a", tail}, CodePart, "2", ""},
		"shorter than a tag":        {[]string{head, "2", tail}, CodePart, "2", ""},
		"a header cut off":          {[]string{head[:20], tail}, CodePart, "1", ""},
		"another name":              {[]string{"11057GR15660720250709", tail}, CodePartOfOther, "", ""},
		"another date":              {[]string{"11057GR15550720250708", tail}, CodePartOfOther, "", ""},
		"a count that is none":      {[]string{head, "33000000000x000000000005"}, CodeNotANumber, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := p.Parts.Sort(PartFacts{Name: "GR155507", Date: "20250709"}, func(d string) string {
				if d == "00000000" {
					return ""
				}
				return d
			})
			var content bytes.Buffer
			var err error
			for _, telegram := range c.telegrams {
				var data []byte
				if data, err = s.Telegram([]byte(telegram)); err != nil {
					break
				}
				content.Write(data)
			}
			if err == nil {
				var said PartFacts
				var n int64
				said, n, err = s.End()
				require.EqualValues(t, content.Len(), n)
				if err == nil {
					require.Equal(t, PartFacts{Records: 3, Bytes: 5}, said)
				}
			}
			require.Equal(t, c.code, fault.CodeOf(err), "%v", err)
			if c.at != "" {
				require.Equal(t, c.at, fault.As(err).Args["telegram"])
			}
			require.Equal(t, c.content, content.String())
		})
	}
}

// A telegram of parts as a table: its tag, and what header and trailer say;
// nothing of the business file.
func TestExplainParts(t *testing.T) {
	p, err := Load("kfb")
	require.NoError(t, err)
	of := func(frame string) (out [][3]string) {
		e := p.Explain([]byte(frame))
		require.NoError(t, e.Err)
		for _, r := range e.Rows[11:] {
			out = append(out, [3]string{r.Title, r.Field, r.Value})
			require.Equal(t, r.Field == "data", r.Hidden)
		}
		return out
	}
	require.Equal(t, [][3]string{{"파일 트레일러", "part", "33"}, {"총 레코드 건수", "records", "0000000003"}, {"총 데이터 바이트 수", "bytes", "000000006000"}, {"파일내역", "data", ""}},
		of("0058FTS0570320RBGR15550700000010040024330000000003000000006000"))
	require.Equal(t, [][3]string{{"데이터", "part", "22"}, {"파일내역", "data", ""}}, of("0038FTS0570320RBGR155507000000100200042212"))
}
