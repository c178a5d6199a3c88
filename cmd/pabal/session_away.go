package main

import (
	"slices"
	"strings"
	"time"

	"pabal/internal/fault"
	"pabal/protocol/sessionlog"
)

// turnedAway is a caller that was not let in, as programs read it.
type turnedAway struct {
	At       string   `json:"at"`
	Peer     string   `json:"peer"`
	Profile  string   `json:"profile,omitempty"`
	Instance string   `json:"instance"`
	Host     string   `json:"host"`
	Failure  *failure `json:"error,omitempty"`
	Before   int      `json:"before,omitempty"` // others before it that were not written down
	Log      string   `json:"log"`              // for session show

	at time.Time
}

// turnedAwayList lists those of this host: each has its own logs.
func (a *app) turnedAwayList(q asking, f sessionListFlags) error {
	for flag, given := range map[string]bool{"--institution": f.institution != "", "--failed": f.failed, "--open": f.open} {
		if given {
			return usageError{fault.New(codeFlagsExclude, "--turned-away", "other", flag)}
		}
	}
	var list []*turnedAway
	err := sessionlog.TurnedAway(q.logs, q.since, func(log string, r *sessionlog.Record) error {
		one := &turnedAway{At: r.Time().Format(time.RFC3339Nano), Peer: r.Peer, Profile: r.Profile, Instance: r.Instance, Host: r.Host,
			Before: r.Count, Log: log, at: r.Time()}
		if e := fault.Noted(r.Code, r.Detail); e != nil {
			why := a.failure(e)
			one.Failure = &why
		}
		list = append(list, one)
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortStableFunc(list, func(x, y *turnedAway) int { return y.at.Compare(x.at) })
	return listing[*turnedAway]{limits: f.limits, none: "ui.session.away_none",
		columns: []string{"time", "peer", "log", "reason"},
		row: func(one *turnedAway) []string {
			why := ""
			if one.Failure != nil {
				why = strings.TrimSpace(one.Failure.Sentence) + " [" + one.Failure.Code + "]"
			}
			return []string{clock(one.at.In(q.zone), q.now), "← " + one.Peer, one.Log, why}
		}}.print(a, list)
}
