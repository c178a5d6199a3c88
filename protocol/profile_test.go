package protocol

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/catalog"
	"pabal/internal/fault"
)

func sourceOf(t testing.TB, name string) []byte {
	t.Helper()
	src, err := os.ReadFile(filepath.Join("profiles", name+".yaml"))
	require.NoError(t, err)
	return src
}

// Each case breaks cms.yaml in one place and is told so: code, path, the line
// of the broken text, and what would be right.
func TestProfileMistakes(t *testing.T) {
	good := string(sourceOf(t, "cms"))
	for _, c := range []mistake{
		{"unknown key at the top", "certainty:", "certanty:", "", CodeProfileSyntax, "certanty", "unknown key", "알 수 없는 키"},
		{"unknown key in a row", "field: business, type", "feild: business, type", "", CodeProfileSyntax, "header[1].feild", "unknown key", "알 수 없는 키"},
		{"unknown key in a telegram", `type: "0630", body: info`, `type: "0630", bodi: info`, "", CodeProfileSyntax, "telegrams.info.bodi", "unknown key", "알 수 없는 키"},
		{"unknown key in an inner map", "packing: whole", "packng: whole", "", CodeProfileSyntax, "files.packng", "unknown key", "알 수 없는 키"},
		{"a time without unit", "reply: 60s", "reply: 60x", "", CodeProfileSyntax, "", "\"60x\" is not a time such as 60s", `"60x" 값은 60s 형식의 시간이 아님`},
		{"a word for a number", "per_block: 100", "per_block: many", "", CodeProfileSyntax, "", "\"many\" is not a whole number", `"many" 값은 정수가 아님`},
		{"a tab", "files:\n", "files:\n\t", "  name_width", CodeProfileSyntax, "", "a tab", "탭 문자"},
		{"no name", "profile: cms\n", "", "title:", CodeProfileMissing, "profile", "a name", "이름"},
		{"a body that is not there", "body: check}", "body: cheque}", "", CodeProfileField, "telegrams.check.body", "a layout under bodies", "bodies에 정의된 이름"},
		{"a row type that is none", "field: size, type: N", "field: size, type: X", "", CodeProfileValue, "bodies.info[1].type", "N, A, AN, C, H, B", "N, A, AN, C, H, B, I, IL 중 하나"},
		{"a width that is none", "field: size, type: N, width: 12", "field: size, type: N, width: twelve", "", CodeProfileWidth, "bodies.info[1].width", "1…9999", "1…9999, last, rest 중 하나"},
		{"a number too wide", "field: size, type: N, width: 12", "field: size, type: N, width: 19", "", CodeProfileWidth, "bodies.info[1].width", "18 digits", "18자리 이하"},
		{"a constant too long", "value: FTE", "value: FTEX", "", CodeProfileWidth, "header[1].value", "at most 3 bytes", "3바이트 이하"},
		{"a type code too long", `type: "0630"`, `type: "06300"`, "", CodeProfileWidth, "telegrams.info.type", "4 characters", "4자"},
		{"an open width in the middle", "field: query_kind, type: AN, width: 3", "field: query_kind, type: AN, width: rest", "", CodeProfileWidth, "bodies.inquiry[0].width", "only the last row", "가변 길이는 마지막 항목에만"},
		{"a header row of open width", "field: business, type: AN, width: 3", "field: business, type: AN, width: rest", "", CodeProfileWidth, "header[1].width", "fixed width", "헤더 항목은 고정 길이"},
		{"a time pattern that is none", "format: MMddHHmmss", "format: MMDDHHMMSS", "", CodeProfileValue, "bodies.work[0].format", "MMddHHmmss", "MMddHHmmss 형식"},
		{"a telegram that is none", "  info-reply: {", "  info-answer: {", "", CodeProfileValue, "telegrams.info-answer", "info-reply", "info-reply"},
		{"a request without its answer", "  cancel-reply: {", "  cancel-answer: {", "  cancel: {", CodeProfileMissing, "telegrams.cancel", "answer", "응답 전문의 정의"},
		{"a discriminator that is no field", `where: {work: "004"}, body: work}`, `where: {wrok: "004"}, body: work}`, "", CodeProfileField, "telegrams.close.where.wrok", "a field of this telegram", "이 전문에서 고정값이 없는 필드"},
		{"a discriminator that would be cut", `where: {work: "004"}, body: work}`, `where: {work: "0044"}, body: work}`, "", CodeProfileWidth, "telegrams.close.where.work", "at most 3 bytes", "3바이트 이하"},
		{"two telegrams that look the same", `end: {title: "파일 송수신 완료, 송신할 파일 없음", type: "0600", where: {work: "003"}`,
			`end: {title: "파일 송수신 완료, 송신할 파일 없음", type: "0600", where: {work: "002"}`, "  end-more: {", CodeProfileValue, "telegrams.end-more.where", "another value", "종별코드가 같은 telegrams.end 전문과 다른 값"},
		{"no check at all", "  check: {", "  cheque: {", "telegrams:", CodeProfileMissing, "telegrams", "its layout", "해당 전문의 정의"},
		{"framing without width", "width: 4, counts: rest}", "width: 0, counts: rest}", "", CodeProfileWidth, "framing.width", "1…10", "1…10 범위"},
		{"framing where no length row is", "{offset: 0, width: 4", "{offset: 2, width: 4", "", CodeProfileMissing, "framing.offset", "at offset 2", "헤더의 위치 2, 4바이트인 길이 항목"},
		{"framing that counts neither", "counts: rest}", "counts: some}", "", CodeProfileValue, "framing.counts", "rest, self, body, all", "rest, self, body, all 중 하나"},
		{"a switch that is none", "packing: whole", "packing: half", "", CodeProfileValue, "files.packing", "whole, filled, one", "whole, filled, one 중 하나"},
		{"too many per block", "per_block: 100", "per_block: 1000", "", CodeProfileValue, "files.per_block", "1…999", "1…999 범위"},
		{"a check that there is none of", "  rounds: 10", "  rounds: 10\n  check: none", "  check: none", CodeProfileValue, "files.check", "no telegrams.check", "telegrams.check와 telegrams.check-reply를 제거"},
		{"sequences that begin with two", "  rounds: 10", "  rounds: 10\n  first_sequence: 2", "  first_sequence: 2", CodeProfileValue, "files.first_sequence", "0…1", "0…1 범위"},
		{"numbers in a map of marks", "  rounds: 10", "  rounds: 10\n  map: numbers", "  map: numbers", CodeProfileValue, "files.map", "width rest", "마지막 항목(width: rest)"},
		{"a way to resend that is none", "  rounds: 10", "  rounds: 10\n  resend: all", "  resend: all", CodeProfileValue, "files.resend", "batch, rest, each", "batch, rest, each 중 하나"},
		{"data without a block", "  - {title: BLOCK-NO, field: block, type: N, width: 4}\n    - {title: SEQUENCE-NO", "  - {title: SEQUENCE-NO", "  data: {title: DATA", CodeProfileMissing, "telegrams.data", "running", "블록번호 항목 또는 files.sequences: running"},
		{"framing by both", "framing: {offset: 0, width: 4, counts: rest}", "framing: {offset: 0, width: 4, counts: rest, ends: \"\\n\"}", "", CodeProfileValue, "framing.ends", "either", "ends와 길이 항목(offset, width, counts) 중 한 가지"},
		{"an ending that is no bytes", "framing: {offset: 0, width: 4, counts: rest}", "framing: {ends: \"hex:FG\"}", "", CodeProfileValue, "framing.ends", "hex:FFEF", "hex:FFEF 형식의 1…16바이트"},
		{"a character set that is none", "framing: {", "charset: utf-8\nframing: {", "charset: utf-8", CodeProfileValue, "charset", "euc-kr, ascii, ebcdic", "euc-kr, ascii, ebcdic 중 하나"},
		{"text in binary", "field: business, type: AN", "field: business, type: I", "", CodeProfileValue, "header[1].type", "a number field", "숫자 필드"},
		{"a fill of two", "field: size, type: N, width: 12", "field: size, type: N, width: 12, fill: \"00\"", "", CodeProfileValue, "bodies.info[1].fill", "one character", "한 글자(이진수 항목에는 쓸 수 없음)"},
		{"a number to the left", "field: size, type: N, width: 12", "field: size, type: N, width: 12, align: left", "", CodeProfileValue, "bodies.info[1].align", "right", "right(숫자 항목)"},
		{"a pattern of what is no date", "field: size, type: N, width: 12", "field: size, type: N, width: 12, format: yyMMdd", "", CodeProfileField, "bodies.info[1].format", "sent_at", "sent_at, date, end_date, query_date 중 하나"},
		{"what a number counts", "field: size, type: N, width: 12", "field: size, type: N, width: 12, counts: rest", "", CodeProfileField, "bodies.info[1].counts", "length", "counts는 길이 항목에만"},
		{"a certainty that is none", "certainty: certain", "certainty: sure", "", CodeProfileValue, "certainty", "assumed", "assumed, template, own 중 하나"},
		{"no rounds", "rounds: 10", "rounds: 0", "", CodeProfileValue, "files.rounds", "1…1000", "1…1000 범위"},
		{"a message smaller than its header", "message_size: 4096", "message_size: 39", "", CodeProfileValue, "files.message_size", "40…65535", "40…65535 범위"},
		{"a message larger than the framing", "message_size: 4096", "message_size: 20000", "", CodeProfileValue, "files.message_size", "framing", "9999바이트 이하(4자리인 framing의 길이 항목으로"},
		{"a key that cannot be left out", "  cipher: kftc\n", "", "session:", CodeProfileAbsent, "session.cipher", "none, kftc", "none, kftc 중 하나"},
		{"a number that cannot be left out", "  name_width: 8\n", "", "files:", CodeProfileAbsent, "files.name_width", "1…255", "1…255 범위"},
		{"a row without a type", "field: size, type: N, width: 12", "field: size, width: 12", "", CodeProfileAbsent, "bodies.info[1].type", "N, A, AN, C, H, B", "N, A, AN, C, H, B, I, IL 중 하나"},
		{"no time to wait", "idle: 90s", "idle: 0s", "", CodeProfileValue, "session.idle", "60s", "60s 형식의 시간"},
		{"fetch by a telegram that is not there", "fetch: open", "fetch: request", "", CodeProfileMissing, "session.fetch", "telegrams", "telegrams 아래의 전문 정의"},
		{"a reason that is none", `sender: "310"`, `absender: "310"`, "", CodeProfileValue, "responses.absender", "sender", "sender, password"},
		{"a code of another width", `sender: "310"`, `sender: "31"`, "", CodeProfileWidth, "responses.sender", "3 characters", "3자"},
		{"a refusal that reads as success", `sender: "310"`, `sender: "000"`, "", CodeProfileValue, "responses.sender", "another code", "responses.ok와 다른 코드(거부가 정상으로 처리되면 안 됨)"},
		{"no code for ok", `ok: "000"`, `nothing: "000"`, "responses:", CodeProfileMissing, "responses", "a code", "응답코드"},
		{"a meaning that is none", `"634": retry`, `"634": later`, "", CodeProfileValue, "meanings.634", "retry", "retry, refused 중 하나"},
		{"letters of two characters", `held: "1"`, `held: "11"`, "", CodeProfileWidth, "letters.held", "one character", "한 글자"},
	} {
		t.Run(c.name, func(t *testing.T) { c.told(t, good) })
	}
}

// mistake breaks a profile in one place.
type mistake struct {
	name, old, broken string
	at                string // text whose line the message names; "" = broken
	code              fault.Code
	path, expected    string // expected: in the sentence's "expected" or "detail"
	korean            string // … and in the Korean one
}

func (c mistake) told(t *testing.T, good string) {
	require.Contains(t, good, c.old, "the test breaks nothing")
	src := strings.Replace(good, c.old, c.broken, 1)
	_, err := Parse("my.yaml", []byte(src))
	require.Error(t, err)
	mark := c.at
	if mark == "" {
		mark = c.broken
	}
	line := strings.Count(src[:strings.Index(src, mark)], "\n") + 1
	var seen []string
	for _, e := range faults(err) {
		seen = append(seen, e.Error())
		require.Equal(t, "my.yaml", e.Args["file"], "every problem names its file")
		_, err := strconv.Atoi(e.Args["line"])
		require.NoError(t, err, "every problem names its line")
		if e.Code == c.code && e.Args["path"] == c.path && e.Args["line"] == strconv.Itoa(line) &&
			strings.Contains(wanted(t, catalog.EN, e), c.expected) {
			require.Contains(t, wanted(t, catalog.KO, e), c.korean)
			return
		}
	}
	require.Fail(t, "not told", "%s %s line %d %q in\n%s", c.code, c.path, line, c.expected, strings.Join(seen, "\n"))
}

func faults(err error) []*fault.Error {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		var out []*fault.Error
		for _, e := range many.Unwrap() {
			out = append(out, faults(e)...)
		}
		return out
	}
	return []*fault.Error{fault.As(err)}
}

func TestProfileProblemsComeTogether(t *testing.T) {
	src := strings.Replace(string(sourceOf(t, "cms")), "packing: whole", "packing: half", 1)
	src = strings.Replace(src, "rounds: 10", "rounds: 0", 1)
	src = strings.Replace(src, "value: FTE", "value: FTEX", 1)
	_, err := Parse("my.yaml", []byte(src))
	all := faults(err)
	require.Len(t, all, 3, "each once, though a header row is in every telegram: %v", err)
	require.Equal(t, []string{"header[1].value", "files.packing", "files.rounds"},
		[]string{all[0].Args["path"], all[1].Args["path"], all[2].Args["path"]}, "in the order of the file")
}

func TestNotAProfile(t *testing.T) {
	for _, src := range []string{"", "- a\n- b\n", "just text", "profile: a\n---\nprofile: b\n", "{", "profile: [1]\n", "a: &a [*a]\n"} {
		_, err := Parse("my.yaml", []byte(src))
		require.Error(t, err, "%q", src)
		require.NotEmpty(t, faults(err)[0].Args["line"], "%q", src)
	}
	_, err := Load("nobody")
	require.Equal(t, CodeProfileUnknown, fault.CodeOf(err))
	require.Equal(t, strings.Join(Embedded(), ", "), fault.As(err).Args["known"])
}
