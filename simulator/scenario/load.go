package scenario

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"pabal/filemgr"
	"pabal/internal/fault"
	"pabal/internal/strictyaml"
	"pabal/naming"
	"pabal/protocol"
	"pabal/protocol/machine"
	"pabal/simulator"
)

// What a scenario that says nothing has.
const (
	defaultSender   = "Honggildong"
	defaultPassword = "123ABC"
	defaultCode     = "12345678"
	defaultWithin   = time.Minute
	defaultReply    = 5 * time.Second
	mostSessions    = 1000
	mostCopies      = 10000
	mostBytes       = 1 << 40 // of a file that is made
)

// Options of reading.
type Options struct {
	Env      func(string) (string, bool)                  // for ${env:NAME}; nil = no variable is set
	Today    time.Time                                    // for dates in names
	Profiles func(name string) (*protocol.Profile, error) // those by name; nil = those that come with the program
}

// Load reads a file. Problems are *fault.Error with file, line, path and what
// was expected, joined; nothing is started of a file that has one.
func Load(path string, o Options) (*Scenario, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.New(CodeUnreadable, path).Because(err)
	}
	return Parse(path, text, o)
}

// Parse is Load of text; paths in it are relative to the directory of file.
func Parse(file string, text []byte, o Options) (*Scenario, error) {
	r := &reader{file: file, o: o, told: map[string]bool{}}
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return nil, r.syntax(err)
	}
	if root.Kind != yaml.DocumentNode || len(root.Content) == 0 {
		r.unread("", 1, fault.Say("nothing_in_it"))
		return nil, errors.Join(r.problems...)
	}
	r.root = root.Content[0]
	for _, k := range strictyaml.Unknown(r.root, reflect.TypeFor[spec](), "") {
		r.unread(k.Path, k.Line, fault.Say("unknown_key", "key", k.Path))
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	if err := dec.Decode(&r.spec); err != nil {
		return nil, r.syntax(err)
	}
	s := r.scenario()
	if len(r.problems) > 0 {
		line := func(err error) int { n, _ := strconv.Atoi(fault.As(err).Args["line"]); return n }
		slices.SortStableFunc(r.problems, func(a, b error) int { return cmp.Compare(line(a), line(b)) })
		return nil, errors.Join(r.problems...)
	}
	return s, nil
}

type reader struct {
	file     string
	o        Options
	root     *yaml.Node
	spec     spec
	problems []error
	told     map[string]bool // paths of them
	seeds    int64
	size     int // data bytes of a full telegram
}

// syntax notes what the YAML decoder says.
func (r *reader) syntax(err error) error {
	for _, t := range strictyaml.Troubles(err) {
		r.unread("", t.Line, t.What)
	}
	return errors.Join(r.problems...)
}

func (r *reader) unread(path string, line int, what fault.Phrase) {
	r.problems = append(r.problems, fault.New(CodeSyntax, cmp.Or(path, r.file), "file", r.file, "line", line, "path", path, "detail", what))
}

// bad notes what is wrong at path, the first thing of each. A value of "" is not
// there, or none to be shown.
func (r *reader) bad(path string, value any, expected fault.Phrase) {
	if r.told[path] {
		return
	}
	r.told[path] = true
	code, subject := CodeValue, fmt.Sprint(value)
	if subject == "" {
		code, subject = CodeUnfit, path
	}
	_, line := strictyaml.Find(r.root, path)
	r.problems = append(r.problems, fault.New(code, subject, "file", r.file, "line", line, "path", path, "expected", expected))
}

func (r *reader) one(path, value string, allowed ...string) string {
	if value == "" {
		return allowed[0]
	}
	if !slices.Contains(allowed, value) {
		r.bad(path, value, fault.Say("one_of", "known", strings.Join(allowed, ", ")))
	}
	return value
}

func (r *reader) duration(path, value string, otherwise time.Duration) time.Duration {
	if value == "" {
		return otherwise
	}
	d, err := time.ParseDuration(value)
	if err != nil || d <= 0 {
		r.bad(path, value, fault.Say("a_time", "example", "500ms, 10s"))
	}
	return d
}

func (r *reader) count(path string, value, otherwise, most int) int {
	if value == 0 {
		return otherwise
	}
	if value < 1 || value > most {
		r.bad(path, value, fault.Say("range", "low", 1, "high", most))
	}
	return value
}

var envName = regexp.MustCompile(`^\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}$`)

// secret is a password, or the variable that holds it.
func (r *reader) secret(path, value string) string {
	m := envName.FindStringSubmatch(value)
	if m == nil {
		return value
	}
	v, ok := "", false
	if r.o.Env != nil {
		v, ok = r.o.Env(m[1])
	}
	if !ok {
		r.bad(path, value, fault.Say("set_variable"))
	}
	return v
}

// login is what is said before the opening. What the telegrams of the profile
// have no room for is refused, as nobody would ever see it.
func (r *reader) login(path string, l *loginSpec, p *protocol.Profile) *machine.Login {
	if l == nil {
		return nil
	}
	for _, said := range []struct {
		key, value string
		field      protocol.Field
	}{{".name", l.Name, protocol.SenderName}, {".password", l.Password, protocol.SenderPassword}} {
		if said.value != "" && !p.PresentsInLogin(said.field) {
			r.bad(path+said.key, "", fault.Say("nothing_in_login", "profile", p.Name))
		}
	}
	return &machine.Login{Name: l.Name, Password: r.secret(path+".password", l.Password)}
}

// scenario puts what was read together.
func (r *reader) scenario() *Scenario {
	f := &r.spec
	s := &Scenario{
		Name: f.Scenario, About: f.About, Address: f.Address, Fetch: f.Fetch, Take: f.Take,
		Listens:  r.one("role", f.Role, "connect", "listen") == "listen",
		Sessions: r.count("sessions", f.Sessions, 1, mostSessions), Calls: r.count("calls", f.Calls, 1, mostSessions),
		Pause: r.duration("pause", f.Pause, 100*time.Millisecond), Within: r.duration("within", f.Within, defaultWithin),
	}
	if s.Name == "" {
		r.bad("scenario", "", fault.Say("a_name"))
	}
	for lang := range f.About {
		r.one("about."+lang, lang, "en", "ko")
	}
	var ok bool
	if s.Side, ok = protocol.ParseSide(f.Side); !ok {
		r.bad("side", f.Side, fault.Say("one_of", "known", "institution, centre"))
	}
	if s.Profile = r.profile(); s.Profile == nil {
		return s
	}
	s.Who = r.who(s)
	if l, err := s.Who.DataSize(); err != nil {
		r.bad("message_size", f.MessageSize, fault.Say("carried_by_profile", "profile", s.Profile.Name))
	} else {
		r.size = l
	}
	s.TLS = r.tls(s)
	s.Who.Faults = r.faults()
	s.Gifts = r.all("give", f.Give, s.Profile)
	s.Server.Sends = r.all("server.sends", f.Server.Sends, s.Profile)
	if len(s.Gifts) == 0 && !s.Take {
		r.bad("give", "", fault.Say("give_or_take"))
	}
	if s.Fetch && !s.Take {
		r.bad("fetch", true, fault.Say("take_too"))
	}
	s.Server.Sender, s.Server.Password = cmp.Or(f.Server.Sender, defaultSender), cmp.Or(r.secret("server.password", f.Server.Password), defaultPassword)
	s.Server.Login = r.login("server.login", f.Server.Login, s.Profile)
	s.Server.Reply, s.Server.Rounds = r.duration("server.reply", f.Server.Reply, defaultReply), f.Server.Rounds
	s.Expect = r.expect(s)
	return s
}

func (r *reader) profile() *protocol.Profile {
	name := r.spec.Profile
	if name == "" {
		r.bad("profile", "", fault.Say("a_profile"))
		return nil
	}
	load := r.o.Profiles
	if load == nil {
		load = protocol.Load
	}
	if filepath.Ext(name) == ".yaml" {
		load = func(string) (*protocol.Profile, error) {
			path := r.beside(name)
			text, err := os.ReadFile(path)
			if err != nil {
				return nil, err
			}
			lib := protocol.NewLibrary()
			lib.CheckNames(naming.ScriptExpected)
			own, err := lib.Add(path, text)
			if err != nil {
				return nil, err
			}
			return lib.Load(own)
		}
	}
	p, err := load(name)
	if fault.As(err) != nil && fault.CodeOf(err) != protocol.CodeProfileUnknown {
		r.problems = append(r.problems, err) // says more than we could: its own file and line
	} else if err != nil {
		r.bad("profile", name, fault.Say("known_profile", "known", strings.Join(protocol.Embedded(), ", ")))
	}
	return p
}

func (r *reader) beside(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(r.file), path)
}

// who makes the options of the Peer.
func (r *reader) who(s *Scenario) simulator.Options {
	f := &r.spec
	self, peer := "CLIENT01", "VAN"
	if s.Side == protocol.CentreSide {
		self, peer = peer, self
	}
	code := defaultCode
	if w := s.Profile.Width(protocol.Open, protocol.Institution); w > 0 && w < len(code) {
		code = code[:w]
	}
	o := simulator.Options{
		Profile: s.Profile, Side: s.Side, Institution: cmp.Or(f.Who.Institution, code),
		Self: cmp.Or(f.Who.Self, self), Peer: cmp.Or(f.Who.Peer, peer),
		SenderName: cmp.Or(f.Who.Sender, defaultSender), Password: cmp.Or(r.secret("who.password", f.Who.Password), defaultPassword),
		Login:    r.login("who.login", f.Who.Login, s.Profile),
		Transfer: r.secret("who.transfer_password", f.Who.Transfer),
		Expect: simulator.Expect{Caller: f.Expects.Caller, SenderName: f.Expects.Sender,
			Password: r.secret("callers.password", f.Expects.Password), Login: r.login("callers.login", f.Expects.Login, s.Profile),
			Transfer: r.secret("callers.transfer_password", f.Expects.Transfer)},
		CallersFetch: s.Listens && f.Fetch && !s.Profile.Session.Opens.Fixed(),
		Record:       f.Record, Packing: filemgr.Packing(f.Packing), Gzip: f.Gzip, EBCDIC: f.EBCDIC, MessageSize: f.MessageSize,
		Reply: r.duration("waits.reply", f.Waits.Reply, 10*time.Second), Idle: r.duration("waits.idle", f.Waits.Idle, 10*time.Second),
		First: r.duration("waits.first", f.Waits.First, 10*time.Second), Pause: time.Millisecond,
		GiveDir: "give", TakeDir: "take", // for the check; Run says where they are
	}
	r.one("packing", f.Packing, "", "whole", "filled", "one")
	if err := o.Validate(); err != nil {
		r.bad(subject(err), "", fault.Say("what_works", "why", why(err)))
	}
	return o
}

// subject is the key that an error of the options is about.
func subject(err error) string {
	if e := fault.As(err); e != nil {
		return e.Subject
	}
	return "scenario"
}

// why is what an error of the options says, or its code.
func why(err error) any {
	e := fault.As(err)
	if e == nil {
		return err
	}
	if p := e.Args.Phrase("detail"); p.Said() {
		return p
	}
	return e.Code
}

// faults are those of the text form, by key, and the answers.
func (r *reader) faults() simulator.Faults {
	var f simulator.Faults
	for _, key := range slices.Sorted(maps.Keys(r.spec.Faults)) {
		if err := f.Set(key, r.spec.Faults[key]); err != nil {
			r.bad("faults."+key, r.spec.Faults[key], fault.As(err).Args.Phrase("expected"))
		}
	}
	for n := range r.spec.Answers {
		f.Answers = append(f.Answers, r.answer(fmt.Sprintf("answers[%d]", n), &r.spec.Answers[n]))
	}
	return f
}

func (r *reader) answer(path string, a *answerSpec) simulator.Answer {
	out := simulator.Answer{
		Name: r.name(a.File, 1), Block: a.Block, From: a.From, Times: a.Times,
		Response: a.Response, Silent: a.Silent, SizeBy: a.Size, Delay: r.duration(path+".delay", a.Delay, 0),
	}
	if k, ok := simulator.KindNamed(a.To); ok {
		out.Kind = k.Reply()
	}
	if out.Kind == protocol.NoKind {
		r.bad(path+".to", a.To, fault.Say("one_of", "known", "open, info, fetch, check, end, close, inquiry, cancel"))
	}
	switch r.one(path+".map", a.Map, "right", "held", "none", "listed") {
	case "held":
		out.Map = simulator.MapHeld
	case "none":
		out.Map = simulator.MapNone
	case "listed":
		out.Map, out.Missing = simulator.MapListed, a.Missing
	}
	if (out.Map == simulator.MapListed) != (len(a.Missing) > 0) {
		r.bad(path+".missing", a.Missing, fault.Say("listed_numbers"))
	}
	if out.Map != simulator.MapRight && out.Kind != protocol.CheckReply {
		r.bad(path+".map", a.Map, fault.Say("map_of_check"))
	}
	if a.From < 0 || a.Times < 0 || a.Block < 0 {
		r.bad(path, a.To, fault.Say("from_one"))
	}
	if out.Response == "" && out.Delay == 0 && !out.Silent && out.Map == simulator.MapRight && out.SizeBy == 0 {
		r.bad(path, a.To, fault.Say("answer_is_like"))
	}
	return out
}

func (r *reader) expect(s *Scenario) Expect {
	f := &r.spec.Expect
	e := Expect{Given: len(s.Gifts), Taken: len(s.Server.Sends), Failed: map[string]string{}, Resent: -1, Ends: f.Ends, Server: map[string]string{}}
	for name, why := range f.Failed {
		e.Failed[r.name(name, 1)] = why
	}
	for name, status := range f.Server {
		e.Server[r.name(name, 1)] = status
	}
	if f.Given != nil {
		e.Given = *f.Given
	}
	if f.Taken != nil {
		e.Taken = *f.Taken
	}
	e.Sessions = f.Sessions
	if f.Resent != nil {
		e.Resent = *f.Resent
	}
	if e.Given < 0 || e.Given > len(s.Gifts) {
		r.bad("expect.given", e.Given, fault.Say("most_given", "most", len(s.Gifts)))
	}
	return e
}
