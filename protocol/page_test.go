package protocol

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite the pages in docs/protocols")

// docs/protocols has a page per profile, made from what was compiled.
func TestPages(t *testing.T) {
	for _, name := range Embedded() {
		for lang, suffix := range map[string]string{"en": ".md", "ko": ".ko.md"} {
			file := filepath.Join("..", "docs", "protocols", name+suffix)
			got := profile(t, name).Page(lang)
			if *update {
				require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
				require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, string(want), got, "the profile has changed: go test ./protocol -update")
		}
	}
}

// Offsets of the page against the tables of protocols §1.1, §1.3 and §3.
func TestPageOffsets(t *testing.T) {
	cms, edi := profile(t, "cms").Page("en"), profile(t, "edi").Page("en")
	for _, row := range []string{
		"| 8 | 29 | 3 | N | 응답코드 | `response` |  |",
		"| 2 | 4 | 3 | AN | 업무구분코드 | `business` | `FTE` |",
		"| 12 | 51 | 3 | AN | 조회결과코드 | `result` |  |",
		"| 11 | 48 | 3 | AN | 결과코드 | `result` |  |",
		"| info | `0630` |  | 파일정보 수신요구 | 56 |",
		"| data | `0320` |  | DATA 송신 | 43+n |",
		"| check-reply | `0300` |  | 결번확인 통보 | 42+n |",
	} {
		require.Contains(t, cms, row+"\n")
	}
	for _, row := range []string{
		"| 21 | 90 | 4 | N | 데이터필드 사이즈 | `data_length` |  |",
		"| 17 | 77 | 10 | N | 총 크기 | `size` |  |",
		"| 25 | 100 | n, at most 3200 | B | 데이터 | `data` |  |",
		"| check-reply | `0420100` |  | 결번확인 응답 | 200 |",
	} {
		require.Contains(t, edi, row+"\n")
	}
	require.False(t, strings.Contains(cms, "%!"))
	require.False(t, strings.Contains(profile(t, "edi").Page("ko"), "%!"))
}
