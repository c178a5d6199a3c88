package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"pabal/config"
	"pabal/filemgr"
	"pabal/instance"
	"pabal/internal/fault"
	"pabal/internal/secure"
	"pabal/naming"
	"pabal/protocol"
	"pabal/simulator/scenario"
	"pabal/store"
	"pabal/transfer"
)

// throwaway is a server of ours that is made to be talked to and then thrown
// away: a real instance with a database and directories of its own.
type throwaway struct {
	dir  string
	o    instance.Options
	st   *store.Store
	in   *instance.Instance
	log  *os.File
	stop context.CancelFunc
	done chan error
}

// newThrowaway prepares one in dir. It waits for nothing long, so that what is
// tried with it is over soon.
func newThrowaway(dir string) (*throwaway, error) {
	t := &throwaway{dir: dir}
	for _, d := range []string{"ready", "scan", "work", "receive", "result"} {
		if err := os.MkdirAll(t.path(d), 0o750); err != nil {
			return nil, fault.New(codeCannotWrite, t.path(d)).Because(err)
		}
	}
	t.o = instance.Options{
		ID: "instance_SIM", Place: "simulate", Zone: time.FixedZone("KST", 9*60*60), Scans: true,
		Dirs: filemgr.Dirs{Scan: t.path("scan"), Work: t.path("work"), Receive: t.path("receive")}, Result: t.path("result"),
		ScanEvery: 50 * time.Millisecond, Settle: 50 * time.Millisecond, Poll: 50 * time.Millisecond, Drain: 2 * time.Second,
	}
	return t, nil
}

func (t *throwaway) path(parts ...string) string {
	return filepath.Join(append([]string{t.dir}, parts...)...)
}

// register adds a file registration. The file ID is the name on the wire.
func (t *throwaway) register(id, institution string, d transfer.Direction) {
	t.o.Files = append(t.o.Files, instance.File{
		Registration: naming.Registration{FileID: id, Institution: institution, Job: throwawayJob, Direction: d},
		Form:         filemgr.Form{Kind: filemgr.Raw}, Checks: filemgr.CheckOptions{SendEmpty: true},
	})
}

const throwawayJob = "SIM"

// start runs it until close.
func (t *throwaway) start(ctx context.Context, url string) (err error) {
	if url == "" {
		url = "sqlite:" + t.path("pabal.db")
	}
	if t.log, err = os.Create(t.path("log")); err != nil {
		return fault.New(codeCannotWrite, t.dir).Because(err)
	}
	t.o.Log = newLogger(config.Log{Level: "info", Format: "json"}, t.log)
	if t.st, err = openServer(ctx, store.Options{URL: url}); err != nil {
		return err
	}
	if t.in, err = instance.New(t.st, t.o); err != nil {
		return err
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	t.stop, t.done = stop, make(chan error, 1)
	go func() { t.done <- t.in.Run(run, context.WithoutCancel(run)) }()
	select {
	case <-t.in.Ready():
		return nil
	case err := <-t.done:
		t.done <- nil
		return err
	}
}

func (t *throwaway) close() error {
	var errs []error
	if t.stop != nil {
		t.stop()
		errs = append(errs, <-t.done)
	}
	if t.st != nil {
		errs = append(errs, t.st.Close())
	}
	if t.log != nil {
		errs = append(errs, t.log.Close())
	}
	return errors.Join(errs...)
}

// drop puts a file into the scan directory.
func (t *throwaway) drop(from, name string) error { return dropCopy(from, t.path("scan", name)) }

// await looks at its transfers until want is content with them, for limit at most.
func (t *throwaway) await(ctx context.Context, f store.Filter, limit time.Duration, want func([]*transfer.Transfer) bool) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		all, err := t.st.List(context.WithoutCancel(ctx), f)
		if err != nil {
			return false, err
		}
		if want(all) {
			return true, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false, nil
		}
	}
}

// stored waits until so many files are ready to be sent: who calls to fetch
// before that would find nothing.
func (t *throwaway) stored(ctx context.Context, files int) error {
	if files == 0 {
		return nil
	}
	_, err := t.await(ctx, store.Filter{Direction: transfer.Send, Statuses: []transfer.Status{transfer.Stored}}, throwawayWait,
		func(all []*transfer.Transfer) bool { return len(all) >= files })
	return err
}

// peerCode is the code of the counterparty at a server made for a scenario.
const peerCode = "PEER"

// serverFor makes the other end of a scenario. Where that calls us, address is
// where it listens.
func serverFor(s *scenario.Scenario, dir, address string) (*throwaway, error) {
	t, err := newThrowaway(dir)
	if err != nil {
		return nil, err
	}
	own := instance.Credentials{Name: s.Server.Sender, Password: s.Server.Password}
	n := instance.Institution{
		Code: peerCode, Profile: s.Profile, Side: s.Side.Other(), WireCode: s.Who.Institution, Self: s.Who.Peer, Peer: s.Who.Self,
		SendSessions: s.Sessions, ReceiveSessions: s.Sessions, Reply: s.Server.Reply, Rounds: s.Server.Rounds, Pause: time.Millisecond,
		RetryFirst: 100 * time.Millisecond, RetryMax: 500 * time.Millisecond, TransferPassword: s.Who.Transfer,
	}
	if s.Profile.Carries(protocol.Open, protocol.SenderName) || s.Profile.PresentsInLogin(protocol.SenderName) {
		n.Sender, n.Expect = own, own
	}
	if l := s.Server.Login; l != nil {
		own := instance.Credentials(*l)
		n.Login.Sender, n.Login.Expect = &own, &own
	}
	if s.Listens {
		n.Connect = address
		if t := s.TLS; t != nil {
			n.TLS = &secure.Client{Files: t.Server, ServerName: t.ServerName}
		}
		if len(s.Gifts) > 0 {
			n.Windows = []instance.Window{{To: 24 * time.Hour, Every: 100 * time.Millisecond}}
		}
	} else {
		l := instance.Listen{Address: "127.0.0.1:0", Profile: s.Profile}
		if s.Fetch && s.Profile.Session.OpensCalled(n.Side, n.Side == protocol.CentreSide) {
			l.SendsTo = peerCode
		}
		if t := s.TLS; t != nil {
			l.TLS, n.Caller.TLS = &secure.Server{Files: t.Server}, true
			switch {
			case t.Caller != "":
				n.Caller.Fingerprints = []string{t.Caller}
			case t.Server.CA != "": // nobody whom it would let in
				n.Caller.Names = []string{peerCode}
			}
		}
		t.o.Listen = []instance.Listen{l}
	}
	t.o.Institutions = []instance.Institution{n}
	known := map[string]bool{}
	for _, g := range s.Gifts {
		if !g.Unregistered && !known[g.Wire] {
			known[g.Wire] = true
			t.register(g.Wire, peerCode, transfer.Receive)
		}
	}
	for _, g := range s.Server.Sends {
		t.register(g.Wire, peerCode, transfer.Send)
	}
	return t, nil
}

// settled holds what a scenario left at its server against what it expects:
// statuses, and every confirmed file in the receive directory.
func (t *throwaway) settled(ctx context.Context, s *scenario.Scenario, out *scenario.Outcome) error {
	_, err := t.await(ctx, store.Filter{Direction: transfer.Receive, Statuses: []transfer.Status{transfer.Assembled}}, throwawayWait,
		func(all []*transfer.Transfer) bool { return len(all) >= len(out.Given) })
	if err != nil {
		return err
	}
	if err := out.Compare(t.path("receive")); err != nil {
		return err
	}
	for name, want := range s.Expect.Server {
		got := "-"
		ok, err := t.await(ctx, store.Filter{WireName: name}, throwawayWait, func(all []*transfer.Transfer) bool {
			if len(all) > 0 {
				got = string(all[len(all)-1].Status)
			}
			return got == want
		})
		if err != nil {
			return err
		}
		if !ok {
			out.Wrong = append(out.Wrong, fault.New(scenario.CodeExpectation, name, "expected", want, "actual", got))
		}
	}
	return nil
}

const throwawayWait = 10 * time.Second
