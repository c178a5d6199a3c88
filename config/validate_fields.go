package config

import (
	"fmt"

	"pabal/internal/fault"
	"pabal/internal/mask"
)

// fields must lie within the record, and what one hides another must not show.
func (v *validator) fields(path string, r *Record) {
	var types []string
	for _, t := range mask.Types() {
		types = append(types, string(t))
	}
	names := map[string]string{}
	for n, f := range r.Fields {
		at := fmt.Sprintf("%s.fields[%d]", path, n)
		if v.required(at, "name", f.Name) {
			v.unique(names, at+".name", f.Name+"\x00"+f.Starts, f.Name)
		}
		if v.required(at, "type", f.Type) {
			v.oneOf(at+".type", f.Type, types...)
		}
		v.between(at+".offset", int64(f.Offset), 0, 1<<20)
		most := int64(1 << 20)
		if r.Length > 0 {
			most = int64(r.Length - f.Offset)
		}
		v.between(at+".length", int64(f.Length), 1, max(1, most))
		for _, other := range r.Fields[:n] {
			apart := f.Offset >= other.Offset+other.Length || other.Offset >= f.Offset+f.Length
			if !apart && (f.Starts == other.Starts || f.Starts == "" || other.Starts == "") {
				v.add(at+".offset", fault.New(CodeFieldsOverlap, f.Name, "other", other.Name))
			}
		}
	}
}
