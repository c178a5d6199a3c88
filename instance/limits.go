package instance

import (
	"pabal/filemgr"
	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/transfer"
)

// The limits of a counterparty (protocols §4.12) are held against a file when
// it is stored: nothing of a file that it would not take is ever sent, and
// nobody is called for it. What the configuration alone can tell is refused
// with it.

// limited returns what files of a registration to send cannot be under the
// limits of the institution's profile, by the key that says it.
func (n *Institution) limited(f *File) (out []fault.Problem) {
	if f.Direction != transfer.Send {
		return nil
	}
	l := &n.Profile.Limits
	bad := func(key string, e *fault.Error) { out = append(out, fault.Problem{Path: key, Err: e}) }
	if l.NoEmpty && f.Checks.SendEmpty {
		bad(".empty", fault.New(CodeNoEmpty, f.FileID, "institution", n.Code, "profile", n.Profile.Name))
	}
	size, err := n.dataSize(f)
	if err != nil {
		return out // said already
	}
	if most := n.Profile.MaxData(n.messageSize()); l.Full && size != most {
		bad(".packing", fault.New(CodeNotFull, f.FileID, "institution", n.Code, "size", size, "most", most, "profile", n.Profile.Name))
	}
	if size < l.FirstData {
		bad(".packing", fault.New(CodeFirstData, f.FileID, "size", size, "least", l.FirstData, "profile", n.Profile.Name))
	}
	return out
}

// checks are those of the registration, and those that the counterparty asks
// for of every file.
func (n *Institution) checks(f *File) filemgr.CheckOptions {
	c := f.Checks
	c.Text = filemgr.Stricter(c.Text, filemgr.TextRule(n.Profile.Limits.Text))
	c.SendEmpty = c.SendEmpty && !n.Profile.Limits.NoEmpty
	return c
}

// numbered holds a file that was cut against what can be said of it only now:
// how its first telegram came out, and how many there are.
func numbered(p *protocol.Profile, name string, geo transfer.Geometry, res filemgr.Result) error {
	_, first, _ := transfer.Geometry{DataSize: geo.DataSize, PerBlock: 1, Head: geo.Head, Tail: geo.Tail}.BlockRange(1, res.WireSize)
	switch least := p.Limits.FirstData; {
	case res.WireSize > 0 && first < int64(least):
		return fault.New(CodeFirstData, name, "size", first, "least", least, "profile", p.Name)
	case res.Sequences > p.MostSequences():
		return fault.New(filemgr.CodeTooLarge, name, "size", res.WireSize, "limit", p.MaxFile(geo.DataSize))
	}
	return nil
}
