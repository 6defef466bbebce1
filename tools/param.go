package tools

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"minimax-files-mcp/minimax"
)

// A Param is one argument of a tool: its schema, and how a value is checked.
type Param struct {
	Name        string
	Type        ParamType
	Description string // names the tool that yields the value, where one does
	Required    bool
	Min, Max    int      // of an integer
	Enum        []string // of a string; nil means any
	Example     string   // of a required string
	Default     any      // told to clients; the function applies it
}

// ParamType is what a param takes.
type ParamType int

// The types.
const (
	String ParamType = iota
	Integer
	ID   // a string in the schema; an integer is taken too, and kept exact
	Time // a string in the schema; Unix seconds are taken as a number too
	Bool
	Base64 // bytes; a string in the schema
)

// MarshalJSON is the param's JSON Schema.
func (p Param) MarshalJSON() ([]byte, error) {
	schema := struct {
		Type        string   `json:"type"`
		Description string   `json:"description"`
		Minimum     *int     `json:"minimum,omitempty"`
		Maximum     *int     `json:"maximum,omitempty"`
		Enum        []string `json:"enum,omitempty"`
		Default     any      `json:"default,omitempty"`
	}{Type: "string", Description: p.Description, Enum: p.Enum, Default: p.Default}
	switch p.Type {
	case Integer:
		schema.Type, schema.Minimum, schema.Maximum = "integer", &p.Min, &p.Max
	case Bool:
		schema.Type = "boolean"
	default:
	}
	return json.Marshal(schema)
}

// inputSchema is in the subset of JSON Schema that every client and model
// takes: no unions, no references, no type arrays.
func (t Tool) inputSchema() json.RawMessage {
	var b bytes.Buffer
	b.WriteString(`{"type":"object","properties":{`)
	required := []string{}
	for i, p := range t.Params {
		if i > 0 {
			b.WriteByte(',')
		}
		property, _ := json.Marshal(p) // strings and numbers
		fmt.Fprintf(&b, "%q:%s", p.Name, property)
		if p.Required {
			required = append(required, p.Name)
		}
	}
	b.WriteByte('}')
	if len(required) > 0 {
		list, _ := json.Marshal(required)
		fmt.Fprintf(&b, `,"required":%s`, list)
	}
	b.WriteString(`,"additionalProperties":false}`)
	return b.Bytes()
}

// usageError is an error whose text is complete: it says what to do next.
type usageError struct {
	text string
	code string // "usage" if empty
}

func (e *usageError) Error() string { return e.text }

// decode checks a call's arguments and returns them as an object that holds
// known names only, each of its declared type. An empty string, which many
// models send for an optional argument, counts as not given.
func (t Tool) decode(raw json.RawMessage) (json.RawMessage, error) {
	fail := func(format string, args ...any) error {
		return &usageError{text: t.Name + ": " + fmt.Sprintf(format, args...)}
	}
	given := map[string]json.RawMessage{}
	if trimmed := bytes.TrimSpace(raw); len(trimmed) > 0 && !bytes.Equal(trimmed, []byte("null")) {
		if err := json.Unmarshal(raw, &given); err != nil {
			return nil, fail("the arguments are not a JSON object. Pass %s.", t.example())
		}
	}
	names := make([]string, len(t.Params))
	for i, p := range t.Params {
		names[i] = p.Name
	}
	unknown := []string{}
	for name := range given {
		if !slices.Contains(names, name) {
			unknown = append(unknown, strconv.Quote(truncate(name, 60)))
		}
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		return nil, fail("unknown argument %s. The arguments are %s; call again with those only.",
			strings.Join(unknown, ", "), strings.Join(names, ", "))
	}
	args := map[string]any{}
	for _, p := range t.Params {
		value, err := p.read(given[p.Name])
		switch {
		case err != nil:
			return nil, fail("%s %v. %s", p.Name, err, p.Description)
		case value != nil:
			args[p.Name] = value
		case p.Required:
			return nil, fail("%s is missing. Pass %s. %s", p.Name, t.example(), p.Description)
		}
	}
	return json.Marshal(args)
}

// read returns nil for a value that was not given.
func (p Param) read(raw json.RawMessage) (any, error) {
	if len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
		return nil, nil
	}
	if raw[0] == '"' {
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return nil, err
		}
		return p.readText(s)
	}
	switch {
	case p.Type == Bool:
		return p.readText(string(raw))
	case p.Type == String, p.Type == Base64:
		return nil, fmt.Errorf("must be a string, not %s", truncate(string(raw), 40))
	case raw[0] != '-' && (raw[0] < '0' || raw[0] > '9'):
		return nil, fmt.Errorf("must be %s, not %s", p.typeName(), truncate(string(raw), 40))
	}
	return p.readText(string(raw))
}

func (p Param) readText(s string) (any, error) {
	if s == "" && !p.Required {
		return nil, nil
	}
	switch p.Type {
	case ID:
		id, err := minimax.ParseID(s)
		if err != nil {
			return nil, fmt.Errorf("is not one MiniMax could have given: %w", err)
		}
		return string(id), nil
	case Integer:
		n, err := strconv.ParseFloat(s, 64)
		if err != nil || n != math.Trunc(n) || n < float64(p.Min) || n > float64(p.Max) {
			return nil, fmt.Errorf("must be a whole number from %d to %d, not %s", p.Min, p.Max, truncate(s, 40))
		}
		return int(n), nil
	case Time:
		return readTime(s)
	case Base64:
		return readBase64(s)
	case Bool:
		if s != "true" && s != "false" {
			return nil, fmt.Errorf("must be true or false, not %s", truncate(s, 40))
		}
		return s == "true", nil
	default:
		if len(p.Enum) > 0 && !slices.Contains(p.Enum, s) {
			return nil, fmt.Errorf("must be one of %s, not %q", strings.Join(p.Enum, ", "), truncate(s, 40))
		}
		return s, nil
	}
}

// readBase64 returns the bytes of base64 in any of its spellings, also of a
// data: URL.
func readBase64(s string) (any, error) {
	if rest, ok := strings.CutPrefix(s, "data:"); ok {
		if _, data, found := strings.Cut(rest, ";base64,"); found {
			s = data
		}
	}
	s = strings.TrimRight(strings.NewReplacer("-", "+", "_", "/", "\n", "", "\r", "").Replace(s), "=")
	content, err := base64.RawStdEncoding.DecodeString(s)
	if err != nil {
		return nil, errors.New("is not base64")
	}
	return content, nil
}

// readTime returns Unix seconds.
func readTime(s string) (any, error) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		if n >= 1e11 { // in seconds that is the year 5138
			return nil, fmt.Errorf("must be in seconds, and %d looks like milliseconds", n)
		}
		return n, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", time.DateTime, time.DateOnly} {
		if at, err := time.Parse(layout, s); err == nil {
			return at.Unix(), nil
		}
	}
	return nil, fmt.Errorf("must be a time, such as 2026-09-23T10:00:00Z, 2026-09-23 or 1790145841, not %q", truncate(s, 40))
}

func (p Param) typeName() string {
	switch p.Type {
	case Integer:
		return fmt.Sprintf("a whole number from %d to %d", p.Min, p.Max)
	case Time:
		return "a time, such as 2026-09-23T10:00:00Z"
	default:
		return `a string, such as "176844028768320"`
	}
}

// example is a call's smallest right arguments.
func (t Tool) example() string {
	args := []string{}
	for _, p := range t.Params {
		switch {
		case p.Required && len(p.Enum) > 0:
			args = append(args, fmt.Sprintf(`%q: %q`, p.Name, p.Enum[0]))
		case p.Required:
			args = append(args, fmt.Sprintf(`%q: %q`, p.Name, cmp.Or(p.Example, "176844028768320")))
		}
	}
	return "{" + strings.Join(args, ", ") + "}"
}

func truncate(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
