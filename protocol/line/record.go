package line

import (
	"time"

	"pabal/protocol"
)

// Recorder writes down what is said on a line. Its methods are called one at a
// time, for every telegram; they must neither wait nor fail. What they are
// given is good only during the call.
type Recorder interface {
	// Telegram is one that is not data. bad says why it is not what its layout
	// says; nil if it is. frame is as it travels, passwords included.
	Telegram(at time.Time, outgoing bool, t *protocol.Telegram, frame []byte, bad error)
	// Data is a data telegram with n bytes of content, at its place in the file.
	Data(at time.Time, outgoing bool, t *protocol.Telegram, block int64, seq, n int, frame []byte)
	// Bytes are those of a step before the first telegram, frame as they travel.
	Bytes(at time.Time, outgoing bool, s *protocol.Step, frame []byte)
	// Rest says that nothing more comes until the peer speaks.
	Rest()
}

// recordBytes writes down what came, or is about to leave, before the first
// telegram.
func (d *driver) recordBytes(outgoing bool, s *protocol.Step, b []byte) {
	if d.opt.Log != nil && !d.cut {
		d.opt.Log.Bytes(d.now, outgoing, s, b)
	}
}

// record writes down a telegram that came or is about to leave.
func (d *driver) record(outgoing bool, t *protocol.Telegram, frame []byte, bad error) {
	data := t.Kind == protocol.DataTelegram || t.Kind == protocol.Resend
	if d.opt.Trace != nil && bad == nil && !data {
		d.opt.Trace(outgoing, t, frame)
	}
	switch {
	case d.opt.Log == nil:
	case data && bad == nil:
		block, seq := d.p.Place(t)
		d.opt.Log.Data(d.now, outgoing, t, block, seq, len(t.Data()), frame)
	default:
		d.opt.Log.Telegram(d.now, outgoing, t, frame, bad)
	}
}
