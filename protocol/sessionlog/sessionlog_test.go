package sessionlog

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"pabal/internal/fault"
	"pabal/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = time.Date(2026, 11, 22, 3, 0, 0, 0, time.FixedZone("KST", 9*3600))

func clock() time.Time { return start }

func cms(t *testing.T) *protocol.Profile {
	t.Helper()
	p, err := protocol.Load("cms")
	require.NoError(t, err)
	return p
}

// say writes a telegram into the log as the line does.
func say(t *testing.T, l *Log, p *protocol.Profile, out bool, k protocol.Kind, fields map[protocol.Field]string) {
	t.Helper()
	tg := protocol.Telegram{Kind: k}
	for f, v := range fields {
		tg.SetText(f, v)
	}
	b, err := p.Append(nil, &tg)
	require.NoError(t, err)
	l.Telegram(start, out, &tg, b, nil)
}

func data(t *testing.T, l *Log, p *protocol.Profile, block int64, seq int, content string) {
	t.Helper()
	tg := protocol.Telegram{Kind: protocol.DataTelegram}
	tg.SetNumber(protocol.Block, block)
	tg.SetNumber(protocol.Sequence, int64(seq))
	tg.Set(protocol.Data, []byte(content))
	b, err := p.Append(nil, &tg)
	require.NoError(t, err)
	l.Data(start, true, &tg, block, seq, len(content), b)
}

func records(t *testing.T, path string) []*Record {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.True(t, Is(text))
	var all []*Record
	require.NoError(t, Read(bytes.NewReader(text), func(r *Record) error { all = append(all, r); return nil }))
	return all
}

func opening() map[protocol.Field]string {
	return map[protocol.Field]string{protocol.Institution: "12345678", protocol.SenderName: "Honggildong", protocol.SenderPassword: "HUSH99"}
}

// TestConversation: what was said can be read, with the profile, and neither a
// password nor content is in the file.
func TestConversation(t *testing.T) {
	for _, level := range []Level{Headers, Bodies} {
		t.Run(string(level), func(t *testing.T) {
			dir, p := filepath.Join(t.TempDir(), "a", "sessions"), cms(t)
			w := NewWriter(clock, func(err error) { t.Error(err) })
			l := w.Log(p)
			say(t, l, p, false, protocol.Open, opening())
			l.Begin(start, Record{Session: "s1", Institution: "KFTC", Profile: "cms"}, Options{Dir: dir, Level: level})
			say(t, l, p, true, protocol.OpenReply, map[protocol.Field]string{protocol.Response: "000"})
			l.File(start, Record{Transfer: "t1", WireName: "EB211122"})
			for seq := 1; seq <= 3; seq++ {
				data(t, l, p, 1, seq, fmt.Sprintf("content %d", seq))
			}
			data(t, l, p, 2, 1, "content")
			l.Rest()
			l.End(start, 1, "session.lost")
			w.Close()

			path, err := Find(dir, "s1")
			require.NoError(t, err)
			require.Equal(t, filepath.Join(dir, "20261122", "s1.jsonl"), path)
			for path, mode := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700 | os.ModeDir, dir: 0o700 | os.ModeDir} {
				st, err := os.Stat(path)
				require.NoError(t, err)
				require.Equal(t, mode, st.Mode())
			}
			all := records(t, path)
			require.Equal(t, []string{WhatSession, WhatTelegram, WhatTelegram, WhatFile}, []string{all[0].What, all[1].What, all[2].What, all[3].What})
			require.Equal(t, "KFTC", all[0].Institution)
			require.Equal(t, level, all[0].Level)
			require.Equal(t, In, all[1].Way)
			require.Equal(t, start.UTC(), all[1].Time())
			open := p.Explain(all[1].Frame())
			require.NoError(t, open.Err)
			require.Equal(t, protocol.Open, open.Kind)
			for _, row := range open.Rows {
				require.Equal(t, row.Field == "sender_password", row.Hidden, row.Title)
				if row.Field == "sender_name" {
					require.Equal(t, "Honggildong", row.Value)
				}
			}
			require.Equal(t, []string{"000", "ok"}, []string{all[2].Response, all[2].Meaning})
			end := all[len(all)-1]
			require.Equal(t, []any{WhatEnd, 1, "session.lost"}, []any{end.What, end.Files, end.Code})
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			require.NotContains(t, string(text), "HUSH99")
			if level == Bodies {
				require.Len(t, all, 9)
				require.Equal(t, []int64{1, 2}, []int64{all[5].Block, int64(all[5].First)})
				require.Contains(t, string(text), "content 2")
				return
			}
			require.NotContains(t, string(text), "content")
			require.Len(t, all, 7)
			require.Equal(t, &Record{At: start.UnixMicro(), What: WhatData, Way: Out, Kind: "data", Block: 1, First: 1, Last: 3, Count: 3, Bytes: 27}, all[4])
			require.Equal(t, int64(2), all[5].Block)
		})
	}
}

// TestNothingUnasked: a caller that never says who it is leaves no log, and
// one of whom none is wanted neither.
func TestNothingUnasked(t *testing.T) {
	dir, p := t.TempDir(), cms(t)
	w := NewWriter(clock, nil)
	l := w.Log(p)
	for range 1000 {
		say(t, l, p, false, protocol.Open, opening())
	}
	require.Less(t, len(l.lines), 2*unnamed, "what an unknown caller makes us keep is bounded")
	l.End(start, 0, "")
	off := w.Log(p)
	say(t, off, p, false, protocol.Open, opening())
	off.Begin(start, Record{Session: "s2"}, Options{Dir: dir, Level: Off})
	say(t, off, p, false, protocol.Open, opening())
	off.Rest()
	off.End(start, 0, "")
	var none *Log
	none.File(start, Record{})
	none.End(start, 0, "")
	w.Close()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
}

// TestBadTelegrams: of a telegram that is not what it should be no part is kept
// in which a password may stand.
func TestBadTelegrams(t *testing.T) {
	p := cms(t)
	tg := protocol.Telegram{Kind: protocol.Open}
	for f, v := range opening() {
		tg.SetText(f, v)
	}
	whole, err := p.Append(nil, &tg)
	require.NoError(t, err)
	short := whole[:len(whole)-2]
	var got protocol.Telegram
	bad := p.Decode(short, &got)
	require.Error(t, bad)
	masked := string(p.Masked(nil, short, bad, true))
	require.Len(t, masked, len(short))
	require.NotContains(t, masked, "HUSH")
	require.Contains(t, masked, "xxxx99", "its form is")
	require.Contains(t, masked, "12345678", "the header is")
	unknown := bytes.Replace(whole, []byte("0600"), []byte("9999"), 1)
	require.NotEqual(t, whole, unknown)
	bad = p.Decode(unknown, &got)
	require.Error(t, bad)
	masked = string(p.Masked(nil, unknown, bad, true))
	require.NotContains(t, masked, "HUSH")
	require.NotContains(t, masked, "1234")
	require.Contains(t, masked, "9999")
}

// TestDiskInTheWay: a session never hears of a log that cannot be written, and
// a log that can be written again says how much is missing.
func TestDiskInTheWay(t *testing.T) {
	dir, p := t.TempDir(), cms(t)
	told := 0
	w := NewWriter(clock, func(error) { told++ })
	blocked := filepath.Join(dir, "blocked")
	require.NoError(t, os.WriteFile(blocked, nil, 0o600))
	for _, id := range []string{"s1", "s2"} {
		l := w.Log(p)
		l.Begin(start, Record{Session: id}, Options{Dir: blocked, Level: Headers})
		say(t, l, p, true, protocol.Close, nil)
		l.Rest()
		l.End(start, 0, "")
	}
	w.Close()
	require.Equal(t, 1, told, "once in a while")

	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	require.NoError(t, err)
	o := Options{Dir: dir, Level: Headers}
	w = NewWriter(clock, func(err error) { told++ })
	l := &Log{w: w, profile: p, level: Headers, path: filepath.Join(dir, "day", "s3.jsonl"), most: 1 << 20, file: file{f: full}}
	say(t, l, p, true, protocol.Close, nil)
	l.Rest()
	require.False(t, w.write(l, o))
	lost := l.file.lost
	require.Positive(t, lost)
	require.NoError(t, full.Close())
	l.file.f = nil
	say(t, l, p, true, protocol.Close, nil)
	l.Rest()
	require.False(t, w.write(l, o))
	w.shut(l)
	all := records(t, l.path)
	require.Equal(t, []any{WhatNote, NoteLost, lost}, []any{all[0].What, all[0].Code, all[0].Bytes})
	require.Equal(t, WhatTelegram, all[1].What)

	// The writer does not keep up: what comes is counted and left out.
	slow := &Log{w: w, profile: p, level: Headers, path: filepath.Join(dir, "day", "s4.jsonl"), most: 1 << 30}
	for slow.lost == 0 {
		say(t, slow, p, true, protocol.Close, nil)
		slow.Rest()
	}
	require.LessOrEqual(t, len(slow.given), waiting)
}

// TestTornLine: a line that a crash has torn spoils only itself.
func TestTornLine(t *testing.T) {
	whole := `{"at":1,"what":"telegram","way":"in","kind":"open","bytes":4,"text":"0000"}` + "\n"
	var got []*Record
	keep := func(r *Record) error { got = append(got, r); return nil }
	require.NoError(t, Read(strings.NewReader(whole+whole[:20]+"\n"+whole+whole[:30]), keep))
	require.Len(t, got, 2)
	broken := errors.New("broken")
	require.ErrorIs(t, Read(strings.NewReader(whole), func(*Record) error { return broken }), broken)

	path := filepath.Join(t.TempDir(), "s1.jsonl")
	require.NoError(t, os.WriteFile(path, []byte(whole+whole[:9]), 0o600))
	follow := NewFollower(path)
	got = nil
	require.NoError(t, follow.Next(keep))
	require.Len(t, got, 1)
	require.NoError(t, os.WriteFile(path, []byte(whole+whole+whole), 0o600))
	require.NoError(t, follow.Next(keep))
	require.Len(t, got, 3)
}

// TestSizes: one log is bounded, content first; all together are, the oldest
// first, and never one that is being written.
func TestSizes(t *testing.T) {
	dir, p := t.TempDir(), cms(t)
	w := NewWriter(clock, func(err error) { t.Error(err) })
	o := Options{Dir: dir, Level: Bodies, Session: 20000, Total: 50000}
	write := func(id string) *Log {
		l := w.Log(p)
		l.Begin(start, Record{Session: id}, o)
		for n := range int64(400) {
			data(t, l, p, n+1, 1, strings.Repeat("x", 100))
			say(t, l, p, true, protocol.Close, nil)
			l.Rest()
		}
		l.File(start, Record{Transfer: "last"})
		return l
	}
	open := write("a0")
	for n := range 4 {
		write(fmt.Sprintf("b%d", n)).End(start, 1, fault.Code("session.lost"))
	}
	// Once it has ended it may go as the oldest; so all others are written first.
	require.Eventually(t, func() bool {
		all, err := files(dir)
		if err != nil || len(all) == 0 || all[len(all)-1].session != "b3" {
			return false
		}
		text, err := os.ReadFile(all[len(all)-1].path)
		return err == nil && strings.Contains(string(text), `"`+WhatEnd+`"`)
	}, time.Minute, time.Millisecond)
	open.End(start, 0, "")
	w.Close()
	// Closing looks at each log once more, after the last of them is complete.
	all, err := files(dir)
	require.NoError(t, err)
	total := int64(0)
	for _, f := range all {
		require.Less(t, f.size, int64(22000), f.session)
		total += f.size
		got := records(t, f.path)
		notes := []string{}
		for _, r := range got {
			if r.What == WhatNote {
				notes = append(notes, r.Code)
			}
		}
		require.Equal(t, []string{NoteBodies, NoteFull}, notes)
		require.Equal(t, []string{WhatFile, WhatEnd}, []string{got[len(got)-2].What, got[len(got)-1].What}, "what it was about stays")
	}
	require.LessOrEqual(t, total, o.Total+22000)
	require.Equal(t, "b3", all[len(all)-1].session)
	require.Equal(t, "a0", all[0].session, "it is open")
}

// TestExpire: logs go when they were written to last long ago.
func TestExpire(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	for path, age := range map[string]time.Duration{"20261001/old.jsonl": 40, "20261001/young.jsonl": 20, "20261002/gone.jsonl": 40, "20261002/other": 40} {
		path = filepath.Join(dir, path)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, nil, 0o600))
		at := now.Add(-age * 24 * time.Hour)
		require.NoError(t, os.Chtimes(path, at, at))
	}
	w := NewWriter(time.Now, nil)
	n, err := w.Expire(dir, now.Add(-30*24*time.Hour))
	require.NoError(t, err)
	require.Equal(t, 2, n)
	for path, there := range map[string]bool{"20261001/old.jsonl": false, "20261001/young.jsonl": true, "20261002/gone.jsonl": false, "20261002/other": true} {
		_, err := os.Stat(filepath.Join(dir, path))
		require.Equal(t, there, err == nil, path)
	}
	n, err = w.Expire(filepath.Join(dir, "none"), now)
	require.NoError(t, err)
	require.Zero(t, n)
	path, err := Find(dir, "*")
	require.NoError(t, err)
	require.Empty(t, path, "an id is no pattern")
}
