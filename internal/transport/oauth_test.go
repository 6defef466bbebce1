package transport_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"minimax-files-mcp/internal/transport"
)

// An issuer is an authorization server, with the part of one that a resource
// server meets.
type issuer struct {
	*httptest.Server
	wellKnown string
	key       *ecdsa.PrivateKey
	down      atomic.Bool
	fetched   atomic.Int64 // keys
}

func newIssuer(t *testing.T, wellKnown string) *issuer {
	t.Helper()
	i := &issuer{wellKnown: wellKnown, key: newKey(t)}
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case i.down.Load():
			w.WriteHeader(http.StatusBadGateway)
		case r.URL.Path == i.wellKnown:
			json.NewEncoder(w).Encode(map[string]string{"issuer": i.URL + "/tenant", "jwks_uri": i.URL + "/keys"})
		case r.URL.Path == "/keys":
			i.fetched.Add(1)
			json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: i.key.Public(), KeyID: "1", Algorithm: "ES256"}}})
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(i.Close)
	return i
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(t *testing.T, algorithm jose.SignatureAlgorithm, key any, claims jwt.Claims) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", "1").WithType("at+jwt"))
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestOAuth(t *testing.T) {
	for _, wellKnown := range []string{"/tenant/.well-known/openid-configuration", "/.well-known/oauth-authorization-server/tenant"} {
		i := newIssuer(t, wellKnown)
		oauth := &transport.OAuth{Issuer: i.URL + "/tenant", Audience: "https://files.example/mcp", Resource: "https://files.example/mcp", Path: "/mcp", Client: i.Client()}
		s := serve(t, &transport.HTTP{Auth: transport.AnyOf{transport.NewTokens([]string{"a-token-of-a-test"}), oauth}, OAuth: oauth})
		right := func() jwt.Claims {
			return jwt.Claims{
				Issuer: i.URL + "/tenant", Subject: "ada", Audience: jwt.Audience{"https://files.example/mcp"},
				Expiry: jwt.NewNumericDate(time.Now().Add(time.Hour)), IssuedAt: jwt.NewNumericDate(time.Now()),
			}
		}
		but := func(change func(*jwt.Claims)) string {
			claims := right()
			change(&claims)
			return sign(t, jose.ES256, i.key, claims)
		}
		i.down.Store(true)
		if status, got := s.post(call("1", "echo"), "Authorization: Bearer "+sign(t, jose.ES256, i.key, right())); status != 503 || !strings.Contains(got, "at the moment") {
			t.Errorf("with the issuer down: %d %s", status, got)
		}
		i.down.Store(false)
		for name, tt := range map[string]struct {
			token string
			says  string // "" lets in
		}{
			"a right token":           {sign(t, jose.ES256, i.key, right()), ""},
			"a token given by hand":   {"a-token-of-a-test", ""},
			"a wrong token":           {"nonsense", "not valid here"},
			"something like a JWT":    {"a.b.c", "not valid here"},
			"another's signature":     {sign(t, jose.ES256, newKey(t), right()), "signature does not hold"},
			"a signature by a secret": {sign(t, jose.HS256, []byte("0123456789abcdef0123456789abcdef"), right()), "not valid here"},
			"expired":                 {but(func(c *jwt.Claims) { c.Expiry = jwt.NewNumericDate(time.Now().Add(-time.Minute)) }), "has expired"},
			"for another server":      {but(func(c *jwt.Claims) { c.Audience = jwt.Audience{"https://other.example"} }), "for another server"},
			"for nobody":              {but(func(c *jwt.Claims) { c.Audience = nil }), "for another server"},
			"by another issuer":       {but(func(c *jwt.Claims) { c.Issuer = "https://other.example" }), "another issuer"},
			"not yet":                 {but(func(c *jwt.Claims) { c.NotBefore = jwt.NewNumericDate(time.Now().Add(time.Hour)) }), "has not come"},
			"of nobody":               {but(func(c *jwt.Claims) { c.Subject = "" }), "names nobody"},
		} {
			status, got := s.post(call("1", "echo"), "Authorization: Bearer "+tt.token)
			if tt.says == "" && status != 200 || tt.says != "" && (status != 401 || !strings.Contains(got, tt.says)) {
				t.Errorf("%s: %d %s", name, status, got)
			}
			if strings.Contains(got, tt.token) {
				t.Errorf("%s: the token is in %s", name, got)
			}
		}
		// Tokens that are made up must not make the server pester the issuer.
		before := i.fetched.Load()
		for range 50 {
			s.post(call("1", "echo"), "Authorization: Bearer "+sign(t, jose.ES256, newKey(t), right()))
			s.post(call("1", "echo"), "Authorization: Bearer "+sign(t, jose.ES256, newKey(t), jwt.Claims{}))
		}
		if n := i.fetched.Load() - before; n > 10 {
			t.Errorf("100 forged tokens made it fetch the keys %d times", n)
		}
		resp, err := s.do(t.Context(), http.MethodPost, "/mcp", call("1", "echo"))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		at := `resource_metadata="https://files.example/.well-known/oauth-protected-resource/mcp"`
		if got := resp.Header.Get("WWW-Authenticate"); resp.StatusCode != 401 || !strings.Contains(got, at) {
			t.Errorf("%d %s", resp.StatusCode, got)
		}
		for _, path := range []string{"/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"} {
			if status, got := s.get(path); status != 200 || !strings.Contains(got, `"resource":"https://files.example/mcp"`) || !strings.Contains(got, i.URL+"/tenant") {
				t.Errorf("%s: %d %s", path, status, got)
			}
		}
		s.stop()
		<-s.ended
		if log := s.log.String(); !strings.Contains(log, `"caller":"user ada"`) {
			t.Errorf("the caller is not named in %s", log)
		}
	}
}
