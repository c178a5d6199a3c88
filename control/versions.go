package control

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"pabal/internal/fault"
	"pabal/store"
)

// Said is a problem of a configuration as a host tells it to the others.
type Said struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Path   string `json:"path,omitempty"`
	Code   string `json:"code"`
	Detail string `json:"detail,omitempty"` // see fault.Noted
}

// SaidOf is a problem and where it stands.
func SaidOf(p fault.Problem, file string, line, column int) Said {
	return Said{File: file, Line: line, Column: column, Path: p.Path, Code: string(p.Err.Code), Detail: p.Err.Detail()}
}

// Fault is what was said, for its sentence.
func (s Said) Fault() *fault.Error { return fault.Noted(s.Code, s.Detail) }

// DocumentName is what hosts call the document of a version in problems.
func DocumentName(number int64) string { return "version " + strconv.FormatInt(number, 10) }

// abandon is the command that ends a proposal which nobody decided: whoever made
// it has died. Audit has the words for why.
const abandon = "config abandon"

// Proposal is a new version of the configuration.
type Proposal struct {
	Document string
	Digest   string
	Origin   string // apply, rollback, start, reload
	Source   string // the file, or the version rolled back to
	Place    string // host of the one who proposes, as its configuration calls it
	Base     int64  // the version that is to be replaced, as its author knows it
	// Without are hosts that a person says are gone.
	Without []string
	// Wait is how long hosts may take to answer, and then to use it.
	Wait time.Duration
}

// Answer is what one host said of a proposal.
type Answer struct {
	Host     string `json:"host"`
	PID      int    `json:"pid"`
	Accepted bool   `json:"accepted"`
	Problems []Said `json:"problems,omitempty"`
}

// Verdict is what became of a proposal.
type Verdict struct {
	Number  int64    `json:"version"`
	Active  bool     `json:"active"`
	Answers []Answer `json:"answers"`
	Silent  []string `json:"silent,omitempty"` // hosts that did not answer in time
	Late    []string `json:"late,omitempty"`   // hosts that do not use it yet, though they agreed
}

// Origins of versions.
const (
	OriginApply    = "apply"
	OriginRollback = "rollback"
	OriginStart    = "start"
	OriginReload   = "reload"
)

// versionPoll is how often the answers are looked at.
const versionPoll = 100 * time.Millisecond

// Apply proposes a version, hears what every running host says of it, and makes
// it active for all of them or for none (design D10). The caller has proven it
// against its own host. A verdict that is not active is no error; it says who
// refused and why. A process that dies in here leaves a proposal that nobody
// uses; the next Apply refuses it when it has stood still for p.Wait.
// Errors: store.CodeVersionOvertaken, store.CodeVersionDecided,
// CodeReasonMissing, those of the store.
func (c *Control) Apply(ctx context.Context, p Proposal, by Actor) (*Verdict, error) {
	if err := by.justified("config " + p.Origin); err != nil {
		return nil, err
	}
	number, err := c.propose(ctx, p, by)
	if err != nil {
		return nil, err
	}
	v, err := c.hear(ctx, number, p)
	decision := store.Decision{Number: number, Active: err == nil && len(v.Silent) == 0, Without: p.Without, Audit: by.Command("config " + p.Origin)}
	if err == nil {
		for _, a := range v.Answers {
			decision.Active = decision.Active && a.Accepted
		}
	}
	// Also one that was interrupted is decided: it must not stand in the way.
	if derr := c.s.DecideVersion(context.WithoutCancel(ctx), c.now().UTC(), decision); err == nil {
		err = derr
	}
	if err != nil {
		return nil, err
	}
	if v.Active = decision.Active; v.Active {
		err = c.taken(ctx, v, p.Wait)
	}
	return v, err
}

func (c *Control) propose(ctx context.Context, p Proposal, by Actor) (int64, error) {
	version := store.ConfigVersion{Document: p.Document, Digest: p.Digest, Base: p.Base, Origin: p.Origin, Source: p.Source,
		Who: by.person().User(), Host: p.Place, Reason: strings.TrimSpace(by.Reason)}
	for {
		number, err := c.s.Propose(ctx, c.now().UTC(), version)
		if fault.CodeOf(err) != store.CodeVersionPending {
			return number, err
		}
		pending, perr := strconv.ParseInt(fault.As(err).Subject, 10, 64)
		if perr != nil {
			return 0, err
		}
		decided, werr := c.until(ctx, p.Wait, func() (bool, error) {
			_, open, err := c.s.ConfigState(ctx)
			return open != pending, err
		})
		if werr != nil {
			return 0, werr
		}
		if decided {
			continue
		}
		// Whoever proposed it has died: by our own clock nothing has moved.
		audit := by.Command(abandon)
		audit.Reason = "" // that of by is why the next one comes
		err = c.s.DecideVersion(ctx, c.now().UTC(), store.Decision{Number: pending, Audit: audit})
		if err != nil && fault.CodeOf(err) != store.CodeVersionDecided {
			return 0, err
		}
	}
}

// hear waits until everybody who follows has answered.
func (c *Control) hear(ctx context.Context, number int64, p Proposal) (*Verdict, error) {
	v := &Verdict{Number: number}
	_, err := c.until(ctx, p.Wait, func() (bool, error) {
		followers, err := c.s.Followers(ctx)
		if err != nil {
			return false, err
		}
		answers, err := c.s.VersionAnswers(ctx, number)
		if err != nil {
			return false, err
		}
		v.Answers, v.Silent = nil, nil
		for _, f := range followers {
			if slices.Contains(p.Without, f.Host) {
				continue
			}
			n := slices.IndexFunc(answers, func(a *store.VersionAnswer) bool { return a.Host == f.Host && a.PID == f.PID })
			if n < 0 {
				v.Silent = append(v.Silent, f.Host)
				continue
			}
			v.Answers = append(v.Answers, answerOf(answers[n]))
		}
		return len(v.Silent) == 0, nil
	})
	return v, err
}

func answerOf(a *store.VersionAnswer) Answer {
	out := Answer{Host: a.Host, PID: a.PID, Accepted: a.Accepted}
	_ = json.Unmarshal([]byte(a.Problems), &out.Problems) // of a newer program: the refusal counts all the same
	return out
}

// taken waits until everybody works by the version.
func (c *Control) taken(ctx context.Context, v *Verdict, wait time.Duration) error {
	_, err := c.until(ctx, wait, func() (bool, error) {
		followers, err := c.s.Followers(ctx)
		v.Late = nil
		for _, f := range followers {
			if f.Version != v.Number {
				v.Late = append(v.Late, f.Host)
			}
		}
		return len(v.Late) == 0, err
	})
	return err
}

// until asks f until it is true or the time is over. It is measured here: the
// clocks of hosts are never compared.
func (c *Control) until(ctx context.Context, wait time.Duration, f func() (bool, error)) (bool, error) {
	limit := time.NewTimer(wait)
	defer limit.Stop()
	again := time.NewTicker(versionPoll)
	defer again.Stop()
	for {
		if done, err := f(); done || err != nil {
			return done, err
		}
		select {
		case <-again.C:
		case <-limit.C:
			return false, nil
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

// Version is one version as it is shown.
type Version struct {
	Number   int64      `json:"version"`
	State    string     `json:"state"`
	Digest   string     `json:"digest"`
	Base     int64      `json:"base"`
	Origin   string     `json:"origin"`
	Source   string     `json:"source"`
	Who      string     `json:"who"`
	Host     string     `json:"host"`
	Reason   string     `json:"reason"`
	Proposed time.Time  `json:"proposed"`
	Decided  *time.Time `json:"decided,omitempty"`
	Answers  []Answer   `json:"answers,omitempty"`
}

// Versions reads the newest versions, latest first, with what hosts said of
// those that were refused.
func (c *Control) Versions(ctx context.Context, limit int) ([]*Version, error) {
	rows, err := c.s.ConfigVersions(ctx, limit)
	if err != nil {
		return nil, err
	}
	out := make([]*Version, len(rows))
	for n, r := range rows {
		out[n] = &Version{Number: r.Number, State: string(r.State), Digest: r.Digest, Base: r.Base, Origin: r.Origin, Source: r.Source,
			Who: r.Who, Host: r.Host, Reason: r.Reason, Proposed: r.ProposedAt, Decided: at(r.DecidedAt)}
		if r.State != store.VersionRefused {
			continue
		}
		answers, err := c.s.VersionAnswers(ctx, r.Number)
		if err != nil {
			return nil, err
		}
		for _, a := range answers {
			out[n].Answers = append(out[n].Answers, answerOf(a))
		}
	}
	return out, nil
}

// Document reads the document of a version, 0 = the active one; nil if there
// is no active one. It may hold passwords that were written out: who shows it
// masks it.
func (c *Control) Document(ctx context.Context, number int64) (*store.ConfigVersion, error) {
	if number == 0 {
		active, _, err := c.s.ConfigState(ctx)
		if err != nil || active == 0 {
			return nil, err
		}
		number = active
	}
	return c.s.ConfigVersion(ctx, number)
}

// Using are the processes that work by the configuration, with the version of each.
func (c *Control) Using(ctx context.Context) ([]*store.Follower, error) { return c.s.Followers(ctx) }
