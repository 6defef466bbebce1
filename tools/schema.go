package tools

import (
	"encoding/json"
	"fmt"

	"github.com/google/jsonschema-go/jsonschema"
)

// outputSchema describes Out. It must be a struct whose slices are never nil:
// the schema allows no null, which some clients refuse to read in a type.
func outputSchema[Out any]() json.RawMessage {
	schema, err := jsonschema.For[Out](nil)
	if err != nil {
		panic(fmt.Sprintf("tools: %v", err)) // a type of this package; any test finds it
	}
	dropNull(schema)
	raw, err := json.Marshal(schema)
	if err != nil {
		panic(fmt.Sprintf("tools: %v", err))
	}
	return raw
}

func dropNull(s *jsonschema.Schema) {
	for _, t := range s.Types {
		if t != "null" {
			s.Type = t
		}
	}
	s.Types = nil
	for _, property := range s.Properties {
		dropNull(property)
	}
	if s.Items != nil {
		dropNull(s.Items)
	}
}
