package instance

import (
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/transfer"
)

// Where the sender opens it does so whoever called: the institution that calls
// to send, the one that is called by who comes to fetch, and the centre that
// calls the institution (§1.4).
func TestSenderOpens(t *testing.T) {
	t.Parallel()
	onBoth(t, testSenderOpens)
}

func testSenderOpens(t *testing.T, on engine) {
	today := time.Now().In(time.FixedZone("KST", 9*3600)).Format("20060102")
	for _, test := range []struct {
		profile, way, caller string
	}{
		{"citi", "down", "institution"}, {"citi", "down", "centre"}, {"samsung", "up", "centre"},
	} {
		t.Run(fmt.Sprintf("%s/%s/%s calls", test.profile, test.way, test.caller), func(t *testing.T) {
			up, down := []file{rawForm("TR01")}, []file(nil)
			if test.way == "down" {
				up, down = nil, up
			}
			inst, centre := newHost(t, on, test.profile, "institution", up, down), newHost(t, on, test.profile, "centre", up, down)
			caller, called := inst, centre
			if test.caller == "centre" {
				caller, called = centre, inst
			}
			from, to := inst, centre
			if test.way == "down" {
				from, to = centre, inst
			}
			p := caller.opt.Institutions[0].Profile
			caller.opt.Listen, called.opt.Listen = nil, []Listen{{Address: "127.0.0.1:0", Profile: p}}
			caller.opt.Institutions[0].Windows, called.opt.Institutions[0].Windows = nil, nil
			called.opt.Institutions[0].Expect = Credentials{}
			to.opt.Institutions[0].Expect = Credentials{Name: "OPENER", Password: "123ABC"}
			from.opt.Institutions[0].Sender = Credentials{Name: "OPENER", Password: "123ABC"}
			if caller == to {
				called.opt.Listen[0].SendsTo = called.opt.Institutions[0].Code
				caller.opt.Institutions[0].Windows = []Window{{From: 0, To: 24 * time.Hour, Every: 50 * time.Millisecond}}
			}
			called.start()
			caller.opt.Institutions[0].Connect = called.inst.Addresses()[0]
			caller.start()
			want := content(blockOf(test.profile) + 1)
			from.drop("TR01."+from.opt.Institutions[0].Code+".JOB", want)
			sent := from.await(transfer.Send, transfer.Sent, 1)[0]
			got := to.await(transfer.Receive, transfer.Assembled, 1)[0]
			b, err := os.ReadFile(got.FinalPath)
			require.NoError(t, err)
			require.Equal(t, sum(want), sum(b))
			require.Equal(t, today, got.BaseDate)
			require.Equal(t, sent.WireDigest, got.WireDigest)
		})
	}
}

// Who is called to open, and opens with another code or a wrong name, gives
// us nothing; and its line is not lost with it.
func TestOpenedByAnother(t *testing.T) {
	t.Parallel()
	const header = "FTE%-8s0600RB        000"
	const work = "0602131309001%-20s%-16s"
	for _, test := range []struct {
		code, name string
		answer     string
	}{
		{"87654321", "OPENER", "310"}, {"12345678", "SOMEBODY", "310"}, {"12345678", "OPENER", "000"},
	} {
		t.Run(test.code+"/"+test.name, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			defer ln.Close()
			h := newHost(t, sqlite, "citi", "institution", nil, []file{rawForm("TR01")})
			n := &h.opt.Institutions[0]
			n.Connect, n.Expect = ln.Addr().String(), Credentials{Name: "OPENER", Password: "123ABC"}
			h.start()
			for range 2 { // it calls again, so its line was free
				conn, err := ln.Accept()
				require.NoError(t, err)
				require.NoError(t, conn.SetDeadline(time.Now().Add(hang)))
				_, err = fmt.Fprintf(conn, "0077"+header+work, test.code, test.name, "123ABC")
				require.NoError(t, err)
				w := wire{t, conn}
				require.Equal(t, test.answer, w.hear()[29:32])
				if test.answer == "000" { // and it goes on as an open session does
					_, err = fmt.Fprintf(conn, "0077FTE%-8s0600RB        0000602131309004%-20s%-16s", test.code, test.name, "123ABC")
					require.NoError(t, err)
					require.Equal(t, "004", w.hear()[42:45])
				}
				_, err = io.ReadAll(conn)
				require.NoError(t, err)
				require.NoError(t, conn.Close())
			}
		})
	}
}

// sends_to names an institution of the listener's own profile, and only where
// the sender opens; two that may open with one code cannot be told apart.
func TestSenderOpensOptions(t *testing.T) {
	t.Parallel()
	citi, err := protocol.Load("citi")
	require.NoError(t, err)
	cms, err := protocol.Load("cms")
	require.NoError(t, err)
	turned, err := protocol.Parse("t.yaml", []byte("profile: t\nextends: citi\nsession: {opens: receiver}\n"))
	require.NoError(t, err)
	each, err := protocol.Parse("e.yaml", []byte("profile: e\nextends: citi\nsession: {opens: institution, connects: centre}\n"))
	require.NoError(t, err)
	one := Institution{Code: "A", Profile: citi, WireCode: "CITIBANK", Connect: "x:1"}
	old := Institution{Code: "B", Profile: cms, WireCode: "12345678", Connect: "x:2"}
	for _, test := range []struct {
		name string
		code fault.Code
		tune func(*Options)
	}{
		{"good", "", func(o *Options) { o.Listen[0].SendsTo = "A" }},
		{"nobody", CodeSendsTo, func(o *Options) { o.Listen[0].SendsTo = "C" }},
		{"another profile", CodeSendsTo, func(o *Options) { o.Listen[0].SendsTo = "B" }},
		{"the institution opens", CodeSendsTo, func(o *Options) { o.Listen[0].Profile, o.Listen[0].SendsTo = cms, "B" }},
		{"fetched from, though it opens when it gives", CodeFetchesFrom, func(o *Options) { o.Listen[0].FetchesFrom = "A" }},
		{"fetched from, as the receiver opens", "", func(o *Options) {
			o.Institutions[0].Profile, o.Listen[0].Profile = turned, turned
			o.Listen[0].FetchesFrom = "A"
		}},
		{"fetched from and sent to", CodeFetchesFrom, func(o *Options) {
			o.Institutions[0].Profile, o.Listen[0].Profile = each, each
			o.Listen[0].FetchesFrom, o.Listen[0].SendsTo = "A", "A"
		}},
		{"a window of a centre", "", func(o *Options) {
			o.Institutions[0].Side, o.Institutions[0].Windows = protocol.CentreSide, []Window{{To: time.Hour}}
		}},
		{"one code twice", CodeSameCaller, func(o *Options) { o.Institutions = append(o.Institutions, one) }},
		{"one code, another part", "", func(o *Options) {
			two := one
			two.Code, two.Side = "D", protocol.CentreSide
			o.Institutions = append(o.Institutions, two)
		}},
		{"one code twice, and nobody opens", "", func(o *Options) {
			o.Institutions, o.Listen = append(o.Institutions, one), nil
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := Options{Institutions: []Institution{one, old}, Listen: []Listen{{Address: "x:3", Profile: citi}}}
			test.tune(&o)
			problems := o.Validate()
			if test.code == "" {
				require.Empty(t, problems)
				return
			}
			require.Len(t, problems, 1)
			require.Equal(t, test.code, problems[0].Err.Code)
		})
	}
}
