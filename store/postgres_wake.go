package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	wakeChannel = "pabal_work"
	// A listener that lost its connection comes back after so long.
	wakeRetry = time.Second
	// wakePause is the least time between two signals of one process. Each makes
	// every stage of every process look for work, so many of them cost more than
	// the work that they tell of.
	wakePause = 100 * time.Millisecond
	// wakeLimit is how long it may take to tell; closing waits for it.
	wakeLimit = 2 * time.Second
	// wakeText tells others without a sync of the disk, and not in the write's
	// own transaction: commits with a NOTIFY wait for one another.
	wakeText = "BEGIN; SET LOCAL synchronous_commit = off; NOTIFY " + wakeChannel + "; COMMIT"
)

// tellOf remembers that there is something to tell. Many writes are told of at
// once: the first of them without delay.
func (e *postgres) tellOf(t *tx) {
	if !t.work {
		return
	}
	select {
	case e.made <- struct{}{}:
	default:
	}
}

// tell runs until the store is closed, and tells then of what was made last: a
// command's process closes it right after its only write. What cannot be told is
// found by polling.
func (e *postgres) tell() {
	for {
		select {
		case <-e.made:
			e.notify()
			select {
			case <-time.After(wakePause):
				continue
			case <-e.ctx.Done():
			}
		case <-e.ctx.Done():
		}
		select {
		case <-e.made:
			e.notify()
		default:
		}
		return
	}
}

func (e *postgres) notify() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(e.ctx), wakeLimit)
	defer cancel()
	conn, err := e.pool.Acquire(ctx)
	if err != nil {
		return
	}
	_, _ = conn.Conn().PgConn().Exec(ctx, wakeText).ReadAll()
	conn.Release()
}

func (e *postgres) wake(ctx context.Context) <-chan struct{} {
	signals := make(chan struct{}, 1)
	if e.enter() != nil {
		return signals
	}
	go func() {
		defer e.busyWG.Done()
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(e.ctx, cancel)()
		for ctx.Err() == nil {
			e.listen(ctx, signals)
			select {
			case <-ctx.Done():
			case <-time.After(wakeRetry):
			}
		}
	}()
	return signals
}

// listen passes signals on until its connection breaks. The connection is none
// of the pool's: it would be gone from it for good.
func (e *postgres) listen(ctx context.Context, signals chan<- struct{}) {
	conn, err := pgx.ConnectConfig(ctx, e.config.Copy())
	if err != nil {
		return
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, "LISTEN "+wakeChannel); err != nil {
		return
	}
	for {
		// Also at the start: something may have been made while nobody listened.
		select {
		case signals <- struct{}{}:
		default:
		}
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return
		}
	}
}
