package protocol

import (
	"time"

	"gopkg.in/yaml.v3"

	"pabal/internal/strictyaml"
)

// Spec is a profile as it is written down. Compile turns it into a Profile.
type Spec struct {
	Profile   string            `yaml:"profile"`
	Extends   string            `yaml:"extends"`   // name of a profile; what is not said here is as there
	Title     map[string]string `yaml:"title"`     // by language
	Certainty string            `yaml:"certainty"` // certain, assumed, template; own = written by a site, the default
	Source    string            `yaml:"source"`    // document and section
	Notes     []string          `yaml:"notes"`     // what the profile assumes

	Charset   string                  `yaml:"charset"` // of texts and digits: euc-kr (the default), ascii, ebcdic
	Framing   FramingSpec             `yaml:"framing"`
	Header    []FieldSpec             `yaml:"header"`
	Bodies    map[string][]FieldSpec  `yaml:"bodies"`
	Telegrams map[string]TelegramSpec `yaml:"telegrams"`
	Parts     PartsSpec               `yaml:"parts"` // of the data of a file, each telegram of which begins with a tag
	Letters   LettersSpec             `yaml:"letters"`
	Session   SessionSpec             `yaml:"session"`
	Files     FilesSpec               `yaml:"files"`
	Limits    LimitsSpec              `yaml:"limits"`
	Responses map[string]string       `yaml:"responses"` // reason → code that we answer
	Meanings  map[string]string       `yaml:"meanings"`  // code that a peer answers → reason; default refused
	// Codes of what an inquiry or a cancel finds: telegram → finding → codes.
	Results map[string]map[string]Codes `yaml:"results"`

	root    *yaml.Node // what it was read from, for the lines of problems
	origins origins    // … and their files

	checkName NameCheck // nil = files.name is taken as it is
}

// FramingSpec says how one telegram is told from the next.
type FramingSpec struct {
	Offset int    `yaml:"offset"`    // of the length from the first byte
	Width  int    `yaml:"width"`     // bytes of the length: digits, or binary as the type of its row says
	Counts string `yaml:"counts"`    // rest, self, body, all: see lengthBefore
	Ends   string `yaml:"ends"`      // instead of a length: what ends a telegram, text or hex:FFEF
	First  int    `yaml:"first_min"` // shortest first telegram in bytes; 0 = as any other
	Max    int    `yaml:"max"`       // longest telegram in bytes, length included; 0 = what the length can say
}

// FieldSpec is one row of a layout table.
type FieldSpec struct {
	Title  string `yaml:"title"`  // the document's own word
	Field  string `yaml:"field"`  // what it means to us; a name of the profile's own; "" = filler
	Type   string `yaml:"type"`   // N digits, zero filled; AN, A, C, H text, space filled; B bytes; I, IL binary number, high or low byte first
	Width  string `yaml:"width"`  // bytes; "last": one per sequence up to the last; "rest": what is left
	Value  string `yaml:"value"`  // constant: text, or bytes as hex:02FF
	Align  string `yaml:"align"`  // left, right; "" = as the type has it
	Fill   string `yaml:"fill"`   // one character for what the value leaves; "" = as the type has it
	Counts string `yaml:"counts"` // of a further length: as in framing; "" = the same number as the first
	Format string `yaml:"format"` // of moments and dates: MMddHHmmss, yyMMdd …
	Max    int    `yaml:"max"`    // for "rest": most bytes
	At     *int   `yaml:"at"`     // offset in the telegram as the document has it, to compare; not said = nothing is compared
	Line   int    `yaml:"-"`

	// What stands there instead of a value.
	Expr    string      `yaml:"expr"`    // what an expression makes of other fields
	Counter CounterSpec `yaml:"counter"` // a running number
	Reply   string      `yaml:"reply"`   // in answers: echo, the request's bytes; blank; "" = as elsewhere
}

// UnmarshalYAML keeps the line for messages.
func (f *FieldSpec) UnmarshalYAML(n *yaml.Node) error {
	type plain FieldSpec
	if err := n.Decode((*plain)(f)); err != nil {
		return err
	}
	f.Line = n.Line
	return nil
}

// TelegramSpec is one telegram of the conversation.
type TelegramSpec struct {
	Title    string               `yaml:"title"`
	Type     string               `yaml:"type"`     // message type code
	Where    map[string]string    `yaml:"where"`    // fields that tell it from others of its type
	Body     string               `yaml:"body"`     // name of a layout in bodies; "" = header only
	Override map[string]FieldSpec `yaml:"override"` // header rows that mean something else here, by field name
	Bytes    int                  `yaml:"bytes"`    // of all its rows as the document has it, to compare; 0 = nothing is compared
	Line     int                  `yaml:"-"`
}

// UnmarshalYAML keeps the line for messages.
func (s *TelegramSpec) UnmarshalYAML(n *yaml.Node) error {
	type plain TelegramSpec
	if err := n.Decode((*plain)(s)); err != nil {
		return err
	}
	s.Line = n.Line
	return nil
}

// LettersSpec are the one-letter words of a profile.
type LettersSpec struct {
	Direction map[string]string `yaml:"direction"` // upload, download (institution → centre is upload)
	Issuer    map[string]string `yaml:"issuer"`    // institution, centre
	Held      string            `yaml:"held"`      // in the map, default 1
	Missing   string            `yaml:"missing"`   // in the map, default 0
	Pad       string            `yaml:"pad"`       // in a map of fixed width behind the last sequence; default as missing
}

// SessionSpec are the switches of a session.
type SessionSpec struct {
	Begins     []StepSpec `yaml:"begins"`     // what comes before the opening, in order
	More       string     `yaml:"more"`       // said (the default): end-more says that files follow; unsaid: they follow an end all the same
	Connects   string     `yaml:"connects"`   // who calls: institution, centre, sender, receiver, either
	Opens      string     `yaml:"opens"`      // who opens: institution (the default), centre, sender, receiver
	Closes     string     `yaml:"closes"`     // who closes: sender (the default), receiver, institution, centre
	Fetch      string     `yaml:"fetch"`      // "open": the opening says that files are to come; "request": a fetch telegram does
	Cipher     string     `yaml:"cipher"`     // of the sender password: none, kftc
	Reply      Duration   `yaml:"reply"`      // wait for an answer
	Resends    int        `yaml:"resends"`    // of a request that got none
	FirstOpen  Duration   `yaml:"first"`      // wait of the accepting side for the opening
	EarlyInfo  bool       `yaml:"early_info"` // a first info may come before the reply to the opening
	IdleClose  Duration   `yaml:"idle"`       // wait of the following side for the next telegram
	Hub        string     `yaml:"hub"`        // the centre's code in openings and closings, where it has one of its own
	NamesFile  bool       `yaml:"names_file"` // the opening carries the name of the file, and a session carries that one
	NoneFollow string     `yaml:"nothing"`    // after a fetch that finds nothing: "end-close" or "close"
}

// StepSpec is one step before the opening: fixed bytes before the first
// telegram, or a telegram of the login and its answer.
type StepSpec struct {
	By       string `yaml:"by"`       // who sends the bytes or the request: caller, called, institution, centre
	Bytes    string `yaml:"bytes"`    // fixed bytes, text or hex:0D0A
	Until    string `yaml:"until"`    // the other side reads whatever comes up to these bytes; "" = it wants exactly bytes
	Max      int    `yaml:"max"`      // most bytes that it reads up to them; 0 = 512
	Telegram string `yaml:"telegram"` // login or verify, instead of bytes
}

// FilesSpec are the switches of one file's procedure.
type FilesSpec struct {
	Name        string   `yaml:"name"`         // name script of registrations that say none; "" = the file ID
	NameWidth   int      `yaml:"name_width"`   // most bytes of a wire name
	MessageSize int      `yaml:"message_size"` // N
	Counts      string   `yaml:"counts"`       // what N counts: "rest" of the telegram after the length, "all" of it, or "data"
	Blocks      string   `yaml:"blocks"`       // numbered (the default); none: one stream that nobody checks
	Whole       bool     `yaml:"whole"`        // of blocks none: one data telegram carries the whole file
	PerBlock    int      `yaml:"per_block"`    // sequences per block
	MaxBlock    int64    `yaml:"max_block"`    // greatest block number
	Packing     string   `yaml:"packing"`      // whole, filled, one: records per telegram
	Announce    string   `yaml:"announce"`     // "always"; "upload": fetched files start with their first data
	Resume      string   `yaml:"resume"`       // bytes, next-block, last-block, none
	Rounds      int      `yaml:"rounds"`       // missing rounds of a block before the file fails
	Pause       Duration `yaml:"pause"`        // between rounds, from the second on
	EmptyCheck  bool     `yaml:"empty_check"`  // an empty file has one check of block 1, sequence 0
	MapWidth    int      `yaml:"map_width"`    // 0: as long as the last sequence
	Map         string   `yaml:"map"`          // marks (the default): a letter per sequence; numbers: those that are missing
	Check       string   `yaml:"check"`        // block (the default): each block is checked; none
	Resend      string   `yaml:"resend"`       // batch (the default): what is missing, then a check; rest: all from the first missing on; each: one at a time, answered at once
	FirstBlock  *int64   `yaml:"first_block"`  // number of the first block; not said = 1
	FirstSeq    *int64   `yaml:"first_sequence"`
	Sequences   string   `yaml:"sequences"`     // restart (the default) in each block, or running
	Announced   string   `yaml:"announce_size"` // full (the default), or zeros: the announcement does not say the size
	Settle      string   `yaml:"settle"`        // an unknown end: "again" (announce again), "inquiry"
	Repeat      string   `yaml:"repeat"`        // a name that we hold whole: refuse, absorb, new
	Serial      bool     `yaml:"serial"`        // files of a day carry a serial number
	Gzip        bool     `yaml:"gzip"`          // the profile can say that a file is compressed
	EBCDIC      bool     `yaml:"ebcdic"`        // … or in EBCDIC
	Sizes       string   `yaml:"sizes"`         // what size means: "wire" bytes or "file" bytes

	Proofs ProofsSpec `yaml:"proofs"` // what must hold before a file counts as arrived
}

// LimitsSpec says which files the counterparty takes at all (protocols §4.12).
// How many blocks and sequences there may be stands under files.
type LimitsSpec struct {
	FirstData int    `yaml:"first_data"` // least data bytes of a file's first data telegram; 0 = any
	Empty     string `yaml:"empty"`      // files of 0 bytes: allow (the default), refuse
	Text      string `yaml:"text"`       // only text of this set: ascii, euc-kr, cp949; "" = any bytes
	Size      int64  `yaml:"size"`       // most bytes of a file; 0 = as many as can be said
	Full      bool   `yaml:"full"`       // every data telegram but the last has as many bytes as may be
}

// ProofsSpec names the proofs of each way; none = all that the telegrams allow.
type ProofsSpec struct {
	Send    []string `yaml:"send"`    // blocks, end_reply
	Receive []string `yaml:"receive"` // blocks, last_sequence, declared_size, end_size
}

// PartsSpec says by which tags the data of telegrams is sorted. A part without
// a tag is not there.
type PartsSpec struct {
	Header  PartSpec `yaml:"header"`  // the first telegram
	Data    PartSpec `yaml:"data"`    // the business file
	Trailer PartSpec `yaml:"trailer"` // the last telegram
}

// PartSpec is one part.
type PartSpec struct {
	Title string      `yaml:"title"` // the document's own word
	Tag   string      `yaml:"tag"`   // what its telegrams begin with: text, or bytes as hex:0B
	Rows  []FieldSpec `yaml:"rows"`  // of header and trailer, behind the tag
}

// Duration is a time.Duration written as 60s.
type Duration time.Duration

// UnmarshalYAML reads "60s".
func (d *Duration) UnmarshalYAML(n *yaml.Node) error {
	v, err := time.ParseDuration(n.Value)
	if err != nil {
		return strictyaml.WrongKind(n, "time.Duration")
	}
	*d = Duration(v)
	return nil
}
