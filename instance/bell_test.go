package instance

import (
	"context"
	"log/slog"
	"time"
)

// bell rings when a server has something to say, which is when it has done
// something. Asking its database again and again costs more than what is tested.
type bell chan struct{}

// log is one that rings.
func (b bell) log(l *slog.Logger) *slog.Logger { return slog.New(ringing{l.Handler(), b}) }

// watching is how long somebody waits before looking again, when nothing rings:
// longer every time, for each look costs what is tested the processor.
type watching struct{ next time.Duration }

func (p *watching) wait(b bell) {
	p.next = min(max(3*time.Millisecond, p.next*5/4), 60*time.Millisecond)
	b.wait(p.next)
}

// wait returns when it rings, and after a time without it.
func (b bell) wait(most time.Duration) {
	limit := time.NewTimer(most)
	defer limit.Stop()
	select {
	case <-b:
	case <-limit.C:
	}
}

type ringing struct {
	slog.Handler
	bell
}

func (r ringing) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelInfo || r.Handler.Enabled(ctx, l)
}

func (r ringing) Handle(ctx context.Context, rec slog.Record) error {
	select {
	case r.bell <- struct{}{}:
	default:
	}
	return r.Handler.Handle(ctx, rec)
}

func (r ringing) WithAttrs(a []slog.Attr) slog.Handler {
	return ringing{r.Handler.WithAttrs(a), r.bell}
}
