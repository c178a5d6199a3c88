package instance

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/transfer"
)

// TestReconfigureInTheMiddleOfASession: the session that is open goes on with
// the options that it began with, the next has the new ones, and nobody who
// calls in between is turned away.
func TestReconfigureInTheMiddleOfASession(t *testing.T) {
	t.Parallel()
	h := centreOf(t, sqlite, func(o *Options) { o.Institutions[0].ReceiveSessions = 2 })
	now := time.Now().In(h.opt.Zone)
	addresses := h.inst.Addresses()
	old := h.dial(t)
	old.say(opening(now, "12345678", "FTE", "Honggildong", "123ABC"))
	require.Equal(t, "000", old.hear()[29:32])
	waiting := h.dial(t) // connected, and has said nothing yet

	next := h.opt
	next.Institutions = append([]Institution(nil), h.opt.Institutions...)
	next.Institutions[0].Expect = Credentials{Name: "Honggildong", Password: "NEWPWD"}
	next.Institutions[0].ReceiveSessions = 4
	require.NoError(t, h.inst.Reconfigure(t.Context(), next))
	require.Equal(t, addresses, h.inst.Addresses(), "the listener stays")

	// A connection is judged by the options of the moment when it says who it is.
	waiting.say(opening(now, "12345678", "FTE", "Honggildong", "123ABC"))
	require.Equal(t, "320", waiting.hear()[29:32])

	refused := h.dial(t)
	refused.say(opening(now, "12345678", "FTE", "Honggildong", "123ABC"))
	require.Equal(t, "320", refused.hear()[29:32], "the old password is over")
	for range 2 {
		fresh := h.dial(t)
		fresh.say(opening(now, "12345678", "FTE", "Honggildong", "NEWPWD"))
		require.Equal(t, "000", fresh.hear()[29:32])
	}

	// With the former limit of two sessions, the first would have been cut.
	closing := opening(now, "12345678", "FTE", "Honggildong", "123ABC")
	old.say(closing[:42] + "004" + closing[45:])
	answer := old.hear()
	require.Equal(t, "0610", answer[15:19])
	require.Equal(t, "000", answer[29:32])
	old.ended()
}

// TestReconfigureListeners: what stays is not touched, what is new opens, what
// is gone closes, and an address that cannot be had changes nothing.
func TestReconfigureListeners(t *testing.T) {
	t.Parallel()
	h := centreOf(t, sqlite, nil)
	p, err := protocol.Load("cms")
	require.NoError(t, err)
	first := h.inst.Addresses()[0]
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()

	bad := h.opt
	bad.MaxSessions = 1
	bad.Listen = []Listen{{Address: "127.0.0.1:0", Profile: p}, {Address: "127.0.0.1:0", Profile: p}, {Address: taken.Addr().String(), Profile: p}}
	require.Equal(t, CodeListen, fault.CodeOf(h.inst.Reconfigure(t.Context(), bad)))
	require.Equal(t, []string{first}, h.inst.Addresses())
	require.NotEqual(t, 1, h.inst.lobby.most)

	two := h.opt
	two.Listen = []Listen{{Address: "127.0.0.1:0", Profile: p}, {Address: "127.0.0.1:0", Profile: p}}
	require.NoError(t, h.inst.Reconfigure(t.Context(), two))
	require.Len(t, h.inst.Addresses(), 2)
	require.Equal(t, first, h.inst.Addresses()[0])
	second := h.inst.Addresses()[1]
	for _, address := range []string{first, second} {
		c, err := net.Dial("tcp", address)
		require.NoError(t, err)
		require.NoError(t, c.Close())
	}

	none := h.opt
	none.Listen = nil
	require.NoError(t, h.inst.Reconfigure(t.Context(), none))
	require.Empty(t, h.inst.Addresses())
	for _, address := range []string{first, second} {
		_, err := net.Dial("tcp", address)
		require.Error(t, err)
	}

	elsewhere := h.opt
	elsewhere.Dirs.Scan = t.TempDir()
	require.Equal(t, CodeFixed, fault.CodeOf(h.inst.Reconfigure(t.Context(), elsewhere)))
}

// TestReconfigureScan: a registration that comes with a version is known to
// the next look, and who does not scan any more leaves files alone.
func TestReconfigureScan(t *testing.T) {
	t.Parallel()
	p := newPair(t, sqlite, "cms", []file{rawForm("EB21"), rawForm("EB13")}, nil, nil)
	h := p.institution
	all := h.opt
	few := h.opt
	few.Files = few.Files[:1]
	require.NoError(t, h.inst.Reconfigure(t.Context(), few))
	h.drop("EB13.CENTRE.JOB.20261101", content(10))
	h.await(transfer.Send, transfer.Refused, 1)

	late := h.inst.current()
	require.NoError(t, h.inst.Reconfigure(t.Context(), all))
	h.drop("EB13.CENTRE.JOB.20261102", content(10))
	// A look that began before does not decide about what came after.
	again, err := (&scan{}).with(t.Context(), late).step(t.Context())
	require.NoError(t, err)
	require.True(t, again)
	_, err = late.storeStep(t.Context())
	require.NoError(t, err)
	h.await(transfer.Send, transfer.Sent, 1)

	still := all
	still.Scans = false
	require.NoError(t, h.inst.Reconfigure(t.Context(), still))
	h.drop("EB21.CENTRE.JOB.20261103", content(10))
	_, err = (&scan{}).with(t.Context(), h.inst.current()).step(t.Context())
	require.NoError(t, err)
	require.FileExists(t, h.path("scan", "EB21.CENTRE.JOB.20261103"))
	require.NoError(t, h.inst.Reconfigure(t.Context(), all))
	h.await(transfer.Send, transfer.Sent, 2)
}

// TestCarryOver: the sessions of a counterparty are counted over both
// versions, and one that is to be called elsewhere is called at once.
func TestCarryOver(t *testing.T) {
	t.Parallel()
	h := centreOf(t, sqlite, func(o *Options) { o.Institutions[0].RetryFirst, o.Institutions[0].RetryMax = time.Hour, time.Hour })
	n := h.inst.insts["MEMBER"]
	take := func(g *Instance) bool {
		t.Helper()
		s, err := g.newCall(t.Context(), h.inst.present.Load(), g.insts["MEMBER"], transfer.Send)
		require.NoError(t, err)
		if s != nil {
			t.Cleanup(func() { s.cut(nil) })
		}
		return s != nil
	}
	require.True(t, take(h.inst))
	n.dialed(time.Now(), fault.New(CodeConnect, "x"))

	require.NoError(t, h.inst.Reconfigure(t.Context(), h.opt))
	same := h.inst.current().insts["MEMBER"]
	require.NotSame(t, n, same)
	require.False(t, take(h.inst.current()), "the place is taken by a session of the former version")
	require.True(t, same.dialLater(time.Now()))

	next := h.opt
	next.Institutions = append([]Institution(nil), h.opt.Institutions...)
	next.Institutions[0].SendSessions = 2
	next.Institutions[0].Connect = "127.0.0.1:1"
	require.NoError(t, h.inst.Reconfigure(t.Context(), next))
	moved := h.inst.current().insts["MEMBER"]
	require.False(t, moved.dialLater(time.Now()))
	require.True(t, take(h.inst.current()))
	require.False(t, take(h.inst.current()))
}
