package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"code.dny.dev/ssrf"
)

// A Source opens a remote object.
type Source interface {
	// Open sends one request. The body of what it returns must break off when
	// ctx ends. A source that can't serve from the middle returns the object
	// from its first byte.
	Open(ctx context.Context, req Request) (*Object, error)
}

// A Request says which bytes are wanted.
type Request struct {
	Offset  int64
	End     int64  // exclusive; 0 means to the end of the object
	IfRange string // the ETag the bytes must be of; "" if any will do
	Fresh   bool   // what the source knew of the object's place has died
}

// An Object is an answer with bytes of one.
type Object struct {
	Body   io.ReadCloser
	Offset int64 // of the body's first byte in the object
	Size   int64 // of the whole object; -1 when not known
	Ranges bool  // requests for ranges are understood
	Header http.Header
	Host   string // for errors
}

// URL is a source that asks for its URL when it is needed, because such URLs
// are signed and soon die.
type URL struct {
	Client *Client
	// Locate returns the URL; with fresh, not one it has returned before.
	Locate func(ctx context.Context, fresh bool) (string, error)
}

func (s URL) Open(ctx context.Context, want Request) (*Object, error) {
	raw, err := s.Locate(ctx, want.Fresh)
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
	if want.Offset > 0 || want.End > 0 {
		last := ""
		if want.End > 0 {
			last = strconv.FormatInt(want.End-1, 10)
		}
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-%s", want.Offset, last))
		if want.IfRange != "" {
			req.Header.Set("If-Range", want.IfRange)
		}
	}
	resp, err := s.Client.http.Do(req)
	if err != nil {
		return nil, notOpened(ctx, u.Host, err)
	}
	host := resp.Request.URL.Host
	switch resp.StatusCode {
	case http.StatusOK:
		return &Object{
			Body: resp.Body, Size: resp.ContentLength, Header: resp.Header, Host: host,
			Ranges: strings.EqualFold(resp.Header.Get("Accept-Ranges"), "bytes"),
		}, nil
	case http.StatusPartialContent:
		offset, size, err := parseContentRange(resp.Header.Get("Content-Range"), resp.ContentLength)
		if err != nil {
			resp.Body.Close()
			return nil, &Error{Kind: Disguised, Host: host, Err: err}
		}
		return &Object{Body: resp.Body, Offset: offset, Size: size, Ranges: true, Header: resp.Header, Host: host}, nil
	}
	defer resp.Body.Close()
	head, _ := io.ReadAll(io.LimitReader(resp.Body, sniffLength)) // as much of it as comes
	return nil, &Error{
		Kind: Refused, Host: host, Status: resp.StatusCode, Err: describe(head),
		RetryAfter: retryAfter(resp.Header.Get("Retry-After"), time.Now()),
	}
}

// parseContentRange reads "bytes FIRST-LAST/SIZE" and holds it against the
// length of the body, -1 if that is not known.
func parseContentRange(header string, length int64) (offset, size int64, err error) {
	wrong := fmt.Errorf("its Content-Range is %.60q", header)
	span, whole, ok := strings.Cut(strings.TrimPrefix(header, "bytes "), "/")
	first, last, ok2 := strings.Cut(span, "-")
	if !ok || !ok2 || !strings.HasPrefix(header, "bytes ") {
		return 0, 0, wrong
	}
	var end int64
	for _, number := range []struct {
		text string
		into *int64
	}{{first, &offset}, {last, &end}, {whole, &size}} {
		n, err := strconv.ParseUint(number.text, 10, 63)
		if err != nil {
			return 0, 0, wrong
		}
		*number.into = int64(n)
	}
	if offset > end || end >= size || length >= 0 && length != end-offset+1 {
		return 0, 0, wrong
	}
	return offset, size, nil
}

// retryAfter reads the header's two forms, seconds and a date.
func retryAfter(header string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(header); err == nil && seconds > 0 {
		return time.Duration(min(seconds, 24*60*60)) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
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
	if strings.Contains(err.Error(), "?") || strings.Contains(err.Error(), "://") || strings.Contains(err.Error(), "Location") { // a redirect that can't be read is quoted
		err = errors.New("its answer is malformed")
	}
	if errors.Is(err, ssrf.ErrProhibitedIP) {
		return &Error{Kind: Forbidden, Host: host, Err: errNotPublic}
	}
	return &Error{Kind: Unreachable, Host: host, Err: err}
}
