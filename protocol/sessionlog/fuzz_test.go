package sessionlog

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/protocol"
	"pabal/protocol/protocoltest"
)

// everyProfile are those that come with the program and those for tests.
func everyProfile(t testing.TB) []*protocol.Profile {
	t.Helper()
	var out []*protocol.Profile
	for _, name := range append(protocol.Embedded(), protocoltest.Names(t)...) {
		out = append(out, protocoltest.Load(t, name))
	}
	return out
}

// FuzzRead: whatever stands in a log, it is read to its end. What was written
// until any moment is the beginning of what is there later, so who follows a log
// sees the same as who reads it when all is over; and a line that was torn, or
// anything else before it, costs no line that comes after it.
func FuzzRead(f *testing.F) {
	profiles := everyProfile(f)
	for _, text := range []string{
		`{"at":1,"what":"session","institution":"KFTC","profile":"cms"}` + "\n" +
			`{"at":2,"what":"file","transfer":"t1","direction":"send"}` + "\n" +
			`{"at":3,"what":"data","way":"out","kind":"data","bytes":9,"block":1,"first":1,"last":2,"count":2}` + "\n" +
			`{"at":4,"what":"telegram","way":"out","kind":"end","bytes":4,"text":"0123"}` + "\n" +
			`{"at":5,"what":"telegram","way":"in","kind":"end-reply","bytes":2,"response":"000","meaning":"ok","hex":"30ff"}` + "\n" +
			`{"at":6,"what":"end","files":1}` + "\n",
		`{"at":2,"what":"file","transfer":"t1","direction":"receive"}` + "\n" + `{"at":3,"what":"telegram","way":"out","kind":"end-more-reply","code":"x"}` + "\n",
		`{"at":1,"what":"away","code":"door.full","count":3}` + "\n\x00\x00\n{}\nnull\n[]\n" + `{"at":1,"what":"note","code":"lost","bytes":7`,
	} {
		f.Add(text, uint16(len(text)/2), byte(3))
	}
	path := filepath.Join(f.TempDir(), "s1"+suffix)
	f.Fuzz(func(t *testing.T, text string, cut uint16, which byte) {
		read := func(text string) (all []*Record) {
			require.NoError(t, Read(strings.NewReader(text), func(r *Record) error { all = append(all, r); return nil }))
			return all
		}
		all := read(text)
		p := profiles[int(which)%len(profiles)]
		files := map[string]bool{}
		for _, r := range all {
			require.NotEmpty(t, r.What)
			if b := r.Frame(); b != nil {
				require.LessOrEqual(t, len(b), max(len(r.Text), len(r.Hex)/2))
				_ = p.Explain(b)
			}
			if r.What == WhatFile {
				files[r.Transfer] = true
			}
		}
		if Is([]byte(text)) && strings.Contains(text, "\n") {
			require.NotEmpty(t, all, "it is a log, and nothing is in it")
		}
		until := int(cut) % (len(text) + 1)
		before := read(text[:until])
		require.LessOrEqual(t, len(before), len(all))
		require.Equal(t, append([]*Record(nil), all[:len(before)]...), before)

		require.NoError(t, os.WriteFile(path, []byte(text[:until]), 0o600))
		var followed []*Record
		w := NewFollower(path)
		keep := func(r *Record) error { followed = append(followed, r); return nil }
		require.NoError(t, w.Next(keep))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		require.NoError(t, w.Next(keep))
		require.Equal(t, all, followed)

		end := Record{At: 7, What: WhatEnd, Files: 2}
		with := read(text + "\n" + string(end.line(nil)))
		require.GreaterOrEqual(t, len(with), len(all)+1)
		require.Equal(t, &end, with[len(with)-1])

		carried := map[string]*Carried{}
		require.NoError(t, recall(found{path: path, session: "s1"}, carried))
		for id, c := range carried {
			require.True(t, files[id])
			require.Equal(t, "s1", c.Session)
			require.Equal(t, id, c.File.Transfer)
		}
		require.Len(t, carried, len(files))
	})
}

// FuzzWritten: whatever is said on a line, under any profile, is one line of its
// log, and read again it is what was said with nothing but its secrets hidden.
func FuzzWritten(f *testing.F) {
	profiles := everyProfile(f)
	for i, p := range profiles {
		for _, k := range protocol.Kinds() {
			t := protocol.Telegram{Kind: k}
			t.SetText(protocol.Response, p.Code(protocol.OK))
			t.SetText(protocol.SenderPassword, "HUSH99")
			t.SetText(protocol.Password, "HUSH99")
			t.Set(protocol.Data, []byte("abc\xb0\xa1"))
			if b, err := p.Append(nil, &t); err == nil {
				f.Add(byte(i), k%2 == 0, k%3 == 0, b[:len(b)-len(p.Delimiter())])
			}
		}
		f.Add(byte(i), true, true, []byte("\"\\\u2028\x7f\x00"))
	}
	f.Fuzz(func(t *testing.T, which byte, out, bodies bool, said []byte) {
		p := profiles[int(which)%len(profiles)]
		l := NewWriter(clock, nil).Log(p)
		if bodies {
			l.level = Bodies
		}
		var tg protocol.Telegram
		bad := p.Decode(said, &tg)
		frame := said
		if out {
			frame = append(bytes.Clone(said), p.Delimiter()...)
		}
		kept := bytes.Clone(frame)
		l.Telegram(start, out, &tg, frame, bad)
		l.Data(start, out, &tg, 3, 1, len(tg.Data()), frame)
		l.Data(start, out, &tg, 3, 2, len(tg.Data()), frame)
		l.flushRun()
		require.Equal(t, string(kept), string(frame), "what is said is not changed by writing it down")
		require.Equal(t, 2, bytes.Count(l.lines, []byte("\n")))
		for line := range bytes.Lines(l.lines) {
			require.True(t, json.Valid(line), "%q", line)
			require.True(t, bytes.HasPrefix(line, mark))
		}
		var all []*Record
		require.NoError(t, Read(bytes.NewReader(l.lines), func(r *Record) error { all = append(all, r); return nil }))
		require.Len(t, all, 2)
		r := all[0]
		require.Equal(t, []any{WhatTelegram, tg.Kind.String(), int64(len(said)), start.UnixMicro()}, []any{r.What, r.Kind, r.Bytes, r.At})
		require.Equal(t, map[bool]string{true: Out, false: In}[out], r.Way)
		require.Equal(t, bad != nil, r.Code != "")
		if len(said) > 0 {
			require.Equal(t, string(p.Masked(nil, said, bad, !bodies)), string(r.Frame()))
		}
		if bad == nil {
			var again protocol.Telegram
			require.NoError(t, p.Decode(r.Frame(), &again))
			for _, secret := range []protocol.Field{protocol.SenderPassword, protocol.Password, protocol.Challenge} {
				if slices.ContainsFunc([]byte(tg.Text(secret)), func(b byte) bool { return b != ' ' }) {
					require.Empty(t, strings.Trim(again.Text(secret), "*"))
				}
			}
			require.True(t, bodies || strings.Trim(again.Text(protocol.Data), "*") == "" || len(tg.Data()) == 0)
		}
		want := Record{At: start.UnixMicro(), What: WhatData, Way: r.Way, Kind: r.Kind, Count: 2, Bytes: 2 * int64(len(tg.Data()))}
		if p.Carries(tg.Kind, protocol.Sequence) { // else nobody said which they were
			want.Block, want.First, want.Last = 3, 1, 2
		}
		require.Equal(t, want, *all[1])
	})
}
