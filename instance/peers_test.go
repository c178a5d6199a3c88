package instance

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/protocol"
	"pabal/transfer"
)

// centre starts a centre of cms that demands the credentials of §1.11.
func centreOf(t *testing.T, on engine, tune func(*Options)) *host {
	t.Helper()
	h := &host{t: t, on: on, dir: t.TempDir()}
	for _, d := range []string{"scan", "work", "receive", "result"} {
		require.NoError(t, os.Mkdir(h.path(d), 0o750))
	}
	var err error
	h.opt, err = sideOptions(h.dir, "cms", "centre", []file{rawForm("EB21")}, nil)
	require.NoError(t, err)
	h.opt.Listen[0].Address = "127.0.0.1:0"
	h.opt.Log = testLog(t, "centre")
	if tune != nil {
		tune(&h.opt)
	}
	h.start()
	return h
}

// wire is a peer that writes bytes by hand.
type wire struct {
	t *testing.T
	net.Conn
}

func (h *host) dial(t *testing.T) wire {
	t.Helper()
	c, err := net.Dial("tcp", h.inst.Addresses()[0])
	require.NoError(t, err)
	require.NoError(t, c.SetDeadline(time.Now().Add(hang)))
	t.Cleanup(func() { _ = c.Close() })
	return wire{t, c}
}

func (w wire) say(text string) {
	w.t.Helper()
	_, err := io.WriteString(w.Conn, text)
	require.NoError(w.t, err)
}

// hear reads one telegram.
func (w wire) hear() string {
	w.t.Helper()
	head := make([]byte, 4)
	_, err := io.ReadFull(w.Conn, head)
	require.NoError(w.t, err)
	var n int
	_, err = fmt.Sscanf(string(head), "%d", &n)
	require.NoError(w.t, err)
	body := make([]byte, n)
	_, err = io.ReadFull(w.Conn, body)
	require.NoError(w.t, err)
	return string(head) + string(body)
}

// ended wants the line closed without another byte.
func (w wire) ended() {
	w.t.Helper()
	rest, err := io.ReadAll(w.Conn)
	if err == nil {
		require.Empty(w.t, string(rest))
	}
}

func opening(now time.Time, institution, business, name, password string) string {
	code := protocol.KFTCCipher.Encipher(institution, name, password, now)
	return fmt.Sprintf("0077%s%s0600RE        000%s001%-20s%-16s", business, institution, now.Format("0102150405"), name, code)
}

// TestCallersTurnedAway: the peer hears a response code and nothing else.
func TestCallersTurnedAway(t *testing.T) {
	t.Parallel()
	onBoth(t, testCallersTurnedAway)
}

func testCallersTurnedAway(t *testing.T, on engine) {
	var log bytes.Buffer
	h := centreOf(t, on, func(o *Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	now := time.Now().In(h.opt.Zone)
	for _, test := range []struct{ name, open, code string }{
		{"wrong password", opening(now, "12345678", "FTE", "Honggildong", "123ABD"), "320"},
		{"wrong sender", opening(now, "12345678", "FTE", "Somebody", "123ABC"), "310"},
		{"unknown institution", opening(now, "99999999", "FTE", "Honggildong", "123ABC"), "310"},
		{"unknown business", opening(now, "12345678", "XXX", "Honggildong", "123ABC"), "631"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := h.dial(t)
			w.say(test.open)
			got := w.hear()
			require.Equal(t, test.open[:4], got[:4], "a reply is as long as the request")
			require.Equal(t, "0610", got[15:19])
			require.Equal(t, test.code, got[29:32])
			w.ended()
		})
	}
	h.end()
	for _, secret := range []string{"123ABC", "123ABD", protocol.KFTCCipher.Encipher("12345678", "Honggildong", "123ABC", now)} {
		require.NotContains(t, log.String(), secret, "no password in a log, plain or enciphered")
	}
	require.Contains(t, log.String(), string(CodeBadPassword))
}

// TestBadBytes: what cannot be understood ends that line, or is answered with
// a code; a good session beside it is not disturbed.
func TestBadBytes(t *testing.T) {
	t.Parallel()
	onBoth(t, testBadBytes)
}

func testBadBytes(t *testing.T, on engine) {
	h := centreOf(t, on, func(o *Options) { o.Institutions[0].ReceiveSessions = 10 })
	now := time.Now().In(h.opt.Zone)
	good := opening(now, "12345678", "FTE", "Honggildong", "123ABC")
	for _, test := range []struct{ name, bytes, reply string }{
		{"length is no number", "00x7" + good[4:], ""},
		{"length too short", "0003FTE", ""},
		{"other type first", "0052FTE123456780630REEB210602000EB2106020000000003004096", "0640"},
		{"unknown type", strings.Replace(good, "0600", "0699", 1), ""},
		{"too long for its layout", "0078" + good[4:] + "x", "0610"},
		{"digits that are none", good[:32] + "06021x1309" + good[42:], "0610"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := h.dial(t)
			w.say(test.bytes)
			if test.reply == "" {
				w.ended()
				return
			}
			got := w.hear()
			require.Equal(t, test.reply, got[15:19])
			if test.name != "digits that are none" { // a time is text to us
				require.NotEqual(t, "000", got[29:32])
			}
		})
	}
	// Within a session: a block and a sequence out of range, a check beyond
	// what can be. The file goes on and arrives.
	w := h.dial(t)
	w.say(good)
	require.Equal(t, "000", w.hear()[29:32])
	day := now.Format("0102")
	name := "EB21" + day
	w.say("0052FTE123456780630RE" + name + "000" + name + "000000000300" + "4096")
	require.Equal(t, "0052FTE123456780640RC"+name+"000"+name+"0000000000004096", w.hear())
	data := func(block, seq int, body string) string {
		return fmt.Sprintf("%04dFTE123456780320RE%s000%04d%03d%04d%s", 28+11+len(body), name, block, seq, len(body), body)
	}
	w.say(data(9, 1, "beyond") + data(1, 101, "beyond") + data(1, 0, "none"))
	w.say(data(1, 1, strings.Repeat("a", 150)) + data(1, 2, strings.Repeat("b", 150)) + data(1, 2, strings.Repeat("c", 150)))
	w.say("0035FTE123456780620RE" + name + "0000001002")
	require.Equal(t, "0040FTE123456780300RC"+name+"000"+"0001"+"002"+"000"+"11", w.hear())
}

// TestThousandSilentConnections: they neither keep a counterparty out nor
// take much memory.
func TestThousandSilentConnections(t *testing.T) {
	inTurn(t, testThousandSilentConnections)
}

func testThousandSilentConnections(t *testing.T, on engine) {
	p := newPair(t, on, "cms", []file{rawForm("EB21")}, nil, func(_, c *Options) { c.MaxSessions = 200 })
	for range 1000 {
		c, err := net.Dial("tcp", p.centre.inst.Addresses()[0])
		require.NoError(t, err)
		t.Cleanup(func() { _ = c.Close() })
	}
	p.institution.drop("EB21.CENTRE.JOB", content(500_000))
	p.institution.await(transfer.Send, transfer.Sent, 1)
	p.centre.await(transfer.Receive, transfer.Assembled, 1)
}

// TestTwoDaysAreNeverSpliced: half of Monday's file is held when Tuesday's
// file of the same name and size comes (§1.5).
func TestTwoDaysAreNeverSpliced(t *testing.T) {
	t.Parallel()
	onBoth(t, testTwoDaysAreNeverSpliced)
}

func testTwoDaysAreNeverSpliced(t *testing.T, on engine) {
	var shift atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(shift.Load())) }
	h := centreOf(t, on, func(o *Options) {
		o.Now = now
		// A name without a date, as banks have them.
		o.Files[0].WireName = "${FILE_ID:4}+DAY"
	})
	open := func() wire {
		w := h.dial(t)
		w.say(opening(now().In(h.opt.Zone), "12345678", "FTE", "Honggildong", "123ABC"))
		require.Equal(t, "000", w.hear()[29:32])
		return w
	}
	const info = "0052FTE123456780630REEB21DAY 000EB21DAY 0000000003004096"
	data := func(seq int, c string) string {
		return fmt.Sprintf("0189FTE123456780320REEB21DAY 0000001%03d0150%s", seq, strings.Repeat(c, 150))
	}
	const checked1, checked2 = "0035FTE123456780620REEB21DAY 0000001001", "0035FTE123456780620REEB21DAY 0000001002"
	monday := open()
	monday.say(info)
	require.Equal(t, "000000000000", monday.hear()[40:52])
	monday.say(data(1, "m") + checked1)
	require.Equal(t, "000", monday.hear()[29:32])
	_ = monday.Close()

	again := open()
	again.say(info)
	require.Equal(t, "000000000150", again.hear()[40:52], "the same day goes on")
	_ = again.Close()

	shift.Store(int64(24 * time.Hour))
	tuesday := open()
	tuesday.say(info)
	require.Equal(t, "000000000000", tuesday.hear()[40:52], "another day starts again")
	tuesday.say(data(1, "t") + data(2, "t") + checked2)
	require.Equal(t, "000", tuesday.hear()[29:32])
	end := "0077FTE123456780600REEB21DAY 000" + now().In(h.opt.Zone).Format("0102150405") + "003" + fmt.Sprintf("%-36s", "Honggildong")
	tuesday.say(end)
	require.Equal(t, "000", tuesday.hear()[29:32])
	r := h.await(transfer.Receive, transfer.Assembled, 1)[0]
	require.Equal(t, strings.Repeat("t", 300), string(mustRead(t, r.FinalPath)))
	h.await(transfer.Receive, transfer.Abandoned, 1)
}
