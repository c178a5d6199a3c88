package line

import (
	"crypto/rand"
	"errors"
	"math/big"
	"os"

	"pabal/protocol"
	"pabal/protocol/machine"
)

// greet waits for the bytes that the peer sends before its first telegram.
func (d *driver) greet(s *protocol.Step) machine.Event {
	b, err := d.reader.Greet(s)
	switch {
	case err == nil:
		d.recordBytes(false, s, b)
		return machine.Event{Kind: machine.Greeted, Now: d.now}
	case errors.Is(err, os.ErrDeadlineExceeded) && d.ctx.Err() == nil:
		return machine.Event{Kind: machine.TimedOut, Now: d.now}
	default:
		return d.lost(err)
	}
}

// oneTime is a value of n digits that nobody can know before it is sent.
func oneTime(n int) string {
	out := make([]byte, n)
	for i := range out {
		v, err := rand.Int(rand.Reader, big.NewInt(10))
		if err != nil { // documented never to happen
			return ""
		}
		out[i] = '0' + byte(v.Int64())
	}
	return string(out)
}
