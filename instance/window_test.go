package instance

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/store"
)

// TestWindowsAreDue: when to go and fetch, also over midnight, on chosen days,
// and after a window that passed while the server was down.
func TestWindowsAreDue(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("KST", 9*3600)
	at := func(text string) time.Time { // 21 November 2026 is a Saturday
		v, err := time.ParseInLocation("01-02 15:04", text, zone)
		require.NoError(t, err)
		return v.AddDate(2026, 0, 0)
	}
	morning := Window{From: 3 * time.Hour, To: 6 * time.Hour, Every: 10 * time.Minute}
	night := Window{From: 23 * time.Hour, To: 2 * time.Hour, Every: 30 * time.Minute}
	friday := Window{From: 3 * time.Hour, To: 6 * time.Hour, Every: time.Hour, Days: []time.Weekday{time.Friday}}
	for _, test := range []struct {
		name         string
		w            Window
		now          string
		try, success string // "" = never
		want         bool
	}{
		{"before it, all done", morning, "11-21 02:59", "11-20 05:50", "11-20 05:50", false},
		{"at its beginning", morning, "11-21 03:00", "11-20 05:50", "11-20 05:50", true},
		{"just looked", morning, "11-21 03:05", "11-21 03:00", "11-21 03:00", false},
		{"interval over", morning, "11-21 03:10", "11-21 03:00", "11-21 03:00", true},
		{"after it, all done", morning, "11-21 06:00", "11-21 05:55", "11-21 05:55", false},
		{"after it, nothing succeeded in it", morning, "11-21 09:00", "11-21 05:55", "11-20 05:00", true},
		{"… but tried just now", morning, "11-21 09:00", "11-21 08:55", "11-20 05:00", false},
		{"down the whole time", morning, "11-21 12:00", "", "", true},
		{"over midnight, before", night, "11-21 23:10", "11-21 02:00", "11-21 01:40", true},
		{"over midnight, after", night, "11-22 01:00", "11-21 23:10", "11-21 23:10", true},
		{"over midnight, just looked", night, "11-22 01:00", "11-22 00:50", "11-22 00:50", false},
		{"over midnight, done", night, "11-22 02:00", "11-22 01:50", "11-22 01:50", false},
		{"not its day, done on its day", friday, "11-21 04:00", "11-20 05:30", "11-20 05:30", false},
		{"its day", friday, "11-20 04:00", "11-13 05:30", "11-13 05:30", true},
		{"not its day, missed on its day", friday, "11-22 04:00", "11-13 05:30", "11-13 05:30", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			var last store.Window
			if test.try != "" {
				last.LastTry = at(test.try).UTC()
			}
			if test.success != "" {
				last.LastSuccess = at(test.success).UTC()
			}
			require.Equal(t, test.want, due([]Window{test.w}, at(test.now), last))
		})
	}
}

func TestClosedHours(t *testing.T) {
	t.Parallel()
	n := &institution{Institution: Institution{Closed: []Closed{
		{From: 23*time.Hour + 45*time.Minute, To: 24 * time.Hour, Send: true},
		{From: 23 * time.Hour, To: time.Hour, Receive: true},
	}}}
	clock := func(h, m int) time.Time { return time.Date(2026, 11, 21, h, m, 0, 0, time.UTC) }
	require.False(t, n.closedNow(clock(23, 44), true))
	require.True(t, n.closedNow(clock(23, 45), true))
	require.True(t, n.closedNow(clock(23, 59), true))
	require.False(t, n.closedNow(clock(0, 0), true))
	require.True(t, n.closedNow(clock(23, 0), false))
	require.True(t, n.closedNow(clock(0, 59), false))
	require.False(t, n.closedNow(clock(1, 0), false))
}
