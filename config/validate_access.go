package config

import (
	"fmt"

	"pabal/internal/fault"
)

// access leaves nothing to others: what stands in these directories is money.
func (v *validator) access() {
	a := v.c.Access
	for _, r := range []struct {
		path string
		Rights
	}{
		{"access", Rights{Mode: a.Mode, Directory: a.Directory}},
		{"access.work", a.Work}, {"access.receive", a.Receive}, {"access.backup", a.Backup}, {"access.error", a.Error}, {"access.result", a.Result},
	} {
		if r.Mode != 0 && (r.Mode&0o007 != 0 || r.Mode&0o400 == 0) {
			v.add(r.path+".mode", fault.New(CodeModeOpen, fmt.Sprintf("%04o", r.Mode)))
		}
		if r.Directory != 0 && (r.Directory&0o007 != 0 || r.Directory&0o700 != 0o700) {
			v.add(r.path+".directory_mode", fault.New(CodeModeOpen, fmt.Sprintf("%04o", r.Directory)))
		}
	}
}
