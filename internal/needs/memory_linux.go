package needs

import (
	"bufio"
	"bytes"
	"flag"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	shared = "/dev/shm"
	room   = 8 << 30 // bytes: the databases of three test binaries at once, many times over
)

// Memory puts the temporary directories of a test binary, and with them its
// databases, into memory where there is plenty of it. Its TestMain calls it first. A
// sync to a disk that others use takes up to seconds, and tests make tens of
// thousands of them. What a sync is for, that the power fails, no test can try: those
// that kill a process or a database server find the files as they were, and those
// that ask for the order of syncs and answers see the same system calls.
//
// Where TMPDIR says something, that holds. Benchmarks measure disks, and inputs of a
// fuzzer come in any number: both stay where they are.
func Memory() {
	flag.Parse()
	for _, name := range []string{"test.bench", "test.fuzz"} {
		if f := flag.Lookup(name); f != nil && f.Value.String() != "" {
			return
		}
	}
	if os.Getenv("TMPDIR") == "" && inMemory() {
		_ = os.Setenv("TMPDIR", shared) // or they stay where they are
	}
}

func inMemory() bool {
	var st unix.Statfs_t
	if unix.Statfs(shared, &st) != nil || st.Type != unix.TMPFS_MAGIC || st.Flags&unix.ST_NOEXEC != 0 ||
		st.Bavail*uint64(st.Bsize) < room || unix.Access(shared, unix.W_OK) != nil {
		return false
	}
	// A container may have less than the machine.
	for _, path := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		if text, err := os.ReadFile(path); err == nil {
			if limit, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64); err == nil && limit < 2*room {
				return false
			}
		}
	}
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return false
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		if f := strings.Fields(lines.Text()); len(f) > 1 && f[0] == "MemAvailable:" {
			kib, err := strconv.ParseUint(f[1], 10, 64)
			return err == nil && kib<<10 >= room*3/2
		}
	}
	return false
}
