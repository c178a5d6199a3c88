package instance

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
	"pabal/internal/secure"
	"pabal/internal/secure/securetest"
	"pabal/protocol"
	"pabal/simulator"
	"pabal/transfer"
)

// TestSimulatorOverTLS: the simulated counterparty in both roles and both
// directions, with certificates on both sides.
func TestSimulatorOverTLS(t *testing.T) {
	t.Parallel()
	m := newMutual(t)
	with := func(p securetest.Pair) secure.Files { p.CA = m.ca.File; return p.Files }
	peer := func(side protocol.Side, tune func(*simulator.Options)) (p *simulator.Peer, give, take string) {
		cms, err := protocol.Load("cms")
		require.NoError(t, err)
		give, take = t.TempDir(), t.TempDir()
		o := simulator.Options{Profile: cms, Side: side, Institution: "12345678", SenderName: "Honggildong", Password: "123ABC", GiveDir: give, TakeDir: take}
		tune(&o)
		p, err = simulator.New(o)
		require.NoError(t, err)
		return p, give, take
	}
	name := func(h *host, id string) string { return id + time.Now().In(h.opt.Zone).Format("0102") }
	up, down := content(70_000), content(50_000)

	t.Run("it is called", func(t *testing.T) {
		centre, give, take := peer(protocol.CentreSide, func(o *simulator.Options) { o.Secure = &secure.Server{Files: with(m.server)} })
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		ctx, stop := context.WithCancel(context.Background())
		served := make(chan error, 1)
		go func() { served <- centre.Serve(ctx, ln) }()
		t.Cleanup(func() { stop(); require.NoError(t, <-served) })
		h := newHost(t, sqlite, "cms", "institution", []file{rawForm("EB21")}, []file{rawForm("EB22")})
		n := &h.opt.Institutions[0]
		n.Connect, n.TLS = ln.Addr().String(), &secure.Client{Files: with(m.client)}
		n.Windows = []Window{{From: 0, To: 24 * time.Hour, Every: 50 * time.Millisecond}}
		require.NoError(t, os.WriteFile(filepath.Join(give, name(h, "EB22")), down, 0o600))
		h.start()
		h.drop("EB21."+n.Code+".JOB", up)
		h.await(transfer.Send, transfer.Sent, 1)
		require.True(t, bytes.Equal(up, mustRead(t, filepath.Join(take, name(h, "EB21")))))
		got := h.await(transfer.Receive, transfer.Assembled, 1)[0]
		require.True(t, bytes.Equal(down, mustRead(t, got.FinalPath)))
	})
	t.Run("it calls", func(t *testing.T) {
		h := newHost(t, sqlite, "cms", "centre", []file{rawForm("EB21")}, []file{rawForm("EB22")})
		h.opt.Listen[0].Address = "127.0.0.1:0"
		h.opt.Listen[0].TLS = &secure.Server{Files: with(m.server)}
		n := &h.opt.Institutions[0]
		n.Caller = Caller{Fingerprints: []string{m.client.Fingerprint}}
		h.start()
		stranger, _, _ := peer(protocol.InstitutionSide, func(o *simulator.Options) { o.TLS = &secure.Client{Files: secure.Files{CA: m.other.File}} })
		_, err := stranger.Call(t.Context(), h.inst.Addresses()[0], false)
		require.Equal(t, secure.CodeUnknownCA, fault.CodeOf(err))
		p, give, take := peer(protocol.InstitutionSide, func(o *simulator.Options) { o.TLS = &secure.Client{Files: with(m.client)} })
		require.NoError(t, os.WriteFile(filepath.Join(give, name(h, "EB21")), up, 0o600))
		_, err = p.Call(t.Context(), h.inst.Addresses()[0], false)
		require.NoError(t, err)
		got := h.await(transfer.Receive, transfer.Assembled, 1)[0]
		require.True(t, bytes.Equal(up, mustRead(t, got.FinalPath)))
		h.drop("EB22."+n.Code+".JOB", down)
		h.await(transfer.Send, transfer.Stored, 1)
		_, err = p.Call(t.Context(), h.inst.Addresses()[0], true)
		require.NoError(t, err)
		h.await(transfer.Send, transfer.Sent, 1)
		require.True(t, bytes.Equal(down, mustRead(t, filepath.Join(take, name(h, "EB22")))))
	})
}

// TestReconfigureSecurity: TLS, lists and limits of another configuration count
// from the next connection on; files that cannot be read leave all as it was.
func TestReconfigureSecurity(t *testing.T) {
	t.Parallel()
	m := newMutual(t)
	h := centreOf(t, sqlite, nil)
	h.opened(t) // in clear
	next := h.opt
	next.Listen = []Listen{{Address: h.opt.Listen[0].Address, Profile: h.opt.Listen[0].Profile,
		TLS: &secure.Server{Files: secure.Files{Certificate: filepath.Join(m.dir, "none.pem"), Key: m.server.Key}}}}
	err := h.inst.Reconfigure(t.Context(), next)
	require.Equal(t, secure.CodeCannotRead, fault.CodeOf(err))
	h.opened(t)

	files := m.server.Files
	files.CA = m.ca.File
	next.Listen[0].TLS = &secure.Server{Files: files}
	next.Institutions[0].Caller = Caller{Names: []string{"institution"}}
	require.NoError(t, h.inst.Reconfigure(t.Context(), next))
	w := h.callTLS(t, m, &m.client)
	w.say(opening(time.Now().In(h.opt.Zone), "12345678", "FTE", "Honggildong", "123ABC"))
	require.Equal(t, "000", w.hear()[29:32])
	require.Eventually(t, func() bool {
		told, err := h.store.LineState(t.Context(), h.opt.ID)
		require.NoError(t, err)
		return len(told.Certificates) == 2
	}, time.Minute, 10*time.Millisecond)
}
