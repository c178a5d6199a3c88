package protocol

import (
	"bytes"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/korean"

	"pabal/internal/fault"
)

// charset is how texts and digits of a profile's telegrams are written. Data
// is bytes in any of them.
type charset uint8

const (
	eucKR  charset = iota // ASCII with Hangul in two bytes (KS C 5601, §1.10)
	ascii                 // nothing else
	ebcdic                // IBM code page 037
)

func charsets() []string { return []string{"euc-kr", "ascii", "ebcdic"} }

func (c charset) zero() byte {
	if c == ebcdic {
		return 0xF0
	}
	return '0'
}

func (c charset) space() byte {
	if c == ebcdic {
		return 0x40
	}
	return ' '
}

// plain reports that text is the same bytes on the wire.
func (c charset) plain(text []byte) bool {
	if c == ebcdic {
		return len(text) == 0
	}
	for _, b := range text {
		if b >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// encode gives text as it travels. CodeCharset says that it has characters
// that the set does not.
func (c charset) encode(text []byte) ([]byte, error) {
	if c.plain(text) {
		return text, nil
	}
	var out []byte
	var err error
	switch c {
	case eucKR:
		out, err = korean.EUCKR.NewEncoder().Bytes(text)
	case ebcdic:
		out, err = charmap.CodePage037.NewEncoder().Bytes(text)
	default:
		err = fault.New(CodeCharset, "", "charset", c.String())
	}
	if err != nil {
		return nil, fault.New(CodeCharset, "", "charset", c.String()).Because(err)
	}
	return out, nil
}

// text gives what travelled as text. What the set does not know becomes U+FFFD.
func (c charset) text(wire []byte) string {
	if c.plain(wire) {
		return string(wire)
	}
	var out []byte
	var err error
	switch c {
	case eucKR:
		out, err = korean.EUCKR.NewDecoder().Bytes(wire)
	case ebcdic:
		out, err = charmap.CodePage037.NewDecoder().Bytes(wire)
	default:
		out = bytes.ToValidUTF8(wire, []byte("\uFFFD"))
	}
	if err != nil {
		return printable(wire)
	}
	return string(out)
}

func (c charset) String() string { return charsets()[c] }
