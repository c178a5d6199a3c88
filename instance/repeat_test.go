package instance

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/protocol/machine"
	"pabal/store"
	"pabal/transfer"
)

type tally = map[transfer.Status]int

// TestRepeats: what becomes of a name that comes a second time, for each
// policy and profile (design D6). Where our confirmation may have been lost it
// ends with one file, whatever the policy.
func TestRepeats(t *testing.T) {
	t.Parallel()
	one := content(2000)
	other := append(content(1999), 'x')
	const assembled, duplicate, heldBack = transfer.Assembled, transfer.Duplicate, transfer.Held
	refuse, absorb, further := protocol.RepeatRefuse, protocol.RepeatAbsorb, protocol.RepeatNew
	for _, profile := range []string{"cms", "edi"} {
		// A sender of cms that never had the end confirmed is held when it is
		// told "complete already"; edi has no such answer, and it fails.
		told := map[string]transfer.Status{"cms": transfer.Held, "edi": transfer.Failed}[profile]
		for _, test := range []struct {
			name   string
			policy protocol.Repeat
			second transfer.Status // of the sender
			same   bool
			want   tally
		}{
			{"refuse/equal", refuse, told, true, tally{assembled: 1}},
			{"refuse/different", refuse, told, false, tally{assembled: 1}},
			{"absorb/equal", absorb, transfer.Sent, true, tally{assembled: 1, duplicate: 1}},
			{"absorb/different", absorb, transfer.Sent, false, tally{assembled: 1, heldBack: 1}},
			{"new/equal", further, transfer.Sent, true, tally{assembled: 2}},
			{"new/different", further, transfer.Sent, false, tally{assembled: 2}},
		} {
			t.Run(profile+"/"+test.name, func(t *testing.T) {
				t.Parallel()
				r := newRepeats(t, sqlite, profile, true, true, test.policy, func(from, _ *Options) { from.Files[0].SameName = SameNameHold })
				r.send(one, transfer.Sent)
				r.holds(tally{assembled: 1})
				if test.same {
					r.again(test.second)
				} else {
					second := r.send(other, transfer.Held)
					require.Equal(t, string(CodeSameName), second.ErrorCode)
					r.order(second.ID, func(t *transfer.Transfer) {
						t.Status, t.ErrorCode, t.ErrorDetail, t.NextTry = transfer.Waiting, "", "", time.Time{}
						if profile == "edi" {
							t.Serial = "001"
						}
					})
					r.awaitNewest(r.from, transfer.Send, 2, test.second)
				}
				r.holds(test.want)
			})
		}
		for _, test := range []struct {
			name     string
			policy   protocol.Repeat
			midnight bool
			want     tally
		}{
			{"refuse", refuse, false, tally{assembled: 1}},
			{"absorb", absorb, false, tally{assembled: 1, duplicate: 1}},
			{"new", further, false, tally{assembled: 1, duplicate: 1}},
			{"refuse/after midnight", refuse, true, tally{assembled: 1, duplicate: 1}},
			{"absorb/after midnight", absorb, true, tally{assembled: 1, duplicate: 1}},
			{"new/after midnight", further, true, tally{assembled: 1, duplicate: 1}},
		} {
			t.Run(profile+"/end reply lost/"+test.name, func(t *testing.T) {
				t.Parallel()
				want := test.want
				if profile == "edi" && test.policy == refuse {
					want = tally{assembled: 1} // its telegrams have the date, and the name is answered for
				}
				// A peer that does not inquire: it sends the file again.
				r := newRepeats(t, sqlite, profile, true, !test.midnight, test.policy, sendsAgain)
				r.line.cut(endReply, 1)
				unknown := r.send(one, transfer.Unknown)
				r.holds(tally{assembled: 1})
				r.pass(2 * time.Minute)
				if test.midnight {
					r.pass(20 * time.Minute)
				}
				if profile == "edi" && test.policy == refuse {
					r.awaitNewest(r.from, transfer.Send, 1, transfer.Held) // refused: a person settles it
				} else {
					sent := r.awaitNewest(r.from, transfer.Send, 1, transfer.Sent)
					require.Equal(t, unknown.ID, sent.ID)
				}
				r.holds(want)
				require.Equal(t, map[string]int{sum(one): 1}, r.placed())
			})
		}
	}
}

// sendsAgain makes the sender one that settles an unknown end by sending the
// file again, whatever its profile would do.
func sendsAgain(from, _ *Options) {
	p := *from.Institutions[0].Profile
	p.Files.SettleAgain = true
	from.Institutions[0].Profile = &p
}

// TestRepeatAfterMidnight: the same name without a date on the next day is
// another file, also with the same content, where the peer had our answer; and
// with other content also where it may not.
func TestRepeatAfterMidnight(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		lost bool
		body []byte
	}{
		{"heard, the same content", false, content(2000)},
		{"lost, other content", true, content(2100)},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newRepeats(t, sqlite, "cms", true, false, protocol.RepeatRefuse, nil)
			if test.lost {
				r.line.cut(endReply, 1)
				first := r.send(content(2000), transfer.Unknown)
				r.order(first.ID, func(t *transfer.Transfer) { t.Status = transfer.Held }) // it is not settled yet
			} else {
				r.send(content(2000), transfer.Sent)
			}
			r.holds(tally{transfer.Assembled: 1})
			r.pass(20 * time.Minute)
			r.send(test.body, transfer.Sent)
			r.holds(tally{transfer.Assembled: 2})
			last := r.awaitNewest(r.to, transfer.Receive, 2, transfer.Assembled)
			require.Equal(t, "20261121", last.BaseDate)
			require.Equal(t, map[bool]transfer.Repeat{true: transfer.RepeatOther, false: transfer.NotRepeated}[test.lost], last.Repeat)
		})
	}
}

// TestAbsorbedInTwoSessions: a repeat that is cut goes on where it stood, or
// starts again where the profile cannot, and is compared when it is whole.
func TestAbsorbedInTwoSessions(t *testing.T) {
	t.Parallel()
	for _, profile := range []string{"cms", "edi"} {
		t.Run(profile, func(t *testing.T) {
			onBoth(t, func(t *testing.T, on engine) {
				body := content(2*blockOf(profile) + 5000)
				r := newRepeats(t, on, profile, true, true, protocol.RepeatAbsorb, nil)
				r.send(body, transfer.Sent)
				r.holds(tally{transfer.Assembled: 1})
				r.line.cut(checkReply, 1)
				r.resend() // cut after the first block
				r.until(func() bool {
					all, err := r.from.store.List(t.Context(), store.Filter{Direction: transfer.Send, Statuses: []transfer.Status{transfer.Waiting}})
					return err == nil && len(all) == 1 && all[0].Tries > 0
				}, func() string { return "it was not cut" })
				r.pass(2 * time.Minute)
				r.awaitNewest(r.from, transfer.Send, 1, transfer.Sent)
				want := tally{transfer.Assembled: 1, transfer.Duplicate: 1}
				if profile == "edi" {
					want[transfer.Abandoned] = 1
				}
				r.holds(want)
				d := r.to.await(transfer.Receive, transfer.Duplicate, 1)[0]
				a := r.to.await(transfer.Receive, transfer.Assembled, 1)[0]
				require.Equal(t, a.ID, d.RepeatOf)
				require.Equal(t, transfer.RepeatEqual, d.Repeat)
				require.Equal(t, a.FileDigest, d.FileDigest)
				require.Equal(t, map[string]int{sum(body): 1}, r.placed())
			})
		})
	}
}

// TestHeldRepeatIsReleasedOrCancelled: other content under a name that we hold
// becomes a further file when a person wants it.
func TestHeldRepeatIsReleasedOrCancelled(t *testing.T) {
	t.Parallel()
	r := newRepeats(t, sqlite, "cms", true, true, protocol.RepeatAbsorb, func(from, _ *Options) { from.Files[0].SameName = SameNameNew })
	r.send(content(100), transfer.Sent)
	r.send(content(200), transfer.Sent)
	r.holds(tally{transfer.Assembled: 1, transfer.Held: 1})
	h := r.to.await(transfer.Receive, transfer.Held, 1)[0]
	require.Equal(t, string(CodeRepeatDiffers), h.ErrorCode)
	r.send(content(200), transfer.Sent) // the same as the held one
	r.holds(tally{transfer.Assembled: 1, transfer.Held: 1, transfer.Duplicate: 1})
	d := r.to.await(transfer.Receive, transfer.Duplicate, 1)[0]
	require.Equal(t, h.ID, d.RepeatOf)
	for _, id := range []string{h.ID, d.ID} { // control lets a person release both
		_, err := r.to.store.Command(t.Context(), time.Now(), transfer.Command{Name: "release", TransferID: id, Who: "test"},
			func(t *transfer.Transfer) error {
				t.Status, t.NextTry = transfer.Received, time.Time{}
				return nil
			})
		require.NoError(t, err)
	}
	r.holds(tally{transfer.Assembled: 3})
	require.Equal(t, map[string]int{sum(content(100)): 1, sum(content(200)): 2}, r.placed())
}

// TestLostEndReply: on both profiles and both ways an end whose confirmation
// is lost is unknown, never waiting, and the profile's rule or sending again
// ends it with one file and its proofs (design D5).
func TestLostEndReply(t *testing.T) {
	t.Parallel()
	for _, profile := range []string{"cms", "edi"} {
		for _, up := range []bool{true, false} {
			rules := map[string]func(from, to *Options){"rule": nil, "send again": sendsAgain}
			for rule, tune := range rules {
				name := profile + "/" + map[bool]string{true: "up", false: "down"}[up] + "/" + rule
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					policy := protocol.Repeat("")
					if rule == "send again" {
						policy = protocol.RepeatNew // the peer takes it as a further file, if it takes it for one
					}
					r := newRepeats(t, sqlite, profile, up, true, policy, tune)
					r.line.cut(endReply, 1)
					cut := r.send(content(5000), transfer.Unknown)
					require.True(t, cut.EndedOnce)
					require.Equal(t, cut.FileDigest, cut.EndedDigest)
					r.pass(2 * time.Minute)
					sent := r.awaitNewest(r.from, transfer.Send, 1, transfer.Sent)
					want := tally{transfer.Assembled: 1}
					proof := map[string]string{"cms": transfer.ProofAlreadyComplete, "edi": transfer.ProofInquiry}[profile]
					if rule == "send again" {
						want[transfer.Duplicate], proof = 1, transfer.ProofBlocks
					}
					r.holds(want)
					require.Equal(t, map[string]int{sum(content(5000)): 1}, r.placed())
					given := map[string]bool{}
					for _, p := range transfer.ProofsOf(sent.Proofs) {
						require.True(t, p.Holds(), "%+v", p)
						given[p.Name] = true
					}
					require.True(t, given[proof] && given[transfer.ProofContent], sent.Proofs)
					events, err := r.from.store.Events(t.Context(), store.EventFilter{TransferID: sent.ID, Kind: store.EventStatus})
					require.NoError(t, err)
					for _, e := range events {
						if e.From == transfer.Ending {
							require.Contains(t, []transfer.Status{transfer.Unknown, transfer.Sent}, e.To)
						}
					}
				})
			}
		}
	}
}

// TestAlreadyCompleteOfOtherContent: "complete already" proves nothing about
// content whose end was never asked for (design D5).
func TestAlreadyCompleteOfOtherContent(t *testing.T) {
	t.Parallel()
	p := park(t, sqlite, "cms", "institution", []file{rawForm("EB21")}, nil, nil)
	for digest, proves := range map[string]bool{"as ended": true, "altered": false} {
		p.row(transfer.Send, transfer.Unknown, func(r *transfer.Transfer) {
			r.EndedOnce, r.EndedDigest, r.FileDigest = true, "as ended", digest
		})
		s := p.session()
		o, err := s.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, proves, o.File.Ended, digest)
		require.NoError(t, s.Finish(t.Context(), machine.Outcome{Result: machine.AlreadyThere, Response: "630",
			Err: fault.New(machine.CodeAlreadyThere, "EB211120", "code", "630")}))
	}
	list, err := p.s.List(t.Context(), store.Filter{Statuses: []transfer.Status{transfer.Held}})
	require.NoError(t, err)
	require.Len(t, list, 2)
}

// TestRepeatOfAnInstitution: the policy is the registration's, else the
// institution's, else the profile's.
func TestRepeatOfAnInstitution(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name              string
		file, institution protocol.Repeat
		second            transfer.Status // of the sender
		want              tally
	}{
		{"the profile's", "", "", transfer.Held, tally{transfer.Assembled: 1}},
		{"the institution's", "", protocol.RepeatAbsorb, transfer.Sent, tally{transfer.Assembled: 1, transfer.Duplicate: 1}},
		{"the institution's, numbered", "", protocol.RepeatNew, transfer.Sent, tally{transfer.Assembled: 2}},
		{"the registration's", protocol.RepeatRefuse, protocol.RepeatAbsorb, transfer.Held, tally{transfer.Assembled: 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newRepeats(t, sqlite, "cms", true, true, test.file, func(_, to *Options) { to.Institutions[0].Repeat = test.institution })
			r.send(content(2000), transfer.Sent)
			r.holds(tally{transfer.Assembled: 1})
			r.again(test.second)
			r.holds(test.want)
		})
	}
}
