package control

import (
	"context"
	"slices"
	"time"

	"pabal/internal/fault"
	"pabal/store"
	"pabal/transfer"
)

// Trouble are files that an instance cannot write beside their transfers, for
// one reason: backups, refused files, result files. It goes on trying.
type Trouble struct {
	Instance  string    `json:"instance"`
	Place     string    `json:"place"`
	Stage     string    `json:"stage"` // store.TroubleBackup …
	StageText string    `json:"stage_text"`
	Since     time.Time `json:"since"` // of the one that has waited longest
	Transfers int       `json:"transfers"`
	// Files are those that have waited longest.
	Files   []TroubledFile `json:"files"`
	Failure Failure        `json:"error"` // of the first of them
}

// TroubledFile is the transfer of such a file, with its name.
type TroubledFile struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// troubledNames is how many files are named.
const troubledNames = 5

// FileTrouble is what an instance cannot write beside one transfer.
type FileTrouble struct {
	Stage     string    `json:"stage"`
	StageText string    `json:"stage_text"`
	Since     time.Time `json:"since"`
	Failure   Failure   `json:"error"`
}

// troubles adds what an instance has told of them.
func (c *Control) troubles(ctx context.Context, s *Status, i *store.Instance, told []store.Trouble) error {
	for _, t := range told {
		if len(t.Files) == 0 {
			continue
		}
		one := Trouble{Instance: i.ID, Place: i.Host, Stage: t.Stage, StageText: c.stageText(t.Stage), Since: t.Files[0].Since, Transfers: t.Count,
			Failure: c.troubleFailure(t, t.Files[0])}
		first := t.Files[:min(len(t.Files), troubledNames)]
		ids := make([]string, len(first))
		for n, f := range first {
			ids[n] = f.ID
		}
		rows, err := c.s.List(ctx, store.Filter{IDs: ids})
		if err != nil {
			return err
		}
		for _, id := range ids {
			if n := slices.IndexFunc(rows, func(r *transfer.Transfer) bool { return r.ID == id }); n >= 0 {
				one.Files = append(one.Files, TroubledFile{id, title(rows[n])})
			}
		}
		s.Troubles = append(s.Troubles, one)
	}
	return nil
}

// troublesOf is what the instances of a transfer's place have told of it.
func (c *Control) troublesOf(ctx context.Context, t *transfer.Transfer) (out []FileTrouble, err error) {
	instances, err := c.s.Instances(ctx)
	if err != nil || t.Place == "" {
		return nil, err
	}
	for _, i := range instances {
		if state := c.stateOf(i, c.now()); i.Host != t.Place || state != InstanceRuns && state != InstanceSilent {
			continue
		}
		told, err := c.s.LineState(ctx, i.ID)
		if err != nil {
			return nil, err
		}
		for _, one := range told.Troubles {
			if n := slices.IndexFunc(one.Files, func(f store.TroubledFile) bool { return f.ID == t.ID }); n >= 0 {
				out = append(out, FileTrouble{one.Stage, c.stageText(one.Stage), one.Files[n].Since, c.troubleFailure(one, one.Files[n])})
			}
		}
	}
	return out, nil
}

func (c *Control) stageText(stage string) string {
	return c.cat.Text(c.lang, fault.Code("ui.trouble."+stage), nil)
}

// troubleFailure says what is not written, why, and what to do.
func (c *Control) troubleFailure(t store.Trouble, f store.TroubledFile) Failure {
	code := CodeNotBackedUp
	switch t.Stage {
	case store.TroubleError:
		code = CodeNotInError
	case store.TroubleResult:
		code = CodeNoResultFile
	}
	why := fault.Noted(t.Code, f.Detail)
	told := c.told(fault.New(code, why.Subject, "because", t.Code).Telling(why).OfTransfer(f.ID))
	told.Code = t.Code // the cause is what people search for
	return *told
}
