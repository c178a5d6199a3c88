package protocol

import (
	"bytes"
	"slices"

	"pabal/internal/fault"
)

// businesses are the business codes (업무구분코드) that telegrams may have beside
// the constant of their layout, as they travel.
type businesses struct {
	codes [][]byte
	any   bool
}

func (b *businesses) has(v []byte) bool {
	return b.any || slices.ContainsFunc(b.codes, func(c []byte) bool { return bytes.Equal(c, v) })
}

// Business is the business code of telegrams of ours, "" where the header has
// no constant for it.
func (p *Profile) Business() string {
	if pl := p.layouts[Open].business(); pl != nil {
		return pl.shown
	}
	return ""
}

func (l *layout) business() *place {
	for i := range l.places {
		if pl := &l.places[i]; pl.field == Business && pl.value != nil {
			return pl
		}
	}
	return nil
}

// ForBusiness is the profile with other business codes than the one that it is
// written with: FTS, KTB, EFT and KSN have one layout (protocols §1.2). Telegrams
// of the peer may have any of the codes. Ours have the first, unless they answer
// one that came with another, or say one by SetRaw. The error is
// CodeProfileBusiness: no constant row for it, or too narrow a one.
func (p *Profile) ForBusiness(codes ...string) (*Profile, error) {
	q := *p
	q.byType = map[string][]*layout{}
	q.businesses = businesses{}
	c := newCompiler(nil, nil)
	c.charset = p.charset
	copies := map[*layout]*layout{}
	for k, l := range p.layouts {
		if l == nil {
			continue
		}
		if copies[l] == nil {
			n := *l
			n.places = slices.Clone(l.places)
			if pl := n.business(); pl != nil {
				pl.value, pl.shown = c.fixed("business", codes[0], pl), codes[0]
				if len(q.businesses.codes) == 0 {
					for _, code := range codes {
						q.businesses.codes = append(q.businesses.codes, c.fixed("business", code, pl))
					}
				}
			}
			copies[l] = &n
			q.byType[n.typeWire] = append(q.byType[n.typeWire], &n)
		}
		q.layouts[k] = copies[l]
	}
	if len(q.businesses.codes) == 0 || len(c.problems) > 0 {
		return nil, fault.New(CodeProfileBusiness, codes[0], "profile", p.Name, "width", p.Width(Open, Business))
	}
	q.frame.prefix = p.frame.prefixWithout(p.layouts[Open])
	return &q, nil
}

// AnyBusiness is the profile for reading what was said, whatever the code.
func (p *Profile) AnyBusiness() *Profile {
	q := *p
	q.businesses.any = true
	q.frame.prefix = p.frame.prefixWithout(p.layouts[Open])
	return &q
}

// prefixWithout are the constants before the length but for the business code,
// which decoding compares.
func (f *frame) prefixWithout(l *layout) []constant {
	at := -1
	for i, off := 0, 0; i < len(l.places); i++ {
		if l.places[i].field == Business {
			at = off
		}
		off += l.places[i].width
	}
	return slices.DeleteFunc(slices.Clone(f.prefix), func(c constant) bool { return c.at == at })
}

// appendBusiness writes the constant, or what the telegram says where that is
// one of ours too.
func (p *Profile) appendBusiness(dst []byte, pl *place, t *Telegram) []byte {
	if v := t.texts[Business-numNumbers]; len(p.businesses.codes) > 1 && p.businesses.has(v) {
		return append(dst, v...)
	}
	return append(dst, pl.value...)
}

// RightBusiness reports that the telegram names the business that the profile
// is for, or that its header names none (업무구분코드).
func (p *Profile) RightBusiness(t *Telegram) bool {
	l := p.layouts[t.Kind]
	if l == nil {
		return true
	}
	pl := l.business()
	return pl == nil || bytes.Equal(t.Raw(Business), pl.value) || p.businesses.has(t.Raw(Business))
}
