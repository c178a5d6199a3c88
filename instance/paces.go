package instance

import (
	"sync"

	"pabal/internal/pace"
)

// paces has the pace of every institution that has one, for all its sessions in
// this process together. Its zero value has none.
type paces struct {
	mu sync.Mutex
	by map[string]*paced
}

type paced struct {
	*pace.Pacer
	perSecond int64
}

// of an institution; nil = as fast as can be. A number that has changed counts
// for the sessions that are open too.
func (p *paces) of(n *Institution) *pace.Pacer {
	p.mu.Lock()
	defer p.mu.Unlock()
	at, want := p.by[n.Code], n.Limits.Bandwidth
	switch {
	case at == nil && want <= 0:
		return nil
	case at == nil:
		if p.by == nil {
			p.by = map[string]*paced{}
		}
		at = &paced{pace.New(want), want}
		p.by[n.Code] = at
	case at.perSecond != want:
		at.Set(want)
		at.perSecond = want
	}
	return at.Pacer
}
