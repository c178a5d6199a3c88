//go:build !linux

package place

import "os"

// SyncData makes the content of the open file durable.
func SyncData(f *os.File) error { return f.Sync() }
