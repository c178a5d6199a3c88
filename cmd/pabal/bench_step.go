package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"pabal/internal/fault"
)

// step runs one measurement in a process of its own. With a profile it does
// not count.
func (b *bench) step(ctx context.Context, s *benchStep, run int, profile string) error {
	label := b.label(s.part, s.profile, s.way)
	if profile != "" {
		label += ", " + b.a.text("ui.bench.profiled")
	} else {
		label += fmt.Sprintf(" (%d/%d)", run, b.settings.Runs)
	}
	b.bar.begin(label)
	j := s.job
	if profile != "" {
		var err error
		if j.Profile, err = filepath.Abs(profile); err != nil {
			return err
		}
	}
	taken, err := b.measure(ctx, label, j)
	if err != nil {
		return err
	}
	b.bar.end(b.took(s, taken))
	if profile == "" {
		s.taken = append(s.taken, taken)
	} else {
		b.bar.say(b.a.text("ui.bench.profile", "path", profile))
	}
	return nil
}

// label names a measurement.
func (b *bench) label(part, profile string, way benchWay) string {
	label := b.a.text(fault.Code("ui.bench.part."+part)) + ", " + profile
	if way.label != "" {
		label += ", " + way.label
	}
	return label
}

// took is the figure of one measurement, for the line of its step.
func (b *bench) took(s *benchStep, t benchTaken) string {
	switch s.part {
	case partBig:
		return fmt.Sprintf("%.1f MB/s", t.mbPerSecond())
	case partSmall:
		return b.a.text("ui.bench.files_per_second", "n", fmt.Sprintf("%.1f", t.filesPerSecond()))
	}
	return fmt.Sprintf("%.1f ns, %.1f ns", t.EncodeNS, t.DecodeNS)
}

// measure starts this program again for one job in a directory of its own. The
// words before are put in front of the command, such as a tracer.
func (b *bench) measure(ctx context.Context, label string, j benchJob, before ...string) (benchTaken, error) {
	var taken benchTaken
	dir, err := os.MkdirTemp(b.dir, "run-")
	if err != nil {
		return taken, fault.New(codeCannotWrite, b.dir).Because(err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // the directory above goes at the end
	if j.Dir == "" {
		j.Dir = dir
	}
	program, err := calledAs(b.dir)
	if err != nil {
		return taken, err
	}
	line := slices.Concat(before, []string{program, "bench", benchJobName, "--lang", string(b.a.language())})
	cmd := exec.CommandContext(ctx, line[0], line[1:]...)
	text, err := json.Marshal(j)
	if err != nil {
		return taken, err
	}
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(text), &out, &errs
	cmd.SysProcAttr = childAttributes()
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // with what a tracer started
	if err := startAndWait(cmd); err != nil {
		if ctx.Err() != nil {
			return taken, ctx.Err()
		}
		why := strings.TrimSpace(errs.String())
		if said := lastLines(filepath.Join(j.Dir, "log"), 3); said != "" {
			why += "\n" + said
		}
		return taken, fault.New(codeBenchStep, label, "why", why).Because(err)
	}
	if err := json.Unmarshal(out.Bytes(), &taken); err != nil {
		return taken, fault.New(codeBenchStep, label, "why", out.String()).Because(err)
	}
	return taken, nil
}

// stepBar shows how far the steps are: a bar on a terminal, a line per step
// elsewhere. It writes to the error stream; the output has the report only.
type stepBar struct {
	w           io.Writer
	terminal    bool
	total, done int
	label       string
}

func newStepBar(a *app) *stepBar { return &stepBar{w: a.progress(), terminal: isTerminal(a.err)} }

const stepBarWidth = 24

func (p *stepBar) begin(label string) {
	p.label = label
	if p.terminal {
		full := 0
		if p.total > 0 {
			full = stepBarWidth * min(p.done, p.total) / p.total
		}
		fmt.Fprintf(p.w, "\r\x1b[K[%s%s] %d/%d  %s", strings.Repeat("#", full), strings.Repeat(".", stepBarWidth-full), p.done+1, p.total, label)
	}
}

func (p *stepBar) end(figure string) {
	p.done++
	if !p.terminal {
		fmt.Fprintf(p.w, "%d/%d  %s: %s\n", p.done, p.total, p.label, figure)
	}
}

func (p *stepBar) say(line string) {
	p.close()
	fmt.Fprintln(p.w, line)
}

func (p *stepBar) close() {
	if p.terminal {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
