package line_test

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/protocol"
	"pabal/protocol/line"
	"pabal/protocol/machine"
	"pabal/transfer"
)

// host is a server in memory.
type host struct {
	t        testing.TB
	orders   []machine.Order
	content  map[string][]byte // by name, to send
	order    *machine.File
	offer    machine.Offer
	accept   func(machine.Offer) (line.Acceptance, error)
	save     func(*transfer.Block, bool) error
	load     func(offset int64) error
	got      map[string][]byte // whole blocks, one behind the other
	blocks   int64
	outcomes []machine.Outcome
	verified []machine.Claims
	trace    []string
	discard  bool // keep no content
}

func newHost(t testing.TB) *host {
	return &host{t: t, content: map[string][]byte{}, got: map[string][]byte{}}
}

func (h *host) give(name string, content []byte, size int) *host {
	h.content[name] = content
	h.orders = append(h.orders, machine.Order{Kind: machine.SendFile, File: machine.File{
		Name: name, Serial: "001", Date: "20260602", Size: int64(len(content)), Declared: int64(len(content)), Unit: 1,
		DataSize: size, MessageSize: 4096,
	}})
	return h
}

func (h *host) Open(context.Context, *protocol.Telegram) (line.Judgement, error) {
	return line.Judgement{Reason: protocol.OK, Terms: machine.Terms{Peer: "CLIENT01"}}, nil
}

func (h *host) Fetch(context.Context, *protocol.Telegram) (line.Counted, error) {
	return line.Counted{Reason: protocol.OK, Count: len(h.orders), Total: len(h.orders) + 1}, nil
}

func (h *host) Inquire(context.Context, *protocol.Telegram) (line.Answer, error) {
	return line.Answer{}, errors.New("not asked here")
}

func (h *host) Next(context.Context) (machine.Order, error) {
	if len(h.orders) == 0 {
		return machine.Order{}, nil
	}
	o := h.orders[0]
	h.orders = h.orders[1:]
	h.order = &o.File
	return o, nil
}

func (h *host) Load(_ context.Context, offset int64, dst []byte) error {
	if h.order == nil {
		h.t.Error("asked to load where there is no file")
		return errors.New("no file")
	}
	if h.load != nil {
		if err := h.load(offset); err != nil {
			return err
		}
	}
	copy(dst, h.content[h.order.Name][offset:])
	return nil
}

func (h *host) Missed(context.Context, int64, *transfer.SeqSet) {}

func (h *host) Ending(context.Context, int64) (bool, error) { return len(h.orders) > 0, nil }

func (h *host) Accept(_ context.Context, o machine.Offer) (line.Acceptance, error) {
	h.offer, h.blocks = o, 0
	if h.accept != nil {
		return h.accept(o)
	}
	h.got[o.Name] = nil
	return line.Acceptance{Reason: protocol.OK}, nil
}

func (h *host) Save(_ context.Context, b *transfer.Block, complete bool) error {
	if h.save != nil {
		if err := h.save(b, complete); err != nil {
			return err
		}
	}
	if !complete || h.discard {
		return nil
	}
	h.blocks++
	require.Equal(h.t, crc32.Checksum(b.Payload, crc32.MakeTable(crc32.Castagnoli)), b.Checksum)
	n := 0
	for seq := 1; seq <= b.Held.Last(); seq++ {
		require.True(h.t, b.Held.Has(seq))
		n += int(b.Lengths[seq-1])
	}
	require.Len(h.t, b.Payload, n)
	h.got[h.offer.Name] = append(h.got[h.offer.Name], b.Payload...)
	return nil
}

func (h *host) Verify(_ context.Context, c machine.Claims) (protocol.Reason, error) {
	h.verified = append(h.verified, c)
	return protocol.OK, nil
}

func (h *host) Finish(_ context.Context, o machine.Outcome) error {
	h.outcomes = append(h.outcomes, o)
	h.order = nil
	return nil
}

func (h *host) results() (out []machine.Result) {
	for _, o := range h.outcomes {
		out = append(out, o.Result)
	}
	return out
}

func config(t testing.TB, profile string, side protocol.Side) machine.Config {
	p, err := protocol.Load(profile)
	require.NoError(t, err)
	c := machine.Config{Profile: p, Side: side, Institution: "12345678", Self: "CLIENT01", Peer: "9999", SenderName: "A", Password: "B"}
	if side == protocol.CentreSide {
		c.Self, c.Peer = "9999", ""
	}
	return c
}

type result struct {
	line.Report
	err error
}

func (h *host) run(ctx context.Context, conn net.Conn, c machine.Config) <-chan result {
	done := make(chan result, 1)
	go func() {
		r, err := line.Run(ctx, conn, c, h, line.Options{Now: time.Now, Buffers: line.NewBuffers(2), Settle: time.Second,
			Trace: func(outgoing bool, t *protocol.Telegram, frame []byte) {
				h.trace = append(h.trace, fmt.Sprintf("%t %s %s", outgoing, t.Kind, frame))
			}})
		done <- result{r, err}
	}()
	return done
}

func pair(t testing.TB, kind string) (a, b net.Conn) {
	if kind == "pipe" {
		return net.Pipe()
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	a, err = net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	b, err = l.Accept()
	require.NoError(t, err)
	return a, b
}

func filling(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8 ^ i>>13)
	}
	return b
}
