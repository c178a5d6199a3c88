package protocol

import "testing"

// A row that nobody would write is told, instead of travelling as zeros.
func TestRowsNobodyWrites(t *testing.T) {
	mistakes(t, "mirae", []broken{
		{"the agreed size in the opening", `type: N, width: 4, value: "1000"}`, "field: message_size, type: N, width: 4}", "", CodeProfileField, "bodies.login[2].field", "only info and their answers have it"},
		{"records where there are no parts", "{title: 크기, field: size, type: N, width: 10}\ntelegrams:", "{title: 건수, field: records, type: N, width: 10}\ntelegrams:", "{title: 건수", CodeProfileField, "bodies.end[0].field", "only the rows of parts"},
		{"a password of nobody", "    - {title: 사용자, field: sender_name, type: AN, width: 12}\n", "", "  open: {", CodeProfileMissing, "telegrams.open", "beside sender_password"},
	})
}

// A profile without a row that a conversation cannot do without is told so,
// instead of going wrong in silence.
func TestRowsNeeded(t *testing.T) {
	response := "  - {title: 응답, field: response, type: AN, width: 2}\n"
	mistakes(t, "mirae", []broken{
		{"an end that cannot be refused", response, "", "  end-reply: {", CodeProfileMissing, "telegrams.end-reply", "would read as yes"},
		{"an opening of nobody", "  - {title: 회원, field: institution, type: AN, width: 6}\n", "", "  open: {", CodeProfileMissing, "telegrams.open", "who opens"},
		{"an opening without its letter", "  - {title: 구분, field: direction, type: A, width: 1}\n", "", "  open: {", CodeProfileMissing, "telegrams.open", "which way files go"},
		{"a file without a name", "  - {title: 파일명, field: name, type: AN, width: 12}\n", "", "  info: {", CodeProfileMissing, "telegrams.info", "the name of the file"},
		{"a sequence that is mistyped", "{title: 시퀀스, field: sequence, type: N, width: 5}", "{title: 시퀀스, field: seqence, type: N, width: 5}", "  data: {", CodeProfileMissing, "telegrams.data", "the sequence"},
		{"a meaning that no code has", `"90": retry`, `"9": retry`, "meanings:", CodeProfileWidth, "meanings.9", "2 characters"},
	})
	mistakes(t, "onevan", []broken{
		{"a map that has no room", "type: AN, width: 999}", "type: AN, width: 500}", "  map_width: 999", CodeProfileWidth, "files.map_width", "width of the row map"},
	})
}
