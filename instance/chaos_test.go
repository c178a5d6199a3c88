package instance

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/filemgr"
	"pabal/internal/fault"
	"pabal/internal/needs"
	"pabal/internal/pgtest"
	"pabal/internal/place"
	"pabal/store"
	"pabal/store/journal"
	"pabal/store/storetest"
	"pabal/transfer"
)

// childEnv makes this test binary a server: the kill tests need a process.
const childEnv = "PABAL_TEST_CHILD"

// child says what the server is; it is built from it in both processes.
type child struct {
	Dir, Profile, Role, Address string
	URL                         string   // of its database
	Files                       bool     // payload is kept in files
	Ahead                       bool     // files are built while they come, however small
	Result                      bool     // result files are wanted
	Again                       bool     // an unknown end is settled by sending again, whatever the profile says
	Up, Down                    []string // file IDs
	Back                        string   // where the institution is called to be sent to; "" = it calls to fetch
}

func TestMain(m *testing.M) {
	if text := os.Getenv(childEnv); text != "" {
		if err := runChild(text); err != nil {
			fmt.Fprintln(os.Stderr, "child:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if os.Getenv("PABAL_BIG") == "" { // which may be more than memory has room for
		needs.Memory()
	}
	code := m.Run()
	if err := running.postgres.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func runChild(text string) error {
	var c child
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return err
	}
	o, err := c.options()
	if err != nil {
		return err
	}
	for {
		err := c.serve(context.Background(), o)
		if err == nil || !store.Away(err) {
			return err
		}
		// As a service manager does, also while the database is away.
		fmt.Fprintln(os.Stderr, "again:", err)
		pause := time.NewTimer(100 * time.Millisecond)
		<-pause.C
	}
}

// serve is "pabal run" with its journal: however it was killed, it must know
// its database again.
func (c child) serve(ctx context.Context, o Options) error {
	j, err := journal.Open(journal.Options{Dir: filepath.Join(c.Dir, "work", ".pabal"), Server: true,
		Failed: func(err error) { fmt.Fprintln(os.Stderr, "journal:", err) }})
	if err != nil {
		return err
	}
	defer j.Close() //nolint:errcheck // it is told to Failed
	s, err := store.Open(ctx, store.Options{URL: c.URL, Server: true, Witness: j})
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.Migrate(ctx); err != nil {
		return err
	}
	q, err := s.Recognise(ctx, time.Now(), o.Place)
	if err != nil {
		return err
	}
	if q != nil {
		return fmt.Errorf("quarantine: %s", q.Why)
	}
	watch, stop := context.WithCancel(ctx)
	var watching sync.WaitGroup
	defer func() { stop(); watching.Wait() }()
	watching.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for watch.Err() == nil {
			select {
			case <-watch.Done():
			case <-tick.C:
				if s.Unsure() { // as "pabal run" does
					_, _ = s.Recognise(watch, time.Now(), o.Place) // again at the next tick
				}
			}
		}
	})
	i, err := New(s, o)
	if err != nil {
		return err
	}
	return i.Run(ctx, ctx)
}

// process is a server that can be killed.
type process struct {
	t       *testing.T
	program string // "" = this test binary
	c       child
	cmd     *exec.Cmd
	log     *os.File
}

func (p *process) start() {
	p.t.Helper()
	text, err := json.Marshal(p.c)
	require.NoError(p.t, err)
	p.cmd = exec.Command(cmp.Or(p.program, os.Args[0]))
	p.cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	p.log, err = os.OpenFile(filepath.Join(p.c.Dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	require.NoError(p.t, err)
	p.cmd.Stderr = p.log
	require.NoError(p.t, p.cmd.Start())
}

func (p *process) kill() {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Kill()
	err := p.cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() > 0 {
		text, _ := os.ReadFile(filepath.Join(p.c.Dir, "log"))
		p.t.Errorf("%s ended by itself: %v\n%s", p.c.Role, err, text)
	}
	_ = p.log.Close()
	p.cmd = nil
}

func (p *process) drop(name string, content []byte) {
	p.t.Helper()
	tmp := filepath.Join(p.c.Dir, "scan", "."+name)
	require.NoError(p.t, os.WriteFile(tmp, content, 0o640))
	require.NoError(p.t, os.Rename(tmp, filepath.Join(p.c.Dir, "scan", name)))
}

// read opens the server's database as an operator's command does. A server
// that was killed while it made its tables makes them when it starts again.
func (p *process) read() *store.Store {
	p.t.Helper()
	limit := time.After(hang)
	for {
		s, err := store.Open(p.t.Context(), store.Options{URL: p.c.URL, ReadOnly: true})
		if err == nil {
			return s
		}
		require.Equal(p.t, store.CodeSchemaOlder, fault.CodeOf(err), "%v", err)
		pause := time.NewTimer(10 * time.Millisecond)
		select {
		case <-pause.C:
		case <-limit:
			require.NoError(p.t, err)
		}
	}
}

// TestChaosKillEitherSide kills one of two servers at random moments while
// files go both ways, starts it again, and in the end wants every file once,
// equal, and every directory in agreement with its rows.
func TestChaosKillEitherSide(t *testing.T) {
	t.Parallel()
	onAll(t, testChaosKillEitherSide)
}

func testChaosKillEitherSide(t *testing.T, on engine) {
	points := 26
	if on.inFiles() {
		points = 10
	}
	eachChaos(t, []string{"cms", "edi"}, points, func(t *testing.T, profile string, points int, luck *rand.Rand) {
		chaos(t, on.inFiles(), func(dir string) string { return on.url(t, dir) }, nil, profile, points, luck)
	})
}

// TestChaosKillParts is TestChaosKillEitherSide for files that travel in tagged
// parts, with a header and a trailer that must fit them, and an opening for each
// (kfb). Each side calls the other to send.
func TestChaosKillParts(t *testing.T) {
	t.Parallel()
	for on, points := range map[engine]int{sqlite: 12, postgresFiles: 6} {
		t.Run(string(on), func(t *testing.T) {
			eachChaos(t, []string{"kfb"}, points, func(t *testing.T, profile string, points int, luck *rand.Rand) {
				chaos(t, on.inFiles(), func(dir string) string { return on.url(t, dir) }, nil, profile, points, luck)
			})
		})
	}
}

// TestChaosKillDatabase is TestChaosKillEitherSide with the database server as
// one more victim, on which both sides have their databases: it is killed, ends
// as in a crash, or all connections to it are cut. What was confirmed is there
// afterwards, and nothing that was not.
func TestChaosKillDatabase(t *testing.T) {
	t.Parallel()
	var server pgtest.Server // the other tests need theirs
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	eachChaos(t, []string{"cms", "edi"}, 20, func(t *testing.T, profile string, points int, luck *rand.Rand) {
		var cutters []*pgtest.Cutter
		url := func(string) string {
			c, behind := server.Cutter(t, server.Prepared(t, storetest.Migrate))
			cutters = append(cutters, c)
			return behind
		}
		pause := func() {
			p := time.NewTimer(time.Duration(luck.IntN(150)) * time.Millisecond)
			<-p.C
		}
		chaos(t, false, url, []func(){
			func() { server.Crash(t); pause(); server.Again(t) },
			func() { server.Kill(t); pause(); server.Again(t) },
			func() { c := cutters[luck.IntN(len(cutters))]; c.Away(); pause(); c.Back() },
		}, profile, points, luck)
	})
}

func eachChaos(t *testing.T, profiles []string, points int, f func(t *testing.T, profile string, points int, luck *rand.Rand)) {
	if testing.Short() {
		points = 6
	}
	if n, err := strconv.Atoi(os.Getenv("PABAL_CHAOS_POINTS")); err == nil {
		points = min(n, 300) // one base date each, within half a year
	}
	for _, profile := range profiles { // points for each
		t.Run(profile, func(t *testing.T) {
			seed := uint64(time.Now().UnixNano())
			t.Logf("seed %d, %d kills", seed, points)
			f(t, profile, points, rand.New(rand.NewPCG(seed, 1)))
		})
	}
}

// chaos kills one of the sides, or does one of the other things.
func chaos(t *testing.T, files bool, url func(dir string) string, others []func(), profile string, points int, luck *rand.Rand) {
	address, back := free(t), ""
	up, down := "EB21", "EB22"
	block := blockOf(profile)
	sizes := []int{0, 150, block / 2, block, 2*block + 17, 5 * block}
	switch profile {
	case "edi":
		up, down = "C02", "C05"
	case "kfb": // header and trailer are telegrams, too: 98 records are a block
		up, down, back = "GR15", "GR16", free(t)
		sizes = []int{0, partsRecord, 60 * partsRecord, 98 * partsRecord, 217 * partsRecord, 498 * partsRecord}
	}
	sides := map[string]*process{}
	for _, role := range []string{"institution", "centre"} {
		dir := t.TempDir()
		for _, d := range []string{"scan", "work", "receive", "result"} {
			require.NoError(t, os.Mkdir(filepath.Join(dir, d), 0o750))
		}
		p := &process{t: t, c: child{Dir: dir, URL: url(dir), Files: files, Ahead: !files, Profile: profile, Role: role, Address: address, Back: back, Up: []string{up}, Down: []string{down}}}
		sides[role] = p
		p.start()
		t.Cleanup(p.kill)
	}
	want := map[string]map[string][]byte{"institution": {}, "centre": {}} // receiving side → base date → content
	dropOne := func(n int) {
		size := sizes[luck.IntN(len(sizes))]
		body := content(size)
		if size > 8 {
			copy(body, strconv.Itoa(n)) // no two alike
		}
		date := time.Now().AddDate(0, 0, n-150).Format("20060102") // MMdd takes the nearest year
		if luck.IntN(2) == 0 {
			sides["institution"].drop(up+".CENTRE.JOB."+date, body)
			want["centre"][date] = body
		} else {
			sides["centre"].drop(down+".MEMBER.JOB."+date, body)
			want["institution"][date] = body
		}
	}
	for n := range points {
		dropOne(n)
		pause := time.NewTimer(time.Duration(luck.IntN(250)) * time.Millisecond)
		<-pause.C
		if len(others) > 0 && luck.IntN(2) == 0 {
			others[luck.IntN(len(others))]()
			continue
		}
		victim := sides[[]string{"institution", "centre"}[luck.IntN(2)]]
		victim.kill()
		victim.start()
	}
	deadline := time.Now().Add(hang)
	for role, p := range sides {
		s := p.read()
		for pause := new(watching); ; {
			open, err := s.List(t.Context(), store.Filter{})
			require.NoError(t, err)
			left, sent := "", 0
			for _, r := range open {
				if r.Status != transfer.Sent && r.Status != transfer.Assembled && r.Status != transfer.Abandoned {
					left += fmt.Sprintf("%s %s %s %s %s %s\n", r.ID, r.Direction, r.Name, r.Status, r.ErrorCode, r.ErrorDetail)
				}
				if r.Direction == transfer.Send {
					sent++
				}
			}
			other := map[string]string{"institution": "centre", "centre": "institution"}[role]
			if left == "" && sent == len(want[other]) && len(received(open)) >= len(want[role]) {
				break
			}
			if time.Now().After(deadline) {
				text, _ := os.ReadFile(filepath.Join(p.c.Dir, "log"))
				tail := text[max(0, len(text)-6000):]
				t.Fatalf("%s does not finish, %d of %d sent, %d of %d received:\n%s\n%s", role, sent, len(want[other]), len(received(open)), len(want[role]), left, tail)
			}
			pause.wait(nil)
		}
		require.NoError(t, s.Close())
	}
	for role, p := range sides {
		p.kill()
		inspect(t, role, p, want[role])
	}
}

// free is an address of this machine where nobody listens.
func free(t *testing.T) string {
	t.Helper()
	address, err := running.addresses.Free()
	require.NoError(t, err)
	return address
}

func received(list []*transfer.Transfer) []*transfer.Transfer {
	var out []*transfer.Transfer
	for _, r := range list {
		if r.Direction == transfer.Receive && r.Status == transfer.Assembled {
			out = append(out, r)
		}
	}
	return out
}

// inspect holds rows and directories of one side against each other.
func inspect(t *testing.T, role string, p *process, want map[string][]byte) {
	t.Helper()
	s := p.read()
	defer s.Close()
	all, err := s.List(t.Context(), store.Filter{})
	require.NoError(t, err)
	inDir := map[string]bool{}
	for _, r := range received(all) {
		body, ok := want[r.BaseDate]
		require.True(t, ok, "%s: %s was never dropped", role, r.Name)
		got, err := os.ReadFile(r.FinalPath)
		require.NoError(t, err)
		require.Equal(t, sum(body), sum(got), "%s: %s, %d bytes of %d", role, r.Name, len(got), len(body))
		require.False(t, inDir[filepath.Base(r.FinalPath)], "%s: %s twice", role, r.Name)
		inDir[filepath.Base(r.FinalPath)] = true
		delete(want, r.BaseDate)
	}
	require.Empty(t, want, "%s: everything that was dropped has come, once", role)
	ids, payload := map[string]bool{}, map[string]bool{}
	for _, r := range all {
		ids[r.ID], payload[r.PayloadIn] = true, true
	}
	for _, d := range []string{"receive", "receive/.pabal", "scan", "work", "work/*"} {
		dirs, err := filepath.Glob(filepath.Join(p.c.Dir, d))
		require.NoError(t, err)
		for _, dir := range dirs {
			entries, err := os.ReadDir(dir)
			require.NoError(t, err)
			for _, e := range entries {
				if e.IsDir() || place.IsGuard(e.Name()) || filepath.Base(dir) == ".pabal" && d == "work/*" || d == "receive" && inDir[e.Name()] || payload[filepath.Join(dir, e.Name())] {
					continue
				}
				if id, _, claimed := strings.Cut(e.Name(), "~"); claimed && d == "work/*" && ids[id] {
					continue // waits for its backup; looked at below
				}
				if id, begun := strings.CutSuffix(e.Name(), ".ahead"); begun && d == "receive/.pabal" && ids[id] {
					continue // what a killed process had begun; it goes within a minute, see TestBuiltWhileItComes
				}
				t.Errorf("%s: %s/%s has no row", role, d, e.Name())
			}
		}
	}
	for _, r := range all {
		if r.Direction != transfer.Send {
			continue
		}
		where := r.BackupPath
		if r.BackedUpAt.IsZero() {
			if _, err := os.Stat(where); err != nil {
				where = r.WorkPath
			}
		}
		got, err := os.ReadFile(where)
		require.NoError(t, err, "%s: backup of %s", role, r.Name)
		require.Equal(t, r.FileDigest, sum(got), "%s: backup of %s", role, r.Name)
	}
	events, err := s.Events(t.Context(), store.EventFilter{Kind: store.EventStatus})
	require.NoError(t, err)
	last := map[string]transfer.Status{}
	for _, e := range events {
		last[e.TransferID] = e.To
	}
	for _, r := range all {
		require.Equal(t, r.Status, last[r.ID], "%s: the last event of %s tells its status", role, r.Name)
	}
	q, err := s.Quarantine(t.Context())
	require.NoError(t, err)
	require.Nil(t, q, "%s: no kill makes the database another one", role)
	found, err := s.Events(t.Context(), store.EventFilter{Kind: store.EventQuarantine})
	require.NoError(t, err)
	require.Empty(t, found, role)
	memory, err := journal.Recall(filepath.Join(p.c.Dir, "work", ".pabal"))
	require.NoError(t, err)
	require.NotEmpty(t, memory.Transfers, "%s: the journal was written", role)
	require.False(t, bytes.Contains(mustRead(t, filepath.Join(p.c.Dir, "log")), []byte("123ABC")), "no password in a log")
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return b
}

func rawForm(id string) file { return file{id: id, form: filemgr.Form{Kind: filemgr.Raw}} }
