package instance

import (
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/protocol"
	"pabal/protocol/sessionlog"
	"pabal/store"
	"pabal/transfer"
)

// said are the records of the logs of a host, by session.
func (h *host) said() map[string][]*sessionlog.Record {
	h.t.Helper()
	paths, err := filepath.Glob(h.path("said", "*", "*.jsonl"))
	require.NoError(h.t, err)
	out := map[string][]*sessionlog.Record{}
	for _, path := range paths {
		f, err := os.Open(path)
		require.NoError(h.t, err)
		id := strings.TrimSuffix(filepath.Base(path), ".jsonl")
		require.NoError(h.t, sessionlog.Read(f, func(r *sessionlog.Record) error { out[id] = append(out[id], r); return nil }))
		require.NoError(h.t, f.Close())
	}
	return out
}

// logged has both ends write down what is said, each under its own directory.
func logged(level sessionlog.Level) func(i, c *Options) {
	return func(i, c *Options) {
		for _, o := range []*Options{i, c} {
			o.SessionLog = sessionlog.Options{Dir: filepath.Join(filepath.Dir(o.Dirs.Work), "said"), Level: level}
		}
	}
}

// TestSessionLog: both ends have the same conversation in their logs, each from
// its side, under the session that its database names and about the transfers
// that it carried.
func TestSessionLog(t *testing.T) {
	t.Parallel()
	for _, level := range []sessionlog.Level{sessionlog.Headers, sessionlog.Bodies} {
		t.Run(string(level), func(t *testing.T) {
			p := newPair(t, sqlite, "cms", []file{rawForm("EB21")}, nil, logged(level))
			body := content(2*blockOf("cms") + 77)
			p.institution.drop("EB21.CENTRE.JOB", body)
			p.institution.await(transfer.Send, transfer.Sent, 1)
			p.centre.await(transfer.Receive, transfer.Assembled, 1)
			p.institution.end()
			p.centre.end()

			var spoken [2][]string
			for n, h := range []*host{p.institution, p.centre} {
				s, err := store.Open(t.Context(), store.Options{URL: h.url})
				require.NoError(t, err)
				rows, err := s.Sessions(t.Context(), store.SessionFilter{})
				require.NoError(t, err)
				files, err := s.List(t.Context(), store.Filter{})
				require.NoError(t, err)
				require.NoError(t, s.Close())
				carried := 0
				all := h.said()
				for _, row := range rows {
					records := all[row.ID]
					if row.Files == 0 {
						continue
					}
					require.Equal(t, "host", row.Host)
					require.Equal(t, []any{row.Institution, row.Peer, row.Calling}, []any{records[0].Institution, records[0].Peer, records[0].Calling})
					end := records[len(records)-1]
					require.Equal(t, []any{sessionlog.WhatEnd, row.Files, row.ErrorCode}, []any{end.What, end.Files, end.Code})
					held, bytes, about := 0, int64(0), ""
					for _, r := range records {
						switch r.What {
						case sessionlog.WhatFile:
							about = r.Transfer
						case sessionlog.WhatTelegram, sessionlog.WhatData:
							e := h.opt.Institutions[0].Profile.Explain(r.Frame())
							if r.Frame() != nil {
								require.NoError(t, e.Err)
								require.Equal(t, r.Kind, e.Kind.String())
							}
							if r.Kind == "data" {
								held += max(1, r.Count)
								bytes += r.Bytes
							}
							if r.What == sessionlog.WhatTelegram {
								way := (r.Way == sessionlog.Out) == (n == 0)
								spoken[n] = append(spoken[n], map[bool]string{true: "> ", false: "< "}[way]+r.Kind)
							}
						}
					}
					require.Equal(t, files[0].ID, about)
					require.Equal(t, 201, held)
					if level == sessionlog.Headers {
						require.Equal(t, int64(len(body)), bytes)
					}
					carried++
				}
				require.Equal(t, 1, carried)
				text := ""
				require.NoError(t, filepath.WalkDir(h.path("said"), func(path string, d os.DirEntry, err error) error {
					if err == nil && !d.IsDir() {
						b, rerr := os.ReadFile(path)
						text, err = text+string(b), rerr
					}
					return err
				}))
				require.NotContains(t, text, "123ABC")
			}
			require.Equal(t, spoken[0], spoken[1])
			require.Contains(t, strings.Join(spoken[0], " "), "> open < open-reply > info < info-reply")
			require.Contains(t, strings.Join(spoken[0], " "), "> end < end-reply > close < close-reply")
		})
	}
}

// TestSessionLogOfOne: one counterparty may have another level than the place.
func TestSessionLogOfOne(t *testing.T) {
	t.Parallel()
	p := newPair(t, sqlite, "cms", []file{rawForm("EB21")}, nil, func(i, c *Options) {
		logged(sessionlog.Headers)(i, c)
		i.Institutions[0].SessionLog = sessionlog.Off
		c.Institutions[0].SessionLog = sessionlog.Bodies
	})
	p.institution.drop("EB21.CENTRE.JOB", content(5000))
	p.institution.await(transfer.Send, transfer.Sent, 1)
	p.institution.end()
	p.centre.end()
	require.Empty(t, p.institution.said())
	whole := 0
	for _, records := range p.centre.said() {
		for _, r := range records {
			if r.Kind == protocol.DataTelegram.String() && r.Frame() != nil {
				whole++
			}
		}
	}
	require.Equal(t, 2, whole)
}

// TestSessionLogRetention: logs go when they are old, and not while the
// database is in quarantine, because then they are evidence.
func TestSessionLogRetention(t *testing.T) {
	t.Parallel()
	h := newHost(t, sqlite, "cms", "institution", []file{rawForm("EB21")}, nil)
	var ahead atomic.Int64
	h.opt.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	h.opt.Retention.Every = 20 * time.Millisecond
	h.opt.SessionLog = sessionlog.Options{Dir: h.path("said"), Keep: 30 * 24 * time.Hour}
	old := h.path("said", "20261001", "s1.jsonl")
	require.NoError(t, os.MkdirAll(filepath.Dir(old), 0o700))
	require.NoError(t, os.WriteFile(old, []byte("{}\n"), 0o600))
	at := time.Now().AddDate(0, 0, -29)
	require.NoError(t, os.Chtimes(old, at, at))
	h.start()
	ahead.Store(int64(2 * 24 * time.Hour))
	soon(t, "the removal", func() bool { _, err := os.Stat(old); return os.IsNotExist(err) })
}
