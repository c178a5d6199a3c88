package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pabal/config"
	"pabal/filemgr"
	"pabal/internal/fault"
	"pabal/internal/place"
	"pabal/simulator/sample"
	"pabal/transfer"
)

type sampleFlags struct {
	records int64
	size    string
	date    string
	seed    int64
	output  string
	drop    bool
}

// sampleRecords is how many data records a sample has unless told.
const sampleRecords = 1000

func newSample(a *app) *cobra.Command {
	var f sampleFlags
	var kinds []string
	for _, k := range sample.Kinds() {
		kinds = append(kinds, string(k))
	}
	cmd := &cobra.Command{
		Use:       "sample " + strings.Join(kinds, "|"),
		Args:      usage(cobra.ExactArgs(1)),
		ValidArgs: kinds,
		RunE:      func(cmd *cobra.Command, args []string) error { return a.sample(cmd.Context(), args[0], f) },
	}
	flags := cmd.Flags()
	flags.Int64Var(&f.records, "records", 0, a.text("ui.flag.sample_records"))
	flags.StringVar(&f.size, "size", "", a.text("ui.flag.sample_size"))
	flags.StringVar(&f.date, "date", "", a.text("ui.flag.date"))
	flags.Int64Var(&f.seed, "seed", 1, a.text("ui.flag.seed"))
	flags.StringVarP(&f.output, "output", "o", "", a.text("ui.flag.output"))
	flags.BoolVar(&f.drop, "drop", false, a.text("ui.flag.drop"))
	return a.describe(cmd, "sample")
}

func (a *app) sample(ctx context.Context, word string, f sampleFlags) error {
	kind := sample.Kind(strings.ToUpper(word))
	if sample.RecordLength(kind) == 0 {
		var known []string
		for _, k := range sample.Kinds() {
			known = append(known, string(k))
		}
		return usageError{fault.New(codeUnknownWord, word, "flag", "sample", "known", strings.Join(known, ", "))}
	}
	if f.records > 0 && f.size != "" {
		return usageError{fault.New(codeFlagsExclude, "--records", "other", "--size")}
	}
	if f.drop && f.output != "" {
		return usageError{fault.New(codeFlagsExclude, "--drop", "other", "--output")}
	}
	o := sample.Options{Records: f.records, Seed: f.seed}
	if f.size != "" {
		n, err := parseSize("--size", f.size)
		if err != nil {
			return err
		}
		o.Size = n
	} else if o.Records == 0 {
		o.Records = sampleRecords
	}
	zone, err := time.LoadLocation("Asia/Seoul") // tzdata is part of the program
	if err != nil {
		return err
	}
	o.Date = a.now().In(zone)
	if !f.drop {
		if o.Date, err = sampleDate(f.date, o.Date); err != nil {
			return err
		}
		return a.sampleFile(ctx, kind, o, f.output)
	}
	if err := a.refuseProduction("sample --drop", true); err != nil {
		return err
	}
	s, err := a.siteInForce(ctx)
	if err != nil {
		return err
	}
	if err := refuseProductionSite("sample --drop", s.cfg.System.Scan); err != nil {
		return err
	}
	if o.Date, err = sampleDate(f.date, a.now().In(s.cfg.Location())); err != nil {
		return err
	}
	return a.dropSample(ctx, s.cfg, kind, o)
}

func sampleDate(text string, today time.Time) (time.Time, error) {
	if text == "" {
		return today, nil
	}
	for _, layout := range []string{"20060102", time.DateOnly} {
		if d, err := time.ParseInLocation(layout, text, today.Location()); err == nil {
			return d, nil
		}
	}
	return today, usageError{fault.New(codeFlagValue, "--date", "value", text)}
}

// sampleFile writes to a new file, or to the output when none is named.
func (a *app) sampleFile(_ context.Context, kind sample.Kind, o sample.Options, path string) error {
	if path == "" || path == "-" {
		w := bufio.NewWriterSize(a.out, 1<<16)
		return errors.Join(sample.Write(w, kind, o), w.Flush())
	}
	if err := refuseProductionSite("sample --output", filepath.Dir(path)); err != nil {
		return err
	}
	a.enterFile(a.out)
	if err := createSample(path, kind, o); err != nil {
		return err
	}
	return a.saySample(path)
}

// createSample makes the file under a hidden name and then gives it its own,
// without replacing: a scan never sees half of it.
func createSample(path string, kind sample.Kind, o sample.Options) error {
	err := place.Create(path, func(w io.Writer) error {
		b := bufio.NewWriterSize(w, 1<<16)
		return errors.Join(sample.Write(b, kind, o), b.Flush())
	})
	if errors.Is(err, fs.ErrExist) {
		return fault.New(codeExists, path)
	}
	if err != nil {
		return fault.New(codeCannotWrite, path).Because(err)
	}
	return nil
}

// dropSample puts the file into the scan directory under the name that its
// registration asks for, with the flag file if it asks for one.
func (a *app) dropSample(_ context.Context, cfg *config.Config, kind sample.Kind, o sample.Options) error {
	n := slices.IndexFunc(cfg.Files, func(f config.File) bool {
		return f.ID == string(kind) && f.Direction == string(transfer.Send)
	})
	if n < 0 {
		return fault.New(codeNoScan, string(kind), "config", a.configPath)
	}
	reg := &cfg.Files[n]
	for _, in := range cfg.Institutions {
		if in.Code == reg.Institution && len(in.WireCode) <= 10 {
			o.Institution = in.WireCode
		}
	}
	if reg.Record.LineEnd == "lf" {
		o.LineEnd = "\n"
	} else if reg.Record.LineEnd == "crlf" {
		o.LineEnd = "\r\n"
	}
	name := sample.FileName(kind, reg.Institution, reg.Job, o.Date)
	path := filepath.Join(cfg.System.Scan, name)
	if err := createSample(path, kind, o); err != nil {
		return err
	}
	if reg.Flag.Ready != "" {
		if err := os.WriteFile(path+reg.Flag.Ready, nil, 0o640); err != nil {
			return fault.New(filemgr.CodeIO, path+reg.Flag.Ready).Because(err)
		}
	}
	return a.saySample(path)
}

func (a *app) saySample(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) { // the scan was faster
		if a.json {
			return a.writeJSON(a.out, map[string]any{"path": path})
		}
		_, err = fmt.Fprintln(a.out, path)
		return err
	}
	if err != nil {
		return fault.New(filemgr.CodeIO, path).Because(err)
	}
	if a.json {
		return a.writeJSON(a.out, map[string]any{"path": path, "bytes": info.Size()})
	}
	_, err = fmt.Fprintln(a.out, a.text("ui.sample.wrote", "path", path, "bytes", count(info.Size())))
	return err
}
