package control

import (
	"cmp"
	"maps"

	"pabal/protocol/sessionlog"
	"pabal/store/journal"
	"pabal/transfer"
)

// hear puts what the session logs of this place tell into what the journal
// remembers, where they tell more: its last lines may be lost, or it may have
// been begun anew. It returns what counted.
func (r *Recovery) hear(all map[string]*sessionlog.Carried, rows map[string]*transfer.Transfer, memory *journal.Memory, files *onDisk) map[string]*sessionlog.Carried {
	for _, known := range memory.Transfers {
		files.explain(nil, known)
	}
	for _, row := range rows {
		files.explain(row, nil)
	}
	used := map[string]*sessionlog.Carried{}
	for id, c := range all {
		known, row := memory.Transfers[id], rows[id]
		more := heard(c, known, row, r.Place)
		if more == nil {
			continue
		}
		if row == nil && known == nil && more.Row.Direction == transfer.Send {
			more.Row.BackupPath = files.backupOf(c.File.Name, c.At)
		}
		memory.Transfers[id], used[id] = more, c
	}
	return used
}

// carried reads the logs of this place since the journal begins.
func (r *Recovery) carried(memory *journal.Memory) (map[string]*sessionlog.Carried, error) {
	if r.Said == "" {
		return nil, nil
	}
	all, err := sessionlog.Recall(r.Said, memory.From)
	maps.DeleteFunc(all, func(_ string, c *sessionlog.Carried) bool { return c.At.Before(memory.From) })
	return all, err
}

// heard is what is known of a transfer by a log, nil if that is no more than
// what was known already.
func heard(c *sessionlog.Carried, known *journal.Known, row *transfer.Transfer, place string) *journal.Known {
	direction := transfer.Direction(c.File.Direction)
	status := said(c, direction)
	switch {
	case known != nil && (!c.At.After(known.At) || further(known.Status) >= further(status)):
		return nil // the journal's word is later, or as much
	case known == nil && row != nil && row.HeldFrom == "" && row.UpdatedAt.After(c.At):
		return nil
	case known == nil && row != nil && further(cmp.Or(row.HeldFrom, row.Status)) >= further(status):
		return nil
	}
	out := &journal.Known{Status: status, At: c.At}
	switch {
	case known != nil:
		out.Row = known.Row
	default:
		f := &c.File
		out.Row = journal.Row{
			Direction: direction, Institution: c.Institution, Job: f.Job, FileID: f.FileID, WireName: f.WireName, BaseDate: f.BaseDate,
			Serial: f.Serial, Name: f.Name, Place: cmp.Or(f.Host, place), WireSize: f.WireSize, FileSize: f.FileSize, CreatedAt: f.At,
		}
		if row != nil {
			out.Row.WorkPath, out.Row.BackupPath, out.Row.FinalPath = row.WorkPath, row.BackupPath, row.FinalPath
		}
	}
	out.Row.EndedOnce = out.Row.EndedOnce || direction == transfer.Send && (c.Asked || c.Confirmed)
	return out
}

// said is how far a transfer has come by what was said.
func said(c *sessionlog.Carried, d transfer.Direction) transfer.Status {
	switch {
	case d == transfer.Receive && c.Confirmed:
		return transfer.Received
	case d == transfer.Receive:
		return transfer.Receiving
	case c.Confirmed:
		return transfer.Sent
	case c.Asked:
		return transfer.Ending
	case c.Data:
		return transfer.Sending
	}
	return transfer.Stored
}

// further orders statuses by how far a transfer has come on the line.
func further(s transfer.Status) int {
	switch s {
	case "", transfer.Storing:
		return 0
	case transfer.Stored:
		return 1
	case transfer.Sending, transfer.Receiving, transfer.Waiting, transfer.Held:
		return 2
	case transfer.Ending, transfer.Unknown, transfer.Refused, transfer.Failed, transfer.Cancelled, transfer.Abandoned:
		return 3
	}
	return 4 // sent, or received and what comes after it
}
