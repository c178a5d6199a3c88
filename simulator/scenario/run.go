package scenario

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"pabal/internal/fault"
	"pabal/simulator"
	"pabal/simulator/sample"
)

// Run says where a scenario is run and what is told meanwhile.
type Run struct {
	Address  string       // in place of the scenario's; of a listener, "127.0.0.1:0" finds a port
	Listener net.Listener // in place of an address to listen at; nil = it is opened
	Dir      string       // for the files given and taken; made where it is not
	Observe  func(simulator.Event)
	Logger   *slog.Logger
	Now      func() time.Time
}

// Outcome is how it came out.
type Outcome struct {
	Scenario string
	Sessions int
	Seconds  float64
	Given    map[string]string // sha256 of the files that were confirmed, by their names in the folder
	Taken    []File
	Failed   map[string]Failure // by name on the wire, those that did not get through in the end
	Resent   int64
	Ends     []error // of the last session of each caller; nil = in peace
	Wrong    []error // what is not as expected; none = it is
}

// File that was taken.
type File struct {
	Name, Path, SHA256 string
	Bytes              int64
}

// Failure of a file.
type Failure struct {
	Result string // in words, as machine.Result has them
	Code   string // the response code that decided, if one did
	Err    error
}

// is reports whether the failure is the one that the file names.
func (f Failure) is(want string) bool {
	return want == f.Code || want == f.Result || want == string(fault.CodeOf(f.Err))
}

func (f Failure) String() string { return cmp.Or(f.Code, string(fault.CodeOf(f.Err)), f.Result) }

// Prepare writes the files to give into dir/give, and those that a server made
// for the scenario sends into dir/server. It returns their digests, by name.
// alone says that there is such a server; certificates that are made for the run
// are in dir/tls then. Errors are CodeMade, CodeServerTLS and those of this
// machine.
func (s *Scenario) Prepare(dir string, alone bool) (give, server map[string]string, err error) {
	if err := s.protect(dir, alone); err != nil {
		return nil, nil, err
	}
	if give, err = prepare(filepath.Join(dir, "give"), s.Gifts); err == nil {
		server, err = prepare(filepath.Join(dir, "server"), s.Server.Sends)
	}
	return give, server, err
}

func prepare(dir string, gifts []Gift) (map[string]string, error) {
	sums := map[string]string{}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, err
	}
	for _, g := range gifts {
		path := filepath.Join(dir, g.Name)
		sum, err := g.write(path)
		if err != nil {
			return nil, err
		}
		sums[g.Name] = sum
	}
	return sums, nil
}

// write makes the file and returns its digest.
func (g Gift) write(path string) (string, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	out := io.MultiWriter(f, sum)
	switch {
	case g.Path != "":
		var in *os.File
		if in, err = os.Open(g.Path); err == nil {
			_, err = io.Copy(out, in)
			_ = in.Close()
		}
	case g.Sample != "":
		err = sample.Write(out, g.Sample, sample.Options{Size: g.Size, Date: time.Date(2026, 3, 20, 0, 0, 0, 0, time.UTC), Institution: "1234567890", Seed: g.Seed})
	default:
		err = digits(out, g.Size, g.Seed)
	}
	return hex.EncodeToString(sum.Sum(nil)), errors.Join(err, f.Close())
}

// digits writes content that every character set and framing can carry, no two
// blocks alike.
func digits(out io.Writer, size, seed int64) error {
	random := rand.New(rand.NewPCG(uint64(seed), 1))
	buf := make([]byte, 4096)
	for size > 0 {
		for i := range buf {
			buf[i] = '0' + byte(random.UintN(10))
		}
		n := min(size, int64(len(buf)))
		if _, err := out.Write(buf[:n]); err != nil {
			return err
		}
		size -= n
	}
	return nil
}

// play is one run.
type play struct {
	s    *Scenario
	o    Run
	peer *simulator.Peer

	mu       sync.Mutex
	out      *Outcome
	sessions map[int64]error // that are over
	over     bool            // everything expected is there
	done     chan struct{}   // closed when everything expected is there
	once     sync.Once
}

// Run plays the scenario: Prepare has made the files in o.Dir. What is not as
// expected is in Outcome.Wrong; an error is that of this machine.
func (s *Scenario) Run(ctx context.Context, o Run) (Outcome, error) {
	p := &play{s: s, o: o, done: make(chan struct{}), sessions: map[int64]error{},
		out: &Outcome{Scenario: s.Name, Given: map[string]string{}, Failed: map[string]Failure{}}}
	opt := s.Who
	opt.GiveDir, opt.TakeDir = "", ""
	if len(s.Gifts) > 0 {
		opt.GiveDir = filepath.Join(o.Dir, "give")
	}
	if s.Take {
		opt.TakeDir = filepath.Join(o.Dir, "take")
	}
	opt.Logger, opt.Now, opt.Observe = o.Logger, o.Now, p.observe
	var err error
	if p.peer, err = simulator.New(opt); err != nil {
		return Outcome{}, err
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, s.Within)
	defer cancel()
	if s.Listens {
		err = p.listen(ctx)
	} else {
		err = p.call(ctx)
	}
	p.out.Seconds = time.Since(began).Seconds()
	if err != nil {
		return *p.out, err
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		p.out.Wrong = append(p.out.Wrong, fault.New(CodeLate, s.Name, "within", s.Within))
	}
	p.out.Wrong = append(p.out.Wrong, p.judge()...)
	return *p.out, nil
}

// call holds the sessions: so many at once, each again until there is nothing
// left to do.
func (p *play) call(ctx context.Context) error {
	address := cmp.Or(p.o.Address, p.s.Address)
	var all sync.WaitGroup
	ends := make([]error, p.s.Sessions)
	for lane := range p.s.Sessions {
		all.Go(func() {
			for n := range p.s.Calls {
				if n > 0 && !pause(ctx, p.s.Pause) {
					return
				}
				_, ends[lane] = p.peer.Call(ctx, address, p.s.Fetch)
				if ctx.Err() != nil || ends[lane] == nil && p.complete() {
					return
				}
			}
		})
	}
	all.Wait()
	p.out.Ends = ends
	return nil
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// listen waits for calls until everything expected is there and the last
// session is over.
func (p *play) listen(ctx context.Context) error {
	l := p.o.Listener
	if l == nil {
		var lc net.ListenConfig
		var err error
		if l, err = lc.Listen(ctx, "tcp", cmp.Or(p.o.Address, p.s.Address, "127.0.0.1:0")); err != nil {
			return err
		}
	}
	serve, stop := context.WithCancel(ctx)
	defer stop()
	served := make(chan error, 1)
	go func() { served <- p.peer.Serve(serve, l) }()
	select {
	case <-p.done:
	case <-ctx.Done():
	case err := <-served:
		return err
	}
	stop()
	return <-served
}

func (p *play) observe(e simulator.Event) {
	p.mu.Lock()
	switch e.Kind {
	case simulator.Given:
		p.out.Given[e.File] = e.SHA256
		delete(p.out.Failed, e.Name)
	case simulator.Taken:
		if !e.Again {
			p.out.Taken = append(p.out.Taken, File{e.Name, e.Path, e.SHA256, e.Bytes})
		}
		delete(p.out.Failed, e.Name)
	case simulator.Failed:
		p.out.Failed[e.Name] = Failure{e.Result.String(), e.Code, e.Err}
	case simulator.Closed:
		p.out.Sessions++
	}
	p.out.Resent += e.Resent
	if p.s.Listens && e.Kind == simulator.Closed && !p.over { // later ones are cut by ourselves
		p.out.Ends = []error{e.Err}
	}
	over := e.Kind == simulator.Closed && p.whole()
	p.over = p.over || over
	p.mu.Unlock()
	if over {
		p.once.Do(func() { close(p.done) })
	}
	if p.o.Observe != nil {
		p.o.Observe(e)
	}
}

// complete reports that what is expected is there.
func (p *play) complete() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.whole()
}

func (p *play) whole() bool {
	e := &p.s.Expect
	for name, why := range e.Failed {
		if f, ok := p.out.Failed[name]; !ok || !f.is(why) {
			return false
		}
	}
	return len(p.out.Given) >= e.Given && len(p.out.Taken) >= e.Taken
}

// judge holds the outcome against what is expected.
func (p *play) judge() (wrong []error) {
	e := &p.s.Expect
	say := func(what string, want, got any) {
		wrong = append(wrong, fault.New(CodeExpectation, what, "expected", fmt.Sprint(want), "actual", fmt.Sprint(got)))
	}
	if len(p.out.Given) != e.Given {
		say("given", e.Given, len(p.out.Given))
	}
	if len(p.out.Taken) != e.Taken {
		say("taken", e.Taken, len(p.out.Taken))
	}
	if e.Sessions > 0 && p.out.Sessions != e.Sessions {
		say("sessions", e.Sessions, p.out.Sessions)
	}
	if e.Resent >= 0 && p.out.Resent != e.Resent {
		say("resent", e.Resent, p.out.Resent)
	}
	for _, name := range sortedKeys(e.Failed) {
		if f, ok := p.out.Failed[name]; !ok {
			say(name, e.Failed[name], "-")
		} else if !f.is(e.Failed[name]) {
			say(name, e.Failed[name], f.String())
		}
	}
	for _, name := range sortedKeys(p.out.Failed) {
		if _, ok := e.Failed[name]; !ok {
			say(name, "-", p.out.Failed[name].String())
		}
	}
	if e.Ends == "any" {
		return wrong
	}
	for n, err := range p.out.Ends {
		if got := string(fault.CodeOf(err)); got != e.Ends || err != nil && got == "" {
			say("session "+strconv.Itoa(n+1), cmp.Or(e.Ends, "-"), cmp.Or(got, fmt.Sprint(err)))
		}
	}
	return wrong
}

func sortedKeys[T any](m map[string]T) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// Compare holds the files of a server's receive directory against those that
// were given, by their content: whatever they are called there, each that was
// confirmed is there once.
func (o *Outcome) Compare(dir string) error {
	have := map[string]int{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.Type().IsRegular() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		sum, err := digest(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		have[sum]++
	}
	for _, name := range sortedKeys(o.Given) {
		if have[o.Given[name]] == 0 {
			o.Wrong = append(o.Wrong, fault.New(CodeExpectation, name, "expected", "sha256 "+o.Given[name], "actual", "-"))
			continue
		}
		have[o.Given[name]]--
	}
	return nil
}

// Match holds the files that were taken against those that the server sent.
func (o *Outcome) Match(sent map[string]string) {
	left := map[string]string{}
	for name, sum := range sent {
		left[sum] = name
	}
	for _, f := range o.Taken {
		if left[f.SHA256] == "" {
			o.Wrong = append(o.Wrong, fault.New(CodeExpectation, f.Name, "expected", "-", "actual", "sha256 "+f.SHA256))
		}
	}
}

func digest(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), err
}
