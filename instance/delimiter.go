package instance

import "bytes"

// delimiterSearch looks in the wire bytes of a file for what ends a telegram in
// profiles that have no length: the peer would cut a telegram there, in every
// session anew, so such a file is refused when it is stored (protocols §4.12).
// It also finds one that stands across two pieces: they may travel in one
// telegram after a resume with another message size.
type delimiterSearch struct {
	delimiter []byte // none = nothing is found
	tail      []byte // the last bytes before the next piece, one less than the delimiter has
	read      int64
}

// in looks at the next piece and says where the delimiter begins in the file.
func (d *delimiterSearch) in(piece []byte) (at int64, found bool) {
	if len(d.delimiter) == 0 {
		return 0, false
	}
	short := len(d.delimiter) - 1
	seam := append(d.tail, piece[:min(short, len(piece))]...)
	if n := bytes.Index(seam, d.delimiter); n >= 0 {
		return d.read - int64(len(d.tail)) + int64(n), true
	}
	if n := bytes.Index(piece, d.delimiter); n >= 0 {
		return d.read + int64(n), true
	}
	last := seam
	if len(piece) >= short {
		last = piece
	}
	d.tail = append([]byte(nil), last[max(0, len(last)-short):]...)
	d.read += int64(len(piece))
	return 0, false
}
