package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"pabal/internal/fault"
)

// benchJob is one measurement, told to a process of its own on its input.
type benchJob struct {
	Codec    bool          `json:"codec,omitempty"`
	Protocol string        `json:"protocol"` // name or file of a profile
	Day      time.Time     `json:"day"`      // see benchNames
	Way      string        `json:"way,omitempty"`
	Store    bool          `json:"store,omitempty"` // two instances, not the floor
	URL      string        `json:"url,omitempty"`
	Encrypt  bool          `json:"encrypt,omitempty"`
	Files    bool          `json:"files,omitempty"` // payload is kept in files
	Dir      string        `json:"dir"`             // empty, for what the measurement writes
	Source   string        `json:"source"`          // directory with the files to carry
	Warm     string        `json:"warm"`            // directory with files that are carried before
	Sessions int           `json:"sessions"`
	Alone    bool          `json:"alone,omitempty"` // the next file when the last one is there
	Mark     bool          `json:"mark,omitempty"`  // for who traces system calls, see mark
	Profile  string        `json:"profile,omitempty"`
	Limit    time.Duration `json:"limit"`
}

// benchTaken is what was measured.
type benchTaken struct {
	Files    int     `json:"files"`
	Bytes    int64   `json:"bytes"`
	Seconds  float64 `json:"seconds"`     // until the last file has its final name
	CPU      float64 `json:"cpu_seconds"` // until everything has come to rest
	Peak     int64   `json:"peak_bytes"`  // most resident memory of the process
	Others   float64 `json:"others"`      // share of the processors that other processes used meanwhile
	EncodeNS float64 `json:"encode_ns,omitempty"`
	DecodeNS float64 `json:"decode_ns,omitempty"`
}

func (t benchTaken) mbPerSecond() float64    { return float64(t.Bytes) / 1e6 / t.Seconds }
func (t benchTaken) filesPerSecond() float64 { return float64(t.Files) / t.Seconds }
func (t benchTaken) cpuPerGB() float64       { return t.CPU / (float64(t.Bytes) / 1e9) }

// carrier carries files from one end to the other.
type carrier interface {
	// carry returns when all files have arrived, and rest when what goes on
	// behind that is done too.
	carry(ctx context.Context, files []string) error
	rest(ctx context.Context) error
	// verify says whether everything has arrived as it left.
	verify(ctx context.Context) error
	close() error
}

const (
	benchJobName = "job"
	wayFloor     = "floor"
	wayUnsynced  = "unsynced"
)

// newBenchJob is the command of the measuring process; nobody types it.
func newBenchJob(a *app) *cobra.Command {
	return &cobra.Command{
		Use: benchJobName, Hidden: true, Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var j benchJob
			if err := json.NewDecoder(a.in).Decode(&j); err != nil {
				return err
			}
			taken, err := a.runJob(cmd.Context(), j)
			if err != nil {
				return err
			}
			return a.writeJSON(a.out, taken)
		},
	}
}

func (a *app) runJob(ctx context.Context, j benchJob) (benchTaken, error) {
	p, err := newBenchProfile(j.Protocol, j.Day)
	if err != nil {
		return benchTaken{}, err
	}
	if j.Codec {
		return measureCodec(p)
	}
	ctx, cancel := context.WithTimeout(ctx, j.Limit)
	defer cancel()
	var c carrier
	if j.Store {
		c, err = a.newBenchPair(ctx, p, j)
	} else {
		c, err = newBenchFloor(p, j)
	}
	if err != nil {
		return benchTaken{}, err
	}
	taken, err := measureCarrier(ctx, c, j)
	if cerr := c.close(); err == nil {
		err = cerr
	}
	return taken, err
}

// measureCarrier carries the files for warming up, then the ones that count.
func measureCarrier(ctx context.Context, c carrier, j benchJob) (taken benchTaken, err error) {
	for _, dir := range []string{j.Warm, j.Source} {
		files, err := filesIn(dir)
		if err != nil {
			return taken, err
		}
		counts := dir == j.Source
		var began usedTime
		if counts {
			for _, f := range files {
				info, err := os.Stat(f)
				if err != nil {
					return taken, err
				}
				taken.Files, taken.Bytes = taken.Files+1, taken.Bytes+info.Size()
			}
			syscall.Sync() // what others wrote before is not on our bill
			if err := j.mark("mark-begin"); err != nil {
				return taken, err
			}
			if j.Profile != "" {
				f, err := os.Create(j.Profile)
				if err != nil {
					return taken, fault.New(codeCannotWrite, j.Profile).Because(err)
				}
				defer f.Close()
				if err := pprof.StartCPUProfile(f); err != nil {
					return taken, err
				}
				defer pprof.StopCPUProfile()
			}
			began = usedNow()
		}
		batches := [][]string{files}
		if j.Alone && counts {
			batches = batches[:0]
			for _, f := range files {
				batches = append(batches, []string{f})
			}
		}
		for _, batch := range batches {
			if err := c.carry(ctx, batch); err != nil {
				return taken, err
			}
			if j.Alone {
				if err := c.rest(ctx); err != nil {
					return taken, err
				}
			}
		}
		taken.Seconds = time.Since(began.at).Seconds()
		if err := c.rest(ctx); err != nil {
			return taken, err
		}
		ended := usedNow()
		taken.CPU = (ended.cpu - began.cpu).Seconds()
		taken.Others = othersShare(began, ended)
	}
	taken.Peak = peakMemory()
	if err := j.mark("mark-end"); err != nil {
		return taken, err
	}
	return taken, c.verify(ctx)
}

// mark syncs a file of this name, so that who traces the syncs knows which of
// them belong to the measurement.
func (j benchJob) mark(name string) error {
	if !j.Mark {
		return nil
	}
	f, err := os.Create(filepath.Join(j.Dir, name))
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

func filesIn(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	files := make([]string, len(entries))
	for n, e := range entries {
		files[n] = filepath.Join(dir, e.Name())
	}
	return files, err
}

// usedTime is a moment, by the clock and by the processors.
type usedTime struct {
	at  time.Time
	cpu time.Duration // of this process, user and system
	all cpuTicks      // of the machine
}

func usedNow() usedTime {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r) // fails for a bad address only
	return usedTime{time.Now(), time.Duration(r.Utime.Nano() + r.Stime.Nano()), machineTicks()}
}

// othersShare is the part of all processors' time between two moments that was
// spent, and not by this process.
func othersShare(from, to usedTime) float64 {
	total := to.all.total - from.all.total
	if total <= 0 {
		return 0
	}
	busy := float64(to.all.busy-from.all.busy) / float64(total)
	ours := (to.cpu - from.cpu).Seconds() / to.at.Sub(from.at).Seconds() / float64(runtime.NumCPU())
	return max(0, busy-ours)
}

// peakMemory is the most resident memory in bytes that this process has had.
// The figure of getrusage would count what the parent had before it became us.
func peakMemory() int64 {
	text, err := os.ReadFile("/proc/self/status")
	if err == nil {
		for line := range strings.Lines(string(text)) {
			if v, ok := strings.CutPrefix(line, "VmHWM:"); ok {
				return kib(v)
			}
		}
	}
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return r.Maxrss << 10
}
