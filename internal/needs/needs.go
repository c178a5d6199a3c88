// Package needs lets a test say which system tool it cannot run without. The
// end of make test counts those tests and says how to get the tool, and CI
// fails over them, so that a skipped test never looks like a passed one.
package needs

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Tool returns the path of a command, which scripts/deps.txt must list, or
// skips the test. Daemons outside an ordinary user's PATH are found too.
func Tool(t testing.TB, command string) string {
	t.Helper()
	if path, err := exec.LookPath(command); err == nil {
		return path
	}
	dirs := []string{"/usr/sbin", "/usr/local/sbin", "/sbin"}
	// Debian keeps the programs of each version of PostgreSQL by themselves.
	versions, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range append(dirs, versions...) {
		path := filepath.Join(dir, command)
		if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
			return path
		}
	}
	t.Skipf("needs %s: make deps installs it", command)
	return ""
}
