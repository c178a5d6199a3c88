package protocol

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"pabal/internal/fault"
	"pabal/transfer"
)

// Profile is a compiled protocol: what a counterparty's agreed document says.
// It is immutable and safe for many sessions at once.
type Profile struct {
	Name      string
	Title     map[string]string
	Certainty string
	Source    string
	Notes     []string

	Session Session
	Files   Files
	Letters Letters

	frame        frame
	layouts      [NumKinds]*layout
	byType       map[string][]*layout
	typeAt       int
	typeWidth    int
	headerLen    int
	headerPlaces int
	stampFormat  string
	own          []string
	responses    map[Reason]string
	meanings     map[string]Reason
	dataOverhead int // what N counts of a data telegram beside the data
}

// Session are the switches of a session.
type Session struct {
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
	NameWidth     int
	MessageSize   int
	PerBlock      int
	MaxBlock      int64
	Packing       string
	AnnounceFetch bool // fetched files are announced by Info too
	Resume        bool // the reply to Info says how many bytes are held
	Rounds        int
	Pause         time.Duration
	EmptyCheck    bool // an empty file has one Check of block 1, sequence 0
	MapWidth      int  // 0 = as long as the last sequence
	SettleAgain   bool // an unknown end is settled by announcing again, else by Inquiry
	RepeatNew     bool // a name that we hold whole is taken as a new file
	Serial        bool
	Gzip          bool
	EBCDIC        bool
	FileSizes     bool // sizes are those of the file, not of the wire bytes
}

// Letters are the one-letter words of a profile.
type Letters struct {
	Upload, Download    []byte // direction letters; nil where the header has none per session
	Institution, Centre []byte // issuer letters
	Held, Missing       byte
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

// Load compiles an embedded profile.
func Load(name string) (*Profile, error) {
	src, err := embedded.ReadFile("profiles/" + name + ".yaml")
	if err != nil {
		return nil, fault.New(CodeProfileUnknown, name, "known", strings.Join(Embedded(), ", "))
	}
	return Parse(name+".yaml", src)
}

// Parse reads and compiles a profile; file is its name for messages.
func Parse(file string, src []byte) (*Profile, error) {
	var spec Spec
	dec := yaml.NewDecoder(bytes.NewReader(src))
	dec.KnownFields(true)
	if err := dec.Decode(&spec); err != nil {
		return nil, fault.New(CodeProfileSyntax, file, "detail", err).Because(err)
	}
	if err := dec.Decode(new(Spec)); !errors.Is(err, io.EOF) {
		return nil, fault.New(CodeProfileSyntax, file, "detail", "more than one document")
	}
	return Compile(file, &spec)
}

// Compile checks spec and flattens it. All problems are reported together.
func Compile(file string, spec *Spec) (*Profile, error) {
	c := newCompiler()
	p := &Profile{
		Name: spec.Profile, Title: spec.Title, Certainty: spec.Certainty, Source: spec.Source, Notes: spec.Notes,
		byType: map[string][]*layout{}, responses: map[Reason]string{}, meanings: map[string]Reason{},
	}
	if p.Name == "" {
		c.problem("profile", 1, CodeProfileMissing, "profile", "expected", "a name")
	}
	p.compileHeader(c, spec)
	p.compileFrame(c, spec)
	p.compileTelegrams(c, spec)
	p.compileSwitches(c, spec)
	p.compileResponses(c, spec)
	for name := range c.own {
		p.own = append(p.own, name)
	}
	slices.SortFunc(p.own, func(a, b string) int { return int(c.own[a]) - int(c.own[b]) })
	if len(c.problems) > 0 {
		errs := make([]error, len(c.problems))
		for i, pr := range c.problems {
			pr.Err.Args["file"] = file
			pr.Err.Args["path"] = pr.Path
			errs[i] = pr.Err
		}
		return nil, errors.Join(errs...)
	}
	return p, nil
}

func (p *Profile) compileHeader(c *compiler, spec *Spec) {
	at := 0
	for i, r := range spec.Header {
		w, _ := strconv.Atoi(r.Width)
		switch r.Field {
		case "type":
			p.typeAt, p.typeWidth = at, w
		case "sent_at":
			p.stampFormat, _ = goFormat(r.Format)
		}
		if w == 0 {
			c.problem(fmt.Sprintf("header[%d].width", i), r.Line, CodeProfileWidth, r.Width, "expected", "a number: header rows have a fixed width")
		}
		at += w
	}
	p.headerLen, p.headerPlaces = at, len(spec.Header)
	if p.typeWidth == 0 {
		c.problem("header", 1, CodeProfileMissing, "type", "expected", "a header row for the message type")
	}
	for _, body := range spec.Bodies {
		for _, r := range body {
			if r.Field == "sent_at" {
				p.stampFormat, _ = goFormat(r.Format)
			}
		}
	}
}

func (p *Profile) compileFrame(c *compiler, spec *Spec) {
	f := spec.Framing
	p.frame = frame{at: f.Offset, width: f.Width, all: f.Counts == "all", minTotal: p.headerLen}
	if f.Width < 1 || f.Width > 10 {
		c.problem("framing.width", 1, CodeProfileWidth, strconv.Itoa(f.Width), "expected", "1…10 digits")
		return
	}
	if f.Counts != "all" && f.Counts != "rest" {
		c.problem("framing.counts", 1, CodeProfileValue, f.Counts, "expected", "rest, all")
	}
	most := p.frame.before()
	pow := 1
	for range min(f.Width, 7) {
		pow *= 10
	}
	most += pow - 1
	p.frame.maxTotal = most
	if f.Max > 0 && f.Max < most {
		p.frame.maxTotal = f.Max
	}
	if p.frame.maxTotal > 1<<20 {
		p.frame.maxTotal = 1 << 20
	}
}

func (p *Profile) compileTelegrams(c *compiler, spec *Spec) {
	for i := range kindNames() {
		k := Kind(i)
		t, ok := spec.Telegrams[k.String()]
		if !ok || k == NoKind {
			continue
		}
		l := c.build(k, "telegrams."+k.String(), spec, t)
		p.layouts[k] = l
		p.byType[t.Type] = append(p.byType[t.Type], l)
	}
	for name, t := range spec.Telegrams {
		if !slices.Contains(kindNamesSlice(), name) {
			c.problem("telegrams."+name, t.Line, CodeProfileValue, name, "expected", strings.Join(kindNamesSlice()[1:], ", "))
		}
	}
	for _, k := range []Kind{Open, OpenReply, DataTelegram, End, EndReply, Close, CloseReply} {
		if p.layouts[k] == nil {
			c.problem("telegrams", 1, CodeProfileMissing, k.String(), "expected", "its layout")
		}
	}
	for code, group := range p.byType {
		for _, l := range group {
			if len(group) > 1 && len(l.where) == 0 {
				c.problem("telegrams."+l.kind.String(), 1, CodeProfileMissing, "where", "expected", "a field that tells it from the others of type "+code)
			}
		}
	}
	if l := p.layouts[DataTelegram]; l != nil {
		p.dataOverhead = l.fixed - p.frame.before()
		if !l.hasData() {
			c.problem("telegrams.data", 1, CodeProfileMissing, "data", "expected", "a last row for the data, width rest")
		}
	}
	if p.layouts[Resend] == nil {
		p.layouts[Resend] = p.layouts[DataTelegram]
	}
}

func kindNamesSlice() []string { n := kindNames(); return n[:] }

func (p *Profile) compileSwitches(c *compiler, spec *Spec) {
	one := func(path, v string, allowed ...string) string {
		if !slices.Contains(allowed, v) {
			c.problem(path, 1, CodeProfileValue, v, "expected", strings.Join(allowed, ", "))
		}
		return v
	}
	s := spec.Session
	one("session.opens", s.Opens, "institution")
	p.Session = Session{
		FetchByRequest: one("session.fetch", s.Fetch, "open", "request") == "request",
		Reply:          time.Duration(s.Reply), Resends: s.Resends, First: time.Duration(s.FirstOpen),
		Idle: time.Duration(s.IdleClose), EarlyInfo: s.EarlyInfo, Hub: s.Hub,
		EndNothing:  one("session.nothing", s.NoneFollow, "close", "end-close") == "end-close",
		CallerField: Institution,
	}
	if l := p.layouts[Open]; l != nil && l.has(From) {
		p.Session.CallerField = From
	}
	p.Session.Cipher = Cipher(one("session.cipher", s.Cipher, string(NoCipher), string(KFTCCipher)))
	for path, d := range map[string]time.Duration{"session.reply": p.Session.Reply, "session.first": p.Session.First, "session.idle": p.Session.Idle} {
		if d <= 0 {
			c.problem(path, 1, CodeProfileMissing, path, "expected", "a time such as 60s")
		}
	}
	f := spec.Files
	p.Files = Files{
		NameWidth: f.NameWidth, MessageSize: f.MessageSize, PerBlock: f.PerBlock, MaxBlock: f.MaxBlock,
		Packing:       one("files.packing", f.Packing, "whole", "filled", "one"),
		AnnounceFetch: one("files.announce", f.Announce, "always", "upload") == "always",
		Resume:        one("files.resume", f.Resume, "bytes", "none") == "bytes",
		Rounds:        f.Rounds, Pause: time.Duration(f.Pause), EmptyCheck: f.EmptyCheck, MapWidth: f.MapWidth,
		SettleAgain: one("files.settle", f.Settle, "again", "inquiry") == "again",
		RepeatNew:   one("files.repeat", f.Repeat, "refuse", "new") == "new",
		Serial:      f.Serial, Gzip: f.Gzip, EBCDIC: f.EBCDIC,
		FileSizes: one("files.sizes", f.Sizes, "wire", "file") == "file",
	}
	if one("files.counts", f.Counts, "rest", "data") == "data" {
		p.dataOverhead = 0
	}
	if f.PerBlock < 1 || f.PerBlock > transfer.MaxPerBlock {
		c.problem("files.per_block", 1, CodeProfileValue, strconv.Itoa(f.PerBlock), "expected", "1…999")
	}
	if f.MaxBlock < 1 {
		c.problem("files.max_block", 1, CodeProfileValue, strconv.FormatInt(f.MaxBlock, 10), "expected", "at least 1")
	}
	if f.Rounds < 1 {
		c.problem("files.rounds", 1, CodeProfileValue, strconv.Itoa(f.Rounds), "expected", "at least 1")
	}
	if f.NameWidth < 1 {
		c.problem("files.name_width", 1, CodeProfileValue, strconv.Itoa(f.NameWidth), "expected", "at least 1")
	}
	if f.MessageSize-p.dataOverhead < 1 {
		c.problem("files.message_size", 1, CodeProfileValue, strconv.Itoa(f.MessageSize), "expected", fmt.Sprintf("more than %d", p.dataOverhead))
	}
	p.Letters = Letters{
		Upload: letter(spec.Letters.Direction["upload"]), Download: letter(spec.Letters.Direction["download"]),
		Institution: letter(spec.Letters.Issuer["institution"]), Centre: letter(spec.Letters.Issuer["centre"]),
		Held: '1', Missing: '0',
	}
	if h := spec.Letters.Held; h != "" {
		p.Letters.Held = h[0]
	}
	if m := spec.Letters.Missing; m != "" {
		p.Letters.Missing = m[0]
	}
}

func letter(s string) []byte {
	if s == "" {
		return nil
	}
	return []byte(s)
}

func (p *Profile) compileResponses(c *compiler, spec *Spec) {
	for r, code := range spec.Responses {
		if !slices.Contains(reasons(), Reason(r)) {
			c.problem("responses."+r, 1, CodeProfileValue, r, "expected", fmt.Sprint(reasons()))
		}
		p.responses[Reason(r)] = code
	}
	for _, r := range []Reason{OK, OtherReason} {
		if p.responses[r] == "" {
			c.problem("responses", 1, CodeProfileMissing, string(r), "expected", "a code")
		}
	}
	for code, m := range spec.Meanings {
		if !slices.Contains(meanings(), Reason(m)) {
			c.problem("meanings."+code, 1, CodeProfileValue, m, "expected", fmt.Sprint(meanings()))
		}
		p.meanings[code] = Reason(m)
	}
	p.meanings[p.responses[OK]] = OK
}

func (l *layout) has(f Field) bool {
	return slices.ContainsFunc(l.places, func(p place) bool { return p.field == f })
}

// Has reports whether the profile has telegrams of this kind.
func (p *Profile) Has(k Kind) bool { return p.layouts[k] != nil }

// Carries reports whether telegrams of this kind have the field.
func (p *Profile) Carries(k Kind, f Field) bool { return p.layouts[k] != nil && p.layouts[k].has(f) }

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

// MaxData is how many data bytes one telegram carries at most under message
// size n (§1.5): n less what it counts beside the data.
func (p *Profile) MaxData(n int) int { return n - p.dataOverhead }

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

// MaxFile is the largest number of wire bytes that the block counter can
// number with l data bytes per telegram.
func (p *Profile) MaxFile(l int) int64 {
	return p.Files.MaxBlock * int64(p.Files.PerBlock) * int64(l)
}

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
