package main

import (
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/instance"
	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/simulator"
	"pabal/simulator/certify"
	"pabal/simulator/scenario"
	"pabal/transfer"
)

// A counterparty that calls us is walked through as well: an institution that
// comes to fetch from us as the centre, and a centre that brings files to us as
// the institution.
func TestCertifyWhoCalls(t *testing.T) {
	for _, test := range []struct {
		profile string
		ours    protocol.Side
		unseen  []string
	}{
		{"cms", protocol.CentreSide, []string{"loss-unchecked", "cut", "wrong-password", "inquiry", "cancel"}},
		{"lotte", protocol.InstitutionSide, []string{"fetch-unchecked"}},
	} {
		t.Run(test.profile, func(t *testing.T) {
			t.Parallel()
			p, err := loadProfile(test.profile)
			require.NoError(t, err)
			l, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			t.Cleanup(func() { _ = l.Close() })
			dir, err := filepath.EvalSymlinks(t.TempDir())
			require.NoError(t, err)
			server, err := newThrowaway(dir)
			require.NoError(t, err)
			n := instance.Institution{Code: peerCode, Profile: p, Side: test.ours.Other(), WireCode: "12345678", Pause: time.Millisecond,
				Connect: l.Addr().String(), RetryFirst: 20 * time.Millisecond, RetryMax: 50 * time.Millisecond}
			n.Sender = instance.Credentials{Name: "Honggildong", Password: "123ABC"}
			n.Expect = n.Sender
			give := test.ours == protocol.CentreSide
			name := "E${n:7}"
			if give {
				n.Windows = []instance.Window{{To: 24 * time.Hour, Every: 50 * time.Millisecond}}
				for k := range 30 {
					server.register(simulatedName(name, k+1), peerCode, transfer.Receive)
				}
			}
			server.o.Institutions = []instance.Institution{n}
			if !give {
				const id = "D001"
				server.register(id, peerCode, transfer.Send)
				gift := scenario.Scenario{Server: scenario.Server{Sends: []scenario.Gift{{Name: id, Wire: id, Size: 700}}}}
				_, _, err := gift.Prepare(filepath.Join(dir, "made"), true)
				require.NoError(t, err)
				require.NoError(t, server.drop(filepath.Join(dir, "made", "server", id), id+"."+peerCode+"."+throwawayJob))
			}
			require.NoError(t, server.start(t.Context(), ""))
			t.Cleanup(func() { require.NoError(t, server.close()) })
			wrong, unseen := walkThrough(t, certify.Options{
				Peer: simulator.Options{Profile: p, Side: test.ours, Institution: "12345678",
					SenderName: "Honggildong", Password: "123ABC", Reply: 20 * time.Second},
				Accept: acceptor(l), Wait: 4 * time.Minute, Give: give, Fetch: !give,
				Name:  func(n int) string { return scenario.FileName(name, n, time.Now()) },
				Wrong: wrongName(p),
			}, "")
			require.Empty(t, wrong)
			require.Equal(t, test.unseen, unseen)
		})
	}
}

// Who does not call is not waited for without end: it is told so once, and what
// comes after could not be tried.
func TestCertifyNobodyCalls(t *testing.T) {
	p, err := loadProfile("cms")
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	wrong, unseen := walkThrough(t, certify.Options{
		Peer:   simulator.Options{Profile: p, Side: protocol.CentreSide, Institution: "12345678"},
		Accept: acceptor(l), Wait: 20 * time.Millisecond, Give: true, Fetch: true,
		Name: func(n int) string { return scenario.FileName("E${n:7}", n, time.Now()) }, Wrong: "ZZZZ9999",
	}, "")
	require.Equal(t, map[string]fault.Code{"normal": certify.CodeNoCall}, wrong)
	require.Contains(t, unseen, "fetch")
	require.Len(t, unseen, 19)
}
