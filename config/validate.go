package config

import (
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // the business zone must load on machines without zone files

	"pabal/internal/fault"
)

// validator proves what the form of the file alone does not: required values,
// references, and things that exclude each other. What needs the knowledge of
// another package (scripts, profiles, expressions) is that package's to check.
type validator struct {
	c        *Config
	problems Problems
	bad      map[string]bool // paths that have a problem already
	broken   map[string]bool // paths under which everything is unknown
}

// add notes a problem, unless it only follows from one that is noted already.
func (v *validator) add(path string, f *fault.Error) {
	if v.bad[path] {
		return
	}
	for around := path; around != ""; around = parent(around) {
		if v.broken[around] {
			return
		}
	}
	v.bad[path] = true
	at := v.c.index.locate(path)
	v.problems = append(v.problems, Problem{Problem: fault.Problem{Path: path, Err: f},
		File: v.c.index.fileOf(path), Line: at.line, Column: at.column})
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// required wants a text at path.key.
func (v *validator) required(path, key, value string) bool {
	if value == "" {
		v.add(join(path, key), fault.New(CodeRequired, join(path, key), "field", key))
	}
	return value != ""
}

// oneOf wants one of the known words; "" passes.
func (v *validator) oneOf(path, value string, known ...string) {
	if value == "" || slices.Contains(known, value) {
		return
	}
	if n := near(value, known); n != "" {
		v.add(path, fault.New(CodeNotOneOfNear, value, "known", strings.Join(known, ", "), "near", n))
		return
	}
	v.add(path, fault.New(CodeNotOneOf, value, "known", strings.Join(known, ", ")))
}

// between wants low ≤ value ≤ high.
func (v *validator) between(path string, value, low, high int64) {
	if value < low || value > high {
		v.add(path, fault.New(CodeOutOfRange, strconv.FormatInt(value, 10), "low", low, "high", high))
	}
}

// lasts wants a duration between low and high.
func (v *validator) lasts(path string, value, low, high time.Duration) {
	if value < low || value > high {
		v.add(path, fault.New(CodeOutOfRange, value.String(), "low", low, "high", high))
	}
}

// unique wants every key once; seen keeps the path at which each stood first.
func (v *validator) unique(seen map[string]string, path, key, shown string) {
	if first, twice := seen[key]; twice {
		at := v.c.index.locate(first)
		v.add(path, fault.New(CodeTwice, shown, "line", at.line))
		return
	}
	seen[key] = path
}

func (v *validator) check() {
	c := v.c
	if v.required("", "environment", c.Environment) {
		v.oneOf("environment", c.Environment, environments()...)
	}
	v.required("", "host", c.Host)
	v.lasts("lease", c.Lease, leaseLow, leaseHigh)
	v.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	v.oneOf("log.format", c.Log.Format, "auto", "text", "json")
	v.oneOf("database.keeper", c.Database.Keeper, KeeperDatabase, KeeperFiles)
	if c.Database.Keeper == KeeperFiles && len(c.Database.PayloadKeys) > 0 {
		v.add("database.keeper", fault.New(CodeKeeperInClear, KeeperFiles))
	}
	v.lasts("database.wait", c.Database.Wait, 0, 24*time.Hour)
	v.retention()
	v.access()
	v.oneOf("mask", c.Mask, MaskReason, MaskAlways)
	v.sessionLog()
	v.directories()
	v.zone()
	if !c.complete {
		// Hosts that share a database each run instances of their own.
		if len(c.Runs) == 0 && !strings.HasPrefix(c.Database.URL, sqlite) {
			v.required("", "runs", "")
		}
		return
	}
	v.lasts("scan.every", c.Scan.Every, 10*time.Millisecond, time.Hour)
	v.lasts("scan.settle", c.Scan.Settle, 0, time.Hour)
	v.runs()
	v.instances()
	v.routers()
	v.institutions()
	v.jobs()
	for i := range c.Files {
		v.file(fmt.Sprintf("files[%d]", i), &c.Files[i])
	}
}

// Bounds of a lease. A shorter one would be lost to a slow disk, a longer one
// keeps everybody waiting for a host that has died.
const (
	leaseLow  = 2 * time.Second
	leaseHigh = 10 * time.Minute
)

// retention wants what others rest on to stay at least as long as they: a row
// tells where its content is, a backup replaces content that was deleted.
func (v *validator) retention() {
	const century = 100 * 365 * 24 * time.Hour
	r := v.c.Retention
	v.lasts("retention.payload", r.Payload, 0, century)
	for _, k := range []struct {
		key  string
		keep time.Duration
		rest bool // must stay as long as payload
	}{{"transfers", r.Transfers, true}, {"events", r.Events, false}, {"sessions", r.Sessions, false}, {"backup", r.Backup, true}, {"error", r.Error, false}, {"journal", r.Journal, false}} {
		path := "retention." + k.key
		v.lasts(path, k.keep, 0, century)
		switch {
		case k.keep == 0:
		case k.keep < 24*time.Hour:
			v.add(path, fault.New(CodeOutOfRange, k.keep.String(), "low", 24*time.Hour, "high", century))
		case k.rest && (k.keep < r.Payload || r.Payload == 0 && k.key == "transfers"):
			v.add(path, fault.New(CodeKeptTooShort, path, "keep", k.keep, "payload", r.Payload))
		}
	}
}

// sessionLog refuses content in clear where it is nowhere else.
func (v *validator) sessionLog() {
	l := v.c.SessionLog
	levels := []string{LogOff, LogHeaders, LogBodies}
	v.oneOf("session_log.level", l.Level, levels...)
	v.lasts("session_log.keep", l.Keep, 0, 100*365*24*time.Hour)
	v.between("session_log.session", int64(l.Session), 64<<10, 1<<40)
	v.between("session_log.total", int64(l.Total), int64(l.Session), 1<<50)
	why := ""
	switch {
	case len(v.c.Database.PayloadKeys) > 0:
		why = "database.payload_keys"
	case v.c.Mask == MaskAlways:
		why = "mask"
	}
	if l.Level == LogBodies && why != "" {
		v.add("session_log.level", fault.New(CodeBodiesInClear, why))
	}
	for i, in := range v.c.Institutions {
		path := fmt.Sprintf("institutions[%d]", i)
		v.oneOf(path+".session_log", in.SessionLog, levels...)
		switch {
		case in.SessionLog != LogBodies && (in.SessionLog != "" || l.Level != LogBodies):
		case why != "" && in.SessionLog == LogBodies:
			v.add(path+".session_log", fault.New(CodeBodiesInClear, why))
		case in.Mask == MaskAlways:
			v.add(path+".session_log", fault.New(CodeBodiesInClear, path+".mask"))
		}
	}
}

func (v *validator) zone() {
	location, err := time.LoadLocation(v.c.Zone)
	if err != nil || v.c.Zone == "" || v.c.Zone == "Local" {
		v.add("zone", fault.New(CodeBadZone, v.c.Zone))
		location = time.UTC
	}
	v.c.location = location
}

const sqlite = "sqlite:"

// resolve makes the paths absolute, seen from the directory of the file.
func (v *validator) resolve(dir string) {
	resolve := func(path *string) {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(dir, *path)
		}
	}
	c := v.c
	for _, path := range []*string{&c.System.Scan, &c.System.Work, &c.System.Receive, &c.System.Result, &c.Profiles.Directory} {
		resolve(path)
	}
	for _, path := range c.certificates() {
		resolve(path)
	}
	if !v.required("database", "url", c.Database.URL) {
		return
	}
	if file, ok := strings.CutPrefix(c.Database.URL, sqlite); ok && file != "" {
		resolve(&file)
		c.Database.URL = sqlite + file
	} else if !strings.HasPrefix(c.Database.URL, "postgres://") && !strings.HasPrefix(c.Database.URL, "postgresql://") {
		scheme, _, _ := strings.Cut(c.Database.URL, ":") // what follows may hold a password
		v.add("database.url", fault.New(CodeBadDatabase, scheme))
	}
}

// directories must be distinct and none inside another: a file that is moved
// into one must not be found in a second. Backup and error stand beside the
// scan directory.
func (v *validator) directories() {
	type directory struct{ path, at, name string }
	s := v.c.System
	var all []directory
	for _, d := range []directory{
		{s.Scan, "system.SCAN_DIRECTORY_NAME", "SCAN_DIRECTORY_NAME"},
		{s.Work, "system.WORK_DIRECTORY_NAME", "WORK_DIRECTORY_NAME"},
		{s.Receive, "system.RECEIVE_DIRECTORY_NAME", "RECEIVE_DIRECTORY_NAME"},
	} {
		if v.required("system", d.name, d.path) {
			all = append(all, d)
		}
	}
	if s.Result != "" {
		all = append(all, directory{s.Result, "system.RESULT_DIRECTORY_NAME", "RESULT_DIRECTORY_NAME"})
	}
	if s.Scan != "" {
		beside := filepath.Dir(s.Scan)
		all = append(all,
			directory{filepath.Join(beside, "backup"), "system.SCAN_DIRECTORY_NAME", "backup"},
			directory{filepath.Join(beside, "error"), "system.SCAN_DIRECTORY_NAME", "error"})
	}
	if file, ok := strings.CutPrefix(v.c.Database.URL, sqlite); ok && file != "" {
		all = append(all, directory{file, "database.url", "database.url"})
	}
	for i, b := range all {
		for _, a := range all[:i] {
			at := b.at
			if b.name == "backup" || b.name == "error" {
				at = a.at // the other one was written by a person
			}
			pa, pb := filepath.Clean(a.path), filepath.Clean(b.path)
			switch {
			case pa == pb:
				v.add(at, fault.New(CodeDirectorySame, pb, "first", a.name, "second", b.name))
			case inside(pa, pb):
				v.add(at, fault.New(CodeDirectoryInside, pb, "inner", b.name, "outer", a.name))
			case inside(pb, pa):
				v.add(at, fault.New(CodeDirectoryInside, pa, "inner", a.name, "outer", b.name))
			}
		}
	}
}

// inside reports that path lies below dir.
func inside(dir, path string) bool {
	return strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

// runs wants instances that there are, and puts the addresses of this host in
// the place of those of the document.
func (v *validator) runs() {
	c := v.c
	ids := map[string]string{}
	for i := range c.Runs {
		r := &c.Runs[i]
		path := fmt.Sprintf("runs[%d]", i)
		if !v.required(path, "instance", r.Instance) {
			continue
		}
		v.unique(ids, path+".instance", r.Instance, r.Instance)
		v.instance(path, &r.Instance)
		n := slices.IndexFunc(c.Instances, func(in Instance) bool { return in.ID == r.Instance })
		if n >= 0 && len(r.Listen) > 0 {
			c.Instances[n].Listen = r.Listen
			c.index.moved[fmt.Sprintf("instances[%d].listen", n)] = path + ".listen"
		}
	}
}

// literals refuses passwords that are written out in the shared part: it is
// stored as it is written, and is copied with the database and to every host.
func (v *validator) literals(paths []string) {
	for _, path := range paths {
		v.add(path, fault.New(CodeSecretLiteral, path))
	}
}

func (v *validator) instances() {
	if len(v.c.Instances) == 0 {
		v.required("", "instances", "")
	}
	ids, works := map[string]string{}, map[string]string{}
	listens := []struct{ host, port, path string }{}
	for i := range v.c.Instances {
		in := &v.c.Instances[i]
		path := fmt.Sprintf("instances[%d]", i)
		if v.required(path, "id", in.ID) {
			at := path + ".id"
			if strings.Trim(in.ID, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" || strings.Trim(in.ID, "_") == "" {
				v.add(at, fault.New(CodeBadInstanceID, in.ID))
			}
			v.unique(ids, at, in.ID, in.ID)
			work := strings.ReplaceAll(in.ID, "_", "") // design §5, Directories
			if first, taken := works[work]; taken {
				v.add(at, fault.New(CodeInstanceDirectory, in.ID, "other", first, "directory", work))
			}
			works[work] = in.ID
		}
		v.between(path+".sessions", int64(in.Sessions), 1, 100000)
		v.door(path+".limits", in)
		for j, l := range in.Listen {
			lp := fmt.Sprintf("%s.listen[%d]", path, j)
			v.required(lp, "profile", l.Profile)
			v.listenTLS(lp+".tls", l.TLS)
			if !v.required(lp, "address", l.Address) || !v.address(lp+".address", l.Address, 0) {
				continue
			}
			host, port, _ := net.SplitHostPort(l.Address)
			if port == "0" || !v.c.RunsHere(in.ID) {
				continue
			}
			for _, other := range listens {
				if port == other.port && (host == other.host || wildcard(host) || wildcard(other.host)) {
					v.add(lp+".address", fault.New(CodeAddressTwice, l.Address, "line", v.c.index.locate(other.path).line))
				}
			}
			listens = append(listens, struct{ host, port, path string }{host, port, lp + ".address"})
		}
	}
}

func wildcard(host string) bool { return host == "" || host == "0.0.0.0" || host == "::" }

// address wants host:port with a number for the port.
func (v *validator) address(path, address string, lowest uint64) bool {
	host, port, err := net.SplitHostPort(address)
	n, errPort := strconv.ParseUint(port, 10, 16)
	if err != nil || errPort != nil || n < lowest || strings.ContainsAny(host, " /") || lowest > 0 && host == "" {
		v.add(path, fault.New(CodeBadAddress, address))
		return false
	}
	return true
}

func (v *validator) routers() {
	c := v.c
	if len(c.Routers) == 0 && len(c.Instances) == 1 && !v.bad["routers"] {
		c.Routers = []Router{{ID: ScanRouter, Kind: KindInstance, Instance: c.Instances[0].ID}}
		return
	}
	ids := map[string]string{}
	for i := range c.Routers {
		r := &c.Routers[i]
		path := fmt.Sprintf("routers[%d]", i)
		if v.required(path, "id", r.ID) {
			v.unique(ids, path+".id", r.ID, r.ID)
		}
		switch r.Kind {
		case "배치인스턴스":
			r.Kind = KindInstance
		case "배치분배인스턴스":
			r.Kind = KindDistributor
		}
		if v.required(path, "kind", r.Kind) {
			v.oneOf(path+".kind", r.Kind, KindInstance, KindDistributor, "배치인스턴스", "배치분배인스턴스")
		}
		v.instance(path, &r.Instance)
	}
	if _, ok := ids[ScanRouter]; !ok && len(c.Instances) > 0 {
		v.add("routers", fault.New(CodeNoScanRouter, ScanRouter))
	}
}

func (v *validator) instanceIDs() (known []string) {
	for _, in := range v.c.Instances {
		if !slices.Contains(known, in.ID) {
			known = append(known, in.ID)
		}
	}
	return known
}

// standby wants known instances, each once, and not the one that they stand
// behind.
func (v *validator) standby(path string, in *Institution) {
	seen := map[string]string{in.Instance: path + ".instance"}
	known := v.instanceIDs()
	for n, id := range in.Standby {
		at := fmt.Sprintf("%s.standby[%d]", path, n)
		if !v.bad["instances"] && !slices.Contains(known, id) {
			v.add(at, fault.New(CodeNoInstance, id, "known", strings.Join(known, ", ")))
		}
		v.unique(seen, at, id, id)
	}
}

// instance wants a known instance at path.instance; the only one is the default.
func (v *validator) instance(path string, id *string) {
	known := v.instanceIDs()
	at := path + ".instance"
	switch {
	case v.bad["instances"] || len(known) == 0 || slices.Contains(known, *id):
	case *id == "" && len(known) == 1:
		*id = known[0]
	case *id == "":
		v.add(at, fault.New(CodeWhichInstance, at, "known", strings.Join(known, ", ")))
	default:
		v.add(at, fault.New(CodeNoInstance, *id, "known", strings.Join(known, ", ")))
	}
}
