package protocol

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Who calls, who opens and who closes are said apart, each by the way files go;
// what is not said is as it was before the keys were.
func TestTurns(t *testing.T) {
	const i, c = InstitutionSide, CentreSide
	for _, test := range []struct {
		said                        string
		opens, closes               [2]Side // upload, download
		instCalls, centreCalls      [2]bool
		instOpensIn, centreOpensIn  bool    // calling
		instOpensFor, centreOpenFor [2]bool // called
	}{
		{"", [2]Side{i, i}, [2]Side{i, c}, [2]bool{true, true}, [2]bool{}, true, false, [2]bool{}, [2]bool{}},
		{"opens: sender", [2]Side{i, c}, [2]Side{i, c}, [2]bool{true, true}, [2]bool{true, true}, true, true, [2]bool{true, false}, [2]bool{false, true}},
		{"opens: receiver, closes: receiver", [2]Side{c, i}, [2]Side{c, i}, [2]bool{true, true}, [2]bool{true, true}, true, true, [2]bool{false, true}, [2]bool{true, false}},
		{"opens: centre, connects: institution, closes: institution", [2]Side{c, c}, [2]Side{i, i}, [2]bool{true, true}, [2]bool{}, false, false, [2]bool{}, [2]bool{true, true}},
		{"opens: centre, closes: centre", [2]Side{c, c}, [2]Side{c, c}, [2]bool{}, [2]bool{true, true}, false, true, [2]bool{}, [2]bool{}},
		{"connects: sender", [2]Side{i, i}, [2]Side{i, c}, [2]bool{true, false}, [2]bool{false, true}, true, false, [2]bool{false, true}, [2]bool{}},
	} {
		t.Run(test.said, func(t *testing.T) {
			p, err := Parse("t.yaml", []byte("profile: t\nextends: cms\nsession: {"+test.said+"}\n"))
			require.NoError(t, err)
			s := &p.Session
			for way, download := range []bool{false, true} {
				require.Equal(t, test.opens[way], s.Opens.Of(download))
				require.Equal(t, test.closes[way], s.Closes.Of(download))
				require.Equal(t, test.instCalls[way], s.MayCall(i, download))
				require.Equal(t, test.centreCalls[way], s.MayCall(c, download))
				require.Equal(t, test.instOpensFor[way], s.OpensCalled(i, download))
				require.Equal(t, test.centreOpenFor[way], s.OpensCalled(c, download))
				opening := Telegram{Kind: Open}
				opening.Set(Direction, map[bool][]byte{false: p.Letters.Upload, true: p.Letters.Download}[download])
				said, by := p.Opened(&opening, i)
				require.Equal(t, download, said)
				require.Equal(t, test.opens[way], by)
			}
			require.Equal(t, test.instOpensIn, s.OpensCalling(i))
			require.Equal(t, test.centreOpensIn, s.OpensCalling(c))
		})
	}
}
