package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"

	"pabal/internal/fault"
	"pabal/transfer"
)

const (
	// A group ends when this much is in it, so that a bulk writer keeps nobody
	// waiting for long (design §2: transactions of at most 4 MB).
	groupPayload = 4 << 20
	groupWrites  = 256
)

// writer runs writes one after the other on the only writing connection and
// commits many of them at once: whatever waits while one commit is being
// synced goes into the next. Each write has its savepoint, so that one that
// fails takes nothing of another with it.
type writer struct {
	db    *sql.DB
	knock *knock
	jobs  chan *job // unbuffered: what was taken from it is answered
	stop  chan struct{}
	ended chan struct{}
	once  sync.Once
	hear  func(string)

	// Of the loop alone:
	conn       *sql.Conn // nil after a failure that leaves its state in doubt
	statements *statements
}

// job is one write. Its function runs on the goroutine of the caller when its
// turn comes, so that a panic or a test's FailNow ends the right goroutine. It
// may have more than one turn.
type job struct {
	payload int64
	turn    chan *tx
	ran     chan error // what the function returned
	done    chan error // what became of it; buffered
	events  []*transfer.Event
	state   atomic.Int32
}

const (
	jobWaiting int32 = iota
	jobTaken
	jobWithdrawn
)

func newWriter(db *sql.DB, k *knock, hear func(string)) *writer {
	w := &writer{db: db, knock: k, hear: hear, jobs: make(chan *job), stop: make(chan struct{}), ended: make(chan struct{})}
	go w.loop()
	return w
}

func (w *writer) close() error {
	w.once.Do(func() { close(w.stop) })
	<-w.ended
	return w.knock.close()
}

// errAborted stands for a function that did not return.
var errAborted = errors.New("store: the write's function did not return")

func (w *writer) write(ctx context.Context, payload int64, f func(*tx) error) error {
	j := &job{payload: payload, turn: make(chan *tx), ran: make(chan error), done: make(chan error, 1)}
	select {
	case w.jobs <- j:
	case <-ctx.Done():
		return ctx.Err()
	case <-w.stop:
		return fault.New(CodeClosed, "")
	}
	// The loop has it now. It can be withdrawn until its turn comes; after
	// that only the outcome counts, which the busy timeout bounds.
	done := ctx.Done()
	for {
		select {
		case t := <-j.turn:
			j.run(t, f)
		case err := <-j.done:
			return err
		case <-done:
			if j.state.CompareAndSwap(jobWaiting, jobWithdrawn) {
				return ctx.Err()
			}
			done = nil
		}
	}
}

func (j *job) run(t *tx, f func(*tx) error) {
	err := errAborted
	defer func() { j.ran <- err }()
	err = f(t)
}

func (w *writer) loop() {
	defer close(w.ended)
	defer w.drop()
	for {
		select {
		case j := <-w.jobs:
			w.group(j)
		case <-w.stop:
			return
		}
	}
}

// group runs first and what else is waiting in one transaction. When one fails
// that has written something, everything is undone and the others run again
// without it. That is rare, and what does not fail pays nothing for it, as it
// would for a savepoint.
func (w *writer) group(first *job) {
	if err := w.begin(); err != nil {
		first.done <- err
		return
	}
	due := []*job{first} // to be run, in their order
	var in []*job        // whose work is in the transaction
	for len(due) > 0 {
		j := due[0]
		due = due[1:]
		taken, wrote, err := w.turn(j)
		switch {
		case !taken:
		case err == nil:
			in = append(in, j)
		default:
			j.done <- err
			if !wrote {
				break
			}
			w.rollback()
			due, in = append(in, due...), nil
			if len(due) == 0 {
				return
			}
			if err := w.begin(); err != nil {
				answer(due, err)
				return
			}
		}
		if len(due) == 0 && !full(in) {
			if j := w.waiting(); j != nil {
				due = append(due, j)
			}
		}
	}
	if len(in) == 0 {
		w.rollback()
		return
	}
	err := w.finish(in)
	if err != nil {
		// Whether it was written is settled by the next one who reads.
		w.rollback()
		w.drop()
	}
	answer(in, err)
}

// full says that a group is long enough.
func full(group []*job) bool {
	payload := int64(0)
	for _, j := range group {
		payload += j.payload
	}
	return payload >= groupPayload || len(group) >= groupWrites
}

// finish writes the events of a group, with as few statements as they need, and
// commits.
func (w *writer) finish(group []*job) error {
	var events []*transfer.Event
	for _, j := range group {
		events = append(events, j.events...)
	}
	t := &tx{statements: w.statements}
	if err := t.insertEvents(events); err != nil {
		return err
	}
	return w.commit()
}

// waiting is a job that waits now, nil if there is none. Before it says so
// whoever is ready to run is let run once: on a busy machine those are about
// to write as well, and it costs nothing where nobody is. A commit does not
// wait for company longer than that: where syncs are slow, those who come while
// one is under way make up the next group by themselves, and where they are
// fast waiting costs more than it saves.
func (w *writer) waiting() *job {
	for yielded := false; ; yielded = true {
		select {
		case j := <-w.jobs:
			return j
		default:
		}
		if yielded {
			return nil
		}
		runtime.Gosched()
	}
}

func answer(group []*job, err error) {
	for _, j := range group {
		j.done <- err
	}
}

// turn lets a job run. taken is false if it was withdrawn meanwhile; wrote says
// that it may have changed something.
func (w *writer) turn(j *job) (taken, wrote bool, err error) {
	if j.state.Load() != jobTaken && !j.state.CompareAndSwap(jobWaiting, jobTaken) {
		return false, false, nil
	}
	t := &tx{statements: w.statements, shared: true}
	j.turn <- t
	err = <-j.ran
	j.events = t.events
	return true, t.wrote, err
}

// begin opens a transaction that may write, on a connection that it makes
// when there is none.
func (w *writer) begin() error {
	ctx := context.Background()
	w.knock.letIn()
	if w.conn == nil {
		conn, err := w.db.Conn(ctx)
		if err != nil {
			w.knock.leave()
			return err
		}
		w.conn = conn
		w.statements = &statements{prepare: conn.PrepareContext, direct: conn.QueryContext, change: conn.ExecContext, hear: w.hear}
	}
	// IMMEDIATE: a transaction that reads first and then finds that another
	// process wrote could only be given up.
	if _, err := (&tx{statements: w.statements}).exec("BEGIN IMMEDIATE"); err != nil {
		w.knock.leave()
		w.drop()
		return err
	}
	return nil
}

func (w *writer) commit() error {
	_, err := (&tx{statements: w.statements}).exec("COMMIT")
	w.knock.leave()
	return err
}

// rollback has no error to tell: the engine may have rolled back already, and
// if it could not, the next BEGIN fails and the connection is dropped.
func (w *writer) rollback() {
	_, _ = (&tx{statements: w.statements}).exec("ROLLBACK")
	w.knock.leave()
}

// drop closes the connection and its prepared statements.
func (w *writer) drop() {
	if w.conn == nil {
		return
	}
	for _, st := range w.statements.byText {
		st.Close()
	}
	// database/sql would keep the connection for reuse; ErrBadConn makes it
	// close it.
	_ = w.conn.Raw(func(any) error { return driver.ErrBadConn })
	w.conn.Close()
	w.conn, w.statements = nil, nil
}
