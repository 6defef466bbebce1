package config

import (
	"fmt"
	"log/slog"
	"strings"
	"unicode"
)

// A Secret is text that no verb of fmt, no JSON and no slog handler prints.
type Secret struct{ text string }

const hidden = "***"

// Reveal returns the text.
func (s Secret) Reveal() string { return s.text }

// IsSet reports whether there is any text.
func (s Secret) IsSet() bool { return s.text != "" }

func (s Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.String()) }
func (s Secret) LogValue() slog.Value       { return slog.StringValue(s.String()) }

// MarshalText also serves encoding/json.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func (s Secret) String() string {
	if s.text == "" {
		return ""
	}
	return hidden
}

// UnmarshalText takes the text as it is.
func (s *Secret) UnmarshalText(text []byte) error {
	s.text = string(text)
	return nil
}

// Secrets are several texts that are kept like one.
type Secrets struct{ texts []string }

// Reveal returns the texts.
func (s Secrets) Reveal() []string { return s.texts }

func (s Secrets) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.String()) }
func (s Secrets) LogValue() slog.Value       { return slog.StringValue(s.String()) }

// MarshalText also serves encoding/json.
func (s Secrets) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func (s Secrets) String() string {
	if len(s.texts) == 0 {
		return ""
	}
	return hidden
}

// UnmarshalText takes words with commas or white space between.
func (s *Secrets) UnmarshalText(text []byte) error {
	s.texts = strings.FieldsFunc(string(text), func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
	return nil
}
