package protocol

import (
	"embed"
	"slices"
	"sort"
	"strings"
	"time"
)

// Profile is a compiled protocol: what a counterparty's agreed document says.
// It is immutable and safe for many sessions at once.
type Profile struct {
	Name      string
	Title     map[string]string
	Certainty string
	Source    string
	Notes     []string
	Doubts    []error // what is allowed in its file and seldom meant, each a *fault.Error

	Session Session
	Files   Files
	Letters Letters
	Limits  Limits
	Parts   *Parts // nil = data has no tags

	frame        frame
	layouts      [NumKinds]*layout
	byType       map[string][]*layout
	typeAt       int
	typeWidth    int
	headerLen    int
	charset      charset
	heldWire     byte // Letters.Held as it travels
	own          []string
	responses    map[Reason]string
	meanings     map[string]Reason
	findings     map[Kind]*findingCodes // by the kind of the answer
	challenge    int                    // bytes of a one-time value of the login
	dataOverhead int                    // what N counts of a data telegram beside the data
	businesses   businesses
	// mostSequences is how many data telegrams of a file have a number.
	mostSequences int64
	mostBytes     int64 // … and how many bytes its size can be said with; 0 = any
}

// Session are the switches of a session.
type Session struct {
	Begins         []Step        // what comes before the opening, in order
	MoreUnsaid     bool          // an end never says that more files follow
	EitherConnects bool          // either side may call
	Connects       Turn          // … else whose it is to call
	Opens          Turn          // who sends the opening, whoever called
	Closes         Turn          // who sends the closing, whoever drives
	NamesFile      bool          // the opening names the one file of the session
	FetchByRequest bool          // a fetch telegram asks for files; else the opening does
	CallerField    Field         // which field of the opening names the caller
	Cipher         Cipher        // of the sender password
	Reply          time.Duration // wait for an answer
	Resends        int           // of a request that got none
	First          time.Duration // wait of the accepting side for the opening
	Idle           time.Duration // wait of the following side for the next telegram
	EarlyInfo      bool          // a first Info may come before the reply to Open
	Hub            string        // the centre's code in openings and closings; "" = as configured
	EndNothing     bool          // a fetch that finds nothing is followed by End, then Close
}

// Files are the switches of one file's procedure.
type Files struct {
	Name          string // name script of registrations that say none; "" = the file ID
	NameWidth     int
	MessageSize   int
	PerBlock      int
	MaxBlock      int64
	Packing       string
	AnnounceFetch bool // fetched files are announced by Info too
	Resume        bool // the reply to Info says what is held
	ResumeBy      Resuming
	Rounds        int
	Pause         time.Duration
	EmptyCheck    bool // an empty file has one Check of block 1, sequence 0
	MapWidth      int  // 0 = as long as the last sequence
	MapNumbers    bool // the map lists what is missing instead of a letter per sequence
	Whole         bool // one data telegram carries a whole file
	Stream        bool // there are no blocks on the wire: a file is one stream of data telegrams
	NoCheck       bool // blocks are not checked: the end is all that is answered
	Resend        Resending
	Numbering     Numbering
	NoSize        bool     // the announcement's size is zeros
	SettleAgain   bool     // an unknown end is settled by announcing again, else by Inquiry
	Repeat        Repeat   // a name that we hold whole
	SendProofs    []string // what must hold before a file counts as sent: names of transfer.Proof
	ReceiveProofs []string // … as received
	Serial        bool
	Gzip          bool
	EBCDIC        bool
	FileSizes     bool // sizes are those of the file, not of the wire bytes
}

// Repeat is what becomes of a file whose name we hold whole (design D6).
type Repeat string

const (
	RepeatRefuse Repeat = "refuse" // it is answered with "complete already"
	RepeatAbsorb Repeat = "absorb" // it is taken and compared
	RepeatNew    Repeat = "new"    // it is a further file
)

// Resending is what follows a check that names missing sequences (§4.5, §4.11).
type Resending string

const (
	ResendBatch Resending = "batch" // each of them, then a check
	ResendRest  Resending = "rest"  // everything from the first of them on, then a check
	ResendEach  Resending = "each"  // one, which is answered like a check; then the next
)

// Letters are the one-letter words of a profile.
type Letters struct {
	Upload, Download    []byte // direction letters; nil where the header has none per session
	Institution, Centre []byte // issuer letters
	Held, Missing       byte
	Pad                 byte // of a map of fixed width, behind the last sequence
}

//go:embed profiles/*.yaml
var embedded embed.FS

// Embedded are the names of the profiles that come with the program, sorted.
func Embedded() []string {
	entries, err := embedded.ReadDir("profiles")
	if err != nil {
		return nil
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	sort.Strings(names)
	return names
}

// Load compiles a profile that comes with the program.
func Load(name string) (*Profile, error) { return NewLibrary().Load(name) }

func (l *layout) has(f Field) bool {
	return slices.ContainsFunc(l.places, func(p place) bool { return p.field == f })
}

// Has reports whether the profile has telegrams of this kind.
func (p *Profile) Has(k Kind) bool { return p.layouts[k] != nil }

// Carries reports whether telegrams of this kind have the field.
func (p *Profile) Carries(k Kind, f Field) bool { return p.layouts[k] != nil && p.layouts[k].has(f) }

// Proves reports that a request of the login, k, shows who asks: else its answer
// shows who answers. Where only the answer has a password that is what it is
// for, also if the request has a name.
func (p *Profile) Proves(k Kind) bool {
	return p.Carries(k, SenderPassword) || p.Carries(k, SenderName) && !p.Carries(k.Reply(), SenderPassword)
}

// FieldName is the field's name in the profile.
func (p *Profile) FieldName(f Field) string {
	names := fieldNames()
	switch {
	case int(f) < len(names):
		return names[f]
	case f != noField && int(f-firstOwn) < len(p.own):
		return p.own[f-firstOwn]
	}
	return "filler"
}

// Sender is the side that sends the files of a session, as the direction letter
// of its opening says; false where it says nothing that the profile knows.
func (p *Profile) Sender(opening *Telegram) (Side, bool) {
	switch d := opening.Text(Direction); {
	case d == "":
	case d == string(p.Letters.Upload):
		return InstitutionSide, true
	case d == string(p.Letters.Download):
		return CentreSide, true
	}
	return InstitutionSide, false
}

// MaxData is how many data bytes one telegram carries at most under message
// size n (§1.5): n less what it counts beside the data.
func (p *Profile) MaxData(n int) int { return n - p.dataOverhead }

// Carriable reports that telegrams of message size n carry data at all, and
// where a file has a header and a trailer, those.
func (p *Profile) Carriable(n int) bool {
	least := 1
	if p.Parts != nil {
		least = p.Parts.least()
	}
	return p.MaxData(n) >= least
}

// MostData is the most data bytes that a telegram of the framing can hold;
// some senders fill more than the agreed size (§1.5).
func (p *Profile) MostData() int {
	l := p.layouts[DataTelegram]
	most := p.frame.maxTotal - l.fixed
	if m := l.places[len(l.places)-1].max; m > 0 && m < most {
		most = m
	}
	return most
}

// MaxFile is the largest number of wire bytes that blocks and sequences can
// number with l data bytes per telegram, or one telegram can carry where it
// carries a file, whose size can be said, and that the counterparty takes.
func (p *Profile) MaxFile(l int) int64 {
	most := p.mostSequences * int64(l)
	if p.mostBytes > 0 {
		most = min(most, p.mostBytes)
	}
	switch {
	case p.Files.Whole:
		return min(most, p.mostWhole())
	case p.Limits.Size > 0:
		return min(most, p.Limits.Size)
	}
	return most
}

// MostSequences is how many data telegrams a file may have.
func (p *Profile) MostSequences() int64 { return p.mostSequences }

// Width is how many bytes a field has in telegrams of a kind, 0 if none.
func (p *Profile) Width(k Kind, f Field) int {
	if l := p.layouts[k]; l != nil {
		for _, pl := range l.places {
			if pl.field == f {
				return pl.width
			}
		}
	}
	return 0
}
