//go:build !linux

package main

import (
	"errors"
	"io/fs"
	"time"
)

func roomOf(string) (room, error) { return room{}, errors.ErrUnsupported }

func arrived(info fs.FileInfo) time.Time { return info.ModTime().UTC() }
