package main

import (
	"context"
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

// walkThrough certifies the counterparty at address and returns what it does
// wrong, by step, and the steps that could not be tried.
func walkThrough(t *testing.T, o certify.Options, address string) (wrong map[string]fault.Code, unseen []string) {
	t.Helper()
	o.Dir = t.TempDir()
	o.Address = address
	steps, err := certify.Walk(t.Context(), o)
	require.NoError(t, err)
	wrong = map[string]fault.Code{}
	for _, s := range steps {
		switch s.Verdict {
		case certify.Wrong:
			wrong[s.Name] = s.Mistake.Code
			t.Logf("%s: %v", s.Name, s.Mistake)
			for _, said := range s.Telegram {
				t.Log("  " + saidLine(said))
			}
		case certify.Unseen:
			unseen = append(unseen, s.Name)
		}
	}
	return wrong, unseen
}

// Our own server keeps to the documents in every step.
func TestCertifyOurselves(t *testing.T) {
	for _, test := range []struct {
		profile, name string
		unseen        []string
	}{
		{"cms", "E${n:7}", []string{"loss-unchecked", "cut", "fetch-unchecked"}},
		{"edi", "C${n:2}.20261122.001", []string{"loss-unchecked", "resume", "wrong-password", "cancel", "fetch-unchecked"}},
		{"kca", "E${n:7}", []string{"loss", "resume", "inquiry", "cancel", "fetch"}},
		{"../../testdata/profiles/mirae.yaml", "E${n:7}", []string{"loss-unchecked", "cut", "inquiry", "cancel", "fetch-unchecked"}}, // blocks of ten, resent one by one
		// What is found stands in another row for each, in codes of its own.
		{"../../testdata/profiles/asks.yaml", "E${n:7}", []string{"loss-unchecked", "cut", "fetch-unchecked"}},
	} {
		t.Run(filepath.Base(test.profile), func(t *testing.T) {
			t.Parallel()
			p, err := loadProfile(test.profile)
			require.NoError(t, err)
			dir, err := filepath.EvalSymlinks(t.TempDir())
			require.NoError(t, err)
			server, err := newThrowaway(dir)
			require.NoError(t, err)
			code := "12345678"[:min(8, max(1, p.Width(protocol.Open, protocol.Institution)))]
			n := instance.Institution{Code: peerCode, Profile: p, Side: protocol.CentreSide, WireCode: code, Self: "VAN", Peer: "CLIENT01", Pause: time.Millisecond}
			if p.Carries(protocol.Open, protocol.SenderName) {
				n.Expect = instance.Credentials{Name: "Honggildong", Password: "123ABC"}
			}
			server.o.Institutions = []instance.Institution{n}
			server.o.Listen = []instance.Listen{{Address: "127.0.0.1:0", Profile: p}}
			for k := range 30 {
				wire := simulatedName(test.name, k+1)
				server.register(wire, peerCode, transfer.Receive)
			}
			for k := range 3 {
				id := simulatedName(map[bool]string{true: "D${n:2}", false: "D${n:7}"}[p.Files.Serial], k+1)
				server.register(id, peerCode, transfer.Send)
				gift := scenario.Scenario{Server: scenario.Server{Sends: []scenario.Gift{{Name: id, Wire: id, Size: 700, Seed: int64(k)}}}}
				_, _, err := gift.Prepare(filepath.Join(dir, "made"+id), true)
				require.NoError(t, err)
				require.NoError(t, server.drop(filepath.Join(dir, "made"+id, "server", id), id+"."+peerCode+"."+throwawayJob))
			}
			require.NoError(t, server.start(t.Context(), ""))
			t.Cleanup(func() { require.NoError(t, server.close()) })
			require.NoError(t, server.stored(t.Context(), 3))
			wrong, unseen := walkThrough(t, certify.Options{
				Peer: simulator.Options{Profile: p, Side: protocol.InstitutionSide, Institution: code, Self: "CLIENT01", Peer: "VAN",
					SenderName: "Honggildong", Password: "123ABC", Reply: time.Minute},
				Name: func(n int) string { return scenario.FileName(test.name, n, time.Now()) }, Wrong: wrongName(p), Give: true, Fetch: true,
			}, server.in.Addresses()[0])
			require.Empty(t, wrong)
			require.Equal(t, test.unseen, unseen)
		})
	}
}

// simulatedName is the name on the wire of the nth file.
func simulatedName(pattern string, n int) string {
	name := scenario.FileName(pattern, n, time.Now())
	for i := range name {
		if name[i] == '.' {
			return name[:i]
		}
	}
	return name
}

// A counterparty that makes mistakes is told exactly those.
func TestCertifyFindsMistakes(t *testing.T) {
	s, err := scenario.Load("../../testdata/certify/wrong.yaml", scenario.Options{Today: time.Now().In(koreaZone())})
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	dir := t.TempDir()
	_, _, err = s.Prepare(dir, false)
	require.NoError(t, err)
	s.Expect.Taken = 1000 // it goes on until it is stopped
	ctx, stop := context.WithCancel(t.Context())
	played := make(chan error, 1)
	go func() {
		_, err := s.Run(ctx, scenario.Run{Listener: l, Dir: dir})
		played <- err
	}()
	wrong, _ := walkThrough(t, certify.Options{
		Peer: simulator.Options{Profile: s.Profile, Side: protocol.InstitutionSide, Institution: "12345678",
			SenderName: "Honggildong", Password: "123ABC", Reply: 3 * time.Second},
		Name: func(n int) string { return scenario.FileName("E${n:7}", n, time.Now()) }, Wrong: "ZZZZ9999", Give: true,
	}, l.Addr().String())
	stop()
	require.NoError(t, <-played)
	require.Equal(t, map[string]fault.Code{
		"loss": certify.CodeMap, "resume": certify.CodeHeld, "second-file": certify.CodeNoAnswer, "wrong-size": certify.CodeAccepted,
		"inquiry": certify.CodeFound, "cancel": certify.CodeFound,
		"wrong-name": certify.CodeAccepted, "wrong-password": certify.CodeAccepted, // it has no list of files and asks for no password
	}, wrong)
}
