package instance

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/filemgr"
	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/transfer"
)

// partsRecord is the record of these tests, and partsN the size of telegrams
// that carry one.
const (
	partsRecord = 60
	partsN      = 34 + 2 + partsRecord
)

func partsFile(opt func(*File)) []file {
	return []file{{id: "GR15", form: filemgr.Form{Kind: filemgr.Fixed, Length: partsRecord}, opt: opt}}
}

// kfb makes two servers that speak kfb, the institution calls, and says which
// of them sends.
func kfb(t *testing.T, on engine, way string, opt func(*File)) (p *pair, from, to *host) {
	up, down := partsFile(opt), []file(nil)
	if way == "down" {
		up, down = nil, up
	}
	p = makePair(t, on, "kfb", up, down, func(inst, centre *Options) {
		for _, o := range []*Options{inst, centre} {
			o.Institutions[0].WireCode, o.Institutions[0].MessageSize = "057", partsN
		}
		if way == "down" {
			centre.Listen[0].SendsTo = centre.Institutions[0].Code
		}
	})
	if way == "down" {
		return p, p.centre, p.institution
	}
	return p, p.institution, p.centre
}

// records are n of them.
func records(n int) []byte {
	var out strings.Builder
	for i := range n {
		fmt.Fprintf(&out, "%-*d", partsRecord, i)
	}
	return []byte(out.String())
}

// Tags, header and trailer travel and are taken off again, whatever the number
// of telegrams; each file has an opening of its own.
func TestPartsBothWays(t *testing.T) {
	t.Parallel()
	onAll(t, testPartsBothWays)
}

func testPartsBothWays(t *testing.T, on engine) {
	for _, way := range []string{"up", "down"} {
		t.Run(way, func(t *testing.T) {
			p, from, to := kfb(t, on, way, nil)
			p.start()
			want := map[string]int{} // records, by base date
			for n, size := range []int{0, 1, 98, 99, 100, 199} {
				date := fmt.Sprintf("202611%02d", n+1)
				want[date] = size
				from.drop(fmt.Sprintf("GR15.%s.JOB.%s", from.opt.Institutions[0].Code, date), records(size))
			}
			for _, s := range from.await(transfer.Send, transfer.Sent, len(want)) {
				n := want[s.BaseDate]
				require.Equal(t, []int{21, 24, 62}, []int{s.HeadSize, s.TailSize, s.DataSize})
				require.EqualValues(t, n+2, s.Sequences)
				require.EqualValues(t, 45+n*62, s.WireSize)
				require.EqualValues(t, n, s.Records)
			}
			for _, r := range to.await(transfer.Receive, transfer.Assembled, len(want)) {
				n := want[r.BaseDate]
				b, err := os.ReadFile(r.FinalPath)
				require.NoError(t, err)
				require.Equal(t, sum(records(n)), sum(b), "%d records", n)
				require.Equal(t, sum(b), r.FileDigest)
				require.EqualValues(t, n, r.Records)
				said := fmt.Sprintf("parts in order, %d records, %d bytes", n, n*partsRecord)
				require.Contains(t, transfer.ProofsOf(r.Proofs), transfer.Proof{Name: transfer.ProofTrailerTotals, Expected: said, Actual: said})
			}
		})
	}
}

// A registration may want everything as it travelled.
func TestAllParts(t *testing.T) {
	t.Parallel()
	for _, on := range []engine{sqlite, sqliteFiles} {
		t.Run(string(on), func(t *testing.T) {
			p, from, to := kfb(t, on, "up", nil)
			to.opt.Files[0].AllParts = true
			p.start()
			from.drop("GR15.CENTRE.JOB.20261120", records(2))
			r := to.await(transfer.Receive, transfer.Assembled, 1)[0]
			b, err := os.ReadFile(r.FinalPath)
			require.NoError(t, err)
			require.Equal(t, "11057GR15112020261120"+"22"+string(records(2)[:partsRecord])+"22"+string(records(2)[partsRecord:])+
				"330000000002000000000120", string(b))
		})
	}
}

// A counterparty that takes smaller telegrams has the file cut for those.
func TestPartsAreCutAnew(t *testing.T) {
	t.Parallel()
	p, from, to := kfb(t, sqlite, "up", nil)
	from.opt.Institutions[0].MessageSize = 0
	p.start()
	from.drop("GR15.CENTRE.JOB.20261120", records(30))
	s := from.await(transfer.Send, transfer.Sent, 1)[0]
	require.Equal(t, []int{partsN, 62}, []int{s.MessageSize, s.DataSize})
	require.EqualValues(t, 32, s.Sequences)
	r := to.await(transfer.Receive, transfer.Assembled, 1)[0]
	require.Equal(t, s.FileDigest, r.FileDigest)
}

// kfbLine is a counterparty that calls and sends GR151120 of 20 November.
type kfbLine struct{ wire }

const kfbWork = "1120131309%s%-20s%-16s"

func (h *host) kfbLine(t *testing.T) kfbLine {
	l := kfbLine{h.dial(t)}
	require.Equal(t, "000", l.ask("0600", "GR151120", fmt.Sprintf(kfbWork, "001", "", "")+"20261120"))
	return l
}

// ask says a request and returns the response code.
func (l kfbLine) ask(kind, name, body string) string {
	l.tell(kind, name, body)
	return l.hear()[24:27]
}

func (l kfbLine) tell(kind, name, body string) {
	l.say(fmt.Sprintf("%04dFTS057%sRB%-8s000%s", 23+len(body), kind, name, body))
}

func (l kfbLine) announce(size int) string {
	l.tell("0630", "GR151120", fmt.Sprintf("GR151120%012d%04d", size, partsN))
	return l.hear()
}

func (l kfbLine) data(seq int, data string) {
	l.tell("0320", "GR151120", fmt.Sprintf("0001%03d%04d%s", seq, len(data), data))
}

func (l kfbLine) end() string { return l.ask("0600", "GR151120", fmt.Sprintf(kfbWork, "003", "", "")) }

// What the trailer counts and how the parts stand is held against what came,
// and never waived: such a file is not placed, and the peer is told.
func TestPartsAreProven(t *testing.T) {
	t.Parallel()
	onBoth(t, testPartsAreProven)
}

func testPartsAreProven(t *testing.T, on engine) {
	const head = "11057GR15112020261120"
	one := "22" + string(records(1))
	type proven struct {
		telegrams []string
		answer    string
		code      fault.Code
	}
	cases := map[string]proven{
		"good":                {[]string{head, one, "330000000001000000000060"}, "000", ""},
		"a record more":       {[]string{head, one, "330000000002000000000060"}, "633", CodeTrailerTotals},
		"a byte less":         {[]string{head, one, "330000000001000000000059"}, "633", CodeTrailerTotals},
		"no trailer":          {[]string{head, one}, "800", protocol.CodePart},
		"no header":           {[]string{one, "330000000001000000000060"}, "800", protocol.CodePart},
		"behind the trailer":  {[]string{head, "330000000001000000000060", one}, "800", protocol.CodePart},
		"a header of another": {[]string{"11057GR15111920261120", one, "330000000001000000000060"}, "800", protocol.CodePartOfOther},
	}
	if on == postgres { // what is compared is the same; the row is another engine's
		cases = map[string]proven{"a record more": cases["a record more"]}
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, _, to := kfb(t, on, "up", nil)
			to.opt.Listen[0].Address = "127.0.0.1:0"
			to.start()
			l := to.kfbLine(t)
			size := 0
			for _, telegram := range c.telegrams {
				size += len(telegram)
			}
			require.Equal(t, "000", l.announce(size)[24:27])
			for n, telegram := range c.telegrams {
				l.data(n+1, telegram)
			}
			require.Equal(t, "000", l.ask("0620", "GR151120", fmt.Sprintf("0001%03d", len(c.telegrams))))
			require.Equal(t, c.answer, l.end())
			if c.code == "" {
				to.await(transfer.Receive, transfer.Assembled, 1)
				return
			}
			r := to.await(transfer.Receive, transfer.Failed, 1)[0]
			require.Equal(t, string(c.code), r.ErrorCode)
			entries, err := os.ReadDir(to.path("receive"))
			require.NoError(t, err)
			for _, e := range entries {
				require.Equal(t, ".pabal", e.Name())
			}
		})
	}
}

// Half a file is gone on with at the telegram where it was cut, be that behind
// the header alone.
func TestPartsResume(t *testing.T) {
	t.Parallel()
	onBoth(t, testPartsResume)
}

func testPartsResume(t *testing.T, on engine) {
	telegrams := []string{"11057GR15112020261120", "22" + string(records(1)), "330000000001000000000060"}
	first := 1
	if on == postgres {
		first = 2
	}
	for came := first; came <= len(telegrams); came += first {
		t.Run(fmt.Sprint(came), func(t *testing.T) {
			_, _, to := kfb(t, on, "up", nil)
			to.opt.Listen[0].Address = "127.0.0.1:0"
			to.start()
			l, held := to.kfbLine(t), 0
			require.Equal(t, "000", l.announce(107)[24:27])
			for n := range came {
				l.data(n+1, telegrams[n])
				held += len(telegrams[n])
			}
			// A check of all, so that what came is durable before the line is cut.
			require.Equal(t, "000", l.ask("0620", "GR151120", "0001003"))
			require.NoError(t, l.Close())
			to.await(transfer.Receive, transfer.Receiving, 1)
			l = to.kfbLine(t)
			require.Equal(t, fmt.Sprintf("0047FTS0570640RCGR151120000GR151120%012d%04d", held, partsN), l.announce(107))
			for n := came; n < len(telegrams); n++ {
				l.data(n+1, telegrams[n])
			}
			if came < len(telegrams) {
				require.Equal(t, "000", l.ask("0620", "GR151120", "0001003"))
			}
			require.Equal(t, "000", l.end())
			r := to.await(transfer.Receive, transfer.Assembled, 1)[0]
			require.Equal(t, sum(records(1)), r.FileDigest)
		})
	}
}

// Our own sender goes on behind what the counterparty holds, counted in bytes
// that travelled: the header is shorter than a telegram of data.
func TestPartsAreSentFromWhereTheyWereCut(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	_, from, _ := kfb(t, sqlite, "up", nil)
	from.opt.Institutions[0].Connect = ln.Addr().String()
	from.start()
	from.drop("GR15.CENTRE.JOB.20261120", records(3))
	for _, session := range []struct{ held, first, telegrams int }{{0, 1, 5}, {21 + 62, 3, 3}, {21 + 3*62, 5, 1}, {45 + 3*62, 6, 0}} {
		conn, err := ln.Accept()
		require.NoError(t, err)
		require.NoError(t, conn.SetDeadline(time.Now().Add(hang)))
		w := wire{t, conn}
		opened := w.hear()
		require.Equal(t, "GR15112000", opened[16:26])
		require.Equal(t, "20261120", opened[76:])
		w.say(strings.Replace(opened, "0600RB", "0610RC", 1))
		require.Equal(t, fmt.Sprintf("0047FTS0570630RBGR151120000GR151120%012d%04d", 45+3*62, partsN), w.hear())
		w.say(fmt.Sprintf("0047FTS0570640RCGR151120000GR151120%012d%04d", session.held, partsN))
		for n := range session.telegrams {
			require.Equal(t, fmt.Sprintf("0001%03d", session.first+n), w.hear()[27:34])
		}
		if session.telegrams == 0 {
			end := w.hear()
			require.Equal(t, "003", end[37:40])
			w.say(strings.Replace(end, "0600RB", "0610RC", 1))
			from.await(transfer.Send, transfer.Sent, 1)
		}
		require.NoError(t, conn.Close())
	}
}

func TestPartsOptions(t *testing.T) {
	t.Parallel()
	p, err := protocol.Load("kfb")
	require.NoError(t, err)
	cms, err := protocol.Load("cms")
	require.NoError(t, err)
	for _, c := range []struct {
		name, path string
		code       fault.Code
		tune       func(*Options)
	}{
		{"good", "", "", func(*Options) {}},
		{"no records to count", "files[0].record", CodePartsRecords, func(o *Options) { o.Files[0].Form = filemgr.Form{Kind: filemgr.Raw} }},
		{"none to count, to receive", "", "", func(o *Options) {
			o.Files[0].Form, o.Files[0].Direction = filemgr.Form{Kind: filemgr.Raw}, transfer.Receive
		}},
		{"all parts to receive", "", "", func(o *Options) { o.Files[0].AllParts, o.Files[0].Direction = true, transfer.Receive }},
		{"all parts to send", "", "", func(o *Options) { o.Files[0].AllParts = true }},
		{"all parts to send, of any length", "files[0].record", CodeOwnPartsForm, func(o *Options) {
			o.Files[0].AllParts, o.Files[0].Form = true, filemgr.Form{Kind: filemgr.Lines}
		}},
		{"all parts to send, without room for a trailer", "files[0].record", CodeOwnPartsForm, func(o *Options) {
			o.Files[0].AllParts, o.Files[0].Form.Length = true, 23
		}},
		{"all parts to send, in telegrams that are too small", "files[0].packing", filemgr.CodeBadPacking, func(o *Options) {
			o.Files[0].AllParts, o.Institutions[0].MessageSize = true, 34+partsRecord-1
		}},
		{"all parts to send of none", "files[0].parts", CodeAllParts, func(o *Options) {
			o.Files[0].AllParts, o.Institutions[0].Profile, o.Institutions[0].WireCode = true, cms, "12345678"
		}},
		{"all parts of none", "files[0].parts", CodeAllParts, func(o *Options) {
			o.Files[0].AllParts, o.Files[0].Direction, o.Institutions[0].Profile = true, transfer.Receive, cms
			o.Institutions[0].WireCode = "12345678"
		}},
		{"telegrams without room for the trailer", "institutions[0].message_size", CodeMessageSize, func(o *Options) { o.Institutions[0].MessageSize = 34 + 23 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, err := sideOptions(t.TempDir(), "kfb", "institution", partsFile(nil), nil)
			require.NoError(t, err)
			o.Institutions[0].WireCode, o.Institutions[0].Profile = "057", p
			c.tune(&o)
			problems := o.Validate()
			if c.code == "" {
				require.Empty(t, problems)
				return
			}
			require.NotEmpty(t, problems)
			require.Equal(t, []any{c.path, c.code}, []any{problems[0].Path, problems[0].Err.Code})
		})
	}
}
