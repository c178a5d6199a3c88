package simulator

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/protocol"
	"pabal/protocol/protocoltest"
)

// A telegram of 48 MiB from one side to the other: what both allocate is a
// fraction of it, so nobody holds it, and it arrives equal.
func TestWholeFileIsStreamed(t *testing.T) {
	const size = 48<<20 + 1
	p := protocoltest.Parse(t, "profile: large\nextends: whole\nframing: {max: 9999}\nfiles: {message_size: 9000, per_block: 70}\n")
	one := Options{Profile: p, Side: protocol.InstitutionSide, Institution: "12345678", GiveDir: filepath.Join(t.TempDir(), "give"), Reply: time.Minute, Idle: time.Minute}
	other := Options{Profile: p, Side: protocol.CentreSide, TakeDir: filepath.Join(t.TempDir(), "take"), Reply: time.Minute, Idle: time.Minute}
	giver, err := New(one)
	require.NoError(t, err)
	taker, err := New(other)
	require.NoError(t, err)
	body := filling(size)
	path := filepath.Join(one.GiveDir, "EB210602")
	require.NoError(t, os.WriteFile(path, body, 0o600))
	here, there := connected(t)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	taken := make(chan error, 1)
	go func() {
		_, err := taker.Answer(t.Context(), there, true)
		taken <- err
	}()
	report, err := giver.Session(t.Context(), here, false)
	require.NoError(t, errors.Join(err, <-taken))
	runtime.ReadMemStats(&after)
	require.Equal(t, 1, report.Files)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(size/3))
	got, err := os.Open(filepath.Join(other.TakeDir, "EB210602"))
	require.NoError(t, err)
	defer got.Close()
	arrived, err := io.ReadAll(got)
	require.NoError(t, err)
	require.Equal(t, len(body), len(arrived))
	require.True(t, string(body) == string(arrived), "equal")
}

// filling are n bytes in which no part looks like another.
func filling(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i>>16) ^ byte(i>>8)*7 ^ byte(i)
	}
	return b
}
