package config

import (
	"fmt"
	"log/slog"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"pabal/internal/fault"
)

// Secret is a value that never prints. Every way of writing it gives "***". It
// holds a pointer because package fmt shows what is inside for a few wrong verbs
// without asking the type.
type Secret struct{ value *string }

const masked = "***"

// NewSecret is for programs that make a configuration without a file.
func NewSecret(value string) Secret { return Secret{&value} }

// Reveal gives the value. Hand it straight to where it is needed.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// Format writes *** under every verb of package fmt that asks the type.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(masked)) }

// String gives ***, as do all the other ways out below.
func (Secret) String() string { return masked }

// GoString is for %#v.
func (Secret) GoString() string { return masked }

// LogValue is for package slog.
func (Secret) LogValue() slog.Value { return slog.StringValue(masked) }

// MarshalJSON is for package encoding/json.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + masked + `"`), nil }

// MarshalText is for the encoders that know neither JSON nor YAML.
func (Secret) MarshalText() ([]byte, error) { return []byte(masked), nil }

// MarshalYAML is for package yaml.
func (Secret) MarshalYAML() (any, error) { return masked, nil }

// Size is a number of bytes, written as a number or with KiB, MiB or GiB.
type Size int64

func parseSize(text string) (Size, *fault.Error) {
	number, unit := text, int64(1)
	for suffix, factor := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30} {
		if cut, ok := strings.CutSuffix(text, suffix); ok {
			number, unit = strings.TrimSpace(cut), factor
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > (1<<62)/unit {
		return 0, fault.New(CodeWantSize, text)
	}
	return Size(n * unit), nil
}

// Mode is the permission bits of a file or directory, written in octal: 0640.
type Mode uint32

func parseMode(text string) (Mode, *fault.Error) {
	n, err := strconv.ParseUint(text, 8, 32)
	if err != nil || n == 0 || n > 0o777 {
		return 0, fault.New(CodeWantMode, text)
	}
	return Mode(n), nil
}

// Network is an address or a network in the form of CIDR, v4 or v6.
type Network string

// Prefix is the network; of an address the one that has it alone.
func (n Network) Prefix() netip.Prefix {
	p, _ := netip.ParsePrefix(string(n)) // parseNetwork has proven it
	return p
}

func parseNetwork(text string) (Network, *fault.Error) {
	p, err := netip.ParsePrefix(text)
	if err != nil {
		var a netip.Addr
		if a, err = netip.ParseAddr(text); err == nil {
			p = netip.PrefixFrom(a, a.BitLen())
		}
	}
	switch {
	case err != nil || p.Addr().Zone() != "" || p.Addr().Is4In6():
		return "", fault.New(CodeWantNetwork, text)
	case p != p.Masked():
		return "", fault.New(CodeNetworkBits, text, "near", p.Masked())
	}
	return Network(p.String()), nil
}

// TimeOfDay is minutes after midnight, 0 to 1440 (24:00).
type TimeOfDay int

func (t TimeOfDay) String() string { return fmt.Sprintf("%02d:%02d", int(t)/60, int(t)%60) }

func parseTimeOfDay(text string) (TimeOfDay, *fault.Error) {
	hour, minute, ok := strings.Cut(text, ":")
	h, err1 := strconv.ParseUint(hour, 10, 8)
	m, err2 := strconv.ParseUint(minute, 10, 8)
	t := TimeOfDay(h*60 + m)
	if !ok || err1 != nil || err2 != nil || len(hour) != 2 || len(minute) != 2 || m > 59 || t > 24*60 {
		return 0, fault.New(CodeWantTimeOfDay, text)
	}
	return t, nil
}

func parseDuration(text string) (time.Duration, *fault.Error) {
	// Days are what people count by when it comes to keeping things.
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 20)
		if err != nil {
			return 0, fault.New(CodeWantDuration, text)
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fault.New(CodeWantDuration, text)
	}
	return d, nil
}
