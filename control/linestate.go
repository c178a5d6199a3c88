package control

import (
	"context"
	"time"

	"pabal/internal/fault"
	"pabal/internal/secure"
	"pabal/store"
)

// States of a certificate.
const (
	CertificateGood    = "good"
	CertificateSoon    = "expires_soon"
	CertificateExpired = "expired"
	CertificateUnused  = "not_used" // its file has changed and cannot be used; what was good before goes on
)

// Certificate is one that an instance shows to counterparties or trusts.
type Certificate struct {
	Instance  string     `json:"instance"`
	File      string     `json:"file"`
	CA        bool       `json:"ca"`
	Subject   string     `json:"subject,omitempty"`
	SHA256    string     `json:"sha256,omitempty"`
	NotBefore *time.Time `json:"not_before,omitempty"`
	NotAfter  *time.Time `json:"not_after,omitempty"`
	State     string     `json:"state"`
	Failure   *Failure   `json:"problem,omitempty"` // unless it is good
}

// Refused are callers from one address that an instance did not let in for one
// reason, since its process began.
type Refused struct {
	Instance string    `json:"instance"`
	Address  string    `json:"address"`
	Count    int64     `json:"count"`
	First    time.Time `json:"first"`
	Last     time.Time `json:"last"`
	Failure  Failure   `json:"reason"`
}

// lineState adds what an instance that runs tells of its lines.
func (c *Control) lineState(ctx context.Context, s *Status, i *store.Instance, state string) error {
	if state != InstanceRuns && state != InstanceSilent {
		return nil
	}
	told, err := c.s.LineState(ctx, i.ID)
	if err != nil {
		return err
	}
	if err := c.troubles(ctx, s, i, told.Troubles); err != nil {
		return err
	}
	for _, t := range told.Certificates {
		one := Certificate{Instance: i.ID, File: t.File, CA: t.CA, Subject: t.Subject, SHA256: t.SHA256,
			NotBefore: at(t.NotBefore), NotAfter: at(t.NotAfter), State: CertificateGood}
		e := fault.Noted(t.ErrorCode, t.ErrorDetail)
		if e != nil {
			one.State = CertificateUnused
		} else if e = (secure.Shown{File: t.File, Subject: t.Subject, NotAfter: t.NotAfter}).Warning(c.now()); e != nil {
			one.State = CertificateExpired
			if e.Code == secure.CodeExpiresSoon {
				one.State = CertificateSoon
			}
		}
		if e != nil {
			one.Failure = c.failure(string(e.Code), e.Detail())
		}
		s.Certificates = append(s.Certificates, one)
	}
	for _, r := range told.Refused {
		one := Refused{Instance: i.ID, Address: r.Address, Count: r.Count, First: r.First, Last: r.Last}
		if f := c.failure(r.Code, r.Detail); f != nil {
			one.Failure = *f
		}
		s.Refused = append(s.Refused, one)
	}
	return nil
}
