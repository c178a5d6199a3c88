package main

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"pabal/internal/fault"
)

// benchReport is the object of --json.
type benchReport struct {
	Version  string        `json:"version"`
	At       time.Time     `json:"at"`
	Machine  benchMachine  `json:"machine"`
	Settings benchSettings `json:"settings"`
	Cases    []benchCase   `json:"cases"`
	Syncs    []benchSyncs  `json:"syncs,omitempty"`
	Codec    []benchCodec  `json:"codec,omitempty"`
	Others   []benchOther  `json:"others"`
}

// benchSettings are what was asked for.
type benchSettings struct {
	BigBytes   int64 `json:"big_bytes"`
	SmallFiles int   `json:"small_files"`
	SmallBytes int64 `json:"small_bytes"`
	Sessions   int   `json:"sessions"` // of the small files; the big one takes one
	Runs       int   `json:"runs"`
	Encrypt    bool  `json:"encrypt,omitempty"`
}

// benchCase is one part under one profile in one way.
type benchCase struct {
	Part    string       `json:"part"`             // big or small
	Profile string       `json:"profile"`          // its name
	Way     string       `json:"way"`              // floor, unsynced, or the kind of store
	Server  bool         `json:"server,omitempty"` // a database server works too: its time, memory and syncs are not counted
	Files   int          `json:"files"`
	Bytes   int64        `json:"bytes"` // of all files
	MB      *benchSpread `json:"mb_per_second"`
	PerSec  *benchSpread `json:"files_per_second"`
	CPU     *benchSpread `json:"cpu_seconds_per_gb"`
	Peak    *benchSpread `json:"peak_mib"`
	OfFloor float64      `json:"of_floor"`         // median speed by the floor's under the same profile
	OfFirst *benchSpread `json:"cpu_of_first"`     // CPU seconds by those of the first profile in the same way and turn
	Others  *benchSpread `json:"others_cpu_share"` // what other processes took of the processors meanwhile, 0 to 1
	label   string
}

// benchCodec is what one full data telegram of a profile takes.
type benchCodec struct {
	Profile string       `json:"profile"`
	Encode  *benchSpread `json:"encode_ns"`
	Decode  *benchSpread `json:"decode_ns"`
}

// benchSyncs counts the syncs of one file that fits into one block, over both
// ends, by where they went.
type benchSyncs struct {
	Profile string      `json:"profile"`
	Way     string      `json:"way"`
	LeftOut string      `json:"left_out,omitempty"` // why nothing was counted
	Alone   *syncsTaken `json:"alone,omitempty"`    // one file after the other
	Busy    *syncsTaken `json:"busy,omitempty"`     // many files over the sessions
}

type syncsTaken struct {
	Files   int                `json:"files"`
	PerFile float64            `json:"per_file"`
	By      map[string]float64 `json:"by"`
}

// benchOther is a program that carries the same bytes.
type benchOther struct {
	Name    string       `json:"name"`
	LeftOut string       `json:"left_out,omitempty"` // not installed, or why it failed
	Big     *benchSpread `json:"big_mb_per_second,omitempty"`
	Small   *benchSpread `json:"small_files_per_second,omitempty"`
}

// benchSpread is the figure of several runs.
type benchSpread struct {
	Min    float64 `json:"min"`
	Median float64 `json:"median"`
	Max    float64 `json:"max"`
}

func spread[T any](runs []T, value func(T) float64) *benchSpread {
	if len(runs) == 0 {
		return nil
	}
	v := make([]float64, len(runs))
	for n, r := range runs {
		v[n] = value(r)
	}
	slices.Sort(v)
	n := len(v)
	return &benchSpread{Min: v[0], Median: (v[(n-1)/2] + v[n/2]) / 2, Max: v[n-1]}
}

// fill puts the steps into the report: the parts together, and in each the
// profiles that are carried in the same way.
//
// Speeds are compared by their medians, CPU seconds turn by turn: what else runs on
// a machine adds to them, by taking caches and clock away, and comes and goes within
// minutes. Of two runs that follow each other it adds to both; the least of all runs
// is that of a lucky moment, which one profile has and the other not.
func (r *benchReport) fill(steps []*benchStep) {
	floor, first := map[string]float64{}, map[string][]benchTaken{}
	for _, s := range steps {
		if s.part == partCodec {
			r.Codec = append(r.Codec, benchCodec{
				Profile: s.profile,
				Encode:  spread(s.taken, func(t benchTaken) float64 { return t.EncodeNS }),
				Decode:  spread(s.taken, func(t benchTaken) float64 { return t.DecodeNS }),
			})
			continue
		}
		c := benchCase{
			Part: s.part, Profile: s.profile, Way: s.way.name, Server: s.way.url != "", label: s.way.label, Files: s.taken[0].Files, Bytes: s.taken[0].Bytes,
			MB: spread(s.taken, benchTaken.mbPerSecond), PerSec: spread(s.taken, benchTaken.filesPerSecond),
			CPU: spread(s.taken, benchTaken.cpuPerGB), Others: spread(s.taken, func(t benchTaken) float64 { return t.Others }),
			Peak: spread(s.taken, func(t benchTaken) float64 { return float64(t.Peak) / (1 << 20) }),
		}
		if c.Way == wayFloor {
			floor[c.Part+c.Profile] = c.MB.Median
		}
		if _, known := first[c.Part+c.label]; !known {
			first[c.Part+c.label] = s.taken
		}
		c.OfFloor = c.MB.Median / floor[c.Part+c.Profile] // the floor is the first way
		c.OfFirst = cpuOf(s.taken, first[c.Part+c.label])
		r.Cases = append(r.Cases, c)
	}
	slices.SortStableFunc(r.Cases, func(a, b benchCase) int { return cmp.Compare(a.Part, b.Part) }) // big before small
}

// cpuOf compares the CPU seconds of two cases in each turn.
func cpuOf(taken, first []benchTaken) *benchSpread {
	turns := make([]float64, min(len(taken), len(first)))
	for n := range turns {
		turns[n] = taken[n].cpuPerGB() / first[n].cpuPerGB()
	}
	return spread(turns, func(v float64) float64 { return v })
}

// showBench prints the report for people.
func (a *app) showBench(r benchReport) error {
	m, s := r.Machine, r.Settings
	rows := [][]string{
		{a.text("ui.bench.version"), r.Version + ", " + m.Go},
		{a.text("ui.bench.machine"), a.text("ui.bench.machine_is", "cpu", m.CPU, "cores", m.Cores, "memory", bytesText(m.Memory), "system", m.System, "load", m.Load)},
		{a.text("ui.bench.disk"), m.FileSystem + ", " + m.Device},
		{a.text("ui.bench.runs"), a.text("ui.bench.runs_are", "runs", s.Runs)},
	}
	if err := a.benchTable("", nil, rows); err != nil {
		return err
	}
	for _, part := range []string{partBig, partSmall} {
		if err := a.showPart(r, part); err != nil {
			return err
		}
	}
	if slices.ContainsFunc(r.Cases, func(c benchCase) bool { return c.Server }) {
		if _, err := fmt.Fprintf(a.out, "  %s\n", a.text("ui.bench.server")); err != nil {
			return err
		}
	}
	if err := a.showSyncs(r.Syncs); err != nil {
		return err
	}
	if len(r.Codec) > 0 {
		var rows [][]string
		for _, c := range r.Codec {
			rows = append(rows,
				append([]string{c.Profile + ", " + a.text("ui.bench.encode")}, c.Encode.cells("%.0f")...),
				append([]string{c.Profile + ", " + a.text("ui.bench.decode")}, c.Decode.cells("%.0f")...))
		}
		head := []string{"", "ns", a.text("ui.bench.least"), a.text("ui.bench.most")}
		if err := a.benchTable(a.text("ui.bench.title.codec"), head, rows); err != nil {
			return err
		}
	}
	return a.showOthers(r.Others)
}

func (a *app) showPart(r benchReport, part string) error {
	var rows [][]string
	title := ""
	several := slices.ContainsFunc(r.Cases, func(c benchCase) bool { return c.Profile != r.Cases[0].Profile })
	for _, c := range r.Cases {
		if c.Part != part {
			continue
		}
		speed, format := c.MB, "%.1f"
		if part == partSmall {
			speed = c.PerSec
		}
		row := append([]string{c.Profile + ", " + c.label}, speed.cells(format)...)
		row = append(row, fmt.Sprintf("%.3f", c.OfFloor), fmt.Sprintf("%.2f", c.CPU.Median), fmt.Sprintf("%.2f", c.CPU.Min))
		if several {
			row = append(row, fmt.Sprintf("%.2f", c.OfFirst.Median), fmt.Sprintf("%.2f–%.2f", c.OfFirst.Min, c.OfFirst.Max))
		}
		rows = append(rows, append(row, fmt.Sprintf("%.0f", c.Peak.Max), fmt.Sprintf("%.0f %%", 100*c.Others.Median)))
		title = a.text(fault.Code("ui.bench.title."+part), "files", count(int64(c.Files)), "size", bytesText(c.Bytes/int64(c.Files)), "sessions", r.Settings.Sessions)
	}
	if len(rows) == 0 {
		return nil
	}
	unit := "MB/s"
	if part == partSmall {
		unit = a.text("ui.bench.files_unit")
	}
	head := []string{"", unit, a.text("ui.bench.least"), a.text("ui.bench.most"), a.text("ui.bench.of_floor"), a.text("ui.bench.cpu"), a.text("ui.bench.least")}
	if several {
		head = append(head, a.text("ui.bench.of_first", "profile", r.Cases[0].Profile), a.text("ui.bench.by_turn"))
	}
	head = append(head, a.text("ui.bench.peak"), a.text("ui.bench.others"))
	return a.benchTable(title, head, rows)
}

func (a *app) showSyncs(all []benchSyncs) error {
	for _, s := range all {
		title := a.text("ui.bench.title.syncs", "way", s.Profile+", "+s.Way)
		if s.LeftOut != "" {
			if _, err := fmt.Fprintf(a.out, "\n%s\n  %s\n", title, s.LeftOut); err != nil {
				return err
			}
			continue
		}
		names := map[string]bool{}
		for _, t := range []*syncsTaken{s.Alone, s.Busy} {
			for name := range t.By {
				names[name] = true
			}
		}
		var order []string
		for name := range names {
			order = append(order, name)
		}
		slices.Sort(order)
		rows := [][]string{{a.text("ui.bench.all"), fmt.Sprintf("%.2f", s.Alone.PerFile), fmt.Sprintf("%.2f", s.Busy.PerFile)}}
		for _, name := range order {
			rows = append(rows, []string{"  " + name, fmt.Sprintf("%.2f", s.Alone.By[name]), fmt.Sprintf("%.2f", s.Busy.By[name])})
		}
		head := []string{"", a.text("ui.bench.alone"), a.text("ui.bench.busy", "files", s.Busy.Files)}
		if err := a.benchTable(title, head, rows); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) showOthers(others []benchOther) error {
	var rows [][]string
	for _, o := range others {
		row := []string{o.Name, o.LeftOut}
		if o.LeftOut == "" {
			row = []string{o.Name, "", ""}
			if o.Big != nil {
				row[1] = fmt.Sprintf("%.1f", o.Big.Median)
			}
			if o.Small != nil {
				row[2] = fmt.Sprintf("%.1f", o.Small.Median)
			}
		}
		rows = append(rows, row)
	}
	if len(rows) == 0 {
		return nil
	}
	return a.benchTable(a.text("ui.bench.title.others"), []string{"", "MB/s", a.text("ui.bench.files_unit")}, rows)
}

func (a *app) benchTable(title string, head []string, rows [][]string) error {
	if title != "" {
		if _, err := fmt.Fprintf(a.out, "\n%s\n", title); err != nil {
			return err
		}
	}
	return writeTable(a.out, "  ", head, rows)
}

// cells are median, least and most.
func (s *benchSpread) cells(format string) []string {
	return []string{fmt.Sprintf(format, s.Median), fmt.Sprintf(format, s.Min), fmt.Sprintf(format, s.Max)}
}
