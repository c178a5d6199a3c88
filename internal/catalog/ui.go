package catalog

import "pabal/internal/fault"

// Status is the label of a transfer's status for lists and reports.
func (c *Catalog) Status(lang Lang, status string) string {
	return c.Text(lang, fault.Code("ui.status."+status), nil)
}

// Direction is the label of send, receive or both, and of neither.
func (c *Catalog) Direction(lang Lang, direction string) string {
	if direction == "" {
		direction = "none"
	}
	return c.Text(lang, fault.Code("ui.direction."+direction), nil)
}

// Explain is the whole of what a terminal shows of an error: the sentence, and
// on a second line what to do next.
func (c *Catalog) Explain(lang Lang, err error) string {
	sentence, next := c.Sentence(lang, err)
	if next == "" {
		return sentence
	}
	return sentence + "\n" + c.Text(lang, "ui.next", fault.Args{"next": next})
}
