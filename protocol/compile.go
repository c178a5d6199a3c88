package protocol

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"pabal/internal/fault"
	"pabal/internal/strictyaml"
	"pabal/transfer"
)

// mostFrame is the longest telegram that any profile may have, in bytes: what
// one connection makes us hold is bounded by it.
const mostFrame = 1 << 20

// syntax makes faults of what the YAML decoder says.
func syntax(file string, err error) error {
	var errs []error
	for _, t := range strictyaml.Troubles(err) {
		errs = append(errs, fault.New(CodeProfileSyntax, file, "file", file, "path", "", "line", t.Line, "detail", t.What).Because(err))
	}
	return errors.Join(errs...)
}

// joined makes one error of problems, in the order of their lines.
func joined(file string, problems []fault.Problem) error {
	return errors.Join(inOrder(file, problems)...)
}

// inOrder are problems of a file in the order of their lines.
func inOrder(file string, problems []fault.Problem) []error {
	line := func(p fault.Problem) int { n, _ := strconv.Atoi(p.Err.Args["line"]); return n }
	slices.SortStableFunc(problems, func(a, b fault.Problem) int {
		if d := line(a) - line(b); d != 0 {
			return d
		}
		return strings.Compare(a.Path, b.Path)
	})
	errs := make([]error, len(problems))
	for i, p := range problems {
		if p.Err.Args["file"] == "" {
			p.Err.Args["file"] = file
		}
		p.Err.Args["path"] = p.Path
		errs[i] = p.Err
	}
	return errs
}

// Compile checks spec and flattens it. All problems are reported together.
func Compile(file string, spec *Spec) (*Profile, error) {
	c := newCompiler(spec.root, spec.origins)
	p := &Profile{
		Name: spec.Profile, Title: spec.Title, Certainty: spec.Certainty, Source: spec.Source, Notes: spec.Notes,
		byType: map[string][]*layout{}, responses: map[Reason]string{}, meanings: map[string]Reason{},
	}
	if p.Name == "" {
		c.problem("profile", CodeProfileMissing, "profile", fault.Say("a_name"))
	}
	if p.Certainty == "" {
		p.Certainty = "own"
	}
	c.one("certainty", p.Certainty, "certain", "assumed", "template", "own")
	if spec.Charset != "" {
		c.charset = charset(max(0, slices.Index(charsets(), c.one("charset", spec.Charset, charsets()...))))
	}
	p.charset = c.charset
	c.sizeHeld = spec.sizeHeld()
	c.nameFields(spec)
	p.compileHeader(c, spec)
	p.compileFrame(c, spec)
	p.compileTelegrams(c, spec)
	p.compileSession(c, spec)
	p.compileBegins(c, spec)
	p.compileTotals(c)
	p.rowsInPlace(c, spec)
	p.compileParts(c, spec)
	p.compileFiles(c, spec)
	p.compileNumbers(c)
	p.rowsNeeded(c)
	p.compileLimits(c, spec)
	p.partsFit(c, spec)
	p.compileLetters(c, spec)
	p.compileResponses(c, spec)
	p.compileFindings(c, spec)
	p.compileRoom(c)
	p.compileSense(c, spec)
	for name := range c.own {
		p.own = append(p.own, name)
	}
	slices.SortFunc(p.own, func(a, b string) int { return int(c.own[a]) - int(c.own[b]) })
	if len(c.problems) > 0 {
		return nil, joined(file, append(c.problems, c.doubts...)) // what is doubtful may be why
	}
	p.Doubts = inOrder(file, c.doubts)
	p.planReading()
	return p, nil
}

func (p *Profile) compileHeader(c *compiler, spec *Spec) {
	at := 0
	for i, r := range spec.Header {
		w, err := strconv.Atoi(r.Width)
		if r.Field == "type" {
			p.typeAt, p.typeWidth = at, w
		}
		if err != nil || w < 1 {
			c.problem(fmt.Sprintf("header[%d].width", i), CodeProfileWidth, r.Width, fault.Say("fixed_header"))
			w = 0
		}
		at += w
	}
	p.headerLen = at
	if p.typeWidth < 1 {
		c.problem("header", CodeProfileMissing, "type", fault.Say("type_row"))
	}
}

func (p *Profile) compileFrame(c *compiler, spec *Spec) {
	f := spec.Framing
	p.frame = frame{minTotal: p.headerLen, maxTotal: mostFrame}
	switch {
	case f.Ends != "":
		p.ending(c, f)
	case f.Width < 1 || f.Width > 10:
		c.problem("framing.width", CodeProfileWidth, strconv.Itoa(f.Width), fault.Say("range", "low", 1, "high", 10))
		return
	default:
		p.counting(c, spec)
	}
	if f.Max < 0 || f.Max > mostFrame {
		c.problem("framing.max", CodeProfileValue, strconv.Itoa(f.Max), fault.Say("at_most", "most", mostFrame))
	}
	switch says := p.frame.maxTotal; {
	case f.Max > 0 && f.Max <= mostFrame && len(p.frame.ends) > 0:
		p.frame.maxTotal = f.Max
	case f.Max > says && p.frame.length.num.binary == inDigits && says < mostFrame:
		c.problem("framing.max", CodeProfileValue, strconv.Itoa(f.Max), fault.Say("length_digits", "most", says, "width", f.Width))
	case f.Max > says:
		c.problem("framing.max", CodeProfileValue, strconv.Itoa(f.Max), fault.Say("length_bytes", "most", says, "width", f.Width))
	case f.Max > 0:
		p.frame.maxTotal = f.Max
	}
}

// ending is framing by bytes that end a telegram.
func (p *Profile) ending(c *compiler, f FramingSpec) {
	if f.Width != 0 || f.Offset != 0 || f.Counts != "" {
		c.problem("framing.ends", CodeProfileValue, f.Ends, fault.Say("ends_or_length"))
	}
	ends, err := []byte(f.Ends), error(nil)
	if digits, isHex := strings.CutPrefix(f.Ends, hexMark); isHex {
		ends, err = unhex(digits)
	}
	if err != nil || len(ends) == 0 || len(ends) > 16 {
		c.problem("framing.ends", CodeProfileValue, f.Ends, fault.Say("ends_bytes"))
	}
	p.frame.ends, p.frame.maxTotal = ends, unendingFrame
}

// unendingFrame is the longest telegram where no length bounds it and the
// profile does not say.
const unendingFrame = 16 << 10

// counting is framing by a length.
func (p *Profile) counting(c *compiler, spec *Spec) {
	f := spec.Framing
	before, ok := lengthBefore(f.Counts, spec, f.Offset, f.Width)
	if !ok {
		c.problem("framing.counts", CodeProfileValue, f.Counts, fault.Say("one_of", "known", countsWords))
	}
	p.frame.length = patch{at: f.Offset, width: f.Width, before: before}
	at, found := 0, false
	for i, r := range spec.Header {
		w, _ := strconv.Atoi(r.Width)
		switch pl := c.place(fmt.Sprintf("header[%d]", i), r); {
		case r.Field == "length" && at == f.Offset && w == f.Width:
			p.frame.length.num, found = pl.num, true
		case at+w <= f.Offset && pl.value != nil:
			p.frame.prefix = append(p.frame.prefix, constant{at, pl.value})
		}
		at += max(0, w)
	}
	if !found { // it would overwrite another row
		c.problem("framing.offset", CodeProfileMissing, "length",
			fault.Say("length_row", "width", f.Width, "offset", f.Offset))
	}
	// What the length can say, or less if the profile says so, or we do.
	p.frame.maxTotal = int(min(mostFrame, p.frame.length.num.most(f.Width)+int64(before)))
}

const countsWords = "rest, self, body, all"

// lengthBefore is how many bytes of a telegram a length at an offset does not
// count: "rest" counts what follows it, "self" itself too, "body" what follows
// the header, "all" the whole telegram. An empty word of a further length is
// that of the framing.
func lengthBefore(counts string, spec *Spec, offset, width int) (before int, ok bool) {
	switch counts {
	case "rest":
		return offset + width, true
	case "self":
		return offset, true
	case "body":
		for _, r := range spec.Header {
			w, _ := strconv.Atoi(r.Width)
			before += max(0, w)
		}
		return before, true
	case "all":
		return 0, true
	case "":
		if spec.Framing.Counts != "" {
			return lengthBefore(spec.Framing.Counts, spec, spec.Framing.Offset, spec.Framing.Width)
		}
	}
	return 0, false
}

func (p *Profile) compileTelegrams(c *compiler, spec *Spec) {
	names := kindNames()
	for _, k := range Kinds() {
		t, ok := spec.Telegrams[k.String()]
		if !ok {
			continue
		}
		l := c.build(k, "telegrams."+k.String(), spec, t)
		p.layouts[k] = l
		p.byType[l.typeWire] = append(p.byType[l.typeWire], l)
		if l.fixed > p.frame.maxTotal {
			c.problem("telegrams."+k.String(), CodeProfileWidth, strconv.Itoa(l.fixed),
				p.frame.atMost(p.frame.maxTotal))
		}
	}
	for name := range spec.Telegrams {
		if !slices.Contains(names[1:], name) {
			c.problem("telegrams."+name, CodeProfileValue, name, fault.Say("one_of", "known", strings.Join(names[1:], ", ")))
		}
	}
	for _, k := range []Kind{Open, OpenReply, DataTelegram, End, EndReply, Close, CloseReply} {
		if p.layouts[k] == nil {
			c.problem("telegrams", CodeProfileMissing, k.String(), fault.Say("layout"))
		}
	}
	for _, k := range Kinds() {
		if r := k.Reply(); p.layouts[k] != nil && r != NoKind && p.layouts[r] == nil {
			c.problem("telegrams."+k.String(), CodeProfileMissing, r.String(), fault.Say("answer_layout"))
		}
	}
	for _, group := range p.byType {
		if len(group) > 1 {
			c.distinct(group[0].typeCode, group)
		}
		group[0].alone = len(group) == 1
	}
	for _, k := range []Kind{DataTelegram, Resend} {
		if l := p.layouts[k]; l != nil && !l.hasData() {
			c.problem("telegrams."+k.String(), CodeProfileMissing, "data", fault.Say("data_row"))
		}
	}
	if l := p.layouts[DataTelegram]; l != nil {
		p.dataOverhead = l.fixed - spec.Framing.Offset - spec.Framing.Width
	}
	if p.layouts[Resend] == nil {
		p.layouts[Resend] = p.layouts[DataTelegram]
	}
	p.keepEchoes(c, spec.Files.Resend == string(ResendEach))
}

// one notes a value that is not one of those allowed.
func (c *compiler) one(path, v string, allowed ...string) string {
	if !slices.Contains(allowed, v) {
		c.problem(path, CodeProfileValue, v, fault.Say("one_of", "known", strings.Join(allowed, ", ")))
	}
	return v
}

// from notes a number outside low…high.
func (c *compiler) from(path string, v, low, high int64) {
	if v < low || v > high {
		c.problem(path, CodeProfileValue, strconv.FormatInt(v, 10), fault.Say("range", "low", low, "high", high))
	}
}

func (p *Profile) compileSession(c *compiler, spec *Spec) {
	s := spec.Session
	p.Session = Session{
		MoreUnsaid:     c.word("session.more", s.More, "said", "unsaid") == "unsaid",
		FetchByRequest: c.one("session.fetch", s.Fetch, "open", "request") == "request",
		Reply:          time.Duration(s.Reply), Resends: s.Resends, First: time.Duration(s.FirstOpen),
		Idle: time.Duration(s.IdleClose), EarlyInfo: s.EarlyInfo, Hub: s.Hub,
		NamesFile:   s.NamesFile,
		EndNothing:  c.one("session.nothing", s.NoneFollow, "close", "end-close") == "end-close",
		CallerField: Institution,
	}
	p.compileTurns(c, spec)
	if l := p.layouts[Open]; l != nil && l.has(From) {
		p.Session.CallerField = From
	}
	p.Session.Cipher = Cipher(c.one("session.cipher", s.Cipher, string(NoCipher), string(KFTCCipher)))
	for path, d := range map[string]time.Duration{"session.reply": p.Session.Reply, "session.first": p.Session.First, "session.idle": p.Session.Idle} {
		if d <= 0 {
			c.problem(path, CodeProfileValue, d.String(), fault.Say("a_time", "example", "60s"))
		}
	}
	c.from("session.resends", int64(s.Resends), 0, 100)
	if p.Session.FetchByRequest && p.layouts[Fetch] == nil {
		c.problem("session.fetch", CodeProfileMissing, Fetch.String(), fault.Say("layout_in_telegrams"))
	}
	if p.Session.FetchByRequest && !p.Session.Opens.Fixed() {
		c.problem("session.fetch", CodeProfileValue, s.Fetch, fault.Say("fetch_by_opening", "opens", s.Opens))
	}
	p.compileNamesFile(c, spec)
	if !p.Session.FetchByRequest && (spec.Letters.Direction["upload"] == "" || spec.Letters.Direction["download"] == "") {
		c.problem("letters.direction", CodeProfileMissing, "direction", fault.Say("direction_letters"))
	}
}

func (p *Profile) compileFiles(c *compiler, spec *Spec) {
	f := spec.Files
	p.Files = Files{
		NameWidth: f.NameWidth, MessageSize: f.MessageSize, PerBlock: f.PerBlock, MaxBlock: f.MaxBlock,
		Packing:       c.one("files.packing", f.Packing, "whole", "filled", "one"),
		AnnounceFetch: c.one("files.announce", f.Announce, "always", "upload") == "always",
		Rounds:        f.Rounds, Pause: time.Duration(f.Pause), EmptyCheck: f.EmptyCheck, MapWidth: f.MapWidth,
		SettleAgain: c.one("files.settle", f.Settle, "again", "inquiry") == "again",
		Repeat:      Repeat(c.one("files.repeat", f.Repeat, string(RepeatRefuse), string(RepeatAbsorb), string(RepeatNew))),
		Serial:      f.Serial, Gzip: f.Gzip, EBCDIC: f.EBCDIC,
		FileSizes: c.one("files.sizes", f.Sizes, "wire", "file") == "file",
	}
	p.compileName(c, spec)
	p.compileStream(c, &f)
	p.compileWhole(c, spec)
	p.compileChecks(c, f)
	p.compileResume(c, f)
	switch c.one("files.counts", f.Counts, "rest", "all", "data") {
	case "data":
		p.dataOverhead = 0
	case "all":
		p.dataOverhead += spec.Framing.Offset + spec.Framing.Width
	}
	c.from("files.per_block", int64(f.PerBlock), 1, transfer.MaxPerBlock)
	c.from("files.max_block", f.MaxBlock, 1, math.MaxInt32)
	c.from("files.rounds", int64(f.Rounds), 1, 1000)
	c.from("files.name_width", int64(f.NameWidth), 1, 255)
	if p.Files.Pause < 0 {
		c.problem("files.pause", CodeProfileValue, p.Files.Pause.String(), fault.Say("a_time", "example", "5s"))
	}
	// A sequence's length is kept in 16 bits.
	if f.MessageSize-p.dataOverhead < 1 || f.MessageSize > math.MaxUint16 {
		c.problem("files.message_size", CodeProfileValue, strconv.Itoa(f.MessageSize),
			fault.Say("range", "low", p.dataOverhead+1, "high", math.MaxUint16))
	} else if l := p.layouts[DataTelegram]; l != nil && l.hasData() && p.MaxData(f.MessageSize) > p.MostData() {
		c.problem("files.message_size", CodeProfileValue, strconv.Itoa(f.MessageSize),
			p.frame.atMost(p.MostData()+p.dataOverhead))
	}
	needed := []Kind{Info, Check}
	if p.Files.NoCheck {
		needed = needed[:1]
	}
	for _, k := range needed {
		if p.layouts[k] == nil {
			c.problem("telegrams", CodeProfileMissing, k.String(), fault.Say("layout"))
		}
	}
	p.compileProofs(c, f.Proofs)
	if !p.Files.SettleAgain && p.layouts[Inquiry] == nil {
		c.problem("files.settle", CodeProfileMissing, Inquiry.String(), fault.Say("layout_in_telegrams"))
	}
	if !mapFits(p.layouts[CheckReply], f.PerBlock, f.MapWidth, p.frame.maxTotal) {
		c.problem("files.map_width", CodeProfileWidth, strconv.Itoa(f.MapWidth), fault.Say("map_width"))
	}
}

func (p *Profile) compileLetters(c *compiler, spec *Spec) {
	p.Letters = Letters{
		Upload: letter(spec.Letters.Direction["upload"]), Download: letter(spec.Letters.Direction["download"]),
		Institution: letter(spec.Letters.Issuer["institution"]), Centre: letter(spec.Letters.Issuer["centre"]),
		Held: '1', Missing: '0',
	}
	if d := spec.Letters.Direction; d["upload"] != "" && d["upload"] == d["download"] {
		c.problem("letters.direction.download", CodeProfileValue, d["download"], fault.Say("other_letter", "other", "letters.direction.upload"))
	}
	for name := range spec.Letters.Direction {
		c.one("letters.direction."+name, name, "upload", "download")
	}
	for name := range spec.Letters.Issuer {
		c.one("letters.issuer."+name, name, "institution", "centre")
	}
	for path, v := range map[string]string{
		"letters.direction.upload": spec.Letters.Direction["upload"], "letters.direction.download": spec.Letters.Direction["download"],
		"letters.issuer.institution": spec.Letters.Issuer["institution"], "letters.issuer.centre": spec.Letters.Issuer["centre"],
		"letters.held": spec.Letters.Held, "letters.missing": spec.Letters.Missing, "letters.pad": spec.Letters.Pad,
	} {
		if len(v) > 1 {
			c.problem(path, CodeProfileWidth, v, fault.Say("one_character"))
		}
	}
	if h := spec.Letters.Held; h != "" {
		p.Letters.Held = h[0]
	}
	if m := spec.Letters.Missing; m != "" {
		p.Letters.Missing = m[0]
	}
	if p.Letters.Pad = p.Letters.Missing; spec.Letters.Pad != "" {
		p.Letters.Pad = spec.Letters.Pad[0]
		if p.Files.MapWidth == 0 {
			c.problem("letters.pad", CodeProfileValue, spec.Letters.Pad, fault.Say("pad_or_none"))
		}
	}
	if wire, err := c.charset.encode([]byte{p.Letters.Held}); err == nil && len(wire) == 1 {
		p.heldWire = wire[0]
	}
	if p.Letters.Held == p.Letters.Missing {
		c.problem("letters.missing", CodeProfileValue, string(p.Letters.Missing), fault.Say("other_letter", "other", "letters.held"))
	}
}

func letter(s string) []byte {
	if s == "" {
		return nil
	}
	return []byte(s)
}

func (p *Profile) compileResponses(c *compiler, spec *Spec) {
	width := p.Width(OpenReply, Response)
	for r, code := range spec.Responses {
		path := "responses." + r
		if !slices.Contains(reasons(), Reason(r)) {
			c.problem(path, CodeProfileValue, r, fault.Say("one_of", "known", strings.Join(words(reasons()), ", ")))
		}
		if width > 0 && len(code) != width {
			c.problem(path, CodeProfileWidth, code, fault.Say("characters", "width", width))
		}
		p.responses[Reason(r)] = code
	}
	for _, r := range []Reason{OK, OtherReason} {
		if p.responses[r] == "" {
			c.problem("responses", CodeProfileMissing, string(r), fault.Say("a_code"))
		}
	}
	for code, m := range spec.Meanings {
		if width > 0 && len(code) != width {
			c.problem("meanings."+code, CodeProfileWidth, code, fault.Say("characters", "width", width))
		}
		if !slices.Contains(meanings(), Reason(m)) {
			c.problem("meanings."+code, CodeProfileValue, m, fault.Say("one_of", "known", strings.Join(words(meanings()), ", ")))
		}
		p.meanings[code] = Reason(m)
	}
	ok := p.responses[OK]
	if m, said := p.meanings[ok]; said && m != OK {
		c.problem("meanings."+ok, CodeProfileValue, string(m), fault.Say("ok_as_said"))
	}
	p.meanings[ok] = OK
	for r, code := range p.responses {
		if r != OK && code == ok {
			c.problem("responses."+string(r), CodeProfileValue, code, fault.Say("refusal_code"))
		}
	}
}

func words[W ~string](rs []W) []string {
	out := make([]string, len(rs))
	for i, r := range rs {
		out[i] = string(r)
	}
	return out
}
