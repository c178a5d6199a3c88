package instance

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/filemgr"
	"pabal/naming"
	"pabal/protocol"
	"pabal/protocol/protocoltest"
	"pabal/store"
	"pabal/transfer"
)

// host is one pabal server with its own database and directories.
type host struct {
	t      *testing.T
	on     engine
	dir    string
	mind   *memory // what it remembers of its database; nil = nothing
	url    string  // of its database, from the first start on
	db     store.Options
	beside bool // another instance has the database as well
	bell   bell // it has said something; nil = it is not heard
	opt    Options
	store  *store.Store
	inst   *Instance
	stop   context.CancelFunc
	done   chan error
}

func (h *host) path(parts ...string) string {
	return filepath.Join(append([]string{h.dir}, parts...)...)
}

// start runs the server until the test ends or stopped.
func (h *host) start() {
	h.t.Helper()
	if h.url == "" {
		h.url = h.on.url(h.t, h.dir)
	}
	o := h.db
	o.Lease = cmp.Or(o.Lease, 2*time.Minute) // a busy machine may let no beat through for longer than the default
	o.URL, o.Server = h.url, !h.beside || h.on == postgres
	h.mind.open(h, &o)
	s, err := store.Open(h.t.Context(), o)
	require.NoError(h.t, err)
	if !h.beside {
		// As "pabal run" does: a test that gives its store little time may find it
		// away on a machine that is busy.
		eventually(h.t, "the store cannot be migrated", func() bool {
			err := s.Migrate(h.t.Context())
			if !store.Coming(err) {
				require.NoError(h.t, err)
			}
			return err == nil
		})
	}
	h.mind.watch(h, s)
	h.store = s
	h.opt.InFiles = h.on.inFiles()
	if h.on == sqlite && h.opt.aheadFrom == 0 { // on the other engine files are built from their rows
		h.opt.aheadFrom = 1
	}
	h.inst, err = New(s, h.opt)
	require.NoError(h.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	h.stop, h.done = cancel, make(chan error, 1)
	go func() { h.done <- h.inst.Run(ctx, context.Background()) }()
	select {
	case <-h.inst.Ready():
	case err := <-h.done:
		h.t.Fatalf("the server did not start: %v", err)
	}
	h.t.Cleanup(h.end)
}

func (h *host) end() {
	if h.stop == nil {
		return
	}
	h.stop()
	require.NoError(h.t, <-h.done)
	h.mind.leave()
	require.NoError(h.t, h.store.Close())
	h.mind.close(h)
	h.stop = nil
}

// pair is an institution and a centre, each a server of ours, on loopback.
type pair struct{ institution, centre *host }

type file struct {
	id   string
	form filemgr.Form
	opt  func(*File)
}

// newPair starts both ends of a profile. up are the file registrations from
// the institution to the centre, down the other way.
func newPair(t *testing.T, on engine, profile string, up, down []file, tune func(institution, centre *Options)) *pair {
	t.Helper()
	p := makePair(t, on, profile, up, down, tune)
	p.start()
	return p
}

// makePair prepares what newPair starts.
func makePair(t *testing.T, on engine, profile string, up, down []file, tune func(institution, centre *Options)) *pair {
	t.Helper()
	inst, centre := newHost(t, on, profile, "institution", up, down), newHost(t, on, profile, "centre", up, down)
	centre.opt.Listen[0].Address = free(t) // the same after a restart
	if tune != nil {
		tune(&inst.opt, &centre.opt)
	}
	return &pair{inst, centre}
}

func (p *pair) start() {
	p.centre.start()
	if p.institution.opt.Institutions[0].Connect == "" {
		p.institution.opt.Institutions[0].Connect = p.centre.inst.Addresses()[0]
	}
	p.institution.start()
}

// newHost prepares one end.
func newHost(t *testing.T, on engine, profile, role string, up, down []file) *host {
	t.Helper()
	h := &host{t: t, on: on, dir: t.TempDir(), bell: make(bell, 1)}
	for _, d := range []string{"scan", "work", "receive", "result"} {
		require.NoError(t, os.Mkdir(h.path(d), 0o750))
	}
	var err error
	h.opt, err = sideOptions(h.dir, profile, role, up, down)
	require.NoError(t, err)
	h.opt.Log = h.bell.log(testLog(t, h.opt.ID))
	return h
}

// sideOptions are those of one server of a pair.
func sideOptions(dir, profile, role string, up, down []file) (Options, error) {
	p, err := protocoltest.Open(profile)
	if err != nil {
		return Options{}, err
	}
	sub := func(name string) string { return filepath.Join(dir, name) }
	o := Options{
		ID: "instance_" + strings.ToUpper(role[:4]), Place: "host", Zone: time.FixedZone("KST", 9*3600), Scans: true,
		Dirs: filemgr.Dirs{Scan: sub("scan"), Work: sub("work"), Receive: sub("receive")},
		// Stages are woken. Looking more often, four servers of tests that run side by
		// side cost the processor more than what is tested.
		Result: sub("result"), ScanEvery: 250 * time.Millisecond, Poll: 250 * time.Millisecond, Drain: 5 * time.Second,
	}
	n := Institution{
		Profile: p, WireCode: wireCode(p), RetryFirst: 50 * time.Millisecond, RetryMax: 200 * time.Millisecond,
		Reply: 30 * time.Second, Pause: time.Millisecond,
	}
	send, receive := up, down
	sender := Credentials{Name: "Honggildong", Password: "123ABC"}
	if role == "centre" {
		send, receive = down, up
		n.Code, n.Side, n.Self, n.Peer = "MEMBER", protocol.CentreSide, "VAN", "CLIENT01"
		if profile == "cms" || profile == "login" {
			n.Expect = sender
		}
		o.Listen = []Listen{{Profile: p}}
	} else {
		n.Code, n.Side, n.Self, n.Peer = "CENTRE", protocol.InstitutionSide, "CLIENT01", "VAN"
		n.Sender = sender
		if len(down) > 0 {
			n.Windows = []Window{{From: 0, To: 24 * time.Hour, Every: 50 * time.Millisecond}}
		}
	}
	o.Institutions = []Institution{n}
	add := func(f file, d transfer.Direction) {
		r := File{Registration: naming.Registration{
			FileID: f.id, Institution: n.Code, Job: "JOB", Direction: d, WireName: wireScript(profile),
		}, Form: f.form, Checks: filemgr.CheckOptions{SendEmpty: true}}
		if f.opt != nil {
			f.opt(&r)
		}
		o.Files = append(o.Files, r)
	}
	for _, f := range send {
		add(f, transfer.Send)
	}
	for _, f := range receive {
		add(f, transfer.Receive)
	}
	return o, nil
}

// options of a child process, which logs to its standard error.
func (c child) options() (Options, error) {
	files := func(ids []string) (out []file) {
		for _, id := range ids {
			if c.Profile == "kfb" {
				out = append(out, file{id: id, form: filemgr.Form{Kind: filemgr.Fixed, Length: partsRecord}})
				continue
			}
			out = append(out, rawForm(id))
		}
		return out
	}
	o, err := sideOptions(c.Dir, c.Profile, c.Role, files(c.Up), files(c.Down))
	if err != nil {
		return o, err
	}
	if c.Role == "centre" {
		o.Listen[0].Address = c.Address
	} else {
		o.Institutions[0].Connect = c.Address
	}
	if n := &o.Institutions[0]; c.Back != "" { // each calls the other to send
		n.MessageSize, n.Windows = partsN, nil
		if c.Role == "centre" {
			n.Connect = c.Back
		} else {
			o.Listen = []Listen{{Address: c.Back, Profile: n.Profile}}
		}
	}
	o.InFiles = c.Files
	if c.Ahead {
		o.aheadFrom = 1
	}
	for n := range o.Files {
		o.Files[n].Result = c.Result
	}
	if c.Again {
		sendsAgain(&o, nil)
	}
	o.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	return o, nil
}

// wireCode is the institution's code, as long as the header has room for.
func wireCode(p *protocol.Profile) string {
	const code = "12345678"
	if w := p.Width(protocol.Open, protocol.Institution); w > 0 && w < len(code) {
		return code[:w]
	}
	return code
}

func wireScript(profile string) string {
	switch profile {
	case "edi":
		return "${FILE_ID:3}"
	case "citi", "hyundai": // the day has a place of its own
		return "${FILE_ID:4}"
	}
	return "${FILE_ID:4}+${MMdd:4}"
}

func testLog(t *testing.T, name string) *slog.Logger {
	if !testing.Verbose() {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})).With("host", name)
}

// drop puts a file into the scan directory as a business program should: by
// a rename.
func (h *host) drop(name string, content []byte) {
	h.t.Helper()
	tmp := h.path("scan", "."+name)
	require.NoError(h.t, os.WriteFile(tmp, content, 0o640))
	require.NoError(h.t, os.Rename(tmp, h.path("scan", name)))
}

// hang is when a test gives up waiting. A disk that is shared may stand still
// for many seconds, which is nothing that a test is about.
const hang = 4 * time.Minute

// await waits until n transfers of a direction are in a status.
func (h *host) await(d transfer.Direction, st transfer.Status, n int) []*transfer.Transfer {
	h.t.Helper()
	var got []*transfer.Transfer
	ok := func() bool {
		var err error
		got, err = h.store.List(context.Background(), store.Filter{Direction: d, Statuses: []transfer.Status{st}})
		return err == nil && len(got) >= n
	}
	deadline := time.Now().Add(hang)
	for pause := new(watching); !ok(); pause.wait(h.bell) {
		if time.Now().After(deadline) {
			all, _ := h.store.List(context.Background(), store.Filter{})
			for _, t := range all {
				h.t.Logf("%s %s %s %s %s %s", t.ID, t.Direction, t.Name, t.Status, t.ErrorCode, t.ErrorDetail)
			}
			h.t.Fatalf("no %d %s transfers became %s", n, d, st)
		}
	}
	require.Len(h.t, got, n)
	return got
}

// content are n bytes that repeat only after a long time: always the same, and a
// longer one begins with the shorter.
func content(n int) []byte { return running.content.first(n) }

// bytesMade are the bytes of content that were wanted so far. The race detector
// makes it dear to make each anew.
type bytesMade struct {
	mu   sync.Mutex
	made []byte
}

func (m *bytesMade) first(n int) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := len(m.made); i < n; i++ {
		m.made = append(m.made, byte(i*7+i/251+i/65536))
	}
	return bytes.Clone(m.made[:n:n])
}

func sum(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// block is one full block of the profile in bytes when telegrams are filled.
func blockOf(profile string) int {
	if profile == "edi" {
		return 3200 * 100
	}
	return 4057 * 100
}

// littleData is how many bytes a telegram carries under littleTelegrams: a tenth of
// what cms has them carry. Blocks have a hundred telegrams all the same, and bytes
// that nothing is about cost the race detector as much as those that count.
const littleData = 400

func littleTelegrams(institution, centre *Options) {
	for _, o := range []*Options{institution, centre} {
		n := &o.Institutions[0]
		n.MessageSize = n.Profile.Files.MessageSize - n.Profile.MaxData(n.Profile.Files.MessageSize) + littleData
	}
}

// TestBothEndsBothWays: two servers of ours, and telegrams as large as they are
// in use. Each engine and each payload keeper has each profile and each way once;
// TestEveryProfile has the rest of what may be combined.
func TestBothEndsBothWays(t *testing.T) {
	t.Parallel()
	for _, on := range []engine{sqlite, postgresFiles} {
		t.Run(string(on), func(t *testing.T) {
			t.Parallel()
			testBothEndsBothWays(t, on)
		})
	}
}

func testBothEndsBothWays(t *testing.T, on engine) {
	for _, profile := range []string{"cms", "edi"} {
		for _, way := range []string{"up", "down"} {
			if (on == sqlite) != ((profile == "cms") == (way == "up")) {
				continue
			}
			t.Run(profile+"/"+way, func(t *testing.T) {
				id := map[string]string{"cms": "EB21", "edi": "C02"}[profile]
				f := []file{{id: id, form: filemgr.Form{Kind: filemgr.Raw}}}
				var p *pair
				if way == "up" {
					p = newPair(t, on, profile, f, nil, nil)
				} else {
					p = newPair(t, on, profile, nil, f, nil)
				}
				from, to, inst := p.institution, p.centre, "CENTRE"
				if way == "down" {
					from, to, inst = p.centre, p.institution, "MEMBER"
				}
				block := blockOf(profile)
				sizes := []int{0, 1, 150, block, 3 * block, 3*block + 1, block - 1, 256 * 17}
				want := map[string][]byte{}
				for n, size := range sizes {
					name := fmt.Sprintf("%s.%s.JOB.202611%02d", id, inst, n+1)
					want[fmt.Sprintf("202611%02d", n+1)] = content(size)
					from.drop(name, content(size))
				}
				sent := from.await(transfer.Send, transfer.Sent, len(sizes))
				got := to.await(transfer.Receive, transfer.Assembled, len(sizes))
				for _, r := range got {
					b, err := os.ReadFile(r.FinalPath)
					require.NoError(t, err)
					w := want[r.BaseDate]
					require.Equal(t, sum(w), sum(b), "%s of %d bytes", r.Name, len(w))
					require.Equal(t, sum(w), r.FileDigest)
				}
				for _, s := range sent {
					require.Equal(t, sum(want[s.BaseDate]), s.FileDigest)
				}
				entries, err := os.ReadDir(to.path("receive"))
				require.NoError(t, err)
				require.Len(t, entries, len(sizes)+1, "the files and .pabal")
			})
		}
	}
}
