package tools

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// outputSchema describes Out, in the subset of JSON Schema that every client
// takes. It must be a struct whose slices are never nil: the schema allows no
// null, which some clients refuse to read in a type. A field that may be left
// out is omitempty; a jsonschema tag describes it.
func outputSchema[Out any]() json.RawMessage {
	raw, err := json.Marshal(schemaOf(reflect.TypeFor[Out]()))
	if err != nil {
		panic(fmt.Sprintf("tools: %v", err)) // a type of this package; any test finds it
	}
	return raw
}

// schema is as much of a JSON Schema as results need.
type schema struct {
	Type                 string     `json:"type"`
	Description          string     `json:"description,omitempty"`
	Items                *schema    `json:"items,omitempty"`
	Properties           properties `json:"properties,omitempty"`
	Required             []string   `json:"required,omitempty"`
	AdditionalProperties *bool      `json:"additionalProperties,omitempty"`
}

// properties keep the order of a struct's fields.
type properties []property

type property struct {
	name   string
	schema schema
}

func (p properties) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, property := range p {
		if i > 0 {
			b = append(b, ',')
		}
		text, err := json.Marshal(property.schema)
		if err != nil {
			return nil, err
		}
		b = fmt.Appendf(b, "%q:%s", property.name, text)
	}
	return append(b, '}'), nil
}

func schemaOf(t reflect.Type) schema {
	switch t.Kind() {
	case reflect.Pointer:
		return schemaOf(t.Elem())
	case reflect.String:
		return schema{Type: "string"}
	case reflect.Bool:
		return schema{Type: "boolean"}
	case reflect.Int, reflect.Int64:
		return schema{Type: "integer"}
	case reflect.Slice:
		items := schemaOf(t.Elem())
		return schema{Type: "array", Items: &items}
	case reflect.Struct:
		return schemaOfStruct(t)
	default:
		panic(fmt.Sprintf("tools: a result can't hold %s", t)) // any test finds it
	}
}

func schemaOfStruct(t reflect.Type) schema {
	s := schema{Type: "object", Properties: properties{}, AdditionalProperties: new(bool)}
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() {
			continue
		}
		field := schemaOf(f.Type)
		field.Description = f.Tag.Get("jsonschema")
		s.Properties = append(s.Properties, property{name, field})
		if options != "omitempty" {
			s.Required = append(s.Required, name)
		}
	}
	return s
}
