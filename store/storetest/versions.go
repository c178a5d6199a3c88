package storetest

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
	"pabal/store"
	"pabal/transfer"
)

func proposal(document string, base int64) store.ConfigVersion {
	return store.ConfigVersion{Document: document, Digest: "digest of " + document, Base: base, Origin: "apply",
		Source: "shared.yaml", Who: "kim", Host: "bat01", Reason: "because"}
}

func decision(number int64, active bool, without ...string) store.Decision {
	return store.Decision{Number: number, Active: active, Without: without,
		Audit: transfer.Command{Name: "config apply", Who: "kim", Host: "bat01", Reason: "because"}}
}

func testVersions(t *testing.T, open Open) {
	s, ctx := open(t), t.Context()
	state := func(active, proposed int64) {
		t.Helper()
		a, p, err := s.ConfigState(ctx)
		require.NoError(t, err)
		require.Equal(t, []int64{active, proposed}, []int64{a, p})
	}
	state(0, 0)
	_, err := s.ConfigVersion(ctx, 1)
	requireCode(t, store.CodeNoVersion, err)

	one, err := s.Propose(ctx, start, proposal("a: 1", 0))
	require.NoError(t, err)
	require.Equal(t, int64(1), one)
	state(0, 1)
	_, err = s.Propose(ctx, start, proposal("a: 2", 0))
	requireCode(t, store.CodeVersionPending, err)
	require.NoError(t, s.DecideVersion(ctx, start.Add(time.Second), decision(1, true)), "nobody follows")
	state(1, 0)
	_, err = s.Propose(ctx, start, proposal("a: 2", 0))
	requireCode(t, store.CodeVersionOvertaken, err)
	requireCode(t, store.CodeVersionDecided, s.DecideVersion(ctx, start, decision(1, false)))
	requireCode(t, store.CodeNoVersion, s.DecideVersion(ctx, start, decision(9, true)))

	// Everybody who follows must have agreed.
	require.NoError(t, s.Follow(ctx, start, store.Follower{Host: "bat01", PID: 1, Version: 1}))
	require.NoError(t, s.Follow(ctx, start, store.Follower{Host: "bat02", PID: 1, Version: 1}))
	require.NoError(t, s.Follow(ctx, start, store.Follower{Host: "bat02", PID: 7, Version: 1}, 1))
	two, err := s.Propose(ctx, start, proposal("a: 2", 1))
	require.NoError(t, err)
	err = s.DecideVersion(ctx, start, decision(two, true))
	requireCode(t, store.CodeVersionUnanswered, err)
	require.Equal(t, "bat01, bat02", fault.As(err).Args["hosts"])
	yes := store.VersionAnswer{Number: two, Host: "bat01", PID: 1, Accepted: true}
	no := store.VersionAnswer{Number: two, Host: "bat02", PID: 7, Problems: `[{"path":"zone"}]`}
	require.NoError(t, s.AnswerVersion(ctx, start, yes))
	require.NoError(t, s.AnswerVersion(ctx, start, no))
	requireCode(t, store.CodeVersionUnanswered, s.DecideVersion(ctx, start, decision(two, true)))
	yes.At, no.At = start.Truncate(time.Microsecond), start.Truncate(time.Microsecond)
	answers, err := s.VersionAnswers(ctx, two)
	require.NoError(t, err)
	require.Equal(t, []*store.VersionAnswer{&yes, &no}, answers)
	require.NoError(t, s.DecideVersion(ctx, start, decision(two, false)))
	state(1, 0)

	// One that a person says is gone is not asked, and forgotten.
	three, err := s.Propose(ctx, start, proposal("a: 3", 1))
	require.NoError(t, err)
	yes.Number = three
	require.NoError(t, s.AnswerVersion(ctx, start, yes))
	require.NoError(t, s.DecideVersion(ctx, start.Add(time.Minute), decision(three, true, "bat02")))
	state(3, 0)
	require.NoError(t, s.Follow(ctx, start, store.Follower{Host: "bat01", PID: 1, Version: 3}))
	followers, err := s.Followers(ctx)
	require.NoError(t, err)
	require.Equal(t, []*store.Follower{{Host: "bat01", PID: 1, Version: 3, Since: start.Truncate(time.Microsecond)}}, followers)
	require.NoError(t, s.Unfollow(ctx, "bat01", 1))

	all, err := s.ConfigVersions(ctx, 0)
	require.NoError(t, err)
	want := proposal("a: 3", 1)
	want.Number, want.State = 3, store.VersionActive
	want.ProposedAt, want.DecidedAt = start.Truncate(time.Microsecond), start.Add(time.Minute).Truncate(time.Microsecond)
	require.Equal(t, &want, all[0])
	require.Equal(t, []store.VersionState{store.VersionActive, store.VersionRefused, store.VersionSuperseded},
		[]store.VersionState{all[0].State, all[1].State, all[2].State})
	commands, err := s.Commands(ctx, store.CommandFilter{Name: "config apply"})
	require.NoError(t, err)
	require.Len(t, commands, 3)
	require.Equal(t, []string{"version 2", `{"active":"1"}`, `{"refused":"2"}`}, []string{commands[1].Subject, commands[1].BeforeFields, commands[1].AfterFields})
	require.Equal(t, []string{"version 3", `{"active":"1"}`, `{"active":"3"}`}, []string{commands[2].Subject, commands[2].BeforeFields, commands[2].AfterFields})

	s = reopen(t, s)
	state(3, 0)
}

// testVersionsTogether: of many who propose at once one is heard, and of many
// who decide at once one decides.
func testVersionsTogether(t *testing.T, open Open) {
	s, ctx := open(t), t.Context()
	for round := range int64(5) {
		var wg sync.WaitGroup
		won := make(chan int64, 8)
		for n := range 8 {
			wg.Go(func() {
				p := proposal("x", round)
				p.Who = string(rune('a' + n))
				number, err := s.Propose(ctx, start, p)
				if err == nil {
					won <- number
					return
				}
				if fault.CodeOf(err) != store.CodeVersionPending {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		require.Len(t, won, 1)
		number := <-won
		require.Equal(t, round+1, number)
		decided := make(chan bool, 8)
		for range 8 {
			wg.Go(func() {
				err := s.DecideVersion(ctx, start, decision(number, true))
				if err == nil {
					decided <- true
				} else if fault.CodeOf(err) != store.CodeVersionDecided {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		require.Len(t, decided, 1)
	}
}

func testEnvironment(t *testing.T, open Open) {
	s := open(t)
	environment, err := s.Environment(t.Context())
	require.NoError(t, err)
	require.Empty(t, environment, "nobody has claimed it")
	options := s.OpenedWith()
	require.NoError(t, s.Close())
	as := func(environment string, server bool) (*store.Store, error) {
		options.Environment, options.Server = environment, server
		return store.Open(t.Context(), options)
	}

	s, err = as("production", true)
	require.NoError(t, err)
	require.NoError(t, s.Migrate(t.Context()))
	require.NoError(t, s.Close())
	for _, server := range []bool{true, false} {
		_, err = as("test", server)
		requireCode(t, store.CodeEnvironment, err)
		s, err = as("production", server)
		require.NoError(t, err)
		require.NoError(t, s.Close())
	}
}
