package simulator

import (
	"log/slog"
	"slices"
	"time"

	"pabal/filemgr"
	"pabal/internal/fault"
	"pabal/internal/secure"
	"pabal/protocol"
	"pabal/protocol/line"
	"pabal/protocol/machine"
)

// Options say who the counterparty is and what it does.
type Options struct {
	Profile *protocol.Profile
	Side    protocol.Side // the role that it plays

	Institution string // code of the institution in the header, where there is one
	Self        string // its own code, where the header names both sides
	Peer        string // the code of who is on the other side
	SenderName  string
	Password    string // plain; enciphered per day where the profile says so
	// Login is what it says in the login before the opening, where that is
	// something else than in the opening; nil = the same.
	Login    *machine.Login
	Transfer string // transfer password of files given and fetches, where the profile has one (§3)

	// Expect is what a caller must say of itself. Zero = anybody may come in.
	Expect Expect

	// GiveDir holds the files to give. Files are to be renamed in; hidden ones
	// and those in .tmp and .part are not looked at. A file goes to
	// GiveDir/given when its end has been confirmed. "" = gives nothing.
	//
	// The name of a file is its name on the wire. Where files have a serial
	// number (protocols §3) it is KIND[.YYYYMMDD[.SERIAL]][.anything].
	GiveDir string
	// TakeDir gets the files that were taken, complete, under their names on the
	// wire, with date and serial where there are such, and with a number if the
	// name is in use. "" = refuses every file. A directory belongs to one Peer.
	TakeDir string

	// CallersFetch says, of a profile whose sender opens, that who calls us comes
	// for files: Serve opens its sessions. Else it waits for the caller to.
	CallersFetch bool

	Record       int             // bytes of a record on the wire of files given, 0 = none
	Packing      filemgr.Packing // of records in telegrams; "" = the profile's
	Gzip, EBCDIC bool            // done to files given, where the profile has it

	MessageSize int           // N; 0 = the profile's
	PerSession  int           // most files that one fetch brings; 0 = 512, as §3 has it
	Rounds      int           // missing rounds; 0 = the profile's
	Reply       time.Duration // wait for an answer; 0 = the profile's
	Idle        time.Duration // wait for the peer's next step; 0 = the profile's
	First       time.Duration // wait for the opening; 0 = the profile's
	Pause       time.Duration // between missing rounds; 0 = the profile's
	Dial        time.Duration // wait for a connection; 0 = 5 s
	MaxAge      time.Duration // of half a file that is gone on with; 0 = 4 h (§1.5)

	// Ask are questions that a session of ours puts when it has no file to give any
	// more, each once in a session. Only the institution's side asks (§1.3).
	Ask []Question

	TLS    *secure.Client // how Call calls; nil = in clear
	Secure *secure.Server // how Serve is called; nil = in clear

	Faults  Faults
	Observe func(Event)      // called in order, by one goroutine at a time; nil = nobody
	Logger  *slog.Logger     // nil = no log
	Now     func() time.Time // in the business zone; nil = the clock in Korea
	Trace   func(outgoing bool, t *protocol.Telegram, frame []byte)

	ears line.Recorder // of the one session of a play; nil = nothing is kept
}

// Expect is what a caller must say of itself. Empty fields are not compared.
type Expect struct {
	Caller     string // code in the opening: the institution, or who writes
	SenderName string
	Password   string         // plain; "" = not compared
	Login      *machine.Login // … in the login before the opening; nil = the same
	Transfer   string         // transfer password of files and fetches (§3)
}

// Question about a file that the other side has or had: protocol.Inquiry asks what
// has become of it, protocol.Cancel that it be forgotten.
type Question struct {
	Kind               protocol.Kind
	Name, Date, Serial string // on the wire; the date is YYYYMMDD, "" = today
}

// koreaTime is the zone that names and dates on the wire are in. Korea has no
// summer time, so the zone needs no tables.
func koreaTime() time.Time { return time.Now().In(time.FixedZone("KST", 9*60*60)) }

func (o Options) withDefaults() Options {
	if o.PerSession == 0 {
		o.PerSession = 512
	}
	if o.Dial == 0 {
		o.Dial = 5 * time.Second
	}
	if o.MaxAge == 0 {
		o.MaxAge = 4 * time.Hour
	}
	if o.Now == nil {
		o.Now = koreaTime
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Observe == nil {
		o.Observe = func(Event) {}
	}
	if o.MessageSize == 0 && o.Profile != nil {
		o.MessageSize = o.Profile.Files.MessageSize
	}
	if o.Packing == "" && o.Profile != nil && o.Profile.Files.Packing != "whole" {
		o.Packing = filemgr.Packing(o.Profile.Files.Packing)
	}
	if o.Packing == filemgr.PackOne && o.Record == 0 {
		o.Packing = filemgr.PackAuto
	}
	return o
}

// countsRecords reports that the trailer of a file says how many records it has.
func countsRecords(p *protocol.Profile) bool {
	if p.Parts == nil {
		return false
	}
	records, _ := p.Parts.Counts()
	return records
}

// Validate says what keeps a counterparty from working.
func (o Options) Validate() error {
	bad := func(what string, why fault.Phrase) error { return fault.New(CodeOptions, what, "detail", why) }
	p := o.Profile
	switch {
	case p == nil:
		return bad("profile", fault.Say("missing"))
	case o.GiveDir == "" && o.TakeDir == "":
		return bad("give, take", fault.Say("neither_gives_nor_takes"))
	case o.GiveDir != "" && o.GiveDir == o.TakeDir:
		return bad("give, take", fault.Say("gives_what_it_takes"))
	case p.Carries(protocol.Open, protocol.Institution) && o.Institution == "" && o.Side == protocol.InstitutionSide:
		return bad("institution", fault.Say("missing"))
	case !p.Carries(protocol.Open, protocol.Institution) && o.Self == "":
		return bad("self", fault.Say("missing"))
	case o.Gzip && !p.Files.Gzip:
		return bad("gzip", fault.Say("not_in_profile", "profile", p.Name))
	case o.EBCDIC && !p.Files.EBCDIC:
		return bad("ebcdic", fault.Say("not_in_profile", "profile", p.Name))
	case len(o.Ask) > 0 && o.Side != protocol.InstitutionSide:
		return bad("ask", fault.Say("institution_asks"))
	case slices.ContainsFunc(o.Ask, func(q Question) bool { return !p.Has(q.Kind) }):
		return bad("ask", fault.Say("not_in_profile", "profile", p.Name))
	case countsRecords(p) && o.GiveDir != "" && o.Record == 0:
		return bad("record", fault.Say("records_counted", "profile", p.Name))
	case o.MessageSize != 0 && !p.Carriable(o.MessageSize),
		o.MessageSize > p.Files.MessageSize:
		return bad("message_size", fault.Say("unfit_for_profile", "profile", p.Name))
	}
	_, err := o.DataSize()
	return err
}

// encoding is what is done to the bytes of files given.
func (o Options) encoding() filemgr.Encoding {
	e := filemgr.Encoding{Gzip: o.Gzip, EBCDIC: o.EBCDIC}
	if p := o.Profile.Parts; p != nil {
		e.Tag = string(p.DataTag())
	}
	return e
}

// record is the length of a record on the wire, 0 where there are none.
func (o Options) record() int {
	if o.Gzip {
		return 0
	}
	return o.Record
}

// form is how the records of files are told apart, where the trailer of a file
// may count them. Elsewhere they are bytes.
func (o Options) form() filemgr.Form {
	if o.Profile.Parts == nil || o.Record == 0 {
		return filemgr.Form{Kind: filemgr.Raw}
	}
	return filemgr.Form{Kind: filemgr.Fixed, Length: o.Record}
}

// DataSize is L: the data bytes of a full telegram that we send.
func (o Options) DataSize() (int, error) {
	o = o.withDefaults()
	tag := len(o.encoding().Tag)
	size, err := filemgr.DataSize(o.Profile.MaxData(o.MessageSize)-tag, o.record(), o.Packing)
	return size + tag, err
}

// config is what the machines are told.
func (o Options) config(receive bool) machine.Config {
	return machine.Config{
		Profile: o.Profile, Side: o.Side, Institution: o.Institution, Self: o.Self, Peer: o.Peer,
		SenderName: o.SenderName, Password: o.Password, Login: o.Login, Receive: receive, MessageSize: o.MessageSize,
		Rounds: o.Rounds, Reply: o.Reply, Idle: o.Idle, First: o.First, Pause: o.Pause,
	}
}
