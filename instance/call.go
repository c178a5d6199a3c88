package instance

import (
	"context"
	"net"
	"syscall"
	"time"

	"pabal/internal/fault"
	"pabal/internal/loop"
	"pabal/internal/pace"
	"pabal/protocol/line"
	"pabal/store"
	"pabal/transfer"
)

// sendStep calls every counterparty that something is ready for, with as many
// sessions as there are files and lines; a session goes on with what is left.
// It only starts them.
func (i *Instance) sendStep(ctx context.Context, t *term) (bool, error) {
	for _, n := range i.insts {
		if !i.calls(n, transfer.Send) || n.closedNow(i.business(), true) {
			continue
		}
		if n.dialLater(i.now()) {
			urged, err := i.urged(ctx, n)
			if err != nil || !urged {
				continue
			}
		}
		// One that may not be there is tried with one session.
		for more := true; more; {
			started, err := i.startSend(ctx, t, n)
			if err != nil {
				return false, err
			}
			more = started && n.wasReached()
		}
	}
	return false, nil
}

// calls: we connect for files of a direction. Those that stand before us in the configuration's order call while they live.
func (i *Instance) calls(n *institution, d transfer.Direction) bool {
	return n.weCall(d) && !i.others.anyAlive(n.Before)
}

func (n *institution) dialLater(now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return now.Before(n.dialAt)
}

// wasReached reports that the last call got through.
func (n *institution) wasReached() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.reached
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
	n.reached = err == nil
	if err == nil {
		n.fails, n.dialAt, n.failedAt = 0, time.Time{}, time.Time{}
		return
	}
	n.fails++
	n.failedAt = now
	n.dialAt = now.Add(loop.Backoff(or(n.RetryFirst, 30*time.Second), or(n.RetryMax, 10*time.Minute), n.fails))
}

// startSend starts a session if there is something to send and a line is free.
func (i *Instance) startSend(ctx context.Context, t *term, n *institution) (started bool, err error) {
	if ready, err := i.sendable(ctx, n); err != nil || !ready {
		return false, err
	}
	s, err := i.newCall(ctx, t, n, transfer.Send)
	if s == nil {
		return false, err
	}
	if s.first, err = i.claimSend(ctx, n, s.row.ID); err != nil || s.first == nil {
		s.end(context.WithoutCancel(ctx)) // another instance was faster
		s.cut(nil)
		return false, err
	}
	t.run(func() {
		if _, err := s.call(); err == nil {
			i.wake.send.Give() // what has become ready meanwhile
		}
	})
	return true, nil
}

// newCall takes a line for a session that we open; nil if none is free.
func (i *Instance) newCall(ctx context.Context, t *term, n *institution, d transfer.Direction) (*session, error) {
	s := &session{Instance: i, inst: n, profile: n.Profile, left: -1, draining: t.taking.Done(), log: i.log}
	s.ctx, s.cut = context.WithCancelCause(t.work)
	err := s.begin(ctx, n.Connect, true, d)
	if err == nil {
		return s, nil
	}
	s.cut(nil)
	if fault.CodeOf(err) == store.CodeLineTaken {
		err = nil
	}
	return nil, err
}

// call connects and runs the session. What was claimed for it goes back to
// wait if the counterparty cannot be reached.
func (s *session) call() (line.Report, error) {
	defer s.cut(nil)
	conn, err := s.dial(s.ctx)
	s.inst.dialed(s.now(), err)
	if err == nil {
		s.peer = conn.RemoteAddr()
		s.row.Peer = s.peer.String()
		s.wake.send.Give() // it is there: other lines can be used as well
		return s.run(s.ctx, conn)
	}
	s.log.Warn("no session", "code", string(fault.CodeOf(err)), "err", err)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), 10*time.Second)
	defer cancel()
	if t := s.first; t != nil {
		s.first = nil
		why := err
		if s.stopping() {
			why = nil
		}
		s.giveBack(ctx, t, why)
	}
	if e := fault.As(err); e != nil {
		s.row.ErrorCode, s.row.ErrorDetail = string(e.Code), detail(e)
	}
	s.end(ctx)
	return line.Report{}, err
}

func (s *session) dial(ctx context.Context) (net.Conn, error) {
	d := net.Dialer{Timeout: or(s.inst.ConnectTimeout, 5*time.Second), KeepAlive: 30 * time.Second}
	d.Control = func(_, address string, _ syscall.RawConn) error { return s.inst.reachable(address) }
	conn, err := d.DialContext(ctx, "tcp", s.inst.Connect)
	if e := fault.As(err); e != nil {
		return nil, e
	}
	if err != nil {
		return nil, fault.New(CodeConnect, s.inst.Code, "address", s.inst.Connect).Because(err)
	}
	paced := pace.Wrap(conn)
	paced.Use(s.paces.of(&s.inst.Institution))
	return s.secured(ctx, paced)
}

// fetchStep goes and fetches in the receive windows. When each was last tried
// is kept in the store, so a window that passed while we were down is made up.
func (i *Instance) fetchStep(ctx context.Context, t *term) (bool, error) {
	for _, n := range i.insts {
		if len(n.Windows) == 0 || !i.calls(n, transfer.Receive) || n.dialLater(i.now()) {
			continue
		}
		last, err := i.s.Window(ctx, "fetch "+n.Code)
		if err != nil {
			return false, err
		}
		if !due(n.Windows, i.business(), last) || n.closedNow(i.business(), false) {
			continue
		}
		if err := i.startFetch(ctx, t, n, last); err != nil {
			return false, err
		}
	}
	return false, nil
}

func (i *Instance) startFetch(ctx context.Context, t *term, n *institution, last store.Window) error {
	s, err := i.newCall(ctx, t, n, transfer.Receive)
	if s == nil {
		return err
	}
	s.fetch = true
	last.LastTry = i.now()
	if err := i.s.SetWindow(ctx, i.now(), "fetch "+n.Code, last); err != nil {
		s.end(context.WithoutCancel(ctx))
		s.cut(nil)
		return err
	}
	t.run(func() {
		report, err := s.call()
		if err != nil {
			return
		}
		last.LastSuccess = i.now()
		more := report.MoreToFetch && report.Files > 0 // one that only promises is not asked without pause
		if more {
			last.LastTry = time.Time{} // the rest is due at once
		}
		done := func(ctx context.Context) error {
			err := i.s.SetWindow(ctx, i.now(), "fetch "+n.Code, last)
			if err == nil && more { // not before: a look at the window of before would use the hint up
				i.wake.fetch.Give()
			}
			return err
		}
		if err := done(context.WithoutCancel(s.ctx)); err != nil {
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
