package instance

import (
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/store"
	"pabal/transfer"
)

// A session's row says which way files went, at both ends, also where who opens
// says nothing of it and asks for files later (§3).
func TestWayOfSessions(t *testing.T) {
	t.Parallel()
	for _, profile := range []string{"edi", "cms"} {
		for _, way := range []string{"up", "down"} {
			t.Run(profile+"/"+way, func(t *testing.T) {
				t.Parallel()
				id := map[string]string{"cms": "EB21", "edi": "C02"}[profile]
				up, down := []file{rawForm(id)}, []file(nil)
				if way == "down" {
					up, down = nil, up
				}
				p := newPair(t, sqlite, profile, up, down, nil)
				from, to := p.institution, p.centre
				if way == "down" {
					from, to = p.centre, p.institution
				}
				from.drop(id+"."+from.opt.Institutions[0].Code+".JOB", content(10))
				from.await(transfer.Send, transfer.Sent, 1)
				to.await(transfer.Receive, transfer.Assembled, 1)
				for _, end := range []struct {
					h    *host
					want transfer.Direction
				}{{from, transfer.Send}, {to, transfer.Receive}} {
					var row *transfer.Session
					eventually(t, "the session of the file is not over", func() bool {
						all, err := end.h.store.Sessions(t.Context(), store.SessionFilter{})
						require.NoError(t, err)
						for _, s := range all {
							if s.Files > 0 && !s.ClosedAt.IsZero() {
								row = s
							}
						}
						return row != nil
					})
					require.Equal(t, end.want, row.Direction)
				}
			})
		}
	}
}

// What a session was opened for may not be all that is done in it.
func TestWaysOfOneSession(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		opened transfer.Direction
		gone   []transfer.Direction
		want   transfer.Direction
	}{
		{"", nil, ""},
		{"", []transfer.Direction{transfer.Send, transfer.Send}, transfer.Send},
		{transfer.Receive, []transfer.Direction{transfer.Receive}, transfer.Receive},
		{transfer.Receive, []transfer.Direction{transfer.Send, transfer.Receive}, transfer.BothWays},
	} {
		s := &session{row: transfer.Session{Direction: c.opened}}
		for _, d := range c.gone {
			s.goes(d)
		}
		require.Equal(t, c.want, s.row.Direction)
	}
}
