package line

import (
	"context"
	"errors"
	"hash/crc32"
	"net"
	"os"
	"time"

	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/protocol/machine"
	"pabal/transfer"
)

// Options of one session.
type Options struct {
	Now     func() time.Time // in the business zone; for what is written, not for waiting
	Buffers *Buffers
	// Trace, if set, sees every telegram but data. frame is good only during
	// the call; what it shows must be masked by its fields.
	Trace func(outgoing bool, t *protocol.Telegram, frame []byte)
	// Log, if set, is told of every telegram.
	Log Recorder
	// Settle bounds how long recording an outcome may take after the session
	// itself has been stopped.
	Settle time.Duration
	// Limits are asked for when a phase begins; nil = none.
	Limits func(Phase) Limit
}

// Report tells how a session went.
type Report struct {
	Files       int   // sent or received to their end
	MoreToFetch bool  // the peer has more than it gave
	Heard       bool  // the peer went on after the last end that we confirmed; or we confirmed none
	Came        int64 // bytes that the peer sent
}

const readBuffer = 64 << 10

// Run holds one session on conn and closes it. It returns when the session is
// over and everything it began is recorded. Cancelling ctx cuts the line; the
// outcome of the file under way is still recorded, as after any cut.
func Run(ctx context.Context, conn net.Conn, cfg machine.Config, host Host, opt Options) (Report, error) {
	if opt.Settle == 0 {
		opt.Settle = 10 * time.Second
	}
	if opt.Buffers == nil {
		opt.Buffers = NewBuffers(0)
	}
	if n := cfg.Profile.ChallengeWidth(); cfg.Challenge == "" && n > 0 {
		cfg.Challenge = oneTime(n)
	}
	d := &driver{
		conn: conn, p: cfg.Profile, host: host, opt: opt, ctx: ctx,
		session: machine.New(cfg),
		table:   crc32.MakeTable(crc32.Castagnoli),
	}
	d.reader = d.p.NewReader(d, make([]byte, d.p.FrameBuffer()))
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer func() {
		stop()
		_ = conn.Close()
		opt.Buffers.put(d.block)
		opt.Buffers.put(d.write)
		opt.Buffers.put(d.scratch)
		opt.Buffers.put(d.ahead.buf)
	}()
	d.look()
	err := d.loop()
	d.rest()
	return Report{Files: d.session.Files(), MoreToFetch: d.session.MoreToFetch(), Heard: d.session.Heard(), Came: d.came}, err
}

type driver struct {
	conn    net.Conn
	p       *protocol.Profile
	host    Host
	opt     Options
	ctx     context.Context
	session *machine.Session
	reader  *protocol.Reader
	grown   bool
	heard   bool // a telegram has been waited for
	table   *crc32.Table

	now      time.Time // of the business, as opt.Now has it
	read     time.Time // the same moment on the system's clock, which deadlines are told in
	deadline time.Time // of the timer
	set      time.Time // what the connection was told
	limits   limits
	came     int64 // bytes read

	telegram protocol.Telegram
	block    []byte // holds the block under way, loaded or being received
	held     span   // what block holds of the file, when sending
	view     []byte // … and where in it the block under way is
	ahead    ahead  // what comes after that
	write    []byte
	scratch  []byte
	saving   transfer.Block
	cut      bool // the connection took no more bytes
	err      error
}

func (d *driver) loop() error {
	ev := machine.Event{Kind: machine.Started, Now: d.now}
	for {
		actions := d.session.Step(ev)
		d.enter()
		question := d.perform(actions)
		switch {
		case d.session.Over():
			return d.err
		case question.Kind != machine.Started:
			ev = question
		default:
			d.lookAhead()
			ev = d.next()
		}
	}
}

// Read is the reader's source: it tells the connection the deadline only when
// it really waits, and takes the time once for all telegrams that came. Who
// holds buffers waits a moment for as long (errQuiet).
func (d *driver) Read(b []byte) (int, error) {
	until := d.until()
	if !until.Equal(d.set) && d.ctx.Err() == nil {
		d.set = until
		if err := d.conn.SetReadDeadline(until); err != nil {
			return 0, err
		}
		if d.ctx.Err() != nil { // cancelled in between: the cut must win
			_ = d.conn.SetDeadline(time.Unix(1, 0))
		}
	}
	if d.opt.Log != nil {
		d.opt.Log.Rest()
	}
	n, err := d.conn.Read(b)
	d.look()
	d.came += int64(n)
	d.limits.bytes += int64(n)
	if n == 0 && d.waitsOn(until, err) {
		return 0, errQuiet
	}
	return n, err
}

// look reads both clocks.
func (d *driver) look() { d.now, d.read = d.opt.Now(), time.Now() }

// next waits for a telegram, the timer or the end of the line.
func (d *driver) next() machine.Event {
	if !d.heard && d.session.Awaits() {
		d.reader.First()
	}
	d.heard = true
	frame, err := d.reader.Next()
	for errors.Is(err, errQuiet) {
		d.lighten()
		frame, err = d.reader.Next()
	}
	if why := d.beyond(err); why != nil && d.ctx.Err() == nil {
		return d.lost(why)
	}
	if err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) && d.ctx.Err() == nil {
			return machine.Event{Kind: machine.TimedOut, Now: d.now}
		}
		return d.lost(err)
	}
	if err := d.reader.Decode(frame, &d.telegram); err != nil {
		reason := protocol.BadFormat
		switch fault.CodeOf(err) {
		case protocol.CodeTooShort, protocol.CodeTooLong, protocol.CodeDataLength:
			reason = protocol.BadLength
		case protocol.CodeWrongBusiness:
			reason = protocol.Unregistered
		}
		d.record(false, &d.telegram, frame, err)
		return machine.Event{Kind: machine.Garbled, Now: d.now, Telegram: &d.telegram, Err: err, Reason: reason}
	}
	d.record(false, &d.telegram, frame, nil)
	return machine.Event{Kind: machine.Arrived, Now: d.now, Telegram: &d.telegram}
}

func (d *driver) lost(err error) machine.Event {
	if d.ctx.Err() != nil {
		err = context.Cause(d.ctx)
	}
	if fault.As(err) == nil {
		err = fault.New(machine.CodeLost, "").Because(err)
	}
	return machine.Event{Kind: machine.Lost, Now: d.opt.Now(), Err: err}
}

// perform does the actions in order and returns the answer to the question at
// their end, or an event of kind Started if there was none.
func (d *driver) perform(actions []machine.Action) machine.Event {
	for i := range actions {
		a := &actions[i]
		switch a.Do {
		case machine.Send:
			at := len(d.write)
			var err error
			if d.write, err = d.p.Append(d.buffered(), &a.Telegram); err != nil {
				return d.lost(err)
			}
			if !d.cut {
				d.record(true, &a.Telegram, d.write[at:], nil)
			}
		case machine.SendBytes:
			d.write = append(d.buffered(), a.Step.Bytes...)
			d.recordBytes(true, a.Step, a.Step.Bytes)
		case machine.SendData:
			if a.Telegram.Kind == protocol.Resend {
				if d.ahead.loading != nil {
					<-d.ahead.loading // one question at a time
				}
				d.host.Missed(d.ctx, a.Block, &a.Sequences)
			}
			if err := d.sendData(a); err != nil {
				return d.lost(err)
			}
		case machine.Keep:
			d.keep(a.First)
		case machine.Timer:
			d.deadline = d.read.Add(a.After)
			if a.After > time.Second { // the clock was read when the telegram came
				continue
			}
			d.deadline = time.Now().Add(a.After)
		case machine.HangUp:
			d.err = a.Outcome.Err
			_ = d.flush()
			return machine.Event{}
		default:
			if err := d.flush(); err != nil && a.Do != machine.Finish {
				return d.lost(err)
			}
			return d.ask(a)
		}
	}
	if err := d.flush(); err != nil {
		return d.lost(err)
	}
	return machine.Event{}
}

func (d *driver) buffered() []byte {
	if d.write == nil {
		d.write = make([]byte, 0, 1024)
	}
	return d.write
}

// writeAtOnce is how many bytes may take up to writeWait to leave: a block of
// a slow line takes longer than that as a whole.
const (
	writeAtOnce = 64 << 10
	writeWait   = time.Minute
)

// flush sends what was gathered. After the first failure nothing more is sent:
// the machine still finishes what it has to record.
func (d *driver) flush() error {
	rest := d.write
	d.write = d.write[:0]
	for len(rest) > 0 && !d.cut {
		n := min(len(rest), writeAtOnce)
		if err := d.put(rest[:n]); err != nil {
			d.cut = true
			return err
		}
		rest = rest[n:]
	}
	return nil
}

func (d *driver) put(b []byte) error {
	if err := d.conn.SetWriteDeadline(time.Now().Add(writeWait)); err != nil {
		return err
	}
	if d.ctx.Err() != nil { // the deadline that was just set may have undone the cut
		return context.Cause(d.ctx)
	}
	_, err := d.conn.Write(b)
	return err
}

// sendData writes the wanted sequences of the loaded block behind one another,
// so that a block leaves in one write.
func (d *driver) sendData(a *machine.Action) error {
	geo, size := a.Geometry, int64(len(d.view))
	most := geo.MostSequence()
	need := len(d.write) + a.Sequences.Count()*(most+256) + 1024
	if cap(d.write) < need {
		w := d.opt.Buffers.get(need)
		w = append(w[:0], d.write...)
		d.opt.Buffers.put(d.write)
		d.write = w
	}
	if d.p.Files.Whole {
		return d.sendWhole(a)
	}
	tpl, err := d.p.Template(&a.Telegram, most)
	if err != nil {
		return err
	}
	for seq := 1; seq <= a.Last; seq++ {
		if !a.Sequences.Has(seq) {
			continue
		}
		from, to := geo.Offset(transfer.Position{Block: 1, Seq: seq}, size), geo.Offset(transfer.Position{Block: 1, Seq: seq + 1}, size)
		at := len(d.write)
		if d.write, err = tpl.Append(d.write, a.Block, seq, d.view[from:to]); err != nil {
			return err
		}
		if d.opt.Log != nil && !d.cut {
			d.opt.Log.Data(d.now, true, &a.Telegram, a.Block, seq, int(to-from), d.write[at:])
		}
	}
	return nil
}

// keep copies the data of the telegram just read to its place.
func (d *driver) keep(seq int) {
	stride := d.session.Stride()
	d.room(stride * d.p.Files.PerBlock)
	copy(d.block[(seq-1)*stride:seq*stride], d.telegram.Data())
}

// room makes the block buffer at least n bytes long.
func (d *driver) room(n int) {
	if len(d.block) < n {
		d.opt.Buffers.put(d.block)
		d.block = d.opt.Buffers.get(n)
	}
}

// pack gathers the held sequences one behind the other. A whole block is
// packed in place; one with gaps is copied, as more of it will come.
func (d *driver) pack(a *machine.Action) *transfer.Block {
	stride, lengths := d.session.Stride(), d.session.Lengths()
	dst := d.block
	if !a.Complete {
		if len(d.scratch) < len(d.block) {
			d.opt.Buffers.put(d.scratch)
			d.scratch = d.opt.Buffers.get(len(d.block))
		}
		dst = d.scratch
	}
	n := 0
	for seq := 1; seq <= len(lengths); seq++ {
		if !a.Sequences.Has(seq) {
			continue
		}
		from, l := (seq-1)*stride, int(lengths[seq-1])
		if n != from || !a.Complete {
			copy(dst[n:n+l], d.block[from:from+l])
		}
		n += l
	}
	d.saving = transfer.Block{
		Number: a.Block, Lengths: lengths, Held: a.Sequences, Payload: dst[:n],
		Checksum: crc32.Checksum(dst[:n], d.table),
	}
	return &d.saving
}

// unpack puts the sequences of a block held in part at their places. What the
// store holds may have been cut for a larger telegram than this session takes.
func (d *driver) unpack(acc *Acceptance) error {
	lengths, rest := acc.Resume.Lengths, acc.Partial
	if len(lengths) == 0 {
		return nil
	}
	stride := d.session.Stride()
	if len(lengths) > d.p.Files.PerBlock {
		return fault.New(CodeResume, "", "block", acc.Resume.Block, "sequences", len(lengths), "bytes", len(rest))
	}
	d.room(stride * d.p.Files.PerBlock)
	for i, l := range lengths {
		n := int(l)
		if n > stride || n > len(rest) {
			return fault.New(CodeResume, "", "block", acc.Resume.Block, "sequences", len(lengths), "bytes", len(acc.Partial))
		}
		copy(d.block[i*stride:], rest[:n])
		rest = rest[n:]
	}
	return nil
}
