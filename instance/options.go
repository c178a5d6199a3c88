// Package instance runs one identity of the server (배치 인스턴스): its stages,
// its sessions, its term. Stages never call each other. Each claims transfers
// in one status and writes the next; the store is where they meet (design §2).
package instance

import (
	"log/slog"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"pabal/filemgr"
	"pabal/internal/fault"
	"pabal/internal/secure"
	"pabal/naming"
	"pabal/protocol"
	"pabal/protocol/sessionlog"
	"pabal/transfer"
)

// Options of one instance. Everything is given; nothing is looked up.
type Options struct {
	ID    string // instance_BAT_01
	Place string // the host whose directories these are (design D4)
	PID   int
	Zone  *time.Location // business zone (D9)

	Dirs   filemgr.Dirs
	Result string // directory for result files, "" = none
	// InFiles keeps the payload of new transfers in files of this place instead
	// of the database (design D3). Those that are there stay where they are.
	InFiles bool
	Scans   bool // this instance scans: fileScanRouter is assigned to it

	aheadFrom int64 // least size of a file that is built while it comes; 0 = aheadFrom

	ScanEvery time.Duration // how often the scan directory is looked at
	Settle    time.Duration // how long a file must stand still
	Poll      time.Duration // how often the other stages look for work; 0 = 1 s
	Drain     time.Duration // how long sessions may go on after a stop; 0 = 30 s

	Listen       []Listen
	MaxSessions  int // connections at once, the not yet opened included; 0 = 2048
	Door         Door
	Institutions []Institution
	Files        []File

	Retention  Retention
	SessionLog sessionlog.Options // of this place; without a directory there are none
	Access     Access

	Now func() time.Time // nil = time.Now
	Log *slog.Logger
	// Explain writes what an error means and what to do next, in both
	// languages, for files that people find without the program.
	Explain func(error) string
	// Trace, if set, sees the telegrams of all sessions, data apart.
	Trace func(session string, outgoing bool, t *protocol.Telegram, frame []byte)
}

// Listen is an address where counterparties of one profile call.
type Listen struct {
	Address string
	Profile *protocol.Profile
	// SendsTo is the institution that calls here to fetch, of a profile in which
	// we open for that: the address says who it is, and we open at once. FetchesFrom
	// is the same of one that calls to give. Both "" = callers open.
	SendsTo, FetchesFrom string
	// TLS is how callers are answered; nil = in clear.
	TLS *secure.Server

	keeper *secure.Keeper // of TLS
}

// Login are the credentials of the login before the opening; nil = those of the
// opening.
type Login struct {
	Sender *Credentials
	Expect *Credentials
}

// Institution is a counterparty (기관).
type Institution struct {
	Code     string
	Profile  *protocol.Profile // with the institution's business code: Profile.ForBusiness
	Side     protocol.Side     // the role that we play
	WireCode string            // institution code in the header
	Self     string            // our code, where the header names both sides
	Peer     string            // theirs

	Sender Credentials // what we present
	Expect Credentials // what we demand of a caller; an empty name demands nothing
	Login  Login       // the same for the login before the opening, where that has its own

	Connect string   // where we call; "" = they call us
	Before  []string // instances that call it rather than we, as long as one of them lives

	SendSessions    int // at once; 0 = 1
	ReceiveSessions int
	Windows         []Window
	Closed          []Closed
	RetryFirst      time.Duration    // 0 = 30 s
	RetryMax        time.Duration    // 0 = 10 min
	RetryTries      int              // failures in a row before a transfer fails; 0 = for ever
	ConnectTimeout  time.Duration    // 0 = 5 s
	Handshake       time.Duration    // of TLS when we call, 0 = 10 s
	Reply           time.Duration    // 0 = the profile's
	Pause           time.Duration    // between missing rounds, 0 = the profile's
	MessageSize     int              // N; 0 = the profile's
	Rounds          int              // 0 = the profile's
	ResumeAge       time.Duration    // 0 = 4 h (protocols §1.5)
	RepeatAge       time.Duration    // how long after a file whose confirmation may be lost the same one is looked for, 0 = 12 h
	Repeat          protocol.Repeat  // of its registrations that say nothing, "" = the profile's
	SessionLog      sessionlog.Level // of what is said with it; "" = that of the place
	StoreWait       time.Duration    // how long an answer waits for the store, 0 = half of Reply

	TLS               *secure.Client // how we call it; nil = in clear
	Caller            Caller         // what it proves when it calls, beside its telegrams
	AllowIn, AllowOut []netip.Prefix // from where it calls, and where Connect may lead; none = all
	Limits            Limits

	Gzip             bool   // files to it are compressed, where the profile can
	EBCDIC           bool   // … in EBCDIC
	TransferPassword string // where the profile has one; ours and theirs alike
}

// Credentials are a sender name and password (§1.8).
type Credentials struct {
	Name     string
	Password string
}

// Window is a time of day in which we go and fetch (수신 시간대).
type Window struct {
	From, To time.Duration  // since midnight in the business zone; To before From goes over midnight
	Every    time.Duration  // between two looks
	Days     []time.Weekday // of the beginning; none = every day
}

// Closed hours of a counterparty.
type Closed struct {
	From, To time.Duration
	Send     bool
	Receive  bool
}

// File is a file registration (일괄전송파일정보).
type File struct {
	naming.Registration
	Form       filemgr.Form
	Packing    filemgr.Packing
	Checks     filemgr.CheckOptions
	FlagReady  string // ".fin": a file counts only with its flag file beside it
	FlagPlaced string // ".fin": a flag file follows a placed file
	Result     bool   // result files when sending ends
	Existing   filemgr.Existing
	Repeat     protocol.Repeat // a name that we hold whole; "" = the institution's
	SameName   SameName        // a name that was sent before on the same day
	CheckComes bool            // receiving: Checks are made on what comes, before it is placed
	AllParts   bool            // header, data and trailer are all content, as they travel, where the profile sorts them by tags
}

// SameName is what becomes of a second file of one name and base date that is
// to be sent (design D6).
type SameName string

const (
	SameNameProfile SameName = ""        // new where the profile takes repeated names as new files, else hold
	SameNameNew     SameName = "new"     // it is sent as well
	SameNameHold    SameName = "hold"    // a person says
	SameNameReplace SameName = "replace" // the earlier one is cancelled if nobody has been asked to confirm it, else hold
)

// Validate returns what cannot work, at paths of the configuration.
func (o *Options) Validate() []fault.Problem {
	var out []fault.Problem
	bad := func(path string, e *fault.Error) { out = append(out, fault.Problem{Path: path, Err: e}) }
	by := map[string]*Institution{}
	callers := map[[4]string]string{} // by profile, the side that we play, code and business: whose it is
	for n := range o.Institutions {
		inst := &o.Institutions[n]
		by[inst.Code] = inst
		path := "institutions[" + strconv.Itoa(n) + "]"
		p := inst.Profile
		if p == nil {
			continue // said by who loads profiles
		}
		if inst.mayOpen() && (inst.Side == protocol.CentreSide || o.awaits(p)) {
			key := [4]string{p.Name, inst.side(), inst.caller(), p.Business()}
			if other, taken := callers[key]; taken {
				bad(path+".wire_code", fault.New(CodeSameCaller, inst.Code, "other", other, "code", key[2], "profile", p.Name))
			}
			callers[key] = inst.Code
		}
		open := protocol.Telegram{Kind: protocol.Open}
		open.SetText(protocol.Institution, inst.WireCode)
		open.SetText(protocol.From, inst.Self)
		open.SetText(protocol.To, inst.Peer)
		if _, err := p.Append(nil, &open); err != nil {
			bad(path+".wire_code", fault.As(err))
		}
		if (inst.Gzip && !p.Files.Gzip) || (inst.EBCDIC && !p.Files.EBCDIC) {
			bad(path+".options", fault.New(CodeNoTransform, inst.Code, "profile", p.Name))
		}
		if inst.Gzip && p.Limits.Text != "" {
			bad(path+".options", fault.New(CodeGzipText, inst.Code, "profile", p.Name))
		}
		if inst.MessageSize > 0 && !p.Carriable(inst.MessageSize) {
			bad(path+".message_size", fault.New(CodeMessageSize, inst.Code, "message_size", inst.MessageSize, "profile", p.Name))
		}
		if len(inst.Windows) > 0 && !inst.weCall(transfer.Receive) {
			bad(path+".receive_windows", fault.New(CodeWindowCannot, inst.Code))
		}
	}
	out = append(out, o.validateCallers()...)
	for n, l := range o.Listen {
		if l.Profile == nil {
			continue
		}
		if l.SendsTo != "" && !l.opensFor(by[l.SendsTo], transfer.Send) {
			bad("listen["+strconv.Itoa(n)+"].sends_to", fault.New(CodeSendsTo, l.SendsTo, "profile", l.Profile.Name))
		}
		if l.FetchesFrom != "" && (!l.opensFor(by[l.FetchesFrom], transfer.Receive) || l.SendsTo != "") {
			bad("listen["+strconv.Itoa(n)+"].fetches_from", fault.New(CodeFetchesFrom, l.FetchesFrom, "profile", l.Profile.Name))
		}
	}
	for n := range o.Files {
		f := &o.Files[n]
		path := "files[" + strconv.Itoa(n) + "]"
		if err := f.Form.Validate(); err != nil {
			bad(path+".record", fault.As(err))
			continue
		}
		for _, p := range f.Checks.Validate(f.Form) {
			bad(path+".checks."+p.Path, p.Err)
		}
		if inst := by[f.Institution]; inst != nil && inst.Profile != nil {
			for key, e := range inst.parts(f) {
				bad(path+"."+key, e)
			}
			if _, err := inst.dataSize(f); err != nil {
				bad(path+".packing", fault.As(err))
				continue
			}
			for _, p := range inst.limited(f) {
				bad(path+p.Path, p.Err)
			}
		}
	}
	_, problems := naming.NewBook(o.Registrations())
	return append(out, problems...)
}

// speaks is the profile of an address with the business codes of all
// institutions that may call there: who calls is known only when it has opened.
func (o *Options) speaks(p *protocol.Profile) *protocol.Profile {
	var codes []string
	for n := range o.Institutions {
		inst := &o.Institutions[n]
		if other := inst.Profile; other != nil && other.Name == p.Name && inst.mayOpen() && !slices.Contains(codes, other.Business()) {
			codes = append(codes, other.Business())
		}
	}
	if len(codes) == 0 || slices.Equal(codes, []string{p.Business()}) {
		return p
	}
	all, err := p.ForBusiness(codes...)
	if err != nil { // each of them fits by itself, or the options were refused
		return p
	}
	return all
}

// awaits reports that callers of p open their sessions at one of our addresses.
func (o *Options) awaits(p *protocol.Profile) bool {
	return slices.ContainsFunc(o.Listen, func(l Listen) bool {
		return l.Profile != nil && l.Profile.Name == p.Name && l.whose() == ""
	})
}

// whose address it is, where callers are known by it; else "".
func (l *Listen) whose() string { return or(l.SendsTo, l.FetchesFrom) }

// opensFor reports that the institution may call here for files of a direction,
// and we open. One whose profile is missing has been refused for that.
func (l *Listen) opensFor(n *Institution, d transfer.Direction) bool {
	return n != nil && (n.Profile == nil || n.Profile.Name == l.Profile.Name && n.opensCalled(d))
}

// takes reports that the institution may call at this address.
func (l *Listen) takes(n *Institution) bool {
	if l.Profile == nil || l.Profile.Name != n.Profile.Name {
		return false
	}
	return l.whose() == n.Code || l.whose() == "" && n.mayOpen()
}

// mayOpen reports that the institution may call us and opens the session then.
func (n *Institution) mayOpen() bool { return n.Profile.Session.OpensCalling(n.Side.Other()) }

// weCall reports that we connect to it for files of a direction.
func (n *Institution) weCall(d transfer.Direction) bool {
	return n.Connect != "" && n.Profile.Session.MayCall(n.Side, n.download(d))
}

// opensCalled reports that it may call us for files of a direction, and we open.
func (n *Institution) opensCalled(d transfer.Direction) bool {
	return n.Profile.Session.OpensCalled(n.Side, n.download(d))
}

// download reports that files of a direction go from the centre to the institution.
func (n *Institution) download(d transfer.Direction) bool {
	return (d == transfer.Send) == (n.Side == protocol.CentreSide)
}

// side is what an opening of the institution says of its part; "" where the
// header has no letter for it.
func (n *Institution) side() string {
	if n.Profile.Carries(protocol.Open, protocol.Direction) {
		return n.Side.String()
	}
	return ""
}

// caller is the code by which the institution says who it is when it calls us.
func (n *Institution) caller() string {
	if n.Profile.Session.CallerField == protocol.From {
		return n.Peer
	}
	return n.WireCode
}

// encoding is how files to or from the institution travel unless a telegram
// says otherwise.
func (n *Institution) encoding(f *File) filemgr.Encoding {
	e := filemgr.Encoding{Gzip: n.Gzip, EBCDIC: n.EBCDIC}
	if p := n.Profile.Parts; p != nil && !f.AllParts {
		e.Tag = string(p.DataTag())
	}
	return e
}

// messageSize is the N that we propose.
func (n *Institution) messageSize() int {
	if n.MessageSize > 0 {
		return n.MessageSize
	}
	return n.Profile.Files.MessageSize
}

// dataSize is how many data bytes a telegram of this registration's files
// carries (§1.5).
func (n *Institution) dataSize(f *File) (int, error) {
	pack := f.Packing
	if pack == filemgr.PackAuto && n.Profile.Files.Packing != "whole" {
		pack = filemgr.Packing(n.Profile.Files.Packing)
	}
	if n.Profile.Parts != nil && f.AllParts && f.Direction == transfer.Send {
		pack = filemgr.PackOne // each record begins with its tag
	}
	enc := n.encoding(f)
	size, err := filemgr.DataSize(n.Profile.MaxData(n.messageSize())-len(enc.Tag), f.Form.WireRecord(enc), pack)
	return size + len(enc.Tag), err
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}
