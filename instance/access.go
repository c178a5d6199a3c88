package instance

import (
	"pabal/filemgr"
	"pabal/internal/place"
)

// Access says who may use what stands in each kind of directory. The zero value
// is that of place.Access.
type Access struct{ Work, Receive, Backup, Error, Result place.Access }

// makeDirs makes what is missing of the instance's directories.
func (i *Instance) makeDirs() error {
	staging := "" // else made when the first file is staged
	if i.o.InFiles {
		staging = filemgr.StagingDir(i.o.Dirs.Receive)
	}
	for _, d := range []struct {
		dir    string
		access place.Access
	}{{i.work, i.o.Access.Work}, {i.o.Dirs.Receive, i.o.Access.Receive}, {staging, i.o.Access.Receive}, {i.o.Dirs.Scan, place.Access{}}, {i.o.Result, i.o.Access.Result}} {
		if d.dir == "" {
			continue
		}
		if err := filemgr.MakeDirAs(d.dir, d.access); err != nil {
			return err
		}
	}
	return nil
}
