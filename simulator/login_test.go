package simulator

import (
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/protocol"
	"pabal/protocol/machine"
)

// The request of hankang's login says who asks, and only the answer has a
// password: it is the one who answers that shows who it is.
func TestLoginProvesWhoAnswers(t *testing.T) {
	for _, c := range []struct {
		shown string
		fails bool
	}{{"RIGHT001", false}, {"WRONG001", true}, {"", true}} {
		p := profile(t, "../strangers/hankang")
		common := Options{Profile: p, Institution: "ACQ0000001", SenderName: "USER", GiveDir: t.TempDir(), Record: 100, Packing: "filled"}
		inst, centre := common, common
		inst.Side, centre.Side = protocol.InstitutionSide, protocol.CentreSide
		inst.Login = &machine.Login{Name: "HKID", Password: c.shown}
		centre.Login = &machine.Login{Name: "HKCENTRE"}
		centre.GiveDir = t.TempDir()
		centre.Expect.Login = &machine.Login{Name: "HKID", Password: "RIGHT001"}
		called, err := New(inst)
		require.NoError(t, err)
		caller, err := New(centre)
		require.NoError(t, err)
		here, there, err := connection(t.Context())
		require.NoError(t, err)
		answered := make(chan error, 1)
		go func() {
			_, err := called.Answer(t.Context(), there, false)
			answered <- err
		}()
		_, err = caller.Session(t.Context(), here, false)
		if <-answered; c.fails {
			require.Error(t, err, "%q was taken for its password", c.shown)
			continue
		}
		require.NoError(t, err)
	}
}
