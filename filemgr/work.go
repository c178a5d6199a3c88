package filemgr

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"pabal/internal/fault"
	"pabal/internal/place"
)

// idEnd stands between the transfer's ID and the file's name in the work
// directory. An ID never contains it.
const idEnd = "~"

// Claimed is a file in the work directory that is ours.
type Claimed struct {
	ID       string
	Name     string // as it was in the scan directory
	Path     string // in the work directory
	Identity string
	Size     int64
}

// Claim is ClaimAll of one file.
func Claim(r Ready, workDir, id string, access place.Access) (Claimed, error) {
	claimed, errs, err := ClaimAll([]Ready{r}, workDir, access, func() string { return id })
	if err != nil {
		return Claimed{}, err
	}
	if errs[0] != nil {
		return Claimed{}, errs[0]
	}
	return claimed[0], nil
}

// ClaimAll takes ready files for transfers, each under an id of its own: a file
// is renamed to <workDir>/<id>~<name>, which only one claimer can do, and only
// while it is still the file that the scan saw. Then the directories are synced,
// once for all, before ClaimAll returns, so a row that is written afterwards
// never names a file that a crash puts back. The flag files go last. A crash in
// between leaves files in the work directory, which WorkFiles finds.
//
// Access is what the files get; with Strict, one of somebody else that cannot get
// it stays where it is (CodeAccess).
//
// errs has a reason for each file that was not taken, at its place in ready.
// CodeVanished, CodeReplaced, CodeShrunk and CodeChanged mean that the file is
// left to the next scan. err is about the directories: nothing counts as taken.
func ClaimAll(ready []Ready, workDir string, access place.Access, id func() string) (claimed []Claimed, errs []error, err error) {
	errs = make([]error, len(ready))
	touched := make([]string, 0, len(ready))
	for n, r := range ready {
		c, err := take(r, workDir, id(), access)
		if errs[n] = err; err == nil {
			claimed = append(claimed, c)
			touched = append(touched, c.Path, r.Path)
		}
	}
	if err := place.SyncParents(touched...); err != nil {
		return nil, nil, dirFault(workDir, err)
	}
	kept := claimed[:0]
	next := 0
	for n, r := range ready {
		if errs[n] != nil {
			continue
		}
		c := claimed[next]
		next++
		if r.Flag != "" {
			if err := os.Remove(r.Flag); err != nil && !errors.Is(err, fs.ErrNotExist) {
				errs[n] = osFault(r.Flag, err)
				continue
			}
		}
		kept = append(kept, c)
	}
	return kept, errs, nil
}

// take renames one file into the work directory; nothing is synced.
func take(r Ready, workDir, id string, access place.Access) (Claimed, error) {
	if !validID(id) {
		return Claimed{}, fault.New(CodeBadID, id)
	}
	if err := stillSeen(r.Path, r); err != nil {
		return Claimed{}, err
	}
	to := filepath.Join(workDir, id+idEnd+r.Name)
	switch err := place.NoReplace(r.Path, to); {
	case err == nil:
	case errors.Is(err, fs.ErrExist):
		return Claimed{}, fault.New(CodeClaimTaken, to).Because(err)
	case errors.Is(err, fs.ErrNotExist):
		if derr := checkDir(workDir); derr != nil {
			return Claimed{}, derr.Because(err)
		}
		return Claimed{}, missingFault(r.Path, err)
	default:
		return Claimed{}, osFault(r.Path, err)
	}
	// From here on nobody opens it for writing any more. Who had it open before
	// still can write; that shows in its size and time when it has been read.
	if err := confirm(r, to, access.Adopt(to)); err != nil {
		return Claimed{}, err
	}
	return Claimed{ID: id, Name: r.Name, Path: to, Identity: r.Identity, Size: r.Size}, nil
}

// confirm looks again after the rename: between the first look and the rename
// another file can have taken the name. Then it goes back. Should its place be
// taken meanwhile, it stays where it is and WorkFiles finds it.
func confirm(r Ready, to string, adopted error) error {
	err := accessFault(to, adopted)
	if err == nil {
		err = stillSeen(to, r)
	}
	if err == nil {
		return nil
	}
	if back := place.NoReplace(to, r.Path); back != nil {
		return osFault(to, errors.Join(back, err))
	}
	return err
}

// stillSeen returns why the file at path is not the one that r saw.
func stillSeen(path string, r Ready) error {
	fi, err := os.Lstat(path)
	if err != nil {
		return missingFault(path, err)
	}
	if f := kindFault(path, fi); f != nil {
		return f
	}
	return compareIdentity(r.Path, r.Identity, r.Size, fi)
}

// compareIdentity says how a file differs from the identity that it had with
// the given size: another inode, smaller, or written to.
func compareIdentity(path, identity string, size int64, fi fs.FileInfo) error {
	now := identityOf(fi)
	if now == identity {
		return nil
	}
	code := CodeChanged
	switch {
	case inodeOf(now) != inodeOf(identity):
		code = CodeReplaced
	case fi.Size() < size:
		code = CodeShrunk
	}
	return fault.New(code, path, "was", size, "size", fi.Size())
}

// inodeOf cuts device and inode from an identity.
func inodeOf(identity string) string {
	parts := strings.SplitN(identity, ":", 3)
	return strings.Join(parts[:min(2, len(parts))], ":")
}

func validID(id string) bool {
	return id != "" && !strings.HasPrefix(id, ".") && !strings.ContainsAny(id, idEnd+"/\x00")
}

// WirePath is where the wire bytes of a transfer are kept that are not those of
// its work file. WorkFiles does not list it.
func WirePath(workDir, id string) string { return filepath.Join(workDir, id+".wire") }

// SyncWork makes the content of a work file durable that its writer may not
// have synced: from then on it is ours to keep.
func SyncWork(path string) error {
	f, _, err := openRegular(path)
	if err != nil {
		return err
	}
	return osFault(path, errors.Join(place.SyncData(f), f.Close()))
}

// WorkFiles lists the claimed files in an instance's work directory, by ID. One
// whose ID has no row was claimed before a crash and must be entered again.
// Other names, which we never make, are left alone and not listed.
func WorkFiles(workDir string) ([]Claimed, error) {
	entries, err := os.ReadDir(workDir)
	if err != nil {
		return nil, dirFault(workDir, err)
	}
	var files []Claimed
	for _, e := range entries {
		id, name, ok := strings.Cut(e.Name(), idEnd)
		if !ok || !validID(id) || name == "" {
			continue
		}
		fi, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, osFault(workDir, err)
		}
		if !fi.Mode().IsRegular() {
			continue
		}
		files = append(files, Claimed{ID: id, Name: name, Path: filepath.Join(workDir, e.Name()),
			Identity: identityOf(fi), Size: fi.Size()})
	}
	return files, nil
}
