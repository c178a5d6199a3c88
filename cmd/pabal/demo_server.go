package main

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"pabal/internal/fault"
)

// child is the server: "pabal run" as a process of its own, so that it can be
// killed without asking it.
type child struct {
	cmd   *exec.Cmd
	pid   int
	ready chan struct{} // closed when it says so
	ended chan struct{} // closed when the process is gone
	err   error         // how it ended, after ended
	asked atomic.Bool   // we ended it
	log   string
}

// startServer starts the server of a workspace and waits until it is ready.
func startServer(ctx context.Context, w *workspace) (*child, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	out, err := os.OpenFile(w.serverLog(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return nil, fault.New(codeCannotWrite, w.serverLog()).Because(err)
	}
	defer out.Close()
	c := &child{ready: make(chan struct{}), ended: make(chan struct{}), log: w.serverLog()}
	c.cmd = exec.Command(program, "run", "--json", "-c", w.config())
	c.cmd.Args[0] = os.Args[0] // it is called as we are
	c.cmd.Dir = w.dir
	c.cmd.Stderr = out
	c.cmd.SysProcAttr = childAttributes()
	said, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	started := make(chan error, 1)
	go func() {
		// The kernel ends the child when the thread that made it is gone, so
		// this thread lives as long as the child.
		runtime.LockOSThread()
		err := c.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		first := true
		lines := bufio.NewScanner(said)
		for lines.Scan() {
			var line struct {
				Event string `json:"event"`
			}
			if first && json.Unmarshal(lines.Bytes(), &line) == nil && line.Event == "ready" {
				first = false
				close(c.ready)
			}
		}
		c.err = c.cmd.Wait()
		close(c.ended)
	}()
	if err := <-started; err != nil {
		return nil, fault.New(codeDemoServer, program, "log", c.log, "why", err).Because(err)
	}
	c.pid = c.cmd.Process.Pid
	select {
	case <-c.ready:
		return c, nil
	case <-c.ended:
		return nil, c.failure()
	case <-ctx.Done():
		c.stop()
		return nil, ctx.Err()
	}
}

// failure says why the server is gone though nobody ended it.
func (c *child) failure() error {
	why := "?"
	if c.err != nil {
		why = c.err.Error()
	}
	if said := lastLines(c.log, 3); said != "" {
		why += "\n" + said
	}
	return fault.New(codeDemoServer, "pabal run (pid "+strconv.Itoa(c.pid)+")", "log", c.log, "why", why)
}

// kill ends the server as a power cut would, and waits until it is gone.
func (c *child) kill() {
	c.asked.Store(true)
	_ = c.cmd.Process.Kill()
	<-c.ended
}

// stop lets the server finish what is on the line. One that takes too long is
// asked again, then killed.
func (c *child) stop() {
	c.asked.Store(true)
	for _, patience := range []time.Duration{10 * time.Second, 2 * time.Second} {
		_ = c.cmd.Process.Signal(syscall.SIGTERM)
		limit := time.NewTimer(patience)
		select {
		case <-c.ended:
			limit.Stop()
			return
		case <-limit.C:
		}
	}
	c.kill()
}
