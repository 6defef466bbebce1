package transfer

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"code.dny.dev/ssrf"
)

// A Source opens a remote object.
type Source interface {
	// Open returns the object from its first byte. Its body must break off
	// when ctx ends.
	Open(ctx context.Context) (*Object, error)
}

// An Object is an answer with the bytes of one.
type Object struct {
	Body   io.ReadCloser
	Size   int64       // -1 when not known
	Header http.Header // of the answer: digests and type
	Host   string      // for errors
}

// URL is a source that asks for its URL when it is needed, because such URLs
// are signed and soon die.
type URL struct {
	Client *Client
	Locate func(context.Context) (string, error)
}

func (s URL) Open(ctx context.Context) (*Object, error) {
	raw, err := s.Locate(ctx)
	if err != nil {
		return nil, err
	}
	u, err := s.Client.parse(raw)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, errUnreadable
	}
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := s.Client.http.Do(req)
	if err != nil {
		return nil, notOpened(ctx, u.Host, err)
	}
	host := resp.Request.URL.Host
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		head, _ := io.ReadAll(io.LimitReader(resp.Body, sniffLength)) // as much of it as comes
		return nil, &Error{Kind: Refused, Host: host, Status: resp.StatusCode, Err: describe(head)}
	}
	return &Object{Body: resp.Body, Size: resp.ContentLength, Header: resp.Header, Host: host}, nil
}

// notOpened explains a request that got no answer, without its signed URL.
func notOpened(ctx context.Context, host string, err error) error {
	if refused, ok := errors.AsType[*Error](err); ok {
		return refused
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if urlErr, ok := errors.AsType[*url.Error](err); ok {
		err = urlErr.Err
	}
	if strings.Contains(err.Error(), "://") { // a redirect that can't be read is quoted
		err = errors.New("its answer is malformed")
	}
	for _, guard := range []error{ssrf.ErrProhibitedNetwork, ssrf.ErrProhibitedPort, ssrf.ErrProhibitedIP} {
		if errors.Is(err, guard) {
			return &Error{Kind: Forbidden, Host: host, Err: errNotPublic}
		}
	}
	return &Error{Kind: Unreachable, Host: host, Err: err}
}

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
		return fmt.Errorf("%.60q: %.200q", ossError.Code, ossError.Message)
	case strings.HasPrefix(http.DetectContentType(trimmed), "text/html"):
		return errors.New("an HTML page")
	case bytes.HasPrefix(trimmed, []byte("{")):
		return fmt.Errorf("JSON: %.200q", trimmed)
	case len(trimmed) > 0 && isText(trimmed):
		return fmt.Errorf("text: %.200q", trimmed)
	}
	return nil
}
