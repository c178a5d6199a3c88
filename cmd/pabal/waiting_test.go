package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/config"
	"pabal/control"
	"pabal/store"
	"pabal/transfer"
)

// TestStatusSaysWhoIsWaitedFor: while the instance that looks into the scan
// directory does not run, status says that nobody does, and where.
func TestStatusSaysWhoIsWaitedFor(t *testing.T) {
	t.Setenv("LC_ALL", "C")
	_, config := yard(t, centreSide("sqlite:pabal.db", "\ninstances: [ { id: instance_A, listen: [{ address: \"127.0.0.1:0\", profile: cms }] } ]\n"))
	s := serve(t, config, "instance_A")
	_, out, _ := start(t, "status", "-c", config)
	require.NotContains(t, out, "waiting for place")
	require.NoError(t, s.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, s.cmd.Wait())
	code, out, errs := start(t, "status", "-c", config)
	require.Equal(t, exitOK, code, errs)
	require.Contains(t, out, "waiting for place one: nobody looks into the scan directory until instance_A runs")
	_, out, _ = start(t, "status", "-c", config, "--json")
	require.Contains(t, out, `"waiting":[{"stage":"scan","place":"one","instances":["instance_A"],"transfers":0`)
}

// TestStatusSaysQuarantine: a database that was put back stands above
// everything else that status shows.
func TestStatusSaysQuarantine(t *testing.T) {
	t.Setenv("LC_ALL", "C")
	dir, config := yard(t, centreSide("sqlite:pabal.db", "\ninstances: [ { id: instance_A, listen: [{ address: \"127.0.0.1:0\", profile: cms }] } ]\n"))
	code, _, errs := start(t, "migrate", "-c", config)
	require.Equal(t, exitOK, code, errs)
	st, err := store.Open(t.Context(), store.Options{URL: "sqlite:" + filepath.Join(dir, "pabal.db")})
	require.NoError(t, err)
	require.NoError(t, st.SetMeta(t.Context(), "quarantine", `{"id":"q","place":"one","why":"older_event"}`))
	require.NoError(t, st.Close())
	code, out, errs := start(t, "status", "-c", config)
	require.Equal(t, exitOK, code, errs)
	require.Regexp(t, `(?s)store.quarantined.*pabal recover.*Instances:`, out)
	_, out, _ = start(t, "status", "-c", config, "--json")
	require.Contains(t, out, `"quarantine":{"id":"q"`)
}

// TestTroubleWithDirectories: what is not there, and file systems that are
// nearly full, each once.
func TestTroubleWithDirectories(t *testing.T) {
	a, err := newApp(nil, io.Discard, io.Discard)
	require.NoError(t, err)
	dir := t.TempDir()
	at := func(name string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.Mkdir(path, 0o700))
		return path
	}
	cfg := &config.Config{Database: config.Database{URL: "sqlite:" + filepath.Join(at("db"), "pabal.db")},
		System: config.System{Scan: at("scan"), Work: at("work"), Receive: filepath.Join(dir, "none")}}
	free := map[string]room{"db": {free: 0, size: 20 << 20}, "work": {free: 99 << 20, size: 100 << 20}, "scan": {free: 0, size: 20 << 20}}
	look := func(path string) (room, error) { return free[filepath.Base(path)], nil }
	got := a.trouble(cfg, look)
	require.Len(t, got, 2)
	require.Equal(t, "command.disk_low", got[0].Failure.Code)
	require.Equal(t, filepath.Join(dir, "db"), got[0].Path)
	require.Equal(t, "file.dir_missing", got[1].Failure.Code)
	free["db"], free["scan"] = room{free: 20 << 30, size: 1000 << 30}, room{free: 2 << 20, size: 10 << 20}
	require.Len(t, a.trouble(cfg, look), 1, "a fiftieth of a large disk is room enough")
	free["backup"] = room{free: 0, size: 30 << 20}
	require.Len(t, a.trouble(cfg, look), 1, "it is made when it is first needed")
	at("backup")
	require.Len(t, a.trouble(cfg, look), 2)
	here, err := roomOf(dir)
	require.NoError(t, err)
	require.Positive(t, here.size)
}

// TestCheckSaysThatItCouldNotLook: a host's own file is proven together with
// the active version; one that cannot be read is not told as none.
func TestCheckSaysThatItCouldNotLook(t *testing.T) {
	t.Setenv("LC_ALL", "C")
	dir := t.TempDir()
	file := filepath.Join(dir, "host.yaml")
	text := "environment: test\nhost: one\nsystem: { SCAN_DIRECTORY_NAME: s, WORK_DIRECTORY_NAME: w, RECEIVE_DIRECTORY_NAME: r }\nruns: [{instance: instance_A}]\n"
	for _, name := range []string{"s", "w", "r"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, name), 0o700))
	}
	require.NoError(t, os.WriteFile(file, []byte(text+"database: { url: \"postgres://pabal@127.0.0.1:1/pabal\" }\n"), 0o600))
	code, out, errs := start(t, "check", "-c", file)
	require.Equal(t, exitOK, code, errs)
	require.Contains(t, out, "could not be read")
	require.Contains(t, out, "[store.unreachable]")
	require.NotContains(t, out, "none is active yet")
	_, out, _ = start(t, "check", "-c", file, "--json")
	require.Contains(t, out, `"version_unread":"store.unreachable"`)
	require.NoError(t, os.WriteFile(file, []byte(text+"database: { url: \"sqlite:pabal.db\" }\n"), 0o600))
	_, out, _ = start(t, "check", "-c", file)
	require.Contains(t, out, "none is active yet")
}

// TestStatusNamesFilesThatAreNotTaken: of what lies in the scan directory and is
// not taken nothing stands in the database.
func TestStatusNamesFilesThatAreNotTaken(t *testing.T) {
	t.Setenv("LC_ALL", "C")
	dir, file := yard(t, centreSide("sqlite:pabal.db", "\ninstances: [ { id: instance_A, listen: [{ address: \"127.0.0.1:0\", profile: cms }] } ]\n"))
	a, err := newApp(nil, io.Discard, io.Discard)
	require.NoError(t, err)
	cfg, err := config.Load(file, nil)
	require.NoError(t, err)
	require.Nil(t, a.untaken(cfg))
	for _, name := range []string{"EB21.KFTC.CMS", "EB22.KFTC.CMS", ".hidden", "half.tmp"} {
		require.NoError(t, os.WriteFile(filepath.Join(cfg.System.Scan, name), nil, 0o600))
	}
	require.True(t, filepath.IsAbs(cfg.System.Scan), dir)
	require.Nil(t, a.untaken(cfg), "they have just come")
	a.now = func() time.Time { return time.Now().Add(2 * time.Minute) }
	got := a.untaken(cfg)
	require.Equal(t, 2, got.Files)
	require.Equal(t, "EB21.KFTC.CMS", got.Oldest)
	require.WithinDuration(t, time.Now(), got.Since, time.Minute)
}

// TestShowSaysWhatAStoppedOneWaitsFor: nothing is wrong with what a person has
// stopped or what waits for a session, and yet who looks wants to know.
func TestShowSaysWhatAStoppedOneWaitsFor(t *testing.T) {
	t.Setenv("LC_ALL", "C")
	dir, file := yard(t, centreSide("sqlite:pabal.db", "\ninstances: [ { id: instance_A, listen: [{ address: \"127.0.0.1:0\", profile: cms }] } ]\n"))
	code, _, errs := start(t, "migrate", "-c", file)
	require.Equal(t, exitOK, code, errs)
	st, err := store.Open(t.Context(), store.Options{URL: "sqlite:" + filepath.Join(dir, "pabal.db")})
	require.NoError(t, err)
	row := &transfer.Transfer{ID: store.NewID(time.Now()), Direction: transfer.Send, Status: transfer.Stored, Institution: "KFTC", Name: "EB21.KFTC.CMS",
		DataSize: 20, PerBlock: 3, WireSize: 130, Blocks: 3}
	require.NoError(t, st.Create(t.Context(), time.Now(), row))
	require.NoError(t, st.Close())
	_, out, _ := start(t, "transfer", "show", row.ID, "-c", file)
	require.Contains(t, out, "→ It goes with the next session with KFTC")
	code, _, errs = start(t, "transfer", "hold", row.ID, "-c", file)
	require.Equal(t, exitOK, code, errs)
	_, out, _ = start(t, "transfer", "show", row.ID, "-c", file)
	require.Contains(t, out, "pabal transfer release "+row.ID)
}

// TestShowFoldsALongHistory: a weekend of tries does not push what is wrong off
// the screen, and hides nothing that a person did.
func TestShowFoldsALongHistory(t *testing.T) {
	a, err := newApp(nil, io.Discard, io.Discard)
	require.NoError(t, err)
	a.lang = "en"
	d := &control.Detail{}
	for n := range 300 {
		e := control.Entry{At: time.Unix(int64(n), 0), Kind: "status", To: "waiting"}
		d.History = append(d.History, e)
		d.Sessions = append(d.Sessions, &control.Session{ID: "s"})
	}
	show := func(all bool) string {
		var out strings.Builder
		p := &page{app: a, w: &out, zone: time.UTC}
		p.history(d, all)
		p.sessions(d, all)
		require.NoError(t, p.err)
		return out.String()
	}
	short := show(false)
	require.Less(t, strings.Count(short, "\n"), 70)
	require.Contains(t, short, "260 entries are left out here; --all shows them")
	require.Contains(t, short, "280 earlier ones")
	require.Contains(t, short, "00:04:59.000", "the last one")
	require.Greater(t, strings.Count(show(true), "\n"), 600)
	require.NotContains(t, show(true), "--all")
}
