package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// benchMachine is what figures must be read with.
type benchMachine struct {
	CPU        string `json:"cpu"`
	Cores      int    `json:"cores"`
	Memory     int64  `json:"memory_bytes,omitempty"`
	System     string `json:"system"` // with the version of the kernel
	Go         string `json:"go"`
	FileSystem string `json:"file_system"`    // of the directory that was written to
	Device     string `json:"device"`         // where that is
	Load       string `json:"load,omitempty"` // what else ran when the measurement began
}

func describeMachine(dir string) benchMachine {
	m := benchMachine{
		CPU: runtime.GOARCH, Cores: runtime.NumCPU(), System: runtime.GOOS, Go: runtime.Version(),
		FileSystem: "?", Device: "?",
	}
	if v := lineValue("/proc/cpuinfo", "model name"); v != "" {
		m.CPU = v
	}
	m.Memory = kib(lineValue("/proc/meminfo", "MemTotal"))
	if v, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.System += " " + strings.TrimSpace(string(v))
	}
	if v, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.Load, _, _ = strings.Cut(string(v), " ")
	}
	if text, err := os.ReadFile("/proc/self/mounts"); err == nil {
		m.Device, m.FileSystem = mountOf(dir, string(text))
	}
	return m
}

// lineValue is what follows "key:" in a file of such lines, "" if nothing does.
func lineValue(path, key string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == key {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// kib reads "123 kB" as the kernel writes it, in bytes.
func kib(text string) int64 {
	number, _, _ := strings.Cut(strings.TrimSpace(text), " ")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return 0
	}
	return n << 10
}

// mountOf finds where a directory is in a list of mounts: the longest mount
// point above it, and of equal ones the last.
func mountOf(dir, mounts string) (device, fileSystem string) {
	device, fileSystem = "?", "?"
	longest := -1
	for line := range strings.Lines(mounts) {
		f := strings.Fields(line)
		if len(f) < 3 {
			continue
		}
		rel, err := filepath.Rel(f[1], dir)
		if err == nil && filepath.IsLocal(rel) && len(f[1]) >= longest {
			longest, device, fileSystem = len(f[1]), f[0], f[2]
		}
	}
	return device, fileSystem
}

// cpuTicks are what all processors of the machine did since it started.
type cpuTicks struct{ busy, total int64 }

// machineTicks reads them; both are 0 where the system does not tell.
func machineTicks() cpuTicks {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return cpuTicks{}
	}
	return parseTicks(string(text))
}

// parseTicks reads the first line of /proc/stat: user, nice, system, idle,
// iowait, irq, softirq, steal. What follows is counted in user already.
func parseTicks(text string) (t cpuTicks) {
	line, _, _ := strings.Cut(text, "\n")
	for n, word := range strings.Fields(line) {
		v, err := strconv.ParseInt(word, 10, 64)
		if n == 0 || n > 8 || err != nil {
			continue
		}
		t.total += v
		if n != 4 && n != 5 {
			t.busy += v
		}
	}
	return t
}
