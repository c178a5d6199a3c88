package instance

import (
	"cmp"
	"context"
	"reflect"
	"slices"
	"time"

	"pabal/store"
)

// lineStateEvery is how often certificates are looked at without a handshake,
// and what is known of callers is told.
const lineStateEvery = 3 * time.Second

// mostTold is how many refused callers are told to other processes.
const mostTold = 50

// lineStateStep reads certificates again whose files have changed, and writes
// what there is to tell of our lines if it is something new.
func (i *Instance) lineStateStep(ctx context.Context, last *store.LineState) (bool, error) {
	l := store.LineState{Since: last.Since, Refused: i.refused.list(mostTold)}
	var former store.LineState
	if last.Since.IsZero() {
		var err error
		if former, err = i.s.LineState(ctx, i.o.ID); err != nil {
			return false, err
		}
		i.troubles.remember(former.Troubles)
	}
	l.Troubles = i.troubles.list()
	if l.Since.IsZero() {
		l.Since = i.now()
	}
	for _, k := range i.keepers {
		shown, problem, news := k.Look()
		for _, c := range shown {
			l.Certificates = append(l.Certificates, store.Certificate{File: c.File, CA: c.CA, Subject: c.Subject, SHA256: c.Fingerprint,
				NotBefore: c.NotBefore, NotAfter: c.NotAfter})
		}
		if problem != nil {
			l.Certificates = append(l.Certificates, store.Certificate{File: problem.Subject, ErrorCode: string(problem.Code), ErrorDetail: detail(problem)})
		}
		switch {
		case problem != nil && k.Unsaid():
			i.log.Error("new certificate files cannot be used, the old ones go on", "code", problem.Code, "err", problem)
		case news && problem == nil:
			i.log.Info("certificate files were read again", "files", len(shown))
		}
	}
	slices.SortFunc(l.Certificates, compareCertificates)
	l.Certificates = slices.Compact(l.Certificates)
	if reflect.DeepEqual(l, *last) {
		return false, nil
	}
	if last.Since.IsZero() && former.Since.IsZero() && len(l.Certificates)+len(l.Refused)+len(l.Troubles) == 0 {
		*last = l // the first look, and nothing to tell: nothing is written
		return false, nil
	}
	if err := i.s.SetLineState(ctx, i.o.ID, i.term, l); err != nil {
		return false, err
	}
	*last = l
	return false, nil
}

func compareCertificates(a, b store.Certificate) int {
	return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.SHA256, b.SHA256), cmp.Compare(a.ErrorCode, b.ErrorCode))
}
