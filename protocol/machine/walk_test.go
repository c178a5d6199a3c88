package machine

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/protocol/protocoltest"
)

// place is where a session stands, as far as the walk tells places apart.
type place struct {
	state State
	snd   sendState
	rcv   recvState
	open  Do

	brings, last, download, nothing, fetched, namesFile, planned bool
	due, step                                                    int
	nonce                                                        string
	sending                                                      sendPlace
	receiving                                                    recvPlace
}

type sendPlace struct {
	gone, farewell, numbered bool
	rounds                   int
}

type recvPlace struct {
	gone, dirty, next bool
	refusal           protocol.Reason
}

func placeOf(s *Session) place {
	p := place{state: s.state, open: s.open, brings: s.brings, last: s.last, due: s.due, download: s.download, nothing: s.nothing, fetched: s.fetched,
		namesFile: s.stands && s.p.Session.NamesFile, planned: s.planned, step: s.step, nonce: s.nonce}
	switch s.state {
	case Sending:
		p.snd = s.snd.state
		p.sending = sendPlace{gone: s.snd.gone != nil, farewell: s.snd.farewell != "", rounds: min(2, s.snd.rounds), numbered: s.snd.last > 0}
	case Receiving:
		p.rcv = s.rcv.state
		p.receiving = recvPlace{gone: s.rcv.gone != nil, refusal: s.rcv.refusal, dirty: s.rcv.dirty, next: s.rcv.next.Kind == Arrived}
	}
	return p
}

// stimulus is one event of the walk, made anew for each step.
type stimulus struct {
	name string
	make func() Event
}

// walk visits every place that a session can reach and does everything to it.
type walk struct {
	t     *testing.T
	cfg   Config
	do    []stimulus
	paths map[place]way
	edges map[[2]State]map[string]bool
	room  *room // for the next step
	aside *room // for what is tried besides
}

// way is how the walk came to a place, and a session that stands there.
type way struct {
	path []stimulus
	s    *Session
}

// room is where a session is copied to that goes on by itself.
type room struct {
	s   Session
	env env
}

func (r *room) copy(s *Session) *Session {
	out := r.env.out[:0]
	r.s, r.env = *s, *s.env
	r.env.out = out
	r.s.env, r.s.snd.env, r.s.rcv.env = &r.env, &r.env, &r.env
	r.s.buf, r.s.rcv.buf = nil, nil // the original's stay as they are: what was kept points into them
	return &r.s
}

// everyProfile are those that come with the program, those of testdata/profiles
// and those of conversations, without those that differ from one before them in
// nothing but codes and constants, which no machine looks at.
func everyProfile(t testing.TB) []*protocol.Profile {
	t.Helper()
	all := conversations(t)
	for _, name := range append(protocol.Embedded(), protocoltest.Names(t)...) {
		all = append(all, protocoltest.Load(t, name))
	}
	var out []*protocol.Profile
	seen := map[string]bool{}
	for _, p := range all {
		var b strings.Builder
		fmt.Fprintf(&b, "%+v %+v %t %t", p.Session, p.Files, p.Letters.Upload != nil, p.Parts != nil)
		for _, k := range protocol.Kinds() {
			fmt.Fprintf(&b, "\n%s %t", k, p.Has(k))
			for f := range protocol.Field(100) { // more than there are
				fmt.Fprintf(&b, " %t %d", p.Carries(k, f), p.Width(k, f))
			}
		}
		if !seen[b.String()] {
			seen[b.String()] = true
			out = append(out, p)
		}
	}
	return out
}

// institution is a code that the header has room for.
func institution(p *protocol.Profile) string {
	const code = "057"
	if w := p.Width(protocol.Open, protocol.Institution); w > 0 {
		return code[max(0, len(code)-w):]
	}
	return code
}

// configs are the ways to hold a session under profiles.
func configs(profiles []*protocol.Profile) []Config {
	var out []Config
	for _, p := range profiles {
		for _, side := range []protocol.Side{protocol.InstitutionSide, protocol.CentreSide} {
			for _, receive := range []bool{false, true} {
				opens := p.Session.Opens
				if receive && opens.Fixed() && (opens.Of(true) != side || p.Session.FetchByRequest) {
					continue // makes no difference there
				}
				cfg := Config{Profile: p, Side: side, Called: side == protocol.CentreSide, Challenge: "123456", Institution: institution(p), Self: "A", Peer: "B",
					SenderName: "S", Password: "P", Receive: receive, Rounds: 2}
				out = append(out, cfg)
				if receive && !opens.Fixed() && side == protocol.CentreSide {
					cfg.EitherSide = true
					out = append(out, cfg)
				}
			}
		}
	}
	return out
}

// Every state, every telegram, every answer of our own side, for every profile
// and both sides: something defined happens.
func TestWalk(t *testing.T) {
	states := map[State]bool{}
	senders, receivers := map[sendState]bool{}, map[recvState]bool{}
	edges := map[[2]State]map[string]bool{}
	for _, cfg := range configs(everyProfile(t)) {
		w := &walk{t: t, cfg: cfg, do: stimuli(cfg.Profile), paths: map[place]way{}, edges: edges, room: new(room), aside: new(room)}
		w.visit()
		for p := range w.paths {
			states[p.state], senders[p.snd], receivers[p.rcv] = true, true, true
		}
	}
	for st := range numStates {
		require.True(t, states[st], "%s was never reached", st)
	}
	for st := announcing; st < sendDone; st++ {
		require.True(t, senders[st], "sender state %d was never reached", st)
	}
	for st := accepting; st < recvDone; st++ {
		require.True(t, receivers[st], "receiver state %d was never reached", st)
	}
	page(t, edges)
}

func (w *walk) visit() {
	first := way{s: New(w.cfg)}
	todo := []way{first}
	w.paths[placeOf(first.s)] = first
	for len(todo) > 0 {
		from := todo[0]
		todo = todo[1:]
		w.endsWhenLost(from)
		before := placeOf(from.s)
		for _, st := range w.do {
			s := w.room.copy(from.s)
			actions := w.step(s, before, st, from.path)
			after := placeOf(s)
			w.edge(before, after, st, len(actions) > 0)
			if _, known := w.paths[after]; !known {
				next := way{append(slices.Clone(from.path), st), s}
				w.room = new(room) // this one stays
				w.paths[after] = next
				todo = append(todo, next)
			}
		}
	}
}

func (w *walk) edge(before, after place, st stimulus, did bool) {
	word, _, _ := strings.Cut(st.name, " ")
	if before.state == after.state || !did || word == "lost" || word == "broke" || word == "garbled" {
		return
	}
	if ev := st.make(); ev.Kind == Arrived && onTelegram[before.state][ev.Telegram.Kind] == nil {
		return
	}
	key := [2]State{before.state, after.state}
	if w.edges[key] == nil {
		w.edges[key] = map[string]bool{}
	}
	w.edges[key][word] = true
}

func (w *walk) step(s *Session, before place, st stimulus, path []stimulus) []Action {
	block, nothing, refusal := s.rcv.block, s.nothing, s.rcv.refusal
	mistakes := s.Mistakes()
	ev := st.make()
	actions := s.Step(ev)
	told := tale{w, path, st.name}
	if (ev.Kind == Arrived || ev.Kind == Garbled) && !before.open.question() && before.state != Over {
		w.defined(before, s, &ev, actions, s.Mistakes()-mistakes, told)
	}
	for i := range actions {
		a := &actions[i]
		if a.Do == HangUp || a.Do.question() {
			w.holds(i == len(actions)-1, "something follows a question or the end", told)
		}
		if a.Do != Send {
			continue
		}
		_, err := w.cfg.Profile.Append(nil, &a.Telegram)
		if err != nil {
			require.NoError(w.t, err, "%s", told)
		}
		if ev.Kind == Broke || ev.Kind == Garbled || ev.Kind == Arrived && onTelegram[before.state][ev.Telegram.Kind] == nil {
			w.negative(&a.Telegram, told)
		}
		if ev.Kind != Arrived || w.cfg.Profile.Meaning(a.Telegram.Text(protocol.Response)) != protocol.OK {
			continue
		}
		switch a.Telegram.Kind { // a telegram alone never makes us confirm content
		case protocol.EndReply, protocol.EndMoreReply:
			w.holds(nothing || refusal == protocol.Complete, "a file is confirmed by a telegram alone", told)
		case protocol.CheckReply:
			if a.Telegram.Number(protocol.Missing) == 0 && a.Telegram.Number(protocol.Sequence) > 0 {
				w.holds(a.Telegram.Number(protocol.Block) < block, "a block is confirmed by a telegram alone", told)
			}
		case protocol.LoginReply, protocol.VerifyReply:
			w.holds(false, "a login is accepted without asking", told)
		case protocol.InfoReply:
			w.holds(false, "a file is accepted without asking", told)
		}
	}
	if s.Over() {
		w.holds(len(s.Step(Event{Kind: Arrived, Telegram: &protocol.Telegram{Kind: protocol.Close}})) == 0, "goes on after the end", told)
		return actions
	}
	if !s.open.question() && s.state != Fresh {
		w.holds(len(w.aside.copy(s).Step(Event{Kind: TimedOut})) > 0, "waits without end", told)
	}
	return actions
}

// defined: a telegram is never passed over. One that has no place, or is not what
// its layout says, is counted, and answered where it wants an answer; before
// the opening it ends the session. One that has a place is answered, or our own
// side is asked what the answer is, or it is the last of the session.
func (w *walk) defined(before place, s *Session, ev *Event, actions []Action, mistakes int, told tale) {
	kind := ev.Telegram.Kind
	answered := slices.ContainsFunc(actions, func(a Action) bool { return a.Do == Send && a.Telegram.Kind == kind.Reply() })
	placeless := ev.Kind == Garbled || onTelegram[before.state][kind] == nil
	ends := s.Over() || s.open == Finish // what was planned to be sent is recorded first
	wants := kind.Reply() != protocol.NoKind
	switch {
	case placeless:
		w.holds(mistakes == 1, "a telegram without a place is not counted once", told)
		w.holds(wants == answered, "a telegram without a place is answered where nobody wants it, or not where somebody does", told)
		w.holds(before.state > Judging || ends, "goes on before the opening", told)
	case wants:
		w.holds(answered || s.open.question() || ends, "nobody is told", told)
	case kind != protocol.DataTelegram && kind != protocol.Resend:
		w.holds(mistakes > 0 || len(actions) > 0, "an answer is passed over", told)
	}
}

// tale is how the walk came to where something does not hold. It is told only
// then: a million steps are taken.
type tale struct {
	w    *walk
	path []stimulus
	then string
}

func (t tale) String() string {
	return fmt.Sprintf("%s %s: after %s, then %s", t.w.cfg.Profile.Name, t.w.cfg.Side, names(t.path), t.then)
}

func (w *walk) holds(ok bool, what string, told tale) {
	if !ok {
		require.Fail(w.t, what, "%s", told)
	}
}

func names(path []stimulus) string {
	out := make([]string, len(path))
	for i, p := range path {
		out[i] = p.name
	}
	return strings.Join(out, ", ")
}

func (w *walk) negative(t *protocol.Telegram, told tale) {
	for _, k := range protocol.Kinds() {
		if t.Kind == k.Reply() && t.Kind != protocol.NoKind && t.Kind != protocol.CloseReply {
			w.holds(w.cfg.Profile.Meaning(t.Text(protocol.Response)) != protocol.OK, "a positive answer", told)
		}
	}
}

// endsWhenLost: a lost line ends the session as soon as what it held is recorded.
func (w *walk) endsWhenLost(from way) {
	s := w.aside.copy(from.s)
	s.Step(Event{Kind: Lost, Err: fault.New(CodeLost, "")})
	for range 3 {
		if s.Over() {
			return
		}
		switch s.open {
		case Save:
			s.Step(Event{Kind: Saved})
		case Finish:
			s.Step(Event{Kind: Finished})
		default:
			require.Fail(w.t, "what is asked of a lost line?", names(from.path))
		}
	}
	require.Fail(w.t, "goes on without a line", names(from.path))
}

func stimuli(p *protocol.Profile) []stimulus {
	now := time.Date(2026, 6, 2, 10, 0, 0, 0, time.UTC)
	var out []stimulus
	add := func(name string, ev Event) {
		out = append(out, stimulus{name, func() Event { e := ev; e.Now = now; return e }})
	}
	telegram := func(k protocol.Kind, response protocol.Reason, block, seq int64) *protocol.Telegram {
		t := &protocol.Telegram{Kind: k}
		t.SetText(protocol.Name, "F1")
		t.SetText(protocol.Institution, institution(p))
		t.SetText(protocol.Challenge, "123456")
		if response != "" {
			t.SetText(protocol.Response, p.Code(response))
		}
		t.SetNumber(protocol.Block, block)
		t.SetNumber(protocol.Sequence, seq)
		t.Set(protocol.Data, []byte("x"))
		if d := p.Letters.Upload; d != nil {
			t.Set(protocol.Direction, d)
		}
		return t
	}
	arrive := func(name string, t *protocol.Telegram) {
		if !p.Has(t.Kind) { // the codec never gives such a one
			return
		}
		add(t.Kind.String()+" "+name, Event{Kind: Arrived, Telegram: t})
	}
	for _, k := range protocol.Kinds() {
		if !p.Has(k) {
			continue
		}
		for _, r := range []protocol.Reason{"", protocol.OK, protocol.Complete, protocol.SystemFault, protocol.Nothing, protocol.BadFormat} {
			arrive(string(r), telegram(k, r, 1, 1))
		}
		add("garbled "+k.String(), Event{Kind: Garbled, Telegram: telegram(k, "", 1, 1), Reason: protocol.BadLength,
			Err: fault.New(protocol.CodeTooShort, "")})
	}
	for _, place := range [][2]int64{{1, 0}, {1, 2}, {2, 1}, {3, 1}, {0, 1}, {1, 999}, {999, 100}} {
		for _, k := range []protocol.Kind{protocol.DataTelegram, protocol.Resend, protocol.Check, protocol.CheckReply} {
			arrive(fmt.Sprint(place), telegram(k, "", place[0], place[1]))
		}
	}
	missing := telegram(protocol.CheckReply, protocol.OK, 1, 1)
	missing.SetNumber(protocol.Missing, 1)
	arrive("missing", missing)
	download := telegram(protocol.Open, "", 0, 0)
	download.Set(protocol.Direction, p.Letters.Download)
	arrive("download", download)
	add("start", Event{Kind: Started})
	add("greeted", Event{Kind: Greeted})
	add("timer", Event{Kind: TimedOut})
	add("lost", Event{Kind: Lost, Err: fault.New(CodeLost, "")})
	add("broke", Event{Kind: Broke, Err: fault.New(CodeLost, "")})
	add("broke ok", Event{Kind: Broke, Err: fault.New(CodeLost, ""), Reason: protocol.OK})
	add("broke drop", Event{Kind: Broke, Err: fault.New(CodeLost, ""), Drop: true})
	for _, r := range []protocol.Reason{protocol.OK, protocol.Complete, protocol.SystemFault, protocol.Nothing, ""} {
		add("judged "+string(r), Event{Kind: Judged, Reason: r})
		add("counted "+string(r), Event{Kind: Counted, Reason: r, Count: 1, Total: 2})
		add("accepted "+string(r), Event{Kind: Accepted, Reason: r})
		add("verified "+string(r), Event{Kind: Verified, Reason: r})
		add("answered "+string(r), Event{Kind: Answered, Reason: r})
	}
	f := File{Name: "F1", Size: 1, Declared: 1, Unit: 1, DataSize: 1, MessageSize: 3200}
	two, empty, ended, wrong := f, f, f, f
	two.Size, two.Declared = 150, 150
	empty.Size, empty.Declared = 0, 0
	ended.Ended = true
	wrong.Name = "a name that no layout holds"
	for name, f := range map[string]File{"one": f, "two": two, "empty": empty, "ended": ended, "wrong": wrong} {
		add("send "+name, Event{Kind: Chosen, Order: Order{Kind: SendFile, File: f}})
	}
	slices.SortFunc(out, func(a, b stimulus) int { return strings.Compare(a.name, b.name) })
	settle := f
	settle.Settle = true
	add("close-order", Event{Kind: Chosen})
	if p.Has(protocol.Fetch) {
		add("fetch-order", Event{Kind: Chosen, Order: Order{Kind: FetchFiles}})
	}
	if p.Has(protocol.Cancel) {
		add("cancel-order", Event{Kind: Chosen, Order: Order{Kind: CancelFile}})
	}
	if p.Has(protocol.Inquiry) {
		add("inquiry-order", Event{Kind: Chosen, Order: Order{Kind: AskAbout}})
		add("inquiry-order settle", Event{Kind: Chosen, Order: Order{Kind: AskAbout, File: settle}})
	}
	add("loaded", Event{Kind: Loaded})
	add("saved", Event{Kind: Saved})
	add("marked", Event{Kind: Marked})
	add("finished", Event{Kind: Finished})
	return out
}

// A peer that sends nothing but nonsense is left, and the file is recorded.
func TestMistakesAreBounded(t *testing.T) {
	p, err := protocol.Load("cms")
	require.NoError(t, err)
	s := New(Config{Profile: p, Side: protocol.CentreSide})
	w := &walk{t: t, do: stimuli(p)}
	play := func(names ...string) (actions []Action) {
		for _, name := range names {
			i := slices.IndexFunc(w.do, func(st stimulus) bool { return st.name == name })
			require.GreaterOrEqual(t, i, 0, name)
			actions = s.Step(w.do[i].make())
		}
		return actions
	}
	play("start", "open ", "judged ok", "info ", "accepted ok")
	require.Equal(t, Receiving, s.State())
	n := 0
	var last []Action
	for last = play("data [999 100]"); len(last) == 0 || last[len(last)-1].Do != Finish; last = play("data [999 100]") {
		n++
		require.Less(t, n, 200)
	}
	require.Equal(t, maxMistakes, n)
	require.Equal(t, CutBefore, last[len(last)-1].Outcome.Result)
	last = play("finished")
	require.Equal(t, HangUp, last[len(last)-1].Do)
	require.Equal(t, CodeMistakes, fault.CodeOf(last[len(last)-1].Outcome.Err))
	require.ErrorIs(t, last[len(last)-1].Outcome.Err, fault.New(CodeOutOfRange, ""))
}

// The same telegrams again and again are no mistake each, but they end too.
func TestRepetitionIsBounded(t *testing.T) {
	p, err := protocol.Load("cms")
	require.NoError(t, err)
	s := New(Config{Profile: p, Side: protocol.CentreSide})
	w := &walk{t: t, do: stimuli(p)}
	play := func(name string) []Action {
		return s.Step(w.do[slices.IndexFunc(w.do, func(st stimulus) bool { return st.name == name })].make())
	}
	for _, name := range []string{"start", "open ", "judged ok", "info ", "accepted ok", "data "} {
		play(name)
	}
	n := 0
	for !s.open.question() {
		play("data ")
		n++
		require.LessOrEqual(t, n, mostIdle*p.Files.PerBlock+1)
	}
	play("saved")
	last := play("finished")
	require.Equal(t, CodeNoProgress, fault.CodeOf(last[len(last)-1].Outcome.Err))
}
