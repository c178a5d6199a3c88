package simulator

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"

	"pabal/filemgr"
	"pabal/internal/fault"
	"pabal/internal/place"
	"pabal/protocol"
	"pabal/protocol/line"
	"pabal/protocol/machine"
	"pabal/transfer"
)

// Accept says whether an offered file is taken, and from where (§1.5).
func (s *session) Accept(_ context.Context, o machine.Offer) (line.Acceptance, error) {
	no := func(r protocol.Reason) (line.Acceptance, error) { return line.Acceptance{Reason: r}, nil }
	opt := &s.p.opt
	t := s.p.taker
	if s.in != nil { // an announcement within a file: that one was recorded
		t.release(s, s.in)
		s.in = nil
	}
	switch {
	case t == nil:
		return no(protocol.Unregistered)
	case o.Misnamed, !safeName(o.Name):
		return no(protocol.BadName)
	case opt.Expect.Transfer != "" && o.Size >= 0 && opt.Profile.Carries(protocol.Info, protocol.Password) && o.Password != opt.Expect.Transfer:
		return no(protocol.BadPassword)
	}
	now := opt.Now()
	id := identity{caller: s.caller, name: o.Name, date: cmp.Or(protocol.FullDate(o.Date, now), now.Format("20060102")), serial: o.Serial}
	if !safeName(id.date) || id.serial != "" && !safeName(id.serial) {
		return no(protocol.BadName)
	}
	if opt.Profile.Files.Repeat == protocol.RepeatRefuse {
		t.mu.Lock()
		e := t.has(id)
		t.mu.Unlock()
		if e != nil {
			return no(protocol.Complete)
		}
	}
	n := opt.MessageSize
	if o.MessageSize > 0 {
		n = min(n, o.MessageSize)
	}
	h, err := t.begin(s, id, halfNote{Caller: id.caller, Name: id.name, Date: id.date, Serial: id.serial,
		Size: o.Size, MessageSize: n, Begun: now})
	if err != nil {
		return line.Acceptance{}, err
	}
	h.gzip, h.ebcdic = o.Gzip, o.EBCDIC
	s.in, s.began = h, now
	acc := line.Acceptance{Reason: protocol.OK, Resume: machine.Resume{Block: 1}}
	if opt.Profile.Parts == nil { // else a record does not stand where the machine would count it
		acc.Resume.Record = opt.record()
	}
	if h.held > 0 {
		g := h.geometry(opt.Profile)
		at := g.At(h.held, h.Size)
		acc.Resume.Held, acc.Resume.Block = h.held, at.Block
		acc.Partial = make([]byte, h.held-h.start)
		acc.Resume.Lengths = lengths(g, at.Block, at.Seq-1, h.Size)
		if _, err := h.file.ReadAt(acc.Partial, h.start); err != nil {
			return line.Acceptance{}, err
		}
	}
	return acc, nil
}

// safeName: names come from the peer and become names of files.
func safeName(name string) bool {
	if name == "" || name[0] == '.' {
		return false
	}
	for _, c := range []byte(name) {
		if c <= ' ' || c > '~' || c == '/' || c == '\\' {
			return false
		}
	}
	return true
}

// Save keeps a block.
func (s *session) Save(_ context.Context, b *transfer.Block, complete bool) error {
	return s.p.taker.save(s, s.in, b, complete)
}

// Verify holds the sizes that the peer declared against what came, undoes what
// was done to the bytes for the wire and gives the file its name.
func (s *session) Verify(ctx context.Context, c machine.Claims) (protocol.Reason, error) {
	h, t := s.in, s.p.taker
	s.in = nil
	e := h.event(Event{Kind: Failed, Blocks: c.Blocks, Resent: c.Missed})
	e.Serial, e.Took = cmp.Or(c.Serial, e.Serial), s.p.opt.Now().Sub(s.began)
	refuse := func(r protocol.Reason, err error) (protocol.Reason, error) {
		e.Result, e.Err = machine.FailedHere, err
		s.tell(e)
		return r, t.stop(s, h, false)
	}
	if h.held != h.start {
		return refuse(protocol.BadSize, fault.New(CodeBadProof, h.Name, "what", fault.Say("last_block"), "declared", 0, "held", h.held-h.start))
	}
	staged, err := t.unwrap(ctx, h, max(c.Declared, c.AtEnd, 1))
	if err != nil {
		reason := protocol.BadFormat
		if fault.CodeOf(err) == CodeBadProof {
			reason = protocol.BadSize
		}
		return refuse(reason, err)
	}
	e.Bytes, e.SHA256 = staged.size, staged.sum
	proved := h.held
	if s.p.opt.Profile.Files.FileSizes {
		proved = staged.size
	}
	for _, says := range []int64{c.Declared, c.AtEnd} {
		if says >= 0 && says != proved {
			_ = os.Remove(staged.path)
			return refuse(protocol.BadSize, fault.New(CodeBadProof, h.Name, "what", fault.Say("size"), "declared", says, "held", proved))
		}
	}
	e.Path, e.Again, err = t.keep(s, h, staged, e.Serial)
	if err != nil {
		t.release(s, h)
		return protocol.SystemFault, err
	}
	e.Kind = Taken
	s.tell(e)
	return protocol.OK, nil
}

// staged is a whole file without its final name.
type staged struct {
	path string
	size int64
	sum  string
}

// unwrap undoes what was done to the bytes for the wire, into a second file
// where something was. limit bounds what gzip may unfold to.
func (t *taker) unwrap(ctx context.Context, h *half, limit int64) (staged, error) {
	if err := h.file.Truncate(h.held); err != nil {
		return staged{}, err
	}
	out := staged{path: h.path}
	sum := sha256.New()
	var w io.Writer = sum
	enc := filemgr.Encoding{Gzip: h.gzip, EBCDIC: h.ebcdic}
	var file *os.File
	if enc != (filemgr.Encoding{}) || t.opt.Profile.Parts != nil {
		var err error
		if file, err = os.CreateTemp(t.notes, "file-*.part"); err != nil {
			return staged{}, err
		}
		defer file.Close()
		out.path = file.Name()
		w = io.MultiWriter(sum, file)
	}
	count := &counter{w: w}
	source := func(emit func([]byte) error) error {
		buf := make([]byte, 256<<10)
		for at := int64(0); at < h.held; {
			n, err := h.file.ReadAt(buf[:min(int64(len(buf)), h.held-at)], at)
			if n == 0 && err != nil {
				return err
			}
			if err := emit(buf[:n]); err != nil {
				return err
			}
			at += int64(n)
		}
		return nil
	}
	if !enc.Gzip {
		limit = 0 // nothing grows
	}
	var totals func() error
	if t.opt.Profile.Parts != nil {
		source, totals = t.sorted(h, source)
	}
	err := filemgr.ToFile(ctx, filemgr.Form{Kind: filemgr.Raw}, enc, limit, source, count)
	if err == nil && totals != nil {
		err = totals()
	}
	if err != nil {
		if file != nil {
			err = errors.Join(err, os.Remove(out.path))
		}
		return staged{}, err
	}
	out.size, out.sum = count.n, hex.EncodeToString(sum.Sum(nil))
	return out, nil
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// keep notes the file in the journal and gives it its final name. A file that
// came under the same serial with the same content was taken before: its
// sender did not hear that (design D6).
func (t *taker) keep(s *session, h *half, st staged, serial string) (final string, again bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if h.owner != s {
		return "", false, fault.New(CodeTaken, h.Name)
	}
	id := identity{caller: h.Caller, name: h.Name, date: h.Date, serial: serial}
	if e := t.has(id); e != nil && serial != "" && e.SHA256 == st.sum {
		if st.path != h.path {
			err = os.Remove(st.path)
		}
		return filepath.Join(t.opt.TakeDir, e.Final), true, errors.Join(err, t.remove(h))
	}
	names := []string{h.Name, h.Name + "." + h.Date}
	if serial != "" {
		names = []string{h.Name + "." + h.Date + "." + serial}
	}
	final = t.free(names...)
	e := entry{Op: "take", Caller: h.Caller, Name: h.Name, Date: h.Date, Serial: serial,
		SHA256: st.sum, Size: st.size, Staged: filepath.Base(st.path), Final: filepath.Base(final)}
	if err := appendLine(t.journal(), e); err != nil {
		return "", false, err
	}
	if err := place.NoReplace(st.path, final); err != nil {
		return "", false, err
	}
	t.taken = append(t.taken, e)
	if st.path == h.path {
		// The bytes are the file now; only the note is left to go.
		h.path = filepath.Join(t.notes, "gone")
	}
	return final, false, t.remove(h)
}
