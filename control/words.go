package control

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"pabal/internal/fault"
	"pabal/store"
	"pabal/transfer"
)

// eventErrorFile is where a refused file stands. Its code is that of the
// refusal, whose sentence stands in the entry before: here it has no arguments.
const eventErrorFile = "error_file"

// answers are where the catalogue has the words for what an answer means. Its
// code is the profile's, and says nothing by itself.
var answers = map[transfer.Ask]string{
	transfer.AskStatus: "ui.answer.inquire.",
	transfer.AskRecall: "ui.answer.recall.",
}

// inText puts the detail of an event into words, "" where there are none.
func (c *Control) inText(e *transfer.Event) string {
	var d fault.Args
	if json.Unmarshal([]byte(e.Detail), &d) != nil {
		return ""
	}
	switch e.Kind {
	case store.EventBackup, eventErrorFile:
		return d["path"]
	case "round":
		return c.roundText(d)
	case "answer":
		return c.answerText(d)
	case "more":
		return c.cat.Text(c.lang, "ui.more", d)
	}
	return ""
}

// roundText is what was missing of a block: "block 2: missing 037, 058".
func (c *Control) roundText(d fault.Args) string {
	var numbers []int
	for text := range strings.SplitSeq(d["missing"], ",") {
		n, err := strconv.Atoi(text)
		if err != nil {
			return ""
		}
		numbers = append(numbers, n)
	}
	return c.cat.Text(c.lang, "ui.round", fault.Args{"block": d["block"], "numbers": Ranges(numbers)})
}

// answerText is what the counterparty said, with its code: people compare it
// with the counterparty's document.
func (c *Control) answerText(d fault.Args) string {
	code := fault.Code(answers[transfer.Ask(d["asked"])] + d["finding"])
	text := c.cat.Text(c.lang, code, nil)
	if text == string(code) { // a code that the profile does not know
		text = c.cat.Text(c.lang, "ui.answer.other", nil)
	}
	if size, err := strconv.ParseInt(d["size"], 10, 64); err == nil && size > 0 {
		text += c.cat.Text(c.lang, "ui.answer.size", fault.Args{"bytes": d["size"]})
	}
	return d["result"] + ": " + text
}

// Ranges writes sequence numbers with three digits, as operators and documents
// do, runs of them as from-to.
func Ranges(numbers []int) string {
	var parts []string
	for n := 0; n < len(numbers); {
		end := n
		for end+1 < len(numbers) && numbers[end+1] == numbers[end]+1 {
			end++
		}
		text := fmt.Sprintf("%03d", numbers[n])
		if end > n {
			text += fmt.Sprintf("-%03d", numbers[end])
		}
		parts = append(parts, text)
		n = end + 1
	}
	return strings.Join(parts, ", ")
}
