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

	// Of the loop alone:
	conn       *sql.Conn // nil after a failure that leaves its state in doubt
	statements *statements
}

// job is one write. Its function runs on the goroutine of the caller when its
// turn comes, so that a panic or a test's FailNow ends the right goroutine.
type job struct {
	payload int64
	turn    chan *tx
	ran     chan error // what the function returned
	done    chan error // what became of it; buffered
	state   atomic.Int32
}

const (
	jobWaiting int32 = iota
	jobTaken
	jobWithdrawn
)

func newWriter(db *sql.DB, k *knock) *writer {
	w := &writer{db: db, knock: k, jobs: make(chan *job), stop: make(chan struct{}), ended: make(chan struct{})}
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

// group runs first and what else is waiting in one transaction.
func (w *writer) group(first *job) {
	if err := w.begin(); err != nil {
		first.done <- err
		return
	}
	t := &tx{statements: w.statements}
	// Nothing else is in the transaction yet, so the first needs no savepoint.
	taken, err := w.turn(first, t)
	if err != nil || !taken {
		w.rollback()
		if taken {
			first.done <- err
		}
		return
	}
	group := []*job{first}
	payload := first.payload
	for payload < groupPayload && len(group) < groupWrites {
		next := w.waiting()
		if next == nil {
			break
		}
		taken, err, broken := w.inSavepoint(next, t)
		if broken != nil {
			// The transaction is gone, and everybody's work with it.
			w.rollback()
			w.drop()
			answer(append(group, next), broken)
			return
		}
		if !taken {
			continue
		}
		if err != nil {
			next.done <- err
			continue
		}
		group = append(group, next)
		payload += next.payload
	}
	err = w.commit()
	if err != nil {
		// Whether it was written is settled by the next one who reads.
		w.rollback()
		w.drop()
	}
	answer(group, err)
}

// waiting is a job that waits now, nil if there is none. Before it says so
// whoever is ready to run is let run once: on a busy machine those are about
// to write as well, and it costs nothing where nobody is.
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

// turn lets a job run. taken is false if it was withdrawn meanwhile.
func (w *writer) turn(j *job, t *tx) (taken bool, err error) {
	if !j.state.CompareAndSwap(jobWaiting, jobTaken) {
		return false, nil
	}
	j.turn <- t
	return true, <-j.ran
}

// inSavepoint lets a job run so that its failure undoes only its own work.
// broken means that even that failed.
func (w *writer) inSavepoint(j *job, t *tx) (taken bool, err, broken error) {
	if _, err := t.exec("SAVEPOINT one"); err != nil {
		return false, nil, err
	}
	taken, err = w.turn(j, t)
	if err != nil {
		if _, undo := t.exec("ROLLBACK TO one"); undo != nil {
			return taken, err, err // err is why: a full disk rolls everything back
		}
	}
	if _, release := t.exec("RELEASE one"); release != nil {
		return taken, err, release
	}
	return taken, err, nil
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
		w.statements = &statements{prepare: conn.PrepareContext, direct: conn.QueryContext, change: conn.ExecContext}
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
