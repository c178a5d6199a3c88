package instance

import (
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/protocol/protocoltest"
	"pabal/protocol/sessionlog"
	"pabal/transfer"
)

// What is said before the first telegram stands in the log, and what one
// telegram carries of a file is told as what it is, whatever pieces it travels
// in. Everything there is can be told in the words of the profile.
func TestSessionLogTells(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"login", "whole"} {
		for _, level := range []sessionlog.Level{sessionlog.Headers, sessionlog.Bodies} {
			t.Run(name+"/"+string(level), func(t *testing.T) {
				p := newPair(t, sqlite, name, []file{rawForm("EB21")}, nil, func(i, c *Options) {
					logged(level)(i, c)
					for _, o := range []*Options{i, c} {
						agreed := Credentials{Name: "kim", Password: "HUSH99"}
						if name == "whole" {
							agreed.Name = "Honggildong"
						}
						o.Institutions[0].Sender, o.Institutions[0].Expect = agreed, agreed
					}
				})
				body := content(24*9 + 5)
				p.institution.drop("EB21.CENTRE.JOB", body)
				p.institution.await(transfer.Send, transfer.Sent, 1)
				p.centre.await(transfer.Receive, transfer.Assembled, 1)
				p.institution.end()
				p.centre.end()
				profile := protocoltest.Load(t, name)
				for _, h := range []*host{p.institution, p.centre} {
					carried := 0
					for _, records := range h.said() {
						var before []string
						var telegrams, pieces int
						var all []byte
						for _, r := range records {
							e, shown := r.Explain(profile)
							require.NoError(t, e.Err, "%+v", r)
							require.NotContains(t, string(shown), "HUSH99")
							switch r.What {
							case sessionlog.WhatBytes:
								before = append(before, map[string]string{sessionlog.In: "<", sessionlog.Out: ">"}[r.Way]+e.By+" "+e.Rows[0].Value)
							case sessionlog.WhatTelegram, sessionlog.WhatData:
								if r.Kind != "data" {
									continue
								}
								telegrams++
								if b := r.Frame(); b != nil {
									require.Equal(t, r.Kind, e.Kind.String())
									all = append(all, b[len(b)-min(len(b), 24):]...)
								} else {
									require.EqualValues(t, len(body), r.Bytes)
								}
							case sessionlog.WhatMore:
								pieces++
								require.Empty(t, shown)
								require.Equal(t, int(r.Bytes), e.Rows[0].Width)
								all = append(all, r.Frame()...)
							}
						}
						if name == "login" {
							out, in := ">", "<"
							if h == p.centre {
								out, in = in, out
							}
							require.Equal(t, []string{in + "called READY..", out + "caller .."}, before)
						}
						if telegrams == 0 {
							continue
						}
						carried++
						require.Equal(t, 1, telegrams)
						switch {
						case name == "whole" && level == sessionlog.Bodies:
							require.Equal(t, 9, pieces)
							require.Equal(t, body, all)
						default:
							require.Zero(t, pieces)
						}
					}
					require.Equal(t, 1, carried)
				}
			})
		}
	}
}
