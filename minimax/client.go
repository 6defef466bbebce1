// Package minimax is a client for the MiniMax File API: upload, list,
// retrieve, download and delete files. [Client] is its center; every failure
// is an [*Error]; an [ID] keeps its digits whichever way the API wrote them.
//
// The API's documentation: https://platform.minimax.io/docs/api-reference/file-management-intro
package minimax

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// A Client calls the MiniMax File API. Its fields are read, never written, by
// its methods, which may be called from several goroutines. The zero value is
// a client of the global region without a key: every call answers [ErrNoKey].
type Client struct {
	// BaseURL is the server, with a path prefix where a reseller has one:
	// "https://api.minimax.io" (the default), "https://example.com/minimax".
	BaseURL string
	// Key gives the API key for a call. It is a function so that no printed
	// Client shows a key, and so that each call can bring its own. The key is
	// sent to the host of BaseURL and to no other.
	Key func(context.Context) string
	// GroupID gives the GroupId parameter for a call, which old accounts need; nil,
	// or "", leaves it out.
	GroupID func(context.Context) string
	// Query holds parameters added to every call, as some resellers want.
	Query url.Values
	// HTTP sends the requests; nil means [NewHTTPClient]. It must not follow
	// redirects.
	HTTP *http.Client
	// Retry bounds the retries of calls that are safe to repeat.
	Retry Retry
	// UserAgent names the program; "" means Go's default.
	UserAgent string
	// Log gets retries at debug level; nil means none.
	Log *slog.Logger
	// Retried is called before a call is repeated; nil means nobody.
	Retried func()
}

// Retry says how often and how patiently a call is repeated. Zero fields take
// the defaults named beside them.
type Retry struct {
	Tries   uint          // attempts in all; 4
	Initial time.Duration // first wait, doubled and jittered from there; 300 ms
	Max     time.Duration // longest wait, also of a Retry-After that is obeyed; 8 s
}

// callTimeout bounds one attempt of a call that is answered with JSON. File
// bytes, in either direction, have no total bound.
const callTimeout = 20 * time.Second

// giveUp is the time after which no further attempt is started: an agent gives
// up after about 60 seconds of silence, and shall hear why before that.
const giveUp = 30 * time.Second

// NewHTTPClient returns a client with a timeout for each phase of a call but
// none for a body, and that reports a redirect instead of following it: the
// key must not travel to another host.
func NewHTTPClient() *http.Client {
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            dialer.DialContext,
			ForceAttemptHTTP2:      true,
			TLSHandshakeTimeout:    10 * time.Second,
			ResponseHeaderTimeout:  30 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
			MaxIdleConnsPerHost:    64, // of a server for a team
			IdleConnTimeout:        90 * time.Second,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

var defaultHTTPClient = sync.OnceValue(NewHTTPClient)

// A call is one request, in a form that can be sent again.
type call struct {
	op     string // "retrieve file 1", for errors
	method string
	path   string
	query  url.Values
	header http.Header
	body   io.Reader
	length int64
	stream bool // the body is a file's bytes: no bound on the whole attempt
	once   bool // not to be repeated once bytes have left
}

// repeat runs attempt until it succeeds, fails for good, or the retries are
// used up.
func (c *Client) repeat(ctx context.Context, once bool, attempt func() error) error {
	policy := backoff.NewExponentialBackOff()
	policy.InitialInterval = cmp.Or(c.Retry.Initial, 300*time.Millisecond)
	policy.MaxInterval = cmp.Or(c.Retry.Max, 8*time.Second)
	policy.Multiplier = 2
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := attempt()
		var apiErr *Error
		var permanent *backoff.PermanentError
		switch {
		case err == nil, errors.As(err, &permanent):
			return struct{}{}, err
		case !errors.As(err, &apiErr), !apiErr.Retryable(), ctx.Err() != nil,
			apiErr.RetryAfter > policy.MaxInterval, once && !neverSent(apiErr):
			return struct{}{}, backoff.Permanent(err)
		case apiErr.RetryAfter > 0:
			return struct{}{}, errors.Join(&backoff.RetryAfterError{Duration: apiErr.RetryAfter}, err)
		}
		return struct{}{}, err
	}, backoff.WithBackOff(policy), backoff.WithMaxTries(cmp.Or(c.Retry.Tries, 4)),
		backoff.WithMaxElapsedTime(giveUp),
		backoff.WithNotify(func(err error, wait time.Duration) {
			if c.Retried != nil {
				c.Retried()
			}
			if c.Log != nil {
				c.Log.DebugContext(ctx, "retrying", "error", err, "wait", wait.Round(time.Millisecond))
			}
		}))
	if apiErr, ok := errors.AsType[*Error](err); ok {
		return apiErr
	}
	return err
}

// neverSent reports a failure before the first byte of the request.
func neverSent(err error) bool {
	var dial *net.OpError
	return errors.As(err, &dial) && dial.Op == "dial"
}

// send makes one attempt and returns an answer whose body is still to be read,
// with any HTTP status.
func (c *Client) send(ctx context.Context, req call) (*http.Response, error) {
	u, err := c.endpoint(ctx, req.path, req.query)
	if err != nil {
		return nil, &Error{Op: req.op, Err: err}
	}
	key := ""
	if c.Key != nil {
		key = c.Key(ctx)
	}
	if key == "" {
		return nil, &Error{Op: req.op, Host: u.Host, Err: ErrNoKey}
	}
	hr, err := http.NewRequestWithContext(ctx, req.method, u.String(), req.body)
	if err != nil {
		return nil, &Error{Op: req.op, Host: u.Host, Err: withoutURL(err)}
	}
	maps.Copy(hr.Header, req.header)
	hr.Header.Set("Authorization", "Bearer "+key)
	if c.UserAgent != "" {
		hr.Header.Set("User-Agent", c.UserAgent)
	}
	if req.body != nil {
		hr.ContentLength = req.length
	}
	resp, err := c.client().Do(hr)
	if err != nil {
		return nil, &Error{Op: req.op, Host: u.Host, Err: withoutURL(err)}
	}
	return resp, nil
}

// withoutURL drops the URL that net/http writes into its errors, which may be
// one of another's, quoted from an answer.
func withoutURL(err error) error {
	if urlErr, ok := errors.AsType[*url.Error](err); ok {
		err = urlErr.Err
	}
	if text := err.Error(); strings.Contains(text, "?") || strings.Contains(text, "://") || strings.Contains(text, "Location") {
		return errors.New("its answer is malformed")
	}
	return err
}
