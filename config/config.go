// Package config reads the configuration file (design D10): strict YAML into
// validated structs. It holds no behaviour and only cmd imports it; the other
// packages take their own options, and Report puts the problems that they find
// back on the file's lines.
package config

import (
	"reflect"
	"time"
)

// Config is a whole configuration as one host sees it: the host's own part and
// the one that all hosts share. Paths in it are
// absolute, references are proven, defaults are filled in.
type Config struct {
	Environment  string        `yaml:"environment" part:"host"` // production, test or dev
	Host         string        `yaml:"host" part:"host"`        // the name of this place (design D4)
	Zone         string        `yaml:"zone" part:"shared"`      // business zone, an IANA name
	Lease        time.Duration `yaml:"lease" part:"host"`       // silent for longer, an instance counts as dead (design D4)
	Database     Database      `yaml:"database" part:"host"`
	Log          Log           `yaml:"log" part:"host"`
	System       System        `yaml:"system" part:"host"` // 시스템파라미터
	Scan         Scan          `yaml:"scan" part:"shared"`
	Mask         string        `yaml:"mask" part:"host"` // MaskReason or MaskAlways
	Access       Access        `yaml:"access" part:"host"`
	SessionLog   SessionLog    `yaml:"session_log" part:"host"`
	Retention    Retention     `yaml:"retention" part:"shared"`
	Profiles     Profiles      `yaml:"profiles" part:"host"`
	Runs         []Run         `yaml:"runs" part:"host"` // the instances of this host; none = all
	Instances    []Instance    `yaml:"instances" part:"shared"`
	Routers      []Router      `yaml:"routers" part:"shared"`
	Institutions []Institution `yaml:"institutions" part:"shared"`
	Jobs         []Job         `yaml:"jobs" part:"shared"`
	Files        []File        `yaml:"files" part:"shared"` // 일괄전송파일정보

	complete bool // the shared part is there
	secrets  bool // secrets were looked up
	location *time.Location
	index    index
}

// Complete reports that the shared part is there. Without it only the keys of
// the host are filled in; the rest is a version in the database.
func (c *Config) Complete() bool { return c.complete }

// SecretsRead reports that all secrets were looked up. Otherwise those that are
// references are empty, see Load.
func (c *Config) SecretsRead() bool { return c.secrets }

// RunsHere reports that the instance runs on this host.
func (c *Config) RunsHere(instance string) bool {
	for _, r := range c.Runs {
		if r.Instance == instance {
			return true
		}
	}
	return len(c.Runs) == 0
}

// Location is the business zone (design D9).
func (c *Config) Location() *time.Location { return c.location }

// Fixed is the key of the host's part in which two readings of its file differ
// though it cannot change while a process runs, or "".
func (c *Config) Fixed(next *Config) string {
	for _, part := range []struct {
		key         string
		before, now any
	}{
		{"environment", c.Environment, next.Environment}, {"host", c.Host, next.Host},
		{"lease", c.Lease, next.Lease}, {"database", c.Database, next.Database}, {"log", c.Log, next.Log}, {"system", c.System, next.System},
	} {
		if !reflect.DeepEqual(part.before, part.now) {
			return part.key
		}
	}
	return ""
}

// Database says where the store is: "sqlite:" and an absolute path, or a
// postgres:// address.
type Database struct {
	URL string `yaml:"url"`
	// Password of the user in the URL; it may stand there instead.
	Password Secret `yaml:"password"`
	// Wait is how long the server waits at its start for a database server
	// that is away; 0 is not at all.
	Wait time.Duration `yaml:"wait"`
	// Keeper says where content is kept: in the database, or in files of this
	// host beside it (design D3).
	Keeper string `yaml:"keeper"`
	// PayloadKeys seal stored content: the first is written with, the others
	// are for reading what was written before. None leaves content in clear.
	PayloadKeys []Secret `yaml:"payload_keys"`
}

// The two payload keepers.
const (
	KeeperDatabase = "database"
	KeeperFiles    = "files"
)

// Log is how the program logs.
type Log struct {
	Level  string `yaml:"level"`  // debug, info, warn, error
	Format string `yaml:"format"` // auto (text on a terminal, else json), text, json
}

// System holds the system parameters under the names that the field knows them
// by. Backup and error directories stand beside the scan directory.
type System struct {
	Scan    string `yaml:"SCAN_DIRECTORY_NAME"`
	Work    string `yaml:"WORK_DIRECTORY_NAME"`
	Receive string `yaml:"RECEIVE_DIRECTORY_NAME"`
	Result  string `yaml:"RESULT_DIRECTORY_NAME"` // "" = no result files
}

// Scan is the rhythm of looking into the scan directory.
type Scan struct {
	Every  time.Duration `yaml:"every"`
	Settle time.Duration `yaml:"settle"` // size and time must stand still for so long
}

// Whether records may be shown unmasked: to who gives a reason, or to nobody.
const (
	MaskReason = "reason"
	MaskAlways = "always"
)

// Access says who may use the files and directories that the program makes or
// takes over, in general and for kinds of directories.
type Access struct {
	Mode      Mode   `yaml:"mode"`           // of files; 0 = 0640
	Directory Mode   `yaml:"directory_mode"` // 0 = 0750
	Owner     string `yaml:"owner"`          // a user; "" = who runs the program
	Group     string `yaml:"group"`

	Work    Rights `yaml:"work"`
	Receive Rights `yaml:"receive"`
	Backup  Rights `yaml:"backup"`
	Error   Rights `yaml:"error"`
	Result  Rights `yaml:"result"`
}

// Rights are Access for one kind of directory. What is not said is as in Access.
type Rights struct {
	Mode      Mode   `yaml:"mode"`
	Directory Mode   `yaml:"directory_mode"`
	Owner     string `yaml:"owner"`
	Group     string `yaml:"group"`
}

// SessionLog is what of the conversations with counterparties is written down
// in files of this host.
type SessionLog struct {
	Level   string        `yaml:"level"`   // LogOff, LogHeaders or LogBodies
	Keep    time.Duration `yaml:"keep"`    // after the last line; 0 = for ever
	Session Size          `yaml:"session"` // bytes of one log
	Total   Size          `yaml:"total"`   // bytes of all of them; the oldest go first
}

// How much is written down.
const (
	LogOff     = "off"
	LogHeaders = "headers"
	LogBodies  = "bodies"
)

// Retention is how long what is finished is kept; 0 keeps it for ever.
type Retention struct {
	Payload   time.Duration `yaml:"payload"`   // stored content, from the end of its transfer
	Transfers time.Duration `yaml:"transfers"` // rows of transfers with their history
	Events    time.Duration `yaml:"events"`    // history alone
	Sessions  time.Duration `yaml:"sessions"`
	Backup    time.Duration `yaml:"backup"`  // files in backup/
	Error     time.Duration `yaml:"error"`   // files in error/
	Journal   time.Duration `yaml:"journal"` // what a place remembers of the database outside of it
}

// Profiles names the directory of the site's own protocol profiles; "" = none.
type Profiles struct {
	Directory string `yaml:"directory"`
}

// Instance is a running identity (배치 인스턴스).
type Instance struct {
	ID       string   `yaml:"id"`
	Listen   []Listen `yaml:"listen"`
	Sessions int      `yaml:"sessions"` // at once, over all institutions
	Limits   Door     `yaml:"limits"`
}

// Listen is an address that counterparties call, and the profile that reads
// their first telegram.
type Listen struct {
	Address string     `yaml:"address"` // host:port; port 0 takes any free one
	Profile string     `yaml:"profile"`
	SendsTo string     `yaml:"sends_to"` // institution that calls here to fetch, where we open for that
	TLS     *ListenTLS `yaml:"tls"`      // nil = in clear

	FetchesFrom string `yaml:"fetches_from"` // institution that calls here to give, where we open for that
}

// Run is an instance that runs on this host.
type Run struct {
	Instance string   `yaml:"instance"`
	Listen   []Listen `yaml:"listen"` // instead of the instance's; none = those
}

// Router binds work to an instance. fileScanRouter has the scan directory.
type Router struct {
	ID       string `yaml:"id"`
	Kind     string `yaml:"kind"` // KindInstance or KindDistributor after Load
	Instance string `yaml:"instance"`
}

// Kinds of routers; the file may also use the field's words 배치인스턴스 and
// 배치분배인스턴스.
const (
	KindInstance    = "instance"
	KindDistributor = "distributor"
)

// ScanRouter is the router that looks into the scan directory.
const ScanRouter = "fileScanRouter"

// Scanner is the instance that looks into the scan directory, "" if none is named.
func (c *Config) Scanner() string {
	for _, r := range c.Routers {
		if r.ID == ScanRouter {
			return r.Instance
		}
	}
	return ""
}

// Institution is a counterparty (기관).
type Institution struct {
	Code        string            `yaml:"code"`
	Name        string            `yaml:"name"`
	Mask        string            `yaml:"mask"`        // MaskReason or MaskAlways
	SessionLog  string            `yaml:"session_log"` // of what is said with it; "" = as session_log.level
	Profile     string            `yaml:"profile"`
	Side        string            `yaml:"side"`      // the part we play: institution or centre
	WireCode    string            `yaml:"wire_code"` // the code in the header
	PeerCode    string            `yaml:"peer_code"` // for profiles that name both sides
	Business    string            `yaml:"business"`  // code of the business in the header; "" = the profile's
	Sender      Credentials       `yaml:"sender"`    // what we present
	Expect      *Credentials      `yaml:"expect"`    // what we demand of the peer; nil = nothing
	Login       Login             `yaml:"login"`     // the same for the login before the opening
	Connect     string            `yaml:"connect"`   // where we call, host:port; "" = they call us
	Instance    string            `yaml:"instance"`
	Standby     []string          `yaml:"standby"` // instances that call while those before them are dead
	Sessions    Sessions          `yaml:"sessions"`
	Windows     []Window          `yaml:"receive_windows"`
	Closed      []Closed          `yaml:"closed"`
	Retry       Retry             `yaml:"retry"`
	Timeouts    Timeouts          `yaml:"timeouts"`
	TLS         *TLS              `yaml:"tls"`    // nil = we call in clear
	Caller      Caller            `yaml:"caller"` // what it proves when it calls, beside its telegrams
	Allow       Allow             `yaml:"allow"`
	Limits      Limits            `yaml:"limits"`
	MessageSize Size              `yaml:"message_size"` // N; 0 = the profile's
	Rounds      int               `yaml:"rounds"`       // missing rounds before a file fails
	ResumeAge   time.Duration     `yaml:"resume_age"`   // an older partial file starts again
	RepeatAge   time.Duration     `yaml:"repeat_age"`   // a file whose confirmation may have been lost is recognised for so long
	Repeat      string            `yaml:"repeat"`       // of its registrations that say nothing; "" = the profile's
	Options     map[string]Secret `yaml:"options"`      // of the profile, by name; one is a password
	Approval    Approval          `yaml:"approval"`     // orders about its files that need a second person
}

// Approval names the orders that another person must agree to.
type Approval struct {
	SecondPerson []string      `yaml:"second_person"` // names of orders, or all
	Expires      time.Duration `yaml:"expires"`       // a request that nobody decides on ends after so long
}

// Credentials are a name and a password on the wire.
type Credentials struct {
	Name     string `yaml:"name"`
	Password Secret `yaml:"password"`
}

// Login are the credentials of the login before the opening, where it has its
// own; nil = those of the opening.
type Login struct {
	Sender *Credentials `yaml:"sender"`
	Expect *Credentials `yaml:"expect"`
}

// Sessions is how many sessions may run at once in each direction.
type Sessions struct {
	Send    int `yaml:"send"`
	Receive int `yaml:"receive"`
}

// Window is a time of day in which we call to fetch. From after To goes over
// midnight. No days = every day.
type Window struct {
	From  TimeOfDay     `yaml:"from"`
	To    TimeOfDay     `yaml:"to"`
	Every time.Duration `yaml:"every"`
	Days  []string      `yaml:"days"` // mon … sun, of the day on which the window opens
}

// Closed is a time of day in which nothing is begun. From after To goes over
// midnight.
type Closed struct {
	From TimeOfDay `yaml:"from"`
	To   TimeOfDay `yaml:"to"`
	For  string    `yaml:"for"` // send, receive or both
}

// Retry is the back-off after failures.
type Retry struct {
	First time.Duration `yaml:"first"`
	Max   time.Duration `yaml:"max"`
	Tries int           `yaml:"tries"` // failures in a row before giving up; 0 = never
}

// Timeouts of a session.
type Timeouts struct {
	Connect   time.Duration `yaml:"connect"`
	Handshake time.Duration `yaml:"handshake"` // of TLS
	Reply     time.Duration `yaml:"reply"`
}

// Job is a line of business with an institution (업무).
type Job struct {
	Code        string `yaml:"code"`
	Institution string `yaml:"institution"`
	Name        string `yaml:"name"`
}

// File is a file registration (일괄전송파일정보).
type File struct {
	ID          string   `yaml:"id"`
	Institution string   `yaml:"institution"`
	Job         string   `yaml:"job"`
	Direction   string   `yaml:"direction"` // send or receive, seen from our side
	Name        string   `yaml:"name"`
	Record      Record   `yaml:"record"`
	WireName    string   `yaml:"wire_name"` // script; "" = as the profile says, else the file ID
	Suffixes    []string `yaml:"suffixes"`
	Packing     string   `yaml:"packing"` // whole, filled or one; "" = the profile's
	Parts       string   `yaml:"parts"`   // receiving: data (the default) or all, where the profile sorts parts by tags
	Empty       string   `yaml:"empty"`   // refuse or send
	Flag        Flag     `yaml:"flag"`
	Result      bool     `yaml:"result"`   // write <name>.ok or .fail when sending ends
	Existing    string   `yaml:"existing"` // wait, replace or number
	ReceiveName string   `yaml:"receive_name"`
	SameName    string   `yaml:"same_name"` // sending: new, hold or replace; "" = by the profile
	Repeat      string   `yaml:"repeat"`    // receiving: refuse, absorb or new; "" = the profile's
	Custom      Custom   `yaml:"custom"`
	Checks      Checks   `yaml:"checks"`
}

// Record is the smallest unit of a file. With a line end the length is that of
// the text before it; fixed records may have line ends too (152 bytes for EB21
// with CR LF, protocols §5.1).
type Record struct {
	Length  int    `yaml:"length"`   // bytes, without the line end
	Form    string `yaml:"form"`     // fixed, lines or raw
	LineEnd string `yaml:"line_end"` // none, lf or crlf
	Strip   bool   `yaml:"strip"`    // line ends do not go over the wire
	// Fields say what stands where, for who looks at records.
	Fields []Field `yaml:"fields"`
}

// Field is a part of a record. Its type decides what of it is shown.
type Field struct {
	Name   string `yaml:"name"`
	Offset int    `yaml:"offset"` // bytes from 0
	Length int    `yaml:"length"`
	Type   string `yaml:"type"`
	Starts string `yaml:"starts"` // only in records that begin so
}

// Flag are the suffixes of flag files; "" = none.
type Flag struct {
	Ready  string `yaml:"ready"`  // must stand beside a file before it is taken
	Placed string `yaml:"placed"` // is written beside a received file
}

// Custom are expr-lang names.
type Custom struct {
	Parse    string   `yaml:"parse"`
	Format   string   `yaml:"format"`
	Examples []string `yaml:"examples"`
}

// Checks are the basic checks of a file to send. A nil part is not checked.
type Checks struct {
	Header  *HeaderCheck  `yaml:"header"`
	Trailer *TrailerCheck `yaml:"trailer"`
	Charset string        `yaml:"charset"`
	Rules   []Rule        `yaml:"rules"`
	Records bool          `yaml:"records"` // receiving: whole records, where there is no other check
}

// Asked reports that there is something to check.
func (c *Checks) Asked() bool {
	return c.Records || c.Charset != "" || c.Header != nil || c.Trailer != nil || len(c.Rules) > 0
}

// HeaderCheck looks at the first record.
type HeaderCheck struct {
	Starts string  `yaml:"starts"`
	NameAt *Span   `yaml:"name_at"` // the wire name
	DateAt *DateAt `yaml:"date_at"` // the base date
}

// TrailerCheck looks at the last record.
type TrailerCheck struct {
	Starts      string  `yaml:"starts"`
	CountAt     *Span   `yaml:"count_at"`
	Counts      string  `yaml:"counts"` // counts records that start so; "" = all between header and trailer
	AmountAt    *Span   `yaml:"amount_at"`
	AmountField *Span   `yaml:"amount_field"` // in each counted record
	Totals      []Total `yaml:"totals"`       // further numbers, in the general form
}

// Total is a number in the trailer: how many data records meet Where, or with
// Sum the sum of a field in them.
type Total struct {
	At    *Span   `yaml:"at"`
	Sum   *Span   `yaml:"sum"`
	Where []Where `yaml:"where"`
	All   bool    `yaml:"all"` // a count includes header and trailer
}

// Where is a condition on a record: it has Text at Offset.
type Where struct {
	Offset int    `yaml:"offset"`
	Text   string `yaml:"text"`
}

// Span is a field of a record: bytes from 0.
type Span struct {
	Offset int `yaml:"offset"`
	Length int `yaml:"length"`
}

// DateAt is a date field and its pattern, such as yyMMdd.
type DateAt struct {
	Offset int    `yaml:"offset"`
	Length int    `yaml:"length"` // 0 = that of the pattern
	Format string `yaml:"format"`
}

// Rule is a further check in expr-lang.
type Rule struct {
	Name    string `yaml:"name"`
	Expr    string `yaml:"expr"`
	Each    bool   `yaml:"each"` // for every data record, not once at the end
	Message string `yaml:"message"`
}
