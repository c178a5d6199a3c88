package naming

import (
	"strings"
	"time"

	"pabal/internal/fault"
	"pabal/transfer"
)

// maxElement is the longest file name that Linux file systems take, in bytes.
const maxElement = 255

// Format makes the full file name: every part and the suffix, whatever the name
// was read from. An empty WireName or BaseDate is left out. Only a custom
// format expression can fail.
func (b *Book) Format(n Name) (string, error) {
	r := b.byKey[key{n.FileID, n.Institution, n.Job, transfer.Send}]
	return r.formatName(n)
}

// formatName writes by the registration's expression, or by the rule.
func (r *registration) formatName(n Name) (string, error) {
	if r != nil && r.custom != nil {
		text, err := r.custom.write(n)
		if err != nil {
			return "", fault.New(CodeCustomFailed, n.describe(), "reason", fault.Say("expression_says", "text", err)).Because(err)
		}
		return text, nil
	}
	parts := []string{n.FileID}
	if n.WireName != "" {
		parts = append(parts, n.WireName)
	}
	parts = append(parts, n.Institution, n.Job)
	if n.BaseDate != "" {
		parts = append(parts, n.BaseDate)
	}
	return strings.Join(parts, ".") + n.Suffix, nil
}

// Receive finds the registration of a file that an institution sends, by its
// wire name, and what the wire name tells. The base date is the date found
// there, else businessDate (a time in the business zone). None or two
// registrations refuse the file. A script with HHmmss takes any time of day.
func (b *Book) Receive(institution, wireName string, businessDate time.Time) (Registration, Name, error) {
	var found []*registration
	var told []Found
	var known []string
	for _, r := range b.regs {
		if r.Direction != transfer.Receive || r.Institution != institution {
			continue
		}
		known = append(known, r.FileID)
		t, ok := Found{}, wireName == r.FileID
		if r.wire != nil {
			t, ok = r.wire.Match(wireName, r.vars(), businessDate)
		}
		if ok {
			found, told = append(found, r), append(told, t)
		}
	}
	switch {
	case len(found) == 0:
		return Registration{}, Name{}, fault.New(CodeReceiveUnknown, printable(wireName), "institution", institution, "known", list(known))
	case len(found) > 1:
		return Registration{}, Name{}, fault.New(CodeReceiveAmbiguous, printable(wireName), "institution", institution,
			"first", found[0].FileID, "second", found[1].FileID)
	}
	n := Name{
		FileID: found[0].FileID, WireName: wireName, Institution: institution, Job: found[0].Job,
		BaseDate: told[0].BaseDate, Serial: told[0].Serial,
	}
	if n.BaseDate == "" {
		n.BaseDate = businessDate.Format("20060102")
	}
	return found[0].Registration, n, nil
}

// ReceivedName is the name under which a received file is placed. now, in the
// business zone, serves HHmmss only. The result is one safe path element.
func (b *Book) ReceivedName(n Name, now time.Time) (string, error) {
	r, ok := b.byKey[key{n.FileID, n.Institution, n.Job, transfer.Receive}]
	if !ok {
		return "", fault.New(CodeNotRegistered, n.FileID, "institution", n.Institution, "job", n.Job)
	}
	var name string
	var err error
	if r.receive != nil {
		v := r.vars()
		v.WireName, v.BaseDate, v.Serial, v.Clock = n.WireName, n.BaseDate, n.Serial, now.Format("150405")
		name, err = r.receive.Expand(v)
	} else {
		name, err = r.formatName(n)
	}
	if err != nil {
		return "", err
	}
	if !safeElement(name) {
		return "", fault.New(CodeUnsafe, printable(name), "wire_name", printable(n.WireName), "limit", maxElement)
	}
	return name, nil
}

// safeElement says whether name is one file name that stays in its directory
// and is not hidden.
func safeElement(name string) bool {
	return name != "" && len(name) <= maxElement && name[0] != '.' &&
		!strings.ContainsRune(name, '/') && readable(name)
}

// printable is for names that a peer chose.
func printable(name string) string {
	return strings.Map(func(r rune) rune {
		if !readable(string(r)) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(name, "?"))
}
