package instance

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/filemgr"
	"pabal/naming"
	"pabal/protocol"
	"pabal/protocol/machine"
	"pabal/protocol/protocoltest"
	"pabal/simulator"
	"pabal/store"
	"pabal/transfer"
)

// TestEveryProfile: whatever befalls the line, every file is there once and equal
// at both ends. A real server on loopback, on each engine, talks under every
// profile that there is, both ways, with a counterparty to which each row of rows
// happens. What a profile cannot do follows from what it says of itself, and is
// asserted as well.
//
// cms and edi, which differ most, have all of it: either part, either payload
// keeper, every row on either engine. Of the others SQLite's server plays the
// institution, to which every row happens, and PostgreSQL's the centre, which has one
// row of each sort: what it writes of a telegram that came twice or late is what cms
// and edi have it write, and what the centre of each profile makes of them is tried
// without a database, in every state, by the walk of protocol/machine.
func TestEveryProfile(t *testing.T) {
	t.Parallel()
	for _, on := range []engine{sqlite, postgres, sqliteFiles} {
		for _, name := range append(protocol.Embedded(), protocoltest.Names(t)...) {
			whole := name == "cms" || name == "edi"
			for _, side := range []protocol.Side{protocol.InstitutionSide, protocol.CentreSide} {
				if !whole && side != map[engine]protocol.Side{sqlite: protocol.InstitutionSide, postgres: protocol.CentreSide}[on] ||
					!whole && on.inFiles() {
					continue
				}
				for _, way := range []string{"sends", "receives"} {
					t.Run(fmt.Sprintf("%s/%s/%s %s", on, name, side, way), func(t *testing.T) {
						t.Parallel()
						d := newDesk(t, on, name, side, way == "sends")
						for _, r := range rows(d.p.Files.PerBlock) {
							if (whole || on == sqlite || !r.steps && !r.alike) && !(r.jumbled() && d.p.Files.Numbering.None) {
								d.play(r)
							}
						}
					})
				}
			}
		}
	}
}

// row is something that happens to files: faults of the simulator's, done by
// the counterparty to what it sends and what it receives.
type row struct {
	name   string
	faults string
	files  []extent
	// lossy says that telegrams of the first file get lost, or come after what
	// asks for those that are missing.
	lossy bool
	// steps says that there is a cut at every step: what is written then is the
	// same for every profile, so the slower engine has it under few.
	steps bool
	// alike says that another row has telegrams befallen by the same.
	alike bool
	// begun is how many blocks of the first file are there when the line is cut.
	begun int
}

// jumbled says that telegrams are lost, doubled or out of order. Where they have
// no numbers nobody could tell: such a profile rests on TCP, which does none of
// that, and on the size.
func (r row) jumbled() bool {
	return strings.Contains(r.faults, "lose=") || strings.Contains(r.faults, "duplicate=") || strings.Contains(r.faults, "reorder=")
}

// extent is the size of a file: so many blocks and telegrams, all of them full,
// and so many bytes.
type extent struct{ blocks, telegrams, bytes int }

func rows(perBlock int) []row {
	return []row{
		{name: "several files, and exact multiples", files: []extent{
			{0, 0, 1}, {0, 1, -1}, {0, 1, 0}, {0, 1, 1}, {1, 0, -1}, {1, 0, 0}, {1, 0, 1}, {3, 0, 0},
		}},
		{name: "empty files", files: []extent{{}, {0, 2, 3}, {}}},
		{name: "loss", faults: "lose=1:1,1:37,1:100,2:58,3:1", files: []extent{{2, 1, 3}, {0, 2, 0}}, lossy: true},
		{name: "loss of what is sent again too", faults: "lose=15%;seed=3", files: []extent{{1, 20, 0}}, lossy: true, alike: true},
		{name: "duplication", faults: "duplicate=1:1,1:2,1:100,2:50,3:1", files: []extent{{2, 1, 3}, {1, 0, 0}}, alike: true},
		{name: "reordering", faults: "reorder=1:1,1:3,1:50,2:1", files: []extent{{2, 1, 3}, {0, 2, 0}}, alike: true},
		{name: "reordering behind the check", faults: "reorder=1:100,2:2", files: []extent{{1, 2, 0}}, lossy: true, alike: true},
		{name: "all of it, in pieces", faults: "lose=5%;duplicate=5%;reorder=5%;seed=6;split=97", files: []extent{{2, 7, 1}}, lossy: true},
		{name: "cut and resumed", faults: "cut=data:" + strconv.Itoa(perBlock*3/2), files: []extent{{3, 0, 5}}, begun: 1},
		{name: "cut anywhere", faults: "cut=sent:2,received:3,sent:70,received:150", files: []extent{{1, 1, 1}, {0, 1, 0}}, steps: true},
		// Each at its first telegram, so each in a session of its own.
		{name: "cut before each step", faults: "cut=open:1,open-reply:1,info:1,info-reply:1,check:1,check-reply:1,end:1,end-reply:1,close:1,close-reply:1",
			files: []extent{{0, 2, 1}}, steps: true},
		{name: "cut after each step", faults: "cut=after-open:1,after-open-reply:1,after-info:1,after-info-reply:1,after-check:1,after-check-reply:1," +
			"after-end:1,after-end-reply:1,after-close:1", files: []extent{{0, 2, 1}}, steps: true},
	}
}

// desk is one server that has one counterparty, which is another one for each row.
type desk struct {
	t     *testing.T
	p     *protocol.Profile
	side  protocol.Side // ours
	sends bool          // we do
	ours  *host

	counterparty atomic.Pointer[simulator.Peer]
	meeting      sync.RWMutex    // held by each session with it
	present      context.Context // of its sessions
	leave        func()
	bell         bell            // our server has said something of a file's way
	began        time.Time       // when this row's files were given: no transfer of theirs is older
	address      string          // where we listen
	used         int             // file names
	refusals     map[string]bool // names of files that failed once, as they should
	held         atomic.Int64    // most bytes that an announcement was answered to be there
}

// deskFiles are as many names as the rows need.
const deskFiles = 60

// deskData is how many bytes a telegram carries: little, so that files of some
// blocks are small, and a number that is none of the profiles'.
const deskData = 24

func deskFile(n int) string { return fmt.Sprintf("T%02d", n) }

// messageSize is the N under which a telegram carries deskData bytes.
func (d *desk) messageSize() int {
	f := &d.p.Files
	return f.MessageSize - max(0, d.p.MaxData(f.MessageSize)-deskData)
}

// record is the length of the records that files have where the profile needs
// to know it, else 0.
func (d *desk) record() int {
	switch {
	case d.p.Files.Packing == string(filemgr.PackOne): // each has a telegram of its own
		return deskData
	case d.p.Parts != nil: // a trailer counts them
		return 8
	}
	return 0
}

// size is an extent in bytes; records are whole. What travels before and behind
// the data of a file that has parts is two telegrams of it.
func (d *desk) size(e extent) int {
	telegrams, each := e.blocks*d.p.Files.PerBlock+e.telegrams, deskData
	if d.p.Parts != nil {
		telegrams, each = max(0, telegrams-2), 2*d.record() // and a tag
	}
	n := max(0, telegrams*each+e.bytes)
	if r := d.record(); r > 0 {
		n -= n % r
	}
	return n
}

// heldIn is how many bytes an answer to an announcement says to be there.
func (d *desk) heldIn(tel *protocol.Telegram) int64 {
	blocks := tel.Number(protocol.Block) - d.p.Files.Numbering.FirstBlock
	switch d.p.Files.ResumeBy {
	case protocol.ResumeNext: // the block that is wanted next; 0 is the first, too
		return int64(d.size(extent{blocks: int(max(0, blocks))}))
	case protocol.ResumeLast: // the last that is there
		return int64(d.size(extent{blocks: int(max(0, blocks+1))}))
	}
	return tel.Number(protocol.Size)
}

// begun is the least that is there of a file of which so many blocks have been
// confirmed.
func (d *desk) begun(blocks int) int64 {
	return int64(d.size(extent{blocks: blocks}))
}

func newDesk(t *testing.T, on engine, name string, side protocol.Side, sends bool) *desk {
	t.Helper()
	d := &desk{t: t, p: protocoltest.Load(t, name), side: side, sends: sends, refusals: map[string]bool{}, bell: make(bell, 1)}
	d.ours = &host{t: t, on: on, dir: t.TempDir()}
	makeDirs(t, d.ours.dir)
	role := map[protocol.Side]string{protocol.InstitutionSide: "institution", protocol.CentreSide: "centre"}[side]
	var err error
	d.ours.opt, err = sideOptions(d.ours.dir, name, role, nil, nil)
	require.NoError(t, err)
	o := &d.ours.opt
	o.Log = d.bell.log(testLog(t, "ours"), "file ", "session over")
	o.ScanEvery, o.Settle, o.Poll = 200*time.Millisecond, 0, 250*time.Millisecond // stages are woken, too
	o.Trace = func(_ string, _ bool, tel *protocol.Telegram, _ []byte) {
		if tel.Kind == protocol.InfoReply {
			d.held.Store(max(d.held.Load(), d.heldIn(tel)))
		}
	}
	n := &o.Institutions[0]
	n.MessageSize, n.Rounds = d.messageSize(), 12
	n.RetryFirst, n.RetryMax = 5*time.Millisecond, 20*time.Millisecond
	agreed := Credentials{}
	if d.p.Carries(protocol.Open, protocol.SenderName) || d.p.Has(protocol.Login) {
		agreed.Name = "Honggildong"
	}
	if d.p.Carries(protocol.Open, protocol.SenderPassword) || d.p.Has(protocol.Login) {
		agreed.Password = "123ABC"
	}
	n.Sender, n.Expect = agreed, agreed
	form := filemgr.Form{Kind: filemgr.Raw}
	if l := d.record(); l > 0 {
		form = filemgr.Form{Kind: filemgr.Fixed, Length: l}
	}
	way := transfer.Receive
	if sends {
		way = transfer.Send
	}
	for f := range deskFiles {
		o.Files = append(o.Files, File{Registration: naming.Registration{
			FileID: deskFile(f), Institution: n.Code, Job: "JOB", Direction: way, WireName: "${FILE_ID:3}",
		}, Form: form, Checks: filemgr.CheckOptions{SendEmpty: true}})
	}
	if side == protocol.CentreSide {
		o.Listen[0].Address = "127.0.0.1:0"
		switch {
		case !n.opensCalled(way):
		case sends:
			o.Listen[0].SendsTo = n.Code
		default:
			o.Listen[0].FetchesFrom = n.Code
		}
	} else {
		n.Connect = d.listen()
		if !sends {
			n.Windows = []Window{{From: 0, To: 24 * time.Hour, Every: 60 * time.Millisecond}}
		}
	}
	require.Empty(t, o.Validate())
	d.ours.start()
	if side == protocol.CentreSide {
		d.address = d.ours.inst.Addresses()[0]
	}
	return d
}

// listen takes our calls for whoever is the counterparty then.
func (d *desk) listen() string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(d.t, err)
	var sessions sync.WaitGroup
	sessions.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			sessions.Go(func() {
				d.meeting.RLock()
				defer d.meeting.RUnlock()
				if peer := d.counterparty.Load(); peer != nil {
					_, _ = peer.Answer(d.present, conn, d.sends)
				}
				_ = conn.Close()
			})
		}
	})
	d.t.Cleanup(func() { // after our server has ended
		_ = ln.Close()
		if d.leave != nil {
			d.leave()
		}
		sessions.Wait()
	})
	return ln.Addr().String()
}

// meet makes the counterparty of a row.
func (d *desk) meet(faults string, give, take string) *simulator.Peer {
	f, err := simulator.ParseFaults(faults)
	require.NoError(d.t, err)
	inst := &d.ours.opt.Institutions[0]
	o := simulator.Options{
		Profile: d.p, Side: d.side.Other(), Institution: inst.WireCode, Self: inst.Peer, Peer: inst.Self,
		SenderName: inst.Sender.Name, Password: inst.Sender.Password,
		Expect:      simulator.Expect{SenderName: inst.Sender.Name, Password: inst.Sender.Password},
		MessageSize: inst.MessageSize, Record: d.record(), Rounds: inst.Rounds,
		Reply: 30 * time.Second, Idle: 30 * time.Second, First: 30 * time.Second, Pause: time.Millisecond,
		Faults: f, Logger: testLog(d.t, "peer"),
	}
	if d.sends {
		o.TakeDir = take
	} else {
		o.GiveDir = give
	}
	p, err := simulator.New(o)
	require.NoError(d.t, err)
	if d.leave != nil { // a session with the one before would take the first file of this row
		d.leave()
	}
	d.meeting.Lock()
	d.present, d.leave = context.WithCancel(context.Background())
	d.counterparty.Store(p)
	d.meeting.Unlock()
	return p
}

// text are n bytes that no other file of a desk has, and no delimiter.
func text(n, file int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'a' + byte((i*7+i/deskData+i/1009+file)%26)
	}
	return b
}

// play has the files of a row carried.
func (d *desk) play(r row) {
	d.t.Helper()
	t := d.t
	d.held.Store(0)
	d.began = time.Now().Truncate(time.Millisecond) // as ids tell it
	dir := t.TempDir()
	give, take := filepath.Join(dir, "give"), filepath.Join(dir, "take")
	peer := d.meet(r.faults, give, take)
	want := map[string][]byte{} // by name on the wire
	hit := deskFile(d.used)     // the first
	for _, e := range r.files {
		name := deskFile(d.used)
		want[name] = text(d.size(e), d.used)
		d.put(give, name, want[name])
		d.used++
		require.Less(t, d.used, deskFiles)
	}
	if r.lossy && d.p.Files.NoCheck {
		// Nobody asks for what is missing, so the file is refused, by the proofs.
		d.refused(r, peer, hit)
		delete(want, hit)
	}
	d.carry(r, peer, want)
	require.Equal(t, want, d.arrived(take, want), r.name)
	if !d.sends {
		left, err := os.ReadDir(d.ours.path("receive"))
		require.NoError(t, err)
		for _, e := range left {
			name, _, _ := strings.Cut(e.Name(), ".")
			require.True(t, e.IsDir() || d.refusals[name], "%s: %s came twice", r.name, name)
		}
	}
	begun := d.begun(r.begun)
	switch {
	case begun == 0 || !d.announces():
	case d.p.Files.Resume && !d.p.Files.NoSize:
		require.GreaterOrEqual(t, d.held.Load(), begun, "%s: what was confirmed travels again", r.name)
	case d.p.Files.Resume: // what has no size could be another file (protocols §1.5)
		require.Zero(t, d.held.Load(), "%s: a half is gone on with that may be another file's", r.name)
	}
}

// announces: files of our way are announced, which is what tells how much of
// them is there.
func (d *desk) announces() bool {
	upload := d.sends == (d.side == protocol.InstitutionSide)
	return d.p.Has(protocol.InfoReply) && (upload || d.p.Files.AnnounceFetch)
}

// refused waits until a file has failed on our side, for the reason that it is
// not whole. What failed is neither sent again nor taken for the file.
func (d *desk) refused(r row, peer *simulator.Peer, name string) {
	d.t.Helper()
	d.refusals[name] = true
	d.until(r, peer, func(all []*transfer.Transfer) bool {
		for _, row := range all {
			if row.WireName != name || row.Status != transfer.Failed {
				continue
			}
			if d.sends {
				require.Equal(d.t, string(machine.CodeRefused), row.ErrorCode)
				require.Equal(d.t, d.p.Code(protocol.BadSize), row.Response)
			} else {
				require.Contains(d.t, []string{string(CodeGap), string(CodeWrongSize)}, row.ErrorCode)
			}
			return true
		}
		return false
	})
}

// carry waits until our server is through with files.
func (d *desk) carry(r row, peer *simulator.Peer, want map[string][]byte) {
	d.t.Helper()
	d.until(r, peer, func(all []*transfer.Transfer) bool {
		n := 0
		for _, row := range all {
			if want[row.WireName] != nil && (row.Status == transfer.Sent || row.Status == transfer.Assembled) {
				n++
			}
		}
		return n >= len(want)
	})
}

// arrived are the files at the receiving end, by name on the wire.
func (d *desk) arrived(take string, want map[string][]byte) map[string][]byte {
	d.t.Helper()
	got := map[string][]byte{}
	add := func(name, path string) {
		require.NotContains(d.t, got, name, "twice")
		got[name] = mustRead(d.t, path)
	}
	if d.sends {
		entries, err := os.ReadDir(take)
		require.NoError(d.t, err)
		for _, e := range entries {
			if e.Type().IsRegular() {
				name, _, _ := strings.Cut(e.Name(), ".")
				add(name, filepath.Join(take, e.Name()))
			}
		}
		return got
	}
	all, err := d.ours.store.List(d.t.Context(), store.Filter{Statuses: []transfer.Status{transfer.Assembled}})
	require.NoError(d.t, err)
	for _, row := range all {
		if want[row.WireName] != nil {
			add(row.WireName, row.FinalPath)
			require.NoError(d.t, os.Remove(row.FinalPath))
		}
	}
	return got
}

// put gives a file to whoever sends.
func (d *desk) put(give, name string, body []byte) {
	d.t.Helper()
	if d.sends {
		d.ours.drop(name+"."+d.ours.opt.Institutions[0].Code+".JOB", body)
		return
	}
	if d.p.Files.Serial {
		name += "." + time.Now().In(d.ours.opt.Zone).Format("20060102") + ".001"
	}
	tmp := filepath.Join(give, "."+name)
	require.NoError(d.t, os.WriteFile(tmp, body, 0o640))
	require.NoError(d.t, os.Rename(tmp, filepath.Join(give, name)))
}

// until waits for something of this row's transfers, and calls our server as
// long as it is the counterparty that calls.
func (d *desk) until(r row, peer *simulator.Peer, done func([]*transfer.Transfer) bool) {
	d.t.Helper()
	limit := time.Now().Add(hang)
	for rung := true; ; {
		f := store.Filter{NewestFirst: true, Limit: len(r.files) + 16}
		if rung { // those of the row are enough, unless somebody sets the clock back
			f.Since = d.began
		}
		all, err := d.ours.store.List(d.t.Context(), f)
		require.NoError(d.t, err)
		if done(all) {
			return
		}
		if time.Now().After(limit) {
			for _, row := range all {
				d.t.Logf("%s %s %s %s %s", row.WireName, row.Direction, row.Status, row.ErrorCode, row.ErrorDetail)
			}
			d.t.Fatalf("%s: it does not come to an end", r.name)
		}
		if d.side == protocol.CentreSide && (!d.sends || slices.ContainsFunc(all, toSend)) {
			if _, err := peer.Call(d.t.Context(), d.address, d.sends); err != nil { // the line was cut
				if d.p.Files.NoCheck {
					// Nobody was told that a block is there, and a call that takes the line
					// over at once may come before it is.
					eventually(d.t, "the session goes on", func() bool { return len(d.ours.inst.open.ids()) == 0 })
				}
				continue
			}
		}
		rung = d.bell.wait(250 * time.Millisecond)
	}
}

// toSend says that a call may find a file to fetch.
func toSend(t *transfer.Transfer) bool {
	return t.Status != transfer.Storing && t.Status != transfer.Sent
}
