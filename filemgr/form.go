package filemgr

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"pabal/internal/fault"
)

// FormKind says what a file consists of.
type FormKind string

const (
	Raw   FormKind = "raw"   // bytes without records
	Fixed FormKind = "fixed" // records of Length bytes without separators
	Lines FormKind = "lines" // records that end in LF or CRLF
)

// MaxRecord is the longest record in bytes that a form may have, and the
// longest line that a form without a length accepts. A record is the only part
// of a file that checks hold in memory.
const MaxRecord = 1 << 20

// Form is the record form of a registration. Its text form (String, ParseForm)
// stands in the transfer's row.
type Form struct {
	Kind   FormKind
	Length int  // bytes per record without its line end; 0 = any, for kept lines and raw
	CRLF   bool // lines end in CR LF instead of LF
	Strip  bool // line ends do not go over the wire; needs Length, which puts them back
}

// ParseForm reads "raw", "fixed:N", "lines:lf|crlf:keep[:N]" or
// "lines:lf|crlf:strip:N", N being the record's bytes without its line end.
func ParseForm(text string) (Form, error) {
	bad := func() (Form, error) { return Form{}, fault.New(CodeBadForm, text) }
	parts := strings.Split(text, ":")
	length := func(s string) int {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > MaxRecord || strconv.Itoa(n) != s {
			return -1
		}
		return n
	}
	var f Form
	switch kind := FormKind(parts[0]); {
	case kind == Raw && len(parts) == 1:
		return Form{Kind: Raw}, nil
	case kind == Fixed && len(parts) == 2:
		f = Form{Kind: Fixed, Length: length(parts[1])}
	case kind == Lines && (len(parts) == 3 || len(parts) == 4):
		f = Form{Kind: Lines, CRLF: parts[1] == "crlf", Strip: parts[2] == "strip"}
		if parts[1] != "lf" && parts[1] != "crlf" || parts[2] != "strip" && parts[2] != "keep" {
			return bad()
		}
		if len(parts) == 4 {
			f.Length = length(parts[3])
		} else if f.Strip {
			return bad()
		}
	default:
		return bad()
	}
	if f.Length < 0 {
		return bad()
	}
	return f, nil
}

// String is the text that ParseForm reads. The zero Form is raw.
func (f Form) String() string {
	switch f.Kind {
	case Fixed:
		return fmt.Sprintf("fixed:%d", f.Length)
	case Lines:
		text := "lines:" + f.endName() + ":keep"
		if f.Strip {
			text = "lines:" + f.endName() + ":strip"
		}
		if f.Length > 0 {
			text += ":" + strconv.Itoa(f.Length)
		}
		return text
	}
	return string(Raw)
}

// Validate returns CodeBadForm for a form that ParseForm would refuse.
func (f Form) Validate() error {
	if f.Kind == "" {
		return fault.New(CodeBadForm, "")
	}
	g, err := ParseForm(f.String())
	if err != nil || g != f {
		return fault.New(CodeBadForm, f.String())
	}
	return nil
}

func (f Form) endName() string {
	if f.CRLF {
		return "crlf"
	}
	return "lf"
}

// lineEnd is what ends a record in the file; empty for fixed and raw.
func (f Form) lineEnd() string {
	switch {
	case f.Kind != Lines:
		return ""
	case f.CRLF:
		return "\r\n"
	}
	return "\n"
}

// WireRecord is the length of a record on the wire in bytes, or 0 where wire
// bytes have no records of equal length: raw, lines of any length, gzip.
func (f Form) WireRecord(e Encoding) int {
	switch {
	case e.Gzip || f.Length == 0:
		return 0
	case f.Kind == Lines && !f.Strip:
		return f.Length + len(f.lineEnd())
	}
	return f.Length
}

// Encoding is what is done to the wire bytes beside the form. EBCDIC comes
// before gzip on the way out, and tags after it.
type Encoding struct {
	Gzip   bool // the whole file is compressed, then cut (protocols §3)
	EBCDIC bool // every byte through code page 037; a bijection, so any file survives
	// Tag is what each telegram of the file's content begins with, as it travels;
	// telegrams with another tag are a header or trailer and not content. "" =
	// there are no tags.
	Tag string
}

// tagMark begins a tag in the text of an encoding; its bytes follow in hex.
const tagMark = "tag:"

// ParseEncoding reads what String writes: "", or gzip, ebcdic and tag:HEX, in
// this order, with + between them.
func ParseEncoding(text string) (Encoding, error) {
	var e Encoding
	for _, word := range strings.Split(text, "+") {
		switch digits, isTag := strings.CutPrefix(word, tagMark); {
		case word == "gzip":
			e.Gzip = true
		case word == "ebcdic":
			e.EBCDIC = true
		case isTag:
			tag, _ := hex.DecodeString(digits)
			e.Tag = string(tag)
		}
	}
	if e.String() != text {
		return Encoding{}, fault.New(CodeBadEncoding, text)
	}
	return e, nil
}

// String is the text that ParseEncoding reads.
func (e Encoding) String() string {
	var words []string
	if e.Gzip {
		words = append(words, "gzip")
	}
	if e.EBCDIC {
		words = append(words, "ebcdic")
	}
	if e.Tag != "" {
		words = append(words, tagMark+hex.EncodeToString([]byte(e.Tag)))
	}
	return strings.Join(words, "+")
}

// SameBytes reports that wire and file bytes are equal.
func SameBytes(f Form, e Encoding) bool { return e == Encoding{} && !f.Strip }

// wireSize is the size on the wire of a file of fileSize bytes, if it can be
// told without reading the file.
func wireSize(f Form, e Encoding, fileSize int64) (int64, bool) {
	if e.Gzip || e.Tag != "" {
		return 0, false
	}
	if f.Strip {
		line := int64(f.Length + len(f.lineEnd()))
		return fileSize / line * int64(f.Length), true
	}
	return fileSize, true
}

// Packing says how records fill a telegram (protocols §1.5).
type Packing string

const (
	PackAuto   Packing = ""       // whole where records have a length that fits, else filled
	PackWhole  Packing = "whole"  // as many whole records as fit
	PackFilled Packing = "filled" // to the last byte, records may straddle
	PackOne    Packing = "one"    // one record per telegram
)

// MaxDataSize is the most data bytes per telegram that block rows can account for.
const MaxDataSize = 65535

// DataSize chooses the data bytes per telegram (L): limit is the most that the
// profile allows, record the record's length on the wire (Form.WireRecord),
// 0 if there is none. A packing that cannot be had is an error.
func DataSize(limit, record int, p Packing) (int, error) {
	limit = min(limit, MaxDataSize)
	bad := func() (int, error) {
		return 0, fault.New(CodeBadPacking, string(p), "limit", limit, "record", record)
	}
	if limit < 1 || record < 0 {
		return bad()
	}
	fits := record > 0 && record <= limit
	switch p {
	case PackFilled:
		return limit, nil
	case PackAuto:
		if !fits {
			return limit, nil
		}
		return limit - limit%record, nil
	case PackWhole:
		if fits {
			return limit - limit%record, nil
		}
	case PackOne:
		if fits {
			return record, nil
		}
	}
	return bad()
}
