package journal_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"pabal/internal/fault"
	"pabal/store"
	"pabal/store/journal"
	"pabal/transfer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = time.Date(2026, 3, 20, 1, 2, 3, 0, time.UTC)

// place is a host with its database and its journal.
type place struct {
	t   *testing.T
	dir string
}

func (p place) path(name string) string    { return filepath.Join(p.dir, name) }
func (p place) files() []string            { f, _ := filepath.Glob(p.path("journal/*")); return f }
func (p place) run(f func(s *store.Store)) { p.runAs(true, f) }

// runAs is one life of a process: it opens both, recognises, works, and ends.
func (p place) runAs(server bool, f func(s *store.Store)) *store.Quarantine {
	p.t.Helper()
	j, err := journal.Open(journal.Options{Dir: p.path("journal"), Server: server, Failed: func(err error) { p.t.Error(err) }})
	require.NoError(p.t, err)
	defer func() { require.NoError(p.t, j.Close()) }()
	s, err := store.Open(p.t.Context(), store.Options{URL: "sqlite:" + p.path("db"), Server: server, Witness: j})
	require.NoError(p.t, err)
	defer func() { require.NoError(p.t, s.Close()) }()
	if server {
		require.NoError(p.t, s.Migrate(p.t.Context()))
		require.True(p.t, s.Unsure())
		_, err = s.List(p.t.Context(), store.Filter{})
		require.Equal(p.t, store.CodeUnrecognised, fault.CodeOf(err), "nothing before it is recognised")
		err = s.Event(p.t.Context(), start, transfer.Event{Kind: "x"})
		require.Equal(p.t, store.CodeUnrecognised, fault.CodeOf(err))
	}
	q, err := s.Recognise(p.t.Context(), start, "here")
	require.NoError(p.t, err)
	if f != nil {
		f(s)
	}
	return q
}

// work is what a server does: a term, and a transfer with some events.
func work(t *testing.T, id string) func(*store.Store) {
	return func(s *store.Store) {
		_, err := s.Begin(t.Context(), start, "one", "here", 1)
		require.NoError(t, err)
		require.NoError(t, s.Create(t.Context(), start, &transfer.Transfer{ID: id, Direction: transfer.Send, Status: transfer.Stored,
			Name: "EB21", Institution: "KFTC", Place: "here", WireSize: 100}))
		require.NoError(t, s.Event(t.Context(), start, transfer.Event{TransferID: id, Kind: "round"}))
	}
}

func newPlace(t *testing.T) place { return place{t, t.TempDir()} }

// copied is the database as it is now; put puts it back.
func (p place) copied() (put func()) {
	b, err := os.ReadFile(p.path("db"))
	require.NoError(p.t, err)
	return func() {
		for _, end := range []string{"-wal", "-shm"} {
			_ = os.Remove(p.path("db" + end))
		}
		require.NoError(p.t, os.WriteFile(p.path("db"), b, 0o600))
	}
}

func TestOlderDatabaseIsRecognised(t *testing.T) {
	for name, lost := range map[string]func(*store.Store){
		store.WhyOlder: work(t, "b"),
		store.WhyOlderTerm: func(s *store.Store) {
			_, err := s.Begin(t.Context(), start, "one", "here", 1)
			require.NoError(t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			p.run(work(t, "a"))
			put := p.copied()
			p.run(lost)
			put()
			q := p.runAs(true, func(s *store.Store) {
				row, err := s.Transfer(t.Context(), "a")
				require.NoError(t, err)
				require.Equal(t, transfer.Held, row.Status)
				require.Equal(t, transfer.Stored, row.HeldFrom)
				require.Equal(t, string(store.CodeHeldThen), row.ErrorCode)
				term, err := s.Begin(t.Context(), start, "one", "here", 1)
				require.NoError(t, err)
				require.EqualValues(t, 3, term, "a term is never used twice")
			})
			require.NotNil(t, q)
			require.Equal(t, name, q.Why)
			again := p.runAs(true, nil)
			require.Equal(t, q.ID, again.ID, "it stays until somebody ends it")
			put()
			other := p.runAs(true, nil)
			require.NotNil(t, other, "the same copy, put back once more")
			require.NotEqual(t, q.ID, other.ID)
		})
	}
}

// TestOperatorFirst: an order that is given between putting an older database
// back and starting the server must not make that database the known one.
func TestOperatorFirst(t *testing.T) {
	p := newPlace(t)
	p.run(work(t, "a"))
	put := p.copied()
	p.run(func(s *store.Store) {
		require.NoError(t, s.Create(t.Context(), start, &transfer.Transfer{ID: "b", Direction: transfer.Send, Status: transfer.Stored, Name: "EB22"}))
	})
	put()
	j, err := journal.Open(journal.Options{Dir: p.path("journal")})
	require.NoError(t, err)
	s, err := store.Open(t.Context(), store.Options{URL: "sqlite:" + p.path("db"), Witness: j})
	require.NoError(t, err)
	hold := func() error {
		_, err := s.Command(t.Context(), start, transfer.Command{Name: "hold", TransferID: "a"}, func(r *transfer.Transfer) error {
			r.Status = transfer.Held
			return nil
		})
		return err
	}
	require.Equal(t, store.CodeUnrecognised, fault.CodeOf(hold()))
	q, err := s.Recognise(t.Context(), start, "here")
	require.NoError(t, err)
	require.Equal(t, store.WhyOlder, q.Why)
	require.NoError(t, hold())
	require.NoError(t, s.Close())
	require.NoError(t, j.Close())
	require.Equal(t, q, p.runAs(true, nil))
}

func TestNewDatabaseIsRecognised(t *testing.T) {
	p := newPlace(t)
	p.run(work(t, "a"))
	for _, f := range []string{"db", "db-wal", "db-shm"} {
		_ = os.Remove(p.path(f))
	}
	q := p.runAs(true, func(s *store.Store) {
		require.NoError(t, s.EndQuarantine(t.Context(), start, transfer.Command{Name: "recover"}, func(*store.Quarantine) error { return nil }))
	})
	require.Equal(t, store.WhyOther, q.Why)
	require.Nil(t, p.runAs(true, nil), "from then on it is the one")
}

// TestNoFalseAlarm: a journal that is behind the database, in whatever way,
// is no reason for a quarantine.
func TestNoFalseAlarm(t *testing.T) {
	newest := func(p place) string { f := p.files(); return f[len(f)-1] }
	for name, f := range map[string]func(t *testing.T, p place){
		"killed between commit and line": func(t *testing.T, p place) {
			s, err := store.Open(t.Context(), store.Options{URL: "sqlite:" + p.path("db"), Server: true})
			require.NoError(t, err)
			work(t, "b")(s)
			require.NoError(t, s.Close())
		},
		"host crash, lines lost": func(t *testing.T, p place) {
			b, err := os.ReadFile(newest(p))
			require.NoError(t, err)
			lines := bytes.SplitAfter(b, []byte("\n"))
			require.NoError(t, os.WriteFile(newest(p), bytes.Join(lines[:len(lines)-3], nil), 0o600))
		},
		"torn last line": func(t *testing.T, p place) {
			b, err := os.ReadFile(newest(p))
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(newest(p), b[:len(b)-20], 0o600))
		},
		"blocks of zeros after a crash": func(t *testing.T, p place) {
			f, err := os.OpenFile(newest(p), os.O_APPEND|os.O_WRONLY, 0)
			require.NoError(t, err)
			_, err = f.Write(make([]byte, 4096))
			require.NoError(t, err)
			require.NoError(t, f.Close())
		},
		"no journal any more": func(t *testing.T, p place) { require.NoError(t, os.RemoveAll(p.path("journal"))) },
		"an operator beside": func(t *testing.T, p place) {
			p.runAs(false, func(s *store.Store) {
				_, err := s.Command(t.Context(), start, transfer.Command{Name: "hold", TransferID: "a"}, func(r *transfer.Transfer) error {
					r.Status = transfer.Held
					return nil
				})
				require.NoError(t, err)
			})
			m, err := journal.Recall(p.path("journal"))
			require.NoError(t, err)
			require.Equal(t, transfer.Held, m.Transfers["a"].Status, "it is remembered too")
		},
		"history deleted as too old": func(t *testing.T, p place) {
			p.run(func(s *store.Store) {
				for after := int64(0); ; {
					_, next, err := s.ExpireEvents(t.Context(), start.Add(time.Hour), after)
					require.NoError(t, err)
					if after = next; next == 0 {
						break
					}
				}
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			p.run(work(t, "a"))
			f(t, p)
			require.Nil(t, p.runAs(true, func(s *store.Store) {
				require.NoError(t, s.Event(t.Context(), start, transfer.Event{TransferID: "a", Kind: "after"}))
			}))
			require.Nil(t, p.runAs(true, nil))
			j, err := journal.Open(journal.Options{Dir: p.path("journal")})
			require.NoError(t, err)
			require.Equal(t, "after", j.Mark().Event.Kind, "what was appended after that counts")
			require.NoError(t, j.Close())
		})
	}
}

func TestRotation(t *testing.T) {
	dir := t.TempDir()
	now := start
	open := func() *journal.Journal {
		j, err := journal.Open(journal.Options{Dir: dir, Server: true, Size: 2000, Keep: 48 * time.Hour, Now: func() time.Time { return now },
			Failed: func(err error) { t.Error(err) }})
		require.NoError(t, err)
		return j
	}
	j := open()
	j.Trust(store.Mark{Identity: "db", Terms: map[string]int64{"one": 3}})
	event := func(n int64) transfer.Event {
		return transfer.Event{ID: n, At: start, TransferID: fmt.Sprint(n), Kind: "status", To: transfer.Stored}
	}
	for n := range int64(50) {
		j.Wrote([]store.Written{{Event: event(n + 1), Row: &transfer.Transfer{ID: fmt.Sprint(n + 1), CreatedAt: start}}})
	}
	want := store.Mark{Identity: "db", Terms: map[string]int64{"one": 3}, Event: event(50)}
	require.Equal(t, want, j.Mark())
	require.NoError(t, j.Close())
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Greater(t, len(files), 3)
	m, err := journal.Recall(dir)
	require.NoError(t, err)
	require.Len(t, m.Transfers, 50)

	for _, f := range files { // as if written on that day
		require.NoError(t, os.Chtimes(filepath.Join(dir, f.Name()), start, start))
	}
	now = start.Add(72 * time.Hour)
	j = open()
	require.Equal(t, want, j.Mark(), "the mark is carried from file to file")
	j.Wrote([]store.Written{{Instance: "one", Term: 4}})
	require.NoError(t, j.Close())
	files, err = os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, files, 1, "a new day began a new file, and the old ones had their time")
	j = open()
	want.Terms["one"] = 4
	require.Equal(t, want, j.Mark())
	require.NoError(t, j.Close())
}

// TestWritingGoesOn: lines of many at once are whole.
func TestWritingGoesOn(t *testing.T) {
	p := newPlace(t)
	p.run(func(s *store.Store) {
		done := make(chan error)
		for n := range 8 {
			go func() {
				var err error
				for i := range 20 {
					if err == nil {
						err = s.Create(context.WithoutCancel(t.Context()), start, &transfer.Transfer{ID: fmt.Sprint(n, "-", i), Direction: transfer.Send, Status: transfer.Stored})
					}
				}
				done <- err
			}()
		}
		for range 8 {
			require.NoError(t, <-done)
		}
	})
	m, err := journal.Recall(p.path("journal"))
	require.NoError(t, err)
	require.Len(t, m.Transfers, 160)
	require.Nil(t, p.runAs(true, nil))
}
