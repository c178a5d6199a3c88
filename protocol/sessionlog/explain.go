package sessionlog

import "pabal/protocol"

// Explain tells in the words of a profile what a record has of the line, and
// gives the bytes as they may be shown to anybody: passwords and content are
// asterisks. Both are empty where the record has nothing of it.
//
// A piece of a file that one telegram carries is data and nothing else; of bytes
// before the first telegram By says whose they are.
func (r *Record) Explain(p *protocol.Profile) (e protocol.Explained, shown []byte) {
	b := r.Frame()
	switch {
	case r.What == WhatBytes:
		return protocol.ExplainBytes(r.By, int(r.Bytes), b), b
	case b == nil:
		return e, nil
	case r.What == WhatMore:
		row := protocol.Told{Field: p.FieldName(protocol.Data), Width: len(b), Hidden: true}
		return protocol.Explained{Kind: protocol.DataTelegram, Bytes: len(b), Rows: []protocol.Told{row}}, nil
	}
	e = p.Explain(b)
	return e, p.Masked(nil, b, e.Err, true)
}
