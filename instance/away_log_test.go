package instance

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/protocol/sessionlog"
)

// Callers that are not let in have no session, and are found all the same: why,
// from where, and what they said, without the password.
func TestTurnedAwayAreWrittenDown(t *testing.T) {
	t.Parallel()
	h := centreOf(t, sqlite, func(o *Options) {
		o.SessionLog = sessionlog.Options{Dir: o.Dirs.Work + "-said", Level: sessionlog.Headers}
	})
	now := time.Now().In(h.opt.Zone)
	w := h.dial(t)
	w.say(opening(now, "12345678", "FTE", "Honggildong", "WRONG1"))
	require.Equal(t, "320", w.hear()[29:32])
	w.ended()
	for range 20 { // of one reason, a few
		w := h.dial(t)
		w.say("00x7")
		w.ended()
	}
	h.end()
	seen := map[string]int{}
	log := ""
	require.NoError(t, sessionlog.TurnedAway(h.opt.SessionLog.Dir, time.Time{}, func(id string, r *sessionlog.Record) error {
		seen[r.Code]++
		log = id
		require.Contains(t, r.Peer, "127.0.0.1:")
		require.Equal(t, []string{"cms", h.opt.ID, h.opt.Place}, []string{r.Profile, r.Instance, r.Host})
		return nil
	}))
	require.Equal(t, 1, seen[string(CodeBadPassword)])
	require.Len(t, seen, 2)
	for code, n := range seen {
		require.LessOrEqual(t, n, keptOfOne, code)
	}
	path, err := sessionlog.Find(h.opt.SessionLog.Dir, log)
	require.NoError(t, err)
	text := string(mustRead(t, path))
	require.Contains(t, text, `"kind":"open"`)
	require.Contains(t, text, "Honggildong")
	require.NotContains(t, text, "WRONG1")

	// By its address alone, before a byte is read.
	h = centreOf(t, sqlite, func(o *Options) {
		o.SessionLog = sessionlog.Options{Dir: o.Dirs.Work + "-said", Level: sessionlog.Headers}
		o.Institutions[0].AllowIn = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	})
	h.dial(t).ended()
	h.end()
	codes := []string{}
	require.NoError(t, sessionlog.TurnedAway(h.opt.SessionLog.Dir, time.Time{}, func(_ string, r *sessionlog.Record) error {
		codes = append(codes, r.Code)
		return nil
	}))
	require.Equal(t, []string{string(CodeStranger)}, codes)
}
