package instance

import (
	"context"
	"os"
	"slices"
	"strconv"
	"strings"

	"pabal/filemgr"
	"pabal/internal/fault"
	"pabal/naming"
	"pabal/store"
	"pabal/transfer"
)

// scan takes ready files out of the scan directory: they are renamed into our
// work directory under the ids of their transfers, then their rows are written.
// A crash in between leaves work files without a row, which the next scan
// enters under the ids that their names carry.
type scan struct {
	*Instance // the options of this step
	scanner   *filemgr.Scanner
	watched   bool
}

// with prepares a step with the options of g. What was seen of files that are
// still being written stays, unless the settle time is another.
func (s *scan) with(ctx context.Context, g *Instance) *scan {
	if !s.watched && g.o.Scans {
		s.watched = true
		s.watch(ctx, g)
	}
	if s.scanner == nil || s.o.Settle != g.o.Settle {
		s.scanner = filemgr.NewScanner(filemgr.ScanOptions{
			Dir: g.o.Dirs.Scan, Settle: g.o.Settle, FlagFor: func(name string) string { return s.flagFor(name) },
		})
	}
	s.Instance = g
	return s
}

func (s *scan) watch(ctx context.Context, g *Instance) {
	changes, err := filemgr.Watch(ctx, g.o.Dirs.Scan)
	if err != nil {
		g.log.Warn("no hints from the file system, scanning at intervals only", "dir", g.o.Dirs.Scan, "err", err)
		return
	}
	go func() {
		for range changes {
			g.wake.scan.Give()
		}
	}()
}

// flagFor is the flag suffix that the registration of a dropped file wants.
// The file ID is what stands before the first dot, also in a name that will
// turn out to be wrong.
func (i *Instance) flagFor(name string) string {
	id, _, _ := strings.Cut(name, ".")
	for n := range i.o.Files {
		if f := &i.o.Files[n]; f.FileID == id && f.Direction == transfer.Send && f.FlagReady != "" {
			return f.FlagReady
		}
	}
	return ""
}

func (s *scan) step(ctx context.Context) (bool, error) {
	if !s.o.Scans {
		return false, nil // the router has given the directory to another
	}
	if err := s.tidy(ctx); err != nil {
		return false, err
	}
	ready, problems, err := s.scanner.Scan(s.o.Now())
	for _, p := range problems {
		s.log.Warn("file is not taken", "name", safe(p.Name), "code", p.Err.Code, "err", p.Err)
		_ = s.s.Event(ctx, s.now(), transfer.Event{Kind: "scan", Code: string(p.Err.Code), Detail: detail(p.Err)})
	}
	if err != nil {
		return false, err
	}
	if s.current() != s.Instance {
		return true, nil // what was found may be of a registration that came after this look began
	}
	for some := range slices.Chunk(ready, scanAtOnce) {
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		if err := s.claim(ctx, some); err != nil {
			return false, err
		}
	}
	return false, nil
}

// scanAtOnce is how many files are taken together.
const scanAtOnce = 256

// claim takes some files: all are renamed into the work directory under the
// ids of their transfers, then the directories are synced, then one transaction
// writes the rows. A crash in between leaves work files without a row, which
// tidy enters.
func (s *scan) claim(ctx context.Context, ready []filemgr.Ready) error {
	ids, err := s.s.NewIDs(ctx, s.now(), len(ready))
	if err != nil {
		return err
	}
	next := 0
	claimed, errs, err := filemgr.ClaimAll(ready, s.work, s.o.Access.Work, func() string { next++; return ids[next-1] })
	if err != nil {
		return err
	}
	for n, err := range errs {
		if err != nil {
			s.log.Warn("file is not taken", "name", ready[n].Name, "code", fault.CodeOf(err), "err", err)
		}
	}
	return s.enter(ctx, claimed)
}

// tidy looks through the work directory: files without a row are entered, one
// whose transfer was refused goes to error/.
func (s *scan) tidy(ctx context.Context) error {
	files, err := filemgr.WorkFiles(s.work)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		s.troubled(ctx, store.TroubleError, nil)
		return nil
	}
	// Most wait for their turn, and their rows say so.
	waiting, err := s.s.WorkFiles(ctx, s.o.Place)
	if err != nil {
		return err
	}
	var lost []filemgr.Claimed
	unmoved := map[string]error{}
	for _, c := range files {
		if waiting[c.ID] {
			continue
		}
		t, err := s.s.Transfer(ctx, c.ID)
		switch {
		case fault.CodeOf(err) == store.CodeNotFound:
			s.log.Info("work file without a row is entered", "transfer", c.ID, "name", c.Name)
			lost = append(lost, c)
			err = nil
		case err == nil && t.Status == transfer.Refused:
			if err = s.refuseFile(ctx, t, c.Path); err != nil && !store.Away(err) {
				unmoved[t.ID] = err // it waits where it is; the others are taken meanwhile
				err = ctx.Err()
			}
		}
		if err != nil {
			return err
		}
	}
	s.troubled(ctx, store.TroubleError, unmoved)
	return s.enter(ctx, lost)
}

// enter writes the rows of claimed files, in one transaction.
func (s *scan) enter(ctx context.Context, claimed []filemgr.Claimed) error {
	if len(claimed) == 0 {
		return nil
	}
	rows := make([]*transfer.Transfer, len(claimed))
	for n, c := range claimed {
		t, err := s.row(ctx, c, rows[:n])
		if err != nil {
			return err
		}
		rows[n] = t
	}
	if err := s.s.CreateAll(ctx, s.now(), rows); err != nil {
		return err
	}
	for _, t := range rows {
		s.log.Info("file taken", "transfer", t.ID, "name", t.Name, "institution", t.Institution, "wire_name", t.WireName, "bytes", t.FileSize)
	}
	s.wake.store.Give()
	return nil
}

// row is that of a claimed file; before are those that are entered with it. It
// belongs to the day on which it was claimed, which its id tells also after a
// crash (design D9). A name that cannot be read gets a row too: the store stage
// refuses it with what is noted there.
func (s *scan) row(ctx context.Context, c filemgr.Claimed, before []*transfer.Transfer) (*transfer.Transfer, error) {
	now := or(store.TimeOf(c.ID), s.now())
	t := &transfer.Transfer{
		ID: c.ID, Direction: transfer.Send, Status: transfer.Storing,
		Name: c.Name, Place: s.o.Place, SourceID: c.Identity, WorkPath: c.Path, FileSize: c.Size,
		BackupPath: filemgr.BackupPath(s.o.Dirs.Scan, c.Name, now, s.o.Zone),
		CreatedAt:  now,
	}
	first := func(n int) ([]byte, error) { return filemgr.First(c.Path, n) }
	name, err := s.book.ParseFile(c.Name, now.In(s.o.Zone), first)
	if err == nil {
		err = s.identify(ctx, t, name, before)
	}
	if err != nil && (store.Away(err) || unreadable(fault.CodeOf(err))) {
		return nil, err
	}
	note(t, err)
	if f := s.file(t); f != nil && f.Result && s.o.Result != "" {
		t.Result = transfer.ResultWanted
	}
	return t, nil
}

// unreadable: the disk of the first record is away, which is no fault of the
// file's. One that we may not read at all is refused, as it would keep others.
func unreadable(code fault.Code) bool { return filemgr.Waits(code) && code != filemgr.CodeNoPermission }

// identify fills in what the name says, and the serial where the profile
// numbers the files of a day; before are those that get their rows with it.
func (s *scan) identify(ctx context.Context, t *transfer.Transfer, name naming.Name, before []*transfer.Transfer) error {
	t.Institution, t.Job, t.FileID = name.Institution, name.Job, name.FileID
	t.WireName, t.BaseDate, t.Serial = name.WireName, name.BaseDate, name.Serial
	inst := s.insts[name.Institution]
	if inst == nil {
		return fault.New(CodeNotRoutable, t.Name, "institution", name.Institution)
	}
	if n := inst.Profile.Files.NameWidth; len(t.WireName) > n {
		return fault.New(CodeWireName, t.WireName, "width", n, "profile", inst.Profile.Name)
	}
	if inst.Profile.Files.Serial && t.Serial == "" {
		same, err := s.s.FindSame(ctx, store.Identity{Institution: t.Institution, Direction: transfer.Send, WireName: t.WireName, BaseDate: t.BaseDate})
		if err != nil {
			return err
		}
		last := 0
		for _, other := range slices.Concat(same, before) {
			ours := other.Institution == t.Institution && other.WireName == t.WireName && other.BaseDate == t.BaseDate
			if n, err := strconv.Atoi(other.Serial); err == nil && ours {
				last = max(last, n)
			}
		}
		t.Serial = serial(last + 1)
	}
	return nil
}

// serial is a file's number within its day as edi profiles write it (§3).
func serial(n int) string {
	text := strconv.Itoa(n)
	if len(text) < 3 {
		text = strings.Repeat("0", 3-len(text)) + text
	}
	return text
}

// refuseFile moves the file of a refused transfer to error/, with the reason
// beside it. It may run again after a crash.
func (s *scan) refuseFile(ctx context.Context, t *transfer.Transfer, workPath string) error {
	path := filemgr.ErrorPath(s.o.Dirs.Scan, t.Name, t.CreatedAt, s.o.Zone)
	if _, err := os.Lstat(path); err == nil {
		path += "-" + t.ID // two of one name in one millisecond
	}
	why := Noted(t.ErrorCode, t.ErrorDetail)
	var text error = fault.New("internal", t.Name)
	if why != nil {
		text = why.OfTransfer(t.ID)
	}
	if err := filemgr.Refuse(ctx, workPath, path, s.o.Explain(text), s.o.Access.Error); err != nil {
		return err
	}
	s.log.Info("file refused", "transfer", t.ID, "name", t.Name, "code", t.ErrorCode, "moved_to", path)
	return s.noteErrorFile(ctx, t, path)
}
