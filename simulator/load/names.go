package load

import (
	"fmt"
	"math"
	"strings"

	"pabal/filemgr"
	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/simulator"
)

// CodeProfile says that the profile has no room for what a load needs.
const CodeProfile fault.Code = "load.profile"

// Names is what the institutions of a load and their files are called under a
// profile, as wide as its fields are. A given server must know them so.
type Names struct {
	p          *protocol.Profile
	code, name int // digits of a code; characters of a name
	record     int // bytes of a record where the profile needs to know it, else 0
}

// What everybody in a load says of itself, as far as the profile asks.
const (
	Sender   = "LOAD"
	Password = "LOAD01"
	Centre   = "VAN" // the other side's code, where the header names both
)

// most digits of codes and names: as many as anybody needs.
const (
	codeDigits = 8
	nameDigits = 7
	recordSize = 100
)

// For finds them. A profile whose opening does not say who calls, or whose
// names have no room for a number, is CodeProfile.
func For(p *protocol.Profile) (Names, error) {
	n := Names{p: p, code: min(codeDigits, p.Width(protocol.Open, p.Session.CallerField)), name: min(1+nameDigits, p.Files.NameWidth)}
	if n.code < 1 || n.name < 2 {
		return n, fault.New(CodeProfile, p.Name, "codes", n.MostCodes(), "names", n.MostFiles())
	}
	if p.Parts != nil || p.Files.Packing == string(filemgr.PackOne) {
		most := p.MaxData(p.Files.MessageSize)
		if p.Parts != nil {
			most -= len(p.Parts.DataTag())
		}
		n.record = min(recordSize, most)
	}
	return n, nil
}

// power of ten, from the digit behind the first on.
func power(digits int) int { return int(math.Pow10(max(0, digits-1))) }

// MostCodes is how many institutions there can be: the first digit of a code is
// no zero, so that none looks like one that is shorter.
func (n Names) MostCodes() int {
	if n.code < 1 {
		return 0
	}
	return 9 * power(n.code)
}

// MostFiles is how many files an institution can have.
func (n Names) MostFiles() int {
	if n.name < 2 {
		return 0
	}
	return power(n.name)
}

// Code of the nth institution in the header, from 0.
func (n Names) Code(of int) string { return fmt.Sprint(power(n.code) + of) }

// File is the name on the wire of the kth file of an institution, from 0.
func (n Names) File(k int) string { return fmt.Sprintf("L%0*d", n.name-1, k) }

// Script makes File's names where they are registered.
func (n Names) Script() string { return fmt.Sprintf("L+${SEQ:%d}", n.name-1) }

// Record is the length of the records of all files, 0 = they have none.
func (n Names) Record() int { return n.record }

// Size is the nearest size of a file, not above bytes unless by its first
// record.
func (n Names) Size(bytes int64) int64 {
	if n.record == 0 {
		return bytes
	}
	return max(1, bytes/int64(n.record)) * int64(n.record)
}

// Institution is the part of the nth in all of it.
func (n Names) Institution(of int) simulator.Options {
	return simulator.Options{Profile: n.p, Side: protocol.InstitutionSide, Institution: n.Code(of), Self: n.Code(of), Peer: Centre,
		SenderName: Sender, Password: Password, Record: n.record}
}

// Content of a file: digits that every character set and framing can carry. No
// two files are alike, unless they are shorter than their names.
func (n Names) Content(of, k int, size int64) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = '0' + byte(i*7%10)
	}
	copy(b, strings.TrimPrefix(n.File(k), "L")+n.Code(of))
	return b
}
