package transfer

import (
	"fmt"
	"net/http"
	"strings"
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

// Error is a transfer that failed. Its text holds no URL: those are signed.
type Error struct {
	Kind   Kind
	Host   string
	Status int // HTTP, for Refused
	Err    error
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
		fmt.Fprintf(&b, "the download from %s broke off", e.Host)
	case Stalled:
		b.WriteString("the download")
		if e.Host != "" { // it can stall before anybody answers
			b.WriteString(" from " + e.Host)
		}
		b.WriteString(" stalled")
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

func (e *Error) Unwrap() error { return e.Err }

// Retryable reports whether the same download may succeed later.
func (e *Error) Retryable() bool {
	switch e.Kind {
	case Unreachable, Broken, Stalled, Corrupt:
		return true
	case Refused:
		// 401, 403 and 410 are how a URL that died answers; the next attempt has a new one.
		switch e.Status {
		case http.StatusUnauthorized, http.StatusForbidden, http.StatusRequestTimeout, http.StatusGone, http.StatusTooManyRequests:
			return true
		}
		return e.Status >= 500
	default:
		return false
	}
}
