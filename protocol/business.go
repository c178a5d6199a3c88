package protocol

// RightBusiness reports that the telegram names the business that the profile
// is for, or that its header names none (업무구분코드).
func (p *Profile) RightBusiness(t *Telegram) bool {
	l := p.layouts[t.Kind]
	if l == nil {
		return true
	}
	for _, pl := range l.places {
		if pl.field == Business && pl.value != nil {
			return string(t.Raw(Business)) == string(pl.value)
		}
	}
	return true
}
