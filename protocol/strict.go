package protocol

import (
	"bytes"

	"gopkg.in/yaml.v3"
)

// strict decodes a node and refuses unknown keys; yaml.v3 forgets that wish
// inside UnmarshalYAML.
func strict(n *yaml.Node, into any) error {
	src, err := yaml.Marshal(n)
	if err != nil {
		return err
	}
	dec := yaml.NewDecoder(bytes.NewReader(src))
	dec.KnownFields(true)
	return dec.Decode(into)
}
