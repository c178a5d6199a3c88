// Package floor carries files with the least that any receiver has to do: the
// same machines and the same conversation as the server's, and no store. It is
// what "pabal bench" holds the server's figures against. Nothing but a
// measurement may use it: a crash loses what was taken.
package floor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"pabal/protocol"
	"pabal/protocol/line"
	"pabal/protocol/machine"
	"pabal/transfer"
)

// File is one file to send.
type File struct {
	Name string // on the wire
	Date string // business date, YYYYMMDD, where the profile carries it
	Path string
}

// Options of both ends.
type Options struct {
	Profile  *protocol.Profile // the institution calls and sends
	DataSize int               // L, data bytes of a full telegram
	Dir      string            // where the receiver writes files, under wire name and, where it travels, date
	Sync     bool              // the receiver syncs a file, once, before it confirms its end
	Buffers  *line.Buffers     // shared by the sessions; nil = none
}

// Who they say they are: nobody checks it, but it has to fit. Header and trailer
// that a profile sorts by tags are left out, as what stands in them is the
// business of who has a store; the telegrams are as many and as long.
const (
	institution = "12345678"
	self        = "FLOOR"
	peer        = "CENTRE"
	serial      = "001"
)

// InstitutionCode is the code that both ends of a measurement have in the header
// of telegrams, as long as the profile has room for.
func InstitutionCode(p *protocol.Profile) string {
	if w := p.Width(protocol.Open, protocol.Institution); w > 0 && w < len(institution) {
		return institution[:w]
	}
	return institution
}

// sending is the side that sends: the institution, or the centre where it opens
// and would have to ask for what the institution has.
func sending(p *protocol.Profile) protocol.Side {
	if p.Session.FetchByRequest {
		return p.Session.Opens.Of(false)
	}
	return protocol.InstitutionSide
}

// Send holds the session of the side that sends on conn: it sends what next gives
// until next gives nothing more. next must be safe for use by several sessions.
func Send(ctx context.Context, conn net.Conn, o Options, next func() (File, bool)) error {
	s := &sender{o: o, next: next}
	defer s.close()
	_, err := line.Run(ctx, conn, machine.Config{
		Profile: o.Profile, Side: sending(o.Profile), Institution: InstitutionCode(o.Profile), Self: self, Peer: peer,
		SenderName: "floor", Password: "floor", Challenge: strings.Repeat("0", o.Profile.ChallengeWidth()),
	}, s, line.Options{Now: time.Now, Buffers: o.Buffers})
	return err
}

// Receive holds the other side's session on conn until the sender closes it.
func Receive(ctx context.Context, conn net.Conn, o Options) error {
	r := &receiver{o: o}
	defer r.close()
	_, err := line.Run(ctx, conn, machine.Config{
		Profile: o.Profile, Side: sending(o.Profile).Other(), Called: true, Self: peer, Peer: self, Receive: true,
		Challenge: strings.Repeat("1", o.Profile.ChallengeWidth()),
	}, r, line.Options{Now: time.Now, Buffers: o.Buffers})
	return err
}

// errNotHere: the machine asks only what the role can be asked.
var errNotHere = errors.New("floor: not asked of this side")

// gate lets everybody in.
type gate struct{}

func (gate) Open(context.Context, *protocol.Telegram) (line.Judgement, error) {
	return line.Judgement{Reason: protocol.OK}, nil
}
func (gate) Fetch(context.Context, *protocol.Telegram) (line.Counted, error) {
	return line.Counted{Reason: protocol.Nothing}, nil
}
func (gate) Inquire(context.Context, *protocol.Telegram) (line.Answer, error) {
	return line.Answer{Reason: protocol.Nothing}, nil
}

// sender is the line.Host of the side that sends.
type sender struct {
	gate
	o     Options
	next  func() (File, bool)
	ready *File // promised to follow
	file  *os.File
}

func (s *sender) take() {
	if s.ready == nil {
		if f, ok := s.next(); ok {
			s.ready = &f
		}
	}
}

func (s *sender) close() {
	if s.file != nil {
		_ = s.file.Close() // it was only read
		s.file = nil
	}
}

func (s *sender) Next(context.Context) (machine.Order, error) {
	s.close()
	s.take()
	if s.ready == nil {
		return machine.Order{Kind: machine.NothingMore}, nil
	}
	f := *s.ready
	s.ready = nil
	var err error
	if s.file, err = os.Open(f.Path); err != nil {
		return machine.Order{}, err
	}
	info, err := s.file.Stat()
	if err != nil {
		return machine.Order{}, err
	}
	return machine.Order{Kind: machine.SendFile, File: machine.File{
		Name: f.Name, Date: f.Date, Serial: serial, Size: info.Size(), Declared: info.Size(), Unit: 1,
		DataSize: s.o.DataSize, MessageSize: s.o.Profile.Files.MessageSize,
	}}, nil
}

func (s *sender) Load(_ context.Context, offset int64, dst []byte) error {
	_, err := s.file.ReadAt(dst, offset)
	return err
}

func (*sender) Missed(context.Context, int64, *transfer.SeqSet) {}

func (s *sender) Ending(context.Context, int64) (bool, error) {
	s.take()
	return s.ready != nil, nil
}

func (*sender) Accept(context.Context, machine.Offer) (line.Acceptance, error) {
	return line.Acceptance{}, errNotHere
}
func (*sender) Save(context.Context, *transfer.Block, bool) error { return errNotHere }
func (*sender) Verify(context.Context, machine.Claims) (protocol.Reason, error) {
	return protocol.SystemFault, errNotHere
}

func (*sender) Finish(_ context.Context, o machine.Outcome) error {
	if o.Result != machine.ArrivedWhole {
		return errors.Join(fmt.Errorf("floor: a file ended as %q", o.Result), o.Err)
	}
	return nil
}

// receiver is the line.Host of the side that receives.
type receiver struct {
	gate
	o    Options
	file *os.File
	held int64
}

func (r *receiver) close() {
	if r.file != nil {
		_ = r.file.Close() // not confirmed, so nobody counts on it
		r.file = nil
	}
}

func (*receiver) Next(context.Context) (machine.Order, error)       { return machine.Order{}, errNotHere }
func (*receiver) Load(context.Context, int64, []byte) error         { return errNotHere }
func (*receiver) Missed(context.Context, int64, *transfer.SeqSet)   {}
func (*receiver) Ending(context.Context, int64) (bool, error)       { return false, errNotHere }
func (*receiver) Finish(_ context.Context, o machine.Outcome) error { return o.Err }

func (r *receiver) Accept(_ context.Context, o machine.Offer) (line.Acceptance, error) {
	if !filepath.IsLocal(o.Name) {
		return line.Acceptance{Reason: protocol.BadName}, nil
	}
	r.close()
	r.held = 0
	var err error
	if r.file, err = os.OpenFile(filepath.Join(r.o.Dir, o.Name+o.Date), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o640); err != nil {
		return line.Acceptance{}, err
	}
	return line.Acceptance{Reason: protocol.OK, Resume: machine.Resume{Block: 1}}, nil
}

// Save writes a block behind the last. A part of one is not kept: the machine
// brings the whole block when it has it.
func (r *receiver) Save(_ context.Context, b *transfer.Block, complete bool) error {
	if !complete {
		return nil
	}
	n, err := r.file.WriteAt(b.Payload, r.held)
	r.held += int64(n)
	return err
}

func (r *receiver) Verify(_ context.Context, c machine.Claims) (protocol.Reason, error) {
	if c.Declared >= 0 && c.Declared != r.held {
		return protocol.BadSize, nil
	}
	f := r.file
	r.file = nil
	var err error
	if r.o.Sync {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return protocol.SystemFault, err
	}
	return protocol.OK, nil
}

var _, _ line.Host = (*sender)(nil), (*receiver)(nil)
