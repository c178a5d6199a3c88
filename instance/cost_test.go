package instance

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/internal/pgtest"
	"pabal/protocol"
	"pabal/protocol/machine"
	"pabal/store"
	"pabal/transfer"
)

// cost counts what is asked of a store.
type cost struct {
	mu   sync.Mutex
	is   asked
	line *pgtest.Cutter // to PostgreSQL; nil on SQLite
	anew []string
}

// anew is in a statement that SQLite prepares again for each new value: the
// condition of an index compares the same column with a constant.
var anew = regexp.MustCompile(`\b(id|status|institution|wire_name|owner|ask|direction|work_path|key_id) <> \$`)

// asked are commits, questions, writing statements, and on PostgreSQL how often
// the server is waited for.
type asked struct{ commits, reads, writes, rounds int }

// limits are how much something may cost on either engine.
type limits struct{ sqlite, postgres asked }

func (c *cost) hear(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if anew.MatchString(text) {
		c.anew = append(c.anew, text)
	}
	switch {
	case text == "COMMIT":
		c.is.commits++
	case strings.HasPrefix(text, "SELECT"):
		c.is.reads++
	case !strings.HasPrefix(text, "BEGIN"):
		c.is.writes++
	}
}

// most runs f, which may cost so much and not more.
func (c *cost) most(t *testing.T, what string, limit limits, f func()) {
	t.Helper()
	c.mu.Lock()
	c.is = asked{}
	c.mu.Unlock()
	most, before := limit.sqlite, 0
	if c.line != nil {
		most, before = limit.postgres, c.line.Rounds()
	}
	f()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.line != nil {
		c.is.rounds = c.line.Rounds() - before
	}
	require.Empty(t, c.anew, "%s: say IS DISTINCT FROM", what)
	require.LessOrEqual(t, c.is.commits, most.commits, "commits of %s", what)
	require.LessOrEqual(t, c.is.reads, most.reads, "questions of %s", what)
	require.LessOrEqual(t, c.is.writes, most.writes, "writing statements of %s", what)
	require.LessOrEqual(t, c.is.rounds, most.rounds, "ways to the server of %s", what)
}

// park is parkOn with a store that is heard.
func (c *cost) park(t *testing.T, on engine, role string) *parked {
	o := store.Options{Hear: c.hear}
	if on == postgres {
		c.line, o.URL = running.postgres.Cutter(t, on.url(t, t.TempDir()))
	}
	return parkOn(t, on, o, "cms", role, []file{rawForm("EB21")}, nil, eachItsName)
}

const manyFiles = 20

// eachItsName are names of which every file has its own.
func eachItsName(o *Options) {
	o.Files[0].WireName, o.Result = "EB21+${SEQ:4}", ""
	if o.Files[0].Direction == transfer.Receive {
		o.Files[0].ReceiveName = "${WIRE_NAME}"
	}
}

// TestCostOfSmallFiles counts what files of one block cost: stages that have many
// at once pay for all of them together, and a session pays what the order of
// commits and telegrams asks for (design D2, D5). The numbers are the lowest that
// were reached: who raises one says in docs/performance.md why. PostgreSQL has a
// question more for each transaction, by which it holds the owner's term.
func TestCostOfSmallFiles(t *testing.T) {
	t.Parallel()
	for _, on := range []engine{sqlite, sqliteFiles, postgres} {
		t.Run(string(on), func(t *testing.T) {
			t.Run("sending", func(t *testing.T) { costOfSending(t, on) })
			t.Run("receiving", func(t *testing.T) { costOfReceiving(t, on) })
		})
	}
}

func costOfSending(t *testing.T, on engine) {
	var c cost
	p := c.park(t, on, "institution")
	ctx := t.Context()
	for n := range manyFiles {
		name := fmt.Sprintf("EB21.EB21%04d.CENTRE.JOB", n+1)
		// Written in place, so that all settle together: of what was renamed in, the
		// scan takes at once what it sees that of, which is when the system's clock has
		// ticked between the writing and the renaming.
		require.NoError(t, os.WriteFile(p.path("scan", name), content(1000), 0o640))
	}
	sc := &scan{}
	_, err := sc.with(ctx, p.Instance).step(ctx) // sees that they are there
	require.NoError(t, err)
	p.pass(time.Minute)
	c.most(t, "scan", limits{asked{1, 1, 4, 0}, asked{1, 1, 4, 5}}, func() {
		_, err := sc.with(ctx, p.Instance).step(ctx)
		require.NoError(t, err)
	})
	c.most(t, "store", limits{asked{2, 3, 8, 0}, asked{2, 6, 8, 10}}, func() {
		_, err := p.storeStep(ctx)
		require.NoError(t, err)
	})
	s := p.session()
	c.most(t, "the first file of a session", limits{asked{1, 2, 2, 0}, asked{1, 4, 2, 3}}, func() {
		_, err := s.Next(ctx)
		require.NoError(t, err)
	})
	for n := range manyFiles {
		last := n == manyFiles-1
		limit := limits{asked{2, 3, 5, 0}, asked{2, 5, 5, 5}}
		if last { // it looks for more, and for what is to be asked about
			limit = limits{asked{2, 8, 5, 0}, asked{2, 7, 4, 7}}
		}
		c.most(t, "a sent file", limit, func() {
			if n > 0 {
				_, err := s.Next(ctx)
				require.NoError(t, err)
			}
			require.NoError(t, s.Load(ctx, 0, make([]byte, 1000)))
			more, err := s.Ending(ctx, 0)
			require.NoError(t, err)
			require.Equal(t, !last, more)
			require.NoError(t, s.Finish(ctx, machine.Outcome{Result: machine.ArrivedWhole}))
		})
	}
	c.most(t, "backup", limits{asked{2, 3, 4, 0}, asked{2, 3, 4, 7}}, func() {
		_, err := p.backupStep(ctx)
		require.NoError(t, err)
	})
}

func costOfReceiving(t *testing.T, on engine) {
	var c cost
	p := c.park(t, on, "centre")
	ctx := t.Context()
	s := p.session()
	for n := range manyFiles {
		p.pass(time.Millisecond) // two ids of one millisecond may be the same, and then it is announced again
		c.most(t, "a received file", limits{asked{3, 3, 6, 0}, asked{3, 8, 6, 8}}, func() {
			_, err := s.Accept(ctx, machine.Offer{Name: fmt.Sprintf("EB21%04d", n+1), Size: 1000})
			require.NoError(t, err)
			require.NotNil(t, s.incoming)
			b := transfer.Block{Number: 1, Lengths: []uint16{1000}, Payload: content(1000)}
			b.Held.Add(1)
			require.NoError(t, s.Save(ctx, &b, true))
			reason, err := s.Verify(ctx, machine.Claims{Declared: 1000, AtEnd: 1000, Blocks: 1, Sequences: 1})
			require.NoError(t, err)
			require.Equal(t, protocol.OK, reason)
		})
	}
	c.most(t, "assemble", limits{asked{3, 24, 9, 0}, asked{3, 28, 9, 33}}, func() {
		_, err := p.assembleStep(ctx)
		require.NoError(t, err)
	})
	all, err := p.s.List(ctx, store.Filter{Statuses: []transfer.Status{transfer.Assembled}})
	require.NoError(t, err)
	require.Len(t, all, manyFiles)
}
