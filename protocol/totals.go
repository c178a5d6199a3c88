package protocol

import (
	"slices"

	"pabal/internal/fault"
)

// totals are the fields in which a closing says what the session has carried.
func totals() []Field { return []Field{TotalFiles, TotalRecords, TotalBytes} }

// SaysTotals reports that telegrams of this kind say what the session has
// carried, in files, records or bytes.
func (p *Profile) SaysTotals(k Kind) bool {
	return slices.ContainsFunc(totals(), func(f Field) bool { return p.Carries(k, f) })
}

// compileTotals: only a closing knows what the session has carried.
func (p *Profile) compileTotals(c *compiler) {
	for _, k := range Kinds() {
		for _, f := range totals() {
			if k != Close && k != CloseReply && p.Carries(k, f) {
				c.problem("telegrams."+k.String(), CodeProfileField, p.FieldName(f), fault.Say("only_in_close"))
			}
		}
	}
}
