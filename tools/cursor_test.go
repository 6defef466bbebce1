package tools

import (
	"testing"
	"unicode/utf8"

	"minimax-files-mcp/minimax"
)

// FuzzCursor holds that what was sealed opens as it was, with its key alone,
// and that no other text opens at all.
func FuzzCursor(f *testing.F) {
	f.Add("voice_clone", "mp3", int64(0), int64(1790145841), "176844028768320", "BhEVCrMD8wgBQ3pVeyJjIjoxNzkw")
	f.Fuzz(func(t *testing.T, purpose, name string, after, at int64, id, text string) {
		key := []byte("key")
		if c, ok := openCursor(text, key); ok {
			t.Errorf("%q opens as %+v", text, c)
		}
		parsed, err := minimax.ParseID(id)
		if err != nil || !utf8.ValidString(purpose) || !utf8.ValidString(name) {
			return
		}
		sealed := cursor{purpose, name, after, 20, at, parsed}
		token := sealed.seal(key)
		if opened, ok := openCursor(token, key); !ok || opened != sealed {
			t.Errorf("%+v opens as %+v, %v", sealed, opened, ok)
		}
		if _, ok := openCursor(token, []byte("another key")); ok {
			t.Error("it opens with another key")
		}
		if _, ok := openCursor(token+text, key); ok && text != "" {
			t.Errorf("it opens with %q behind it", text)
		}
	})
}
