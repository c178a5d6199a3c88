//go:build !linux

package needs

// Memory does nothing here.
func Memory() {}
