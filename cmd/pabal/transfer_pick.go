package main

import (
	"github.com/spf13/pflag"

	"pabal/control"
	"pabal/internal/fault"
	"pabal/store"
	"pabal/transfer"
)

// pickFlags are the flags by which transfers are chosen, the same for lists and
// for orders.
type pickFlags struct {
	status      []string
	institution string
	direction   string
	file        string
	heldBy      string
}

func (f *pickFlags) flags(a *app, flags *pflag.FlagSet) {
	flags.StringSliceVar(&f.status, "status", nil, a.text("ui.flag.status"))
	flags.StringVar(&f.institution, "institution", "", a.text("ui.flag.institution"))
	flags.StringVar(&f.direction, "direction", "", a.text("ui.flag.direction"))
	flags.StringVar(&f.file, "file", "", a.text("ui.flag.file"))
	flags.StringVar(&f.heldBy, "held-by", "", a.text("ui.flag.held_by"))
}

// any reports that one of them is given.
func (f *pickFlags) any() bool {
	return len(f.status) > 0 || f.institution != "" || f.direction != "" || f.file != "" || f.heldBy != ""
}

// pick is what they choose, newest first.
func (f *pickFlags) pick(a *app) (p control.Pick, err error) {
	p = control.Pick{Filter: store.Filter{Institution: f.institution, FileID: f.file, NewestFirst: true}, HeldBy: f.heldBy}
	for _, word := range f.status {
		st, err := a.status(word)
		if err != nil {
			return p, err
		}
		p.Statuses = append(p.Statuses, st)
	}
	switch f.direction {
	case "", string(transfer.Send), string(transfer.Receive):
		p.Direction = transfer.Direction(f.direction)
	default:
		return p, usageError{fault.New(codeUnknownWord, f.direction, "flag", "--direction", "known", "send, receive")}
	}
	return p, nil
}

// pickError makes what cannot be chosen by what it is: a command line that is wrong.
func pickError(err error) error {
	switch fault.CodeOf(err) {
	case control.CodeHeldByUnknown, control.CodeHeldByStatus:
		return usageError{err}
	}
	return err
}
