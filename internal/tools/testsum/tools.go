package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// readTools takes the names of packages and commands from scripts/deps.txt.
// Without a file there are none.
func readTools(path string) ([]string, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var tools []string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Split(line, "|")
		for _, f := range fields[:min(2, len(fields))] {
			if name := filepath.Base(strings.TrimSpace(f)); !slices.Contains(tools, name) {
				tools = append(tools, name)
			}
		}
	}
	return tools, nil
}

var word = regexp.MustCompile(`[A-Za-z0-9_+.-]+`)

// missingTool reports that a skip's reason is a tool that is not installed:
// it begins with "needs", as package needs writes it, or names a listed tool.
func missingTool(reason string, tools []string) bool {
	if strings.HasPrefix(reason, "needs ") {
		return true
	}
	return slices.ContainsFunc(word.FindAllString(reason, -1), func(w string) bool {
		return slices.Contains(tools, strings.Trim(w, "."))
	})
}
