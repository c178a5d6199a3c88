package pgtest

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/internal/needs"
)

// started is the variable by which TestMain knows that it is to be a test
// process with a server, which says where that is and waits to be killed.
const started = "PABAL_PGTEST_STARTED"

func TestMain(m *testing.M) {
	if os.Getenv(started) == "" {
		os.Exit(m.Run())
	}
	var s Server
	err := s.make(os.Getenv("INITDB"))
	if err == nil {
		err = s.run(os.Getenv("POSTGRES"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(s.dir)
	fmt.Println(s.cmd.Process.Pid)
	_, _ = io.Copy(io.Discard, os.Stdin) // until it is killed, or who started it ends
	_ = s.Stop()
}

// TestLeftovers: the directory of a test process that was killed goes with the
// next server that is started, and nobody else's does.
func TestLeftovers(t *testing.T) {
	initdb, postgres := needs.Tool(t, "initdb"), needs.Tool(t, "postgres")
	temp := t.TempDir()
	require.NoError(t, os.Chmod(temp, 0o755)) // the server's account is another one than root's
	require.NoError(t, os.Chmod(filepath.Dir(temp), 0o755))
	t.Setenv("TMPDIR", temp)

	begin := func() (cmd *exec.Cmd, dir string, server int) {
		cmd = exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), started+"=1", "INITDB="+initdb, "POSTGRES="+postgres)
		cmd.Stderr = os.Stderr
		_, err := cmd.StdinPipe()
		require.NoError(t, err)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		in := bufio.NewScanner(out)
		require.True(t, in.Scan(), "it says nothing")
		dir = in.Text()
		require.True(t, in.Scan())
		server, err = strconv.Atoi(in.Text())
		require.NoError(t, err)
		return cmd, dir, server
	}
	killed, left, server := begin()
	_, beside, _ := begin()
	require.DirExists(t, left, "its process lives")
	require.NoError(t, killed.Process.Kill())
	_ = killed.Wait()
	for end := time.Now().Add(startTime); lives(server); { // the kernel ends it
		require.True(t, time.Now().Before(end), "the server does not end with its tests")
		pause := time.NewTimer(5 * time.Millisecond)
		<-pause.C
	}
	foreign := filepath.Join(temp, directories+"-of-others")
	require.NoError(t, os.Mkdir(foreign, 0o755))

	var s Server
	t.Cleanup(func() { require.NoError(t, s.Stop()) })
	s.URL(t)
	require.NoDirExists(t, left)
	require.DirExists(t, beside, "its process lives")
	require.DirExists(t, foreign, "nobody says whose it is")
	ours := s.dir
	require.NoError(t, s.Stop())
	require.NoDirExists(t, ours)
}

// TestLeftoverServes: a server that has outlived its tests keeps its directory
// until it ends.
func TestLeftoverServes(t *testing.T) {
	temp := t.TempDir()
	dir, owner, err := newDirectory(temp)
	require.NoError(t, err)
	require.NoError(t, owner.Close()) // as if the process had ended
	require.NoError(t, os.Mkdir(filepath.Join(dir, "data"), 0o755))
	at := filepath.Join(dir, "data", "postmaster.pid")
	require.NoError(t, os.WriteFile(at, []byte(strings.Join([]string{strconv.Itoa(os.Getpid()), "data"}, "\n")), 0o644))
	other, lives, err := newDirectory(temp)
	require.NoError(t, err)
	defer lives.Close()
	require.DirExists(t, dir)
	require.DirExists(t, other)
	require.NoError(t, os.WriteFile(at, []byte("2147483647\n"), 0o644)) // nobody's number
	_, third, err := newDirectory(temp)
	require.NoError(t, err)
	defer third.Close()
	require.NoDirExists(t, dir)
	require.DirExists(t, other)
}
