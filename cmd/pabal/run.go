package main

import (
	"context"
	"errors"
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
	hangups, stop := hangups()
	defer stop()
	file, err := config.ReadFile(a.configPath)
	if err != nil {
		return err
	}
	own, err := a.prove(file, nil, a.env)
	if err != nil {
		return err
	}
	if own.cfg.Complete() {
		if _, err := own.choose(only); err != nil { // before anything is made
			return err
		}
	}
	a.enter(own.cfg)
	log := newLogger(own.cfg.Log, a.err).With("environment", own.cfg.Environment)
	if err := own.cfg.Report(lasting(own.checkDirectories())); err != nil {
		return err
	}
	err = a.serve(ctx, &server{a: a, log: log, only: only, file: file, own: own, pid: os.Getpid(), running: map[string]*running{}}, hangups)
	if hard := interrupt(ctx).Err(); hard != nil && err == nil {
		return hard
	}
	if ctx.Err() != nil && (errors.Is(err, context.Canceled) || store.Coming(err)) {
		// Somebody stopped it before it had begun: what it was about has not come
		// about, and nothing is wrong. Cut short in the middle a database is said
		// to be away or busy as well.
		log.Info("pabal has stopped, as it was told to; it was still starting")
		return interrupt(ctx).Err()
	}
	return err // nil: a server that was drained has ended well
}

// serve opens the database and runs the server until it has drained.
func (a *app) serve(ctx context.Context, srv *server, hangups <-chan os.Signal) error {
	own, log := srv.own, srv.log
	witness, err := a.witness(own.cfg, log)
	if err != nil {
		return err
	}
	a.onClose(witness.Close)
	database := own.database()
	database.Witness = witness
	st, err := awaitServer(ctx, database, own.cfg.Database.Wait, log)
	if err != nil {
		return err
	}
	a.onClose(st.Close)
	if err := a.recognise(ctx, st, own.cfg.Host, log); err != nil {
		return err
	}
	ctx, end := context.WithCancel(ctx)
	defer end()
	group, gctx := errgroup.WithContext(ctx)
	srv.st, srv.group, srv.ctx, srv.hard = st, group, gctx, interrupt(ctx)
	err = srv.begin(gctx)
	if err == nil {
		group.Go(func() error { return srv.follow(gctx) })
		group.Go(func() error { return a.watchDatabase(gctx, st, own.cfg.Host, log) })
		group.Go(func() error { return srv.listenForHangups(gctx, hangups) })
		group.Go(func() error { return a.sayReady(gctx, srv.started()) })
	} else {
		end() // the instances that run already leave before the database is closed
	}
	if werr := group.Wait(); err == nil {
		err = werr
	}
	if lerr := srv.leave(); err == nil {
		err = lerr
	}
	return err
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
func (a *app) sayReady(ctx context.Context, started []*running) error {
	type ready struct {
		ID     string   `json:"id"`
		Listen []string `json:"listen,omitempty"`
		Scan   string   `json:"scan,omitempty"`
	}
	var all []ready
	for _, r := range started {
		select {
		case <-r.instance.Ready():
		case <-ctx.Done():
			return nil
		}
		one := ready{ID: r.options.ID, Listen: r.instance.Addresses()}
		if r.options.Scans {
			one.Scan = r.options.Dirs.Scan
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
