package control

import (
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/catalog"
	"pabal/store"
	"pabal/transfer"
)

// TestTroublesAreShown: what an instance cannot write stands in status and in
// show, with names, since when, why, and what to do, in both languages.
func TestTroublesAreShown(t *testing.T) {
	for lang, want := range map[catalog.Lang][2]string{
		catalog.EN: {"The backup of this file cannot be written. There is no space left for /b/EB21", "leave that as it is"},
		catalog.KO: {"백업 파일을 만들지 못하고 있습니다. 디스크 공간이 부족하여 /b/EB21", "작업 디렉토리"},
	} {
		d := newDesk(t, lang)
		made := d.create(transfer.Transfer{Direction: transfer.Send, Status: transfer.Sent, Institution: "KFTC", Name: "EB21", Place: "host1", WorkPath: "/w/EB21"})
		other := d.create(transfer.Transfer{Direction: transfer.Send, Status: transfer.Sent, Institution: "KFTC", Name: "EB22", Place: "host1"})
		require.NoError(t, d.s.SetLineState(t.Context(), "instance_A", d.term, store.LineState{Since: now, Troubles: []store.Trouble{{
			Stage: store.TroubleBackup, Code: "file.disk_full", Count: 300,
			Files: []store.TroubledFile{{ID: made.ID, Since: now, Detail: `{"subject":"/b/EB21"}`}}}}}))
		s, err := d.c.Status(t.Context(), now)
		require.NoError(t, err)
		require.Len(t, s.Troubles, 1)
		got := s.Troubles[0]
		require.Equal(t, 300, got.Transfers)
		require.Equal(t, []TroubledFile{{made.ID, "EB21"}}, got.Files)
		require.Equal(t, now, got.Since)
		require.Equal(t, "host1", got.Place)
		show, err := d.c.Show(t.Context(), made.ID)
		require.NoError(t, err)
		require.Len(t, show.Troubles, 1)
		require.Equal(t, now, show.Troubles[0].Since)
		for _, f := range []Failure{got.Failure, show.Troubles[0].Failure} {
			require.Equal(t, "file.disk_full", f.Code)
			require.Contains(t, f.Sentence, want[0])
			require.Contains(t, f.Next, want[1])
		}
		show, err = d.c.Show(t.Context(), other.ID)
		require.NoError(t, err)
		require.Empty(t, show.Troubles)
	}
}
