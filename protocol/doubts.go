package protocol

import "pabal/internal/fault"

// doubt notes what is allowed at path and seldom meant, once. A profile loads
// with it.
func (c *compiler) doubt(path string, code fault.Code, subject string, kv ...any) {
	key := path + " " + string(code)
	if c.said[key] {
		return
	}
	c.said[key] = true
	at, line := lineOf(c.root, path)
	e := fault.New(code, subject, append(kv, "line", line, "file", c.origins[at])...)
	c.doubts = append(c.doubts, fault.Problem{Path: path, Err: e})
}

// doubtName: a name that is nearly one of ours makes a field of the profile's
// own, which nobody fills and nobody reads.
func (c *compiler) doubtName(path, name string) {
	if near := likely(name, fieldNames()); near != "" {
		c.doubt(path+".field", CodeProfileNear, name, "near", near)
	}
}

// doubtDigits: a numeric row is filled with zeros from the left, and the zeros
// that a name begins with are lost in it.
func (c *compiler) doubtDigits(path string, s FieldSpec, f Field) {
	if (f == Name || f == QueryName) && s.Type == "N" && s.Value == "" && s.Fill == "" && s.Align == "" {
		c.doubt(path+".type", CodeProfileZeros, s.Field)
	}
}
