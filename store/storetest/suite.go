// Package storetest is the conformance suite of package store: what every
// engine must do, and the contract of the payload keeper. An engine's own
// tests are beside the engine.
package storetest

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
	"pabal/store"
	"pabal/transfer"
)

// Open gives a new, empty, migrated database, opened as the server process.
type Open func(t *testing.T) *store.Store

// Run runs the suite. The tests re-execute the test binary, whose TestMain
// must call Child first.
func Run(t *testing.T, open Open) {
	tests := []struct {
		name string
		run  func(*testing.T, Open)
	}{
		{"Create", testCreate},
		{"CreateWithID", testCreateWithID},
		{"CreateFenced", testCreateFenced},
		{"CreateAnnounced", testCreateAnnounced},
		{"Text", testText},
		{"EveryFieldReturns", testEveryField},
		{"Find", testFind},
		{"List", testList},
		{"FindSame", testFindSame},
		{"LegalMoves", testLegalMoves},
		{"IllegalMoves", testIllegalMoves},
		{"ChangeFails", testChangeFails},
		{"ChangeForbidden", testForbidden},
		{"ChangeEvents", testChangeEvents},
		{"ChangeAll", testChangeAll},
		{"EditBeside", testEditBeside},
		{"EditTerm", testEditTerm},
		{"ChangeAndClaim", testChangeAndClaim},
		{"CreateAll", testCreateAll},
		{"Fencing", testFencing},
		{"FencingByTerm", testFencingByTerm},
		{"Claim", testClaim},
		{"ClaimFilters", testClaimFilters},
		{"ClaimInPlace", testClaimInPlace},
		{"ClaimFinal", testClaimFinal},
		{"ClaimExclusive", testClaimExclusive},
		{"Command", testCommand},
		{"CommandFences", testCommandFences},
		{"Requests", testRequests},
		{"EventsTogether", testEventsTogether},
		{"Quarantine", testQuarantine},
		{"TakeOver", testTakeOver},
		{"BackedUp", testBackedUp},
		{"Beside", testBeside},
		{"Purge", testPurge},
		{"PurgeKill", testPurgeKill},
		{"PurgeKillFiles", testPurgeKillFiles},
		{"PurgeSteps", testPurgeSteps},
		{"PurgeTogether", testPurgeTogether},
		{"Expire", testExpire},
		{"Turn", testTurn},
		{"Orphans", testOrphans},
		{"Lease", testLease},
		{"Bury", testBury},
		{"Lines", testLines},
		{"LineNewest", testLineNewest},
		{"SessionCalledOver", testSessionCalledOver},
		{"LineOfTheDead", testLineOfTheDead},
		{"LineRace", testLineRace},
		{"SessionEnded", testSessionEnded},
		{"Terms", testTerms},
		{"Sessions", testSessions},
		{"LineState", testLineState},
		{"Settings", testSettings},
		{"Versions", testVersions},
		{"VersionsTogether", testVersionsTogether},
		{"Environment", testEnvironment},
		{"FailuresAreAlone", testFailuresAlone},
		{"Cancelled", testCancelled},
		{"Panic", testPanic},
		{"Reopen", testReopen},
		{"Kill", testKill},
		{"OperatorBesideServer", testOperator},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(t, open) })
	}
	t.Run("Keeper", func(t *testing.T) { Keeper(t, open) })
}

// start is the time of the tests; the store reads no clock.
var start = time.Date(2026, 3, 20, 1, 2, 3, 456789000, time.UTC)

// begin opens a store and starts the term of instance "one".
func begin(t *testing.T, open Open) (*store.Store, int64) {
	s := open(t)
	term, err := s.Begin(t.Context(), start, "one", "host", 1)
	require.NoError(t, err)
	return s, term
}

// create makes a transfer in a status; f fills in what the test needs.
func create(t *testing.T, s *store.Store, d transfer.Direction, status transfer.Status, f ...func(*transfer.Transfer)) *transfer.Transfer {
	t.Helper()
	row := &transfer.Transfer{Direction: d, Status: status, Institution: "0990001", Job: "CMS", FileID: "EB21",
		WireName: "EB210320", BaseDate: "20260320", DataSize: 100, PerBlock: 10}
	for _, f := range f {
		f(row)
	}
	require.NoError(t, s.Create(t.Context(), start, row))
	return row
}

// held makes a transfer that instance "one" holds.
func held(t *testing.T, s *store.Store, term int64, d transfer.Direction, status transfer.Status, f ...func(*transfer.Transfer)) *transfer.Transfer {
	t.Helper()
	return create(t, s, d, status, append(f, func(row *transfer.Transfer) {
		row.Owner, row.Term, row.Attempt = "one", term, 1
	})...)
}

func to(status transfer.Status) func(*transfer.Transfer) error {
	return func(t *transfer.Transfer) error { t.Status = status; return nil }
}

func read(t *testing.T, s *store.Store, id string) *transfer.Transfer {
	t.Helper()
	row, err := s.Transfer(t.Context(), id)
	require.NoError(t, err)
	return row
}

func events(t *testing.T, s *store.Store, id string) []*transfer.Event {
	t.Helper()
	all, err := s.Events(t.Context(), store.EventFilter{TransferID: id})
	require.NoError(t, err)
	return all
}

func requireCode(t *testing.T, code fault.Code, err error) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, code, fault.CodeOf(err), "%v", err)
}

// reopen closes a store and opens its database again.
func reopen(t *testing.T, s *store.Store) *store.Store {
	t.Helper()
	require.NoError(t, s.Close())
	return openAgain(t, s.OpenedWith(), true)
}

func openAgain(t *testing.T, o store.Options, server bool) *store.Store {
	t.Helper()
	s, err := store.Open(context.WithoutCancel(t.Context()), store.Options{URL: o.URL, Keys: o.Keys, Server: server})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}
