package simulator

import (
	"bufio"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
)

// appendLine adds v to a journal: a file of JSON values, one to a line.
func appendLine(path string, v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
	if err != nil {
		return err
	}
	// The line end in front keeps a line that a crash cut off from spoiling
	// this one too.
	_, err = f.Write(append(append([]byte{'\n'}, line...), '\n'))
	return errors.Join(err, f.Close())
}

// readLines hands out the lines of a journal, of which there may be none yet.
func readLines(path string, take func(line []byte) error) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if len(lines.Bytes()) == 0 {
			continue
		}
		if err := take(lines.Bytes()); err != nil {
			return err
		}
	}
	return lines.Err()
}
