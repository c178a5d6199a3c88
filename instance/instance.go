package instance

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"pabal/filemgr"
	"pabal/internal/fault"
	"pabal/internal/loop"
	"pabal/internal/secure"
	"pabal/naming"
	"pabal/protocol"
	"pabal/protocol/line"
	"pabal/protocol/sessionlog"
	"pabal/store"
	"pabal/transfer"
)

// Instance is one running identity with the options of one version of the
// configuration. A new version makes a new Instance beside it, see Reconfigure;
// the core is common to all of them.
type Instance struct {
	*core
	o     Options
	book  *naming.Book
	insts map[string]*institution

	keepers map[secure.Files]*secure.Keeper // of all certificates that it needs
	// called are the profiles of our addresses, by name, with the business codes
	// of all that may call there.
	called map[string]*protocol.Profile
}

// core is what an identity keeps while its options change.
type core struct {
	s    *store.Store
	log  *slog.Logger
	term int64  // the present one; it changes only while nothing runs in it
	work string // our work directory

	buffers *line.Buffers
	logs    *sessionlog.Writer
	lobby   *lobby
	open    openSessions
	others  *observer
	present atomic.Pointer[term] // nil while there is none
	doubt   loop.Signal          // a write was fenced off: is our term over?
	wake    wakes
	ready   chan struct{}
	latest  atomic.Pointer[Instance] // the options that new work begins with

	listeners listeners
	aheads    aheads
	wrong     throttle
	refused   refusals
	troubles  troubles
	paces     paces

	quarantine atomic.Bool // as last seen, see quarantineStep

	mu        sync.Mutex
	unsettled []func(context.Context) error
	strayAt   time.Time // of the last look for strays, see outcomesStep
}

// wakes are the hints that one stage's work may be another's.
type wakes struct {
	scan, store, backup, send, fetch, assemble, result, lines loop.Signal
}

// institution is a counterparty in the options of one configuration.
type institution struct {
	Institution
	*dialing // stays when the options change
}

// dialing is how calling a counterparty has gone.
type dialing struct {
	mu       sync.Mutex
	dialAt   time.Time // not before, after a connection that failed
	failedAt time.Time // … at this time
	fails    int
	reached  bool // the last call got through
}

// New checks the options and prepares an instance. It changes nothing yet.
func New(s *store.Store, o Options) (*Instance, error) {
	o.setDefaults()
	c := &core{
		s: s, log: o.Log.With("instance", o.ID),
		work:    filemgr.WorkDir(o.Dirs.Work, o.ID),
		buffers: line.NewBuffers(16),
		logs:    o.newLogs(o.Log.With("instance", o.ID).Error),
		lobby:   newLobby(o.MaxSessions, o.Door),
		wake: wakes{
			scan: loop.NewSignal(), store: loop.NewSignal(), backup: loop.NewSignal(),
			send: loop.NewSignal(), fetch: loop.NewSignal(), assemble: loop.NewSignal(), result: loop.NewSignal(), lines: loop.NewSignal(),
		},
		ready: make(chan struct{}),
		open:  openSessions{cuts: map[string]context.CancelCauseFunc{}, coming: map[string]bool{}},
		doubt: loop.NewSignal(),
	}
	c.others = &observer{s: s, id: o.ID, now: o.Now, log: c.log}
	i, err := newGeneration(c, o, nil)
	if err != nil {
		return nil, err
	}
	c.latest.Store(i)
	return i, nil
}

// setDefaults fills in what is left out, and makes what decides about sockets
// our own: it is compared with the next options.
func (o *Options) setDefaults() {
	o.Listen = slices.Clone(o.Listen)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Explain == nil {
		o.Explain = func(err error) string { return err.Error() }
	}
	o.Poll = or(o.Poll, time.Second)
	o.ScanEvery = or(o.ScanEvery, 2*time.Second)
	o.Drain = or(o.Drain, 30*time.Second)
	o.MaxSessions = or(o.MaxSessions, 2048)
	if o.Zone == nil {
		o.Zone = time.UTC
	}
}

// newGeneration makes the Instance for o. Of before, if there is one, it takes
// over how calling every counterparty has gone.
func newGeneration(c *core, o Options, before *Instance) (*Instance, error) {
	book, problems := naming.NewBook(o.Registrations())
	if len(problems) > 0 {
		errs := make([]error, len(problems))
		for n := range problems {
			errs[n] = problems[n]
		}
		return nil, errors.Join(errs...)
	}
	i := &Instance{core: c, o: o, book: book, insts: map[string]*institution{}}
	i.called = map[string]*protocol.Profile{}
	for _, l := range o.Listen {
		if l.Profile != nil {
			i.called[l.Profile.Name] = o.speaks(l.Profile)
		}
	}
	for _, inst := range o.Institutions {
		n := &institution{Institution: inst, dialing: &dialing{}}
		n.carryOver(before)
		i.insts[inst.Code] = n
	}
	if err := i.openKeepers(before); err != nil {
		return nil, err
	}
	return i, nil
}

// Ready is closed when the instance listens and its stages run.
func (i *Instance) Ready() <-chan struct{} { return i.ready }

// Addresses are those that it listens on, in the order of Options.Listen;
// good once Ready.
func (i *Instance) Addresses() []string { return i.listeners.addresses(i.current().o.Listen) }

func (i *Instance) now() time.Time      { return i.o.Now().UTC() }
func (i *Instance) business() time.Time { return i.o.Now().In(i.o.Zone) }

// file is the registration of a transfer, nil if the configuration no longer has it.
func (i *Instance) file(t *transfer.Transfer) *File {
	for n := range i.o.Files {
		f := &i.o.Files[n]
		if f.FileID == t.FileID && f.Institution == t.Institution && f.Job == t.Job && f.Direction == t.Direction {
			return f
		}
	}
	return nil
}

// later has f, a write that could not be done now, tried again until it is.
func (i *Instance) later(f func(context.Context) error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.unsettled = append(i.unsettled, f)
}

// settleStep makes up for outcomes that could not be written when they came:
// the store was away. A row that is no longer ours is somebody else's to settle.
func (i *Instance) settleStep(ctx context.Context) (bool, error) {
	i.mu.Lock()
	todo := i.unsettled
	i.unsettled = nil
	i.mu.Unlock()
	for n, f := range todo {
		err := f(ctx)
		if filemgr.Waits(fault.CodeOf(err)) { // a directory is away: that keeps nothing else
			i.later(f)
			continue
		}
		if err != nil && store.Away(err) || ctx.Err() != nil {
			i.mu.Lock()
			i.unsettled = append(todo[n:], i.unsettled...)
			i.mu.Unlock()
			return false, err
		}
		if err != nil {
			i.log.Warn("outcome not written", "code", fault.CodeOf(err), "err", err)
		}
	}
	return false, nil
}

// openSessions are those that this process holds, by id.
type openSessions struct {
	mu     sync.Mutex
	coming map[string]bool // those that are about to take their line
	cuts   map[string]context.CancelCauseFunc
}

// expect makes a session known before it takes its line.
func (o *openSessions) expect(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.coming[id] = true
}

// add is for one that has its line.
func (o *openSessions) add(id string, cut context.CancelCauseFunc) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.coming, id)
	o.cuts[id] = cut
}

func (o *openSessions) remove(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.coming, id)
	delete(o.cuts, id)
}

// known are those that have a line or are about to take one.
func (o *openSessions) known() map[string]bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	ids := maps.Clone(o.coming)
	for id := range o.cuts {
		ids[id] = true
	}
	return ids
}

func (o *openSessions) cut(id string, why error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if cut := o.cuts[id]; cut != nil {
		cut(why)
	}
}

func (o *openSessions) ids() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Collect(maps.Keys(o.cuts))
}

// line is the direction of the lines that a session takes, and how many there
// are. Where the opening does not say which way files will go both share them.
func (n *institution) line(d transfer.Direction) (direction string, most int) {
	send, receive := or(n.SendSessions, 1), or(n.ReceiveSessions, 1)
	switch {
	case n.Profile.Session.FetchByRequest:
		return store.LineBoth, max(send, receive)
	case d == transfer.Send:
		return store.LineSend, send
	}
	return store.LineReceive, receive
}
