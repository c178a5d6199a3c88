package filemgr

import (
	"errors"
	"io"
)

// First reads the first n bytes of the file at path, or all that it has.
func First(path string, n int) ([]byte, error) {
	f, _, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	b := make([]byte, n)
	got, err := io.ReadFull(f, b)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, osFault(path, err)
	}
	return b[:got], nil
}
