package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"pabal/config"
	"pabal/filemgr"
	"pabal/instance"
	"pabal/internal/fault"
	"pabal/store"
)

func newRun(a *app) *cobra.Command {
	var only []string
	cmd := &cobra.Command{
		Use:  "run",
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runServer(cmd.Context(), only) },
	}
	cmd.Flags().StringSliceVar(&only, "instance", nil, a.text("ui.flag.instance"))
	return a.describe(cmd, "run")
}

// runServer runs the instances of this host until the first signal, then lets
// them drain; the second signal cuts that short. There is no file with a
// process number: the lock beside the database says who runs, and the kernel
// takes it away from a process that has died.
func (a *app) runServer(ctx context.Context, only []string) error {
	s, err := a.site()
	if err != nil {
		return err
	}
	chosen, err := s.choose(only)
	if err != nil {
		return err
	}
	log := newLogger(s.cfg.Log, a.err)
	if err := s.cfg.Report(lasting(s.checkDirectories())); err != nil {
		return err
	}
	st, err := awaitServer(ctx, s.database(), s.cfg.Database.Wait, log)
	if err != nil {
		return err
	}
	a.onClose(st.Close)
	number, digest, err := a.applied(ctx, st, s.cfg)
	if err != nil {
		return err
	}
	log.Info("pabal starts", "environment", s.cfg.Environment, "version", version, "host", s.cfg.Host, "pid", os.Getpid(),
		"database", store.Shown(s.cfg.Database.URL), "zone", s.cfg.Zone, "config", a.configPath, "config_version", number, "config_sha256", digest[:12])

	hard := interrupt(ctx)
	group, gctx := errgroup.WithContext(ctx)
	running := make([]*instance.Instance, len(chosen))
	for n, o := range chosen {
		o.Log, o.Explain = log, explain(a.cat)
		if running[n], err = instance.New(st, o); err != nil {
			return err
		}
	}
	for _, in := range running {
		group.Go(func() error { return in.Run(gctx, hard) })
	}
	group.Go(func() error { return a.sayReady(gctx, chosen, running) })
	if err := group.Wait(); err != nil {
		return err
	}
	return hard.Err() // a server that was drained has ended well
}

// choose picks the instances to run; none named means all.
func (s *site) choose(only []string) ([]instance.Options, error) {
	if len(only) == 0 {
		return s.instances, nil
	}
	var out []instance.Options
	var known []string
	for _, o := range s.instances {
		known = append(known, o.ID)
		if slices.Contains(only, o.ID) {
			out = append(out, o)
		}
	}
	for _, id := range only {
		if !slices.Contains(known, id) {
			return nil, usageError{fault.New(codeUnknownInstance, id, "known", strings.Join(known, ", "))}
		}
	}
	return out, nil
}

// lasting leaves out what is in a directory's way only for now: a server may
// start with a full disk, and what needs the space waits (design §2).
func lasting(problems []fault.Problem) []fault.Problem {
	return slices.DeleteFunc(problems, func(p fault.Problem) bool {
		return p.Err.Code == filemgr.CodeDiskFull || p.Err.Code == filemgr.CodeIO
	})
}

// sayReady prints one line when every instance works.
func (a *app) sayReady(ctx context.Context, options []instance.Options, running []*instance.Instance) error {
	type ready struct {
		ID     string   `json:"id"`
		Listen []string `json:"listen,omitempty"`
		Scan   string   `json:"scan,omitempty"`
	}
	var all []ready
	for n, in := range running {
		select {
		case <-in.Ready():
		case <-ctx.Done():
			return nil
		}
		one := ready{ID: options[n].ID, Listen: in.Addresses()}
		if options[n].Scans {
			one.Scan = options[n].Dirs.Scan
		}
		all = append(all, one)
	}
	if a.json {
		return a.writeJSON(a.out, map[string]any{"event": "ready", "instances": all, "pid": os.Getpid()})
	}
	for _, one := range all {
		line := a.text("ui.run.ready", "id", one.ID)
		if len(one.Listen) > 0 {
			line += a.text("ui.run.listens", "addresses", strings.Join(one.Listen, ", "))
		}
		if one.Scan != "" {
			line += a.text("ui.run.scans", "directory", one.Scan)
		}
		if _, err := fmt.Fprintln(a.out, line+a.text("ui.run.stop")); err != nil {
			return err
		}
	}
	return nil
}

// applied notes which configuration runs, as a numbered version that changes
// when the file does (design D10: on one host the file is applied at start).
func (a *app) applied(ctx context.Context, st *store.Store, cfg *config.Config) (number int, digest string, err error) {
	const name = "config"
	file, _, _ := cfg.Locate("")
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, "", fault.New(config.CodeCannotRead, file, "reason", err).Because(err)
	}
	sum := sha256.Sum256(text)
	digest = hex.EncodeToString(sum[:])
	var last struct {
		Version int    `json:"version"`
		SHA256  string `json:"sha256"`
		At      string `json:"at"`
		Who     string `json:"who"`
		Host    string `json:"host"`
		File    string `json:"file"`
	}
	noted, _, err := st.Meta(ctx, name)
	if err != nil {
		return 0, "", err
	}
	_ = json.Unmarshal([]byte(noted), &last) // a note that cannot be read is written anew
	if last.SHA256 == digest {
		return last.Version, digest, nil
	}
	by := a.actor("")
	last.Version, last.SHA256, last.File = last.Version+1, digest, file
	last.At, last.Who, last.Host = a.now().UTC().Format("2006-01-02T15:04:05Z"), by.Who, by.Host
	b, err := json.Marshal(last)
	if err != nil {
		return 0, "", err
	}
	return last.Version, digest, st.SetMeta(ctx, name, string(b))
}
