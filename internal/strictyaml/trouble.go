package strictyaml

import (
	"errors"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"pabal/internal/fault"
)

// Trouble is what the YAML library does not like, in words of the catalogue.
type Trouble struct {
	Line int // from 1
	What fault.Phrase
}

var (
	atLine    = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?(.*)$`)
	wrongKind = regexp.MustCompile("^cannot unmarshal !!\\w+ (?:`(.*)` )?into (.+)$")
	keyTwice  = regexp.MustCompile(`^mapping key "(.*)" already defined at line (\d+)$`)
	noAnchor  = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)
)

// Troubles reads an error of the library, which has only English text. What it
// rarely says stays as it is.
func Troubles(err error) []Trouble {
	texts := []string{err.Error()}
	if many := (*yaml.TypeError)(nil); errors.As(err, &many) {
		texts = many.Errors
	}
	out := make([]Trouble, 0, len(texts))
	for _, text := range texts {
		t := Trouble{Line: 1, What: fault.Say("yaml_other", "text", text)}
		if m := atLine.FindStringSubmatch(text); m != nil {
			if n, err := strconv.Atoi(m[1]); err == nil {
				t.Line = n
			}
			t.What = words(m[2])
		}
		out = append(out, t)
	}
	return out
}

// WrongKind is an error as the library makes them, for types that read a value
// themselves: of the node only a value of the Go type named can be taken.
func WrongKind(n *yaml.Node, goType string) error {
	value := ""
	if n.Kind == yaml.ScalarNode {
		value = "`" + n.Value + "` "
	}
	return &yaml.TypeError{Errors: []string{"line " + strconv.Itoa(n.Line) + ": cannot unmarshal " + n.ShortTag() + " " + value + "into " + goType}}
}

func words(text string) fault.Phrase {
	if m := wrongKind.FindStringSubmatch(text); m != nil {
		if m[1] == "" {
			return fault.Say("want_here", "want", kind(m[2]))
		}
		return fault.Say("not_a", "value", m[1], "want", kind(m[2]))
	}
	if m := keyTwice.FindStringSubmatch(text); m != nil {
		return fault.Say("key_twice", "key", m[1], "first", m[2])
	}
	if m := noAnchor.FindStringSubmatch(text); m != nil {
		return fault.Say("yaml_anchor", "name", m[1])
	}
	switch text {
	case "did not find expected key":
		return fault.Say("yaml_key")
	case "did not find expected '-' indicator":
		return fault.Say("yaml_item")
	case "did not find expected ',' or ']'":
		return fault.Say("yaml_list")
	case "did not find expected ',' or '}'":
		return fault.Say("yaml_map")
	case "could not find expected ':'":
		return fault.Say("yaml_colon")
	case "mapping values are not allowed in this context":
		return fault.Say("yaml_nested")
	case "found character that cannot start any token":
		return fault.Say("yaml_character")
	case "found unexpected end of stream":
		return fault.Say("yaml_quote")
	case "found unknown escape character":
		return fault.Say("yaml_escape")
	case "did not find expected node content":
		return fault.Say("yaml_content")
	case "block sequence entries are not allowed in this context":
		return fault.Say("yaml_dash")
	case "found a tab character that violates indentation", "found a tab character where an indentation space is expected":
		return fault.Say("yaml_tab")
	}
	return fault.Say("yaml_other", "text", text)
}

// kind is what a value of a Go type is called.
func kind(goType string) fault.Phrase {
	switch {
	case goType == "bool":
		return fault.Say("true_or_false")
	case strings.HasPrefix(goType, "int"), strings.HasPrefix(goType, "uint"):
		return fault.Say("whole_number")
	case goType == "string":
		return fault.Say("single_value")
	case strings.HasSuffix(goType, "Duration"):
		return fault.Say("a_time", "example", "60s")
	case strings.HasPrefix(goType, "[]"):
		return fault.Say("a_list")
	}
	return fault.Say("a_map")
}
