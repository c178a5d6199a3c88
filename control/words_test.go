package control

import (
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/catalog"
	"pabal/store"
	"pabal/transfer"
)

// TestKeptWordsAreSaidAnew: what rows keep in English, those of before too, is
// said in the language of who looks.
func TestKeptWordsAreSaidAnew(t *testing.T) {
	for lang, want := range map[catalog.Lang][]string{
		catalog.EN: {"order and totals of the trailer", "parts in order, 120 records, 7200 bytes", "3 with gaps", "version 1 was never decided", "version 2 was never decided"},
		catalog.KO: {"구성 순서와 트레일러 합계", "구성 순서 정상, 레코드 120건, 7200바이트", "3(결번 있음)", "버전 1이 결정되지 않은 채 남아 있었음", "버전 2가 결정되지 않은 채 남아 있었음"},
	} {
		d := newDesk(t, lang)
		proofs := d.c.proofs(transfer.ProofsText([]transfer.Proof{
			{Name: transfer.ProofTrailerTotals, Expected: "parts in order, 120 records, 7200 bytes", Actual: transfer.InOrder(120, 7200)},
			{Name: transfer.ProofBlocks, Expected: "4", Actual: "3 with gaps"},
		}))
		require.Equal(t, want[:3], []string{proofs[0].Text, proofs[0].ExpectedText, proofs[1].ActualText})
		require.Equal(t, proofs[0].ExpectedText, proofs[0].ActualText)
		require.Equal(t, "4", proofs[1].ExpectedText)

		for _, reason := range []string{"", "version 2 was never decided"} { // as it is written now, and as it was
			number, err := d.s.Propose(t.Context(), now, store.ConfigVersion{Document: "a: 1", Digest: "d"})
			require.NoError(t, err)
			audit := operator.Command(abandon)
			audit.Reason = reason
			require.NoError(t, d.s.DecideVersion(t.Context(), now, store.Decision{Number: number, Audit: audit}))
		}
		list, err := d.c.Audit(t.Context(), store.CommandFilter{})
		require.NoError(t, err)
		require.Len(t, list, 2)
		require.ElementsMatch(t, want[3:], []string{list[0].Reason, list[1].Reason})
	}
}
