package protocol

// Narrowest is the narrowest row of a text field in the telegrams that are meant,
// and in which of them it stands; 0 if none has such a row with a value of ours.
func (p *Profile) Narrowest(f Field, meant func(Kind) bool) (width int, in Kind) {
	p.eachRow(func(k Kind, pl *place) {
		holds := pl.width
		if pl.span == toEnd {
			holds = pl.max
		}
		if pl.field == f && pl.value == nil && pl.made == nil && meant(k) && holds > 0 && (width == 0 || holds < width) {
			width, in = holds, k
		}
	})
	return width, in
}

// Fits reports that a text has room in a row of so many bytes, as it travels; of
// a password also that none of it is left out where it is enciphered. CodeCharset
// says that it has characters that the profile's telegrams cannot have.
func (p *Profile) Fits(f Field, text string, width int) (bool, error) {
	if f == SenderPassword && p.Session.Cipher != NoCipher {
		return len(text) <= passwordWidth, nil
	}
	wire, err := p.charset.encode([]byte(text))
	return len(wire) <= width, err
}
