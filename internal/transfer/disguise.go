package transfer

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"

	"github.com/gabriel-vasile/mimetype"
)

// sniff reads the first bytes of a body, finds an error that was sent as if it
// were the object, and puts the bytes back.
func (r *run) sniff(obj *Object, body *idleBody) error {
	head := make([]byte, sniffLength)
	n, err := io.ReadFull(body, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return r.broken(body.ctx, obj.Host, err)
	}
	if n == 0 && err != nil && obj.Size > 0 {
		return r.broken(body.ctx, obj.Host, err)
	}
	body.head = head[:n]
	return disguised(obj, head[:n], r.opts)
}

// disguised tells an error in the object's place from the object.
func disguised(obj *Object, head []byte, opts Options) error {
	if len(head) == 0 {
		return &Error{Kind: Disguised, Host: obj.Host, Err: errors.New("nothing at all")}
	}
	if encoding := obj.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return &Error{Kind: Disguised, Host: obj.Host, Err: fmt.Errorf("it is encoded as %.40q, which was not asked for", encoding)}
	}
	trimmed := bytes.TrimSpace(head)
	looksLikeError := strings.HasPrefix(obj.Header.Get("Content-Type"), "text/html") ||
		opts.Media && isText(head) && (obj.Size < 0 || int64(len(head)) == min(obj.Size, sniffLength)) ||
		bytes.HasPrefix(trimmed, []byte("{")) && bytes.Contains(head, []byte(`"base_resp"`)) ||
		bytes.HasPrefix(trimmed, []byte("<")) && bytes.Contains(head, []byte("<Error>")) && bytes.Contains(head, []byte("<Code>"))
	if !looksLikeError {
		return nil
	}
	return &Error{Kind: Disguised, Host: obj.Host, Err: describe(head)}
}

// isText reports text of any sort: plain, JSON, XML, HTML.
func isText(head []byte) bool {
	for kind := mimetype.Detect(head); kind != nil; kind = kind.Parent() {
		if kind.Is("text/plain") {
			return true
		}
	}
	return false
}

// queryOf is what follows a question mark: of a URL, its signature.
var queryOf = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\?[^\s<>"']+`) })

func withoutQueries(s string) string { return queryOf().ReplaceAllString(s, "?…") }

// describe says what an answer that is not the object was, if it can be told.
func describe(head []byte) error {
	var ossError struct {
		XMLName xml.Name `xml:"Error"`
		Code    string   `xml:"Code"`
		Message string   `xml:"Message"`
	}
	trimmed := bytes.TrimSpace(head)
	switch {
	case xml.Unmarshal(trimmed, &ossError) == nil:
		return fmt.Errorf("%.60q: %.200q", ossError.Code, withoutQueries(ossError.Message))
	case strings.HasPrefix(http.DetectContentType(trimmed), "text/html"):
		return errors.New("an HTML page")
	case bytes.HasPrefix(trimmed, []byte("{")):
		return fmt.Errorf("JSON: %.200q", withoutQueries(string(trimmed)))
	case len(trimmed) > 0 && isText(trimmed):
		return fmt.Errorf("text: %.200q", withoutQueries(string(trimmed)))
	}
	return nil
}
