package simulator

import (
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/protocol/machine"
	"pabal/protocol/protocoltest"
)

func TestSelfPlay(t *testing.T) {
	strangers := []string{"../strangers/hankang", "../strangers/nara"} // that the table of the server's tests cannot set up
	for _, name := range append(append(protocol.Embedded(), protocoltest.Names(t)...), strangers...) {
		t.Run(name, func(t *testing.T) {
			var parts []Played
			require.NoError(t, SelfPlay(t.Context(), profile(t, name), t.TempDir(), func(p Played) { parts = append(parts, p) }))
			require.Len(t, parts, 6)
			for _, p := range parts {
				require.NoError(t, p.Err, "%+v", p)
				require.Equal(t, 4, p.Files)
			}
		})
	}
}

// A profile that loads and cannot work: its sides do not tell each other of
// what is missing.
func TestSelfPlayTells(t *testing.T) {
	p, err := protocol.Parse("deaf.yaml", []byte("profile: deaf\nextends: cms\nletters: {held: \"0\", missing: \"1\"}\nfiles: {rounds: 1}\nbodies:\n  check-reply:\n    map: {value: \"hex:30\", width: \"1\"}\n"))
	require.NoError(t, err)
	failed := 0
	require.NoError(t, SelfPlay(t.Context(), p, t.TempDir(), func(p Played) {
		if p.Err != nil {
			failed++
		}
	}))
	require.NotZero(t, failed)
}

// A part that goes wrong has the error of the side that knows more, and what was
// last on its line when it happened, without secrets.
func TestSelfPlayLaments(t *testing.T) {
	play := func(changes string) (out []Played) {
		p, err := protocol.Parse("a.yaml", []byte("profile: a\nextends: cms\n"+changes))
		require.NoError(t, err)
		require.NoError(t, SelfPlay(t.Context(), p, t.TempDir(), func(p Played) { out = append(out, p) }))
		return out
	}
	for _, pl := range play("") {
		require.Empty(t, pl.Laments)
	}

	all := play("bodies:\n  info:\n    name: {field: ours, expr: 'name + \"-\"', width: 7}\n")
	require.Equal(t, CodePlay, fault.CodeOf(all[0].Err))
	giver := all[0].Laments[0]
	require.Equal(t, protocol.InstitutionSide, giver.Side)
	require.Equal(t, protocol.CodeDoesNotFit, fault.CodeOf(giver.Err))
	require.Equal(t, []protocol.Kind{protocol.Open, protocol.OpenReply}, kinds(giver.Last), "what came before the announcement, not the closing after it")
	require.True(t, giver.Last[0].Sent)
	require.False(t, giver.Last[1].Sent)
	for _, row := range giver.Last[0].Rows {
		require.Equal(t, row.Field == "sender_password", row.Hidden, row.Field)
		require.NotContains(t, row.Value, "PABAL1")
	}
	require.Equal(t, protocol.CentreSide, all[1].Laments[0].Side, "the other way the other side gives")

	// Who is told that bytes are held which never travelled is the first to know.
	all = play(`bodies:
  answer:
    - {title: name, field: name, type: AN, width: 8}
    - {title: held, field: size, type: N, width: 12, value: "000000000005"}
    - {title: N, field: message_size, type: N, width: 4}
telegrams: {info-reply: {body: answer}}
`)
	require.Len(t, all, 2, "what fails on a clean line is not tried on a worse one")
	giver = all[0].Laments[0]
	require.Equal(t, machine.CodeResumeForeign, fault.CodeOf(giver.Err), "%v", giver.Err)
	require.Equal(t, protocol.InfoReply, giver.Last[len(giver.Last)-1].Kind)
}

func kinds(all []Heard) (out []protocol.Kind) {
	for _, h := range all {
		out = append(out, h.Kind)
	}
	return out
}
