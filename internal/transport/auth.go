package transport

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"
)

// An Authenticator tells who a bearer token belongs to, as [Caller.Who]. Its
// error is [ErrUnknownToken], or one that says why it can't tell now.
type Authenticator interface {
	Authenticate(ctx context.Context, token string) (caller string, err error)
}

// ErrUnknownToken is a token that lets nobody in.
var ErrUnknownToken = errors.New("the bearer token is not valid here")

// Tokens lets in whoever has one of some secrets. What it keeps are their
// hashes, which are compared in constant time.
type Tokens struct{ sums [][sha256.Size]byte }

// NewTokens takes the secrets.
func NewTokens(secrets []string) *Tokens {
	t := &Tokens{}
	for _, secret := range secrets {
		t.sums = append(t.sums, sha256.Sum256([]byte(secret)))
	}
	return t
}

// Authenticate compares with every secret, so that the time it takes does not
// tell which of them came close.
func (t *Tokens) Authenticate(_ context.Context, token string) (string, error) {
	sum, found := sha256.Sum256([]byte(token)), 0
	for _, known := range t.sums {
		found |= subtle.ConstantTimeCompare(sum[:], known[:])
	}
	if found == 0 {
		return "", ErrUnknownToken
	}
	return "token " + fingerprint(token), nil
}

// AnyOf asks one after the other, until one knows the token.
type AnyOf []Authenticator

// Authenticate returns what the first says that does not say
// [ErrUnknownToken], or what the last says.
func (a AnyOf) Authenticate(ctx context.Context, token string) (caller string, err error) {
	err = ErrUnknownToken
	for _, one := range a {
		if caller, err = one.Authenticate(ctx, token); !errors.Is(err, ErrUnknownToken) {
			break
		}
	}
	return caller, err
}

// anonymous is whoever calls where no token is asked for.
const anonymous = "anonymous"

// authenticated lets in only who has a token, where tokens are asked for. What
// comes after it sees neither the token nor the caller's credential, but a
// [Caller].
func (h *HTTP) authenticated(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := r.Header.Clone() // a handler changes no request of others
		caller := Caller{Who: anonymous}
		if h.Auth != nil {
			var err error
			if caller.Who, err = h.admit(r); err != nil {
				h.turnAway(w, r, err)
				return
			}
		}
		header.Del("Authorization")
		if h.CredentialHeader != "" {
			given := header.Values(h.CredentialHeader)
			header.Del(h.CredentialHeader)
			if len(given) > 0 {
				caller.Credential = strings.TrimSpace(given[0])
			}
			if len(given) > 1 || len(given) == 1 && caller.Credential == "" { // which must not mean the server's own
				refuse(w, http.StatusBadRequest, fmt.Sprintf("the header %s is empty, or there are two: send one key, or leave it out", h.CredentialHeader))
				return
			}
			if strings.ContainsFunc(caller.Credential, func(c rune) bool { return c > unicode.MaxASCII || !unicode.IsGraphic(c) || c == ' ' }) {
				refuse(w, http.StatusBadRequest, fmt.Sprintf("the header %s holds a character that no key has", h.CredentialHeader))
				return
			}
		}
		caller.ID = caller.Who
		if caller.Credential != "" {
			caller.ID += ", key " + fingerprint(caller.Credential)
		}
		requestOf(r.Context()).caller = caller
		r = r.WithContext(r.Context()) // a copy
		r.Header = header
		next.ServeHTTP(w, r)
	})
}

var (
	errNoToken      = errors.New("this server wants a bearer token, in the header Authorization: Bearer …")
	errTokenInQuery = errors.New("a token in a URL ends up in logs, so none is taken from there: send it in the header Authorization: Bearer …")
)

func (h *HTTP) admit(r *http.Request) (caller string, err error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	switch {
	case token != "" && strings.EqualFold(scheme, "Bearer"):
		return h.Auth.Authenticate(r.Context(), token)
	case r.URL.Query().Has("token") || r.URL.Query().Has("access_token"):
		return "", errTokenInQuery
	}
	return "", errNoToken
}

// turnAway says why, and where a token is to be had.
func (h *HTTP) turnAway(w http.ResponseWriter, r *http.Request, err error) {
	challenge := `Bearer realm="MCP"`
	if h.OAuth != nil {
		challenge += fmt.Sprintf(`, resource_metadata=%q`, h.OAuth.metadataURL())
	}
	switch {
	case errors.Is(err, errNoToken), errors.Is(err, errTokenInQuery):
	case errors.Is(err, ErrUnknownToken):
		challenge += `, error="invalid_token"`
	default:
		h.Log.WarnContext(r.Context(), "a token could not be checked", "error", err)
		w.Header().Set("Retry-After", "5")
		refuse(w, http.StatusServiceUnavailable, "the token can't be checked at the moment; try again in a few seconds")
		return
	}
	w.Header().Set("WWW-Authenticate", challenge)
	refuse(w, http.StatusUnauthorized, err.Error())
}
