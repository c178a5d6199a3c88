package instance

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/control"
	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/protocol/machine"
	"pabal/store"
	"pabal/transfer"
)

// TestDataAfterCompleteAlready: a sender that passes over "complete already"
// has its file taken and compared (protocols §1.5), whatever the policy.
func TestDataAfterCompleteAlready(t *testing.T) {
	t.Parallel()
	onBoth(t, testDataAfterCompleteAlready)
}

func testDataAfterCompleteAlready(t *testing.T, on engine) {
	body := content(blockOf("cms") + 500)
	other := append(content(len(body)-1), 'x')
	for _, test := range []struct {
		name   string
		second []byte // of the same size, or it would be refused
		as     transfer.Status
		found  transfer.Repeat
	}{
		{"equal", body, transfer.Duplicate, transfer.RepeatEqual},
		{"different", other, transfer.Held, transfer.RepeatOther},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newRepeats(t, on, "cms", true, true, protocol.RepeatRefuse, func(from, _ *Options) { from.Files[0].SameName = SameNameNew })
			first := r.send(body, transfer.Sent)
			r.holds(tally{transfer.Assembled: 1})
			r.line.mu.Lock()
			r.line.accept = true
			r.line.mu.Unlock()
			second := r.send(test.second, transfer.Sent)
			require.NotEqual(t, first.ID, second.ID)
			r.holds(tally{transfer.Assembled: 1, test.as: 1})
			whole := r.to.await(transfer.Receive, transfer.Assembled, 1)[0]
			again := r.to.await(transfer.Receive, test.as, 1)[0]
			require.Equal(t, whole.ID, again.RepeatOf)
			require.Equal(t, test.found, again.Repeat)
			require.Equal(t, sum(test.second), again.FileDigest, "all of it came")
			require.Equal(t, map[string]int{sum(body): 1}, r.placed())
			if test.as == transfer.Held {
				require.Equal(t, string(CodeRepeatDiffers), again.ErrorCode)
			}
		})
	}
}

// TestAlreadyCompleteOnTheLine: what a counterparty's "complete already" is
// worth (design D5). It proves success for the content whose end was asked
// for, and for nothing else.
func TestAlreadyCompleteOnTheLine(t *testing.T) {
	t.Parallel()
	onBoth(t, testAlreadyCompleteOnTheLine)
}

func testAlreadyCompleteOnTheLine(t *testing.T, on engine) {
	for _, test := range []struct {
		name  string
		ended func(*transfer.Transfer)
		want  transfer.Status
	}{
		{"of this content", func(*transfer.Transfer) {}, transfer.Sent},
		{"of other content", func(t *transfer.Transfer) { t.EndedDigest = sum([]byte("other")) }, transfer.Held},
		{"never", func(t *transfer.Transfer) { t.EndedOnce, t.EndedDigest = false, "" }, transfer.Held},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newRepeats(t, on, "cms", true, true, "", nil)
			r.line.cut(endReply, 1)
			cut := r.send(content(5000), transfer.Unknown)
			r.holds(tally{transfer.Assembled: 1})
			r.order(cut.ID, test.ended)
			r.pass(2 * time.Minute)
			got := r.awaitNewest(r.from, transfer.Send, 1, test.want)
			r.holds(tally{transfer.Assembled: 1})
			if test.want == transfer.Held {
				require.Equal(t, "630", got.Response)
				require.Equal(t, string(machine.CodeAlreadyThere), got.ErrorCode)
				require.Empty(t, got.Proofs)
				return
			}
			require.Contains(t, got.Proofs, transfer.ProofAlreadyComplete)
		})
	}
}

// dying is a server that is killed, and what it talks to through a cutter.
type dying struct {
	*process
	centre *host
	line   *cutter
}

func newDying(t *testing.T, on engine, profile, id string, again bool) *dying {
	t.Helper()
	d := &dying{line: newCutter(t, profile), centre: newHost(t, on, profile, "centre", []file{rawForm(id)}, nil)}
	d.centre.opt.Listen[0].Address = "127.0.0.1:0"
	d.centre.start()
	d.line.target <- d.centre.inst.Addresses()[0]
	dir := t.TempDir()
	makeDirs(t, dir)
	d.process = &process{t: t, c: child{Dir: dir, URL: on.url(t, dir), Profile: profile, Role: "institution",
		Address: d.line.ln.Addr().String(), Up: []string{id}, Result: true, Again: again}}
	d.start()
	t.Cleanup(d.kill)
	return d
}

// row waits until the one transfer is in a status, and in nobody's hands if it
// is at rest.
func (d *dying) row(s *store.Store, st transfer.Status) *transfer.Transfer {
	d.t.Helper()
	var got *transfer.Transfer
	eventually(d.t, "the transfer is "+string(st), func() bool {
		all, err := s.List(d.t.Context(), store.Filter{})
		if err != nil || len(all) != 1 {
			return false
		}
		got = all[0]
		return got.Status == st
	})
	return got
}

// was waits until the one transfer is or has been in a status: one whose end is
// unknown is announced again at once, and that may fail before anybody looks.
func (d *dying) was(s *store.Store, st transfer.Status) *transfer.Transfer {
	d.t.Helper()
	var got *transfer.Transfer
	eventually(d.t, "the transfer was "+string(st), func() bool {
		all, err := s.List(d.t.Context(), store.Filter{})
		if err != nil || len(all) != 1 {
			return false
		}
		got = all[0]
		events, err := s.Events(d.t.Context(), store.EventFilter{TransferID: got.ID, Kind: store.EventStatus})
		return err == nil && slices.ContainsFunc(events, func(e *transfer.Event) bool { return e.To == st })
	})
	return got
}

// TestKilledAtEnding: a process that is killed between the end request and the
// commit of its answer leaves an unknown end, never one that would be sent
// again by itself; then each rule settles it (design D5).
func TestKilledAtEnding(t *testing.T) {
	t.Parallel()
	onBoth(t, testKilledAtEnding)
}

func testKilledAtEnding(t *testing.T, on engine) {
	for _, test := range []struct {
		profile string
		lost    string // what never came
		by      string // who settles it
		proof   string
		twice   bool // it is taken twice, and found to be the same
	}{
		{"cms", endReply, "rule", transfer.ProofAlreadyComplete, false},
		{"cms", endRequest, "rule", transfer.ProofEndReply, false},
		{"edi", endReply, "rule", transfer.ProofInquiry, false},
		{"edi", endRequest, "rule", transfer.ProofEndReply, false},
		{"asks", endReply, "rule", transfer.ProofInquiry, false},
		{"edi", endReply, "again", transfer.ProofEndReply, true},
		{"cms", endReply, control.AsArrived, transfer.ProofPerson, false},
		{"edi", endRequest, control.AsNotArrived, transfer.ProofEndReply, false},
	} {
		t.Run(test.profile+"/"+test.lost+"/"+test.by, func(t *testing.T) {
			t.Parallel()
			id := map[string]string{"cms": "EB21", "edi": "C02", "asks": "EB21"}[test.profile]
			d := newDying(t, on, test.profile, id, test.by == "again")
			caught := d.line.catch(test.lost)
			d.drop(id+".CENTRE.JOB", content(5000))
			select {
			case <-caught:
			case <-time.After(hang):
				t.Fatal("the end was not asked for")
			}
			d.line.shut(true) // what follows waits for the test
			d.kill()
			s, err := store.Open(t.Context(), store.Options{URL: d.c.URL})
			require.NoError(t, err)
			defer s.Close()
			require.Equal(t, transfer.Ending, d.row(s, transfer.Ending).Status)
			d.start()
			unknown := d.was(s, transfer.Unknown)
			require.True(t, unknown.EndedOnce)
			require.Equal(t, unknown.FileDigest, unknown.EndedDigest)

			ok := filepath.Join(d.c.Dir, "result", unknown.Name+".ok")
			switch test.by {
			case control.AsArrived, control.AsNotArrived:
				// While it is claimed for a call, which the line refuses, nobody's word counts.
				eventually(t, "the person's word is taken", func() bool {
					_, err := s.Command(t.Context(), time.Now(), transfer.Command{Name: control.Settle, TransferID: unknown.ID, Who: "test", Reason: "asked them"},
						func(r *transfer.Transfer) error {
							return control.Apply(r, control.Order{Name: control.Settle, As: test.by}, time.Now())
						})
					if fault.CodeOf(err) == control.CodeSettling {
						return false
					}
					require.NoError(t, err)
					return true
				})
			}
			if test.by == control.AsNotArrived {
				require.False(t, d.row(s, transfer.Waiting).EndedOnce)
				require.NoFileExists(t, ok)
			}
			if test.by != control.AsArrived { // a person's word needs no line
				d.line.shut(false)
			}
			sent := d.row(s, transfer.Sent)
			given := map[string]bool{}
			for _, p := range transfer.ProofsOf(sent.Proofs) {
				require.True(t, p.Holds(), "%+v", p)
				given[p.Name] = true
			}
			require.True(t, given[test.proof], sent.Proofs)
			eventually(t, "the result file is written", func() bool { _, err := os.Stat(ok); return err == nil })
			require.NoFileExists(t, filepath.Join(d.c.Dir, "result", unknown.Name+".fail"))

			events, err := s.Events(t.Context(), store.EventFilter{TransferID: sent.ID, Kind: store.EventStatus})
			require.NoError(t, err)
			ends := 0
			for _, e := range events {
				if test.profile == "cms" && test.by == "rule" { // an announcement that the line cut settles nothing
					require.NotEqual(t, transfer.Waiting, e.To)
				}
				if e.From == transfer.Ending {
					require.Equal(t, []transfer.Status{transfer.Unknown, transfer.Sent}[min(ends, 1)], e.To)
					ends++
				}
			}
			require.NotZero(t, ends)
			d.centre.await(transfer.Receive, transfer.Assembled, 1)
			if test.twice {
				d.centre.await(transfer.Receive, transfer.Duplicate, 1)
			}
			a := against{t: t, ours: d.centre}
			require.Equal(t, map[string]int{sum(content(5000)): 1}, a.arrived())
		})
	}
}
