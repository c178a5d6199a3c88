package main

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"pabal/config"
	"pabal/filemgr"
	"pabal/instance"
	"pabal/internal/fault"
	"pabal/naming"
	"pabal/protocol"
	"pabal/protocol/sessionlog"
	"pabal/store"
	"pabal/transfer"
)

// site is a configuration put into the options of the packages that run it.
type site struct {
	cfg       *config.Config
	dirs      filemgr.Dirs
	instances []instance.Options // those of this host, in the order of the file
	given     []ownership        // who gets files, where that is said
	keys      []store.Key        // that seal payload
}

// wire turns the configuration into options. Problems have the paths of the
// file.
func wire(cfg *config.Config) (*site, []fault.Problem) {
	w := &wiring{cfg: cfg}
	var keys []store.Key
	if cfg.SecretsRead() { // whoever has not looked them up does not judge them
		keys, w.problems = payloadKeys(cfg)
	}
	w.loadProfiles()
	all := instance.Options{Zone: cfg.Location()}
	all.Access = w.access()
	for n := range cfg.Institutions {
		all.Institutions = append(all.Institutions, w.institution(n))
	}
	for n := range cfg.Files {
		all.Files = append(all.Files, w.file(n))
	}
	all.Listen = w.listen()
	for _, p := range all.Validate() {
		p.Path = w.pathOf(p.Path)
		w.problems = append(w.problems, p)
	}
	s := &site{cfg: cfg, keys: keys, given: w.given, dirs: filemgr.Dirs{Scan: cfg.System.Scan, Work: cfg.System.Work, Receive: cfg.System.Receive}}
	for n := range cfg.Instances {
		if !cfg.RunsHere(cfg.Instances[n].ID) {
			continue
		}
		s.instances = append(s.instances, w.instance(n, all, s.dirs))
	}
	return s, w.problems
}

// payloadKeys reads the keys that seal stored content.
func payloadKeys(cfg *config.Config) (keys []store.Key, problems []fault.Problem) {
	for n, secret := range cfg.Database.PayloadKeys {
		path := fmt.Sprintf("database.payload_keys[%d]", n)
		k, err := store.ParseKey(secret.Reveal())
		if err != nil {
			problems = append(problems, fault.Problem{Path: path, Err: fault.As(err)})
			continue
		}
		for _, other := range keys {
			if other.ID() == k.ID() {
				problems = append(problems, fault.Problem{Path: path, Err: fault.New(codeKeyTwice, k.ID())})
			}
		}
		keys = append(keys, k)
	}
	return keys, problems
}

type wiring struct {
	cfg      *config.Config
	profiles map[string]*protocol.Profile // those that are named
	known    []string                     // all that could be
	problems []fault.Problem
	listens  [][]instance.Listen // by instance of the file
	listenAt []string            // the paths of all of them, in their order
	given    []ownership
}

func (w *wiring) bad(path string, e *fault.Error) {
	w.problems = append(w.problems, fault.Problem{Path: path, Err: e})
}

// loadProfiles reads the site's own, and of those that come with the program the
// ones that are named: each takes longer to compile than most commands. They may
// extend one another. A site's own does not take the name of another: what runs
// must be plain.
func (w *wiring) loadProfiles() {
	w.profiles = map[string]*protocol.Profile{}
	const at = "profiles.directory"
	lib := newLibrary()
	unnamed := map[string]bool{}
	for _, name := range lib.Names() {
		unnamed[name] = true
	}
	for _, in := range w.cfg.Institutions {
		delete(unnamed, in.Profile)
	}
	for _, in := range w.cfg.Instances {
		for _, l := range in.Listen {
			delete(unnamed, l.Profile)
		}
	}
	if dir := w.cfg.Profiles.Directory; dir != "" {
		w.ownProfiles(at, dir, lib)
	}
	for _, name := range lib.Names() {
		if !unnamed[name] {
			p, err := lib.Load(name)
			if err != nil {
				w.all(at, err)
				continue
			}
			w.profiles[name] = p
		}
		w.known = append(w.known, name)
	}
}

// ownProfiles adds the profiles of a directory.
func (w *wiring) ownProfiles(at, dir string, lib *protocol.Library) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		w.bad(at, fault.New(codeProfileDirectory, dir).Because(err))
	}
	for _, e := range entries {
		if e.IsDir() || filemgr.Ignored(e.Name()) || filepath.Ext(e.Name()) != ".yaml" {
			continue
		}
		path := filepath.Join(dir, e.Name())
		text, err := os.ReadFile(path)
		if err != nil {
			w.bad(at, fault.New(codeProfileDirectory, path).Because(err))
			continue
		}
		known := lib.Names()
		name, err := lib.Add(path, text)
		switch {
		case err != nil:
			w.all(at, err)
		case slices.Contains(known, name):
			w.bad(at, fault.New(codeProfileTwice, path, "profile", name))
		}
	}
}

// all notes every fault that err joins.
func (w *wiring) all(path string, err error) {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range many.Unwrap() {
			w.all(path, one)
		}
		return
	}
	if e := fault.As(err); e != nil {
		w.bad(path, e)
		return
	}
	w.bad(path, fault.New(codeProfileDirectory, path).Because(err))
}

func (w *wiring) profile(path, name string) *protocol.Profile {
	p := w.profiles[name]
	if p == nil {
		w.bad(path, fault.New(protocol.CodeProfileUnknown, name, "known", strings.Join(w.known, ", ")))
	}
	return p
}

// listen gathers the addresses of the instances of this host.
func (w *wiring) listen() (all []instance.Listen) {
	w.listens = make([][]instance.Listen, len(w.cfg.Instances))
	for n, in := range w.cfg.Instances {
		for j, l := range in.Listen {
			if !w.cfg.RunsHere(in.ID) {
				break
			}
			path := fmt.Sprintf("instances[%d].listen[%d]", n, j)
			one := instance.Listen{Address: l.Address, Profile: w.profile(path+".profile", l.Profile), SendsTo: l.SendsTo, FetchesFrom: l.FetchesFrom, TLS: w.serverTLS(path+".tls", l.TLS)}
			w.listens[n], w.listenAt = append(w.listens[n], one), append(w.listenAt, path)
			all = append(all, one)
		}
	}
	return all
}

// instance is one running identity. Every instance knows all institutions and
// files, because whoever cuts a file into blocks must know its form; it calls
// only its own institutions.
func (w *wiring) instance(n int, all instance.Options, dirs filemgr.Dirs) instance.Options {
	in := &w.cfg.Instances[n]
	o := all
	o.ID, o.Place, o.PID = in.ID, w.cfg.Host, os.Getpid()
	o.Dirs, o.Result = dirs, w.cfg.System.Result
	o.InFiles = w.cfg.Database.Keeper == config.KeeperFiles
	o.ScanEvery, o.Settle = w.cfg.Scan.Every, w.cfg.Scan.Settle
	keep := w.cfg.Retention
	o.Retention = instance.Retention{
		Payload: keep.Payload, Transfers: keep.Transfers, Events: keep.Events, Sessions: keep.Sessions,
		Backup: keep.Backup, Error: keep.Error,
	}
	said := w.cfg.SessionLog
	o.SessionLog = sessionlog.Options{Dir: sessionLogs(w.cfg), Level: sessionlog.Level(said.Level), Keep: said.Keep,
		Session: int64(said.Session), Total: int64(said.Total)}
	for _, r := range w.cfg.Routers {
		o.Scans = o.Scans || r.ID == config.ScanRouter && r.Instance == in.ID
	}
	o.Listen = w.listens[n]
	o.MaxSessions, o.Door = in.Sessions, door(in.Limits)
	o.Institutions = slices.Clone(all.Institutions)
	for j := range o.Institutions {
		callers := append([]string{w.cfg.Institutions[j].Instance}, w.cfg.Institutions[j].Standby...)
		switch at := slices.Index(callers, in.ID); at {
		case -1:
			o.Institutions[j].Connect, o.Institutions[j].Windows = "", nil
		default:
			o.Institutions[j].Before = callers[:at]
		}
	}
	return o
}

func (w *wiring) institution(n int) instance.Institution {
	in := &w.cfg.Institutions[n]
	path := fmt.Sprintf("institutions[%d]", n)
	side, _ := protocol.ParseSide(in.Side) // config has refused others
	o := instance.Institution{
		Code: in.Code, Profile: w.profile(path+".profile", in.Profile), Side: side,
		WireCode: in.WireCode, Connect: in.Connect,
		SendSessions: in.Sessions.Send, ReceiveSessions: in.Sessions.Receive,
		RetryFirst: in.Retry.First, RetryMax: in.Retry.Max, RetryTries: in.Retry.Tries,
		ConnectTimeout: in.Timeouts.Connect, Reply: in.Timeouts.Reply,
		MessageSize: int(in.MessageSize), Rounds: in.Rounds, ResumeAge: in.ResumeAge, RepeatAge: in.RepeatAge,
		Repeat: protocol.Repeat(in.Repeat), SessionLog: sessionlog.Level(in.SessionLog),
	}
	if p := o.Profile; p != nil && in.Business != "" {
		own, err := p.ForBusiness(in.Business)
		if err != nil {
			w.bad(path+".business", fault.As(err))
		} else {
			o.Profile = own
		}
	}
	if p := o.Profile; p != nil && p.Carries(protocol.Open, protocol.From) {
		// The header names both sides (protocols §3); wire_code is ours.
		o.Self, o.Peer = in.WireCode, in.PeerCode
	}
	w.credentials(path, in, &o)
	for _, win := range in.Windows {
		o.Windows = append(o.Windows, instance.Window{From: sinceMidnight(win.From), To: sinceMidnight(win.To), Every: win.Every, Days: weekdays(win.Days)})
	}
	for _, c := range in.Closed {
		o.Closed = append(o.Closed, instance.Closed{From: sinceMidnight(c.From), To: sinceMidnight(c.To), Send: c.For != "receive", Receive: c.For != "send"})
	}
	w.protect(path, in, &o)
	w.options(path+".options", in.Options, &o)
	return o
}

// options of an institution's profile, by name.
func (w *wiring) options(path string, given map[string]config.Secret, o *instance.Institution) {
	yes := func(name string, v config.Secret, into *bool) {
		b, err := strconv.ParseBool(v.Reveal())
		if err != nil {
			w.bad(path+"."+name, fault.New(codeBadOption, name))
		}
		*into = b
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		switch v := given[name]; name {
		case "gzip":
			yes(name, v, &o.Gzip)
		case "ebcdic":
			yes(name, v, &o.EBCDIC)
		case "transfer_password":
			o.TransferPassword = v.Reveal()
			if p := o.Profile; p != nil && !p.Carries(protocol.Info, protocol.Password) && !p.Carries(protocol.Fetch, protocol.Password) {
				w.bad(path+"."+name, fault.New(codeNoTransferPass, o.Code, "profile", p.Name))
			} else if p != nil {
				w.fits(path+"."+name, o.Code, p, protocol.Password, o.TransferPassword, func(protocol.Kind) bool { return true })
			}
		default:
			w.bad(path+"."+name, fault.New(codeUnknownOption, name, "known", "gzip, ebcdic, transfer_password"))
		}
	}
}

func sinceMidnight(t config.TimeOfDay) time.Duration { return time.Duration(t) * time.Minute }

func weekdays(names []string) []time.Weekday {
	var out []time.Weekday
	for _, name := range names {
		for d := time.Sunday; d <= time.Saturday; d++ {
			if strings.EqualFold(d.String()[:3], name) {
				out = append(out, d)
			}
		}
	}
	return out
}

func (w *wiring) file(n int) instance.File {
	f := &w.cfg.Files[n]
	direction := transfer.Direction(f.Direction)
	return instance.File{
		Registration: naming.Registration{
			FileID: f.ID, Institution: f.Institution, Job: f.Job, Direction: direction,
			WireName: f.WireName, Suffixes: f.Suffixes, ReceiveName: f.ReceiveName,
			Parse: f.Custom.Parse, Format: f.Custom.Format, Examples: f.Custom.Examples,
		},
		Form: w.form(n, f.Record), Packing: filemgr.Packing(f.Packing), Checks: checks(f),
		FlagReady: f.Flag.Ready, FlagPlaced: f.Flag.Placed, Result: f.Result,
		AllParts: f.Parts == "all", CheckComes: direction == transfer.Receive && f.Checks.Asked(),
		Existing: filemgr.Existing(f.Existing), Repeat: protocol.Repeat(f.Repeat), SameName: instance.SameName(f.SameName),
	}
}

// form of the records: fixed ones with line ends are lines of one length.
func (w *wiring) form(n int, r config.Record) filemgr.Form {
	switch {
	case r.Form == "raw":
		return filemgr.Form{Kind: filemgr.Raw}
	case r.LineEnd != "none":
		return filemgr.Form{Kind: filemgr.Lines, Length: r.Length, CRLF: r.LineEnd == "crlf", Strip: r.Strip}
	case r.Form == "lines":
		w.bad(fmt.Sprintf("files[%d].record.line_end", n), fault.New(codeLinesWithoutEnd, "none"))
		return filemgr.Form{Kind: filemgr.Lines}
	}
	return filemgr.Form{Kind: filemgr.Fixed, Length: r.Length}
}

func field(s *config.Span) filemgr.Field {
	return filemgr.Field{Offset: s.Offset, Length: s.Length}
}

func fieldOrNil(s *config.Span) *filemgr.Field {
	if s == nil {
		return nil
	}
	f := field(s)
	return &f
}

func checks(f *config.File) filemgr.CheckOptions {
	c := f.Checks
	o := filemgr.CheckOptions{SendEmpty: f.Empty == "send", Text: filemgr.TextRule(c.Charset)}
	if h := c.Header; h != nil {
		o.Header = &filemgr.HeaderCheck{Mark: h.Starts, Name: fieldOrNil(h.NameAt)}
		if d := h.DateAt; d != nil {
			o.Header.Date = &filemgr.DateField{Offset: d.Offset, Format: d.Format}
		}
	}
	if t := c.Trailer; t != nil {
		o.Trailer = &filemgr.TrailerCheck{Mark: t.Starts}
		for _, total := range totals(t) {
			o.Trailer.Totals = append(o.Trailer.Totals, total.Total)
		}
	}
	for _, r := range c.Rules {
		o.Rules = append(o.Rules, filemgr.Rule{Name: cmp.Or(r.Message, r.Name), Expr: r.Expr, Each: r.Each})
	}
	return o
}

// total is one agreement of the trailer, and the key that asked for it.
type total struct {
	filemgr.Total
	key string
}

func totals(t *config.TrailerCheck) []total {
	var out []total
	var counted []filemgr.Match
	if t.Counts != "" {
		counted = []filemgr.Match{{Text: t.Counts}}
	}
	if t.CountAt != nil {
		out = append(out, total{filemgr.Total{At: field(t.CountAt), Where: counted}, "count_at"})
	}
	if t.AmountAt != nil {
		out = append(out, total{filemgr.Total{At: field(t.AmountAt), Sum: fieldOrNil(t.AmountField), Where: counted}, "amount_at"})
	}
	for n, x := range t.Totals {
		one := filemgr.Total{Sum: fieldOrNil(x.Sum), All: x.All}
		if x.At != nil {
			one.At = field(x.At)
		}
		for _, m := range x.Where {
			one.Where = append(one.Where, filemgr.Match{Offset: m.Offset, Text: m.Text})
		}
		out = append(out, total{one, fmt.Sprintf("totals[%d]", n)})
	}
	return out
}

// pathOf finds the key of the file behind a path of the packages' options,
// where the two differ.
func (w *wiring) pathOf(path string) string {
	var n, k int
	if rest, ok := strings.CutPrefix(path, "listen["); ok {
		number, key, _ := strings.Cut(rest, "]")
		if n, err := strconv.Atoi(number); err == nil && n < len(w.listenAt) {
			return w.listenAt[n] + key
		}
	}
	const at = "files[%d].checks.trailer.totals[%d]"
	if _, err := fmt.Sscanf(path, at, &n, &k); err == nil && n < len(w.cfg.Files) {
		if t := w.cfg.Files[n].Checks.Trailer; t != nil && k < len(totals(t)) {
			key, rest := totals(t)[k].key, strings.TrimPrefix(path, fmt.Sprintf(at, n, k))
			switch {
			case strings.HasPrefix(key, "totals["):
				key += rest
			case rest == ".sum":
				key = "amount_field"
			}
			return fmt.Sprintf("files[%d].checks.trailer.%s", n, key)
		}
	}
	for from, to := range map[string]string{
		".checks.header.name": ".checks.header.name_at", ".checks.header.date": ".checks.header.date_at",
		".checks.header.mark": ".checks.header.starts", ".checks.trailer.mark": ".checks.trailer.starts",
		".checks.text": ".checks.charset",
	} {
		if before, ok := strings.CutSuffix(path, from); ok {
			return before + to
		}
	}
	return path
}

// checkDirectories proves that the directories can do what is asked of them.
// It leaves nothing behind.
func (s *site) checkDirectories() []fault.Problem {
	var out []fault.Problem
	for _, p := range filemgr.CheckDirs(s.dirs) {
		p.Path = map[string]string{
			"scan": "system.SCAN_DIRECTORY_NAME", "work": "system.WORK_DIRECTORY_NAME", "receive": "system.RECEIVE_DIRECTORY_NAME",
		}[p.Path]
		out = append(out, p)
	}
	if s.cfg.System.Result != "" {
		for _, p := range filemgr.CheckDirs(filemgr.Dirs{Receive: s.cfg.System.Result}) {
			p.Path = "system.RESULT_DIRECTORY_NAME"
			out = append(out, p)
		}
	}
	return slices.Concat(out, s.checkDatabaseFiles(), s.checkOwners(), s.checkCertificates())
}
