package pgtest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Pair is a server and a standby that follows it by streaming replication, both
// on loopback. They end with the test.
type Pair struct{ Primary, Standby *Server }

// NewPair starts both. With synchronous the primary answers a commit when the
// standby has it on disk; without, the standby comes after.
func NewPair(t testing.TB, synchronous bool) *Pair {
	t.Helper()
	initdb, postgres := program(t, "initdb"), program(t, "postgres")
	if given := os.Getenv(Variable); given != "" {
		(&Server{given: given}).ours(t)
	}
	p := &Pair{Primary: &Server{started: true, port: freePort(t)}, Standby: &Server{started: true, port: freePort(t)}}
	t.Cleanup(func() {
		check(t, p.Standby.Stop())
		check(t, p.Primary.Stop())
	})
	check(t, p.Primary.make(initdb))
	check(t, p.Standby.home())
	// A server that has never run is copied like any directory.
	data := filepath.Join(p.Standby.dir, "data")
	check(t, os.CopyFS(data, os.DirFS(filepath.Join(p.Primary.dir, "data"))))
	follow := fmt.Sprintf("primary_conninfo = 'host=127.0.0.1 port=%s user=%s'\n", p.Primary.port, superuser)
	check(t, os.WriteFile(filepath.Join(data, "standby.signal"), nil, 0o600))
	check(t, os.WriteFile(filepath.Join(data, "postgresql.auto.conf"), []byte(follow), 0o600))
	check(t, filepath.WalkDir(data, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		mode := os.FileMode(0o600)
		if entry.IsDir() {
			mode = 0o700
		}
		if account := p.Standby.account; account != nil {
			if err := os.Chown(path, int(account.Uid), int(account.Gid)); err != nil {
				return err
			}
		}
		return os.Chmod(path, mode)
	}))
	check(t, p.Primary.run(postgres))
	check(t, p.Standby.run(postgres))
	want := "async"
	if synchronous {
		want = "sync"
		p.Primary.Admin(t, "ALTER SYSTEM SET synchronous_standby_names = '*'")
		p.Primary.Admin(t, "SELECT pg_reload_conf()")
	}
	p.until(t, "the standby does not follow", func() bool {
		return p.Primary.Admin(t, "SELECT sync_state FROM pg_stat_replication WHERE state = 'streaming'") == want
	})
	return p
}

// URL makes a new, empty database and returns an address that names both
// servers and wants the one that can be written to.
func (p *Pair) URL(t testing.TB) string {
	t.Helper()
	u := p.Primary.URL(t)
	database := u[strings.LastIndexByte(u, '/')+1:]
	return fmt.Sprintf("postgres://%s@127.0.0.1:%s,127.0.0.1:%s/%s?target_session_attrs=read-write", superuser, p.Primary.port, p.Standby.port, database)
}

// Address is that of one of the two, from the address of both.
func (p *Pair) Address(t testing.TB, s *Server, both string) string {
	t.Helper()
	both, _, _ = strings.Cut(both, "?")
	return s.address(both[strings.LastIndexByte(both, '/')+1:])
}

// Fail kills the primary as the kernel does that has no memory left, and makes
// the standby the one that can be written to.
func (p *Pair) Fail(t testing.TB) {
	t.Helper()
	p.Primary.Crash(t)
	p.Promote(t)
}

// Promote makes the standby the one that can be written to. Nobody follows it.
func (p *Pair) Promote(t testing.TB) {
	t.Helper()
	p.Standby.Admin(t, "SELECT pg_promote(true, 120)")
}

// CatchUp waits until the standby has everything that was written.
func (p *Pair) CatchUp(t testing.TB) {
	t.Helper()
	at := p.Primary.Admin(t, "SELECT pg_current_wal_flush_lsn()")
	p.until(t, "the standby does not catch up", func() bool {
		return p.Standby.Admin(t, "SELECT pg_last_wal_replay_lsn() >= '"+at+"'") == "t"
	})
}

// Admin is SQL in the database of administrators.
func (s *Server) Admin(t testing.TB, text string) string {
	t.Helper()
	return s.SQL(t, s.address("postgres"), text)
}

// Freeze stops all processes of the server where they are. Thaw lets them go
// on.
func (s *Server) Freeze(t testing.TB) { s.signalAll(t, syscall.SIGSTOP) }

// Thaw undoes Freeze.
func (s *Server) Thaw(t testing.TB) { s.signalAll(t, syscall.SIGCONT) }

func (s *Server) signalAll(t testing.TB, signal syscall.Signal) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, pid := range append([]int{s.cmd.Process.Pid}, childrenOf(s.cmd.Process.Pid)...) {
		check(t, syscall.Kill(pid, signal))
	}
}

func (p *Pair) until(t testing.TB, what string, done func() bool) {
	t.Helper()
	pause := 10 * time.Millisecond
	for end := time.Now().Add(2 * startTime); !done(); pause = min(pause*5/4, 200*time.Millisecond) { // each look costs a process
		if time.Now().After(end) {
			said, _ := os.ReadFile(filepath.Join(p.Standby.dir, "log"))
			t.Fatalf("pgtest: %s: %s", what, said)
		}
		<-time.After(pause)
	}
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	check(t, err)
	return port
}
