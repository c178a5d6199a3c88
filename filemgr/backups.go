package filemgr

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// BackedUp is a file in the backup directory, or in another that Refused and
// Placed list.
type BackedUp struct {
	Path string
	Name string    // that it was dropped under
	At   time.Time // when it was claimed, to the millisecond
	Size int64
}

// Backups lists the files in the backup directory beside the scan directory
// that were claimed at or after a time. Names that are not ours are left out.
func Backups(scanDir string, since time.Time, zone *time.Location) ([]BackedUp, error) {
	return dated(scanDir, backupDir, since, zone)
}

// Refused is Backups for the files in the error directory.
func Refused(scanDir string, since time.Time, zone *time.Location) ([]BackedUp, error) {
	return dated(scanDir, errorDir, since, zone)
}

// Placed lists the files in the receive directory that were changed at or after
// a time. Hidden ones are left out, and those that are being put together.
func Placed(receiveDir string, since time.Time) ([]BackedUp, error) {
	entries, err := os.ReadDir(receiveDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, dirFault(receiveDir, err)
	}
	var all []BackedUp
	for _, e := range entries {
		info, err := e.Info()
		if Ignored(e.Name()) || err != nil || !info.Mode().IsRegular() || info.ModTime().Before(since) {
			continue
		}
		all = append(all, BackedUp{Path: filepath.Join(receiveDir, e.Name()), Name: e.Name(), At: info.ModTime(), Size: info.Size()})
	}
	return all, nil
}

func dated(scanDir, kind string, since time.Time, zone *time.Location) ([]BackedUp, error) {
	root := filepath.Join(filepath.Dir(filepath.Clean(scanDir)), kind)
	days, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, dirFault(root, err)
	}
	first := since.In(zone).Format("20060102")
	var all []BackedUp
	for _, day := range days {
		if !day.IsDir() || day.Name() < first {
			continue
		}
		entries, err := os.ReadDir(filepath.Join(root, day.Name()))
		if err != nil {
			return nil, dirFault(root, err)
		}
		for _, e := range entries {
			b, ok := backedUp(e.Name(), zone)
			info, err := e.Info()
			if !ok || err != nil || !info.Mode().IsRegular() || b.At.Before(since.Truncate(time.Millisecond)) {
				continue
			}
			b.Path, b.Size = filepath.Join(root, day.Name(), e.Name()), info.Size()
			all = append(all, b)
		}
	}
	return all, nil
}

// backedUp reads the name of a backup: the name and 17 digits, and after a
// conflict of two such names the transfer's ID.
func backedUp(name string, zone *time.Location) (BackedUp, bool) {
	if at := strings.LastIndexByte(name, '-'); at > 17 && validID(name[at+1:]) {
		if b, ok := backedUp(name[:at], zone); ok {
			return b, true
		}
	}
	cut := len(name) - 17
	if cut <= 0 {
		return BackedUp{}, false
	}
	at, err := time.ParseInLocation("20060102150405.000", name[cut:cut+14]+"."+name[cut+14:], zone)
	return BackedUp{Name: name[:cut], At: at}, err == nil
}
