package sessionlog

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/protocol"
)

// away writes down n callers, each with an opening that was refused.
func away(t *testing.T, w *Writer, at time.Time, n int, dir string, p *protocol.Profile) {
	t.Helper()
	for i := range n {
		l := w.Log(p)
		say(t, l, p, false, protocol.Open, opening())
		w.Away(at, Record{Peer: fmt.Sprintf("10.0.0.1:%d", i), Profile: "cms", Instance: "BAT", Host: "a", Code: "instance.bad_password", Count: i}, l,
			Options{Dir: dir, Level: Headers})
	}
}

func awayOf(t *testing.T, dir string, since time.Time) (logs []string, peers []string) {
	t.Helper()
	require.NoError(t, TurnedAway(dir, since, func(log string, r *Record) error {
		logs, peers = append(logs, log), append(peers, r.Peer)
		return nil
	}))
	return logs, peers
}

// Who was not let in is written down with what was said, password masked; a
// log for each day, which the next process goes on with.
func TestAway(t *testing.T) {
	dir, p := t.TempDir(), cms(t)
	for range 2 {
		w := NewWriter(clock, func(err error) { t.Error(err) })
		away(t, w, start, 1, dir, p)
		w.Close()
	}
	w := NewWriter(clock, func(err error) { t.Error(err) })
	away(t, w, start, 1, dir, p)
	away(t, w, start.AddDate(0, 0, 1), 2, dir, p)
	w.Away(start, Record{Peer: "x", Instance: "BAT"}, nil, Options{Dir: dir, Level: Off})
	w.Close()
	today, tomorrow := AwayID("BAT", start), AwayID("BAT", start.AddDate(0, 0, 1))
	logs, _ := awayOf(t, dir, time.Time{})
	require.Equal(t, []string{today, today, today, tomorrow, tomorrow}, logs)
	logs, peers := awayOf(t, dir, start.Add(time.Hour))
	require.Equal(t, []string{tomorrow, tomorrow}, logs)
	require.Equal(t, []string{"10.0.0.1:0", "10.0.0.1:1"}, peers)
	path, err := Find(dir, today)
	require.NoError(t, err)
	all := records(t, path)
	require.Len(t, all, 6, "each with its telegram")
	require.Equal(t, []string{WhatAway, "instance.bad_password", WhatTelegram, "open"}, []string{all[0].What, all[0].Code, all[1].What, all[1].Kind})
	require.Contains(t, all[1].Text, "Honggildong")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NotContains(t, string(text), "HUSH99")
	carried, err := Recall(dir, time.Time{})
	require.NoError(t, err)
	require.Empty(t, carried, "it is evidence of no transfer")
}

// Who knocks without end fills no disk: what a caller said is cut at a line, and
// the log of a day is full at last, also after a restart.
func TestAwayIsBounded(t *testing.T) {
	dir, p := t.TempDir(), cms(t)
	path := pathOf(dir, start, AwayID("BAT", start))
	for range 2 {
		w := NewWriter(clock, func(err error) { t.Error(err) })
		for range 40 {
			l := w.Log(p)
			for range 100 {
				say(t, l, p, false, protocol.Open, opening())
			}
			require.LessOrEqual(t, len(l.beginning(saidAway)), saidAway)
			require.True(t, strings.HasSuffix(string(l.beginning(saidAway)), "}\n"))
			w.Away(start, Record{Peer: "10.0.0.1:1", Instance: "BAT"}, l, Options{Dir: dir, Level: Headers})
		}
		w.Close()
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.LessOrEqual(t, info.Size(), int64(80*(saidAway+512)))
	}
	// As large as it may become.
	require.NoError(t, os.Truncate(path, MostAway-1000))
	for range 2 {
		w := NewWriter(clock, func(err error) { t.Error(err) })
		away(t, w, start, 50, dir, p)
		w.Close()
	}
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Less(t, info.Size(), int64(MostAway+saidAway+1024))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(text), NoteAwayFull))
	found, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	require.NoError(t, err)
	require.Len(t, found, 1, "one file, however many knock")
}
