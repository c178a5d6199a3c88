// Package loopback finds addresses of this machine for servers that are started by
// somebody who must know the address before: a demonstration, a test.
package loopback

import (
	"fmt"
	"net"
	"os"
	"sync/atomic"
)

// Addresses gives away addresses of this machine. A process has one.
type Addresses struct{ given atomic.Int64 }

// Free is an address of loopback where nobody listens, nor will while the server
// that is to be there is down: it is below the ports that the system gives to
// who asks for any or calls somebody, and nobody gets the same from here.
func (a *Addresses) Free() (string, error) {
	const low, ports = 10_000, 20_000
	for {
		// Another process begins elsewhere.
		n := a.given.Add(1)
		address := fmt.Sprintf("127.0.0.1:%d", low+(int64(os.Getpid())*61+n)%ports)
		l, err := net.Listen("tcp", address)
		if err == nil {
			return address, l.Close()
		}
		if n > ports {
			return "", err
		}
	}
}
