package machine

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/protocol"
)

func handlerName(h handler) string {
	name := runtime.FuncForPC(reflect.ValueOf(h).Pointer()).Name()
	return name[strings.LastIndex(name, ".")+1:]
}

// page holds docs/protocol-machine.md against the tables.
func page(t *testing.T, edges map[[2]State]map[string]bool) {
	var b strings.Builder
	b.WriteString("# What a session does, state by state\n\nThis page is made from the tables of `protocol/machine` by its test (`go test ./protocol/machine -update`).\n\n" +
		"The file machines run inside `sending` and `receiving`. From every state a lost line ends the session, after what the file under way has come to is recorded.\n" +
		"A telegram that stands in no row of its state is answered with the profile's format error if it wants an answer, and counted; more than " +
		fmt.Sprint(maxMistakes) + " end the session.\nBefore the opening is accepted the first one does. The test goes to every place that a session can reach, under every profile and as either\n" +
		"part, has every telegram come there, and holds that each is counted, answered, or asked about.\n\n" +
		"What comes before the opening (`session.begins` of the profile) is taken step by step. There nothing of a file is known or stored on either side:\n" +
		"a cut or a crash leaves nothing behind, and the next session begins with the first step.\n\n" +
		"Where the closing says how much the session has carried a difference is an error of the session alone. Each file that was confirmed stays so, as its\n" +
		"proofs were stored before its end was answered; a cut in `leaving`, or between the last file and the closing, changes no file either.\n\n" +
		"A file without blocks (`blocks: none`) is made durable so many telegrams at a time as `per_block` says. A crash loses at most those after the last\n" +
		"such part, a cut nothing that came; where the profile resumes the next session goes on behind what is held. One that turned out longer or shorter than\n" +
		"was declared is failed for good: without numbers nobody could say which of its bytes are right.\n\n" +
		"## Ways between states\n\n```mermaid\nstateDiagram-v2\n")
	for from := range numStates {
		for to := range numStates {
			if labels := edges[[2]State{from, to}]; labels != nil {
				words := make([]string, 0, len(labels))
				for l := range labels {
					words = append(words, l)
				}
				slices.Sort(words)
				fmt.Fprintf(&b, "    %s --> %s: %s\n", mermaid(from), mermaid(to), strings.Join(words, ", "))
			}
		}
	}
	b.WriteString("```\n\n## Telegrams\n\n| state | telegram | handler |\n|--|--|--|\n")
	for st := range numStates {
		for _, k := range protocol.Kinds() {
			if h := onTelegram[st][k]; h != nil {
				fmt.Fprintf(&b, "| %s | %s | `%s` |\n", st, k, handlerName(h))
			}
		}
	}
	b.WriteString("\n## Answers of our own side, and time\n\n| state | event | handler |\n|--|--|--|\n")
	events := [numEvents]string{"started", "arrived", "garbled", "timed out", "lost", "greeted", "judged", "chosen", "counted", "accepted",
		"loaded", "saved", "marked", "verified", "finished", "answered", "broke"}
	for st := range numStates {
		for k, h := range onEvent[st] {
			if h != nil {
				fmt.Fprintf(&b, "| %s | %s | `%s` |\n", st, events[k], handlerName(h))
			}
		}
	}
	file := filepath.Join("..", "..", "docs", "protocol-machine.md")
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(b.String()), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), b.String(), "the tables have changed: go test ./protocol/machine -update")
}

func mermaid(s State) string { return strings.ReplaceAll(s.String(), "-", "_") }
