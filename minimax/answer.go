package minimax

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// BaseResp is the outcome that V1 answers carry beside their payload.
type BaseResp struct {
	StatusCode int    `json:"status_code"`
	StatusMsg  string `json:"status_msg"`
}

// maxAnswer bounds, in bytes, a JSON answer about a single file.
const maxAnswer = 1 << 20

// answer sends req, repeating it where that is safe, and decodes a small JSON
// answer into T. A T that can tell that it is incomplete, or of a task's
// failure, is asked.
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
			return brokeOff(req.op, resp, err)
		}
		refusal := check(req.op, resp, body)
		var got T
		decoding := json.Unmarshal(body, &got)
		if ended, ok := any(got).(interface{ failed() (status, why string) }); ok && decoding == nil {
			if status, why := ended.failed(); status != "" {
				return taskFailure(req.op, resp, refusal, status, why)
			}
		}
		if refusal != nil {
			return refusal
		}
		if err := decoding; err != nil {
			return unusable(req.op, resp, fmt.Sprintf("its JSON does not fit (%v)", err))
		}
		if partial, ok := any(got).(interface{ lacks() string }); ok && partial.lacks() != "" {
			return unusable(req.op, resp, "it lacks "+partial.lacks())
		}
		out = got
		return nil
	})
	return out, err
}

// check finds the failure in a whole answer, in any of its forms.
func check(op string, resp *http.Response, body []byte) error {
	var envelope struct {
		BaseResp *BaseResp       `json:"base_resp"`
		Error    json.RawMessage `json:"error"` // of /v2 and of gateways
	}
	isObject := json.Unmarshal(body, &envelope) == nil
	said := errorText(envelope.Error)
	switch {
	case envelope.BaseResp != nil && envelope.BaseResp.StatusCode != 0:
		return refused(op, resp, *envelope.BaseResp)
	case isSuccess(resp) && isObject && (said == "" || envelope.BaseResp != nil):
		return nil
	}
	failed := failure(op, resp)
	switch {
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		failed.Answer = "a redirect, which is not followed because the key must stay with one host"
		if to, err := resp.Location(); err == nil {
			failed.Answer = fmt.Sprintf("a redirect to %s, which is not followed because the key must stay with one host", to.Host)
		}
	case said != "":
		failed.Message = cleaned(resp.Request, said)
	case len(body) == 0:
		failed.Answer = "it is empty"
	case looksLikeHTML(body):
		failed.Answer = "it is an HTML page instead of JSON"
	case !isObject:
		failed.Answer = fmt.Sprintf("it is %s instead of a JSON object", http.DetectContentType(body))
	}
	return failed
}

// errorText is the message of an "error" field, which is an object or a string.
func errorText(raw json.RawMessage) string {
	var object struct{ Message string }
	var text string
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return ""
	case json.Unmarshal(raw, &object) == nil && object.Message != "":
		return object.Message
	case json.Unmarshal(raw, &text) == nil:
		return text
	}
	return string(raw)
}

func isSuccess(resp *http.Response) bool { return resp.StatusCode >= 200 && resp.StatusCode < 300 }

func looksLikeHTML(body []byte) bool {
	return strings.HasPrefix(http.DetectContentType(body), "text/html")
}

// failure starts the error of an answer that is one.
func failure(op string, resp *http.Response) *Error {
	return &Error{
		Op:         op,
		Host:       resp.Request.URL.Host,
		HTTPStatus: resp.StatusCode,
		TraceID:    truncate(strings.ToValidUTF8(resp.Header.Get("Trace-Id"), "?"), 64),
		RetryAfter: retryAfter(resp.Header.Get("Retry-After"), time.Now()),
	}
}

// refused is an answer with a base_resp that says so.
func refused(op string, resp *http.Response, base BaseResp) *Error {
	e := failure(op, resp)
	e.Code, e.Message = base.StatusCode, cleaned(resp.Request, base.StatusMsg)
	return e
}

// taskFailure is an answer that tells of a task's failure, with or without a
// base_resp that says why.
func taskFailure(op string, resp *http.Response, refusal error, status, why string) *Error {
	e, ok := errors.AsType[*Error](refusal)
	if !ok {
		e = failure(op, resp)
		e.Message = cleaned(resp.Request, why)
	}
	e.Answer, e.Err = fmt.Sprintf("the task ended as %.40q", status), ErrTaskFailed
	return e
}

// brokeOff is an answer whose end did not come.
func brokeOff(op string, resp *http.Response, cause error) *Error {
	e := failure(op, resp)
	e.Answer, e.Err = "it broke off", withoutURL(cause)
	return e
}

// unusable is an answer that calls itself a success and is of no use.
func unusable(op string, resp *http.Response, why string) *Error {
	e := failure(op, resp)
	e.Answer = why
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
