package transfer

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Kind is why a transfer failed.
type Kind int

// The kinds.
const (
	Unreachable Kind = iota + 1 // no answer
	Refused                     // an HTTP status other than success
	Forbidden                   // an address or scheme that is not allowed
	Disguised                   // an error in place of the object
	Broken                      // the bytes stopped before the end
	Stalled                     // no byte came for too long
	Corrupt                     // all bytes came, and a checksum differs
	TooLarge                    // more bytes than allowed
)

// String is the kind in a word.
func (k Kind) String() string {
	return [...]string{"", "unreachable", "refused", "forbidden", "disguised", "broken", "stalled", "corrupt", "too_large"}[k]
}

// Error is a transfer that failed. Its text holds no URL: those are signed.
type Error struct {
	Kind   Kind
	Host   string
	Status int // HTTP, for Refused
	Err    error

	RetryAfter time.Duration // what the host asked for; 0 when it did not
}

func (e *Error) Error() string {
	var b strings.Builder
	switch e.Kind {
	case Unreachable:
		fmt.Fprintf(&b, "the download host %s could not be reached", e.Host)
	case Refused:
		fmt.Fprintf(&b, "the download host %s answered HTTP %d %s", e.Host, e.Status, http.StatusText(e.Status))
	case Forbidden:
		b.WriteString("the download address is not allowed")
		if e.Host != "" {
			fmt.Fprintf(&b, " (%s)", e.Host)
		}
	case Disguised:
		fmt.Fprintf(&b, "%s sent an error in place of the file", e.Host)
	case Broken:
		b.WriteString("the download" + e.from() + " broke off")
	case Stalled:
		b.WriteString("the download" + e.from() + " stalled")
	case Corrupt:
		fmt.Fprintf(&b, "the bytes from %s are not the file's", e.Host)
	case TooLarge:
		fmt.Fprintf(&b, "the file from %s is too large", e.Host)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

// from names the host, if one has answered.
func (e *Error) from() string {
	if e.Host == "" {
		return ""
	}
	return " from " + e.Host
}

func (e *Error) Unwrap() error { return e.Err }

// Retryable reports whether the same download may succeed later.
func (e *Error) Retryable() bool {
	switch e.Kind {
	case Unreachable, Broken, Stalled, Corrupt:
		return true
	case Refused:
		return e.urlDied() || e.Status >= 500 || e.Status == http.StatusRequestTimeout || e.Status == http.StatusTooManyRequests
	default:
		return false
	}
}

// urlDied reports an answer that a new URL can mend.
func (e *Error) urlDied() bool {
	switch e.Status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusGone:
		return e.Kind == Refused
	}
	return false
}
