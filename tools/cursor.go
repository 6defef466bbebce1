package tools

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"

	"minimax-files-mcp/minimax"
)

// A cursor is where a page of list_files ended, and what was being listed. It
// is all there is: the server remembers nothing, so it works after a restart
// and on another replica. The next page is what sorts after it, so files that
// come or go in between are neither repeated nor do they push others out.
type cursor struct {
	Purpose      string     `json:"p,omitempty"`
	NameContains string     `json:"n,omitempty"`
	CreatedAfter int64      `json:"a,omitempty"`
	Limit        int        `json:"l"`
	CreatedAt    int64      `json:"c"`
	ID           minimax.ID `json:"i"`
}

const cursorMAC = 12 // bytes; enough against guessing, and short

// seal makes the cursor opaque text that only this caller's key can have made.
func (c cursor) seal(key []byte) string {
	body, _ := json.Marshal(c) // strings and numbers
	return base64.RawURLEncoding.EncodeToString(append(mac(key, body), body...))
}

// openCursor reports false for anything seal did not make with this key.
func openCursor(text string, key []byte) (c cursor, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) < cursorMAC || base64.RawURLEncoding.EncodeToString(raw) != text {
		return c, false // the decoder is lenient; a cursor is written in one way
	}
	sum, body := raw[:cursorMAC], raw[cursorMAC:]
	if !hmac.Equal(sum, mac(key, body)) || json.Unmarshal(body, &c) != nil {
		return cursor{}, false
	}
	return c, true
}

func mac(key, body []byte) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte("list_files cursor 1\x00"))
	m.Write(body)
	return m.Sum(nil)[:cursorMAC]
}
