package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"pabal/internal/fault"
	"pabal/internal/loopback"
)

// rival is a way to carry files that others have written. None of them knows
// what has arrived, and none syncs unless said.
type rival struct {
	name  string
	needs []string // programs
	// serve starts the server in dir and returns how one process sends files,
	// and how to end the server.
	serve func(ctx context.Context, dir string, tools map[string]string) (send func(ctx context.Context, files []string) *exec.Cmd, stop func(), err error)
}

func (b *bench) rivals() []rival {
	if !b.wants(partBig) && !b.wants(partSmall) {
		return nil
	}
	return []rival{
		{"sftp, sshd", []string{"sftp", "sshd", "ssh-keygen"}, serveSFTP},
		{"curl, vsftpd", []string{"curl", "vsftpd"}, serveFTP},
	}
}

// compare runs the rivals over the same files.
func (b *bench) compare(ctx context.Context, rivals []rival, report *benchReport) error {
	report.Others = []benchOther{}
	for _, r := range rivals {
		b.bar.begin(r.name)
		o := benchOther{Name: r.name}
		err := b.race(ctx, r, &o)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		said := ""
		if err != nil {
			o.Big, o.Small = nil, nil
			o.LeftOut, _ = b.a.cat.Sentence(b.a.language(), err)
			said = o.LeftOut
		} else {
			said = b.a.text("ui.bench.done")
		}
		b.bar.end(said)
		report.Others = append(report.Others, o)
	}
	return nil
}

func (b *bench) race(ctx context.Context, r rival, o *benchOther) error {
	tools := map[string]string{}
	for _, name := range r.needs {
		path, err := exec.LookPath(name)
		if err != nil { // servers are seldom on a user's path
			if path, err = exec.LookPath("/usr/sbin/" + name); err != nil {
				return fault.New(codeBenchNotThere, name)
			}
		}
		tools[name] = path
	}
	dir, err := os.MkdirTemp(b.dir, "other-")
	if err != nil {
		return fault.New(codeCannotWrite, b.dir).Because(err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // the directory above goes at the end
	send, stop, err := r.serve(ctx, dir, tools)
	if err != nil {
		return fault.New(codeBenchRival, r.name, "why", err).Because(err)
	}
	defer stop()
	for _, one := range []struct {
		part     string
		sessions int
		into     **benchSpread
		value    func(benchTaken) float64
	}{{partBig, 1, &o.Big, benchTaken.mbPerSecond}, {partSmall, b.settings.Sessions, &o.Small, benchTaken.filesPerSecond}} {
		if !b.wants(one.part) {
			continue
		}
		var all []benchTaken
		for range b.settings.Runs {
			t, err := b.raceOnce(ctx, filepath.Join(b.dir, one.part), one.sessions, dir, send)
			if err != nil {
				return fault.New(codeBenchRival, r.name, "why", err).Because(err)
			}
			all = append(all, t)
		}
		*one.into = spread(all, one.value)
	}
	return nil
}

// raceOnce shares the files out to as many processes as there are sessions.
// Starting them and logging in is part of the time.
func (b *bench) raceOnce(ctx context.Context, source string, sessions int, dir string, send func(context.Context, []string) *exec.Cmd) (t benchTaken, err error) {
	files, err := filesIn(source)
	if err != nil {
		return t, err
	}
	shares := make([][]string, min(sessions, len(files)))
	for n, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			return t, err
		}
		t.Files, t.Bytes = t.Files+1, t.Bytes+info.Size()
		shares[n%len(shares)] = append(shares[n%len(shares)], f)
	}
	syscall.Sync()
	began := time.Now()
	var all errgroup.Group
	for _, share := range shares {
		all.Go(func() error {
			cmd := send(ctx, share)
			var said bytes.Buffer
			cmd.Stdout, cmd.Stderr = &said, &said
			if err := cmd.Run(); err != nil {
				return fmt.Errorf("%s: %w: %s", filepath.Base(cmd.Path), err, strings.TrimSpace(said.String()))
			}
			return nil
		})
	}
	err = all.Wait()
	t.Seconds = time.Since(began).Seconds()
	var arrived int64
	for _, f := range files {
		path := filepath.Join(dir, "taken", filepath.Base(f))
		if info, err := os.Stat(path); err == nil {
			arrived += info.Size()
		}
		_ = os.Remove(path) // the next run writes it again
	}
	if err == nil && arrived != t.Bytes {
		err = fmt.Errorf("%d of %d bytes arrived", arrived, t.Bytes)
	}
	return t, err
}

// startRival starts a server and waits until it answers.
func startRival(ctx context.Context, address string, cmd *exec.Cmd) (stop func(), err error) {
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.SysProcAttr = childAttributes()
	ended := make(chan struct{})
	started := make(chan error, 1)
	go func() {
		defer close(ended)
		_ = startedThenWait(cmd, started)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	stop = func() { _ = cmd.Process.Kill(); <-ended }
	limit := time.After(5 * time.Second)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		if c, err := net.Dial("tcp", address); err == nil {
			return stop, c.Close()
		}
		select {
		case <-again.C:
		case <-ended:
			return nil, fmt.Errorf("%s: %s", filepath.Base(cmd.Path), strings.TrimSpace(said.String()))
		case <-limit:
			stop()
			return nil, fmt.Errorf("%s: %s", filepath.Base(cmd.Path), strings.TrimSpace(said.String()))
		case <-ctx.Done():
			stop()
			return nil, ctx.Err()
		}
	}
}

func serveSFTP(ctx context.Context, dir string, tools map[string]string) (func(context.Context, []string) *exec.Cmd, func(), error) {
	address, err := new(loopback.Addresses).Free()
	if err != nil {
		return nil, nil, err
	}
	_, port, _ := net.SplitHostPort(address)
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, key := range []string{"host", "user"} {
		if out, err := exec.CommandContext(ctx, tools["ssh-keygen"], "-q", "-t", "ed25519", "-N", "", "-f", at(key)).CombinedOutput(); err != nil {
			return nil, nil, fmt.Errorf("ssh-keygen: %w: %s", err, out)
		}
	}
	text := fmt.Sprintf("ListenAddress 127.0.0.1\nPort %s\nHostKey %s\nAuthorizedKeysFile %s\nPidFile none\nUsePAM no\nStrictModes no\n"+
		"PermitRootLogin yes\nPasswordAuthentication no\nMaxStartups 100\nSubsystem sftp internal-sftp\n", port, at("host"), at("user.pub"))
	if err := os.WriteFile(at("sshd_config"), []byte(text), 0o600); err != nil {
		return nil, nil, err
	}
	if err := os.Mkdir(at("taken"), 0o750); err != nil {
		return nil, nil, err
	}
	stop, err := startRival(ctx, address, exec.Command(tools["sshd"], "-D", "-e", "-f", at("sshd_config")))
	if err != nil {
		return nil, nil, err
	}
	return func(ctx context.Context, files []string) *exec.Cmd {
		var batch strings.Builder
		for _, f := range files {
			fmt.Fprintf(&batch, "put %q %q\n", f, filepath.Join(at("taken"), filepath.Base(f)))
		}
		cmd := exec.CommandContext(ctx, tools["sftp"], "-q", "-b", "-", "-P", port, "-i", at("user"), "-o", "IdentitiesOnly=yes",
			"-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "127.0.0.1")
		cmd.Stdin = strings.NewReader(batch.String())
		return cmd
	}, stop, nil
}

func serveFTP(ctx context.Context, dir string, tools map[string]string) (func(context.Context, []string) *exec.Cmd, func(), error) {
	address, err := new(loopback.Addresses).Free()
	if err != nil {
		return nil, nil, err
	}
	_, port, _ := net.SplitHostPort(address)
	taken := filepath.Join(dir, "taken")
	if err := os.Mkdir(taken, 0o750); err != nil {
		return nil, nil, err
	}
	me, err := user.Current()
	if err != nil {
		return nil, nil, err
	}
	empty := filepath.Join(dir, "empty")
	if err := os.Mkdir(empty, 0o550); err != nil {
		return nil, nil, err
	}
	text := fmt.Sprintf("listen=YES\nlisten_address=127.0.0.1\nlisten_port=%s\nbackground=NO\nanonymous_enable=YES\nno_anon_password=YES\n"+
		"anon_root=%s\nwrite_enable=YES\nanon_upload_enable=YES\nrun_as_launching_user=YES\nallow_writeable_chroot=YES\nseccomp_sandbox=NO\n"+
		"connect_from_port_20=NO\npasv_address=127.0.0.1\nftp_username=%[3]s\nnopriv_user=%[3]s\nsecure_chroot_dir=%[4]s\n",
		port, dir, me.Username, empty)
	conf := filepath.Join(dir, "vsftpd.conf")
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return nil, nil, err
	}
	stop, err := startRival(ctx, address, exec.Command(tools["vsftpd"], conf))
	if err != nil {
		return nil, nil, err
	}
	return func(ctx context.Context, files []string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, tools["curl"], "-sS", "--fail", "-K", "-")
		var list strings.Builder
		for _, f := range files {
			fmt.Fprintf(&list, "upload-file = %q\nurl = \"ftp://%s/taken/%s\"\n", f, address, filepath.Base(f))
		}
		cmd.Stdin = strings.NewReader(list.String())
		return cmd
	}, stop, nil
}
