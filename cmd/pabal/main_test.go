package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func start(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

func TestVersion(t *testing.T) {
	code, out, errs := start(t, "version")
	require.Equal(t, exitOK, code, errs)
	require.Regexp(t, `^pabal dev \(go1\.\S+ \w+/\w+\)\n$`, out)

	code, out, _ = start(t, "version", "--json")
	require.Equal(t, exitOK, code)
	var v map[string]string
	require.NoError(t, json.Unmarshal([]byte(out), &v))
	require.Equal(t, "dev", v["version"])
}

func TestUsageErrors(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		says string
	}{
		{"unknown command", []string{"verson"}, "did you mean version?"},
		{"unknown flag", []string{"version", "--nonsense"}, "--nonsense"},
		{"argument where there is none", []string{"version", "now"}, "now"},
		{"unknown language", []string{"version", "--lang", "fr"}, "ko and en"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, out, errs := start(t, tt.args...)
			require.Equal(t, exitUsage, code)
			require.Contains(t, errs, tt.says)
			require.Empty(t, out)
		})
	}
}

func TestDefaultLang(t *testing.T) {
	env := map[string]string{"LANG": "ko_KR.UTF-8"}
	get := func(k string) string { return env[k] }
	require.Equal(t, "ko", defaultLang(get))
	env["LC_ALL"] = "C"
	require.Equal(t, "en", defaultLang(get), "LC_ALL wins over LANG")
	require.Equal(t, "en", defaultLang(func(string) string { return "" }))
}

func TestClosersRunInReverseAndAllOfThem(t *testing.T) {
	var order []int
	broken := errors.New("broken")
	a := &app{}
	a.onClose(func() error { order = append(order, 1); return nil })
	a.onClose(func() error { order = append(order, 2); return broken })
	a.onClose(func() error { order = append(order, 3); return nil })
	require.ErrorIs(t, a.close(), broken)
	require.Equal(t, []int{3, 2, 1}, order)
	require.NoError(t, a.close(), "closed once")
}

func TestFirstSignalDrainsSecondInterrupts(t *testing.T) {
	ctx, stop := withSignals(t.Context())
	defer stop()
	require.NoError(t, ctx.Err())

	require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGTERM))
	<-ctx.Done()
	require.NoError(t, interrupt(ctx).Err(), "the first signal leaves time to finish")

	require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGTERM))
	<-interrupt(ctx).Done()
}

func TestInterruptWithoutSignals(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, interrupt(ctx).Err())
}
