package simulator

import (
	"context"
	"net"

	"pabal/internal/secure"
)

// openKeepers reads the certificates. Errors are those of secure.Open.
func (p *Peer) openKeepers() (err error) {
	if c := p.opt.TLS; c != nil {
		if p.calling, err = secure.Open(c.Files); err != nil {
			return err
		}
	}
	if s := p.opt.Secure; s != nil {
		p.called, err = secure.Open(s.Files)
	}
	return err
}

// answer does our part of the handshake with a caller, if there is one.
func (p *Peer) answer(ctx context.Context, conn net.Conn) (net.Conn, error) {
	if p.called == nil {
		return conn, nil
	}
	return p.called.Answer(ctx, conn, *p.opt.Secure, secure.Terms{Who: conn.RemoteAddr().String()})
}

// secured does our part of the handshake with a server that we call. Its
// certificate must be for the host of address unless the options name another.
func (p *Peer) secured(ctx context.Context, conn net.Conn, address string) (net.Conn, error) {
	if p.calling == nil {
		return conn, nil
	}
	c := *p.opt.TLS
	if c.ServerName == "" {
		c.ServerName, _, _ = net.SplitHostPort(address)
	}
	return p.calling.Call(ctx, conn, c, secure.Terms{Who: address})
}
