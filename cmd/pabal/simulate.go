package main

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pabal/config"
	"pabal/filemgr"
	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/protocol/machine"
	"pabal/simulator"
)

type simulateFlags struct {
	side, listen, connect      string
	give, take, faults         string
	institution, self, peer    string
	sender, passwordEnv        string
	login, loginPasswordEnv    string
	transferEnv                string
	scenario, dir, received    string
	certify, load              bool
	institutions, files        int
	sessions                   int
	size                       string
	name, wrongName            string
	receive, callersFetch      bool
	every, wait                time.Duration
	record, messageSize        int
	packing                    string
	gzip, ebcdic, configChosen bool
	tls                        bool
	tlsCA, tlsCertificate      string
	tlsKey, tlsServerName      string
}

func newSimulate(a *app) *cobra.Command {
	var f simulateFlags
	cmd := &cobra.Command{
		Use:  "simulate [PROFILE]",
		Args: usage(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.configChosen = cmd.Flags().Changed("config")
			switch {
			case f.scenario != "" && len(args) > 0:
				return usageError{fault.New(codeFlagsExclude, "--scenario", "other", args[0])}
			case f.scenario != "":
				return a.simulateScenario(cmd.Context(), f.scenario, f)
			case len(args) == 0:
				return usageError{fault.New(codeArguments, "", "usage", cmd.UseLine())}
			}
			if f.load {
				return a.simulateLoad(cmd.Context(), args[0], f)
			}
			if f.certify {
				return a.simulateCertify(cmd.Context(), args[0], f)
			}
			return a.simulate(cmd.Context(), args[0], f)
		},
	}
	flags := cmd.Flags()
	text := func(into *string, name string) {
		flags.StringVar(into, name, "", a.text(fault.Code("ui.flag.simulate."+strings.ReplaceAll(name, "-", "_"))))
	}
	text(&f.side, "side")
	text(&f.listen, "listen")
	text(&f.connect, "connect")
	text(&f.give, "give")
	text(&f.take, "take")
	text(&f.faults, "faults")
	text(&f.institution, "institution")
	text(&f.self, "self")
	text(&f.peer, "peer")
	text(&f.sender, "sender")
	text(&f.passwordEnv, "password-env")
	text(&f.login, "login")
	text(&f.loginPasswordEnv, "login-password-env")
	text(&f.transferEnv, "transfer-password-env")
	text(&f.packing, "packing")
	text(&f.scenario, "scenario")
	text(&f.dir, "dir")
	text(&f.received, "received")
	text(&f.tlsCA, "tls-ca")
	text(&f.tlsCertificate, "tls-certificate")
	text(&f.tlsKey, "tls-key")
	text(&f.tlsServerName, "tls-server-name")
	flags.BoolVar(&f.tls, "tls", false, a.text("ui.flag.simulate.tls"))
	text(&f.name, "name")
	text(&f.wrongName, "wrong-name")
	flags.BoolVar(&f.load, "load", false, a.text("ui.flag.simulate.load"))
	flags.IntVar(&f.institutions, "institutions", 0, a.text("ui.flag.simulate.institutions"))
	flags.IntVar(&f.files, "files", 5, a.text("ui.flag.simulate.files"))
	flags.IntVar(&f.sessions, "sessions", 200, a.text("ui.flag.simulate.sessions"))
	flags.StringVar(&f.size, "size", "100000", a.text("ui.flag.simulate.size"))
	flags.BoolVar(&f.certify, "certify", false, a.text("ui.flag.simulate.certify"))
	flags.BoolVar(&f.receive, "receive", false, a.text("ui.flag.simulate.receive"))
	flags.BoolVar(&f.callersFetch, "callers-fetch", false, a.text("ui.flag.simulate.callers_fetch"))
	flags.DurationVar(&f.every, "every", 0, a.text("ui.flag.simulate.every"))
	flags.DurationVar(&f.wait, "wait", 10*time.Minute, a.text("ui.flag.simulate.wait"))
	flags.IntVar(&f.record, "record", 0, a.text("ui.flag.simulate.record"))
	flags.IntVar(&f.messageSize, "message-size", 0, a.text("ui.flag.simulate.message_size"))
	flags.BoolVar(&f.gzip, "gzip", false, a.text("ui.flag.simulate.gzip"))
	flags.BoolVar(&f.ebcdic, "ebcdic", false, a.text("ui.flag.simulate.ebcdic"))
	return a.describe(cmd, "simulate")
}

// simulate plays a counterparty until the first signal or, when it calls
// without --every, for one session.
func (a *app) simulate(ctx context.Context, profile string, f simulateFlags) error {
	o, err := a.simulateOptions(profile, f)
	if err != nil {
		return err
	}
	failed := false
	o.Observe = func(e simulator.Event) {
		failed = failed || e.Kind == simulator.Failed
		a.sayEvent(e)
		if f.listen != "" && e.Kind == simulator.Closed && e.Err != nil && !a.json { // who calls is told by the result
			why, _ := a.cat.Sentence(a.language(), e.Err)
			fmt.Fprintln(a.out, a.text("ui.simulate.over", "session", e.Session, "why", why, "code", fault.CodeOf(e.Err)))
		}
	}
	peer, err := simulator.New(o)
	if err != nil {
		return err
	}
	if f.listen != "" {
		return a.simulateListen(ctx, peer, f.listen)
	}
	for {
		report, err := peer.Call(ctx, f.connect, f.receive)
		if ctx.Err() != nil {
			return nil
		}
		switch {
		case f.every == 0 && err != nil:
			return err
		case f.every == 0 && failed:
			return fault.New(codeSimulateFailed, profile, "files", report.Files)
		case f.every == 0:
			return nil
		case err != nil:
			a.report(err) // the next call may go better
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(f.every):
		}
	}
}

// simulateOptions are the counterparty that the flags describe. Production is
// refused.
func (a *app) simulateOptions(profile string, f simulateFlags) (o simulator.Options, err error) {
	switch {
	case f.listen == "" && f.connect == "":
		return o, usageError{fault.New(codeFlagMissing, "--listen, --connect")}
	case f.listen != "" && f.connect != "":
		return o, usageError{fault.New(codeFlagsExclude, "--listen", "other", "--connect")}
	case f.side == "":
		return o, usageError{fault.New(codeFlagMissing, "--side")}
	case f.every < 0:
		return o, usageError{fault.New(codeFlagValue, "--every", "value", f.every)}
	}
	side, ok := protocol.ParseSide(f.side)
	if !ok {
		return o, usageError{fault.New(codeUnknownWord, f.side, "flag", "--side", "known", "institution, centre")}
	}
	what := "simulate --listen"
	if f.connect != "" {
		what = "simulate --connect"
	}
	if err := a.refuseProduction(what, f.configChosen); err != nil {
		return o, err
	}
	for _, dir := range []string{f.give, f.take} {
		if err := refuseProductionSite(what, dir); err != nil {
			return o, err
		}
	}
	a.enterFile(a.out)
	p, err := loadProfile(profile)
	if err != nil {
		return o, err
	}
	o = simulator.Options{
		Profile: p, Side: side, Institution: f.institution, Self: f.self, Peer: f.peer, SenderName: f.sender,
		GiveDir: f.give, TakeDir: f.take, Record: f.record, Packing: filemgr.Packing(f.packing),
		Gzip: f.gzip, EBCDIC: f.ebcdic, MessageSize: f.messageSize, CallersFetch: f.callersFetch,
		Logger: newLogger(config.Log{Level: "warn", Format: "auto"}, a.err),
	}
	if err := f.secure(&o); err != nil {
		return o, err
	}
	// Passwords come by the environment: a command line is seen by everybody on
	// the machine.
	login := machine.Login{Name: f.login}
	for _, secret := range []struct {
		name string
		into *string
	}{{f.passwordEnv, &o.Password}, {f.transferEnv, &o.Transfer}, {f.loginPasswordEnv, &login.Password}} {
		if secret.name == "" {
			continue
		}
		if *secret.into, ok = a.env(secret.name); !ok {
			return o, fault.New(codeNoVariable, secret.name)
		}
	}
	if login != (machine.Login{}) {
		if !p.PresentsInLogin(protocol.SenderName) {
			return o, usageError{fault.New(codeNoLogin, p.Name)}
		}
		o.Login = &machine.Login{Name: cmp.Or(login.Name, o.SenderName), Password: cmp.Or(login.Password, o.Password)}
	}
	if o.Faults, err = simulator.ParseFaults(f.faults); err != nil {
		return o, usageError{err}
	}
	return o, nil
}

// loadProfile takes the name of a profile that comes with the program, or a
// file.
func loadProfile(name string) (*protocol.Profile, error) {
	lib := newLibrary()
	if filepath.Ext(name) != ".yaml" {
		return lib.Load(name)
	}
	return addFile(lib, name)
}

func (a *app) simulateListen(ctx context.Context, peer *simulator.Peer, address string) error {
	l, err := a.listens(ctx, address)
	if err != nil {
		return err
	}
	return peer.Serve(ctx, l)
}

// listens opens address and says which it is: port 0 is a free one.
func (a *app) listens(ctx context.Context, address string) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fault.New(codeCannotListen, address).Because(err)
	}
	if a.json {
		err = a.writeJSON(a.out, map[string]string{"event": "ready", "listen": l.Addr().String()})
	} else {
		_, err = fmt.Fprintln(a.out, a.text("ui.simulate.ready", "address", l.Addr()))
	}
	if err != nil {
		_ = l.Close()
		return nil, err
	}
	return l, nil
}

// sayEvent prints one line per event; files are what people look for, so
// sessions are only told as JSON.
func (a *app) sayEvent(e simulator.Event) {
	if a.json {
		line := struct {
			Event   string   `json:"event"`
			At      string   `json:"at"`
			Session int64    `json:"session"`
			Name    string   `json:"name,omitempty"`
			Date    string   `json:"date,omitempty"`
			Serial  string   `json:"serial,omitempty"`
			Path    string   `json:"path,omitempty"`
			Bytes   int64    `json:"bytes"`
			SHA256  string   `json:"sha256,omitempty"`
			Blocks  int64    `json:"blocks"`
			Resent  int64    `json:"resent"`
			Resumed int64    `json:"resumed"`
			Again   bool     `json:"again,omitempty"`
			Error   *failure `json:"error,omitempty"`
		}{
			Event: string(e.Kind), At: e.At.Format(time.RFC3339Nano), Session: e.Session, Name: e.Name, Date: e.Date,
			Serial: e.Serial, Path: e.Path, Bytes: e.Bytes, SHA256: e.SHA256, Blocks: e.Blocks, Resent: e.Resent,
			Resumed: e.Resumed, Again: e.Again,
		}
		if e.Err != nil {
			f := a.failure(e.Err)
			line.Error = &f
		}
		_ = a.writeJSON(a.out, line)
		return
	}
	switch e.Kind {
	case simulator.Taken, simulator.Given:
		text := a.text("ui.simulate."+fault.Code(e.Kind), "name", e.Name, "bytes", count(e.Bytes), "blocks", e.Blocks, "path", e.Path)
		if e.Resent > 0 {
			text += a.text("ui.simulate.resent", "count", e.Resent)
		}
		if e.Resumed > 0 {
			text += a.text("ui.simulate.resumed", "bytes", count(e.Resumed))
		}
		if e.Again {
			text += a.text("ui.simulate.again")
		}
		fmt.Fprintln(a.out, text)
	case simulator.Failed:
		sentence, _ := a.cat.Sentence(a.language(), e.Err)
		fmt.Fprintln(a.out, a.text("ui.simulate.failed", "name", e.Name, "why", sentence, "code", fault.CodeOf(e.Err)))
	}
}
