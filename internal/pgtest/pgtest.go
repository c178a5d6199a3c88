// Package pgtest starts a private PostgreSQL server for the tests of one test
// binary, from the programs that Debian's package postgresql brings. It keeps
// its data in a temporary directory, speaks on a socket there and nowhere
// else, and ends with the test process. Nothing of it touches a server that
// runs on the machine already.
package pgtest

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pabal/internal/needs"
)

// Variable names a server to use instead of starting one: an address like
// postgres://user@host/database of a user who may create databases. Tests that
// stop the server do not run with it.
const Variable = "PABAL_TEST_POSTGRES"

// Programs names the directory of the programs initdb and postgres that are
// started, instead of those of Debian's package: another version's. Clients
// like psql stay the package's.
const Programs = "PABAL_TEST_POSTGRES_BIN"

// startTime is how long a server may take to start or to stop.
const startTime = 3 * time.Minute

// Server is a server that starts when it is first needed. A test binary has
// one: its TestMain calls Stop at the end. It syncs every commit to the disk,
// as a server in production does.
type Server struct {
	mu      sync.Mutex
	started bool
	broken  error
	given   string // the address in Variable
	port    string // on loopback as well; "" = the socket alone
	dir     string
	owner   *os.File // locked as long as the directory is in use
	cmd     *exec.Cmd
	ended   chan struct{}
	account *syscall.Credential
	n       int

	once     sync.Once
	template string // the database that Prepared copies
	prepared error
	clear    string   // makes a copy's rows again what the template's are
	shape    string   // of the template
	spare    []string // copies that tests have done with
}

// URL makes a new, empty database and returns its address. The test is skipped
// where PostgreSQL is not installed.
func (s *Server) URL(t testing.TB) string { return s.Copy(t, "") }

// Copy is URL with a copy of another database of this server, to which nobody
// may be connected. Empty means the server's own empty one.
func (s *Server) Copy(t testing.TB, template string) string {
	t.Helper()
	s.start(t)
	s.mu.Lock()
	s.n++
	name := fmt.Sprintf("pabal_%d_%d", os.Getpid(), s.n)
	s.mu.Unlock()
	from := "template0"
	if template != "" {
		u, err := url.Parse(template)
		check(t, err)
		from = strings.TrimPrefix(u.Path, "/")
	}
	s.SQL(t, s.address("postgres"), fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s", name, from))
	if s.given != "" {
		t.Cleanup(func() { s.SQL(t, s.address("postgres"), "DROP DATABASE "+name) })
	}
	return s.address(name)
}

// Prepared is URL with a database as prepare has filled it: a copy, or one that an
// earlier test has done with and that is as the copy was (see lend.go). prepare
// runs once for each server of ours and must close its connections. On a server in
// Variable, where nothing would be cleared away, the database is empty, so who uses
// it prepares it again.
func (s *Server) Prepared(t testing.TB, prepare func(address string) error) string {
	t.Helper()
	s.start(t)
	if s.given != "" {
		return s.URL(t)
	}
	s.once.Do(func() {
		s.template = s.URL(t)
		if s.prepared = prepare(s.template); s.prepared == nil {
			s.prepared = s.describe(t)
		}
	})
	check(t, s.prepared)
	address := s.lent()
	if address == "" {
		address = s.Copy(t, s.template)
	}
	t.Cleanup(func() { s.takeBack(t, address) })
	return address
}

// SQL runs statements through psql, as an administrator would, and returns
// what it printed, without headings.
func (s *Server) SQL(t testing.TB, address, text string) string {
	t.Helper()
	out, err := s.psql(t, address, text)
	check(t, err)
	return out
}

func (s *Server) psql(t testing.TB, address, text string) (string, error) {
	cmd := exec.Command(needs.Tool(t, "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", address, "-c", text)
	var out, failed bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &failed
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("psql %q: %w: %s", text, err, failed.String())
	}
	return strings.TrimSpace(out.String()), nil
}

// Socket is the path of the server's socket, for tests that stand between it
// and its client. It skips the test where the server is not ours.
func (s *Server) Socket(t testing.TB) string {
	t.Helper()
	s.start(t)
	s.ours(t)
	return filepath.Join(s.dir, "s", socketName)
}

// SocketURL is the address of a database behind another socket, which must be
// called socketName in its directory.
func SocketURL(directory, database string) string {
	return "postgres:///" + database + "?" + url.Values{"host": {directory}, "user": {superuser}}.Encode()
}

// Database is the name of the database in an address.
func Database(t testing.TB, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	check(t, err)
	return strings.TrimPrefix(u.Path, "/")
}

const (
	superuser  = "pabal"
	socketName = ".s.PGSQL.5432"
)

// Kill ends the server as a crash does: nothing is written any more.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	s.ours(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	check(t, s.end(syscall.SIGQUIT))
}

// Crash kills the server and all that it started with a signal that none of
// them hears of, as the kernel does that has no memory left.
func (s *Server) Crash(t testing.TB) {
	t.Helper()
	s.ours(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	children := childrenOf(s.cmd.Process.Pid)
	check(t, s.end(syscall.SIGKILL)) // first, so that it starts no others
	for _, pid := range children {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			t.Fatal(err)
		}
	}
	for end := time.Now().Add(startTime); slices.ContainsFunc(children, lives); {
		if time.Now().After(end) {
			t.Fatal("pgtest: a process of the killed server does not end")
		}
		pause := time.NewTimer(5 * time.Millisecond)
		<-pause.C
	}
}

// Again starts the server again after Kill or Crash.
func (s *Server) Again(t testing.TB) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	check(t, s.run(program(t, "postgres")))
}

// program is the path of one of the server's programs. A directory that was
// named and does not have it fails the test: nothing else was meant.
func program(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv(Programs)
	if dir == "" {
		return needs.Tool(t, name)
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s: %v", Programs, err)
	}
	return path
}

func (s *Server) ours(t testing.TB) {
	t.Helper()
	if s.given != "" {
		t.Skipf("needs a server of its own: unset %s", Variable)
	}
}

// Stop ends the server and removes its data.
func (s *Server) Stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.end(syscall.SIGQUIT) // its data is of no use to anybody
	if s.dir != "" {
		err = errors.Join(err, os.RemoveAll(s.dir))
	}
	if s.owner != nil {
		err = errors.Join(err, s.owner.Close())
		s.owner = nil
	}
	return err
}

func (s *Server) address(database string) string {
	if s.given == "" {
		if s.port != "" {
			return "postgres://" + superuser + "@127.0.0.1:" + s.port + "/" + database
		}
		return SocketURL(filepath.Join(s.dir, "s"), database)
	}
	u, err := url.Parse(s.given)
	if err != nil {
		return s.given
	}
	u.Path = "/" + database
	return u.String()
}

func (s *Server) start(t testing.TB) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if given := os.Getenv(Variable); s.given != given { // written once: parallel tests read it
		s.given = given
	}
	if s.given != "" {
		return
	}
	initdb, postgres := program(t, "initdb"), program(t, "postgres")
	if !s.started {
		s.started = true
		s.broken = s.make(initdb)
		if s.broken == nil {
			s.broken = s.run(postgres)
		}
	}
	check(t, s.broken)
}

// make makes the data directory.
func (s *Server) make(initdb string) error {
	if err := s.home(); err != nil {
		return err
	}
	cmd := s.command(initdb, "-D", filepath.Join(s.dir, "data"), "-U", superuser, "-A", "trust",
		"-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	return nil
}

// home makes the server's directory. PostgreSQL refuses to run as root, so root
// lets somebody else do it.
func (s *Server) home() error {
	dir, owner, err := newDirectory(os.TempDir())
	s.dir, s.owner = dir, owner
	if err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(dir, "s"), 0o755); err != nil {
		return err
	}
	if os.Geteuid() == 0 {
		if s.account, err = unprivileged(); err != nil {
			return err
		}
		for _, d := range []string{dir, filepath.Join(dir, "s")} {
			if err := os.Chown(d, int(s.account.Uid), int(s.account.Gid)); err != nil {
				return err
			}
		}
	}
	return nil
}

// unprivileged is the account of the package, or else nobody's.
func unprivileged() (*syscall.Credential, error) {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return nil, err
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
	}
	return nil, errors.New("pgtest: root finds no user postgres or nobody to run the server as")
}

func (s *Server) command(path string, args ...string) *exec.Cmd {
	cmd := exec.Command(path, args...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "HOME="+s.dir)
	cmd.SysProcAttr = lonely(s.account)
	return cmd
}

func (s *Server) run(postgres string) error {
	logs, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return err
	}
	defer logs.Close()
	listen, port := "", "5432"
	if s.port != "" {
		listen, port = "127.0.0.1", s.port
	}
	s.cmd = s.command(postgres, "-D", filepath.Join(s.dir, "data"), "-k", filepath.Join(s.dir, "s"),
		"-c", "listen_addresses="+listen, "-c", "port="+port, "-c", "max_connections=200", "-c", "shared_buffers=128MB",
		"-c", "max_wal_size=2GB", "-c", "timezone=UTC", "-c", "lc_messages=C", "-c", "log_min_messages=warning")
	s.cmd.Stdout, s.cmd.Stderr = logs, logs
	if err := s.cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	s.ended = ended
	go func(cmd *exec.Cmd) {
		defer close(ended)
		_ = cmd.Wait() // it ends by a signal
	}(s.cmd)
	for end := time.Now().Add(startTime); ; {
		if answers(filepath.Join(s.dir, "data"), s.cmd.Process.Pid) {
			return nil
		}
		select {
		case <-ended:
			return s.failed("ended at once")
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(end) {
			return errors.Join(s.failed("does not answer"), s.end(syscall.SIGQUIT))
		}
	}
}

// answers reports that the server says in its file that it is ready, or a
// standby that can be read. One that crashed leaves its own there.
func answers(data string, pid int) bool {
	text, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if err != nil {
		return false
	}
	lines := strings.Split(string(text), "\n")
	return len(lines) > 7 && strings.TrimSpace(lines[0]) == strconv.Itoa(pid) &&
		slices.Contains([]string{"ready", "standby"}, strings.TrimSpace(lines[7]))
}

func (s *Server) failed(how string) error {
	said, err := os.ReadFile(filepath.Join(s.dir, "log"))
	return errors.Join(fmt.Errorf("pgtest: the server %s: %s", how, said), err)
}

func (s *Server) end(signal syscall.Signal) error {
	if s.cmd == nil {
		return nil
	}
	_ = s.cmd.Process.Signal(syscall.SIGCONT) // it may be frozen
	if err := s.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-s.ended:
	case <-time.After(startTime):
		return errors.New("pgtest: the server does not end")
	}
	s.cmd = nil
	return nil
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
