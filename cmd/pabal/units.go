package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"pabal/internal/fault"
)

// bytesText is a size for people: exact while it is small.
func bytesText(n int64) string {
	switch {
	case n < 10_000:
		return count(n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.2f GiB", float64(n)/(1<<30))
}

// count writes a number with commas.
func count(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// clock leaves the day out if it is today's.
func clock(t, today time.Time) string {
	if t.Format(time.DateOnly) == today.Format(time.DateOnly) {
		return t.Format("15:04:05")
	}
	return t.Format("01-02 15:04:05")
}

// parseSize reads 64MiB, 1GiB, 10KiB or a number of bytes.
func parseSize(flag, text string) (int64, error) {
	number, unit := text, int64(1)
	for suffix, factor := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40} {
		if cut, ok := strings.CutSuffix(text, suffix); ok {
			number, unit = strings.TrimSpace(cut), factor
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > (1<<62)/unit {
		return 0, usageError{fault.New(codeFlagValue, flag, "value", text)}
	}
	return n * unit, nil
}
