package instance

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// bell rings when a server has something to say, which is when it has done
// something. Asking its database again and again costs more than what is tested.
type bell chan struct{}

// log is one that rings: whatever it says, or when what it says begins with one
// of some words.
func (b bell) log(l *slog.Logger, words ...string) *slog.Logger {
	return slog.New(ringing{l.Handler(), b, words})
}

// watching is how long somebody waits before looking again, when nothing rings:
// longer every time, for each look costs what is tested the processor.
type watching struct{ next time.Duration }

func (p *watching) wait(b bell) {
	p.next = min(max(3*time.Millisecond, p.next*5/4), 60*time.Millisecond)
	b.wait(p.next)
}

// wait returns when it rings, and after a time without it.
func (b bell) wait(most time.Duration) (rung bool) {
	limit := time.NewTimer(most)
	defer limit.Stop()
	select {
	case <-b:
		return true
	case <-limit.C:
		return false
	}
}

type ringing struct {
	slog.Handler
	bell
	words []string
}

func (r ringing) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelInfo || r.Handler.Enabled(ctx, l)
}

func (r ringing) Handle(ctx context.Context, rec slog.Record) error {
	begins := func(word string) bool { return strings.HasPrefix(rec.Message, word) }
	if len(r.words) == 0 || slices.ContainsFunc(r.words, begins) {
		select {
		case r.bell <- struct{}{}:
		default:
		}
	}
	return r.Handler.Handle(ctx, rec)
}

func (r ringing) WithAttrs(a []slog.Attr) slog.Handler {
	return ringing{r.Handler.WithAttrs(a), r.bell, r.words}
}
