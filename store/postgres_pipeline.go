package store

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// pipeline is a transaction on PostgreSQL. Each way to the server and back
// wakes two processes, which costs more than most statements do. So what
// nobody waits for is collected and leaves with the next statement that
// somebody waits for, or with the COMMIT.
type pipeline struct {
	conn  *pgx.Conn
	limit context.Context
	hear  func(string)        // may be nil, see Options
	said  func(string, []any) // may be nil: for tests
	due   *pgx.Batch          // not sent yet
	size  int                 // bytes of it, about
	ifs   bool                // the answer to some of it may end the transaction
}

// mostAhead is how many bytes of statements travel together. It is less than a
// socket takes at once, so that a process that is stopped has sent all of them
// or none: between two of them the server waits without a limit, and the
// transaction would keep its locks for as long as we stand still (design D4).
// A larger statement is therefore the first of those it travels with: before it
// the server waits with idle_in_transaction_session_timeout.
const mostAhead = 8 << 10

func newPipeline(limit context.Context, conn *pgx.Conn, hear func(string)) *pipeline {
	p := &pipeline{conn: conn, limit: limit, hear: hear, due: new(pgx.Batch)}
	p.due.Queue("begin")
	return p
}

// add collects a statement. Its answer goes to what the caller gives the
// returned query to do.
func (p *pipeline) add(text string, args []any) (*pgx.QueuedQuery, error) {
	if p.hear != nil {
		p.hear(text)
	}
	if p.said != nil {
		p.said(text, args)
	}
	if err := checkText(args); err != nil {
		return nil, err
	}
	size := len(text) / 8 // of a prepared statement only its name travels
	for _, a := range args {
		switch v := a.(type) {
		case string:
			size += len(v)
		case *string:
			size += len(*v)
		case []byte:
			size += len(v)
		}
		size += 8
	}
	if p.size+size > mostAhead && p.due.Len() > 0 {
		if err := p.flush(); err != nil {
			return nil, err
		}
	}
	p.size += size
	return p.due.Queue(text, args...), nil
}

func (p *pipeline) exec(then func(int64) error, text string, args []any) error {
	q, err := p.add(text, args)
	if err != nil || then == nil {
		return err
	}
	p.ifs = true
	q.Exec(func(tag pgconn.CommandTag) error { return then(tag.RowsAffected()) })
	return nil
}

func (p *pipeline) scan(dest []any, then func(bool) error, text string, args []any) error {
	q, err := p.add(text, args)
	if err != nil {
		return err
	}
	p.ifs = true
	q.Query(func(rows pgx.Rows) error {
		if !rows.Next() {
			if err := rows.Err(); err != nil {
				return err
			}
			return then(false)
		}
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		rows.Close()
		if err := rows.Err(); err != nil {
			return err
		}
		return then(true)
	})
	return nil
}

func (p *pipeline) insert(got func([]int64), text string, args []any) error {
	q, err := p.add(text, args)
	if err != nil {
		return err
	}
	q.Query(func(rows pgx.Rows) error {
		ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
		if err == nil {
			got(ids)
		}
		return err
	})
	return nil
}

// take is what is to be sent now.
func (p *pipeline) take() *pgx.Batch {
	due := p.due
	p.due, p.size, p.ifs = new(pgx.Batch), 0, false
	return due
}

// flush sends what was collected and waits for the answers.
func (p *pipeline) flush() error {
	if p.due.Len() == 0 {
		return nil
	}
	return p.conn.SendBatch(p.limit, p.take()).Close()
}

// query returns the rows of a statement when all that were collected before it
// have been answered.
func (p *pipeline) query(text string, args []any) (result, error) {
	if _, err := p.add(text, args); err != nil {
		return nil, err
	}
	due := p.take()
	answers := p.conn.SendBatch(p.limit, due)
	for _, q := range due.QueuedQueries[:due.Len()-1] {
		var err error
		if q.Fn != nil {
			err = q.Fn(answers)
		} else {
			_, err = answers.Exec()
		}
		if err != nil {
			return nil, errors.Join(err, closed(answers, err))
		}
	}
	rows, err := answers.Query()
	if err != nil {
		return nil, errors.Join(err, closed(answers, err))
	}
	return &pipelineRows{rows, answers}, nil
}

// closed reads what is left of answers, which mostly says the same again.
func closed(answers pgx.BatchResults, known error) error {
	if err := answers.Close(); err != nil && err.Error() != known.Error() {
		return err
	}
	return nil
}

// commit ends the transaction. Where an answer that is not there yet may forbid
// it, it is waited for. sent says that the server may have got the COMMIT.
func (p *pipeline) commit() (sent bool, err error) {
	if p.due.Len() == 1 && p.conn.PgConn().TxStatus() == 'I' {
		return false, nil // nothing was asked for, so nothing has begun
	}
	if p.ifs {
		if err := p.flush(); err != nil {
			return false, err
		}
	}
	if p.hear != nil {
		p.hear("COMMIT")
	}
	p.due.Queue("commit").Exec(func(tag pgconn.CommandTag) error {
		if tag.String() != "COMMIT" {
			return pgx.ErrTxCommitRollback
		}
		return nil
	})
	return true, p.flush()
}

// rollback leaves the connection without a transaction. One for which that
// fails is dropped by the pool.
func (p *pipeline) rollback() {
	if p.conn.IsClosed() || p.conn.PgConn().TxStatus() == 'I' {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(p.limit), postgresGrace)
	defer cancel()
	_, _ = p.conn.PgConn().Exec(ctx, "rollback").ReadAll()
}

// pipelineRows are the rows of the last statement of those that travelled
// together.
type pipelineRows struct {
	pgx.Rows
	answers pgx.BatchResults
}

func (r *pipelineRows) Close() error {
	r.Rows.Close()
	return r.answers.Close()
}
