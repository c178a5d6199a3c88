package linetest

import (
	"bytes"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestLine: exactly so many bytes arrive, the rest when the line is well
// again, and another connection is not held.
func TestLine(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer server.Close()
	call := func(l *Line) (near, far net.Conn) {
		near, err := net.Dial("tcp", l.Address())
		require.NoError(t, err)
		far, err = server.Accept()
		require.NoError(t, err)
		return near, far
	}
	read := func(c net.Conn, n int) []byte {
		b := make([]byte, n)
		_, err := io.ReadFull(c, b)
		require.NoError(t, err)
		return b
	}
	content := bytes.Repeat([]byte("0123456789"), 10_000)
	const after = 70_001
	l := New(t, server.Addr().String(), after)
	defer l.Close()

	other, far := call(l)
	_, err = other.Write([]byte("x"))
	require.NoError(t, err)
	require.Equal(t, "x", string(read(far, 1)))
	near, held := call(l)
	go near.Write(content) //nolint:errcheck // what does not come is missed below
	require.Equal(t, content[:after-1], read(held, after-1))
	<-l.Held()

	_, err = other.Write([]byte("passes"))
	require.NoError(t, err)
	require.Equal(t, "passes", string(read(far, 6)))
	_, err = held.Write([]byte("answer"))
	require.NoError(t, err)
	require.Equal(t, "answer", string(read(near, 6)))

	l.Heal()
	require.Equal(t, content[after-1:], read(held, len(content)-after+1))
	require.NoError(t, near.Close())
	require.NoError(t, other.Close())
	_, err = held.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	require.NoError(t, held.Close())
	require.NoError(t, far.Close())
	l.Drain()
}
