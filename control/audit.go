package control

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"pabal/internal/fault"
	"pabal/store"
	"pabal/transfer"
)

// Audited is one command as people and programs are shown it.
type Audited struct {
	ID       int64           `json:"id"`
	At       time.Time       `json:"at"`
	Command  string          `json:"command"`
	Subject  string          `json:"subject,omitempty"`
	Transfer string          `json:"transfer,omitempty"`
	Who      string          `json:"who"`
	Login    string          `json:"login,omitempty"`
	LoginBy  string          `json:"login_by,omitempty"`
	Host     string          `json:"host"`
	Reason   string          `json:"reason,omitempty"`
	Request  string          `json:"request,omitempty"`
	Approver string          `json:"approver,omitempty"`
	From     string          `json:"from,omitempty"`
	To       string          `json:"to,omitempty"`
	Before   json.RawMessage `json:"before,omitempty"`
	After    json.RawMessage `json:"after,omitempty"`
	person   transfer.Person
}

// Person is who gave the command, for people.
func (a *Audited) Person() string { return a.person.String() }

// Audit reads what people asked for.
func (c *Control) Audit(ctx context.Context, f store.CommandFilter) ([]*Audited, error) {
	rows, err := c.s.Commands(ctx, f)
	if err != nil {
		return nil, err
	}
	out := make([]*Audited, len(rows))
	for n, r := range rows {
		out[n] = &Audited{
			ID: r.ID, At: r.At, Command: r.Name, Subject: r.Subject, Transfer: r.TransferID,
			Who: r.Who, Login: r.Login, LoginBy: r.LoginBy, Host: r.Host, Reason: r.Reason, Request: r.RequestID, Approver: r.Approver,
			From: string(r.Before), To: string(r.After), Before: raw(r.BeforeFields), After: raw(r.AfterFields), person: r.By(),
		}
		if r.Name == abandon { // rows of before have the reason in English
			out[n].Reason = c.cat.Text(c.lang, "ui.audit.abandoned", fault.Args{"version": strings.TrimPrefix(r.Subject, "version ")})
		}
	}
	return out, nil
}
