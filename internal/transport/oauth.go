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
	"golang.org/x/sync/singleflight"
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
	// Client fetches the issuer's keys; nil means [http.DefaultClient] with a
	// bound on time.
	Client *http.Client

	finding  singleflight.Group
	mu       sync.Mutex
	verifier *oidc.IDTokenVerifier // nil until the issuer has been found
}

// issuerTimeout is how long the issuer may take to tell its keys.
const issuerTimeout = 10 * time.Second

// algorithms are those with a key that only the issuer has.
var algorithms = []string{
	oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512,
	oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA,
}

// Authenticate checks the signature, the issuer, the audience and the time of
// a token.
func (o *OAuth) Authenticate(ctx context.Context, token string) (string, error) {
	if strings.Count(token, ".") != 2 {
		return "", ErrUnknownToken // not a JWT: not worth asking the issuer
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

// reasonOf says why a token is refused, without quoting it.
func reasonOf(err error) string {
	var expired *oidc.TokenExpiredError
	switch text := err.Error(); {
	case errors.As(err, &expired):
		return "it has expired"
	case strings.Contains(text, "audience"):
		return "it is for another server"
	case strings.Contains(text, "different provider"):
		return "it is from another issuer"
	case strings.Contains(text, "nbf"):
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
		client := o.Client
		if client == nil {
			client = &http.Client{Timeout: issuerTimeout}
		}
		keys, err := o.keysURL(ctx, client)
		if err != nil {
			return nil, err
		}
		// The key set keeps this context for fetching keys, later too.
		set := oidc.NewRemoteKeySet(oidc.ClientContext(context.WithoutCancel(ctx), client), keys)
		verifier := oidc.NewVerifier(o.Issuer, set, &oidc.Config{ClientID: o.Audience, SupportedSigningAlgs: algorithms})
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
	path := strings.TrimSuffix(issuer.Path, "/")
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

func fetchJSON(ctx context.Context, client *http.Client, from string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
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
	return strings.TrimSuffix(o.Resource, pathMCP) + pathResource + pathMCP
}

// metadata tells clients where to get a token, see RFC 9728.
func (o *OAuth) metadata(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"resource": o.Resource, "resource_name": "MiniMax files", "authorization_servers": []string{o.Issuer},
		"bearer_methods_supported": []string{"header"},
	})
}
