package instance

import "context"

// hearWork wakes the stages when the store tells of work that another process
// has made: another instance, or an operator's command. It is a hint and
// nothing rests on it: a stage looks for itself at its intervals (design D7).
func (i *Instance) hearWork(ctx context.Context) {
	made := i.s.Wake(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-made:
			i.wake.store.Give()
			i.wake.backup.Give()
			i.wake.assemble.Give()
			i.wake.send.Give()
		}
	}
}
