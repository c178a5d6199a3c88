package control

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/internal/catalog"
	"pabal/store"
)

// TestLineState: certificates with what is to be done about them, and callers
// with the reason in words; of who is dead nothing.
func TestLineState(t *testing.T) {
	d := newDesk(t, catalog.EN)
	const day = 24 * time.Hour
	certificate := func(file string, left time.Duration) store.Certificate {
		return store.Certificate{File: file, Subject: "CN=" + file, NotBefore: now.Add(-day), NotAfter: now.Add(left)}
	}
	require.NoError(t, d.s.SetLineState(t.Context(), "instance_A", d.term, store.LineState{Since: now,
		Certificates: []store.Certificate{certificate("good.pem", 300*day), certificate("soon.pem", 5*day), certificate("over.pem", -day),
			{File: "new.pem", ErrorCode: "secure.no_pem", ErrorDetail: `{"subject":"new.pem"}`}},
		Refused: []store.Refused{{Address: "192.0.2.1", Code: "instance.stranger", Detail: `{"subject":"192.0.2.1"}`, Count: 7, First: now, Last: now}},
	}))
	s, err := d.c.Status(t.Context(), now)
	require.NoError(t, err)
	states := map[string]string{}
	for _, c := range s.Certificates {
		states[c.File] = c.State
		require.Equal(t, c.State == CertificateGood, c.Failure == nil)
		require.Equal(t, "instance_A", c.Instance)
	}
	require.Equal(t, map[string]string{"good.pem": CertificateGood, "soon.pem": CertificateSoon, "over.pem": CertificateExpired, "new.pem": CertificateUnused}, states)
	require.Equal(t, "The certificate CN=soon.pem in soon.pem expires in 5 days (2026-03-25).", s.Certificates[1].Failure.Sentence)
	require.Len(t, s.Refused, 1)
	require.EqualValues(t, 7, s.Refused[0].Count)
	require.Equal(t, "A caller from 192.0.2.1 was not listened to: no institution that may call there has this address.", s.Refused[0].Failure.Sentence)

	require.NoError(t, d.s.End(t.Context(), now, "instance_A", d.term))
	s, err = d.c.Status(t.Context(), now)
	require.NoError(t, err)
	require.Empty(t, s.Certificates)
	require.Empty(t, s.Refused)
}
