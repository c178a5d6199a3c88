package pgtest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"pabal/internal/needs"
)

// Pooler starts PgBouncer before this server and returns the address of the
// database behind it. mode is its pool_mode; settings are further lines of its
// configuration. It ends with the test.
func (s *Server) Pooler(t testing.TB, address, mode string, settings ...string) string {
	t.Helper()
	program := needs.Tool(t, "pgbouncer")
	s.ours(t)
	database := Database(t, address)
	dir, err := os.MkdirTemp("", "pooler") // a test's own may be too long for a socket
	check(t, err)
	t.Cleanup(func() { check(t, os.RemoveAll(dir)) })
	var text bytes.Buffer
	fmt.Fprintf(&text, "[databases]\n%s = host=%s port=5432 user=%s\n[pgbouncer]\npool_mode = %s\n", database, filepath.Join(s.dir, "s"), superuser, mode)
	fmt.Fprintf(&text, "listen_port = 5432\nunix_socket_dir = %s\nauth_type = any\ndefault_pool_size = 40\n", dir)
	for _, line := range settings {
		fmt.Fprintln(&text, line)
	}
	file, said := filepath.Join(dir, "pgbouncer.ini"), filepath.Join(dir, "log")
	check(t, os.WriteFile(file, text.Bytes(), 0o600))
	logs, err := os.Create(said)
	check(t, err)
	defer logs.Close()
	if account := s.account; account != nil { // it does not run as root either
		for _, path := range []string{dir, file} {
			check(t, os.Chown(path, int(account.Uid), int(account.Gid)))
		}
	}
	cmd := s.command(program, file)
	cmd.Stdout, cmd.Stderr = logs, logs
	check(t, cmd.Start())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // it ends by a signal
	}()
	t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Error(err)
		}
		select {
		case <-ended:
		case <-time.After(startTime):
			t.Error("pgtest: the pooler does not end")
		}
	})
	for end := time.Now().Add(startTime); ; {
		// The socket is there a moment before anybody listens on it.
		if conn, err := net.Dial("unix", filepath.Join(dir, socketName)); err == nil {
			check(t, conn.Close())
			break
		}
		select {
		case <-ended:
			text, _ := os.ReadFile(said)
			t.Fatalf("pgtest: the pooler ended at once: %s", text)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(end) {
			t.Fatal("pgtest: the pooler does not answer")
		}
	}
	return SocketURL(dir, database)
}
