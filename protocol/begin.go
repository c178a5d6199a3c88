package protocol

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"pabal/internal/fault"
)

// Step is one step of a session before its opening: fixed bytes before the
// first telegram (protocols §4.13), or a request of the login and its answer.
// The machine takes them in order; the opening comes after the last.
type Step struct {
	By    Party
	Bytes []byte // what By sends; nil = a telegram
	Until []byte // the other side reads up to these; nil = it wants exactly Bytes
	Max   int    // most bytes that it reads, Until included
	Ask   Kind   // Login or Verify, which By sends
}

// Party is one of the two ends of a connection, by role or by who called.
type Party uint8

const (
	ByCaller Party = iota
	ByCalled
	ByInstitution
	ByCentre
)

func parties() []string { return []string{"caller", "called", "institution", "centre"} }

// String is the party's name in a profile.
func (p Party) String() string {
	if int(p) < len(parties()) {
		return parties()[p]
	}
	return "unknown"
}

// Is reports that the party is the end that plays side and was called, or not.
func (p Party) Is(side Side, called bool) bool {
	switch p {
	case ByInstitution:
		return side == InstitutionSide
	case ByCentre:
		return side == CentreSide
	}
	return called == (p == ByCalled)
}

const (
	mostSteps    = 8
	mostGreeting = 4096 // bytes of one step
	greetingRoom = 512  // … where the profile does not say
	leastWidth   = 4    // of a challenge: shorter ones are guessed
	beginsWords  = "login, verify"
)

// compileBegins reads what comes before the opening.
func (p *Profile) compileBegins(c *compiler, spec *Spec) {
	used := map[Kind]bool{}
	if len(spec.Session.Begins) > mostSteps {
		c.problem("session.begins", CodeProfileValue, strconv.Itoa(len(spec.Session.Begins)), fault.Say("most_steps", "most", mostSteps))
	}
	for i, s := range spec.Session.Begins {
		path := fmt.Sprintf("session.begins[%d]", i)
		allowed := parties()
		if !p.Session.Opens.Fixed() { // which part a caller plays is known with its opening
			allowed = allowed[:2]
		}
		step := Step{By: Party(max(0, slices.Index(parties(), c.one(path+".by", s.By, allowed...))))}
		switch {
		case (s.Bytes == "") == (s.Telegram == ""):
			c.problem(path, CodeProfileValue, s.Bytes, fault.Say("bytes_or_telegram"))
		case s.Bytes != "":
			if len(used) > 0 {
				c.problem(path+".bytes", CodeProfileValue, s.Bytes, fault.Say("bytes_come_first"))
			}
			c.greeting(path, s, &step)
		default:
			k := Kind(slices.Index(kindsOf(), c.one(path+".telegram", s.Telegram, strings.Split(beginsWords, ", ")...)) + 1)
			if step.Ask = k; k == Login || k == Verify {
				used[k] = true
				p.compileLogin(c, k)
			}
			if s.Until != "" || s.Max != 0 {
				c.problem(path, CodeProfileValue, s.Telegram, fault.Say("no_until_and_max"))
			}
		}
		p.Session.Begins = append(p.Session.Begins, step)
	}
	for _, k := range []Kind{Login, Verify} {
		if p.layouts[k] != nil && !used[k] {
			c.problem("telegrams."+k.String(), CodeProfileMissing, "session.begins", fault.Say("step_with_telegram", "kind", k))
		}
	}
	p.compileChallenge(c)
	p.compileFirst(c, spec)
}

// compileFirst holds that our own first telegram is as long as the other side
// wants the first to be.
func (p *Profile) compileFirst(c *compiler, spec *Spec) {
	c.from("framing.first_min", int64(spec.Framing.First), 0, int64(p.frame.maxTotal))
	p.frame.first = spec.Framing.First
	k := Open
	if i := slices.IndexFunc(p.Session.Begins, func(s Step) bool { return s.Bytes == nil }); i >= 0 {
		k = p.Session.Begins[i].Ask
	}
	if l := p.layouts[k]; l != nil && l.fixed < p.frame.first {
		c.problem("framing.first_min", CodeProfileValue, strconv.Itoa(p.frame.first),
			fault.Say("at_most_first", "most", l.fixed, "kind", k))
	}
}

func kindsOf() []string {
	names := kindNames()
	return names[1:]
}

// greeting reads the bytes of a step.
func (c *compiler) greeting(path string, s StepSpec, step *Step) {
	read := func(key, v string) []byte {
		b, ok := plainBytes(v)
		if !ok || len(b) > mostGreeting {
			c.problem(path+"."+key, CodeProfileValue, v, fault.Say("greeting", "most", mostGreeting))
		}
		return b
	}
	step.Bytes = read("bytes", s.Bytes)
	if step.Max = len(step.Bytes); s.Until == "" {
		if s.Max != 0 {
			c.problem(path+".max", CodeProfileValue, strconv.Itoa(s.Max), fault.Say("no_max"))
		}
		return
	}
	step.Until = read("until", s.Until)
	if step.Max = greetingRoom; s.Max != 0 {
		step.Max = s.Max
	}
	c.from(path+".max", int64(step.Max), 1, mostGreeting)
	if at := bytes.Index(step.Bytes, step.Until); at < 0 || at != len(step.Bytes)-len(step.Until) || len(step.Bytes) > step.Max {
		c.problem(path+".until", CodeProfileValue, s.Until, fault.Say("end_of_bytes", "most", step.Max))
	}
}

// plainBytes are those of ASCII text or of hexadecimal digits behind hex:.
func plainBytes(v string) ([]byte, bool) {
	if digits, isHex := strings.CutPrefix(v, hexMark); isHex {
		b, err := unhex(digits)
		return b, err == nil && len(b) > 0
	}
	for _, b := range []byte(v) {
		if b > 0x7e {
			return nil, false
		}
	}
	return []byte(v), v != ""
}

// compileLogin: an answer that cannot say no would let anybody in.
func (p *Profile) compileLogin(c *compiler, k Kind) {
	if p.layouts[k] == nil {
		c.problem("telegrams", CodeProfileMissing, k.String(), fault.Say("layout"))
		return
	}
	if r := k.Reply(); p.layouts[r] != nil && !p.Carries(r, Response) {
		c.problem("telegrams."+r.String(), CodeProfileMissing, "response", fault.Say("response_row_of_login"))
	}
}

// compileChallenge: what one side makes up the other must have room to repeat.
func (p *Profile) compileChallenge(c *compiler) {
	carry := map[Kind]bool{}
	for _, k := range Kinds() {
		w := p.Width(k, Challenge)
		if !p.Carries(k, Challenge) {
			continue
		}
		path := "telegrams." + k.String()
		carry[k] = true
		switch {
		case k < Login || k > VerifyReply:
			c.problem(path, CodeProfileField, "challenge", fault.Say("only_in_login"))
		case w < leastWidth:
			c.problem(path, CodeProfileWidth, strconv.Itoa(w), fault.Say("least_challenge", "least", leastWidth))
		case p.challenge != 0 && p.challenge != w:
			c.problem(path, CodeProfileWidth, strconv.Itoa(w), fault.Say("challenge_width", "width", p.challenge))
		}
		p.challenge = w
	}
	if len(carry) == 0 {
		return
	}
	writers := map[bool]bool{}
	for _, s := range p.Session.Begins {
		first := s.By == ByCaller || s.By == ByInstitution
		if carry[s.Ask] {
			writers[first] = true
		}
		if carry[s.Ask.Reply()] {
			writers[!first] = true
		}
	}
	if len(writers) < 2 {
		c.problem("session.begins", CodeProfileMissing, "challenge", fault.Say("challenge_repeated"))
	}
}

// Presents reports that a side can say a name, or with SenderPassword a
// password, before files travel: in its opening or in the login.
func (p *Profile) Presents(f Field) bool {
	return slices.ContainsFunc([]Kind{Open, Login, LoginReply, Verify, VerifyReply}, func(k Kind) bool { return p.Carries(k, f) })
}

// PresentsInLogin is Presents for the login alone.
func (p *Profile) PresentsInLogin(f Field) bool {
	return slices.ContainsFunc(Kinds(), func(k Kind) bool { return k.Login() && p.Carries(k, f) })
}

// ChallengeWidth is how many bytes a one-time value of the login has, 0 where
// there is none.
func (p *Profile) ChallengeWidth() int { return p.challenge }

// LetsIn reports that a response code of the login says yes. There a blank one
// does not: somebody who leaves it out has judged nothing.
func (p *Profile) LetsIn(code string) bool { return code != "" && p.Meaning(code) == OK }

// Greet reads the bytes of a step that the other side sends before its first
// telegram; they are good until the next read. Other bytes, or more than the step
// allows, are CodeGreeting, as soon as they are seen.
func (r *Reader) Greet(s *Step) ([]byte, error) {
	if s.Until == nil {
		for n := range s.Bytes {
			if err := r.need(n + 1); err != nil {
				return nil, err
			}
			if got := r.buf[r.from+n]; got != s.Bytes[n] {
				return nil, fault.New(CodeGreeting, printable(r.buf[r.from:r.from+n+1]), "expected", printable(s.Bytes))
			}
		}
		return r.cut(len(s.Bytes)), nil
	}
	for n := 1; n <= s.Max; n++ {
		if err := r.need(n); err != nil {
			return nil, err
		}
		if bytes.HasSuffix(r.buf[r.from:r.from+n], s.Until) {
			return r.cut(n), nil
		}
	}
	return nil, fault.New(CodeGreeting, printable(r.buf[r.from:r.from+s.Max]), "expected", printable(s.Until))
}

// Greetings are the bytes that one end of the connection sends before its
// first telegram.
func (s *Session) Greetings(side Side, called bool) []Step {
	var out []Step
	for _, step := range s.Begins {
		if step.Bytes != nil && step.By.Is(side, called) {
			out = append(out, step)
		}
	}
	return out
}
