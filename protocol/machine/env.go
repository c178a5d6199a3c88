package machine

import (
	"time"

	"pabal/protocol"
)

// Config is what a session knows before it starts.
type Config struct {
	Profile *protocol.Profile
	Side    protocol.Side // the role we play

	// Called says that the peer connected to us: some steps before the opening
	// are those of the side that called, or was called.
	Called bool
	// Challenge is what we send where a login asks for a one-time value of ours,
	// as many characters at least as the profile has room for.
	Challenge string

	Institution string // code of the institution in the header
	Self        string // our code, where the header names both sides
	Peer        string // the counterparty's
	SenderName  string
	Password    string // plain; enciphered per day
	// Login is what we say of ourselves in the login before the opening, where
	// that is something else than in the opening; nil = the same.
	Login *Login

	// Receive says that files are to come in this session, as far as it is known
	// before the opening. Where the sender opens it makes us wait for the peer's
	// opening, so the called side has it too; where the institution opens and
	// fetches by its opening, it is what that side says with it.
	Receive bool
	// EitherSide lets the letter of the opening say which side the peer plays, on
	// a called side that does not know who calls. Side is what it plays until then.
	EitherSide bool

	MessageSize int           // N; 0 = the profile's
	Rounds      int           // 0 = the profile's
	Reply       time.Duration // 0 = the profile's
	Idle        time.Duration // 0 = the profile's
	First       time.Duration // 0 = the profile's
	Pause       time.Duration // between missing rounds; 0 = the profile's
}

// env is what the three machines share.
type env struct {
	p        *protocol.Profile
	cfg      Config
	now      time.Time
	out      []Action
	download bool // files go from the centre to the institution
	mistakes int
	mistake  error           // the last one, for the message when there were too many
	counts   protocol.Counts // what the counters of the next telegram of ours show
	begun    bool            // a file has been begun in this session
	business []byte          // the code that the peer has opened with, as it travels; nil = it has not

	named, namedDate string // the file that the peer's opening is about, where openings name one
}

// Login is what one side says of itself in the login before the opening.
type Login struct {
	Name     string
	Password string // plain; enciphered per day
}

// Terms are what is agreed with one counterparty. The accepting side learns
// them with who calls; a zero leaves what the session began with.
type Terms struct {
	Peer        string // their code, where the header names both sides
	SenderName  string // ours to them, for a login that they ask of us
	Password    string
	Login       *Login // … where it is another there than in our opening; nil = the same
	MessageSize int
	Rounds      int
	Reply       time.Duration
	Pause       time.Duration
}

// agree makes the terms those of the session.
func (e *env) agree(t Terms) {
	set(&e.cfg.Peer, t.Peer)
	set(&e.cfg.SenderName, t.SenderName)
	set(&e.cfg.Password, t.Password)
	set(&e.cfg.Login, t.Login)
	set(&e.cfg.MessageSize, t.MessageSize)
	set(&e.cfg.Rounds, t.Rounds)
	set(&e.cfg.Reply, t.Reply)
	set(&e.cfg.Pause, t.Pause)
}

func set[T comparable](v *T, to T) {
	var zero T
	if to != zero {
		*v = to
	}
}

func newEnv(cfg Config) *env {
	p := cfg.Profile
	if cfg.MessageSize == 0 {
		cfg.MessageSize = p.Files.MessageSize
	}
	if cfg.Rounds == 0 {
		cfg.Rounds = p.Files.Rounds
	}
	if cfg.Reply == 0 {
		cfg.Reply = p.Session.Reply
	}
	if cfg.Idle == 0 {
		cfg.Idle = p.Session.Idle
	}
	if cfg.First == 0 {
		cfg.First = p.Session.First
	}
	if cfg.Pause == 0 {
		cfg.Pause = p.Files.Pause
	}
	return &env{p: p, cfg: cfg, out: make([]Action, 0, 4)}
}

// firstBlock reports that a telegram is about the first block of a file.
func (e *env) firstBlock(t *protocol.Telegram) bool {
	block, _ := e.p.Place(t)
	return block == 1 || e.p.Files.Numbering.None
}

// wrong counts a mistake of the peer.
func (e *env) wrong(err error) {
	e.mistakes++
	e.mistake = err
}

// fits reports whether a telegram of a file can be written at all, so that one
// file with an impossible name does not end the session for the others.
func (e *env) fits(t *protocol.Telegram) error {
	if !e.p.Has(t.Kind) {
		return nil
	}
	_, err := e.p.Append(nil, t)
	return err
}

// add puts an action on the list and returns it for filling in.
func (e *env) add(do Do) *Action {
	if len(e.out) < cap(e.out) {
		e.out = e.out[:len(e.out)+1]
		a := &e.out[len(e.out)-1]
		*a = Action{Do: do}
		return a
	}
	e.out = append(e.out, Action{Do: do})
	return &e.out[len(e.out)-1]
}

// sends reports that the files of this session are ours.
func (e *env) sends() bool { return (e.cfg.Side == protocol.CentreSide) == e.download }

func (e *env) timer(d time.Duration) { e.add(Timer).After = d }

// head fills what every telegram of ours has.
func (e *env) head(t *protocol.Telegram) {
	if e.cfg.Side == protocol.CentreSide {
		t.Set(protocol.Issuer, e.p.Letters.Centre)
	} else {
		t.Set(protocol.Issuer, e.p.Letters.Institution)
	}
	if e.download {
		if e.p.Letters.Download != nil {
			t.Set(protocol.Direction, e.p.Letters.Download)
		}
	} else if e.p.Letters.Upload != nil {
		t.Set(protocol.Direction, e.p.Letters.Upload)
	}
	t.SetText(protocol.Institution, e.cfg.Institution)
	if e.business != nil {
		t.SetRaw(protocol.Business, e.business)
	}
	from, to := e.cfg.Self, e.cfg.Peer
	if hub := e.p.Session.Hub; hub != "" && (t.Kind <= protocol.OpenReply || t.Kind >= protocol.Close && t.Kind <= protocol.CloseReply || t.Kind >= protocol.Login) {
		if e.cfg.Side == protocol.CentreSide {
			from = hub
		} else {
			to = hub
		}
	}
	t.SetText(protocol.From, from)
	t.SetText(protocol.To, to)
	t.Set(protocol.SentAt, protocol.Stamp(e.now))
	t.SetCounts(e.counts)
}

// count notes n telegrams of ours.
func (e *env) count(n int) {
	e.counts.Telegrams += int64(n)
	e.counts.InFile += int64(n)
}

// newFile has counters of a file begin anew.
func (e *env) newFile() {
	e.counts.InFile = 0
	if e.begun {
		e.counts.Files++
	}
	e.begun = true
}

// sender puts our name and enciphered password where the layout has them.
func (e *env) sender(t *protocol.Telegram) {
	if !e.p.Carries(t.Kind, protocol.SenderName) {
		return
	}
	name, password := e.cfg.SenderName, e.cfg.Password
	if e.cfg.Login != nil && t.Kind.Login() {
		name, password = e.cfg.Login.Name, e.cfg.Login.Password
	}
	t.SetText(protocol.SenderName, name)
	t.SetText(protocol.SenderPassword, e.p.Session.Cipher.Encipher(e.cfg.Institution, name, password, e.now))
}

// request starts a telegram of ours.
func (e *env) request(k protocol.Kind) *protocol.Telegram {
	t := &e.add(Send).Telegram
	t.Kind = k
	e.head(t)
	e.count(1)
	e.sender(t)
	return t
}

// reply answers a request: same fields, our head, a response code.
func (e *env) reply(to *protocol.Telegram, r protocol.Reason) *protocol.Telegram {
	t := &e.add(Send).Telegram
	*t = *to
	t.Kind = to.Kind.Reply()
	e.head(t)
	e.count(1)
	if d := to.Raw(protocol.Direction); d != nil {
		t.SetRaw(protocol.Direction, d)
	}
	if f := to.Raw(protocol.Institution); f != nil {
		t.SetRaw(protocol.Institution, f)
	}
	t.Set(protocol.Password, nil)
	t.Set(protocol.Data, nil)
	t.SetText(protocol.Response, e.p.Code(r))
	return t
}

// end is the kind of the file-end request: with or without more to follow.
func (e *env) end(more bool) protocol.Kind {
	if more && e.p.Has(protocol.EndMore) && !e.p.Session.NamesFile && !e.p.Session.MoreUnsaid {
		return protocol.EndMore
	}
	return protocol.End
}
