//go:build !linux

package store

// networkFileSystem cannot tell here; production hosts run Linux.
func networkFileSystem(string) (string, error) { return "", nil }
