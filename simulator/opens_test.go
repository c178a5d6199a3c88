package simulator

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/protocol"
)

// Where the sender opens, a peer that is called waits for its caller to, or
// opens itself where callers come to fetch.
func TestSenderOpensServeAndCall(t *testing.T) {
	for _, fetch := range []bool{false, true} {
		for _, called := range []protocol.Side{protocol.CentreSide, protocol.InstitutionSide} {
			name := map[bool]string{false: "caller gives to ", true: "caller fetches from "}[fetch] + called.String()
			t.Run(name, func(t *testing.T) {
				p := profile(t, "citi")
				one := Options{Profile: p, Side: called.Other(), Institution: "CITIBANK", SenderName: "A", Password: "B"}
				other := one
				other.Side, other.CallersFetch = called, fetch
				from, to := &one, &other
				if fetch {
					from, to = to, from
				}
				from.GiveDir, to.TakeDir = filepath.Join(t.TempDir(), "give"), filepath.Join(t.TempDir(), "take")
				caller, err := New(one)
				require.NoError(t, err)
				callee, err := New(other)
				require.NoError(t, err)
				require.NoError(t, os.WriteFile(filepath.Join(from.GiveDir, "TR01"), []byte("some records"), 0o600))
				ln, err := net.Listen("tcp", "127.0.0.1:0")
				require.NoError(t, err)
				ctx, stop := context.WithCancel(t.Context())
				served := make(chan error, 1)
				go func() { served <- callee.Serve(ctx, ln) }()
				report, err := caller.Call(t.Context(), ln.Addr().String(), fetch)
				require.NoError(t, err)
				require.Equal(t, 1, report.Files)
				stop()
				require.NoError(t, <-served)
				got, err := os.ReadFile(filepath.Join(to.TakeDir, "TR01"))
				require.NoError(t, err)
				require.Equal(t, "some records", string(got))
			})
		}
	}
}
