package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"pabal/instance"
	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/simulator"
	"pabal/simulator/load"
	"pabal/transfer"
)

// What institutions of a load are called. A given server must know them so.
const (
	loadSender   = "LOAD"
	loadPassword = "LOAD01"
)

// loadCode is the code of the nth institution in the header.
func loadCode(n int) string { return fmt.Sprintf("%08d", 10_000_000+n) }

// simulateLoad has many institutions give files to one server at the same time:
// to a given one, or to one that is made for it.
func (a *app) simulateLoad(ctx context.Context, profile string, f simulateFlags) (err error) {
	for _, n := range []struct {
		flag  string
		value int
	}{{"--institutions", f.institutions}, {"--files", f.files}, {"--sessions", f.sessions}} {
		if n.value < 1 || n.value > 10_000 {
			return usageError{fault.New(codeBenchNumber, n.flag, "value", n.value)}
		}
	}
	size, err := parseSize("--size", f.size)
	if err != nil {
		return err
	}
	if err := a.refuseProduction("simulate --load", f.configChosen); err != nil {
		return err
	}
	a.enterFile(a.out)
	p, err := loadProfile(profile)
	if err != nil {
		return err
	}
	if p.Width(protocol.Open, protocol.Institution) != len(loadCode(0)) || p.Files.NameWidth != len(loadCode(0)) {
		return fault.New(codeLoadProfile, p.Name, "width", len(loadCode(0)))
	}
	dir, err := a.workingDir(f.dir, "pabal-load-")
	if err != nil {
		return err
	}
	o := load.Options{
		Peer:         simulator.Options{Profile: p, Side: protocol.InstitutionSide, SenderName: loadSender, Password: loadPassword},
		Each:         func(n int, o *simulator.Options) { o.Institution = loadCode(n) },
		Name:         func(_, file int) string { return fmt.Sprintf("L%07d", file) },
		Address:      f.connect,
		Dir:          filepath.Join(dir, "give"),
		Institutions: f.institutions, Files: f.files, Bytes: size, Sessions: f.sessions, Calls: 3,
	}
	if o.Address == "" {
		server, err := loadServer(p, filepath.Join(dir, "site"), o)
		if err != nil {
			return err
		}
		if err := server.start(ctx, ""); err != nil {
			return errors.Join(err, server.close())
		}
		defer func() { err = errors.Join(err, server.close()) }()
		o.Address = server.in.Addresses()[0]
	}
	bar := newStepBar(a)
	bar.total = o.Institutions * o.Files
	if bar.terminal && !a.json {
		o.Given = func(done, _ int) {
			bar.done = done
			bar.begin(a.text("ui.load.going"))
		}
	}
	r, err := load.Run(ctx, o)
	bar.close()
	if err != nil {
		return err
	}
	return a.sayLoad(r)
}

// loadServer is a server that knows the institutions of a load.
func loadServer(p *protocol.Profile, dir string, o load.Options) (*throwaway, error) {
	t, err := newThrowaway(dir)
	if err != nil {
		return nil, err
	}
	t.o.Listen = []instance.Listen{{Address: "127.0.0.1:0", Profile: p}}
	t.o.Poll = time.Second
	for n := range o.Institutions {
		in := instance.Institution{Code: "M" + loadCode(n), Profile: p, Side: protocol.CentreSide, WireCode: loadCode(n)}
		if p.Carries(protocol.Open, protocol.SenderName) {
			in.Expect = instance.Credentials{Name: loadSender, Password: loadPassword}
		}
		t.o.Institutions = append(t.o.Institutions, in)
		t.register("L", in.Code, transfer.Receive)
		t.o.Files[n].WireName = "L+${SEQ:7}"
	}
	return t, nil
}

func (a *app) sayLoad(r load.Result) error {
	if a.json {
		seconds := func(d time.Duration) float64 { return d.Seconds() }
		err := a.writeJSON(a.out, struct {
			load.Result
			Median float64 `json:"median_seconds"`
			P95    float64 `json:"p95_seconds"`
			P99    float64 `json:"p99_seconds"`
			Most   float64 `json:"most_seconds"`
		}{r, seconds(r.Median), seconds(r.P95), seconds(r.P99), seconds(r.Most)})
		if err != nil {
			return err
		}
	} else {
		round := func(d time.Duration) string { return d.Round(time.Millisecond).String() }
		fmt.Fprintln(a.out, a.text("ui.load.result", "institutions", r.Institutions, "files", r.Files, "failed", r.Failed, "sessions", r.Sessions,
			"seconds", fmt.Sprintf("%.2f", r.Seconds), "rate", fmt.Sprintf("%.1f", r.PerSecond)))
		fmt.Fprintln(a.out, a.text("ui.load.times", "median", round(r.Median), "p95", round(r.P95), "p99", round(r.P99), "most", round(r.Most)))
		var codes []string
		for code, n := range r.Errors {
			codes = append(codes, fmt.Sprintf("%s %d", code, n))
		}
		sort.Strings(codes)
		if len(codes) > 0 {
			fmt.Fprintln(a.out, a.text("ui.load.errors", "errors", strings.Join(codes, ", ")))
		}
	}
	if r.Failed > 0 {
		return fault.New(codeLoadFailed, "", "failed", r.Failed)
	}
	return nil
}
