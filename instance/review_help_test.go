package instance

import (
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/filemgr"
	"pabal/protocol/machine"
	"pabal/store"
	"pabal/transfer"
)

// parked is an instance whose stages do not run: a test takes each step itself
// and moves the clock.
type parked struct {
	*Instance
	t     *testing.T
	dir   string
	shift *atomic.Int64
}

// noon is when the clock of a parked instance starts.
var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.FixedZone("KST", 9*3600))

func park(t *testing.T, on engine, profile, role string, up, down []file, tune func(*Options)) *parked {
	t.Helper()
	return parkOn(t, on, store.Options{}, profile, role, up, down, tune)
}

// parkOn is park with a store that is opened with db.
func parkOn(t *testing.T, on engine, db store.Options, profile, role string, up, down []file, tune func(*Options)) *parked {
	t.Helper()
	p := &parked{t: t, dir: t.TempDir(), shift: new(atomic.Int64)}
	for _, d := range []string{"scan", "work", "receive", "result"} {
		require.NoError(t, os.Mkdir(p.path(d), 0o750))
	}
	o, err := sideOptions(p.dir, profile, role, up, down)
	require.NoError(t, err)
	o.Now = func() time.Time { return noon.Add(time.Duration(p.shift.Load())) }
	o.Log = testLog(t, role)
	if o.InFiles = on.inFiles(); o.InFiles {
		require.NoError(t, filemgr.MakeDir(filemgr.StagingDir(o.Dirs.Receive)))
	}
	if tune != nil {
		tune(&o)
	}
	if db.Server = true; db.URL == "" {
		db.URL = on.url(t, p.dir)
	}
	s, err := store.Open(t.Context(), db)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	require.NoError(t, s.Migrate(t.Context()))
	p.Instance, err = New(s, o)
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(p.work, 0o750))
	p.term, err = s.Begin(t.Context(), p.now(), o.ID, o.Place, 1)
	require.NoError(t, err)
	return p
}

func (p *parked) path(parts ...string) string {
	return filepath.Join(append([]string{p.dir}, parts...)...)
}

func (p *parked) pass(d time.Duration) { p.shift.Add(int64(d)) }

// row makes a transfer as an earlier stage would have left it.
func (p *parked) row(d transfer.Direction, st transfer.Status, f func(*transfer.Transfer)) *transfer.Transfer {
	p.t.Helper()
	inst := p.o.Institutions[0]
	ids, err := p.s.NewIDs(p.t.Context(), p.now(), 1) // the clock stands, and a millisecond has few ids
	require.NoError(p.t, err)
	t := &transfer.Transfer{
		ID: ids[0], Direction: d, Status: st, Institution: inst.Code, Job: "JOB", FileID: p.o.Files[0].FileID,
		WireName: "EB211120", BaseDate: "20261120", Name: "EB21." + inst.Code + ".JOB", Place: p.o.Place,
	}
	if f != nil {
		f(t)
	}
	require.NoError(p.t, p.s.Create(p.t.Context(), p.now(), t))
	return t
}

// again reads a row.
func (p *parked) again(t *transfer.Transfer) *transfer.Transfer {
	p.t.Helper()
	r, err := p.s.Transfer(p.t.Context(), t.ID)
	require.NoError(p.t, err)
	return r
}

// session is one of the institution whose line is the test.
func (p *parked) session() *session {
	inst := p.insts[p.o.Institutions[0].Code]
	return &session{
		Instance: p.Instance, inst: inst, profile: inst.Profile, log: p.log, left: -1,
		row: transfer.Session{ID: store.NewID(p.now()), Institution: inst.Code, Peer: "test"},
	}
}

// claim takes a transfer as a session does.
func (p *parked) claim(s *session) *transfer.Transfer {
	p.t.Helper()
	t, err := p.claimFile(p.t.Context(), s.inst, s.row.ID, "")
	require.NoError(p.t, err)
	require.NotNil(p.t, t)
	return t
}

// arrived is the outcome of a session that sent a file to its end.
func arrived(code string) machine.Outcome {
	return machine.Outcome{Result: machine.ArrivedWhole, Response: code, Proofs: []transfer.Proof{
		{Name: transfer.ProofBlocks, Expected: "1", Actual: "1"}, {Name: transfer.ProofEndReply, Expected: code, Actual: code},
	}}
}
