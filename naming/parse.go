package naming

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"pabal/internal/fault"
	"pabal/transfer"
)

// The rule: FILEID[.WIRENAME].INSTITUTION.JOB[.YYYYMMDD].
const (
	leastParts = 3
	mostParts  = 5
)

// reading is one way to understand the parts of a name. A wire name whose
// script has a dot is joined again from several parts.
type reading struct {
	fileID, wire, institution, job, date string
}

// readings lists the ways: with and without a date at the end. There is none
// when a part is empty.
func readings(core string) []reading {
	p := strings.Split(core, ".")
	if slices.Contains(p, "") {
		return nil
	}
	var out []reading
	if n := len(p); n > leastParts {
		out = append(out, reading{p[0], strings.Join(p[1:n-3], "."), p[n-3], p[n-2], p[n-1]})
	}
	if n := len(p); n >= leastParts {
		out = append(out, reading{p[0], strings.Join(p[1:n-2], "."), p[n-2], p[n-1], ""})
	}
	return out
}

func (r reading) key(d transfer.Direction) key { return key{r.fileID, r.institution, r.job, d} }

// Parse understands the name of a file that is to be sent. now is the time in
// the business zone at which the file is claimed: it gives the base date where
// the name has none. Errors are *fault.Error with the file name as subject.
//
// A wire name in the file name must fit the registration's script, and a date
// that it carries is the base date when the file name has no other.
func (b *Book) Parse(fileName string, now time.Time) (Name, error) {
	return b.ParseFile(fileName, now, nil)
}

// ParseFile is Parse of a file whose first bytes can be read, for wire names
// that take characters from the first record. An error of first is returned as
// it is.
func (b *Book) ParseFile(fileName string, now time.Time, first First) (Name, error) {
	if !readable(fileName) {
		return Name{}, fault.New(CodeNotText, strings.ToValidUTF8(fileName, "?"))
	}
	id, _, _ := strings.Cut(fileName, ".")
	var found []Name
	var failed, customFailed error
	for _, r := range b.regs {
		if r.Direction != transfer.Send {
			continue
		}
		if r.custom != nil {
			n, ok, err := r.custom.read(r, fileName, now, first)
			if ok {
				found = append(found, n)
			}
			if fault.As(err) != nil && failed == nil { // it knew the name, but something in it is wrong
				failed = about(fileName, err)
			} else {
				customFailed = errors.Join(customFailed, err)
			}
			continue
		}
		if r.FileID != id {
			continue
		}
		core, suffix := cutSuffix(fileName, r.Suffixes)
		for _, way := range readings(core) {
			if way.key(transfer.Send) != r.key() {
				continue
			}
			n, err := r.read(fileName, way, suffix, now, first)
			if err == nil {
				found = append(found, n)
			} else if failed == nil {
				failed = err
			}
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return Name{}, fault.New(CodeAmbiguous, fileName, "first", found[0].describe(), "second", found[1].describe())
	case failed != nil:
		return Name{}, failed
	}
	f := b.diagnose(fileName, id)
	if customFailed != nil {
		f = f.Because(customFailed)
	}
	return Name{}, f
}

// cutSuffix takes the longest declared suffix off.
func cutSuffix(name string, suffixes []string) (core, suffix string) {
	for _, s := range suffixes {
		if len(s) > len(suffix) && len(s) < len(name) && strings.HasSuffix(name, s) {
			suffix = s
		}
	}
	return name[:len(name)-len(suffix)], suffix
}

// read takes a reading whose file ID, institution and job are r's.
func (r *registration) read(fileName string, way reading, suffix string, now time.Time, first First) (Name, error) {
	n := Name{FileID: r.FileID, Institution: r.Institution, Job: r.Job, Suffix: suffix, BaseDate: way.date}
	if way.date != "" && !validDate(way.date) {
		if strings.ContainsAny(way.date[:1], "0123456789") {
			return Name{}, fault.New(CodeBadDate, fileName, "part", way.date)
		}
		return Name{}, r.unknownSuffix(fileName, "."+way.date)
	}
	if way.wire == "" {
		if n.BaseDate == "" {
			n.BaseDate = now.Format("20060102")
		}
		var err error
		if n.WireName, err = r.wireName(n, now, first); err != nil {
			return Name{}, about(fileName, err)
		}
		return n, nil
	}
	if strings.Contains(way.wire, ".") && (r.wire == nil || !r.wire.uses(".")) {
		return Name{}, fault.New(CodeTooManyParts, fileName, "parts", strings.Count(fileName[:len(fileName)-len(suffix)], ".")+1)
	}
	n.WireName = way.wire
	if strings.Contains(way.wire, "${") {
		script, err := CompileScript(way.wire)
		if err != nil {
			return Name{}, err
		}
		if n.BaseDate == "" {
			n.BaseDate = now.Format("20060102")
		}
		v := r.vars()
		v.BaseDate, v.Clock = n.BaseDate, now.Format("150405")
		if n.WireName, err = expand(script, v, first); err != nil {
			return Name{}, about(fileName, err)
		}
	}
	return r.fit(fileName, n, now)
}

// fit holds a wire name that the file name gives against the script.
func (r *registration) fit(fileName string, n Name, now time.Time) (Name, error) {
	if r.wire != nil {
		known := r.vars()
		known.BaseDate = n.BaseDate
		told, ok := r.wire.Match(n.WireName, known, now)
		if !ok {
			return Name{}, fault.New(CodeWireNameMisfit, fileName, "wire_name", n.WireName, "script", r.WireName)
		}
		n.Serial = told.Serial
		if n.BaseDate == "" {
			n.BaseDate = told.BaseDate
		}
	}
	if n.BaseDate == "" {
		n.BaseDate = now.Format("20060102")
	}
	return n, nil
}

// wireName is the name for the peer when the file name gives none.
func (r *registration) wireName(n Name, now time.Time, first First) (string, error) {
	if r.wire == nil {
		return r.FileID, nil
	}
	v := r.vars()
	v.BaseDate, v.Serial, v.Clock = n.BaseDate, n.Serial, now.Format("150405")
	return expand(r.wire, v, first)
}

// about gives a script's error the file as its subject.
func about(fileName string, err error) error {
	f := fault.As(err)
	if f == nil {
		return err
	}
	c := *f
	c.Subject = fileName
	return &c
}

func (r *registration) unknownSuffix(fileName, suffix string) *fault.Error {
	return fault.New(CodeUnknownSuffix, fileName, "suffix", suffix, "file_id", r.FileID, "known", list(r.Suffixes))
}

// diagnose says why no registration for sending takes the name.
func (b *Book) diagnose(fileName, id string) *fault.Error {
	var regs []*registration
	var suffixes []string
	for _, r := range b.regs {
		if r.FileID == id && r.custom == nil {
			regs = append(regs, r)
			suffixes = append(suffixes, r.Suffixes...)
		}
	}
	core, _ := cutSuffix(fileName, suffixes)
	count := strings.Count(core, ".") + 1
	switch {
	case slices.Contains(strings.Split(core, "."), ""):
		return fault.New(CodeEmptyPart, fileName)
	case len(regs) == 0 && count >= leastParts:
		return fault.New(CodeUnknownFileID, fileName, "file_id", id)
	case count < leastParts:
		return fault.New(CodeTooFewParts, fileName, "parts", count)
	}
	ways := readings(core)
	for _, way := range ways {
		if _, ok := b.byKey[way.key(transfer.Receive)]; ok {
			return fault.New(CodeReceiveOnly, fileName, "file_id", id)
		}
	}
	if i := strings.LastIndexByte(core, '.'); core[i+1:] != "" && !validDate(core[i+1:]) {
		for _, way := range readings(core[:i]) {
			if r, ok := b.byKey[way.key(transfer.Send)]; ok {
				return r.unknownSuffix(fileName, core[i:])
			}
		}
	}
	return blame(fileName, ways, regs, count)
}

// blame names the wrong part. A reading whose institution is known is what the
// author meant; otherwise the one whose last part looks like a date.
func blame(fileName string, ways []reading, regs []*registration, count int) *fault.Error {
	var institutions []string
	for _, r := range regs {
		institutions = append(institutions, r.Institution)
	}
	for _, way := range ways {
		if !slices.Contains(institutions, way.institution) {
			continue
		}
		var jobs []string
		for _, r := range regs {
			if r.Institution == way.institution {
				jobs = append(jobs, r.Job)
			}
		}
		return fault.New(CodeUnknownJob, fileName, "file_id", way.fileID, "institution", way.institution, "job", way.job, "known", list(jobs))
	}
	if count > mostParts {
		return fault.New(CodeTooManyParts, fileName, "parts", count)
	}
	way := ways[len(ways)-1]
	if d := ways[0].date; len(d) == 8 && strings.Trim(d, "0123456789") == "" {
		way = ways[0]
	}
	return fault.New(CodeUnknownInstitution, fileName, "file_id", way.fileID, "institution", way.institution, "known", list(institutions))
}

// list shows a few of the registered values.
func list(values []string) string {
	values = slices.Compact(slices.Sorted(slices.Values(values)))
	if len(values) == 0 {
		return "-"
	}
	const most = 8
	if len(values) > most {
		values = append(values[:most:most], "…")
	}
	return strings.Join(values, ", ")
}

// describe shows a reading with every part named, the same in all languages.
func (n Name) describe() string {
	return fmt.Sprintf("FILE_ID=%s WIRE_NAME=%s INSTITUTION=%s JOB=%s DATE=%s", n.FileID, n.WireName, n.Institution, n.Job, n.BaseDate)
}
