package mask_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"pabal/internal/mask"
)

func TestField(t *testing.T) {
	for _, test := range []struct {
		kind     mask.Type
		in, want string
	}{
		{mask.Account, "110123456789", "********6789"},
		{mask.Account, "110-123-456789  ", "***-***-**6789  "},
		{mask.Account, "1234567", "*******"},
		{mask.Account, "ACCT12345678", "********5678"},
		{mask.Card, "9410123456781234", "941012******1234"},
		{mask.Card, "9410-1234-5678-1234", "9410-12**-****-1234"},
		{mask.Card, "941012345678", "********5678"},
		{mask.Resident, "9001011234567", "900101*******"},
		{mask.Resident, "900101-1234567", "900101-*******"},
		{mask.Resident, "1234567890", "**********"}, // 사업자등록번호 in its place
		{mask.Name, "홍길동    ", "홍*동    "},
		{mask.Name, "이산", "이*"},
		{mask.Name, "이", "*"},
		{mask.Name, "남궁민수", "남**수"},
		{mask.Name, " HONG GILDONG ", " H*** ******G "},
		{mask.Name, "", ""},
		{mask.Name, "    ", "    "},
		{mask.Name, "1101234", "*******"},
		{mask.Phone, "01012345678", "010****5678"},
		{mask.Phone, "010-1234-5678", "010-****-5678"},
		{mask.Phone, "0212345678", "02****5678"},
		{mask.Phone, "12345678", "********"},
		{mask.Amount, "0000001234500", "000000*******"},
		{mask.Amount, "-0012", "-00**"},
		{mask.Code, "D088", "D088"},
		{mask.Text, "R1 김-철수", "x9 가-가가"},
		{"new", "123", "999"},
	} {
		require.Equal(t, test.want, mask.Field(test.kind, test.in), "%s %q", test.kind, test.in)
	}
}

// TestNothingLongShows: whatever stands in a field, no type but code shows more
// digits in a row, or in all, than its rule says, and its length stays.
func TestNothingLongShows(t *testing.T) {
	most := map[mask.Type]int{mask.Account: 4, mask.Card: 10, mask.Resident: 6, mask.Name: 0, mask.Phone: 7, mask.Text: 1 << 20}
	rapid.Check(t, func(r *rapid.T) {
		text := rapid.StringOf(rapid.OneOf(rapid.RuneFrom([]rune("0123456789")), rapid.RuneFrom([]rune("0123456789 -AZaz가힣.\u0661\x00")))).Draw(r, "text")
		for kind, n := range most {
			got := mask.Field(kind, text)
			require.Equal(r, utf8.RuneCountInString(text), utf8.RuneCountInString(got), "%s", kind)
			digits := 0
			for _, c := range got {
				if unicode.IsDigit(c) {
					digits++
				}
			}
			require.LessOrEqual(r, digits, n, "%s %q", kind, got)
		}
		require.Empty(r, strings.Trim(mask.Shape(text), "9x가-? "))
	})
}
