package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"pabal/config"
	"pabal/internal/fault"
	"pabal/simulator/scenario"
)

// simulateScenario runs one scenario file and says whether it came out as it
// expects. Without an address a server is made for it on this machine.
func (a *app) simulateScenario(ctx context.Context, path string, f simulateFlags) (err error) {
	s, err := scenario.Load(path, scenario.Options{Env: a.env, Today: a.now().In(koreaZone())})
	if err != nil {
		return err
	}
	address := f.connect + f.listen
	switch {
	case s.Listens && f.connect != "":
		return usageError{fault.New(codeScenarioRole, s.Name, "role", "listen", "flag", "--listen")}
	case f.tls || f.tlsCA+f.tlsCertificate+f.tlsKey+f.tlsServerName != "":
		return usageError{fault.New(codeFlagsExclude, "--scenario", "other", "--tls")}
	case !s.Listens && f.listen != "":
		return usageError{fault.New(codeScenarioRole, s.Name, "role", "connect", "flag", "--connect")}
	}
	if address == "" {
		address = s.Address
	}
	if address != "" {
		if err := a.refuseProduction("simulate --scenario", f.configChosen); err != nil {
			return err
		}
	}
	for _, dir := range []string{f.dir, f.received} {
		if err := refuseProductionSite("simulate --scenario", dir); err != nil {
			return err
		}
	}
	a.enterFile(a.out)
	dir, err := a.workingDir(f.dir, "pabal-scenario-")
	if err != nil {
		return err
	}
	run := scenario.Run{Address: address, Dir: dir, Observe: a.sayEvent, Logger: newLogger(config.Log{Level: "warn", Format: "auto"}, a.err)}
	out, err := a.playScenario(ctx, s, run, f.received)
	if err != nil {
		return err
	}
	return a.sayScenario(s, out)
}

func koreaZone() *time.Location { return time.FixedZone("KST", 9*60*60) }

// workingDir is the directory that was given, or a temporary one that goes away.
func (a *app) workingDir(dir, prefix string) (string, error) {
	if dir == "" {
		temporary, err := os.MkdirTemp("", prefix)
		if err != nil {
			return "", fault.New(codeCannotWrite, os.TempDir()).Because(err)
		}
		a.onClose(func() error { return os.RemoveAll(temporary) })
		return filepath.EvalSymlinks(temporary)
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", fault.New(codeCannotWrite, dir).Because(err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		return "", fault.New(codeNotEmpty, dir).Because(err)
	}
	return filepath.Abs(dir)
}

// playScenario runs it against the address, or against a server of its own.
func (a *app) playScenario(ctx context.Context, s *scenario.Scenario, run scenario.Run, received string) (out scenario.Outcome, err error) {
	_, sent, err := s.Prepare(run.Dir, run.Address == "")
	switch {
	case fault.As(err) != nil:
		return out, err
	case err != nil:
		return out, fault.New(codeCannotWrite, run.Dir).Because(err)
	}
	if run.Address != "" {
		out, err = s.Run(ctx, run)
		if err == nil && received != "" {
			err = out.Compare(received)
		}
		return out, err
	}
	if s.Listens {
		var lc net.ListenConfig
		if run.Listener, err = lc.Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
			return out, fault.New(codeCannotListen, "127.0.0.1:0").Because(err)
		}
		defer run.Listener.Close() //nolint:errcheck // the scenario has closed it
		run.Address = run.Listener.Addr().String()
	}
	server, err := serverFor(s, filepath.Join(run.Dir, "site"), run.Address)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, server.close()) }()
	for _, g := range s.Server.Sends {
		if err := server.drop(filepath.Join(run.Dir, "server", g.Name), g.Wire+"."+peerCode+"."+throwawayJob); err != nil {
			return out, err
		}
	}
	if err := server.start(ctx, ""); err != nil {
		return out, err
	}
	if !s.Listens {
		run.Address = server.in.Addresses()[0]
		if err := server.stored(ctx, len(s.Server.Sends)); err != nil {
			return out, err
		}
	}
	if out, err = s.Run(ctx, run); err != nil {
		return out, err
	}
	out.Match(sent)
	return out, server.settled(ctx, s, &out)
}

// scenarioJSON is the last line of a scenario that was run.
type scenarioJSON struct {
	Event    string            `json:"event"`
	Scenario string            `json:"scenario"`
	Passed   bool              `json:"passed"`
	Sessions int               `json:"sessions"`
	Given    int               `json:"given"`
	Taken    int               `json:"taken"`
	Failed   map[string]string `json:"failed,omitempty"`
	Resent   int64             `json:"resent"`
	Seconds  float64           `json:"seconds"`
	Wrong    []failure         `json:"wrong,omitempty"`
}

// sayScenario prints how it came out; an error if not as it should.
func (a *app) sayScenario(s *scenario.Scenario, out scenario.Outcome) error {
	failed := map[string]string{}
	var why []string
	for name, f := range out.Failed {
		failed[name] = f.String()
		why = append(why, name+" ("+f.String()+")")
	}
	slices.Sort(why)
	if a.json {
		line := scenarioJSON{"scenario", s.Name, len(out.Wrong) == 0, out.Sessions, len(out.Given), len(out.Taken), failed, out.Resent, out.Seconds, nil}
		for _, w := range out.Wrong {
			line.Wrong = append(line.Wrong, a.failure(w))
		}
		if err := a.writeJSON(a.out, line); err != nil {
			return err
		}
	} else {
		if about := s.About[string(a.language())]; about != "" {
			fmt.Fprintln(a.out, about)
		}
		fmt.Fprintln(a.out, a.text("ui.scenario.result", "scenario", s.Name, "sessions", out.Sessions, "given", len(out.Given),
			"taken", len(out.Taken), "failed", len(out.Failed), "resent", out.Resent, "seconds", strconv.FormatFloat(out.Seconds, 'f', 2, 64)))
		if len(why) > 0 {
			fmt.Fprintln(a.out, a.text("ui.scenario.failed", "files", strings.Join(why, ", ")))
		}
		for _, w := range out.Wrong {
			sentence, _ := a.cat.Sentence(a.language(), w)
			fmt.Fprintln(a.out, "  "+sentence)
		}
		if len(out.Wrong) == 0 {
			fmt.Fprintln(a.out, a.text("ui.scenario.passed"))
		}
	}
	if len(out.Wrong) > 0 {
		return fault.New(codeScenarioFailed, s.Name, "wrong", len(out.Wrong))
	}
	return nil
}
