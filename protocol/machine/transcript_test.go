package machine

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/protocol/protocoltest"
	"pabal/transfer"
)

var update = flag.Bool("update", false, "rewrite what the machines ask in transcripts, and the pages in docs; never a byte of a telegram")

// Transcripts are conversations written from the documents (testdata/transcripts/README.md).
// Each is played as the institution and as the centre.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "testdata", "transcripts", "*", "*.txt"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		profile := filepath.Base(filepath.Dir(file))
		src, err := os.ReadFile(file)
		require.NoError(t, err)
		lines := strings.Split(strings.TrimRight(string(src), "\n"), "\n")
		for _, side := range []protocol.Side{protocol.InstitutionSide, protocol.CentreSide} {
			if !playedBy(lines, side) {
				continue
			}
			name := profile + "/" + strings.TrimSuffix(filepath.Base(file), ".txt") + "/" + side.String()
			t.Run(name, func(t *testing.T) {
				p := protocoltest.Load(t, profile)
				(&player{t: t, p: p, side: side, lines: lines}).play()
			})
		}
		if after := strings.Join(lines, "\n") + "\n"; *update && after != string(src) {
			require.NoError(t, os.WriteFile(file, []byte(after), 0o644))
		}
	}
}

func playedBy(lines []string, side protocol.Side) bool {
	for _, l := range lines {
		if who, ok := strings.CutPrefix(l, "only "); ok {
			return who == side.String()
		}
	}
	return true
}

// out is one thing that the session did and the transcript must name.
type out struct {
	sent     string // a telegram
	question *Action
	over     bool
	err      error
}

// judge is who says that a transcript does not hold: a test, or who tries
// whether it does.
type judge interface {
	require.TestingT
	Fatalf(format string, args ...any)
}

type player struct {
	t     judge
	p     *protocol.Profile
	side  protocol.Side
	lines []string
	at    int // line, from 0
	now   time.Time
	s     *Session
	queue []out
	wire  string // of the file being sent, where it is not filling alone
	timer time.Duration
	bytes *protocol.Step // what the peer is to send before its first telegram
	frame []byte         // the telegram being read: what Texts point into
	whole *pieces        // of a profile in which one telegram carries a file
	tg    protocol.Telegram
}

// mine is the letter of our role's own lines.
func (p *player) mine() string {
	if p.side == protocol.CentreSide {
		return "C "
	}
	return "I "
}

func (p *player) play() {
	sends, reads := ">", "<"
	if p.side == protocol.CentreSide {
		sends, reads = reads, sends
	}
	for p.at = range p.lines {
		line := p.lines[p.at]
		switch {
		case line == "" || line[0] == '#' || strings.HasPrefix(line, "only "):
		case strings.HasPrefix(line, "at "):
			var err error
			p.now, err = time.Parse("at 2006-01-02 15:04:05", line)
			require.NoError(p.t, err)
		case strings.HasPrefix(line, sends):
			for _, want := range telegrams(line) {
				got := p.take()
				require.Equal(p.t, want, got.sent, p.where())
			}
		case strings.HasPrefix(line, reads):
			for _, b := range telegrams(line) {
				p.read([]byte(b))
			}
		case strings.HasPrefix(line, "lose "+sends): // sent and lost: the other side does not see it
			for _, want := range telegrams(line[len("lose "):]) {
				require.Equal(p.t, want, p.take().sent, p.where())
			}
		case strings.HasPrefix(line, "lose "):
		case strings.HasPrefix(line, p.mine()):
			p.own(strings.TrimPrefix(line, p.mine()))
		case strings.HasPrefix(line, "I ") || strings.HasPrefix(line, "C "):
		default:
			p.t.Fatalf("%s: what is this?", p.where())
		}
	}
	require.Empty(p.t, p.queue, "said and not in the transcript")
	require.True(p.t, p.s.Over(), "the transcript ends before the session")
}

func (p *player) where() string { return fmt.Sprintf("line %d: %s", p.at+1, p.lines[p.at]) }

var errStore = errors.New("the store is away")

// piece is what travels of the file being sent.
func (p *player) piece(from, n int) string {
	if p.wire != "" {
		return p.wire[from : from+n]
	}
	return content(from, n)
}

// parts makes an order of a file whose parts have tags: file= bytes of filling
// between a header and a trailer.
func (p *player) parts(f *File, size, record int) {
	parts := p.p.Parts
	facts := protocol.PartFacts{Name: f.Name, Date: f.Date, Institution: "057", Records: int64(size / record), Bytes: int64(size)}
	head, err := parts.Make(protocol.HeaderPart, facts)
	require.NoError(p.t, err)
	tail, err := parts.Make(protocol.TrailerPart, facts)
	require.NoError(p.t, err)
	room := fit(p.p.MaxData(f.MessageSize)-parts.TagWidth(), record)
	p.wire = string(head)
	for at := 0; at < size; at += room {
		p.wire += string(parts.DataTag()) + content(at, min(room, size-at))
	}
	p.wire += string(tail)
	f.DataSize, f.Head, f.Tail, f.CutOnce = room+parts.TagWidth(), len(head), len(tail), true
	f.Size = int64(len(p.wire))
	f.Declared = f.Size
}

func (p *player) take() out {
	if len(p.queue) == 0 {
		p.t.Fatalf("%s: nothing was done", p.where())
	}
	o := p.queue[0]
	p.queue = p.queue[1:]
	return o
}

func (p *player) read(b []byte) {
	require.Empty(p.t, p.queue, p.where())
	var err error
	if st := p.bytes; st != nil {
		p.bytes = nil
		ev := Event{Kind: Greeted}
		if _, err := p.p.NewReader(bytes.NewReader(b), make([]byte, p.p.FrameBuffer())).Greet(st); err != nil {
			ev = Event{Kind: Lost, Err: err}
		}
		p.step(ev)
		return
	}
	if p.p.Files.Whole {
		p.pieces(b)
		return
	}
	p.frame, err = p.p.NewReader(bytes.NewReader(b), make([]byte, p.p.FrameBuffer())).Next()
	require.NoError(p.t, err, p.where())
	require.Len(p.t, b, len(p.frame)+len(p.p.Delimiter()), p.where())
	ev := Event{Kind: Arrived, Telegram: &p.tg}
	if err := p.p.Decode(p.frame, &p.tg); err != nil {
		ev.Kind, ev.Err, ev.Reason = Garbled, err, protocol.BadFormat
	}
	p.step(ev)
}

func (p *player) step(ev Event) {
	ev.Now = p.now
	for _, a := range p.s.Step(ev) {
		switch {
		case a.Do == Send:
			b, err := p.p.Append(nil, &a.Telegram)
			require.NoError(p.t, err, p.where())
			p.queue = append(p.queue, out{sent: string(b)})
		case a.Do == SendBytes:
			p.queue = append(p.queue, out{sent: string(a.Step.Bytes)})
		case a.Do == Expect:
			p.bytes = a.Step
		case a.Do == SendData:
			p.data(&a)
		case a.Do == Timer:
			p.timer = a.After
		case a.Do == HangUp:
			p.queue = append(p.queue, out{over: true, err: a.Outcome.Err})
		case a.Do.question():
			p.queue = append(p.queue, out{question: &a})
		}
	}
}

func (p *player) data(a *Action) {
	if p.p.Files.Whole {
		var b []byte
		if a.Block == 1 {
			var err error
			b, err = p.p.AppendWhole(nil, &a.Telegram, a.Length)
			require.NoError(p.t, err, p.where())
		}
		off, n, _ := p.s.snd.geo.BlockRange(a.Block, p.s.snd.file.Size)
		p.queue = append(p.queue, out{sent: string(b) + p.piece(int(off), int(n))})
		return
	}
	tpl, err := p.p.Template(&a.Telegram, a.Geometry.MostSequence())
	require.NoError(p.t, err, p.where())
	geo, size := p.s.snd.geo, p.s.snd.file.Size
	for seq := 1; seq <= a.Last; seq++ {
		if !a.Sequences.Has(seq) {
			continue
		}
		off := geo.Offset(transfer.Position{Block: a.Block, Seq: seq}, size)
		n := geo.Offset(transfer.Position{Block: a.Block, Seq: seq + 1}, size) - off
		b, err := tpl.Append(nil, a.Block, seq, []byte(p.piece(int(off), int(n))))
		require.NoError(p.t, err, p.where())
		p.queue = append(p.queue, out{sent: string(b)})
	}
}

// own handles a line of our role: a start, an event or a question with its answer.
func (p *player) own(line string) {
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "start":
		a := args(rest)
		var login *Login
		if a["login"] != "" {
			login = &Login{Name: a["login"], Password: a["login_password"]}
		}
		p.s = New(Config{
			Login: login, Profile: p.p, Side: p.side, Institution: a["institution"], Self: a["self"], Peer: a["peer"],
			SenderName: a["sender"], Password: a["password"], Receive: a["receive"] != "", EitherSide: a["either"] != "",
			Called: a["called"] != "", Challenge: a["challenge"], Rounds: number(a["rounds"]), MessageSize: number(a["n"]),
		})
		p.step(Event{Kind: Started})
	case "timer":
		require.Equal(p.t, rest, p.timer.String(), p.where())
		require.Empty(p.t, p.queue, p.where())
		p.step(Event{Kind: TimedOut})
	case "lost":
		require.Empty(p.t, p.queue, p.where())
		p.step(Event{Kind: Lost, Err: fault.New(CodeLost, "")})
	case "over":
		o := p.take()
		require.True(p.t, o.over, p.where())
		switch rest {
		case "": // in order
			require.NoError(p.t, o.err, p.where())
		case "broke": // with the host's own error
			require.ErrorIs(p.t, o.err, errStore, p.where())
		default:
			require.Equal(p.t, rest, string(fault.CodeOf(o.err)), "%s: %v", p.where(), o.err)
		}
	case "more": // the peer has more than this session brings
		require.True(p.t, p.s.MoreToFetch(), p.where())
	case "?":
		p.question(rest)
	default:
		p.t.Fatalf("%s: what is this?", p.where())
	}
}

func (p *player) question(rest string) {
	want, answer, ok := strings.Cut(rest, " => ")
	require.True(p.t, ok, p.where())
	o := p.take()
	require.NotNil(p.t, o.question, "%s: %+v", p.where(), o)
	got := describe(o.question)
	if *update {
		p.lines[p.at] = p.mine() + "? " + got + " => " + answer
	} else {
		require.Equal(p.t, want, got, p.where())
	}
	p.step(p.answer(o.question, answer))
}

func (p *player) answer(a *Action, text string) Event {
	word, rest, _ := strings.Cut(text, " ")
	v := args(rest)
	switch word {
	case "broke":
		return Event{Kind: Broke, Err: errStore, Reason: protocol.SystemFault}
	case "drop":
		return Event{Kind: Broke, Err: fmt.Errorf("not ours: %w", errStore), Reason: protocol.SystemFault, Drop: true}
	}
	ev := Event{Reason: protocol.Reason(word)}
	switch a.Do {
	case AskOpen:
		ev.Kind = Judged
		ev.Terms.Peer = v["peer"]
	case AskNext:
		ev.Kind, ev.Order = Chosen, order(p.t, p.p, word, v)
		if p.wire = ""; v["file"] != "" && p.p.Parts != nil {
			p.parts(&ev.Order.File, number(v["file"]), number(v["record"]))
		}
	case AskFetch:
		ev.Kind, ev.Count, ev.Total = Counted, number(v["count"]), number(v["total"])
	case AskAccept:
		ev.Kind = Accepted
		ev.Resume = Resume{Held: int64(number(v["held"])), Block: int64(number(v["block"])), Record: number(v["record"])}
		for l := range strings.SplitSeq(v["lengths"], ",") {
			if l != "" {
				ev.Resume.Lengths = append(ev.Resume.Lengths, uint16(number(l)))
			}
		}
	case Load:
		ev.Kind = Loaded
	case Save:
		ev.Kind = Saved
	case MarkEnding:
		ev.Kind, ev.More = Marked, word == "more"
	case Verify:
		ev.Kind = Verified
	case Finish:
		ev.Kind = Finished
	case AskInquiry, AskCancel:
		ev.Kind, ev.Finding, ev.Size = Answered, protocol.Finding(v["finding"]), int64(number(v["size"]))
	}
	return ev
}

// order reads one. Where it names a record, how much of the file a telegram
// carries is what the profile says: its N, and its packing.
func order(t judge, p *protocol.Profile, word string, v map[string]string) Order {
	f := File{
		Name: v["name"], Date: v["date"], Serial: v["serial"], Size: int64(number(v["size"])),
		Declared: int64(number(v["size"])), Records: int64(number(v["records"])), Unit: 1, DataSize: number(v["data"]), MessageSize: number(v["n"]),
		Sent: int64(number(v["sent"])), Ended: v["ended"] != "", Settle: v["settle"] != "",
		Gzip: v["gzip"] != "", EBCDIC: v["ebcdic"] != "", Password: v["password"],
	}
	if record := number(v["record"]); record > 0 {
		f.MessageSize = p.Files.MessageSize
		f.DataSize = map[string]int{
			"one": record, "filled": p.MaxData(f.MessageSize), "whole": fit(p.MaxData(f.MessageSize), record),
		}[p.Files.Packing]
	}
	if d := v["declared"]; d != "" {
		f.Declared = int64(number(d))
	}
	q := Query{Name: v["name"], Date: v["date"], EndDate: v["end"], Range: v["range"], Kind: v["kind"], Password: v["password"]}
	switch word {
	case "send":
		return Order{Kind: SendFile, File: f}
	case "fetch":
		return Order{Kind: FetchFiles, Query: q}
	case "ask":
		return Order{Kind: AskAbout, File: f, Query: q}
	case "cancel":
		return Order{Kind: CancelFile, Query: q}
	case "none":
		return Order{}
	}
	t.Fatalf("no order %q", word)
	return Order{}
}

// describe is a question in words, as transcripts have it.
func describe(a *Action) string {
	t := &a.Telegram
	switch a.Do {
	case AskOpen:
		return fmt.Sprintf("%s institution=%s from=%s sender=%s", t.Kind, t.Text(protocol.Institution), t.Text(protocol.From), t.Text(protocol.SenderName))
	case AskNext:
		return "next"
	case AskFetch:
		return fmt.Sprintf("fetch name=%s date=%s end=%s range=%s password=%s",
			t.Text(protocol.Name), t.Text(protocol.Date), t.Text(protocol.EndDate), t.Text(protocol.Range), t.Text(protocol.Password))
	case AskAccept:
		o := a.Offer
		return fmt.Sprintf("accept name=%s size=%d n=%d date=%s serial=%s gzip=%t ebcdic=%t password=%s",
			o.Name, o.Size, o.MessageSize, o.Date, o.Serial, o.Gzip, o.EBCDIC, o.Password)
	case Load:
		return fmt.Sprintf("load offset=%d length=%d", a.Offset, a.Length)
	case Save:
		var held []string
		for seq := 1; seq <= a.Sequences.Last(); seq++ {
			if a.Sequences.Has(seq) && (len(held) < 3 || seq == a.Sequences.Last()) {
				held = append(held, strconv.Itoa(seq))
			}
		}
		return fmt.Sprintf("save block=%d last=%d held=%s complete=%t", a.Block, a.Last, strings.Join(held, ","), a.Complete)
	case MarkEnding:
		return fmt.Sprintf("ending resent=%d", a.Outcome.Resent)
	case Verify:
		c := a.Claims
		return fmt.Sprintf("verify declared=%d at_end=%d blocks=%d missed=%d serial=%s", c.Declared, c.AtEnd, c.Blocks, c.Missed, c.Serial)
	case Finish:
		o := a.Outcome
		if o.Result == InquiryDone {
			return fmt.Sprintf("finish %q code=%s finding=%s", o.Result.String(), o.Response, o.Finding)
		}
		return fmt.Sprintf("finish %q code=%s error=%s sent=%d", o.Result.String(), o.Response, fault.CodeOf(o.Err), o.Sent)
	case AskInquiry:
		return fmt.Sprintf("inquiry kind=%s date=%s%s name=%s%s serial=%s", t.Text(protocol.QueryKind),
			t.Text(protocol.QueryDate), t.Text(protocol.Date), t.Text(protocol.QueryName), t.Text(protocol.Name), t.Text(protocol.Serial))
	case AskCancel:
		return fmt.Sprintf("cancel date=%s name=%s", t.Text(protocol.QueryDate), t.Text(protocol.QueryName))
	}
	return "?"
}

func args(text string) map[string]string {
	v := map[string]string{}
	for _, f := range strings.Fields(text) {
		k, value, ok := strings.Cut(f, "=")
		if !ok {
			value = "yes"
		}
		v[k] = value
	}
	return v
}

func number(text string) int {
	n, _ := strconv.Atoi(text)
	return n
}
