package minimax

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// An ID names a file or a task. It is text, because the API writes the same
// id as a JSON number in one answer and as a string in the next, and because
// some resellers use opaque text; a number is never routed through a float.
type ID string

const maxIDLength = 64

// ParseID checks an id that a person or a program typed. It accepts a decimal
// number up to 9223372036854775807 (the API's int64) and the opaque ids of
// resellers: up to 64 letters, digits, '-' and '_'. The error says in words
// what is wrong; it does not repeat the operation.
func ParseID(s string) (ID, error) {
	s = strings.TrimSpace(s)
	switch {
	case s == "":
		return "", errors.New("the id is empty")
	case len(s) > maxIDLength:
		return "", fmt.Errorf("the id is %d characters long, at most %d are possible", len(s), maxIDLength)
	case isDigits(s):
		if _, err := strconv.ParseInt(s, 10, 64); err != nil {
			return "", fmt.Errorf("the id %s is larger than %d, the largest there is", s, math.MaxInt64)
		}
		return ID(s), nil
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		if f < 0 {
			return "", fmt.Errorf("the id %s is negative", s)
		}
		return "", fmt.Errorf("the id %s is not a whole number in plain digits", s)
	}
	for _, r := range s {
		if !isIDRune(r) {
			return "", fmt.Errorf("the id %q holds %q, which no id has", s, r)
		}
	}
	return ID(s), nil
}

// UnmarshalJSON reads an id from a JSON string, an integer or null, without
// loss. Null and "" (a task that still runs) are the empty ID.
func (id *ID) UnmarshalJSON(data []byte) error {
	data = bytes.TrimSpace(data)
	switch {
	case bytes.Equal(data, []byte("null")):
		*id = ""
		return nil
	case len(data) > 0 && data[0] == '"':
		var s string
		if err := json.Unmarshal(data, &s); err != nil {
			return err
		}
		if s == "" {
			*id = ""
			return nil
		}
		parsed, err := ParseID(s)
		if err != nil {
			return err
		}
		*id = parsed
		return nil
	case len(data) <= maxIDLength && isDigits(strings.TrimPrefix(string(data), "-")):
		*id = ID(data)
		return nil
	}
	return fmt.Errorf("the id %.80s is neither a whole number nor text", data)
}

// Compare orders ids: numbers by value, before opaque text in byte order.
func (id ID) Compare(other ID) int {
	a, b := string(id), string(other)
	switch aNum, bNum := isDigits(a), isDigits(b); {
	case aNum && bNum:
		a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	case aNum:
		return -1
	case bNum:
		return 1
	}
	return cmp.Compare(a, b)
}

// jsonNumber is the id as the delete endpoint wants it: a bare JSON number. It
// answers a string with "invalid params". Opaque ids stay strings.
func (id ID) jsonNumber() json.RawMessage {
	if isDigits(string(id)) {
		return json.RawMessage(strings.TrimLeft(string(id[:len(id)-1]), "0") + string(id[len(id)-1:]))
	}
	quoted, _ := json.Marshal(string(id)) // a string always marshals
	return quoted
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

func isIDRune(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '-' || r == '_'
}
