package filemgr

import (
	"bytes"
	"io"
)

// Parts are what travels of a file beside its content, where the telegrams of
// the content begin with a tag (Encoding.Tag). The bytes are the profile's
// matter; here is only where they go.
type Parts struct {
	Head []byte // the first telegram, as long as Geometry.Head says
	// Tail makes the last telegram, as long as Geometry.Tail says: records of the
	// file, and bytes of its content as they travel, without tags. nil = there is none.
	Tail func(records, bytes int64) ([]byte, error)
}

// tagger puts the tag before the content of every telegram, and what comes
// first and last where it belongs.
type tagger struct {
	out   io.Writer
	own   func() error // the next bytes are a telegram of their own
	tag   string
	room  int   // content of a full telegram
	left  int   // … of the one in hand
	bytes int64 // of content
}

func newTagger(o SplitOptions, out io.Writer, own func() error) *tagger {
	return &tagger{out: out, own: own, tag: o.Encoding.Tag, room: o.Geometry.DataSize - len(o.Encoding.Tag)}
}

func (t *tagger) begin(p *Parts) error {
	if p == nil || len(p.Head) == 0 {
		return nil
	}
	_, err := t.out.Write(p.Head)
	return err
}

func (t *tagger) Write(p []byte) (int, error) {
	t.bytes += int64(len(p))
	for done := 0; done < len(p); {
		if t.left == 0 {
			if _, err := io.WriteString(t.out, t.tag); err != nil {
				return done, err
			}
			t.left = t.room
		}
		n := min(t.left, len(p)-done)
		if _, err := t.out.Write(p[done : done+n]); err != nil {
			return done, err
		}
		done, t.left = done+n, t.left-n
	}
	return len(p), nil
}

func (t *tagger) end(p *Parts, records int64) error {
	if p == nil || p.Tail == nil {
		return nil
	}
	tail, err := p.Tail(records, t.bytes)
	if err == nil {
		err = t.own()
	}
	if err == nil {
		_, err = t.out.Write(tail)
	}
	return err
}

// untagged is a source of telegrams without their tags, and without those that
// are no content.
func untagged(src Source, tag string) Source {
	return func(emit func([]byte) error) error {
		return src(func(p []byte) error {
			if content, ok := bytes.CutPrefix(p, []byte(tag)); ok {
				return emit(content)
			}
			return nil
		})
	}
}

// RecordCounter counts the records of file bytes written to it.
type RecordCounter struct {
	form Form
	size int64
	ends int64
}

// NewRecordCounter counts records of a form.
func NewRecordCounter(form Form) *RecordCounter { return &RecordCounter{form: form} }

// Write takes the next bytes of the file.
func (c *RecordCounter) Write(p []byte) (int, error) {
	c.size += int64(len(p))
	if c.form.Kind == Lines {
		c.ends += int64(bytes.Count(p, []byte{'\n'}))
	}
	return len(p), nil
}

// Records is how many there were; false where the form has none. What is left
// of a record that is not whole is not counted.
func (c *RecordCounter) Records() (int64, bool) {
	switch c.form.Kind {
	case Fixed:
		return c.size / int64(c.form.Length), true
	case Lines:
		return c.ends, true
	}
	return 0, false
}
