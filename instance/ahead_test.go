package instance

import (
	"bytes"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/filemgr"
	"pabal/protocol"
	"pabal/protocol/machine"
	"pabal/store"
	"pabal/transfer"
)

// aheadIn are the files that are built while they come, and have no other name yet.
func aheadIn(receive string) (found []fs.FileInfo) {
	entries, _ := os.ReadDir(filemgr.StagingDir(receive))
	for _, e := range entries {
		if info, err := e.Info(); err == nil && strings.HasSuffix(e.Name(), ".ahead") {
			found = append(found, info)
		}
	}
	return found
}

// TestBuiltWhileItComes: a large file that comes whole and in order is built
// beside its rows, and what is placed is that very file. In every other case it
// is built from the rows, and the same arrives. Nothing is left of what was begun.
func TestBuiltWhileItComes(t *testing.T) {
	t.Parallel()
	body := content(900_000)
	for _, test := range []struct {
		name   string
		faults string
		from   int64 // least size
		taken  bool  // it is there when the end comes, and is what is placed
	}{
		{"whole", "", 900_000, true},
		{"with missing numbers", "lose=1:37,2:58;reorder=3:2;duplicate=1:1", 1, true},
		{"cut behind the end", "cut=after-end:1", 1, true},
		{"in two sessions", "cut=after-data:120", 1, false},
		{"small", "", 900_001, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var at atomic.Pointer[[]fs.FileInfo] // when the first end came
			a := newAgainst(t, sqlite, "cms", "centre", false, test.faults, func(o *Options) {
				receive := o.Dirs.Receive
				o.aheadFrom = test.from
				o.Trace = func(_ string, outgoing bool, tel *protocol.Telegram, _ []byte) {
					if tel.Kind == protocol.End && !outgoing {
						found := aheadIn(receive)
						at.CompareAndSwap(nil, &found)
					}
				}
			})
			a.put(0, body)
			a.calling()
			a.ours.left() // who calls before that takes the file from the session that ends it
			got := a.finish(transfer.Assembled, 1)[0]
			require.Equal(t, map[string]int{sum(body): 1}, a.arrived())
			require.Equal(t, sum(body), got.FileDigest)
			require.Empty(t, aheadIn(a.ours.path("receive")))
			stray := filemgr.StagedPath(a.ours.path("receive"), got.ID) + ".ahead" // of a process that was killed
			require.NoError(t, os.WriteFile(stray, nil, 0o600))
			_, err := a.ours.inst.expireStep(t.Context())
			require.NoError(t, err)
			require.NoFileExists(t, stray)
			if !test.taken {
				require.Empty(t, *at.Load())
				return
			}
			require.Len(t, *at.Load(), 1)
			placed, err := os.Stat(got.FinalPath)
			require.NoError(t, err)
			require.True(t, os.SameFile((*at.Load())[0], placed), "it was built a second time")
		})
	}
}

// TestTakenAsSoonAsItCame: the assemble stage may see the row of a file that came
// before the session knows that it is written. What was built is there for it.
func TestTakenAsSoonAsItCame(t *testing.T) {
	t.Parallel()
	var written atomic.Pointer[func()]
	watch := func() func(error) {
		return func(error) {
			if f := written.Swap(nil); f != nil {
				(*f)()
			}
		}
	}
	p := parkOn(t, sqlite, store.Options{Watch: watch}, "cms", "centre", []file{rawForm("EB21")}, nil, func(o *Options) { o.aheadFrom = 1 })
	ctx, body, s := t.Context(), content(1000), p.session()
	_, err := s.Accept(ctx, machine.Offer{Name: "EB211120", Size: int64(len(body))})
	require.NoError(t, err)
	row := s.incoming
	require.NotNil(t, row)
	b := transfer.Block{Number: 1, Lengths: []uint16{uint16(len(body))}, Payload: body}
	b.Held.Add(1)
	require.NoError(t, s.Save(ctx, &b, true))
	var built []fs.FileInfo
	eventually(t, "nothing is built", func() bool { built = aheadIn(p.o.Dirs.Receive); return len(built) == 1 })
	stage := func() {
		_, err := p.assembleStep(ctx)
		require.NoError(t, err)
	}
	written.Store(&stage)
	reason, err := s.Verify(ctx, machine.Claims{Declared: int64(len(body)), AtEnd: int64(len(body)), Blocks: 1, Sequences: 1})
	require.NoError(t, err)
	require.Equal(t, protocol.OK, reason)
	row = p.again(row)
	require.Equal(t, transfer.Assembled, row.Status)
	require.Equal(t, sum(body), sum(mustRead(t, row.FinalPath)))
	placed, err := os.Stat(row.FinalPath)
	require.NoError(t, err)
	require.True(t, os.SameFile(built[0], placed), "it was built a second time")
	require.Empty(t, aheadIn(p.o.Dirs.Receive))
}

// TestNotBuiltWhileItComes: what may never become a file, or not this one, is
// not begun; nor more than there is room for.
func TestNotBuiltWhileItComes(t *testing.T) {
	t.Parallel()
	key, err := store.NewKey(bytes.Repeat([]byte{7}, store.KeySize))
	require.NoError(t, err)
	h := newHost(t, sqlite, "cms", "centre", nil, []file{rawForm("EB21")})
	h.opt.aheadFrom = 1000
	h.start()
	sealed := newHost(t, sqlite, "cms", "centre", nil, []file{rawForm("EB21")})
	sealed.opt.aheadFrom, sealed.db.Keys = 1000, []store.Key{key}
	sealed.start()
	for name, spoil := range map[string]func(i **Instance, r *transfer.Transfer, f *File){
		"":            func(**Instance, *transfer.Transfer, *File) {},
		"small":       func(_ **Instance, r *transfer.Transfer, _ *File) { r.WireSize = 999 },
		"no size":     func(_ **Instance, r *transfer.Transfer, _ *File) { r.WireSize = 0 },
		"compressed":  func(_ **Instance, r *transfer.Transfer, _ *File) { r.Encoding = "gzip" },
		"with parts":  func(_ **Instance, r *transfer.Transfer, _ *File) { r.Encoding = "tag:31" },
		"in files":    func(_ **Instance, r *transfer.Transfer, _ *File) { r.PayloadIn = "/x" },
		"compared":    func(_ **Instance, r *transfer.Transfer, _ *File) { r.Repeat = transfer.RepeatAbsorb },
		"checked":     func(_ **Instance, _ *transfer.Transfer, f *File) { f.CheckComes = true },
		"encrypted":   func(i **Instance, _ *transfer.Transfer, _ *File) { *i = sealed.inst },
		"no form":     func(_ **Instance, _ *transfer.Transfer, f *File) { f.Form = filemgr.Form{} },
		"no such way": func(_ **Instance, r *transfer.Transfer, _ *File) { r.Encoding = "morse" },
	} {
		t.Run("not "+name, func(t *testing.T) {
			i, r, f := h.inst, &transfer.Transfer{ID: "1", WireSize: 1000}, h.opt.Files[0]
			spoil(&i, r, &f)
			made := i.buildAhead(r, &f)
			require.Equal(t, name == "", made != nil)
			if made != nil {
				made.Drop()
			}
		})
	}

	f := h.opt.Files[0]
	begin := func(id string) (made *filemgr.Ahead) {
		return h.inst.buildAhead(&transfer.Transfer{ID: id, WireSize: 1000}, &f)
	}
	var some []*filemgr.Ahead
	eventually(t, "the room of the one that was dropped", func() bool {
		if made := begin(serial(len(some))); made != nil {
			some = append(some, made)
		}
		return len(some) == aheadMost
	})
	require.Nil(t, begin("another"))
	for n, made := range some { // all come whole, and nobody assembles them
		h.inst.aheads.keep(serial(n), "", made)
	}
	var made *filemgr.Ahead
	eventually(t, "they do not take the room of those that come", func() bool { made = begin("last"); return made != nil })
	h.inst.aheads.keep("last", "", made)
	require.Len(t, h.inst.aheads.waiting(), aheadMost)
	require.Nil(t, h.inst.aheads.take(serial(0)), "the oldest has made room")
	h.end()
	eventually(t, "none is left behind the server", func() bool { return len(aheadIn(h.path("receive"))) == 0 })
}
