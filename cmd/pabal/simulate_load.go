package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"time"

	"pabal/filemgr"
	"pabal/instance"
	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/simulator"
	"pabal/simulator/load"
	"pabal/store"
	"pabal/transfer"
)

// loadInstitutions is how many there are if nobody says so, as far as the codes
// of the profile go.
const loadInstitutions = 200

// simulateLoad has many institutions talk to one server at the same time: to a
// given one, or to one that is made for it, which is compared with at the end.
func (a *app) simulateLoad(ctx context.Context, profile string, f simulateFlags) (err error) {
	for _, n := range []struct {
		flag  string
		value int
	}{{"--institutions", f.institutions}, {"--files", f.files}, {"--sessions", f.sessions}} {
		if n.value < 1 && !(n.flag == "--institutions" && n.value == 0) || n.value > 10_000 {
			return usageError{fault.New(codeBenchNumber, n.flag, "value", n.value)}
		}
	}
	if f.listen != "" {
		return usageError{fault.New(codeFlagsExclude, "--load", "other", "--listen")}
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
	names, err := load.For(p)
	switch {
	case err != nil:
		return err
	case !p.Session.MayCall(protocol.InstitutionSide, f.receive):
		return fault.New(codeLoadCalls, p.Name)
	}
	if f.institutions == 0 {
		f.institutions = min(loadInstitutions, names.MostCodes())
	}
	for _, n := range []struct {
		flag        string
		value, most int
	}{{"--institutions", f.institutions, names.MostCodes()}, {"--files", f.files, names.MostFiles()}} {
		if n.value > n.most {
			return usageError{fault.New(codeLoadTooMany, n.flag, "value", n.value, "profile", p.Name, "most", n.most)}
		}
	}
	dir, err := a.workingDir(f.dir, "pabal-load-")
	if err != nil {
		return err
	}
	o := load.Options{
		Names: names, Fetch: f.receive, Dir: filepath.Join(dir, "institutions"),
		Institutions: f.institutions, Files: f.files, Bytes: names.Size(size), Sessions: f.sessions, Calls: 3,
	}
	var at simulator.Options
	if err := f.secure(&at); err != nil {
		return err
	}
	o.Tune = func(_ int, opt *simulator.Options) { opt.TLS = at.TLS }
	bar := newLoadBar(a, o.Institutions*o.Files)
	defer bar.close()
	var server *throwaway
	if f.connect == "" {
		if server, err = loadServer(ctx, p, filepath.Join(dir, "site"), &o, bar.passed(a.text("ui.load.storing"))); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, server.close()) }()
	} else if o.Address, err = loadAddresses(f.connect, p, o.Fetch); err != nil {
		return err
	}
	o.Passed = bar.passed(a.text("ui.load.going"))
	r, err := load.Run(ctx, o)
	bar.close()
	if err != nil {
		return err
	}
	out := loadResult{Result: r}
	if server != nil {
		if out.Compared, out.Lost, err = server.compareLoad(ctx, o, r); err != nil {
			return err
		}
	}
	return a.sayLoad(out)
}

// ownAddress: an institution that calls and does not open is known by the address
// that it calls, so each has one.
func ownAddress(p *protocol.Profile, fetch bool) bool {
	return p.Session.OpensCalled(protocol.CentreSide, fetch)
}

// loadAddresses are those of a given server: one for all, or from its port on
// one for each.
func loadAddresses(address string, p *protocol.Profile, fetch bool) (func(int) string, error) {
	host, port, err := net.SplitHostPort(address)
	first, bad := strconv.Atoi(port)
	if err != nil || bad != nil {
		return nil, usageError{fault.New(codeFlagValue, "--connect", "value", address)}
	}
	return func(n int) string {
		if ownAddress(p, fetch) {
			return net.JoinHostPort(host, strconv.Itoa(first+n))
		}
		return address
	}, nil
}

// loadServer runs a server that knows the institutions of a load and, where they
// fetch, has stored the files for them, of which it tells stored.
func loadServer(ctx context.Context, p *protocol.Profile, dir string, o *load.Options, stored func(done, of int)) (_ *throwaway, err error) {
	t, err := newThrowaway(dir)
	if err != nil {
		return nil, err
	}
	way, address := transfer.Receive, "127.0.0.1:0"
	if o.Fetch {
		way = transfer.Send
	}
	t.o.Poll, t.o.MaxSessions = time.Second, o.Sessions+loadInstitutions
	own := ownAddress(p, o.Fetch)
	if !own {
		t.o.Listen = []instance.Listen{{Address: address, Profile: p}}
	}
	for n := range o.Institutions {
		who := o.Names.Institution(n)
		in := instance.Institution{Code: loadInstitution(o.Names, n), Profile: p, Side: protocol.CentreSide,
			WireCode: who.Institution, Self: who.Peer, Peer: who.Self}
		if p.Carries(protocol.Open, protocol.SenderName) || p.Has(protocol.Login) {
			in.Expect = instance.Credentials{Name: load.Sender, Password: load.Password}
			in.Sender = in.Expect
		}
		t.o.Institutions = append(t.o.Institutions, in)
		if own {
			l := instance.Listen{Address: address, Profile: p, SendsTo: in.Code}
			if !o.Fetch {
				l.SendsTo, l.FetchesFrom = "", in.Code
			}
			t.o.Listen = append(t.o.Listen, l)
		}
		t.register("L", in.Code, way)
		reg := &t.o.Files[n]
		if way == transfer.Receive {
			reg.WireName = o.Names.Script()
		}
		if l := o.Names.Record(); l > 0 {
			reg.Form = filemgr.Form{Kind: filemgr.Fixed, Length: l}
		}
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, t.close())
		}
	}()
	if err = t.start(ctx, ""); err != nil {
		return nil, err
	}
	all := t.in.Addresses()
	o.Address = func(n int) string { return all[n%len(all)] }
	if !o.Fetch {
		return t, nil
	}
	return t, t.stock(ctx, o, stored)
}

// loadStill is how long a server may do nothing before it is not waited for any
// more.
const loadStill = 2 * time.Minute

// loadInstitution is what a server made for a load calls the nth.
func loadInstitution(n load.Names, of int) string { return "M" + n.Code(of) }

// stock drops the files that are to be fetched and waits until all are stored.
func (t *throwaway) stock(ctx context.Context, o *load.Options, told func(done, of int)) error {
	for n := range o.Institutions {
		for k := range o.Files {
			name := strings.Join([]string{"L", o.Names.File(k), loadInstitution(o.Names, n), throwawayJob}, ".")
			tmp := t.path("scan", "."+name)
			err := os.WriteFile(tmp, o.Names.Content(n, k, o.Bytes), 0o600)
			if err == nil {
				err = os.Rename(tmp, t.path("scan", name))
			}
			if err != nil {
				return fault.New(codeCannotWrite, tmp).Because(err)
			}
		}
	}
	all := o.Institutions * o.Files
	for before := -1; ; {
		now := 0
		ok, err := t.await(ctx, store.Filter{Direction: transfer.Send}, loadStill, func(list []*transfer.Transfer) bool {
			now = 0
			for _, row := range list {
				if row.Status == transfer.Stored {
					now++
				}
			}
			return now > before
		})
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case !ok: // nothing has moved for long
			return fault.New(codeLoadNotStored, "", "stored", now, "files", all, "log", t.path("log"))
		}
		told(now, all)
		if now == all {
			return nil
		}
		before = now
	}
}

// compareLoad holds what an end has confirmed against what the other has: those
// that are not the same there, or not there, are lost.
func (t *throwaway) compareLoad(ctx context.Context, o load.Options, r load.Result) (compared, lost int, err error) {
	passed := map[string]string{} // digest by institution and name
	for _, f := range r.Passed {
		passed[loadInstitution(o.Names, f.Institution)+" "+f.Name] = f.SHA256
	}
	if o.Fetch { // what the server has said to be sent came whole
		rows, err := t.st.List(ctx, store.Filter{Direction: transfer.Send})
		if err != nil {
			return 0, 0, err
		}
		for _, row := range rows {
			if row.Status == transfer.Sent && passed[row.Institution+" "+row.WireName] != row.FileDigest {
				lost++
			}
		}
		for _, f := range r.Passed {
			k, _ := strconv.Atoi(strings.TrimPrefix(f.Name, "L"))
			if sum := sha256.Sum256(o.Names.Content(f.Institution, k, o.Bytes)); hex.EncodeToString(sum[:]) != f.SHA256 {
				lost++
			}
		}
		return len(r.Passed), lost, nil
	}
	// What was confirmed is put together behind the sessions. That may take its
	// time on a busy machine: only one that stands still is given up.
	var rows []*transfer.Transfer
	for before := -1; len(rows) > before && len(rows) < len(passed) && ctx.Err() == nil; {
		before = len(rows)
		_, err = t.await(ctx, store.Filter{Direction: transfer.Receive, Statuses: []transfer.Status{transfer.Assembled}}, loadStill,
			func(list []*transfer.Transfer) bool { rows = list; return len(list) > before })
		if err != nil {
			return 0, 0, err
		}
	}
	for _, row := range rows {
		key := row.Institution + " " + row.WireName
		sum, _, err := fileSum(row.FinalPath)
		if err != nil {
			return 0, 0, err
		}
		if passed[key] == sum {
			delete(passed, key)
		}
	}
	return len(r.Passed), len(passed), nil
}

// loadBar shows how far a load is: a bar on a terminal, else a line for each
// tenth.
type loadBar struct {
	*stepBar
	a      *app
	tenths int
}

func newLoadBar(a *app, total int) *loadBar {
	b := &loadBar{stepBar: newStepBar(a), a: a}
	b.total = total
	return b
}

// passed begins a new way through the bar.
func (b *loadBar) passed(label string) func(done, of int) {
	b.tenths = 0
	return func(done, of int) {
		tenths := done * 10 / of
		switch {
		case b.terminal && !b.a.json:
			b.done = done
			b.begin(label)
		case tenths > b.tenths && b.a.json:
			_ = b.a.writeJSON(b.a.out, map[string]any{"event": "progress", "doing": label, "done": done, "of": of})
		case tenths > b.tenths:
			fmt.Fprintf(b.w, "%d/%d  %s\n", done, of, label)
		}
		b.tenths = tenths
	}
}

// loadResult is what is printed of a load.
type loadResult struct {
	load.Result
	Compared int `json:"compared"` // with the other end
	Lost     int `json:"lost"`
}

func (a *app) sayLoad(r loadResult) error {
	if a.json {
		seconds := func(d time.Duration) float64 { return d.Seconds() }
		err := a.writeJSON(a.out, struct {
			Event string `json:"event"`
			loadResult
			Median float64 `json:"median_seconds"`
			P95    float64 `json:"p95_seconds"`
			P99    float64 `json:"p99_seconds"`
			Most   float64 `json:"most_seconds"`
		}{"load", r, seconds(r.Median), seconds(r.P95), seconds(r.P99), seconds(r.Most)})
		if err != nil {
			return err
		}
	} else {
		round := func(d time.Duration) string { return d.Round(time.Millisecond).String() }
		fmt.Fprintln(a.out, a.text("ui.load.result", "institutions", r.Institutions, "files", r.Files, "failed", r.Failed, "sessions", r.Sessions,
			"seconds", fmt.Sprintf("%.2f", r.Seconds), "rate", fmt.Sprintf("%.1f", r.PerSecond)))
		fmt.Fprintln(a.out, a.text("ui.load.times", "median", round(r.Median), "p95", round(r.P95), "p99", round(r.P99), "most", round(r.Most)))
		if r.Compared > 0 {
			fmt.Fprintln(a.out, a.text("ui.load.compared", "compared", r.Compared, "lost", r.Lost))
		}
		var codes []string
		for code, n := range r.Errors {
			codes = append(codes, fmt.Sprintf("%s %d", code, n))
		}
		sort.Strings(codes)
		if len(codes) > 0 {
			fmt.Fprintln(a.out, a.text("ui.load.errors", "errors", strings.Join(codes, ", ")))
		}
	}
	switch {
	case r.Lost > 0:
		return fault.New(codeLoadLost, "", "lost", r.Lost, "compared", r.Compared)
	case r.Failed > 0:
		return fault.New(codeLoadFailed, "", "failed", r.Failed)
	}
	return nil
}
