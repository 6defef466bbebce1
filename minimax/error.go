package minimax

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// What a caller may want to tell apart, with [errors.Is].
var (
	ErrNoKey        = errors.New("no API key is set")
	ErrUnauthorized = errors.New("the API key was refused")
	ErrNotFound     = errors.New("no such file or task")
	ErrInvalid      = errors.New("the API refused the parameters")
	ErrRateLimited  = errors.New("too many requests")
	ErrQuota        = errors.New("the account's balance or quota is used up")
	ErrRefused      = errors.New("the content was refused")
	ErrTaskFailed   = errors.New("the task failed")
)

// Error is a call that failed, whichever of the API's several ways of failing
// it chose: HTTP 200 with a base_resp, an HTTP status, an HTML page, or no
// answer at all. Its text holds no key and no query string.
type Error struct {
	Op         string        // what was attempted: "retrieve file 176844028768320"
	Host       string        // who was asked: "api.minimax.io"
	HTTPStatus int           // 0 when no answer came
	Code       int           // base_resp.status_code; 0 when there was none
	Message    string        // the API's own words, such as base_resp.status_msg; untrusted text
	Answer     string        // what came in place of a usable answer, in ours
	TraceID    string        // the Trace-Id header, which MiniMax's support asks for
	RetryAfter time.Duration // what the answer asked for; 0 when it did not
	Err        error         // the cause when no usable answer came
}

// maxMessage bounds, in bytes, how much of the API's own text an Error keeps.
const maxMessage = 300

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	b.WriteString(": ")
	switch {
	case errors.Is(e.Err, ErrNoKey):
		b.WriteString(e.Err.Error())
		return b.String()
	case errors.Is(e.Err, ErrTaskFailed):
		fmt.Fprintf(&b, "%s answered that %s", e.Host, e.Answer)
		if e.Code != 0 {
			b.WriteString(", " + e.code())
		}
		if e.Message != "" {
			fmt.Fprintf(&b, ": %q", e.Message)
		}
	case e.Code != 0:
		fmt.Fprintf(&b, "%s answered %s", e.Host, e.code())
		if e.Message != "" {
			fmt.Fprintf(&b, ": %q", e.Message)
		}
	case e.HTTPStatus >= 300:
		fmt.Fprintf(&b, "%s answered HTTP %d %s", e.Host, e.HTTPStatus, http.StatusText(e.HTTPStatus))
		if e.Message != "" {
			fmt.Fprintf(&b, ": %q", e.Message)
		} else if e.Answer != "" {
			fmt.Fprintf(&b, ": %s", e.Answer)
		}
	case e.HTTPStatus != 0:
		fmt.Fprintf(&b, "the answer of %s can't be used: ", e.Host)
		if e.Message != "" {
			fmt.Fprintf(&b, "it says %q", e.Message)
		} else {
			b.WriteString(e.Answer)
		}
		if e.Err != nil {
			fmt.Fprintf(&b, ": %v", e.Err)
		}
	default:
		fmt.Fprintf(&b, "%s could not be reached: %v", e.Host, e.Err)
	}
	if e.TraceID != "" {
		fmt.Fprintf(&b, " (Trace-Id %s)", e.TraceID)
	}
	return b.String()
}

// code is the status code with its meaning.
func (e *Error) code() string {
	if known, ok := codes[e.Code]; ok {
		return fmt.Sprintf("status_code %d (%s)", e.Code, known.meaning)
	}
	return fmt.Sprintf("status_code %d", e.Code)
}

func (e *Error) Unwrap() error { return e.Err }

// Is sorts the API's two number spaces, HTTP statuses and status codes, into
// the package's few kinds of failure.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrNotFound:
		// The API has no code of its own for this: 2013 with a telling message.
		return e.HTTPStatus == http.StatusNotFound || e.kind() == ErrInvalid && strings.Contains(strings.ToLower(e.Message), "not exist")
	default:
		return e.kind() == target
	}
}

func (e *Error) kind() error {
	if known, ok := codes[e.Code]; ok {
		return known.kind
	}
	switch e.HTTPStatus {
	case http.StatusUnauthorized, http.StatusForbidden:
		return ErrUnauthorized
	case http.StatusPaymentRequired:
		return ErrQuota
	case http.StatusTooManyRequests:
		return ErrRateLimited
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return ErrInvalid
	}
	return nil
}

// Refused reports an answer that says no, so that nothing was done: a base_resp
// with a status code, or an HTTP status that blames the request.
func (e *Error) Refused() bool {
	return e.Code != 0 && !e.Retryable() || e.HTTPStatus >= 400 && e.HTTPStatus < 500 && e.HTTPStatus != http.StatusRequestTimeout
}

// Retryable reports whether the same call may succeed later without anything
// being changed.
func (e *Error) Retryable() bool {
	if errors.Is(e.Err, ErrTaskFailed) { // its reason is not the query's
		return false
	}
	if known, ok := codes[e.Code]; ok {
		return known.retry
	}
	switch {
	case e.HTTPStatus == 0:
		return !errors.Is(e.Err, ErrNoKey)
	case e.Code != 0:
		return false
	case e.HTTPStatus == http.StatusRequestTimeout, e.HTTPStatus == http.StatusTooManyRequests:
		return true
	case e.HTTPStatus < 300:
		return e.Err != nil // the answer broke off
	}
	return e.HTTPStatus >= 500
}

// A Code is a base_resp.status_code that is documented.
type Code struct {
	Number  int
	Meaning string
}

// Codes are all that are documented, in order.
func Codes() []Code {
	var all []Code
	for _, n := range slices.Sorted(maps.Keys(codes)) {
		all = append(all, Code{n, codes[n].meaning})
	}
	return all
}

type code struct {
	meaning string
	kind    error
	retry   bool
}

// codes are the base_resp.status_code values of MiniMax's error code page
// (1028, 1030 and 2061: seen in its own command line client only). Which of
// them deserve a retry is the choice of published clients.
var codes = map[int]code{
	1000:  {"unknown error", nil, true},
	1001:  {"request timeout", nil, true},
	1002:  {"rate limit", ErrRateLimited, true},
	1004:  {"not authorised", ErrUnauthorized, false},
	1008:  {"insufficient balance", ErrQuota, false},
	1013:  {"internal service error", nil, true},
	1024:  {"internal error", nil, true},
	1026:  {"input contains sensitive content", ErrRefused, false},
	1027:  {"output contains sensitive content", ErrRefused, false},
	1028:  {"quota exhausted", ErrQuota, false},
	1030:  {"quota exhausted", ErrQuota, false},
	1033:  {"downstream error", nil, true},
	1039:  {"token limit", ErrRateLimited, true},
	1041:  {"connection limit", ErrRateLimited, false},
	1042:  {"too many invisible or illegal characters", ErrInvalid, false},
	1043:  {"speech recognition similarity check failed", ErrInvalid, false},
	1044:  {"clone prompt similarity check failed", ErrInvalid, false},
	2013:  {"invalid parameters", ErrInvalid, false},
	20132: {"invalid samples or voice_id", ErrInvalid, false},
	2037:  {"voice duration out of range", ErrInvalid, false},
	2038:  {"voice cloning disabled, real-name verification needed", ErrRefused, false},
	2039:  {"duplicate voice_id", ErrInvalid, false},
	2042:  {"no access to this voice_id", ErrRefused, false},
	2045:  {"rate growth limit", ErrRateLimited, true},
	2048:  {"prompt audio too long", ErrInvalid, false},
	2049:  {"invalid API key", ErrUnauthorized, false},
	2056:  {"usage limit exceeded", ErrQuota, false},
	2061:  {"model not in plan", ErrQuota, false},
}
