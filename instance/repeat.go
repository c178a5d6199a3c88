package instance

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"slices"
	"time"

	"pabal/internal/fault"
	"pabal/naming"
	"pabal/protocol"
	"pabal/protocol/machine"
	"pabal/store"
	"pabal/transfer"
)

// A name that comes a second time is the same file again, or another one
// (design D6). The policy of the profile or registration says which. Beside it
// there is one rule for all policies: where the peer may not have heard that
// we confirmed the end, it does what it must and sends the file again, so what
// comes is taken and compared. The same content is then the same file.

// repeat is how an offered file stands to what we hold of its name.
type repeat struct {
	whole *transfer.Transfer // what we hold, nil = nothing that matters
	as    transfer.Repeat    // how the offered file is to be taken
	told  bool               // … or not: it is answered with "complete already"
	seen  int                // how many of the name came whole
}

// repeated looks for what we hold of an offered file's name, also of other days.
func (s *session) repeated(ctx context.Context, reg *File, id store.Identity, o machine.Offer) (repeat, error) {
	policy := s.inst.repeat(reg)
	same, err := s.s.FindSame(ctx, id)
	if err != nil {
		return repeat{}, err
	}
	whole, last := wholeOf(same, id.BaseDate)
	if whole != nil && policy != protocol.RepeatNew {
		r := repeat{whole: whole, as: transfer.RepeatAbsorb, seen: wholes(same)}
		r.told = policy == protocol.RepeatRefuse && !o.Despite
		return r, nil
	}
	for _, date := range id.Or {
		if whole == nil {
			whole, last = wholeOf(same, date)
		}
	}
	as := repeat{seen: wholes(same)}
	if whole == nil {
		return as, nil
	}
	doubt, err := s.unheard(ctx, last)
	if doubt {
		as.whole, as.as = whole, transfer.RepeatSuspect
	}
	return as, err
}

// otherDays are the base dates that an offered file may have had before: where
// neither name nor telegram has a date, the file of before midnight has another
// than the same one now.
func (s *session) otherDays(o machine.Offer) (dates []string) {
	if protocol.FullDate(o.Date, s.business()) != "" {
		return nil
	}
	for back := 1; ; back++ {
		day := s.business().AddDate(0, 0, -back)
		if s.business().Sub(endOf(day)) >= s.repeatAge() {
			return dates
		}
		dates = append(dates, day.Format("20060102"))
	}
}

// repeat is the policy for a registration: its own, the institution's, or what
// the profile says of all who speak it.
func (n *institution) repeat(f *File) protocol.Repeat {
	return or(f.Repeat, or(n.Repeat, n.Profile.Files.Repeat))
}

// endOf is the midnight after a day.
func endOf(day time.Time) time.Time {
	y, m, d := day.Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, day.Location())
}

func (s *session) repeatAge() time.Duration { return or(s.inst.RepeatAge, 12*time.Hour) }

// wholeOf is the newest transfer of a day among those of a name that came
// whole, and the last of the name that did: a duplicate of it, or itself.
func wholeOf(same []*transfer.Transfer, date string) (whole, last *transfer.Transfer) {
	for _, t := range same {
		if date != "" && t.BaseDate != date {
			continue
		}
		if t.Status == transfer.Duplicate && last == nil {
			last = t
		}
		if cameWhole(t) {
			return t, or(last, t)
		}
	}
	return nil, nil
}

// cameWhole reports that a received file is held, or stands where it belongs.
func cameWhole(t *transfer.Transfer) bool { return slices.Contains(wholeStatuses(), t.Status) }

// wholeStatuses are those of a received file that came whole.
func wholeStatuses() []transfer.Status {
	return []transfer.Status{transfer.Received, transfer.Placing, transfer.Assembled, transfer.Delivered, transfer.Held, transfer.Waiting}
}

// wholes counts those that came whole.
func wholes(same []*transfer.Transfer) (n int) {
	for _, t := range same {
		if cameWhole(t) {
			n++
		}
	}
	return n
}

// announced is what a decision to take an offered file rests on: nothing more of
// its name has come whole since, and nobody else is bringing it.
func announced(id store.Identity, rep repeat) store.Announced {
	return store.Announced{Same: id, Statuses: append(wholeStatuses(), transfer.Receiving), Seen: rep.seen}
}

// unheard reports that the peer may not know that it brought this file whole:
// nothing came after our end reply in the session that brought it. A session
// whose row says nothing, because it goes on or its process died, counts as
// such unless it went on to another file. Zero writes per file: what tells it
// is written when a session is over.
func (s *session) unheard(ctx context.Context, t *transfer.Transfer) (bool, error) {
	if s.now().Sub(t.CreatedAt) >= s.repeatAge() || t.SessionID == s.row.ID {
		return false, nil
	}
	if t.SessionID == "" {
		return true, nil
	}
	rows, err := s.s.Sessions(ctx, store.SessionFilter{ID: t.SessionID})
	if err != nil || len(rows) == 1 && rows[0].Heard {
		return false, err
	}
	later, err := s.s.WentOn(ctx, t)
	return !later && err == nil, err
}

// registered is our registration of what naming has found.
func (i *Instance) registered(reg naming.Registration) *File {
	for n := range i.o.Files {
		f := &i.o.Files[n]
		if f.FileID == reg.FileID && f.Institution == reg.Institution && f.Job == reg.Job && f.Direction == reg.Direction {
			return f
		}
	}
	return &File{Registration: reg}
}

// compare ends the doubt about a repeated file that came whole, before it is
// put together:
//
//	the same content            duplicate; nothing appears in the receive directory
//	other content, absorb       held: a person says whether it is wanted as well
//	other content, in doubt     a file of its own, as the policy has it
//	cannot be compared          held
//
// A crash before the commit leaves it to be compared again.
func (i *Instance) compare(ctx context.Context, t *transfer.Transfer) error {
	digest, size, err := i.digest(ctx, t)
	if err != nil {
		if lostPayload(err) {
			return i.assembleLater(ctx, t, err)
		}
		return err
	}
	others, err := i.earlier(ctx, t)
	if err != nil {
		return err
	}
	var why *fault.Error
	status, found := transfer.Received, transfer.RepeatOther
	of := t.RepeatOf
	for _, o := range others {
		theirs := o.FileDigest
		if theirs == "" {
			theirs, _, err = i.digest(ctx, o)
		}
		switch {
		case err != nil && !lostPayload(err):
			return err
		case err != nil || theirs == "":
			status, why = transfer.Held, fault.New(CodeRepeatUnread, t.WireName, "other", o.ID)
			continue
		case theirs == digest:
			status, found, of, why = transfer.Duplicate, transfer.RepeatEqual, o.ID, nil
		case t.Repeat == transfer.RepeatAbsorb && why == nil:
			status, of = transfer.Held, o.ID
			why = fault.New(CodeRepeatDiffers, t.WireName, "other", o.ID)
		}
		if found == transfer.RepeatEqual {
			break
		}
	}
	now := i.now()
	r, err := i.s.Change(ctx, now, t.Ref(), func(r *transfer.Transfer) error {
		r.Status, r.Repeat, r.RepeatOf, r.FileSize = status, found, of, size
		if status != transfer.Received { // build writes it when the file is whole on the disk
			r.FileDigest = digest
		}
		r.Owner, r.NextTry, r.Tries = "", time.Time{}, 0
		note(r, nil)
		if why != nil {
			note(r, why)
		}
		if status == transfer.Duplicate {
			r.EndedAt = now
		}
		return nil
	})
	if err != nil {
		return err
	}
	i.log.Info("repeated file compared", "transfer", r.ID, "wire_name", r.WireName, "with", of, "found", string(found), "status", string(r.Status))
	return nil
}

// earlier are the transfers that a repeated file is compared with. In doubt
// that is one; a policy to absorb means all of its identity. What a person or
// the peer has taken back meanwhile is no file any more, and another serial
// number is another file, whatever is in it.
func (i *Instance) earlier(ctx context.Context, t *transfer.Transfer) ([]*transfer.Transfer, error) {
	var out []*transfer.Transfer
	add := func(o *transfer.Transfer) {
		if o.ID != t.ID && cameWhole(o) && (o.Serial == "" || t.Serial == "" || o.Serial == t.Serial) {
			out = append(out, o)
		}
	}
	if t.Repeat == transfer.RepeatSuspect {
		for id := t.RepeatOf; id != ""; {
			o, err := i.s.Transfer(ctx, id)
			if fault.CodeOf(err) == store.CodeNotFound {
				return out, nil
			}
			if err != nil {
				return nil, err
			}
			if id = ""; o.Status == transfer.Duplicate {
				id = o.RepeatOf
			}
			add(o)
		}
		return out, nil
	}
	same, err := i.s.FindSame(ctx, store.Identity{Institution: t.Institution, Direction: t.Direction,
		FileID: t.FileID, WireName: t.WireName, BaseDate: t.BaseDate})
	for _, o := range same {
		if o.CreatedAt.Before(t.CreatedAt) || o.CreatedAt.Equal(t.CreatedAt) && o.ID < t.ID {
			add(o)
		}
	}
	return out, err
}

// digest is the SHA-256 of the file that the payload stands for, and its size.
func (i *Instance) digest(ctx context.Context, t *transfer.Transfer) (string, int64, error) {
	h := sha256.New()
	n := counter(0)
	err := i.writeFile(ctx, t, io.MultiWriter(h, &n))
	return hex.EncodeToString(h.Sum(nil)), int64(n), err
}
