package simulator

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"pabal/filemgr"
	"pabal/internal/fault"
	"pabal/protocol/machine"
)

// l and block are the bytes of a telegram and of a block in these tests.
const (
	l     = 10
	block = 100 * l
)

func TestSizes(t *testing.T) {
	roles(t, func(t *testing.T, name string, upload bool) {
		pr := newPair(t, name, upload, nil)
		want := map[string][]byte{}
		for i, size := range []int{0, 1, l - 1, l, l + 1, 256, block - 1, block, block + 1, 2*block - l, 2*block - 1, 2 * block, 2*block + 1, 3*block + 7} {
			n := pr.wire(i + 1)
			want[n] = content(size)
			pr.give(n, want[n])
		}
		inst, centre, instErr, centreErr := pr.session()
		require.NoError(t, instErr)
		require.NoError(t, centreErr)
		require.Equal(t, len(want), inst.Files)
		require.Equal(t, len(want), centre.Files)
		pr.arrived(want)

		for _, r := range []Report{inst, centre} {
			for _, e := range r.Events {
				for name, b := range want {
					if name == e.Name || name == e.Name+"."+e.Date+"."+e.Serial {
						require.Equal(t, int64(len(b)), e.Bytes)
						require.Equal(t, sum(b), e.SHA256)
						require.Equal(t, int64((len(b)+block-1)/block), e.Blocks)
					}
				}
			}
		}
	})
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// Records that fill telegrams whole, one to a telegram, or straddle them.
func TestRecords(t *testing.T) {
	roles(t, func(t *testing.T, name string, upload bool) {
		for _, packing := range []filemgr.Packing{filemgr.PackWhole, filemgr.PackOne, filemgr.PackFilled} {
			pr := newPair(t, name, upload, func(give, _ *Options) {
				give.Record = 4
				give.Packing = packing
			})
			want := map[string][]byte{pr.wire(1): content(4), pr.wire(2): content(4 * 345)}
			for n, b := range want {
				pr.give(n, b)
			}
			_, _, e1, e2 := pr.session()
			require.NoError(t, e1)
			require.NoError(t, e2)
			pr.arrived(want)
		}
	})
}

// Over real sockets, with the message sizes of the profiles, one call after
// the other.
func TestLoopback(t *testing.T) {
	roles(t, func(t *testing.T, name string, upload bool) {
		pr := newPair(t, name, upload, func(give, take *Options) {
			for _, o := range []*Options{give, take} {
				o.MessageSize = 0
			}
			give.Record = 150
		})
		size := 150*2700*3 + 150*7
		want := map[string][]byte{pr.wire(1): content(size), pr.wire(2): content(150), pr.wire(3): {}}
		pr.loopback(func(address string) {
			for n, b := range want {
				pr.give(n, b)
			}
			r, err := pr.inst.Call(t.Context(), address, !upload)
			require.NoError(t, err)
			require.Equal(t, 3, r.Files)
			r, err = pr.inst.Call(t.Context(), address, !upload)
			require.NoError(t, err)
			require.Zero(t, r.Files, "nothing is left")
		})
		pr.arrived(want)
	})
}

// loopback serves the centre while f runs.
func (pr *pair) loopback(f func(address string)) {
	pr.t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(pr.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { served <- pr.centre.Serve(ctx, ln) }()
	defer func() {
		cancel()
		require.NoError(pr.t, <-served)
	}()
	f(ln.Addr().String())
}

func TestNobodyAnswers(t *testing.T) {
	pr := newPair(t, "cms", true, nil)
	_, err := pr.inst.Call(t.Context(), "127.0.0.1:1", false) // a port that is given to nobody who asks for any
	require.Equal(t, CodeAddress, fault.CodeOf(err))
}

// A large file, with losses. PABAL_BIG is its size in MiB; without it the file
// is small enough for every run.
func TestBig(t *testing.T) {
	size := int64(8<<20 + 1)
	if n, err := strconv.ParseInt(os.Getenv("PABAL_BIG"), 10, 32); err == nil {
		size = n<<20 + 1
	}
	roles(t, func(t *testing.T, name string, upload bool) {
		pr := newPair(t, name, upload, func(give, take *Options) {
			give.MessageSize, take.MessageSize = 0, 0
			profileTimes(give, take) // a gigabyte is read for its digest while the other side waits
			give.Pause = time.Millisecond
			take.Faults = Faults{Lose: Pick{Share: 0.002}, Seed: 1}
		})
		f, err := os.Create(filepath.Join(pr.sender.GiveDir, pr.wire(1)))
		require.NoError(t, err)
		h := sha256.New()
		_, err = io.CopyN(io.MultiWriter(f, h), rand.NewChaCha8([32]byte{}), size)
		require.NoError(t, err)
		require.NoError(t, f.Close())
		pr.loopback(func(address string) {
			r, err := pr.inst.Call(t.Context(), address, !upload)
			require.NoError(t, err)
			require.Len(t, r.Events, 1)
			require.Equal(t, hex.EncodeToString(h.Sum(nil)), r.Events[0].SHA256)
			require.Positive(t, r.Events[0].Resent)
		})
		got, err := os.Open(filepath.Join(pr.taker.TakeDir, pr.wire(1)))
		require.NoError(t, err)
		defer got.Close()
		again := sha256.New()
		n, err := io.Copy(again, got)
		require.NoError(t, err)
		require.Equal(t, size, n)
		require.Equal(t, h.Sum(nil), again.Sum(nil))
	})
}

// What happens to data telegrams on the way, on either side's doing, does not
// change a byte.
func TestDisturbed(t *testing.T) {
	table := []struct {
		faults string
		resent int64 // 0 = not looked at
	}{
		{"lose=1:1", 1},
		{"lose=1:100", 1},
		{"lose=2:37,2:58,3:5", 3},
		{"lose=30%;seed=3", 0},
		{"duplicate=1:1,1:100,2:50,3:5", 0},
		{"duplicate=100%", 0},
		{"reorder=1:1,1:3,2:99", 0},
		{"reorder=1:100,3:5", 2}, // comes after the check, so it is asked for
		{"reorder=50%;seed=5", 0},
		{"lose=10%;duplicate=10%;reorder=10%;seed=9", 0},
		{"lose=1:7;split=1", 1},
		{"split=7", 0},
		{"delay=info-reply:1ms", 0},
		{"delay=check:1ms;lose=2:2", 1},
		{"drip=400/1us", 0},
	}
	roles(t, func(t *testing.T, name string, upload bool) {
		pr := newPair(t, name, upload, nil)
		for who, peer := range map[string]*Peer{"giver": pr.giver(), "taker": pr.takes()} {
			for _, tt := range table {
				f, err := ParseFaults(tt.faults)
				require.NoError(t, err)
				pr.faults(peer, f)
				want := map[string][]byte{pr.next(): content(2*block + 4*l + 3), pr.next(): content(block)}
				for n, b := range want {
					pr.give(n, b)
				}
				inst, centre, e1, e2 := pr.session()
				require.NoError(t, e1, tt.faults)
				require.NoError(t, e2, tt.faults)
				pr.arrived(want)
				if tt.resent > 0 {
					for _, r := range []Report{inst, centre} {
						require.Len(t, r.Events, 2)
						require.Equal(t, tt.resent, r.Events[0].Resent+r.Events[1].Resent, "%s by %s", tt.faults, who)
					}
				}
			}
		}
	})
}

// Any loss, duplication and reordering of any file arrives equal.
func TestAnyDisturbance(t *testing.T) {
	roles(t, func(t *testing.T, name string, upload bool) {
		pr := newPair(t, name, upload, func(give, take *Options) { give.Rounds, take.Rounds = 60, 60 })
		rapid.Check(t, func(rt *rapid.T) {
			share := func(what string) Pick {
				return Pick{Share: float64(rapid.IntRange(0, 40).Draw(rt, what)) / 100}
			}
			f := Faults{Lose: share("lose"), Duplicate: share("duplicate"), Reorder: share("reorder"),
				Seed: rapid.Uint64().Draw(rt, "seed"), Split: rapid.IntRange(0, 300).Draw(rt, "split")}
			size := rapid.IntRange(0, 2*block+50).Draw(rt, "size")
			peer := pr.takes()
			if rapid.Bool().Draw(rt, "faults at the giver") {
				peer = pr.giver()
			}
			pr.faults(peer, f)
			n, b := pr.next(), content(size)
			pr.give(n, b)
			_, _, e1, e2 := pr.session()
			require.NoError(rt, e1)
			require.NoError(rt, e2)
			pr.arrived(map[string][]byte{n: b})
		})
	})
}

// A side that is never satisfied costs that file, nothing else.
func TestNeverSatisfied(t *testing.T) {
	roles(t, func(t *testing.T, name string, upload bool) {
		pr := newPair(t, name, upload, func(_, take *Options) { take.Faults = Faults{Never: []string{"EB210002", "C03"}} })
		bad := "EB210002"
		if name == "edi" {
			bad = "C03.20261121.001"
		}
		want := map[string][]byte{pr.wire(1): content(block + 1), pr.wire(3): content(2 * block)}
		for n, b := range want {
			pr.give(n, b)
		}
		pr.give(bad, content(block+5))
		inst, centre, e1, e2 := pr.session()
		require.NoError(t, e1)
		require.NoError(t, e2)
		require.Equal(t, 2, inst.Files)
		gave := inst
		if !upload {
			gave = centre
		}
		failed := 0
		for _, e := range gave.Events {
			if e.Kind == Failed {
				failed++
				require.Equal(t, machine.CodeMissingRounds, fault.CodeOf(e.Err))
				require.Equal(t, int64(10*100), e.Resent, "ten rounds of a hundred")
			}
		}
		require.Equal(t, 1, failed)
		got := pr.taken()
		require.Equal(t, want, got)
		require.Equal(t, map[string][]byte{bad: content(block + 5)}, files(t, pr.sender.GiveDir), "it waits for somebody")
	})
}

// A size that is not true costs that file.
func TestWrongSize(t *testing.T) {
	roles(t, func(t *testing.T, name string, upload bool) {
		for _, by := range []int64{1, -1, 1000} {
			pr := newPair(t, name, upload, func(give, _ *Options) { give.Faults = Faults{SizeBy: by} })
			pr.give(pr.wire(1), content(block+5))
			inst, centre, e1, e2 := pr.session()
			require.NoError(t, e1)
			require.NoError(t, e2)
			require.Zero(t, inst.Files)
			require.Empty(t, pr.taken())
			took, gave := centre, inst
			if !upload {
				took, gave = inst, centre
			}
			require.Equal(t, CodeBadProof, fault.CodeOf(took.Events[0].Err))
			if name == "cms" {
				require.Equal(t, machine.RefusedByPeer, gave.Events[0].Result)
			} else {
				require.Equal(t, machine.LaterByPeer, gave.Events[0].Result, "81 (수신) says try again")
			}
			pr.forgetFaults()
			pr.restart()
			_, _, e1, e2 = pr.session()
			require.NoError(t, e1)
			require.NoError(t, e2)
			pr.arrived(map[string][]byte{pr.wire(1): content(block + 5)})
		}
	})
}

// Who is not who it says, does not get in, and hears the code of the document.
func TestRefusedCallers(t *testing.T) {
	for _, tt := range []struct {
		what    string
		profile string
		change  func(inst *Options)
		code    string
	}{
		{"wrong password", "cms", func(o *Options) { o.Password = "654321" }, "320"},
		{"no password", "cms", func(o *Options) { o.Password = "" }, "320"},
		{"unknown sender", "cms", func(o *Options) { o.SenderName = "Nobody" }, "310"},
		{"unknown institution", "cms", func(o *Options) { o.Institution = "87654321" }, "310"},
		{"unknown client", "edi", func(o *Options) { o.Self = "STRANGER" }, "85"},
	} {
		pr := newPair(t, tt.profile, true, func(give, _ *Options) { tt.change(give) })
		pr.give(pr.wire(1), content(5))
		_, _, e1, e2 := pr.session()
		require.Equal(t, machine.CodeSessionRefused, fault.CodeOf(e1), tt.what)
		require.Equal(t, tt.code, fault.As(e1).Args["code"], tt.what)
		require.Equal(t, machine.CodeNotLetIn, fault.CodeOf(e2), tt.what)
		require.ErrorIs(t, e2, fault.New(CodeCallRefuse, ""), tt.what)
		require.NotContains(t, e2.Error(), "123ABC")
		require.Empty(t, pr.taken())
	}
}

func TestTransferPassword(t *testing.T) {
	pr := newPair(t, "edi", true, func(give, take *Options) { take.Expect.Transfer = "s3cret" })
	pr.give(pr.wire(1), content(5))
	inst, _, e1, _ := pr.session()
	require.NoError(t, e1)
	require.Len(t, inst.Events, 1)
	require.Equal(t, "91", inst.Events[0].Code)
	pr.inst.opt.Transfer = "s3cret"
	pr.restart()
	_, _, e1, _ = pr.session()
	require.NoError(t, e1)
	pr.arrived(map[string][]byte{pr.wire(1): content(5)})

	pr = newPair(t, "edi", false, func(give, _ *Options) { give.Expect.Transfer = "s3cret" })
	pr.give(pr.wire(1), content(5))
	_, _, e1, _ = pr.session()
	require.Equal(t, machine.CodeSessionRefused, fault.CodeOf(e1))
	pr.inst.opt.Transfer = "s3cret"
	_, _, e1, _ = pr.session()
	require.NoError(t, e1)
	pr.arrived(map[string][]byte{pr.wire(1): content(5)})
}

func TestNothingToReceive(t *testing.T) {
	for _, name := range []string{"cms", "edi"} {
		pr := newPair(t, name, false, nil)
		inst, centre, e1, e2 := pr.session()
		require.NoError(t, e1)
		require.NoError(t, e2)
		require.Zero(t, inst.Files+centre.Files)
		require.Empty(t, inst.Events)
	}
}

// More lies ready than one fetch brings: "05120898" (§3).
func TestMoreThanOneFetchBrings(t *testing.T) {
	pr := newPair(t, "edi", false, nil)
	want := map[string][]byte{}
	for i := 1; i <= 898; i++ {
		n := pr.wire(i)
		want[n] = []byte(fmt.Sprint(i))
		pr.give(n, want[n])
	}
	inst, _, e1, e2 := pr.session()
	require.NoError(t, e1)
	require.NoError(t, e2)
	require.Equal(t, 512, inst.Files)
	require.True(t, inst.More)
	inst, _, e1, e2 = pr.session()
	require.NoError(t, e1)
	require.NoError(t, e2)
	require.Equal(t, 898-512, inst.Files)
	require.False(t, inst.More)
	pr.arrived(want)
}

func TestGzipAndEBCDIC(t *testing.T) {
	for _, upload := range []bool{true, false} {
		for _, enc := range []struct{ gzip, ebcdic bool }{{true, false}, {false, true}, {true, true}} {
			pr := newPair(t, "edi", upload, func(give, _ *Options) {
				give.Gzip, give.EBCDIC = enc.gzip, enc.ebcdic
				give.Faults = Faults{Lose: Pick{Places: []Place{{1, 1}}}}
			})
			want := map[string][]byte{pr.wire(1): content(20 * block), pr.wire(2): {}, pr.wire(3): bytes.Repeat([]byte("0123456789"), 5000)}
			for n, b := range want {
				pr.give(n, b)
			}
			_, _, e1, e2 := pr.session()
			require.NoError(t, e1)
			require.NoError(t, e2)
			pr.arrived(want)
		}
	}
}
