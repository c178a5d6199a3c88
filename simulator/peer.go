package simulator

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"pabal/filemgr"
	"pabal/internal/fault"
	"pabal/internal/secure"
	"pabal/protocol"
	"pabal/protocol/line"
	"pabal/protocol/machine"
)

// Peer is one counterparty. Its sessions share its directories, what it knows
// of files half taken, and its faults.
type Peer struct {
	opt      Options
	dataSize int    // L
	business string // the code that callers must use, where the layouts have one
	faults   *injector
	buffers  *line.Buffers
	sessions atomic.Int64

	calling, called *secure.Keeper // nil = in clear

	giver *giver
	taker *taker

	observing sync.Mutex
}

// New makes a counterparty and its directories, and puts right what an earlier
// one that was killed left in them. A directory that cannot be used, and
// options that make no sense (CodeOptions), are errors.
func New(opt Options) (*Peer, error) {
	if err := opt.Validate(); err != nil {
		return nil, err
	}
	opt = opt.withDefaults()
	l, err := opt.DataSize()
	if err != nil {
		return nil, err
	}
	p := &Peer{opt: opt, dataSize: l, faults: newInjector(opt.Profile, opt.Faults), buffers: line.NewBuffers(8)}
	if p.business, err = businessCode(opt.Profile); err != nil {
		return nil, err
	}
	if err := p.openKeepers(); err != nil {
		return nil, err
	}
	if opt.GiveDir != "" {
		if p.giver, err = newGiver(opt, l); err != nil {
			return nil, err
		}
	}
	if opt.TakeDir != "" {
		if p.taker, err = newTaker(opt); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// businessCode is the constant that the profile has for 업무구분코드, "" if none.
func businessCode(p *protocol.Profile) (string, error) {
	t := protocol.Telegram{Kind: protocol.Open}
	frame, err := p.Append(nil, &t)
	if err != nil {
		return "", err
	}
	if err := p.Decode(frame[:len(frame)-len(p.Delimiter())], &t); err != nil {
		return "", err
	}
	return t.Text(protocol.Business), nil
}

// Serve accepts connections and holds a session on each until ctx is done, then
// closes the listener, cuts the sessions and returns nil when the last one has
// recorded where it stood. A listener that fails is an error.
func (p *Peer) Serve(ctx context.Context, l net.Listener) error {
	var all sync.WaitGroup
	defer all.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = l.Close() })()
	for {
		conn, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = conn.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil:
			// Out of descriptors, or a caller that was gone at once: the others live.
			p.opt.Logger.Warn("not accepted", "error", err)
			if !pause(ctx, acceptPause) {
				return nil
			}
			continue
		}
		receive := !p.opt.CallersFetch
		if p.opt.Profile.Session.Opens.Fixed() { // what we open for, where we do
			receive = p.giver == nil
		}
		all.Go(func() { _, _ = p.Welcome(ctx, conn, receive) })
	}
}

// Welcome holds a session with a caller, after the handshake if there is one,
// and closes conn.
func (p *Peer) Welcome(ctx context.Context, conn net.Conn, receive bool) (Report, error) {
	line, err := p.answer(ctx, conn)
	if err != nil {
		p.opt.Logger.Warn("not let in", "remote", conn.RemoteAddr().String(), "error", err)
		p.observe(Event{Kind: Closed, Session: p.sessions.Add(1), Err: err})
		return Report{}, err
	}
	return p.Answer(ctx, line, receive)
}

// Call connects to address, HOST:PORT, and holds one session: it gives every
// file that lies ready, or, with receive, takes what the other side has.
func (p *Peer) Call(ctx context.Context, address string, receive bool) (Report, error) {
	d := net.Dialer{Timeout: p.opt.Dial}
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return Report{}, fault.New(CodeAddress, address).Because(err)
	}
	if conn, err = p.secured(ctx, conn, address); err != nil {
		return Report{}, err
	}
	return p.Session(ctx, conn, receive)
}

// Session holds one session on conn and closes it. receive says that files are
// to come, where that is known before the opening: on the institution's side,
// and on the side that waits for the opening of a profile whose sender opens.
func (p *Peer) Session(ctx context.Context, conn net.Conn, receive bool) (Report, error) {
	return p.session(ctx, conn, receive, false)
}

// Answer is Session on a connection that the other side made, which matters
// where a profile has steps before the opening.
func (p *Peer) Answer(ctx context.Context, conn net.Conn, receive bool) (Report, error) {
	return p.session(ctx, conn, receive, true)
}

func (p *Peer) session(ctx context.Context, conn net.Conn, receive, called bool) (Report, error) {
	s := &session{p: p, id: p.sessions.Add(1), receive: receive, tried: map[string]bool{}, remote: conn.RemoteAddr().String()}
	log := p.opt.Logger.With("session", s.id, "remote", s.remote)
	log.Debug("session begins")
	cfg := p.opt.config(receive)
	cfg.Called = called
	report, err := line.Run(ctx, p.faults.wrap(conn, cfg.Side, called), cfg, s, line.Options{
		Now: p.opt.Now, Buffers: p.buffers, Trace: p.opt.Trace, Log: p.opt.ears,
	})
	s.release()
	if err != nil {
		log.Info("session ends", "files", report.Files, "error", err)
	} else {
		log.Debug("session ends", "files", report.Files)
	}
	p.observe(Event{Kind: Closed, Session: s.id, Err: err})
	return Report{Files: report.Files, More: report.MoreToFetch, Events: s.events}, err
}

// observe tells an event to who wants to know.
func (p *Peer) observe(e Event) {
	if e.At.IsZero() {
		e.At = p.opt.Now()
	}
	p.observing.Lock()
	defer p.observing.Unlock()
	p.opt.Observe(e)
}

// session is one conversation: the line.Host of a Peer.
type session struct {
	p       *Peer
	id      int64
	remote  string
	receive bool
	caller  string // the code that the caller gave of itself
	events  []Event

	put   int             // questions that have left
	asked bool            // the fetch of ours has left
	queue []string        // what a fetch of the other side is to bring; nil = whatever lies ready
	tried map[string]bool // files given or failed in this session
	gift  *gift           // the file being given
	in    *half           // the file being taken
	began time.Time       // when the one or the other was
}

// tell notes an event about a file.
func (s *session) tell(e Event) {
	e.Session, e.At = s.id, s.p.opt.Now()
	s.events = append(s.events, e)
	log := s.p.opt.Logger.With("session", s.id, "name", e.Name)
	if e.Kind == Failed {
		log.Warn("file "+e.Result.String(), "error", e.Err)
	} else {
		log.Info("file "+string(e.Kind), "bytes", e.Bytes, "sha256", e.SHA256, "resent", e.Resent)
	}
	s.p.observe(e)
}

// release gives back what the session still holds when it is over.
func (s *session) release() {
	if s.gift != nil {
		s.p.giver.release(s.gift)
		s.gift = nil
	}
	if s.in != nil {
		s.p.taker.release(s, s.in)
		s.in = nil
	}
}

// Open judges a caller by its opening (§1.6: 310, 320, 631; §3: 85, 87).
func (s *session) Open(_ context.Context, t *protocol.Telegram) (line.Judgement, error) {
	o := &s.p.opt
	caller := t.Text(o.Profile.Session.CallerField)
	no := func(r protocol.Reason, err error) (line.Judgement, error) {
		return line.Judgement{Reason: r, Err: err}, nil
	}
	refused := func(what string) error { return fault.New(CodeCallRefuse, caller, "field", what) }
	if got := t.Text(protocol.Business); got != s.p.business {
		return no(protocol.Unregistered, fault.New(protocol.CodeWrongBusiness, got, "expected", s.p.business))
	}
	if o.Expect.Caller != "" && caller != o.Expect.Caller {
		return no(protocol.BadSender, refused("caller"))
	}
	if o.Profile.Carries(t.Kind, protocol.SenderName) {
		name, travelled := t.Text(protocol.SenderName), t.Text(protocol.SenderPassword)
		want := machine.Login{Name: o.Expect.SenderName, Password: o.Expect.Password}
		if o.Expect.Login != nil && t.Kind.Login() {
			want = *o.Expect.Login
		}
		if want.Name != "" && name != want.Name {
			return no(protocol.BadSender, refused("sender_name"))
		}
		if pw := want.Password; pw != "" && !o.Profile.Session.Cipher.Matches(travelled, caller, name, pw, o.Now()) {
			return no(protocol.BadPassword, refused("password"))
		}
	}
	if t.Kind != protocol.Open { // a login: the opening is to come
		return line.Judgement{Reason: protocol.OK, Terms: machine.Terms{Peer: t.Text(protocol.From)}}, nil
	}
	s.caller = caller
	s.p.observe(Event{Kind: Opened, Session: s.id, Name: caller})
	return line.Judgement{Reason: protocol.OK, Terms: machine.Terms{Peer: t.Text(protocol.From)}}, nil
}

// Fetch counts what a caller asked for (§3: kind or ZZZ, dates, range).
func (s *session) Fetch(_ context.Context, t *protocol.Telegram) (line.Counted, error) {
	if pw := s.p.opt.Expect.Transfer; pw != "" && t.Text(protocol.Password) != pw {
		return line.Counted{Reason: protocol.BadPassword}, nil
	}
	s.queue = []string{}
	if s.p.giver == nil {
		return line.Counted{Reason: protocol.Nothing}, nil
	}
	o := &s.p.opt
	w := wish{name: t.Text(protocol.Name), from: protocol.FullDate(t.Text(protocol.Date), o.Now()), to: protocol.FullDate(t.Text(protocol.EndDate), o.Now()), only: t.Text(protocol.Range)}
	found, err := s.p.giver.waiting(w)
	if err != nil {
		return line.Counted{}, err
	}
	found, _ = s.p.giver.split(found)
	s.queue = found[:min(len(found), s.p.opt.PerSession)]
	if len(found) == 0 {
		return line.Counted{Reason: protocol.Nothing}, nil
	}
	return line.Counted{Reason: protocol.OK, Count: len(s.queue), Total: len(found)}, nil
}

// Inquire answers what became of a file, or forgets it (§1.3, §1.6, §3).
func (s *session) Inquire(_ context.Context, t *protocol.Telegram) (line.Answer, error) {
	if s.p.taker == nil {
		return line.Answer{Reason: protocol.OK, Finding: protocol.FoundNothing}, nil
	}
	id := identity{caller: s.caller, name: t.Text(protocol.QueryName), date: t.Text(protocol.QueryDate), serial: t.Text(protocol.Serial)}
	if id.name == "" {
		id.name, id.date = t.Text(protocol.Name), protocol.FullDate(t.Text(protocol.Date), s.p.opt.Now())
	}
	if t.Kind == protocol.Cancel {
		found, err := s.p.taker.cancel(id)
		return line.Answer{Reason: protocol.OK, Finding: found}, err
	}
	found, size := s.p.taker.inquire(id)
	return line.Answer{Reason: protocol.OK, Finding: found, Size: size}, nil
}

var _ line.Host = (*session)(nil)

// fileSize is what the profile means by size.
func declared(p *protocol.Profile, r filemgr.Result) int64 {
	if p.Files.FileSizes {
		return r.FileSize
	}
	return r.WireSize
}
