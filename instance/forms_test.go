package instance

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/filemgr"
	"pabal/protocol"
	"pabal/simulator"
	"pabal/simulator/sample"
	"pabal/store"
	"pabal/transfer"
)

// TestFormsAndEncodings: line ends that do not travel are restored; gzip and
// EBCDIC are done on the way out and undone on arrival. To the database all of
// it is bytes, so one engine is enough; with either payload keeper, because a
// file that is changed on its way is not the one that is kept.
func TestFormsAndEncodings(t *testing.T) {
	t.Parallel()
	for _, on := range []engine{sqlite, sqliteFiles} {
		t.Run(string(on), func(t *testing.T) { testFormsAndEncodings(t, on) })
	}
}

func testFormsAndEncodings(t *testing.T, on engine) {
	lines := func(n, length int, end string) []byte {
		var b bytes.Buffer
		for i := range n {
			fmt.Fprintf(&b, "%-*d%s", length, i, end)
		}
		return b.Bytes()
	}
	for _, test := range []struct {
		profile, form string
		gzip, ebcdic  bool
		body          []byte
		wire          int64 // 0 = not asked
	}{
		{"cms", "lines:lf:strip:150", false, false, lines(5000, 150, "\n"), 750000},
		{"cms", "lines:crlf:strip:120", false, false, lines(4000, 120, "\r\n"), 480000},
		{"cms", "lines:lf:keep", false, false, []byte("one\ntwo, longer\n\nfour\n"), 22},
		{"cms", "fixed:150", false, false, content(150 * 3000), 450000},
		{"edi", "lines:crlf:strip:874", false, false, lines(700, 874, "\r\n"), 700 * 874},
		{"edi", "fixed:874", true, false, lines(1000, 874, ""), 0},
		{"edi", "raw", false, true, content(256 * 999), 256 * 999},
		{"edi", "lines:lf:strip:99", true, true, lines(9000, 99, "\n"), 0},
		{"edi", "raw", true, true, nil, 0},
	} {
		for _, way := range []string{"up", "down"} {
			t.Run(fmt.Sprintf("%s/%s/gzip=%t/ebcdic=%t/%s", test.profile, test.form, test.gzip, test.ebcdic, way), func(t *testing.T) {
				t.Parallel()
				form, err := filemgr.ParseForm(test.form)
				require.NoError(t, err)
				id := map[string]string{"cms": "EB21", "edi": "C02"}[test.profile]
				f := []file{{id: id, form: form}}
				tune := func(a, b *Options) {
					for _, o := range []*Options{a, b} {
						o.Institutions[0].Gzip, o.Institutions[0].EBCDIC = test.gzip, test.ebcdic
					}
				}
				var p *pair
				from, to, code := (*host)(nil), (*host)(nil), ""
				if way == "up" {
					p = newPair(t, on, test.profile, f, nil, tune)
					from, to, code = p.institution, p.centre, "CENTRE"
				} else {
					p = newPair(t, on, test.profile, nil, f, tune)
					from, to, code = p.centre, p.institution, "MEMBER"
				}
				from.drop(id+"."+code+".JOB", test.body)
				sent := from.await(transfer.Send, transfer.Sent, 1)[0]
				got := to.await(transfer.Receive, transfer.Assembled, 1)[0]
				require.Equal(t, sum(test.body), sum(mustRead(t, got.FinalPath)))
				require.Equal(t, sent.WireDigest, got.WireDigest)
				if test.wire > 0 {
					require.Equal(t, test.wire, got.WireSize)
				}
			})
		}
	}
}

// TestAllThatIsReadyInOneSession: what has gathered while the counterparty was
// away goes in one session when it is back.
func TestAllThatIsReadyInOneSession(t *testing.T) {
	t.Parallel()
	onBoth(t, testAllThatIsReadyInOneSession)
}

func testAllThatIsReadyInOneSession(t *testing.T, on engine) {
	for _, profile := range []string{"cms", "edi"} {
		t.Run(profile, func(t *testing.T) {
			address, err := running.addresses.Free()
			require.NoError(t, err)
			id := map[string]string{"cms": "EB21", "edi": "C02"}[profile]
			h := lone(t, on, profile, []file{rawForm(id)}, func(o *Options) {
				o.Institutions[0].Connect = address
				o.Institutions[0].RetryFirst, o.Institutions[0].RetryMax = time.Hour, time.Hour
			})
			for n := range 5 {
				h.drop(fmt.Sprintf("%s.CENTRE.JOB.2026111%d", id, n), content(1000+n))
			}
			tried := h.await(transfer.Send, transfer.Waiting, 1)[0]
			h.await(transfer.Send, transfer.Stored, 4) // they did not knock on the same door
			p, err := protocol.Load(profile)
			require.NoError(t, err)
			peer, err := simulator.New(simulator.Options{Profile: p, Side: protocol.CentreSide, Institution: "12345678",
				Self: "VAN", Peer: "CLIENT01", TakeDir: t.TempDir()})
			require.NoError(t, err)
			ln, err := net.Listen("tcp", address)
			require.NoError(t, err)
			go func() { _ = peer.Serve(t.Context(), ln) }()
			h.released(tried.ID)
			h.await(transfer.Send, transfer.Sent, 5)
			h.end()
			s := (&process{t: t, c: child{URL: h.url}}).read()
			defer s.Close()
			sessions, err := s.Sessions(t.Context(), store.SessionFilter{})
			require.NoError(t, err)
			var files []int
			for _, s := range sessions { // besides, calls that nobody took, and those that found nothing left to send
				if s.Files > 0 {
					files = append(files, s.Files)
				}
			}
			require.Equal(t, []int{5}, files)
		})
	}
}

// lockedBuffer is a log that many goroutines write.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// TestNoAccountNumberInALog: real business files go through both ends, good
// and refused ones, with the log at its most talkative. Neither log, nor
// event, nor error text has an account number or a password in it.
func TestNoAccountNumberInALog(t *testing.T) {
	t.Parallel()
	onBoth(t, testNoAccountNumberInALog)
}

func testNoAccountNumberInALog(t *testing.T, on engine) {
	var log lockedBuffer
	p := newPair(t, on, "cms", []file{{id: "EB21", form: filemgr.Form{Kind: filemgr.Fixed, Length: 150}, opt: func(f *File) {
		f.Checks = filemgr.CheckOptions{
			Header:  &filemgr.HeaderCheck{Mark: "H"},
			Trailer: &filemgr.TrailerCheck{Mark: "T", Totals: []filemgr.Total{{At: filemgr.Field{Offset: 27, Length: 8}}}},
			Text:    filemgr.TextEUCKR,
			Rules:   []filemgr.Rule{{Name: "amount", Expr: `num(field(record, 42, 13)) > 0`, Each: true}},
		}
	}}}, nil, func(a, b *Options) {
		l := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		a.Log, b.Log = l, l
	})
	var good bytes.Buffer
	day := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	require.NoError(t, sample.Write(&good, "EB21", sample.Options{Records: 400, Date: day, Institution: "1234567890"}))
	bad := bytes.Clone(good.Bytes())
	bad[150*7+26] = 0x01   // an account number with a byte that is no character
	bad[150*401+27+7] ^= 3 // and a count that is wrong
	p.institution.drop("EB21.CENTRE.JOB.20261120", good.Bytes())
	p.institution.drop("EB21.CENTRE.JOB.20261119", bad)
	p.institution.await(transfer.Send, transfer.Sent, 1)
	p.institution.await(transfer.Send, transfer.Refused, 1)
	p.centre.await(transfer.Receive, transfer.Assembled, 1)

	var all bytes.Buffer
	for _, h := range []*host{p.institution, p.centre} {
		events, err := h.store.Events(t.Context(), store.EventFilter{})
		require.NoError(t, err)
		for _, e := range events {
			fmt.Fprintln(&all, e.Code, e.Detail)
		}
		rows, err := h.store.List(t.Context(), store.Filter{})
		require.NoError(t, err)
		for _, r := range rows {
			fmt.Fprintln(&all, r.ErrorDetail, r.Proofs)
		}
	}
	p.institution.end()
	p.centre.end()
	all.Write(log.b.Bytes())
	texts, err := filepath.Glob(p.institution.path("error", "*", "*.txt"))
	require.NoError(t, err)
	for _, path := range texts {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		all.Write(b)
	}
	require.Contains(t, all.String(), "EB211120", "something was logged at all")
	for n := 1; n <= 400; n++ {
		account := bytes.TrimSpace(good.Bytes()[150*n+26 : 150*n+42])
		require.NotEmpty(t, account)
		require.False(t, bytes.Contains(all.Bytes(), account), "account number of record %d", n)
	}
	require.NotContains(t, all.String(), "123ABC")
}

// TestReleaseIsNotMadeToWait: a person who releases a transfer has mended the
// line; the pause after failed connections does not hold it up.
func TestReleaseIsNotMadeToWait(t *testing.T) {
	t.Parallel()
	onBoth(t, testReleaseIsNotMadeToWait)
}

func testReleaseIsNotMadeToWait(t *testing.T, on engine) {
	address, err := running.addresses.Free()
	require.NoError(t, err)
	h := lone(t, on, "cms", []file{rawForm("EB21")}, func(o *Options) {
		o.Institutions[0].Connect = address
		o.Institutions[0].RetryFirst, o.Institutions[0].RetryMax = time.Hour, time.Hour
	})
	h.drop("EB21.CENTRE.JOB", content(1000))
	w := h.await(transfer.Send, transfer.Waiting, 1)[0]
	require.Greater(t, time.Until(w.NextTry), 30*time.Minute)

	p, err := protocol.Load("cms")
	require.NoError(t, err)
	peer, err := simulator.New(simulator.Options{Profile: p, Side: protocol.CentreSide, Institution: "12345678", TakeDir: t.TempDir()})
	require.NoError(t, err)
	ln, err := net.Listen("tcp", address)
	require.NoError(t, err)
	go func() { _ = peer.Serve(t.Context(), ln) }()
	h.released(w.ID)
	h.await(transfer.Send, transfer.Sent, 1)
}

// released has a person release a transfer that waits.
func (h *host) released(id string) {
	h.t.Helper()
	_, err := h.store.Command(h.t.Context(), time.Now(), transfer.Command{Name: "release", TransferID: id, Who: "operator"},
		func(r *transfer.Transfer) error { r.NextTry = time.Now(); return nil })
	require.NoError(h.t, err)
}
