package config

import (
	"errors"
	"os"
	"testing"

	"pabal/internal/fault"
)

// FuzzParse: whatever the file holds, it loads or says what is wrong and where.
func FuzzParse(f *testing.F) {
	f.Add(Example("en"))
	f.Add(least)
	f.Add("a: &x [*x]\n")
	f.Add("instances: &x\n  - *x\n")
	f.Add("system: &x { <<: *x }\n")
	f.Add("? [a]\n: b\n")
	f.Add("--- !!binary x\n...\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parse([]byte(text), "pabal.yaml", os.TempDir(), none)
		if err == nil {
			if c.Environment == "" || c.Location() == nil {
				t.Fatalf("accepted without required values:\n%s", text)
			}
			return
		}
		var problems Problems
		if !errors.As(err, &problems) || len(problems) == 0 {
			t.Fatalf("not a list of problems: %v", err)
		}
		for _, p := range problems {
			if p.Line < 1 || p.Column < 1 || fault.CodeOf(p) == "" {
				t.Fatalf("no place or code: %v\n%s", p, text)
			}
		}
	})
}
