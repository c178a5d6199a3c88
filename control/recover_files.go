package control

import (
	"cmp"
	"path/filepath"
	"strings"
	"time"

	"pabal/filemgr"
	"pabal/store"
	"pabal/store/journal"
	"pabal/transfer"
)

// onDisk are the files of this place that tell of transfers.
type onDisk struct {
	backups, refused, received []filemgr.BackedUp
	paths                      map[string]bool // that some transfer explains
	names                      map[string]bool // of refused files that one does
}

// files lists what stands in backup/, error/ and the receive directory since
// the journal begins. What may have been forgotten as too old is left out.
func (r *Recovery) files(from, forgotten time.Time) (*onDisk, error) {
	if from.Before(forgotten) {
		from = forgotten
	}
	d := &onDisk{paths: map[string]bool{}, names: map[string]bool{}}
	var err error
	if d.backups, err = filemgr.Backups(r.Scan, from, r.Zone); err != nil {
		return nil, err
	}
	if d.refused, err = filemgr.Refused(r.Scan, from, r.Zone); err != nil {
		return nil, err
	}
	if r.Receive != "" {
		d.received, err = filemgr.Placed(r.Receive, from)
	}
	return d, err
}

// explain notes whose the files of a transfer are.
func (d *onDisk) explain(row *transfer.Transfer, known *journal.Known) {
	if row != nil {
		d.paths[row.BackupPath], d.paths[row.FinalPath], d.paths[row.ErrorPath] = true, true, true
		d.names[row.Name] = d.names[row.Name] || row.Status == transfer.Refused
	}
	if known != nil {
		d.paths[known.Row.BackupPath], d.paths[known.Row.FinalPath] = true, true
		d.names[known.Row.Name] = d.names[known.Row.Name] || known.Status == transfer.Refused
	}
}

// backupOf finds the backup of a file of which only a session log knows: of
// that name, claimed last before it was carried. It is explained by that.
func (d *onDisk) backupOf(name string, carried time.Time) string {
	path := ""
	for _, b := range d.backups { // by day, and within it by time for one name
		if b.Name == name && !b.At.After(carried) && !d.paths[b.Path] {
			path = b.Path
		}
	}
	d.paths[path] = true
	return path
}

// unexplained are findings about files that nothing tells of. Backups are to
// be entered: they were taken to be sent. The others are for a person to know of.
func (d *onDisk) unexplained() (out []*Finding) {
	found := func(kind string, direction transfer.Direction, b filemgr.BackedUp) *Finding {
		f := &Finding{ID: store.NewID(b.At), Kind: kind, Name: b.Name, Direction: string(direction), Path: b.Path, Size: b.Size, At: b.At}
		out = append(out, f)
		return f
	}
	for _, b := range d.backups {
		if !d.paths[b.Path] {
			f := found(FoundBackup, transfer.Send, b)
			f.Proposal, f.Becomes = ProposeEnter, transfer.Held
		}
	}
	for _, b := range d.refused {
		if !d.paths[b.Path] && !d.names[b.Name] {
			found(FoundError, transfer.Send, b)
		}
	}
	for _, b := range d.received {
		flagged := strings.TrimSuffix(b.Path, filepath.Ext(b.Path)) // a flag file has the name of its file
		if !d.paths[b.Path] && !d.paths[flagged] {
			found(FoundReceived, transfer.Receive, b)
		}
	}
	return out
}

// judgeContent looks whether the file is there in which content is kept that
// is still needed (design D3, keeper "files").
func (f *Finding) judgeContent(row *transfer.Transfer, exists func(string) bool) {
	if row == nil || row.PayloadIn == "" || row.HeldFrom == "" || !row.ReleasedAt.IsZero() {
		return
	}
	file := exists(row.WorkPath) || exists(row.BackupPath)
	kept := exists(row.PayloadIn)
	if row.PayloadIn == transfer.InFile {
		kept = file || row.Direction == transfer.Receive && exists(row.FinalPath)
	}
	if kept {
		return
	}
	f.Path = row.PayloadIn
	if row.PayloadIn == transfer.InFile {
		f.Path = cmp.Or(row.WorkPath, row.BackupPath)
	}
	switch row.HeldFrom {
	case transfer.Stored, transfer.Waiting, transfer.Sending:
		switch {
		case row.Direction == transfer.Receive:
			f.propose(FoundLost, row, transfer.Failed)
		case file:
			f.propose(FoundPayload, row, transfer.Held)
		default:
			f.propose(FoundFileGone, row, transfer.Failed)
		}
	case transfer.Receiving:
		f.propose(FoundPayload, row, transfer.Abandoned)
	case transfer.Received:
		f.propose(FoundLost, row, transfer.Failed)
	}
}
