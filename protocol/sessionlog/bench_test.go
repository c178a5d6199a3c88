package sessionlog

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/protocol"
)

// BenchmarkFile is what the log costs one end for a file of some blocks: the
// processor's time, of session and writer together.
func BenchmarkFile(b *testing.B) {
	for name, blocks := range map[string]int64{"100KB": 1, "40MB": 100} {
		b.Run(name, func(b *testing.B) {
			p, err := protocol.Load("cms")
			require.NoError(b, err)
			w := NewWriter(time.Now, func(err error) { b.Error(err) })
			defer w.Close()
			l := w.Log(p)
			l.Begin(start, Record{Session: "s1"}, Options{Dir: b.TempDir(), Level: Headers, Session: 1 << 40, Total: 1 << 50})
			frames := map[protocol.Kind][]byte{}
			for _, k := range []protocol.Kind{protocol.Info, protocol.InfoReply, protocol.Check, protocol.CheckReply, protocol.EndMore, protocol.EndMoreReply} {
				t := protocol.Telegram{Kind: k}
				frames[k], err = p.Append(nil, &t)
				require.NoError(b, err)
			}
			say := func(out bool, k protocol.Kind) {
				t := protocol.Telegram{Kind: k}
				l.Telegram(start, out, &t, frames[k], nil)
				if out {
					l.Rest()
				}
			}
			data := protocol.Telegram{Kind: protocol.DataTelegram}
			content := []byte(strings.Repeat("x", 4000))
			var before, after syscall.Rusage
			require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &before))
			b.ResetTimer()
			for range b.N {
				l.File(start, Record{Transfer: "038g18gj4erh6", WireName: "EB211122", Name: "EB21.KFTC.CMS.20261122"})
				say(true, protocol.Info)
				say(false, protocol.InfoReply)
				for n := range blocks {
					for seq := 1; seq <= 100; seq++ {
						l.Data(start, true, &data, n+1, seq, len(content), content)
					}
					say(true, protocol.Check)
					say(false, protocol.CheckReply)
				}
				say(true, protocol.EndMore)
				say(false, protocol.EndMoreReply)
			}
			b.StopTimer()
			require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &after))
			spent := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()
			b.ReportMetric(float64(spent)/float64(b.N), "cpu-ns/op")
		})
	}
}
