package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"pabal/config"
	"pabal/control"
	"pabal/instance"
	"pabal/internal/fault"
	"pabal/store"
)

// server is the process that runs instances. It follows the active version of
// the configuration: it proves every proposal against its own part, and works
// by what has become active without stopping (design D10).
type server struct {
	a     *app
	st    *store.Store
	log   *slog.Logger
	only  []string // --instance
	pid   int
	group *errgroup.Group
	ctx   context.Context // ends at the first signal
	hard  context.Context // … at the second

	mu       sync.Mutex
	file     *config.Source // the host's file as it was read last
	own      *site          // … and what it says at the start; database and directories stay
	running  map[string]*running
	version  *versioned // that it works by
	answered int64      // the proposal that was answered last
}

// running is one instance of this process.
type running struct {
	instance *instance.Instance
	options  instance.Options
	stop     context.CancelFunc
	stopping bool
	done     chan struct{} // closed when it has ended
}

// followEvery is how often the active version is asked for. On PostgreSQL a
// notification comes first.
const followEvery = time.Second

// applyWait is how long hosts may take to answer a proposal.
const applyWait = 15 * time.Second

// begin finds the version to work by, applies the file's own if it has changed,
// and starts the instances. It refuses a version that cannot work here.
func (s *server) begin(ctx context.Context) error {
	in, err := active(ctx, s.st)
	if err != nil {
		return err
	}
	own := s.own.cfg
	if own.Complete() {
		in, err = s.applyFile(ctx, in, control.OriginStart)
		for fault.CodeOf(err) == store.CodeVersionOvertaken { // others start too: as if we had come after them
			if in, err = active(ctx, s.st); err == nil {
				in, err = s.applyFile(ctx, in, control.OriginStart)
			}
		}
		if err != nil {
			return err
		}
	}
	if in == nil {
		return fault.New(codeNoConfiguration, s.a.configPath)
	}
	document := in.document
	if text, _ := s.file.Document(); text == in.text {
		document = nil // problems are told with the lines of the file
	}
	site, err := s.a.prove(s.file, document, s.a.env)
	if err != nil {
		return err
	}
	if err := s.a.markSite(own); err != nil {
		return err
	}
	// From now on nothing becomes active without us.
	if err := s.st.Follow(ctx, s.now(), s.follower(in.number), s.gone(ctx)...); err != nil {
		return err
	}
	s.log.Info("pabal starts", "version", version, "host", own.Host, "pid", s.pid,
		"database", store.Shown(own.Database.URL), "zone", site.cfg.Zone, "config", s.a.configPath,
		"config_version", in.number, "config_sha256", in.digest[:12])
	chosen, err := site.choose(s.only)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version = in
	return s.use(ctx, chosen)
}

func (s *server) now() time.Time { return s.a.now().UTC() }

func (s *server) follower(number int64) store.Follower {
	return store.Follower{Host: s.own.cfg.Host, PID: s.pid, Version: number}
}

// gone are former processes of this host that do not live any more. A process
// of our own number is a former one as well: the machine has been restarted.
func (s *server) gone(ctx context.Context) []int {
	all, err := s.st.Followers(ctx)
	if err != nil {
		return nil // they are asked in vain, and a person says that they are gone
	}
	var out []int
	for _, f := range all {
		if f.Host == s.own.cfg.Host && (f.PID == s.pid || errors.Is(syscall.Kill(f.PID, 0), syscall.ESRCH)) {
			out = append(out, f.PID)
		}
	}
	return out
}

// applyFile makes the shared part of the host's file the active version, if the
// file has changed since it was applied last. One that a person has replaced or
// rolled back meanwhile is not brought back by a restart.
func (s *server) applyFile(ctx context.Context, in *versioned, origin string) (*versioned, error) {
	text, err := s.file.Document()
	if err != nil {
		return nil, err
	}
	digest := config.Digest(text)
	base := int64(0)
	if in != nil {
		if base = in.number; in.digest == digest {
			return in, nil
		}
		all, err := s.st.ConfigVersions(ctx, 0)
		if err != nil {
			return nil, err
		}
		source := sourceName(s.a.configPath)
		n := slices.IndexFunc(all, func(v *store.ConfigVersion) bool {
			return v.Source == source && v.Host == s.own.cfg.Host && v.State != store.VersionRefused
		})
		if n >= 0 && all[n].Digest == digest {
			s.log.Warn("the file differs from the active version and has not changed since it was applied; the version counts",
				"config", s.a.configPath, "applied_as", all[n].Number, "config_version", in.number)
			return in, nil
		}
	}
	by := s.a.actor("applied at " + origin)
	verdict, err := s.control().Apply(ctx, control.Proposal{Document: text, Digest: digest, Origin: origin,
		Source: sourceName(s.a.configPath), Place: s.own.cfg.Host, Base: base, Wait: applyWait}, by)
	if err != nil {
		return nil, err
	}
	if !verdict.Active {
		s.refusals(verdict)
		return nil, refusedBy(verdict)
	}
	return active(ctx, s.st)
}

func (s *server) control() *control.Control {
	return control.New(s.st, s.a.cat, s.a.language(), s.a.now)
}

// use brings the running instances to the options: it changes those that run,
// starts what is new and lets drain what is gone. What has been done when an
// error comes stays done; used again it goes on from there.
func (s *server) use(ctx context.Context, chosen []instance.Options) error {
	wanted := map[string]bool{}
	for _, o := range chosen {
		wanted[o.ID] = true
	}
	for id, r := range s.running {
		if !wanted[id] {
			r.stop()
			r.stopping = true
			select {
			case <-r.done:
				delete(s.running, id)
			default:
			}
		}
	}
	var errs []error
	for _, o := range chosen {
		r := s.running[o.ID]
		if r != nil {
			errs = append(errs, s.change(ctx, r, o))
			continue
		}
		r, err := s.start(o)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		s.running[o.ID] = r
	}
	return errors.Join(errs...)
}

func (s *server) change(ctx context.Context, r *running, o instance.Options) error {
	select {
	case <-r.done: // it has drained, and is wanted again
		fresh, err := s.start(o)
		if err == nil {
			*r = *fresh
		}
		return err
	default:
	}
	if r.stopping {
		return fault.New(instance.CodeDraining, o.ID)
	}
	err := r.instance.Reconfigure(ctx, o)
	if err == nil {
		r.options = o
	}
	return err
}

func (s *server) start(o instance.Options) (*running, error) {
	o.Log, o.Explain = s.log, explain(s.a.cat)
	in, err := instance.New(s.st, o)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(s.ctx)
	r := &running{instance: in, options: o, stop: stop, done: make(chan struct{})}
	s.group.Go(func() error {
		defer close(r.done)
		defer stop()
		return in.Run(ctx, s.hard)
	})
	return r, nil
}

// started are the instances that run now, in the order of the configuration.
func (s *server) started() []*running {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*running
	site, err := s.a.prove(s.file, s.version.document, s.a.env)
	if err != nil {
		return nil
	}
	for _, o := range site.instances {
		if r := s.running[o.ID]; r != nil {
			out = append(out, r)
		}
	}
	return out
}

// follow answers proposals and works by what has become active, until ctx ends.
func (s *server) follow(ctx context.Context) error {
	wake := s.st.Wake(ctx)
	again := time.NewTicker(followEvery)
	defer again.Stop()
	for {
		if err := s.look(ctx); err != nil && ctx.Err() == nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-wake:
		case <-again.C:
		}
	}
}

// look is one step of follow. Its errors end the server: the active version
// cannot work here, and an old one must not go on beside it.
func (s *server) look(ctx context.Context) error {
	number, proposed, err := s.st.ConfigState(ctx)
	if err != nil {
		s.log.Warn("the active configuration is not known", "err", err)
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if proposed != 0 && proposed != s.answered {
		if err := s.answer(ctx, proposed); err != nil {
			s.log.Warn("proposal not answered", "config_version", proposed, "err", err)
		}
	}
	if number == 0 || number == s.version.number {
		return nil
	}
	in, err := active(ctx, s.st)
	if err != nil && store.Away(err) {
		s.log.Warn("the active configuration cannot be read", "config_version", number, "err", err)
		return nil
	}
	if err != nil {
		return err
	}
	return s.take(ctx, s.file, in)
}

// take works by a version from now on. An address that is not free is tried
// again with the next look.
func (s *server) take(ctx context.Context, file *config.Source, in *versioned) error {
	site, err := s.a.prove(file, in.document, s.a.env)
	if err != nil {
		return err
	}
	chosen, err := site.choose(s.only)
	if err != nil {
		return err
	}
	if err := s.use(ctx, chosen); err != nil {
		s.log.Error("configuration is not used yet, tried again", "config_version", in.number, "code", fault.CodeOf(err), "err", err)
		return nil
	}
	if err := s.st.Follow(ctx, s.now(), s.follower(in.number)); err != nil {
		s.log.Warn("use of the configuration not noted yet", "config_version", in.number, "err", err)
		return nil
	}
	s.file, s.version = file, in
	s.log.Info("configuration is used", "config_version", in.number, "config_sha256", in.digest[:12])
	return nil
}

// answer proves a proposal against this host and writes what came of it.
func (s *server) answer(ctx context.Context, number int64) error {
	v, err := s.st.ConfigVersion(ctx, number)
	if err != nil {
		return err
	}
	var problems []control.Said
	if err := s.possible(ctx, v); err != nil {
		problems = said(err, s.a.configPath)
	}
	text, err := json.Marshal(problems)
	if err != nil {
		return err
	}
	err = s.st.AnswerVersion(ctx, s.now(), store.VersionAnswer{Number: number, Host: s.own.cfg.Host, PID: s.pid,
		Accepted: len(problems) == 0, Problems: string(text)})
	if err != nil {
		return err
	}
	s.answered = number
	s.log.Info("proposal of a configuration answered", "config_version", number, "accepted", len(problems) == 0, "problems", len(problems))
	return nil
}

// possible says whether a version can work here.
func (s *server) possible(ctx context.Context, v *store.ConfigVersion) error {
	in, err := versionOf(v)
	if err != nil {
		return err
	}
	site, err := s.a.prove(s.file, in.document, s.a.env)
	if err != nil {
		return err
	}
	if _, err := site.choose(s.only); err != nil {
		return err
	}
	return site.cfg.Report(append(lasting(site.checkDirectories()), s.addresses(ctx, site)...))
}

// addresses tries those that are new. One that is taken by then is found again
// when the version is used.
func (s *server) addresses(ctx context.Context, site *site) []fault.Problem {
	var out []fault.Problem
	var lc net.ListenConfig
	have := map[string]bool{}
	for _, r := range s.running {
		for _, l := range r.options.Listen {
			have[l.Address] = true
		}
	}
	for n, in := range site.cfg.Instances {
		if !site.cfg.RunsHere(in.ID) || len(s.only) > 0 && !slices.Contains(s.only, in.ID) {
			continue
		}
		for k, l := range in.Listen {
			if have[l.Address] {
				continue
			}
			ln, err := lc.Listen(ctx, "tcp", l.Address)
			if err != nil {
				out = append(out, fault.Problem{Path: fmt.Sprintf("instances[%d].listen[%d].address", n, k),
					Err: fault.New(instance.CodeListen, l.Address)})
				continue
			}
			_ = ln.Close()
		}
	}
	return out
}

// said are the problems of an error in the form that hosts tell one another.
func said(err error, file string) []control.Said {
	var problems config.Problems
	if errors.As(err, &problems) {
		out := make([]control.Said, len(problems))
		for n, p := range problems {
			out[n] = control.SaidOf(p.Problem, p.File, p.Line, p.Column)
		}
		return out
	}
	e := fault.As(err)
	if e == nil {
		e = fault.New("internal", err.Error())
	}
	return []control.Said{control.SaidOf(fault.Problem{Err: e}, file, 1, 1)}
}

// hangups are the signals that have the file read again.
func hangups() (<-chan os.Signal, func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP)
	return signals, func() { signal.Stop(signals) }
}

func (s *server) listenForHangups(ctx context.Context, hangups <-chan os.Signal) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-hangups:
		}
		if err := s.reload(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			s.notRead(err)
		}
	}
}

// reload reads the host's file again. Its shared part becomes a version if it
// has changed; of the host's part it takes what does not need a new process.
func (s *server) reload(ctx context.Context) error {
	file, err := config.ReadFile(s.a.configPath)
	if err != nil {
		return err
	}
	own, err := s.a.prove(file, nil, s.a.env)
	if err != nil {
		return err
	}
	if key := s.own.cfg.Fixed(own.cfg); key != "" {
		return own.cfg.Report([]fault.Problem{{Path: key, Err: fault.New(codeRestart, key)}})
	}
	s.mu.Lock()
	in, before := s.version, s.file
	s.file = file // proposals are proven against it from now on
	s.mu.Unlock()
	if own.cfg.Complete() {
		if _, err := s.applyFile(ctx, in, control.OriginReload); err != nil {
			s.mu.Lock()
			s.file = before
			s.mu.Unlock()
			return err
		}
	}
	if in, err = active(ctx, s.st); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.take(ctx, file, in); err != nil {
		s.file = before
		return err
	}
	return nil
}

// leave takes the process out of those that are asked.
func (s *server) leave() error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), 5*time.Second)
	defer cancel()
	err := s.st.Unfollow(ctx, s.own.cfg.Host, s.pid)
	if err != nil && store.Away(err) {
		s.log.Warn("not signed off; the next process of this host does it", "err", err)
		return nil
	}
	return err
}
