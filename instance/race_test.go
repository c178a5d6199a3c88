//go:build race

package instance

const raceDetector = true
