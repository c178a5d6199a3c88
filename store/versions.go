package store

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"pabal/internal/fault"
	"pabal/transfer"
)

// A version of the configuration is proposed, proven by every process that
// follows, and then decided: active everywhere, or refused everywhere
// (design D10). Of a version only its state ever changes.

// VersionState is where a version stands.
type VersionState string

// States of a version. There is at most one that is proposed and one that is active.
const (
	VersionProposed   VersionState = "proposed"
	VersionActive     VersionState = "active"
	VersionRefused    VersionState = "refused"
	VersionSuperseded VersionState = "superseded"
)

// ConfigVersion is one version of the shared part of the configuration.
type ConfigVersion struct {
	Number     int64
	State      VersionState
	Document   string // YAML with references to secrets, never their values
	Digest     string // of the document
	Base       int64  // the version that was active when this one was made
	Origin     string // apply, rollback, start, reload
	Source     string // the file, or the number of the version rolled back to
	Who        string // OS user
	Host       string // where the command ran
	Reason     string
	ProposedAt time.Time
	DecidedAt  time.Time
}

// VersionAnswer is what one process says of a proposal.
type VersionAnswer struct {
	Number   int64
	Host     string
	PID      int
	Accepted bool
	Problems string // JSON, written and read by who proposes and who proves
	At       time.Time
}

// Follower is a process that works by the configuration.
type Follower struct {
	Host    string
	PID     int
	Version int64 // the version that it works by, 0 = none yet
	Since   time.Time
}

func versionColumns(v *ConfigVersion) []column {
	return []column{
		{"number", &v.Number}, {"state", &v.State}, {"document", &v.Document}, {"digest", &v.Digest}, {"base", &v.Base},
		{"origin", &v.Origin}, {"source", &v.Source}, {"who", &v.Who}, {"host", &v.Host}, {"reason", &v.Reason},
		{"proposed_at", micros{&v.ProposedAt}}, {"decided_at", micros{&v.DecidedAt}},
	}
}

func answerColumns(a *VersionAnswer) []column {
	return []column{
		{"number", &a.Number}, {"host", &a.Host}, {"pid", &a.PID}, {"accepted", flag{&a.Accepted}},
		{"problems", &a.Problems}, {"at", micros{&a.At}},
	}
}

func followerColumns(f *Follower) []column {
	return []column{{"host", &f.Host}, {"pid", &f.PID}, {"version", &f.Version}, {"since", micros{&f.Since}}}
}

// Texts that are put together once from the columns above.
var (
	versionList   = strings.Join(names(versionColumns(new(ConfigVersion))), ", ")
	versionInsert = insertText("config_versions", names(versionColumns(new(ConfigVersion))))
	answerList    = strings.Join(names(answerColumns(new(VersionAnswer))), ", ")
	answerInsert  = insertText("config_answers", names(answerColumns(new(VersionAnswer)))) +
		" ON CONFLICT (number, host, pid) DO UPDATE SET accepted = excluded.accepted, problems = excluded.problems, at = excluded.at"
	followerList = strings.Join(names(followerColumns(new(Follower))), ", ")
)

// metaActive is the number of the active version. Whoever changes the state of
// a version locks its row.
const metaActive = "config_active"

// ConfigVersions reads the newest versions, latest first; limit 0 reads all.
func (s *Store) ConfigVersions(ctx context.Context, limit int) ([]*ConfigVersion, error) {
	var w where
	return list(ctx, s, w.query("SELECT "+versionList+" FROM config_versions", "number DESC", limit), nil, versionColumns)
}

// ConfigVersion reads one. Errors: CodeNoVersion.
func (s *Store) ConfigVersion(ctx context.Context, number int64) (*ConfigVersion, error) {
	v := new(ConfigVersion)
	ok, err := s.scan(ctx, refs(versionColumns(v)), "SELECT "+versionList+" FROM config_versions WHERE number = $1", number)
	if err == nil && !ok {
		err = fault.New(CodeNoVersion, strconv.FormatInt(number, 10))
	}
	if err != nil {
		return nil, err
	}
	return v, nil
}

// ConfigState is the number of the active version and of the one that is
// proposed, 0 for none. It is cheap: followers ask every second.
func (s *Store) ConfigState(ctx context.Context) (active, proposed int64, err error) {
	var text string
	ok, err := s.scan(ctx, []any{&text, &proposed}, `SELECT value,
		coalesce((SELECT max(number) FROM config_versions WHERE state = 'proposed'), 0) FROM meta WHERE name = $1`, metaActive)
	if err != nil || !ok {
		return 0, 0, err
	}
	active, err = strconv.ParseInt(text, 10, 64)
	return active, proposed, err
}

// lockActive reads the number of the active version and keeps everybody else
// from changing a state until the transaction ends.
func (t *tx) lockActive() (int64, error) {
	var text string
	if _, err := t.scan([]any{&text}, "SELECT value FROM meta WHERE name = $1"+t.dialect.lockRow, metaActive); err != nil {
		return 0, err
	}
	return strconv.ParseInt(text, 10, 64)
}

func (t *tx) proposed() (*ConfigVersion, error) {
	v := new(ConfigVersion)
	ok, err := t.scan(refs(versionColumns(v)), "SELECT "+versionList+" FROM config_versions WHERE state = $1", VersionProposed)
	if err != nil || !ok {
		return nil, err
	}
	return v, nil
}

// Propose writes a new version that nobody uses yet and returns its number.
// v.Base must be the version that its author has seen as the active one.
// A proposal that gives no number is lost with its author: who comes later may
// refuse it, see DecideVersion.
// Errors: CodeVersionPending (args who, host) when another is being decided,
// CodeVersionOvertaken (arg base) when another one became active meanwhile.
func (s *Store) Propose(ctx context.Context, now time.Time, v ConfigVersion) (int64, error) {
	v.State, v.ProposedAt, v.DecidedAt = VersionProposed, now, time.Time{}
	err := s.write(ctx, int64(len(v.Document)), func(tx *tx) error {
		active, err := tx.lockActive()
		if err != nil {
			return err
		}
		other, err := tx.proposed()
		if err != nil {
			return err
		}
		if other != nil {
			if tx.again && other.Digest == v.Digest && other.Who == v.Who && other.Host == v.Host && toMicros(other.ProposedAt) == toMicros(now) {
				v.Number = other.Number // it was committed after all
				return nil
			}
			return fault.New(CodeVersionPending, strconv.FormatInt(other.Number, 10), "who", other.Who, "host", other.Host)
		}
		if active != v.Base {
			return fault.New(CodeVersionOvertaken, strconv.FormatInt(active, 10), "base", v.Base)
		}
		if _, err := tx.scan([]any{&v.Number}, "SELECT coalesce(max(number), 0) + 1 FROM config_versions"); err != nil {
			return err
		}
		tx.work = true // followers are to look at once
		_, err = tx.exec(versionInsert, refs(versionColumns(&v))...)
		return err
	})
	return v.Number, err
}

// AnswerVersion writes what a process says of a proposal. A later answer of
// the same process replaces an earlier one.
func (s *Store) AnswerVersion(ctx context.Context, now time.Time, a VersionAnswer) error {
	a.At = now
	return s.write(ctx, 0, func(tx *tx) error {
		_, err := tx.exec(answerInsert, refs(answerColumns(&a))...)
		return err
	})
}

// VersionAnswers reads what was said of a version, by host.
func (s *Store) VersionAnswers(ctx context.Context, number int64) ([]*VersionAnswer, error) {
	return list(ctx, s, "SELECT "+answerList+" FROM config_answers WHERE number = $1 ORDER BY host, pid", []any{number}, answerColumns)
}

// Decision ends a proposal.
type Decision struct {
	Number int64
	Active bool // or refused
	// Without are hosts that a person says are gone: nothing is asked of them,
	// and their processes are forgotten.
	Without []string
	// Audit is written to the table of commands with the number of the
	// version that was active before and is after.
	Audit transfer.Command
}

// DecideVersion makes a proposal the active version for everybody, in one
// transaction, or refuses it. It becomes active only if every process that
// follows at that moment has accepted it.
// Errors: CodeNoVersion, CodeVersionDecided (arg state) when somebody else has
// decided it, CodeVersionUnanswered (arg hosts).
func (s *Store) DecideVersion(ctx context.Context, now time.Time, d Decision) error {
	number := strconv.FormatInt(d.Number, 10)
	return s.write(ctx, 0, func(tx *tx) error {
		before, err := tx.lockActive()
		if err != nil {
			return err
		}
		var state VersionState
		ok, err := tx.scan([]any{&state}, "SELECT state FROM config_versions WHERE number = $1", d.Number)
		want := VersionRefused
		if d.Active {
			want = VersionActive
		}
		switch {
		case err != nil:
			return err
		case !ok:
			return fault.New(CodeNoVersion, number)
		case tx.again && state == want:
			return nil // it was committed after all
		case state != VersionProposed:
			return fault.New(CodeVersionDecided, number, "state", state)
		}
		for _, host := range d.Without {
			if _, err := tx.exec("DELETE FROM config_followers WHERE host = $1", host); err != nil {
				return err
			}
		}
		audit := d.Audit
		audit.At, audit.Subject = now, "version "+number
		audit.BeforeFields = detail("active", strconv.FormatInt(before, 10))
		audit.AfterFields = detail("active", number)
		tx.work = true
		if !d.Active {
			audit.AfterFields = detail("refused", number)
		} else if err := tx.activate(now, d.Number); err != nil {
			return err
		}
		if _, err := tx.exec("UPDATE config_versions SET state = $1, decided_at = $2 WHERE number = $3", want, toMicros(now), d.Number); err != nil {
			return err
		}
		return tx.command(&audit)
	})
}

func (t *tx) activate(now time.Time, number int64) error {
	rows, err := t.query(`SELECT DISTINCT f.host FROM config_followers f LEFT JOIN config_answers a
		ON a.number = $1 AND a.host = f.host AND a.pid = f.pid AND a.accepted = 1 WHERE a.number IS NULL`, number)
	if err != nil {
		return err
	}
	type one struct{ host string }
	open, err := readResult(rows, func(o *one) []column { return []column{{"host", &o.host}} })
	if err != nil {
		return err
	}
	if len(open) > 0 {
		var hosts []string
		for _, o := range open {
			hosts = append(hosts, o.host)
		}
		slices.Sort(hosts)
		return fault.New(CodeVersionUnanswered, strconv.FormatInt(number, 10), "hosts", strings.Join(hosts, ", "))
	}
	if _, err := t.exec("UPDATE config_versions SET state = $1, decided_at = $2 WHERE state = $3", VersionSuperseded, toMicros(now), VersionActive); err != nil {
		return err
	}
	_, err = t.exec("UPDATE meta SET value = $1 WHERE name = $2", strconv.FormatInt(number, 10), metaActive)
	return err
}

// Follow registers a process that works by the configuration, with the version
// that it works by. From then on no proposal becomes active without it. gone
// are processes of the same host that do not exist any more.
func (s *Store) Follow(ctx context.Context, now time.Time, f Follower, gone ...int) error {
	f.Since = now
	return s.write(ctx, 0, func(tx *tx) error {
		// Not between somebody's count of answers and what he decides by it.
		if _, err := tx.lockActive(); err != nil {
			return err
		}
		for _, pid := range gone {
			if _, err := tx.exec("DELETE FROM config_followers WHERE host = $1 AND pid = $2", f.Host, pid); err != nil {
				return err
			}
		}
		_, err := tx.exec(insertText("config_followers", names(followerColumns(&f)))+
			" ON CONFLICT (host, pid) DO UPDATE SET version = excluded.version, since = excluded.since", refs(followerColumns(&f))...)
		return err
	})
}

// Unfollow is the end of Follow.
func (s *Store) Unfollow(ctx context.Context, host string, pid int) error {
	return s.write(ctx, 0, func(tx *tx) error {
		_, err := tx.exec("DELETE FROM config_followers WHERE host = $1 AND pid = $2", host, pid)
		return err
	})
}

// Followers reads the processes that work by the configuration. Of those that
// were killed the rows stay.
func (s *Store) Followers(ctx context.Context) ([]*Follower, error) {
	return list(ctx, s, "SELECT "+followerList+" FROM config_followers ORDER BY host, pid", nil, followerColumns)
}
