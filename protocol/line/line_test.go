package line_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/protocol/line"
	"pabal/protocol/machine"
	"pabal/transfer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestFilesBothWays(t *testing.T) {
	for _, kind := range []string{"pipe", "tcp"} {
		for _, profile := range []string{"cms", "edi"} {
			for _, upload := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s/%s/upload=%t", kind, profile, upload), func(t *testing.T) {
					inst, centre := newHost(t), newHost(t)
					sender, receiver := inst, centre
					ci, cc := config(t, profile, protocol.InstitutionSide), config(t, profile, protocol.CentreSide)
					if !upload {
						sender, receiver = centre, inst
						ci.Receive = true
						if profile == "edi" {
							inst.orders = []machine.Order{{Kind: machine.FetchFiles, Query: machine.Query{Name: "ZZZ"}}}
						}
					}
					files := map[string][]byte{"F00": {}, "F01": {1}, "F02": filling(100 * 50), "F03": filling(250*50 + 7), "F04": filling(100 * 3200)}
					for _, name := range []string{"F00", "F01", "F02", "F03", "F04"} {
						size := 50
						if name == "F04" {
							size = 3200
						}
						sender.give(name, files[name], size)
					}
					a, b := pair(t, kind)
					di, dc := inst.run(t.Context(), a, ci), centre.run(t.Context(), b, cc)
					ri, rc := <-di, <-dc
					require.NoError(t, ri.err)
					require.NoError(t, rc.err)
					require.Equal(t, 5, ri.Files)
					require.Equal(t, 5, rc.Files)
					require.Equal(t, !upload && profile == "edi", ri.MoreToFetch)
					for name, content := range files {
						require.True(t, bytes.Equal(content, receiver.got[name]), name)
					}
					require.Len(t, sender.results(), 5)
					for _, o := range sender.outcomes {
						require.Equal(t, machine.ArrivedWhole, o.Result)
					}
					_, err := a.Write([]byte("x"))
					require.Error(t, err, "the connection is closed")
				})
			}
		}
	}
}

func TestResumeWithinABlock(t *testing.T) {
	content := filling(100*40 + 90*40)
	inst, centre := newHost(t).give("F01", content, 40), newHost(t)
	inst.orders[0].File.Sent = int64(len(content))
	centre.accept = func(o machine.Offer) (line.Acceptance, error) {
		centre.got["F01"] = content[:4000]
		return line.Acceptance{Reason: protocol.OK, Partial: content[4000:4120],
			Resume: machine.Resume{Held: 4120, Block: 2, Lengths: []uint16{40, 40, 40}}}, nil
	}
	var loads []int64
	inst.load = func(offset int64) error { loads = append(loads, offset); return nil }
	a, b := net.Pipe()
	di, dc := inst.run(t.Context(), a, config(t, "cms", protocol.InstitutionSide)), centre.run(t.Context(), b, config(t, "cms", protocol.CentreSide))
	require.NoError(t, (<-di).err)
	require.NoError(t, (<-dc).err)
	require.Equal(t, []int64{4000}, loads, "only the block that is not whole")
	require.True(t, bytes.Equal(content, centre.got["F01"]))
}

// What the store holds does not fit this session: the peer is told a system
// fault, and nothing is read beyond what is there.
func TestResumeThatDoesNotFit(t *testing.T) {
	for name, acc := range map[string]line.Acceptance{
		"longer than a telegram": {Partial: make([]byte, 5000), Resume: machine.Resume{Held: 5000, Block: 1, Lengths: []uint16{5000}}},
		"bytes that are missing": {Partial: make([]byte, 10), Resume: machine.Resume{Held: 40, Block: 1, Lengths: []uint16{40}}},
		"more than a block":      {Partial: make([]byte, 101), Resume: machine.Resume{Held: 101, Block: 1, Lengths: make([]uint16, 101)}},
	} {
		t.Run(name, func(t *testing.T) {
			inst, centre := newHost(t).give("F01", filling(9000), 40), newHost(t)
			inst.orders[0].File.Sent = 9000
			acc.Reason = protocol.OK
			centre.accept = func(machine.Offer) (line.Acceptance, error) { return acc, nil }
			a, b := net.Pipe()
			di, dc := inst.run(t.Context(), a, config(t, "cms", protocol.InstitutionSide)), centre.run(t.Context(), b, config(t, "cms", protocol.CentreSide))
			ri, rc := <-di, <-dc
			require.Error(t, ri.err)
			require.Equal(t, line.CodeResume, fault.CodeOf(rc.err))
			require.Equal(t, []machine.Result{machine.LaterByPeer}, inst.results())
		})
	}
}

func TestSaveFails(t *testing.T) {
	inst, centre := newHost(t).give("F01", filling(4000), 40), newHost(t)
	full := errors.New("disk full")
	centre.save = func(*transfer.Block, bool) error { return full }
	a, b := net.Pipe()
	di, dc := inst.run(t.Context(), a, config(t, "cms", protocol.InstitutionSide)), centre.run(t.Context(), b, config(t, "cms", protocol.CentreSide))
	require.Error(t, (<-di).err)
	require.ErrorIs(t, (<-dc).err, full)
	require.Equal(t, []machine.Result{machine.LaterByPeer}, inst.results())
	for _, said := range centre.trace {
		if out, ok := strings.CutPrefix(said, "true check-reply "); ok {
			require.Equal(t, "090", out[29:32], "system fault, nothing positive: %s", out)
		}
		require.NotContains(t, said, "true end")
	}
}

// A file that is no longer ours is refused alone; the next one arrives.
func TestDroppedFile(t *testing.T) {
	for _, where := range []string{"accept", "save", "load"} {
		t.Run(where, func(t *testing.T) {
			inst, centre := newHost(t).give("F01", filling(12_000), 40).give("F02", filling(12_000), 40), newHost(t)
			held := fmt.Errorf("held by a person: %w", line.ErrDropped)
			switch where {
			case "accept":
				centre.accept = func(o machine.Offer) (line.Acceptance, error) {
					if o.Name == "F01" {
						return line.Acceptance{}, held
					}
					return line.Acceptance{Reason: protocol.OK}, nil
				}
			case "save":
				centre.save = func(*transfer.Block, bool) error {
					if centre.offer.Name == "F01" {
						return held
					}
					return nil
				}
			case "load":
				inst.load = func(int64) error {
					if inst.order.Name == "F01" {
						return held
					}
					return nil
				}
			}
			a, b := net.Pipe()
			di, dc := inst.run(t.Context(), a, config(t, "cms", protocol.InstitutionSide)), centre.run(t.Context(), b, config(t, "cms", protocol.CentreSide))
			ri, rc := <-di, <-dc
			require.NoError(t, ri.err)
			require.NoError(t, rc.err)
			require.Equal(t, 1, ri.Files)
			require.True(t, bytes.Equal(filling(12_000), centre.got["F02"]))
			require.NotEqual(t, machine.ArrivedWhole, inst.outcomes[0].Result)
		})
	}
}

func TestCancelledInAFile(t *testing.T) {
	inst, centre := newHost(t).give("F01", filling(300*40), 40), newHost(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("the server stops")
	inst.load = func(offset int64) error {
		if offset > 0 {
			cancel(stop)
		}
		return nil
	}
	a, b := pair(t, "tcp")
	di, dc := inst.run(ctx, a, config(t, "cms", protocol.InstitutionSide)), centre.run(t.Context(), b, config(t, "cms", protocol.CentreSide))
	ri, rc := <-di, <-dc
	require.ErrorIs(t, ri.err, stop)
	require.Equal(t, machine.CodeLost, fault.CodeOf(rc.err))
	require.Equal(t, []machine.Result{machine.CutBefore}, inst.results())
	require.Equal(t, []machine.Result{machine.CutBefore}, centre.results())
	require.ErrorIs(t, inst.outcomes[0].Err, stop)
}

// The receiving side is stopped while part of a block has come: it is saved.
func TestCancelledWhileReceiving(t *testing.T) {
	centre := newHost(t)
	var partial []transfer.Block
	centre.save = func(b *transfer.Block, complete bool) error {
		require.False(t, complete)
		partial = append(partial, *b)
		return nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	a, b := pair(t, "tcp")
	dc := centre.run(ctx, b, config(t, "cms", protocol.CentreSide))
	say(t, a, "0077FTE123456780600RE        0000602131309001A                   B               ")
	hear(t, a, 81)
	say(t, a, "0052FTE123456780630REF01     000F01     0000000000304096")
	hear(t, a, 56)
	say(t, a, "0049FTE123456780320REF01     000000100100100123456789")
	say(t, a, "0035FTE123456780620REF01     0000009001") // its answer says that the data was read
	require.Contains(t, hear(t, a, 43-4), "800")
	cancel()
	require.ErrorIs(t, (<-dc).err, context.Canceled)
	require.Len(t, partial, 1)
	require.Equal(t, 1, partial[0].Held.Count())
	require.Equal(t, []machine.Result{machine.CutBefore}, centre.results())
	a.Close()
}

func say(t *testing.T, c net.Conn, text string) {
	t.Helper()
	_, err := io.WriteString(c, text)
	require.NoError(t, err)
}

func hear(t *testing.T, c net.Conn, n int) string {
	t.Helper()
	b := make([]byte, n)
	_, err := io.ReadFull(c, b)
	require.NoError(t, err)
	return string(b)
}

// Telegrams that do not fit their layout: requests are told, data is found
// missing, and the file still arrives.
func TestGarbledTelegrams(t *testing.T) {
	centre := newHost(t)
	a, b := net.Pipe()
	dc := centre.run(t.Context(), b, config(t, "cms", protocol.CentreSide))
	say(t, a, "0077FTE123456780600RE        0000602131309001A                   B               ")
	require.Equal(t, "000", hear(t, a, 81)[29:32])
	say(t, a, "0052FTS123456780630REF01     000F01     0000000000104096")
	require.Equal(t, "631", hear(t, a, 56)[29:32], "another business code")
	say(t, a, "0053FTE123456780630REF01     000F01     00000000001040960")
	require.Equal(t, "001", hear(t, a, 56)[29:32], "too long")
	say(t, a, "0052FTE123456780630REF01     000F01     00000000001x4096")
	require.Equal(t, "800", hear(t, a, 56)[29:32], "not a number")
	say(t, a, "0052FTE123456780630REF01     000F01     0000000000104096")
	require.Equal(t, "000", hear(t, a, 56)[29:32])
	say(t, a, "0049FTE123456780320REF01     000000100100990123456789") // 99 bytes, it says
	say(t, a, "0028FTE123456789999REF01     000")                      // nobody knows what
	say(t, a, "0035FTE123456780620REF01     0000001001")
	require.Equal(t, "0039FTE123456780300RCF01     00000010010010", hear(t, a, 43))
	say(t, a, "0049FTE123456780310REF01     000000100100100123456789")
	say(t, a, "0035FTE123456780620REF01     0000001001")
	require.Equal(t, "0039FTE123456780300RCF01     00000010010001", hear(t, a, 43))
	say(t, a, "0077FTE123456780600REF01     0000602131309003A                   B               ")
	require.Equal(t, "000", hear(t, a, 81)[29:32])
	say(t, a, "0077FTE123456780600RE        0000602131309004A                   B               ")
	require.Equal(t, "000", hear(t, a, 81)[29:32])
	require.NoError(t, (<-dc).err)
	require.Equal(t, "0123456789", string(centre.got["F01"]))
}

func TestBrokenFraming(t *testing.T) {
	for name, c := range map[string]struct {
		bytes string
		code  fault.Code
	}{
		"no number":   {"GET / HTTP/1.1\r\n\r\n", protocol.CodeBadLength},
		"too short":   {"0003", protocol.CodeTooShort},
		"end of line": {"", machine.CodeLost},
	} {
		t.Run(name, func(t *testing.T) {
			centre := newHost(t)
			a, b := pair(t, "tcp")
			dc := centre.run(t.Context(), b, config(t, "cms", protocol.CentreSide))
			say(t, a, c.bytes)
			require.NoError(t, a.(*net.TCPConn).CloseWrite())
			require.Equal(t, c.code, fault.CodeOf((<-dc).err))
			a.Close()
		})
	}
}

// A byte now and then does not hold the line: the timer runs from the last
// whole telegram.
func TestSlowDrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		centre := newHost(t)
		a, b := net.Pipe()
		began := time.Now()
		dc := centre.run(t.Context(), b, config(t, "cms", protocol.CentreSide))
		drip, over := time.NewTicker(7*time.Second), make(chan struct{})
		go func() {
			for _, c := range []byte("0077FTE123456780600RE        00006021313090") {
				if _, err := a.Write([]byte{c}); err != nil {
					return
				}
				select {
				case <-drip.C:
				case <-over:
					return
				}
			}
		}()
		r := <-dc
		close(over)
		require.Equal(t, machine.CodeSilent, fault.CodeOf(r.err))
		require.Equal(t, time.Minute, time.Since(began), "the profile's first: 60s")
		a.Close()
	})
}

// A peer that accepts the connection and never reads.
func TestDeadPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inst := newHost(t).give("F01", filling(4000), 40)
		a, b := net.Pipe()
		di := inst.run(t.Context(), a, config(t, "cms", protocol.InstitutionSide))
		hear(t, b, 81)
		say(t, b, "0077FTE123456780610RC        0000602131309001A                   B               ")
		hear(t, b, 56)
		say(t, b, "0052FTE123456780640RCF01     000F01     0000000000004096")
		began := time.Now()
		r := <-di
		require.Equal(t, machine.CodeLost, fault.CodeOf(r.err))
		require.Equal(t, time.Minute, time.Since(began))
		require.Equal(t, []machine.Result{machine.CutBefore}, inst.results())
		b.Close()
	})
}

// Silence after the end request: unknown, and said so.
func TestSilenceAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inst, centre := newHost(t).give("F01", filling(40), 40), newHost(t)
		a, b := net.Pipe()
		ctx, cancel := context.WithCancel(t.Context())
		di := inst.run(t.Context(), a, config(t, "cms", protocol.InstitutionSide))
		dc := stuck{centre}.run(ctx, b, config(t, "cms", protocol.CentreSide))
		r := <-di
		require.Equal(t, machine.CodeEndUnknown, fault.CodeOf(r.err))
		require.Equal(t, []machine.Result{machine.EndUnknown}, inst.results())
		cancel()
		require.Error(t, (<-dc).err)
	})
}

// stuck is a host that never verifies.
type stuck struct{ *host }

func (s stuck) Verify(ctx context.Context, _ machine.Claims) (protocol.Reason, error) {
	<-ctx.Done()
	return "", ctx.Err()
}

func (s stuck) run(ctx context.Context, conn net.Conn, c machine.Config) <-chan error2 {
	done := make(chan error2, 1)
	go func() {
		_, err := line.Run(ctx, conn, c, s, line.Options{Now: time.Now, Settle: time.Second})
		done <- error2{err}
	}()
	return done
}

type error2 struct{ err error }

// The data path allocates nothing per telegram: what a block costs, on both
// sides together, does not depend on how many telegrams it has.
func TestNothingIsAllocatedPerTelegram(t *testing.T) {
	const blocks = 200
	for _, profile := range []string{"cms", "edi"} {
		content := filling(blocks * 100 * 100)
		inst, centre := newHost(t).give("F01", content, 100), newHost(t)
		centre.discard = true
		var before, after runtime.MemStats
		var seen atomic.Int64
		centre.save = func(*transfer.Block, bool) error {
			if seen.Add(1) == 2 { // buffers are there now
				runtime.ReadMemStats(&before)
			}
			return nil
		}
		a, b := pair(t, "tcp")
		di, dc := inst.run(t.Context(), a, config(t, profile, protocol.InstitutionSide)), centre.run(t.Context(), b, config(t, profile, protocol.CentreSide))
		require.NoError(t, (<-di).err)
		require.NoError(t, (<-dc).err)
		runtime.ReadMemStats(&after)
		require.EqualValues(t, blocks, seen.Load())
		perBlock := float64(after.Mallocs-before.Mallocs) / float64(blocks-2)
		require.Less(t, perBlock, 60.0, "%s: allocations per block of 100 telegrams, both sides, with the traces of the test", profile)
	}
}

func BenchmarkLine(b *testing.B) {
	content := filling(100 * 4057)
	const blocks = 100
	inst, centre := newHost(b), newHost(b)
	centre.discard = true
	inst.content["F01"] = bytes.Repeat(content, blocks)
	b.SetBytes(int64(blocks * len(content)))
	for b.Loop() {
		inst.orders = nil
		inst.give("F01", inst.content["F01"], 4057)
		x, y := pair(b, "tcp")
		di, dc := inst.run(b.Context(), x, config(b, "cms", protocol.InstitutionSide)), centre.run(b.Context(), y, config(b, "cms", protocol.CentreSide))
		require.NoError(b, (<-di).err)
		require.NoError(b, (<-dc).err)
	}
}
