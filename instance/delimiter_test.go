package instance

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/transfer"
)

// Wherever a piece ends the delimiter is found where it begins.
func TestDelimiterSearch(t *testing.T) {
	t.Parallel()
	for _, delimiter := range []string{"", "x", "xy", "xyz", "xyxyz"} {
		file := []byte("xyaxxyaxyxaxyzbxyxyxyzc")
		want := bytes.Index(file, []byte(delimiter))
		for size := 1; size <= len(file); size++ {
			d := delimiterSearch{delimiter: []byte(delimiter)}
			at, found := int64(-1), false
			for rest := file; len(rest) > 0 && !found; rest = rest[min(size, len(rest)):] {
				at, found = d.in(rest[:min(size, len(rest))])
			}
			require.Equal(t, delimiter != "" && want >= 0, found, "%q in pieces of %d", delimiter, size)
			if found {
				require.EqualValues(t, want, at, "%q in pieces of %d", delimiter, size)
			}
		}
	}
}

// A file with the delimiter in it is refused before anything is sent, also
// where it stands across two blocks; the next file goes.
func TestDelimiterInAFile(t *testing.T) {
	t.Parallel()
	onBoth(t, testDelimiterInAFile)
}

func testDelimiterInAFile(t *testing.T, on engine) {
	p := newPair(t, on, "hyundai", []file{rawForm("TR01")}, nil, nil)
	block := 2000 * 100
	bad := bytes.Repeat([]byte("a"), block+10)
	copy(bad[block-1:], "\xff\xef")
	p.institution.drop("TR01.CENTRE.JOB.20261101", bad)
	refused := p.institution.await(transfer.Send, transfer.Refused, 1)[0]
	require.Equal(t, string(CodeDelimiter), refused.ErrorCode)
	require.Contains(t, refused.ErrorDetail, "199999")

	good := bytes.Repeat([]byte("\xef\xff"), block)
	good = bytes.ReplaceAll(good, []byte("\xff\xef"), []byte("\xff\xff"))
	p.institution.drop("TR01.CENTRE.JOB.20261102", good)
	p.institution.await(transfer.Send, transfer.Sent, 1)
	got := p.centre.await(transfer.Receive, transfer.Assembled, 1)[0]
	b, err := os.ReadFile(got.FinalPath)
	require.NoError(t, err)
	require.Equal(t, sum(good), sum(b))
}
