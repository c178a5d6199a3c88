package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pabal/config"
	"pabal/internal/fault"
	"pabal/internal/place"
	"pabal/simulator/sample"
)

type benchFlags struct {
	dir       string
	size      string
	small     int
	smallSize string
	sessions  int
	runs      int
	protocols []string
	stores    []string
	keepers   []string
	only      []string
	profile   string
	encrypt   bool
}

// The parts of the measurement, in the order in which they are shown.
const (
	partBig   = "big"
	partSmall = "small"
	partSyncs = "syncs"
	partCodec = "codec"
)

func newBench(a *app) *cobra.Command {
	var f benchFlags
	cmd := &cobra.Command{
		Use:  "bench",
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.bench(cmd.Context(), f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.size, "big", "256MiB", a.text("ui.flag.bench_big"))
	flags.IntVar(&f.small, "small", 1000, a.text("ui.flag.bench_small"))
	flags.StringVar(&f.smallSize, "small-size", "100000", a.text("ui.flag.bench_small_size"))
	flags.IntVar(&f.sessions, "sessions", 4, a.text("ui.flag.bench_sessions"))
	flags.IntVar(&f.runs, "runs", 3, a.text("ui.flag.bench_runs"))
	flags.StringSliceVar(&f.protocols, "protocol", []string{"cms"}, a.text("ui.flag.bench_protocol"))
	flags.StringArrayVar(&f.stores, "store", nil, a.text("ui.flag.bench_store"))
	flags.StringSliceVar(&f.keepers, "keeper", []string{config.KeeperDatabase}, a.text("ui.flag.bench_keeper"))
	flags.StringSliceVar(&f.only, "only", nil, a.text("ui.flag.bench_only"))
	flags.StringVar(&f.dir, "dir", "", a.text("ui.flag.bench_dir"))
	flags.StringVar(&f.profile, "profile", "", a.text("ui.flag.bench_profile"))
	flags.BoolVar(&f.encrypt, "encrypt", false, a.text("ui.flag.bench_encrypt"))
	cmd.AddCommand(newBenchJob(a))
	return a.describe(cmd, "bench")
}

// benchLeast holds a header, a record and a trailer of the sample files.
const benchLeast = 1 << 10

// bench measures. Every measurement is a process of its own, so that peaks of
// memory do not mix, and they take turns, so that a slow minute of the machine
// is everybody's.
func (a *app) bench(ctx context.Context, f benchFlags) (err error) {
	if len(f.stores) == 0 {
		f.stores = []string{"sqlite"}
	}
	b := &bench{a: a, flags: f, day: a.now().UTC().Truncate(time.Second)}
	if err := b.check(); err != nil {
		return err
	}
	a.enterFile(a.out)
	if b.dir, err = os.MkdirTemp(f.dir, "pabal-bench-"); err != nil {
		return fault.New(codeCannotWrite, f.dir).Because(err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	if b.dir, err = filepath.EvalSymlinks(b.dir); err != nil {
		return err
	}
	report := benchReport{Version: version, At: b.day, Machine: describeMachine(b.dir), Settings: b.settings}
	if err := b.run(ctx, &report); err != nil {
		return err
	}
	if a.json {
		return a.writeJSON(a.out, report)
	}
	return a.showBench(report)
}

// bench is one run of the command.
type bench struct {
	a        *app
	flags    benchFlags
	settings benchSettings
	profiles []benchProfile
	day      time.Time // when it began
	dir      string    // gone at the end
	steps    []*benchStep
	bar      *stepBar
}

func (b *bench) check() error {
	f, s := b.flags, &b.settings
	for _, n := range []struct {
		flag  string
		value int
	}{{"--small", f.small}, {"--sessions", f.sessions}, {"--runs", f.runs}} {
		if n.value < 1 || n.value > 1_000_000 {
			return usageError{fault.New(codeBenchNumber, n.flag, "value", n.value)}
		}
	}
	for _, n := range []struct {
		flag, text string
		into       *int64
	}{{"--big", f.size, &s.BigBytes}, {"--small-size", f.smallSize, &s.SmallBytes}} {
		var err error
		if *n.into, err = parseSize(n.flag, n.text); err != nil {
			return err
		}
		if *n.into < benchLeast {
			return usageError{fault.New(codeBenchSize, n.text, "flag", n.flag, "least", benchLeast)}
		}
	}
	parts := []string{partBig, partSmall, partSyncs, partCodec}
	for _, p := range f.only {
		if !slices.Contains(parts, p) {
			return usageError{fault.New(codeUnknownWord, p, "flag", "--only", "known", strings.Join(parts, ", "))}
		}
	}
	for _, store := range f.stores {
		if store != "sqlite" && !strings.Contains(store, ":") {
			return usageError{fault.New(codeUnknownWord, store, "flag", "--store", "known", "sqlite, URL")}
		}
	}
	for _, k := range f.keepers {
		if k != config.KeeperDatabase && k != config.KeeperFiles {
			return usageError{fault.New(codeUnknownWord, k, "flag", "--keeper", "known", config.KeeperDatabase+", "+config.KeeperFiles)}
		}
	}
	s.SmallFiles, s.Sessions, s.Runs, s.Encrypt = f.small, f.sessions, f.runs, f.encrypt
	for _, name := range f.protocols {
		p, err := newBenchProfile(name, b.day)
		if err == nil {
			err = p.names.room(p.name, s.warmFiles()+max(s.SmallFiles, syncsFiles))
		}
		if err != nil {
			return err
		}
		if slices.ContainsFunc(b.profiles, func(other benchProfile) bool { return other.name == p.name }) {
			return usageError{fault.New(codeBenchTwice, p.name)}
		}
		b.profiles = append(b.profiles, p)
	}
	return nil
}

// warmFiles are how many files are carried before those that count.
func (s benchSettings) warmFiles() int { return 4 * s.Sessions }

func (b *bench) wants(part string) bool {
	return len(b.flags.only) == 0 || slices.Contains(b.flags.only, part)
}

// benchStep is one case: a part done under one profile in one way, several times.
type benchStep struct {
	part    string
	profile string // its name
	way     benchWay
	job     benchJob
	taken   []benchTaken
	looked  bool // one run more, with a CPU profile, that does not count
}

// benchWay is how files are carried.
type benchWay struct {
	name  string // floor, unsynced, or the kind of store
	label string // for people
	url   string // of the store; "" is a new SQLite database for each end
	files bool   // payload is kept in files
}

func (b *bench) ways() []benchWay {
	ways := []benchWay{
		{name: wayFloor, label: b.a.text("ui.bench.way.floor")},
		{name: wayUnsynced, label: b.a.text("ui.bench.way.unsynced")},
	}
	for _, url := range b.flags.stores {
		for _, keeper := range b.flags.keepers {
			w := benchWay{name: url}
			if kind, _, isURL := strings.Cut(url, ":"); isURL {
				w.name, w.url = kind, url // the rest may hold a password
			}
			w.label = b.a.text("ui.bench.way.pabal", "store", w.name)
			if w.files = keeper == config.KeeperFiles; w.files {
				w.label = b.a.text("ui.bench.way.files", "store", w.name)
				w.name += "-files"
			}
			if b.flags.encrypt && !w.files {
				w.label += b.a.text("ui.bench.way.encrypted")
			}
			ways = append(ways, w)
		}
	}
	return ways
}

// run does all steps and fills the report.
func (b *bench) run(ctx context.Context, report *benchReport) error {
	b.bar = newStepBar(b.a)
	defer b.bar.close()
	if err := b.plan(ctx); err != nil {
		return err
	}
	rivals := b.rivals()
	b.bar.total = len(rivals)
	for _, s := range b.steps {
		b.bar.total += b.settings.Runs
		if s.looked {
			b.bar.total++
		}
	}
	syncs := 0
	if b.wants(partSyncs) {
		syncs = len(b.profiles) * len(b.flags.stores) * len(b.flags.keepers)
		b.bar.total += 2 * syncs
	}
	for n := range b.settings.Runs {
		for _, s := range b.steps {
			if err := b.step(ctx, s, n+1, ""); err != nil {
				return err
			}
		}
	}
	for _, s := range b.steps {
		if !s.looked {
			continue
		}
		if err := b.step(ctx, s, 0, profilePath(b.flags.profile, s)); err != nil {
			return err
		}
	}
	report.fill(b.steps)
	if syncs > 0 {
		if err := b.syncs(ctx, report); err != nil {
			return err
		}
	}
	return b.compare(ctx, rivals, report)
}

// plan makes the files to carry, once for all runs, and the steps.
func (b *bench) plan(ctx context.Context) error {
	s := b.settings
	big, small, warm := filepath.Join(b.dir, "big"), filepath.Join(b.dir, "small"), filepath.Join(b.dir, "warm")
	b.bar.say(b.a.text("ui.bench.preparing", "directory", b.dir))
	first := s.warmFiles() // no two files of a measurement have one number
	makes := []benchFiles{{warm, s.warmFiles(), min(s.SmallBytes, benchOneBlock), 0}}
	if b.wants(partBig) {
		makes = append(makes, benchFiles{big, 1, s.BigBytes, first})
	}
	if b.wants(partSmall) {
		makes = append(makes, benchFiles{small, s.SmallFiles, s.SmallBytes, first})
	}
	for _, m := range makes {
		if err := m.make(ctx); err != nil {
			return err
		}
	}
	for _, way := range b.ways() {
		for _, p := range b.profiles { // what is compared follows each other
			job := benchJob{Protocol: p.source, Day: b.day, Way: way.name, URL: way.url, Files: way.files, Warm: warm,
				Store: way.name != wayFloor && way.name != wayUnsynced, Encrypt: b.flags.encrypt && !way.files}
			step := benchStep{profile: p.name, way: way, looked: b.flags.profile != "" && job.Store}
			if b.wants(partBig) {
				one := step
				one.part, one.job = partBig, job
				one.job.Source, one.job.Sessions, one.job.Limit = big, 1, limitFor(s.BigBytes, 1)
				b.steps = append(b.steps, &one)
			}
			if b.wants(partSmall) {
				one := step
				one.part, one.job = partSmall, job
				one.job.Source, one.job.Sessions, one.job.Limit = small, s.Sessions, limitFor(s.SmallBytes*int64(s.SmallFiles), s.SmallFiles)
				b.steps = append(b.steps, &one)
			}
		}
	}
	for _, p := range b.profiles {
		if b.wants(partCodec) {
			b.steps = append(b.steps, &benchStep{part: partCodec, profile: p.name, way: benchWay{name: partCodec}, job: benchJob{Codec: true, Protocol: p.source, Day: b.day}})
		}
	}
	return nil
}

// limitFor is the time after which a measurement is given up: a hundred times
// what a slow disk needs.
func limitFor(bytes int64, files int) time.Duration {
	return 2*time.Minute + time.Duration(bytes/(1<<20))*time.Second + time.Duration(files)*time.Second
}

// benchOneBlock is a size that fits into one block of the profile.
const benchOneBlock = 100_000

// benchFiles are files to carry.
type benchFiles struct {
	dir   string
	files int
	size  int64 // of each
	first int   // number of the first; no two files of a run have the same
}

// make writes them: business files, each with other content, so that no part
// of the way can know one by another.
func (m benchFiles) make(ctx context.Context) error {
	if err := os.Mkdir(m.dir, 0o750); err != nil {
		return fault.New(codeCannotWrite, m.dir).Because(err)
	}
	date := time.Date(2026, 3, 20, 0, 0, 0, 0, time.UTC)
	for n := range m.files {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		path := filepath.Join(m.dir, strconv.Itoa(m.first+n))
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o640)
		if err != nil {
			return fault.New(codeCannotWrite, path).Because(err)
		}
		err = sample.Write(f, sample.EB21, sample.Options{Size: m.size, Date: date, Institution: "1234567890", Seed: int64(m.first + n)})
		if err = errors.Join(err, f.Close()); err != nil {
			return fault.New(codeCannotWrite, path).Because(err)
		}
	}
	return place.SyncDir(m.dir)
}

// profilePath puts part, protocol and way before the ending: cpu.pprof becomes
// cpu-big-cms-sqlite.pprof.
func profilePath(path string, s *benchStep) string {
	ext := filepath.Ext(path)
	return strings.TrimSuffix(path, ext) + "-" + s.part + "-" + s.profile + "-" + s.way.name + ext
}
