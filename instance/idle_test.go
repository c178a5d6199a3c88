package instance

import (
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/naming"
	"pabal/protocol"
	"pabal/transfer"
)

// What 200 sessions at once may cost (issue: under 64 KiB for one that is open
// and waits). The test's own end of each connection is part of what is measured.
const (
	manySessions = 200
	idleMost     = 64 << 10
	// pooled is what the instance keeps for the next files, however many sessions
	// there are: 16 buffers of one block.
	pooled = 16 * 100 * 4096
)

// TestManySessions: 200 institutions are in session at once with one process.
// Open and waiting they take little memory, both before their first file and
// after it, and not one of their files is lost.
func TestManySessions(t *testing.T) {
	h := centreOf(t, sqlite, func(o *Options) {
		one := o.Institutions[0]
		o.Institutions, o.Files = nil, nil
		for n := range manySessions {
			in := one
			in.Code, in.WireCode = fmt.Sprintf("M%03d", n), fmt.Sprintf("%08d", 10_000_000+n)
			o.Institutions = append(o.Institutions, in)
			o.Files = append(o.Files, File{Registration: naming.Registration{FileID: "EB21", Institution: in.Code,
				Job: "JOB", Direction: transfer.Receive, WireName: "${FILE_ID:4}+${MMdd:4}"}, Form: rawForm("EB21").form})
		}
	})
	now := time.Now().In(h.opt.Zone)
	before := inUse(t)
	lines := make([]wire, manySessions)
	together(t, lines, func(n int) error {
		c, err := net.Dial("tcp", h.inst.Addresses()[0])
		if err != nil {
			return err
		}
		lines[n] = wire{t, c}
		return exchange(c, opening(now, fmt.Sprintf("%08d", 10_000_000+n), "FTE", "Honggildong", "123ABC"), "000")
	})
	t.Cleanup(func() {
		for _, l := range lines {
			_ = l.Close()
		}
	})
	opened := light(t, before, 0)
	name := "EB21" + now.Format("0102")
	content := strings.Repeat("0123456789", 300)
	together(t, lines, func(n int) error {
		head := func(kind string) string { return fmt.Sprintf("FTE%08d%sRE%s000", 10_000_000+n, kind, name) }
		for _, say := range []string{
			head("0630") + name + "0000000030004096",
			head("0320") + "00010013000" + content,
			head("0620") + "0001001",
			head("0600") + now.Format("0102150405") + "003" + fmt.Sprintf("%-20s%-16s", "Honggildong",
				protocol.KFTCCipher.Encipher(fmt.Sprintf("%08d", 10_000_000+n), "Honggildong", "123ABC", now)),
		} {
			text := fmt.Sprintf("%04d%s", len(say), say)
			if say[11:15] == "0320" {
				if _, err := io.WriteString(lines[n].Conn, text); err != nil {
					return err
				}
				continue
			}
			if err := exchange(lines[n].Conn, text, "000"); err != nil {
				return err
			}
		}
		return nil
	})
	h.await(transfer.Receive, transfer.Assembled, manySessions)
	t.Logf("per session: %s after the opening; %s after a file", opened, light(t, before, pooled))
	together(t, lines, func(n int) error {
		return exchange(lines[n].Conn, "0077"+strings.Replace(opening(now, fmt.Sprintf("%08d", 10_000_000+n), "FTE", "Honggildong", "123ABC")[4:], "001Hong", "004Hong", 1), "000")
	})
}

// light waits until the sessions have given back what they do not need.
func light(t *testing.T, before bytesOf, shared int64) (per bytesOf) {
	t.Helper()
	before.heap += shared
	for began := time.Now(); ; runtime.Gosched() {
		per = inUse(t).perSession(before)
		if raceDetector || per.total() < idleMost {
			return per
		}
		require.Less(t, time.Since(began), time.Minute, "a session holds %s", per)
	}
}

// exchange says a telegram of cms and wants an answer with the code.
func exchange(c net.Conn, say, code string) error {
	if err := c.SetDeadline(time.Now().Add(hang)); err != nil {
		return err
	}
	if _, err := io.WriteString(c, say); err != nil {
		return err
	}
	head := make([]byte, 4)
	if _, err := io.ReadFull(c, head); err != nil {
		return err
	}
	var n int
	if _, err := fmt.Sscanf(string(head), "%d", &n); err != nil {
		return err
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(c, body); err != nil {
		return err
	}
	if got := string(body[25:28]); got != code {
		return fmt.Errorf("%s was answered with %s", say[15:19], got)
	}
	return nil
}

// together does something on every line at once.
func together(t *testing.T, lines []wire, do func(n int) error) {
	t.Helper()
	var all sync.WaitGroup
	errs := make([]error, len(lines))
	for n := range lines {
		all.Go(func() { errs[n] = do(n) })
	}
	all.Wait()
	for n, err := range errs {
		require.NoError(t, err, "line %d", n)
	}
}

// bytesOf is memory in use.
type bytesOf struct{ heap, stacks int64 }

func (m bytesOf) total() int64 { return m.heap + m.stacks }
func (m bytesOf) String() string {
	return fmt.Sprintf("%d bytes (heap %d, stacks %d)", m.total(), m.heap, m.stacks)
}

func (m bytesOf) perSession(before bytesOf) bytesOf {
	return bytesOf{(m.heap - before.heap) / manySessions, (m.stacks - before.stacks) / manySessions}
}

// inUse is what is in use after what is not has been collected.
func inUse(t *testing.T) bytesOf {
	t.Helper()
	for range 3 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return bytesOf{int64(m.HeapAlloc), int64(m.StackInuse)}
}
