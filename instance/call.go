package instance

import (
	"context"
	"net"
	"sync"
	"time"

	"pabal/internal/fault"
	"pabal/internal/loop"
	"pabal/protocol"
	"pabal/protocol/line"
	"pabal/store"
	"pabal/transfer"
)

// sendStep calls every counterparty that something is ready for: one session
// takes all of it. It only starts sessions; they go on by themselves.
func (i *Instance) sendStep(ctx, work context.Context, sessions *sync.WaitGroup) (bool, error) {
	for _, n := range i.insts {
		if !n.calls() || n.closedNow(i.business(), true) {
			continue
		}
		if n.dialLater(i.now()) {
			urged, err := i.urged(ctx, n)
			if err != nil || !urged {
				continue
			}
		}
		if err := i.startSend(ctx, work, n, sessions); err != nil {
			return false, err
		}
	}
	return false, nil
}

// calls: we connect and, as the institution, drive what we send.
func (n *institution) calls() bool { return n.Connect != "" && n.Side == protocol.InstitutionSide }

func (n *institution) dialLater(now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return now.Before(n.dialAt)
}

// urged: since the last failure a person has released a transfer of this
// counterparty, or ordered something else that needs the line. A person who
// does that has mended something, and is not made to wait.
func (i *Instance) urged(ctx context.Context, n *institution) (bool, error) {
	n.mu.Lock()
	since := n.failedAt
	n.mu.Unlock()
	orders, err := i.s.Commands(ctx, store.CommandFilter{Since: since})
	if err != nil {
		return false, err
	}
	for _, c := range orders {
		t, err := i.s.Transfer(ctx, c.TransferID)
		if err == nil && t.Institution == n.Code && t.Direction == transfer.Send && !t.NextTry.After(i.now()) {
			return true, nil
		}
	}
	return false, nil
}

// dialed notes how a connection attempt went; after a failure the
// counterparty is left alone for a while, longer each time.
func (n *institution) dialed(now time.Time, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err == nil {
		n.fails, n.dialAt, n.failedAt = 0, time.Time{}, time.Time{}
		return
	}
	n.fails++
	n.failedAt = now
	n.dialAt = now.Add(loop.Backoff(or(n.RetryFirst, 30*time.Second), or(n.RetryMax, 10*time.Minute), n.fails))
}

func (i *Instance) startSend(ctx, work context.Context, n *institution, sessions *sync.WaitGroup) error {
	sctx, cut := context.WithCancelCause(work)
	slot, free := n.send.try(cut)
	if !free {
		cut(nil)
		return nil
	}
	t, err := i.claimSend(ctx, n)
	if err != nil || t == nil {
		n.send.leave(slot)
		cut(nil)
		return err
	}
	s := &session{Instance: i, inst: n, profile: n.Profile, slot: slot, slots: n.send, first: t, left: -1, draining: ctx.Done(), log: i.log}
	sessions.Go(func() {
		defer cut(nil)
		if _, err := s.call(sctx, transfer.Send); err == nil {
			i.wake.send.Give() // what has become ready meanwhile
		}
	})
	return nil
}

// call connects and runs the session. What was claimed for it goes back to
// wait if the counterparty cannot be reached.
func (s *session) call(ctx context.Context, d transfer.Direction) (line.Report, error) {
	conn, err := s.dial(ctx)
	s.inst.dialed(s.now(), err)
	if err == nil {
		err = s.begin(ctx, conn.RemoteAddr(), true, d)
		if err != nil {
			_ = conn.Close()
		}
	}
	if err != nil {
		s.log.Warn("no session", "institution", s.inst.Code, "err", err)
		if t := s.first; t != nil {
			s.first = nil
			s.giveBack(context.WithoutCancel(ctx), t, err)
		}
		s.slots.leave(s.slot)
		return line.Report{}, err
	}
	return s.run(ctx, conn)
}

func (s *session) dial(ctx context.Context) (net.Conn, error) {
	d := net.Dialer{Timeout: or(s.inst.ConnectTimeout, 5*time.Second), KeepAlive: 30 * time.Second}
	conn, err := d.DialContext(ctx, "tcp", s.inst.Connect)
	if err != nil {
		return nil, fault.New(CodeConnect, s.inst.Code, "address", s.inst.Connect).Because(err)
	}
	return conn, nil
}

// fetchStep goes and fetches in the receive windows. When each was last tried
// is kept in the store, so a window that passed while we were down is made up.
func (i *Instance) fetchStep(ctx, work context.Context, sessions *sync.WaitGroup) (bool, error) {
	for _, n := range i.insts {
		if len(n.Windows) == 0 || !n.calls() || n.dialLater(i.now()) {
			continue
		}
		last, err := i.s.Window(ctx, "fetch "+n.Code)
		if err != nil {
			return false, err
		}
		if !due(n.Windows, i.business(), last) || n.closedNow(i.business(), false) {
			continue
		}
		if err := i.startFetch(ctx, work, n, last, sessions); err != nil {
			return false, err
		}
	}
	return false, nil
}

func (i *Instance) startFetch(ctx, work context.Context, n *institution, last store.Window, sessions *sync.WaitGroup) error {
	sctx, cut := context.WithCancelCause(work)
	slot, free := n.receive.try(cut)
	if !free {
		cut(nil)
		return nil
	}
	last.LastTry = i.now()
	if err := i.s.SetWindow(ctx, i.now(), "fetch "+n.Code, last); err != nil {
		n.receive.leave(slot)
		cut(nil)
		return err
	}
	s := &session{Instance: i, inst: n, profile: n.Profile, slot: slot, slots: n.receive, fetch: true, draining: ctx.Done(), log: i.log}
	sessions.Go(func() {
		defer cut(nil)
		report, err := s.call(sctx, transfer.Receive)
		if err != nil {
			return
		}
		last.LastSuccess = i.now()
		if report.MoreToFetch && report.Files > 0 { // one that only promises is not asked without pause
			last.LastTry = time.Time{} // the rest is due at once
			i.wake.fetch.Give()
		}
		done := func(ctx context.Context) error { return i.s.SetWindow(ctx, i.now(), "fetch "+n.Code, last) }
		if err := done(context.WithoutCancel(sctx)); err != nil {
			i.later(done)
		}
	})
	return nil
}

// due says whether one of the windows wants a look now: inside it, when its
// interval has passed; after it, when nothing succeeded since it began. A try
// after now was before the clock was set back, and does not count.
func due(windows []Window, now time.Time, last store.Window) bool {
	if last.LastTry.After(now) {
		last.LastTry = time.Time{}
	}
	for _, w := range windows {
		start, end, ok := w.latest(now)
		if !ok {
			continue
		}
		every := or(w.Every, 10*time.Minute)
		next := last.LastTry.Add(every)
		if now.Before(end) {
			if last.LastTry.Before(start) || !now.Before(next) {
				return true
			}
			continue
		}
		if last.LastSuccess.Before(start) && !now.Before(next) {
			return true
		}
	}
	return false
}

// latest is the most recent window that has begun by now, within the last
// week.
func (w Window) latest(now time.Time) (start, end time.Time, ok bool) {
	y, m, d := now.Date()
	for back := range 8 {
		day := time.Date(y, m, d-back, 0, 0, 0, 0, now.Location())
		if len(w.Days) > 0 && !contains(w.Days, day.Weekday()) {
			continue
		}
		start = day.Add(w.From)
		if start.After(now) {
			continue
		}
		end = day.Add(w.To)
		if w.To <= w.From {
			end = end.AddDate(0, 0, 1)
		}
		return start, end, true
	}
	return start, end, false
}

func contains(days []time.Weekday, d time.Weekday) bool {
	for _, x := range days {
		if x == d {
			return true
		}
	}
	return false
}
