package transport

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"
)

// OAuth lets in who has an access token: a JWT that the issuer signed for this
// server. It is an [Authenticator], and describes the server to clients that
// have no token yet.
type OAuth struct {
	// Issuer is the authorization server: the iss of its tokens.
	Issuer string
	// Audience is what the tokens must be made out to: their aud.
	Audience string
	// Resource is this server as clients know it, the URL of its MCP endpoint.
	Resource string
	// Path is that endpoint's path here: "/mcp" or "/sse".
	Path string
	// Client fetches the issuer's keys; nil means [http.DefaultClient] with a
	// bound on time.
	Client *http.Client

	finding  singleflight.Group
	mu       sync.Mutex
	verifier *oidc.IDTokenVerifier // nil until the issuer has been found
}

// How often the issuer's keys may be fetched. They are when a token's signature
// fits none that is known, and such tokens can be made up.
const (
	fetchEvery = 2 * time.Second
	fetchBurst = 5
)

// issuerTimeout is how long the issuer may take to tell its keys.
const issuerTimeout = 10 * time.Second

// algorithms are those with a key that only the issuer has.
var algorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512,
	jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
}

// Authenticate checks the signature, the issuer, the audience and the time of
// a token.
func (o *OAuth) Authenticate(ctx context.Context, token string) (string, error) {
	// What is wrong at first sight is not worth asking the issuer.
	if err := o.glance(token); err != nil {
		return "", err
	}
	verifier, err := o.find(ctx)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, issuerTimeout)
	defer cancel()
	verified, err := verifier.Verify(ctx, token)
	if err != nil {
		if strings.Contains(err.Error(), "fetching keys") { // go-oidc has no type for it
			return "", fmt.Errorf("the keys of %s: %w", o.Issuer, err)
		}
		return "", fmt.Errorf("%w: %s", ErrUnknownToken, reasonOf(err))
	}
	if verified.Subject == "" {
		return "", fmt.Errorf("%w: it names nobody", ErrUnknownToken)
	}
	return "user " + verified.Subject, nil
}

// glance checks what a token says of itself.
func (o *OAuth) glance(token string) error {
	parsed, err := jwt.ParseSigned(token, algorithms)
	if err != nil {
		return ErrUnknownToken
	}
	var claims jwt.Claims
	if err := parsed.UnsafeClaimsWithoutVerification(&claims); err != nil {
		return ErrUnknownToken
	}
	switch {
	case claims.Issuer != o.Issuer:
		return fmt.Errorf("%w: it is from another issuer", ErrUnknownToken)
	case !claims.Audience.Contains(o.Audience):
		return fmt.Errorf("%w: it is for another server", ErrUnknownToken)
	case claims.Expiry == nil || claims.Expiry.Time().Before(time.Now()):
		return fmt.Errorf("%w: it has expired", ErrUnknownToken)
	}
	return nil
}

// reasonOf says why a token is refused, without quoting it.
func reasonOf(err error) string {
	if strings.Contains(err.Error(), "nbf") { // go-oidc has no type for it
		return "its time has not come"
	}
	return "its signature does not hold"
}

// find asks the issuer where its keys are, once. An issuer that can't be
// reached is asked again by the next request.
func (o *OAuth) find(ctx context.Context) (*oidc.IDTokenVerifier, error) {
	o.mu.Lock()
	known := o.verifier
	o.mu.Unlock()
	if known != nil {
		return known, nil
	}
	found, err, _ := o.finding.Do("", func() (any, error) {
		client := &http.Client{Timeout: issuerTimeout}
		if o.Client != nil {
			client.Transport = o.Client.Transport
		}
		// Others wait for it too, when this request has gone.
		ctx := context.WithoutCancel(ctx)
		keys, err := o.keysURL(ctx, client)
		if err != nil {
			return nil, err
		}
		// The key set keeps this context for fetching keys, later too.
		client.Transport = &seldom{client.Transport, rate.NewLimiter(rate.Every(fetchEvery), fetchBurst)}
		set := oidc.NewRemoteKeySet(oidc.ClientContext(ctx, client), keys)
		names := make([]string, len(algorithms))
		for i, a := range algorithms {
			names[i] = string(a)
		}
		verifier := oidc.NewVerifier(o.Issuer, set, &oidc.Config{ClientID: o.Audience, SupportedSigningAlgs: names})
		o.mu.Lock()
		defer o.mu.Unlock()
		o.verifier = verifier
		return verifier, nil
	})
	if err != nil {
		return nil, err
	}
	return found.(*oidc.IDTokenVerifier), nil
}

// keysURL asks the issuer where its keys are: as an OpenID provider, or as an
// authorization server (RFC 8414).
func (o *OAuth) keysURL(ctx context.Context, client *http.Client) (string, error) {
	issuer, err := url.Parse(o.Issuer)
	if err != nil {
		return "", err
	}
	path := strings.TrimSuffix(issuer.Path, "/") // the issuer itself may end in one
	var failed []error
	for _, wellKnown := range []string{path + "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server" + path} {
		at := *issuer
		at.Path = wellKnown
		var metadata struct {
			Issuer string `json:"issuer"`
			Keys   string `json:"jwks_uri"`
		}
		err := fetchJSON(ctx, client, at.String(), &metadata)
		switch {
		case err != nil:
		case metadata.Issuer != o.Issuer:
			err = fmt.Errorf("%s speaks for the issuer %q", at.Redacted(), metadata.Issuer)
		case metadata.Keys == "":
			err = fmt.Errorf("%s names no jwks_uri", at.Redacted())
		default:
			return metadata.Keys, nil
		}
		failed = append(failed, err)
	}
	return "", errors.Join(failed...)
}

// seldom bounds how often something is fetched.
type seldom struct {
	next  http.RoundTripper // nil means the default
	limit *rate.Limiter
}

func (s *seldom) RoundTrip(r *http.Request) (*http.Response, error) {
	if !s.limit.Allow() {
		return nil, errors.New("they were fetched moments ago")
	}
	if s.next == nil {
		return http.DefaultTransport.RoundTrip(r)
	}
	return s.next.RoundTrip(r)
}

func fetchJSON(ctx context.Context, client *http.Client, from string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil) //nolint:gosec // the operator named the issuer
	if err != nil {
		return err
	}
	resp, err := client.Do(req) //nolint:gosec // as above
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered HTTP %d", from, resp.StatusCode)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(into); err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	return nil
}

// metadataURL is where [OAuth.metadata] is.
func (o *OAuth) metadataURL() string {
	return strings.TrimSuffix(o.Resource, o.Path) + pathResource + o.Path
}

// metadata tells clients where to get a token, see RFC 9728.
func (o *OAuth) metadata(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]any{
		"resource": o.Resource, "resource_name": "MiniMax files", "authorization_servers": []string{o.Issuer},
		"bearer_methods_supported": []string{"header"},
	})
}
