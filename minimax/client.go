// Package minimax is a client for the MiniMax File API: upload, list,
// retrieve, download and delete files. [Client] is its center; every failure
// is an [*Error]; an [ID] keeps its digits whichever way the API wrote them.
//
// The API's documentation: https://platform.minimax.io/docs/api-reference/file-management-intro
package minimax

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strconv"
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
	// GroupID is sent as the GroupId parameter, which old accounts need.
	GroupID string
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

// maxAnswer bounds, in bytes, a JSON answer about a single file.
const maxAnswer = 1 << 20

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
			MaxIdleConnsPerHost:    8,
			IdleConnTimeout:        90 * time.Second,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

var defaultHTTPClient = sync.OnceValue(NewHTTPClient)

// BaseResp is the outcome that V1 answers carry beside their payload.
type BaseResp struct {
	StatusCode int    `json:"status_code"`
	StatusMsg  string `json:"status_msg"`
}

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
	policy.InitialInterval = orDefault(c.Retry.Initial, 300*time.Millisecond)
	policy.MaxInterval = orDefault(c.Retry.Max, 8*time.Second)
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
	}, backoff.WithBackOff(policy), backoff.WithMaxTries(orDefault(c.Retry.Tries, 4)),
		backoff.WithMaxElapsedTime(giveUp),
		backoff.WithNotify(func(err error, wait time.Duration) {
			if c.Log != nil {
				c.Log.DebugContext(ctx, "retrying", "error", err, "wait", wait.Round(time.Millisecond))
			}
		}))
	if apiErr, ok := errors.AsType[*Error](err); ok {
		return apiErr
	}
	return err
}

func orDefault[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}

// neverSent reports a failure before the first byte of the request.
func neverSent(err error) bool {
	var dial *net.OpError
	return errors.As(err, &dial) && dial.Op == "dial"
}

// send makes one attempt and returns an answer whose body is still to be read,
// with any HTTP status.
func (c *Client) send(ctx context.Context, req call) (*http.Response, error) {
	u, err := c.endpoint(req.path, req.query)
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
	client := c.HTTP
	if client == nil {
		client = defaultHTTPClient()
	}
	resp, err := client.Do(hr)
	if err != nil {
		return nil, &Error{Op: req.op, Host: u.Host, Err: withoutURL(err)}
	}
	return resp, nil
}

// withoutURL drops the URL that net/http writes into its errors.
func withoutURL(err error) error {
	if urlErr, ok := errors.AsType[*url.Error](err); ok {
		return urlErr.Err
	}
	return err
}

// answer sends req, repeating it where that is safe, and decodes a small JSON
// answer into T.
func answer[T any](ctx context.Context, c *Client, req call) (T, error) {
	var out T
	err := c.repeat(ctx, req.once, func() error {
		ctx := ctx
		if !req.stream {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, callTimeout)
			defer cancel()
		}
		resp, err := c.send(ctx, req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
		if err != nil {
			return failure(req.op, resp, nil, err)
		}
		if err := check(req.op, resp, body); err != nil {
			return err
		}
		if err := json.Unmarshal(body, &out); err != nil {
			failed := failure(req.op, resp, nil, nil)
			failed.Message = fmt.Sprintf("its JSON does not fit (%v)", err)
			return failed
		}
		return nil
	})
	return out, err
}

// check finds the failure in a whole answer, in any of its forms.
func check(op string, resp *http.Response, body []byte) error {
	var envelope struct {
		BaseResp *BaseResp `json:"base_resp"`
		Error    *struct { // the form of /v2 and of gateways
			Message string `json:"message"`
		} `json:"error"`
	}
	isJSON := json.Unmarshal(body, &envelope) == nil
	switch {
	case isJSON && envelope.BaseResp != nil && envelope.BaseResp.StatusCode != 0:
		return failure(op, resp, envelope.BaseResp, nil)
	case resp.StatusCode >= 200 && resp.StatusCode < 300 && isJSON:
		return nil
	}
	failed := failure(op, resp, nil, nil)
	switch {
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		failed.Message = "a redirect, which is not followed because the key must stay with one host"
		if to, err := resp.Location(); err == nil {
			failed.Message = fmt.Sprintf("a redirect to %s, which is not followed because the key must stay with one host", to.Host)
		}
	case isJSON && envelope.Error != nil:
		failed.Message = cleaned(resp.Request, envelope.Error.Message)
	case looksLikeHTML(body):
		failed.Message = "an HTML page instead of JSON"
	case len(body) == 0:
		failed.Message = "an empty answer instead of JSON"
	case !isJSON:
		failed.Message = fmt.Sprintf("%s instead of JSON", http.DetectContentType(body))
	}
	return failed
}

func looksLikeHTML(body []byte) bool {
	return strings.HasPrefix(http.DetectContentType(body), "text/html")
}

// failure starts the error of an answer that is one.
func failure(op string, resp *http.Response, base *BaseResp, cause error) *Error {
	e := &Error{
		Op:         op,
		Host:       resp.Request.URL.Host,
		HTTPStatus: resp.StatusCode,
		TraceID:    truncate(strings.ToValidUTF8(resp.Header.Get("Trace-Id"), "?"), 64),
		RetryAfter: retryAfter(resp.Header.Get("Retry-After"), time.Now()),
		Err:        cause,
	}
	if base != nil {
		e.Code = base.StatusCode
		e.Message = cleaned(resp.Request, base.StatusMsg)
	}
	if cause != nil {
		e.Err, e.Message = withoutURL(cause), "the answer broke off"
	}
	return e
}

// cleaned bounds the API's own words and takes out the key, should an answer
// repeat it.
func cleaned(req *http.Request, s string) string {
	if key := strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer "); key != "" {
		s = strings.ReplaceAll(s, key, "***")
	}
	return truncate(strings.ToValidUTF8(strings.TrimSpace(s), "?"), maxMessage)
}

func truncate(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
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
