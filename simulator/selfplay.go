package simulator

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"pabal/internal/fault"
	"pabal/protocol"
)

// Played is one part of a play of a profile against itself.
type Played struct {
	Upload bool   // the institution gives
	Faults string // done to what the giving side sends; "" = none
	Files  int    // that arrived equal
	Err    error  // what went wrong
	// Laments are what the sides say of the last session of a part that went
	// wrong, the one first that knows more.
	Laments []Lament

	sessions int
}

// SelfPlay has the two sides of a profile carry files to each other on this
// machine, both ways, on a clean line, on one that loses, repeats and swaps
// telegrams, and on one that is cut within a file: whether a profile can work at all shows before a
// counterparty is called. Files and notes are made below dir, which is to be
// empty. Each part is told when it is over; an error is that of this machine.
func SelfPlay(ctx context.Context, p *protocol.Profile, dir string, tell func(Played)) error {
	parts := []struct {
		faults   string
		sessions int // at most, until all is there
	}{{"", 1}, {"lose=20%;duplicate=1:2,2:1;reorder=1:1,2:3;seed=7", 1}, {"cut=after-data:7,data:60", 3}}
	switch { // where nobody asks for what is missing, a loss ends the file, and it comes again
	case p.Files.Whole: // within a telegram a line breaks off, and nothing else
		parts[1].faults, parts[1].sessions = "cut=data:2", 2
	case p.Files.Numbering.None: // a telegram for another is found by nobody
		parts[1].faults, parts[1].sessions = "lose=1:3", 2
	case p.Files.Resend == protocol.ResendEach:
		// Data that is sent again one by one and lost once more would be asked for
		// when the time for an answer has passed, which nobody is to watch.
		parts[1].faults = "lose=1:1,1:3,1:4,2:2;duplicate=1:2,2:1;reorder=1:6,2:3"
	case p.Files.NoCheck:
		parts[1].faults, parts[1].sessions = "lose=1:3;duplicate=1:2,2:1;reorder=2:3", 2
	}
	failed := map[bool]bool{} // what fails on a clean line says nothing new on a worse one
	for n, part := range parts {
		for _, upload := range []bool{true, false} {
			if failed[upload] {
				continue
			}
			played := Played{Upload: upload, Faults: part.faults, sessions: part.sessions}
			if p.OneFile(!upload) {
				played.sessions += playFiles
			}
			at := filepath.Join(dir, strconv.Itoa(n)+map[bool]string{true: "up", false: "down"}[upload])
			if err := played.play(ctx, p, at); err != nil {
				return err
			}
			failed[upload] = n == 0 && played.Err != nil
			tell(played)
		}
	}
	return nil
}

// playFiles is how many files a play has.
const playFiles = 4

// playBytes is how many data bytes a telegram of a play carries, as far as the
// profile lets us choose, so that a few small files have several blocks.
const playBytes = 16

func (pl *Played) play(ctx context.Context, p *protocol.Profile, dir string) error {
	give, take, err := pl.sides(p, dir)
	if err != nil {
		return err
	}
	inst, centre := give, take
	if !pl.Upload {
		inst, centre = take, give
	}
	size, err := give.opt.DataSize()
	if err != nil {
		pl.Err = err
		return nil
	}
	block := size * p.Files.PerBlock
	want := map[string][]byte{}
	for i, n := range []int{0, 1, block, 2*block + size + 1} {
		switch least := p.Limits.FirstData; {
		case n == 0 && p.Limits.NoEmpty:
			continue
		case n > 0:
			n = max(n, least)
		}
		name := playName(p, i+1)
		want[name] = bytes.Repeat([]byte("0123456789abcdefg"), n/17+1)[:n]
		if err := os.WriteFile(filepath.Join(give.opt.GiveDir, name), want[name], 0o600); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for n := 1; ; n++ {
		if pl.Err, err = pl.session(ctx, inst, centre); err != nil {
			return err
		}
		last := n == pl.sessions || ctx.Err() != nil
		if pl.Err != nil && last {
			return nil
		}
		if err := pl.compare(want, take.opt.TakeDir); err != nil || pl.Err == nil || last {
			return err
		}
	}
}

// session holds one session of a play. The first error is what went wrong in
// it, the second that of this machine.
func (pl *Played) session(ctx context.Context, inst, centre *Peer) (played, err error) {
	here, there, err := connection(ctx)
	if err != nil {
		return nil, err
	}
	type ended struct {
		err    error
		lament *Lament
	}
	hold := func(p *Peer, conn net.Conn, called, receive bool) ended {
		ears := &ear{p: p.opt.Profile}
		p.opt.ears, p.opt.Observe = ears, ears.event // it holds one session at a time
		r, err := p.session(ctx, conn, receive, called)
		return ended{err, lament(p, ears, r, err)}
	}
	other := make(chan ended, 1)
	go func() { other <- hold(centre, there, true, pl.Upload) }()
	ours := hold(inst, here, false, !pl.Upload)
	theirs := <-other
	pl.Laments = laments(ours.lament, theirs.lament)
	return errors.Join(ours.err, theirs.err), nil
}

// compare counts what arrived.
func (pl *Played) compare(want map[string][]byte, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	said := pl.Err
	pl.Err, pl.Files = nil, 0
	got := map[string][]byte{}
	for _, e := range entries {
		if e.Type().IsRegular() && !strings.HasPrefix(e.Name(), ".") {
			if got[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		content := want[name]
		if b, ok := got[name]; !ok || !bytes.Equal(b, content) {
			pl.Err = fault.New(CodePlay, name, "size", len(content), "arrived", len(b)).Because(said)
			return nil
		}
		pl.Files++
	}
	pl.Laments = nil
	return nil
}

// sides makes the two counterparties of a play.
func (pl *Played) sides(p *protocol.Profile, dir string) (give, take *Peer, err error) {
	faults, err := ParseFaults(pl.Faults)
	if err != nil {
		return nil, nil, err
	}
	carry := playBytes
	for carry < p.MaxData(p.Files.MessageSize) && !p.Carriable(p.Files.MessageSize-p.MaxData(p.Files.MessageSize)+carry) {
		carry++ // a header and a trailer need their room
	}
	common := Options{
		Profile: p, SenderName: "PABAL", Password: "PABAL1", Institution: strings.Repeat("1", p.Width(protocol.Open, protocol.Institution)),
		MessageSize: p.Files.MessageSize - max(0, p.MaxData(p.Files.MessageSize)-carry),
		Reply:       30 * time.Second, Idle: 30 * time.Second, First: 30 * time.Second, Pause: time.Millisecond, Rounds: 100,
	}
	common.Packing = "filled"
	if countsRecords(p) {
		common.Record = 1 // the trailer counts records
	}
	one, two := common, common
	one.Side, two.Side = protocol.InstitutionSide, protocol.CentreSide
	one.Self, one.Peer, two.Self, two.Peer = "CLIENT", "CENTRE", "CENTRE", "CLIENT"
	if !pl.Upload {
		one, two = two, one
	}
	one.Faults, one.GiveDir, two.TakeDir = faults, filepath.Join(dir, "give"), filepath.Join(dir, "take")
	if give, err = New(one); err == nil {
		take, err = New(two)
	}
	return give, take, err
}

// playName is the name on the wire of the nth file of a play, as a peer's
// folder has it.
func playName(p *protocol.Profile, n int) string {
	name := "PLAY" + strconv.Itoa(1000 + n)[1:]
	if len(name) > p.Files.NameWidth {
		name = name[len(name)-p.Files.NameWidth:]
	}
	if p.Files.Serial {
		return name + "." + koreaTime().Format("20060102") + ".001"
	}
	return name
}

// connection is a line on this machine.
func connection(ctx context.Context) (here, there net.Conn, err error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer ln.Close()
	accepted := make(chan error, 1)
	go func() {
		var err error
		there, err = ln.Accept()
		accepted <- err
	}()
	var d net.Dialer
	if here, err = d.DialContext(ctx, "tcp", ln.Addr().String()); err != nil {
		return nil, nil, err
	}
	if err := <-accepted; err != nil {
		return nil, nil, errors.Join(err, here.Close())
	}
	return here, there, nil
}
