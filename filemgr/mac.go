package filemgr

import (
	"fmt"
	"strconv"
	"strings"

	"pabal/internal/fault"
)

// macPiece is the width of keys and pieces in digits, and macModulus the
// number that all sums are taken modulo of (protocols §1.9).
const (
	macPiece   = 10
	macModulus = 10_000_000_000
)

// MAC is the 검증값 over a string of digits under two keys of ten digits
// (protocols §1.9). The result has at least ten digits.
func MAC(k1, k2, data string) (string, error) {
	m, err := NewMACState(k1, k2)
	if err != nil {
		return "", err
	}
	if err := m.Add(data); err != nil {
		return "", err
	}
	return m.Sum(), nil
}

// MACState computes a MAC over data that come in parts. How the counterparties
// chain over a whole file is not public; here the parts count as one string.
type MACState struct {
	k1, k2 string
	o1, o2 uint64
	piece  int // pieces taken so far
	part   uint64
	have   int // digits in part
}

// NewMACState starts a MAC. Keys are ten digits each.
func NewMACState(k1, k2 string) (*MACState, error) {
	o1, err := macKey(k1)
	if err != nil {
		return nil, err
	}
	o2, err := macKey(k2)
	if err != nil {
		return nil, err
	}
	return &MACState{k1: k1, k2: k2, o1: o1, o2: o2}, nil
}

func macKey(k string) (uint64, error) {
	if len(k) != macPiece || strings.Trim(k, "0123456789") != "" {
		return 0, fault.Say("mac_key", "width", macPiece).Err()
	}
	return strconv.ParseUint(k, 10, 64)
}

// Add takes more digits; anything else is refused.
func (m *MACState) Add(data string) error {
	for i := range len(data) {
		c := data[i]
		if c < '0' || c > '9' {
			return fault.Say("mac_data", "byte", i).Err()
		}
		m.part = m.part*10 + uint64(c-'0')
		if m.have++; m.have == macPiece {
			m.take(m.part)
			m.part, m.have = 0, 0
		}
	}
	return nil
}

// take mixes one full piece in. The digit that says how far to rotate comes
// from the other key, which starts again after ten pieces.
func (m *MACState) take(d uint64) {
	i := m.piece % macPiece
	t1 := (d + m.o1) % macModulus
	t2 := (d + m.o2) % macModulus
	m.o1 = (t1 + rotateRight(t1, int(m.k2[i]-'0'))) % macModulus
	m.o2 = (t2 + rotateRight(t2, int(m.k1[i]-'0'))) % macModulus
	m.piece++
}

// rotateRight turns the ten digits of v to the right by n places.
func rotateRight(v uint64, n int) uint64 {
	low := uint64(1)
	for range n {
		low *= 10
	}
	return v/low + v%low*(macModulus/low)
}

// Sum is the MAC of what was added so far; the state can go on.
func (m *MACState) Sum() string {
	end := *m
	if end.have > 0 {
		for ; end.have < macPiece; end.have++ {
			end.part *= 10
		}
		end.take(end.part)
	}
	return fmt.Sprintf("%010d", end.o1+end.o2)
}
