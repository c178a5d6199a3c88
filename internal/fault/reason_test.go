package fault

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestReason: the usual ones are phrases, whatever is around them; others are
// quoted, without the path.
func TestReason(t *testing.T) {
	t.Parallel()
	_, missing := os.ReadFile(filepath.Join(t.TempDir(), "none"))
	_, dir := os.ReadFile(t.TempDir())
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, taken := net.Listen("tcp", ln.Addr().String())
	require.NoError(t, ln.Close())
	for _, test := range []struct {
		err  error
		want any
	}{
		{missing, Say("no_such_file")},
		{dir, Say("is_directory")},
		{taken, Say("address_in_use")},
		{&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, Say("connection_refused")},
		{fmt.Errorf("around: %w", syscall.ENOSPC), Say("disk_full")},
		{New("x.y", "s").Because(syscall.EACCES), Say("no_permission")},
		{os.ErrDeadlineExceeded, Say("timed_out")},
		{&net.OpError{Op: "dial", Err: syscall.ETIMEDOUT}, Say("timed_out")},
		{&fs.PathError{Op: "open", Path: "/secret/path", Err: errors.New("odd")}, "odd"},
		{&fs.PathError{Op: "open", Path: "/secret/path", Err: syscall.EXDEV}, syscall.EXDEV.Error()},
		{errors.New("odd"), "odd"},
	} {
		require.Equal(t, test.want, Reason(test.err), "%v", test.err)
	}
}
