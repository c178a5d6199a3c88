package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"pabal/internal/fault"
)

func (v *validator) institutions() {
	codes := map[string]string{}
	for i := range v.c.Institutions {
		in := &v.c.Institutions[i]
		path := fmt.Sprintf("institutions[%d]", i)
		if v.required(path, "code", in.Code) {
			v.unique(codes, path+".code", in.Code, in.Code)
		}
		v.required(path, "profile", in.Profile)
		v.oneOf(path+".mask", in.Mask, MaskReason, MaskAlways)
		v.required(path, "wire_code", in.WireCode)
		if v.required(path, "side", in.Side) {
			v.oneOf(path+".side", in.Side, "institution", "centre")
		}
		v.instance(path, &in.Instance)
		v.standby(path, in)
		v.calls(path, in)
		v.between(path+".sessions.send", int64(in.Sessions.Send), 1, 1000)
		v.between(path+".sessions.receive", int64(in.Sessions.Receive), 1, 1000)
		v.lasts(path+".retry.first", in.Retry.First, time.Millisecond, 24*time.Hour)
		v.lasts(path+".retry.max", in.Retry.Max, time.Millisecond, 24*time.Hour)
		if in.Retry.Max < in.Retry.First {
			v.add(path+".retry.max", fault.New(CodeRetryOrder, in.Retry.Max.String(), "first", in.Retry.First))
		}
		v.between(path+".retry.tries", int64(in.Retry.Tries), 0, 1000000)
		v.lasts(path+".timeouts.connect", in.Timeouts.Connect, time.Millisecond, time.Hour)
		v.lasts(path+".timeouts.reply", in.Timeouts.Reply, time.Millisecond, time.Hour)
		v.secure(path, in)
		v.between(path+".rounds", int64(in.Rounds), 1, 10000)
		v.lasts(path+".resume_age", in.ResumeAge, 0, 31*24*time.Hour)
		v.oneOf(path+".repeat", in.Repeat, "refuse", "absorb", "new")
		v.lasts(path+".repeat_age", in.RepeatAge, time.Minute, 7*24*time.Hour)
		for j, order := range in.Approval.SecondPerson {
			v.oneOf(fmt.Sprintf("%s.approval.second_person[%d]", path, j), order,
				"all", "hold", "release", "resend", "resend_again", "cancel", "settle", "inquire", "recall")
		}
		v.lasts(path+".approval.expires", in.Approval.Expires, time.Minute, 31*24*time.Hour)
	}
}

// calls checks who connects and when.
func (v *validator) calls(path string, in *Institution) {
	if in.Connect != "" {
		v.address(path+".connect", in.Connect, 1)
	} else {
		for _, instance := range v.c.Instances {
			// Where it listens on another host stands in that host's "runs".
			if instance.ID == in.Instance && len(instance.Listen) == 0 && v.c.RunsHere(instance.ID) {
				v.add(path+".connect", fault.New(CodeNobodyConnects, in.Code, "instance", instance.ID))
			}
		}
		if len(in.Windows) > 0 {
			v.add(path+".receive_windows", fault.New(CodeWindowNoConnect, in.Code))
		}
	}
	for j, w := range in.Windows {
		at := fmt.Sprintf("%s.receive_windows[%d]", path, j)
		v.span(at, w.From, w.To)
		v.lasts(at+".every", w.Every, time.Second, 24*time.Hour)
		for k, day := range w.Days {
			v.oneOf(fmt.Sprintf("%s.days[%d]", at, k), day, "mon", "tue", "wed", "thu", "fri", "sat", "sun")
		}
	}
	for j, c := range in.Closed {
		at := fmt.Sprintf("%s.closed[%d]", path, j)
		v.span(at, c.From, c.To)
		v.oneOf(at+".for", c.For, "send", "receive", "both")
	}
}

// span wants both ends written and some time between them.
func (v *validator) span(path string, from, to TimeOfDay) {
	written := true
	for _, end := range []string{"from", "to"} {
		if _, ok := v.c.index.places[path+"."+end]; !ok {
			v.required(path, end, "")
			written = false
		}
	}
	if written && from == to && !v.bad[path+".from"] && !v.bad[path+".to"] {
		v.add(path, fault.New(CodeWindowEmpty, from.String()))
	}
}

func (v *validator) jobs() {
	codes := map[string]string{}
	for i, j := range v.c.Jobs {
		path := fmt.Sprintf("jobs[%d]", i)
		if v.required(path, "code", j.Code) {
			v.unique(codes, path+".code", j.Institution+"\x00"+j.Code, j.Code)
		}
		v.institution(path, j.Institution)
	}
}

// institution wants a known institution at path.institution.
func (v *validator) institution(path, code string) {
	if !v.required(path, "institution", code) || v.bad["institutions"] {
		return
	}
	var known []string
	for _, in := range v.c.Institutions {
		if in.Code == code {
			return
		}
		known = append(known, in.Code)
	}
	v.add(path+".institution", fault.New(CodeNoInstitution, code, "known", list(known)))
}

// file checks a registration as far as its names are not concerned.
func (v *validator) file(path string, f *File) {
	v.required(path, "id", f.ID)
	v.institution(path, f.Institution)
	if v.required(path, "job", f.Job) && f.Institution != "" && !v.bad[path+".institution"] && !v.bad["jobs"] {
		var known []string
		for _, j := range v.c.Jobs {
			if j.Institution == f.Institution {
				known = append(known, j.Code)
			}
		}
		if !slices.Contains(known, f.Job) {
			v.add(path+".job", fault.New(CodeNoJob, f.Job, "institution", f.Institution, "known", list(known)))
		}
	}
	if v.required(path, "direction", f.Direction) {
		v.oneOf(path+".direction", f.Direction, "send", "receive")
	}
	v.oneOf(path+".packing", f.Packing, "whole", "filled", "one")
	v.oneOf(path+".parts", f.Parts, "data", "all")
	v.oneOf(path+".empty", f.Empty, "refuse", "send")
	v.oneOf(path+".same_name", f.SameName, "new", "hold", "replace")
	v.oneOf(path+".repeat", f.Repeat, "refuse", "absorb", "new")
	if f.SameName != "" && f.Direction == "receive" {
		v.add(path+".same_name", fault.New(CodeOtherWay, "same_name", "direction", "send", "other", "repeat"))
	}
	if f.Repeat != "" && f.Direction == "send" {
		v.add(path+".repeat", fault.New(CodeOtherWay, "repeat", "direction", "receive", "other", "same_name"))
	}
	v.oneOf(path+".existing", f.Existing, "wait", "replace", "number")
	for key, suffix := range map[string]string{"ready": f.Flag.Ready, "placed": f.Flag.Placed} {
		if suffix != "" && (len(suffix) < 2 || suffix[0] != '.' || strings.Contains(suffix, "/")) {
			v.add(path+".flag."+key, fault.New(CodeBadFlag, suffix))
		}
	}
	v.record(path+".record", &f.Record)
	v.checks(path+".checks", f)
}

func (v *validator) record(path string, r *Record) {
	v.oneOf(path+".form", r.Form, "fixed", "lines", "raw")
	v.oneOf(path+".line_end", r.LineEnd, "none", "lf", "crlf")
	if r.LineEnd == "" {
		r.LineEnd = "none"
		if r.Form == "lines" {
			r.LineEnd = "lf"
		}
	}
	if r.Form == "fixed" {
		if _, written := v.c.index.places[path+".length"]; !written {
			v.required(path, "length", "")
		}
		v.between(path+".length", int64(r.Length), 1, 1<<20)
	}
	if r.Strip && (r.LineEnd == "none" || r.Form == "raw") {
		v.add(path+".strip", fault.New(CodeStripNothing, path))
	}
	v.fields(path, r)
}

func (v *validator) checks(path string, f *File) {
	c := f.Checks
	if c.Records && f.Record.Form == "raw" {
		v.add(path+".records", fault.New(CodeGoesWith, "records", "other", "record.form: fixed, lines"))
	}
	v.oneOf(path+".charset", c.Charset, "ascii", "euc-kr", "cp949")
	field := func(at string, s *Span) {
		if s != nil {
			v.field(at, s.Offset, s.Length, f.Record)
		}
	}
	if h := c.Header; h != nil {
		field(path+".header.name_at", h.NameAt)
		if d := h.DateAt; d != nil {
			at := path + ".header.date_at"
			v.required(at, "format", d.Format)
			if d.Length == 0 {
				d.Length = len(d.Format)
			}
			v.field(at, d.Offset, d.Length, f.Record)
			if d.Format != "" && d.Length != len(d.Format) {
				v.add(at+".length", fault.New(CodeDateLength, strconv.Itoa(d.Length), "format", d.Format, "length", len(d.Format)))
			}
		}
	}
	if t := c.Trailer; t != nil {
		at := path + ".trailer"
		field(at+".count_at", t.CountAt)
		field(at+".amount_at", t.AmountAt)
		field(at+".amount_field", t.AmountField)
		if t.AmountAt != nil && t.AmountField == nil {
			v.add(at+".amount_at", fault.New(CodeGoesWith, "amount_at", "other", "amount_field"))
		}
		if t.AmountField != nil && t.AmountAt == nil {
			v.add(at+".amount_field", fault.New(CodeGoesWith, "amount_field", "other", "amount_at"))
		}
		for i, total := range t.Totals {
			in := fmt.Sprintf("%s.totals[%d]", at, i)
			if total.At == nil {
				v.required(in, "at", "")
			}
			field(in+".at", total.At)
			field(in+".sum", total.Sum)
			for j, w := range total.Where {
				v.required(fmt.Sprintf("%s.where[%d]", in, j), "text", w.Text)
				v.field(fmt.Sprintf("%s.where[%d]", in, j), w.Offset, max(1, len(w.Text)), f.Record)
			}
		}
	}
	for i, r := range c.Rules {
		at := fmt.Sprintf("%s.rules[%d]", path, i)
		v.required(at, "name", r.Name)
		v.required(at, "expr", r.Expr)
	}
}

// field wants a field that lies within a record.
func (v *validator) field(path string, offset, length int, r Record) {
	v.between(path+".offset", int64(offset), 0, 1<<20)
	v.between(path+".length", int64(length), 1, 1<<20)
	if r.Form == "fixed" && r.Length > 0 && offset >= 0 && offset+length > r.Length {
		v.add(path, fault.New(CodeSpanOutside, path, "end", offset+length, "length", r.Length))
	}
}

// list shows what is known.
func list(known []string) string {
	if len(known) == 0 {
		return "-"
	}
	return strings.Join(slices.Compact(slices.Sorted(slices.Values(known))), ", ")
}
