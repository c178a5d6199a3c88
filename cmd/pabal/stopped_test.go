package main

import (
	"context"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// countdown is a context that ends when it has been asked for its channel so
// many times: a signal that comes at a certain place of the start, and not at
// a certain time.
type countdown struct {
	context.Context
	left atomic.Int64
	end  context.CancelFunc
}

func (c *countdown) Done() <-chan struct{} {
	if c.left.Add(-1) < 0 {
		c.end()
	}
	return c.Context.Done()
}

// when ends the context as soon as something is written that has a text in it.
type when struct {
	lockedBuffer
	says string
	end  context.CancelFunc
}

func (w *when) Write(p []byte) (int, error) {
	if strings.Contains(string(p), w.says) {
		w.end()
	}
	return w.lockedBuffer.Write(p)
}

// TestStoppedWhileItStarts: a server that is told to stop has ended well,
// wherever in its start that comes, and the log says that it did.
func TestStoppedWhileItStarts(t *testing.T) {
	t.Setenv("LC_ALL", "C")
	const one = "\ninstances: [ { id: instance_A, listen: [{ address: \"127.0.0.1:0\", profile: cms }] } ]\n"
	stopped := func(t *testing.T, config string, asked int64, errs *when) {
		inner, end := context.WithCancel(t.Context())
		defer end()
		ctx := &countdown{Context: inner, end: end}
		ctx.left.Store(asked)
		errs.end = end
		out := &when{says: "instance_A", end: end} // it is ready: the last moment
		code := run(ctx, []string{"run", "-c", config}, strings.NewReader(""), out, errs)
		require.Error(t, inner.Err())
		require.Equal(t, exitOK, code, errs.String())
		require.Regexp(t, "it was still starting|instance has stopped", errs.String())
		require.NotRegexp(t, "level=ERROR| ERR |context canceled", errs.String())
	}
	_, config := yard(t, centreSide("sqlite:pabal.db", one))
	for _, asked := range []int64{0, 1, 2, 4, 8, 16, 32, 64} {
		stopped(t, config, asked, &when{says: "never"})
	}
	require.FileExists(t, filepath.Join(filepath.Dir(config), "pabal.db"))
	_, config = yard(t, centreSide("postgres://pabal@127.0.0.1:1/pabal", one))
	stopped(t, config, 1<<40, &when{says: "waiting for it"})
}
