package main

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"pabal/protocol"
	"pabal/simulator"
)

// Codes of the counterparties in demo_config.yaml.
const (
	demoCentre = "KFTC" // we call it; it takes and gives
	demoVAN    = "VAN"  // it calls us and sends
)

// counterparties are the two simulated ones.
type counterparties struct {
	centre, van       *simulator.Peer
	centreTap, vanTap *tap
	listener          net.Listener
	vanGives          string // directory
	calls             string // address where the VAN calls
	running           sync.WaitGroup
	cancel            context.CancelFunc
}

// peerEvent is what a counterparty tells of a file.
type peerEvent struct {
	where string
	simulator.Event
}

// What they lose on purpose. A place is lost once; the files of the centre
// beside EB21 have one block only, so that it is always EB21 that loses.
const (
	centreLoses = "lose=2:37,2:58"
	vanLoses    = "lose=2:11,2:12,2:77"
)

// newCounterparties makes them and the centre's port.
func newCounterparties(w *workspace, facts func(fact), events func(peerEvent)) (*counterparties, error) {
	cms, err := protocol.Load("cms")
	if err != nil {
		return nil, err
	}
	edi, err := protocol.Load("edi")
	if err != nil {
		return nil, err
	}
	c := &counterparties{vanGives: w.path("counterparties", "van", "give"), calls: w.listen}
	c.centreTap, c.vanTap = newTap(demoCentre, cms, facts), newTap(demoVAN, edi, facts)

	o := simulator.Options{
		Profile: cms, Side: protocol.CentreSide,
		Expect:  simulator.Expect{Caller: "12345678", SenderName: "Honggildong", Password: demoPassword},
		GiveDir: w.path("counterparties", "kftc", "give"), TakeDir: w.path("counterparties", "kftc", "take"),
		Observe: func(e simulator.Event) { events(peerEvent{demoCentre, e}) },
	}
	if o.Faults, err = simulator.ParseFaults(centreLoses); err != nil {
		return nil, err
	}
	if c.centre, err = simulator.New(o); err != nil {
		return nil, err
	}
	o = simulator.Options{
		Profile: edi, Side: protocol.InstitutionSide, Self: "VAN001", Peer: "PABAL001",
		GiveDir: c.vanGives, TakeDir: w.path("counterparties", "van", "take"),
		Observe: func(e simulator.Event) { events(peerEvent{demoVAN, e}) },
	}
	if o.Faults, err = simulator.ParseFaults(vanLoses); err != nil {
		return nil, err
	}
	if c.van, err = simulator.New(o); err != nil {
		return nil, err
	}
	if c.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	return c, nil
}

// start lets them work until stop.
func (c *counterparties) start(ctx context.Context) {
	ctx, c.cancel = context.WithCancel(ctx)
	c.running.Go(func() { _ = c.centre.Serve(ctx, c.centreTap.listener(c.listener)) })
	c.running.Go(func() { c.callWhenReady(ctx) })
}

func (c *counterparties) stop() {
	if c.cancel == nil {
		_ = c.listener.Close()
		return
	}
	c.cancel()
	c.running.Wait()
}

// callWhenReady: the VAN calls as soon as a file lies in its directory, also
// one that somebody puts there later.
func (c *counterparties) callWhenReady(ctx context.Context) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		if c.hasFile() {
			d := net.Dialer{Timeout: 2 * time.Second}
			if conn, err := d.DialContext(ctx, "tcp", c.calls); err == nil {
				_, err = c.van.Session(ctx, c.vanTap.conn(conn), false)
				if err == nil || errors.Is(err, context.Canceled) {
					tick.Reset(200 * time.Millisecond)
				} else {
					tick.Reset(time.Second)
				}
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (c *counterparties) hasFile() bool {
	entries, err := os.ReadDir(c.vanGives)
	if err != nil {
		return false
	}
	for _, e := range entries {
		if e.Type().IsRegular() && !strings.HasPrefix(e.Name(), ".") {
			return true
		}
	}
	return false
}

// tap of a counterparty.
func (c *counterparties) tap(where string) *tap {
	if where == demoVAN {
		return c.vanTap
	}
	return c.centreTap
}
