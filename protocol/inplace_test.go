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
