package machine

import (
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/protocol"
)

// FuzzSession plays any order of events, each byte one of those of the walk,
// on a session that has come some way already, under every profile and either
// part. It never panics, never asks and hangs up at once, and confirms nothing
// that was not saved or verified.
func FuzzSession(f *testing.F) {
	cfgs := configs(everyProfile(f))
	lists := make([][]stimulus, len(cfgs))
	for i, cfg := range cfgs {
		lists[i] = stimuli(cfg.Profile)
		index := map[string]byte{}
		for j, st := range lists[i] {
			index[st.name] = byte(j)
		}
		for _, way := range [][]string{
			{"start", "open-reply ok", "send one", "info-reply ok", "loaded", "check-reply ok", "marked", "end-reply ok", "finished", "close-order"},
			{"start", "open ", "judged ok", "info ", "accepted ok", "data ", "check ", "saved", "end ", "verified ok", "close "},
			{"start", "open download", "judged ok", "send two", "info-reply ok", "loaded", "check-reply missing", "timer", "lost"},
			{"start", "open-reply ok", "fetch-order", "fetch-reply ok", "data ", "accepted ok", "check ", "saved", "info ", "finished"},
		} {
			bytes := []byte{}
			for _, name := range way {
				bytes = append(bytes, index[name])
			}
			f.Add(byte(i), bytes)
		}
	}
	f.Fuzz(func(t *testing.T, which byte, events []byte) {
		i := int(which) % len(cfgs)
		s := New(cfgs[i])
		saved, verified, complete := map[int64]bool{}, false, false
		for _, b := range events {
			st := lists[i][int(b)%len(lists[i])]
			ev := st.make()
			open, block := s.open, s.rcv.block
			actions := s.Step(ev)
			switch {
			case ev.Kind == Saved && open == Save:
				saved[block] = true
			case ev.Kind == Verified && open == Verify && ev.Reason == protocol.OK:
				verified = true
			case ev.Kind == Accepted && open == AskAccept:
				saved, verified, complete = map[int64]bool{}, false, ev.Reason == protocol.Complete
			}
			for j := range actions {
				a := &actions[j]
				if a.Do.question() || a.Do == HangUp {
					require.Equal(t, len(actions)-1, j)
				}
				if a.Do != Send {
					continue
				}
				_, err := cfgs[i].Profile.Append(nil, &a.Telegram)
				require.NoError(t, err)
				if cfgs[i].Profile.Meaning(a.Telegram.Text(protocol.Response)) != protocol.OK {
					continue
				}
				switch a.Telegram.Kind {
				case protocol.CheckReply:
					if a.Telegram.Number(protocol.Sequence) > a.Telegram.Number(protocol.Missing) {
						require.True(t, saved[a.Telegram.Number(protocol.Block)], "%s after %v", st.name, events)
					}
				case protocol.EndReply, protocol.EndMoreReply:
					require.True(t, verified || complete || s.nothing)
				}
			}
		}
	})
}
