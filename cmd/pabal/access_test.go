package main

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// ordinary runs pabal as a user who is not root: as nobody where the test runs
// as root, else as who runs it.
func ordinary(t *testing.T) (dir string, uid int, pabal func(args ...string) (code int, said string)) {
	t.Helper()
	// Not t.TempDir: nobody else gets into that.
	dir, err := os.MkdirTemp("", "pabal-ordinary-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	self, err := os.Executable()
	require.NoError(t, err)
	program := filepath.Join(dir, "pabal")
	in, err := os.Open(self)
	require.NoError(t, err)
	defer in.Close()
	out, err := os.OpenFile(program, os.O_CREATE|os.O_WRONLY, 0o755)
	require.NoError(t, err)
	_, err = io.Copy(out, in)
	require.NoError(t, err)
	require.NoError(t, out.Close())
	require.NoError(t, os.Chmod(program, 0o755))
	require.NoError(t, os.Chmod(dir, 0o755))
	home := filepath.Join(dir, "home")
	require.NoError(t, os.Mkdir(home, 0o700))
	uid, gid := os.Getuid(), os.Getgid()
	if uid == 0 {
		nobody, err := user.Lookup("nobody")
		require.NoError(t, err)
		uid, err = strconv.Atoi(nobody.Uid)
		require.NoError(t, err)
		gid, err = strconv.Atoi(nobody.Gid)
		require.NoError(t, err)
		require.NoError(t, os.Chown(home, uid, gid))
	}
	return home, uid, func(args ...string) (int, string) {
		var said bytes.Buffer
		cmd := exec.CommandContext(t.Context(), program, args...)
		cmd.Dir, cmd.Stdout, cmd.Stderr = home, &said, &said
		cmd.Env = []string{"LC_ALL=C", "HOME=" + home, "PATH=/usr/bin:/bin"}
		if os.Getuid() == 0 {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
		}
		_ = cmd.Run() // its code is looked at
		return cmd.ProcessState.ExitCode(), said.String()
	}
}

// TestModesOfAnOrdinaryUser: what a service without rights of root makes, and
// what check says of what it cannot do or should not leave open.
func TestModesOfAnOrdinaryUser(t *testing.T) {
	dir, uid, pabal := ordinary(t)
	code, said := pabal("init", "site")
	require.Equal(t, exitOK, code, said)
	config := filepath.Join(dir, "site", "pabal.yaml")
	good, err := os.ReadFile(config)
	require.NoError(t, err)
	code, said = pabal("migrate", "-c", "site/pabal.yaml")
	require.Equal(t, exitOK, code, said)
	require.NoError(t, filepath.WalkDir(filepath.Join(dir, "site"), func(path string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := d.Info()
		require.NoError(t, err)
		require.Zero(t, info.Mode().Perm()&0o007, "%s %v", path, info.Mode())
		require.EqualValues(t, uid, info.Sys().(*syscall.Stat_t).Uid, path)
		return nil
	}))
	database := filepath.Join(dir, "site", "pabal.db")
	info, err := os.Stat(database)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode().Perm())

	me, err := user.LookupId(strconv.Itoa(uid))
	require.NoError(t, err)
	secret := filepath.Join(dir, "site", "key")
	require.NoError(t, os.WriteFile(secret, []byte(strings.Repeat("ab", 32)), 0o600))
	require.NoError(t, os.Chown(secret, uid, -1))
	scan := filepath.Join(dir, "site", "data", "scan")
	for _, tt := range []struct {
		name, more string
		before     func() error
		after      func() error
		says       string // "" = good
	}{
		{name: "as it is"},
		{name: "its own user", more: "access: { owner: " + me.Username + " }"},
		{name: "another's file", more: "access: { owner: root }", says: "access.owner: .* [command.cannot_give]"},
		{name: "another's group", more: "access: { mode: \"0640\", receive: { group: root } }", says: "access.receive.group: .* [command.cannot_give]"},
		{name: "no such user", more: "access: { backup: { owner: nonesuch } }", says: "access.backup.owner: .* [command.no_user]"},
		{name: "open to others", more: "access: { mode: \"0644\" }", says: "access.mode: .* [config.mode_open]"},
		{name: "database open", before: func() error { return os.Chmod(database, 0o604) }, after: func() error { return os.Chmod(database, 0o600) },
			says: "database.url: .* [command.open_database]"},
		{name: "database for a group", before: func() error { return os.Chmod(database, 0o660) }, after: func() error { return os.Chmod(database, 0o600) }},
		{name: "key", more: "KEY"},
		{name: "key open", more: "KEY", before: func() error { return os.Chmod(secret, 0o604) }, after: func() error { return os.Chmod(secret, 0o600) },
			says: "database.payload_keys[0]: .* [config.secret_open]"},
		{name: "key of somebody else", more: "KEY", before: func() error { return os.Chmod(secret, 0) }, after: func() error { return os.Chmod(secret, 0o600) },
			says: "database.payload_keys[0]: .* [config.secret_file]"},
		{name: "scan directory open", before: func() error { return os.Chmod(scan, 0o777) }, after: func() error { return os.Chmod(scan, 0o750) },
			says: "system.SCAN_DIRECTORY_NAME: .* [file.open_directory]"},
		{name: "work directory of somebody else", before: func() error { return os.Chmod(filepath.Join(dir, "site", "data", "work"), 0o500) },
			after: func() error { return os.Chmod(filepath.Join(dir, "site", "data", "work"), 0o750) }, says: "system.WORK_DIRECTORY_NAME: .* [file."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := string(good)
			if tt.more == "KEY" {
				text = strings.Replace(text, `"sqlite:pabal.db"`, `"sqlite:pabal.db", payload_keys: ["${file:key}"]`, 1)
			} else if tt.more != "" {
				text += "\n" + tt.more + "\n"
			}
			require.NoError(t, os.WriteFile(config, []byte(text), 0o600))
			if tt.before != nil {
				require.NoError(t, tt.before())
				defer func() { require.NoError(t, tt.after()) }()
			}
			code, said := pabal("check", "-c", "site/pabal.yaml")
			if tt.says == "" {
				require.Equal(t, exitOK, code, said)
				return
			}
			require.Equal(t, exitFailed, code, said)
			at, id, _ := strings.Cut(tt.says, ".*")
			require.Contains(t, said, at)
			require.Contains(t, said, strings.TrimSpace(id))
		})
	}
	_, err = os.Stat(filepath.Join(dir, "site", "data", "work", ".pabal-owner"))
	require.ErrorIs(t, err, fs.ErrNotExist)
}
