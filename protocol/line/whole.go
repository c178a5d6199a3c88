package line

import (
	"pabal/protocol/machine"
	"pabal/transfer"
)

// sendWhole writes the loaded block of a file that one telegram carries: before
// the first block its head, which says how long the whole is, and then bytes
// alone. Nothing else may leave before the last of them: a line that breaks off
// here tells the peer that the file is not whole.
func (d *driver) sendWhole(a *machine.Action) error {
	var err error
	if a.Block == 1 {
		if d.write, err = d.p.AppendWhole(d.write, &a.Telegram, a.Length); err != nil {
			return err
		}
	}
	head := d.write
	d.write = append(d.write, d.view...)
	if d.opt.Log == nil || d.cut {
		return nil
	}
	geo, size := a.Geometry, int64(len(d.view))
	for seq := 1; seq <= a.Last; seq++ {
		from, to := geo.Offset(transfer.Position{Block: 1, Seq: seq}, size), geo.Offset(transfer.Position{Block: 1, Seq: seq + 1}, size)
		frame := d.write[len(head)+int(from) : len(head)+int(to)]
		if a.Block == 1 && seq == 1 {
			frame = d.write[:len(head)+int(to)]
		}
		d.opt.Log.Data(d.now, true, &a.Telegram, a.Block, seq, int(to-from), frame)
	}
	return nil
}
