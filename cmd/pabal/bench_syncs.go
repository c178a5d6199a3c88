package main

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"pabal/internal/fault"
)

// syncsFiles are how many files the syncs are counted over.
const syncsFiles = 20

// syncs counts what reaches the disk on purpose, in runs of their own: the
// tracer makes everything slower.
func (b *bench) syncs(ctx context.Context, report *benchReport) error {
	dir := filepath.Join(b.dir, "syncs")
	files := benchFiles{dir, syncsFiles, min(b.settings.SmallBytes, benchOneBlock), b.settings.warmFiles()}
	if err := files.make(ctx); err != nil {
		return err
	}
	for _, p := range b.profiles {
		for _, way := range b.ways() {
			if way.name == wayFloor || way.name == wayUnsynced {
				continue
			}
			job := benchJob{Protocol: p.source, Day: b.day, Way: way.name, URL: way.url, Files: way.files, Store: true, Encrypt: b.flags.encrypt && !way.files,
				Warm: filepath.Join(b.dir, "warm"), Source: dir, Mark: true, Limit: limitFor(0, 10*syncsFiles)}
			s, err := b.syncsOf(ctx, p, way, job)
			if err != nil {
				return err
			}
			report.Syncs = append(report.Syncs, s)
		}
	}
	return nil
}

// syncsOf counts those of one profile and way.
func (b *bench) syncsOf(ctx context.Context, p benchProfile, way benchWay, job benchJob) (benchSyncs, error) {
	s := benchSyncs{Profile: p.name, Way: way.name}
	for _, one := range []struct {
		sessions int
		alone    bool
		into     **syncsTaken
	}{{1, true, &s.Alone}, {b.settings.Sessions, false, &s.Busy}} {
		label := b.label(partSyncs, p.name, way)
		b.bar.begin(label)
		job.Sessions, job.Alone = one.sessions, one.alone
		taken, err := b.countSyncs(ctx, label, job)
		if ctx.Err() != nil {
			return s, ctx.Err()
		}
		if err != nil {
			s.LeftOut, _ = b.a.cat.Sentence(b.a.language(), err)
			s.Alone, s.Busy = nil, nil
			b.bar.end(s.LeftOut)
			break
		}
		*one.into = taken
		b.bar.end(b.a.text("ui.bench.per_file", "n", taken.PerFile))
	}
	return s, nil
}

func (b *bench) countSyncs(ctx context.Context, label string, j benchJob) (*syncsTaken, error) {
	tracer, err := exec.LookPath("strace")
	if err != nil {
		return nil, fault.New(codeBenchNotThere, "strace")
	}
	if j.Dir, err = os.MkdirTemp(b.dir, "syncs-"); err != nil {
		return nil, fault.New(codeCannotWrite, b.dir).Because(err)
	}
	defer os.RemoveAll(j.Dir) //nolint:errcheck // the directory above goes at the end
	trace := filepath.Join(b.dir, "trace")
	taken, err := b.measure(ctx, label, j, tracer, "-f", "--seccomp-bpf", "-y", "-o", trace,
		"-e", "trace=fsync,fdatasync,sync_file_range,syncfs,msync", "--")
	if err != nil {
		return nil, fault.New(codeBenchNoSyncs, "strace", "why", err).Because(err)
	}
	f, err := os.Open(trace)
	if err != nil {
		return nil, fault.New(codeBenchNoSyncs, "strace", "why", err).Because(err)
	}
	defer f.Close()
	by, err := readSyncs(bufio.NewScanner(f), j.Dir)
	if err != nil {
		return nil, fault.New(codeBenchNoSyncs, "strace", "why", err).Because(err)
	}
	s := &syncsTaken{Files: taken.Files, By: map[string]float64{}}
	for place, n := range by {
		s.By[place] = float64(n) / float64(taken.Files)
		s.PerFile += s.By[place]
	}
	return s, nil
}

// syncCall is a line of the trace: process, call, descriptor with its path.
var syncCall = regexp.MustCompile(`^\d+\s+(?:fsync|fdatasync|sync_file_range|syncfs|msync)\(\d*<?([^>)]*)`)

// readSyncs counts the syncs between the marks of a trace by where they went,
// seen from dir.
func readSyncs(lines *bufio.Scanner, dir string) (map[string]int, error) {
	by, inside, ended := map[string]int{}, false, false
	for lines.Scan() {
		m := syncCall.FindStringSubmatch(lines.Text())
		switch {
		case m == nil: // a call that goes on, or the end of a thread
		case m[1] == filepath.Join(dir, "mark-begin"):
			inside = true
		case m[1] == filepath.Join(dir, "mark-end"):
			inside, ended = false, true
		case inside:
			by[syncPlace(m[1], dir)]++
		}
	}
	if !ended {
		return nil, errors.Join(errNoMarks, lines.Err())
	}
	return by, lines.Err()
}

var errNoMarks = errors.New("the trace does not show where the measurement ended")

// syncPlace is what was synced in words that are the same for every file:
// directories by name, files by their directory.
func syncPlace(path, dir string) string {
	path = strings.TrimSuffix(path, " (deleted)")
	rel, err := filepath.Rel(dir, path)
	if err != nil || !filepath.IsLocal(rel) {
		return "?"
	}
	info, err := os.Stat(path)
	switch {
	case strings.HasPrefix(filepath.Base(rel), "pabal.db"):
		return rel
	case err != nil || !info.IsDir(): // a staged file has its final name by now
		return topTwo(filepath.Dir(rel)) + "/*"
	}
	return topTwo(rel) + "/"
}

// topTwo is the end and the directory of a path: near/backup.
func topTwo(rel string) string {
	parts := strings.Split(rel, string(filepath.Separator))
	if parts[len(parts)-1] == ".pabal" {
		return rel
	}
	return filepath.Join(parts[:min(2, len(parts))]...)
}
