package instance

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
	"pabal/protocol/machine"
	"pabal/protocol/sessionlog"
	"pabal/simulator"
	"pabal/store"
	"pabal/transfer"
)

// A login may have a name and a password of its own beside those of the
// opening, on both sides; what the opening says is no key to it.
func TestLoginOfItsOwn(t *testing.T) {
	t.Parallel()
	onBoth(t, testLoginOfItsOwn)
}

func testLoginOfItsOwn(t *testing.T, on engine) {
	opening := Credentials{Name: "Honggildong", Password: "123ABC"}
	theirs := machine.Login{Name: "kim", Password: "kimspw"} // of the institution
	hub := machine.Login{Name: "hub", Password: "hubspw"}
	own := func(l machine.Login) *Credentials { return &Credentials{Name: l.Name, Password: l.Password} }
	for _, test := range []struct {
		name, role string
		says       machine.Login // the peer
		wants      machine.Login // of us
		code       fault.Code    // of our session, "" = in order
		heard      fault.Code    // by a peer that called
	}{
		{"right", "centre", theirs, hub, "", ""},
		{"right", "institution", hub, theirs, "", ""},
		{"that of the opening", "centre", machine.Login(opening), hub, "", machine.CodeSessionRefused},
		{"another password", "centre", machine.Login{Name: "kim", Password: "other"}, hub, "", machine.CodeSessionRefused},
		{"ours is wrong to them", "centre", theirs, machine.Login{Name: "hub", Password: "other"}, "", machine.CodeLogin},
		{"that of the opening", "institution", machine.Login(opening), theirs, machine.CodeLogin, ""},
		{"ours is wrong to them", "institution", hub, machine.Login{Name: "kim", Password: "other"}, machine.CodeSessionRefused, ""},
	} {
		t.Run(test.role+"/"+test.name, func(t *testing.T) {
			ours, want := hub, theirs
			if test.role == "institution" {
				ours, want = theirs, hub
			}
			a := newAgainst(t, on, "twice", test.role, test.role == "institution", "", func(o *Options) {
				n := &o.Institutions[0]
				n.Sender, n.Login = opening, Login{Sender: own(ours), Expect: own(want)}
				if test.role == "centre" {
					n.Expect = opening
				}
				n.RetryFirst, n.RetryMax = time.Hour, time.Hour
				o.SessionLog = sessionlog.Options{Dir: filepath.Join(filepath.Dir(o.Dirs.Work), "said"), Level: sessionlog.Bodies}
			}, func(o *simulator.Options) {
				o.Login = &test.says
				o.Expect.Login = &test.wants
				o.Expect.SenderName, o.Expect.Password = opening.Name, opening.Password
			})
			a.put(0, content(999))
			switch {
			case test.code != "": // we called: the session has its code, and nothing went
				soon(t, "the session to be refused", func() bool {
					rows, err := a.ours.store.Sessions(t.Context(), store.SessionFilter{})
					require.NoError(t, err)
					return slices.ContainsFunc(rows, func(r *transfer.Session) bool { return r.ErrorCode == string(test.code) })
				})
				require.Empty(t, a.arrived())
			case test.heard != "": // they called: no session was begun
				_, err := a.peer.Call(t.Context(), a.ours.inst.Addresses()[0], false)
				require.Equal(t, test.heard, fault.CodeOf(err))
				rows, err := a.ours.store.Sessions(t.Context(), store.SessionFilter{})
				require.NoError(t, err)
				require.Empty(t, rows)
				require.Empty(t, a.arrived())
			case test.role == "centre":
				a.finish(transfer.Assembled, 1)
				require.Equal(t, map[string]int{sum(content(999)): 1}, a.arrived())
			default:
				a.finish(transfer.Sent, 1)
				require.Equal(t, map[string]int{sum(content(999)): 1}, a.arrived())
			}
			a.ours.end()
			require.NoError(t, filepath.WalkDir(a.ours.dir, func(path string, d os.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				b, err := os.ReadFile(path)
				for _, secret := range []string{"kimspw", "hubspw", "123ABC"} {
					require.False(t, strings.Contains(string(b), secret), "%s in %s", secret, path)
				}
				return err
			}))
		})
	}
}
