package config

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"unicode"
)

// An Issuer is the URL of an OAuth authorization server, to the letter: its
// tokens name it so, with or without a trailing slash.
type Issuer string

func (i *Issuer) UnmarshalText(text []byte) error {
	if err := new(BaseURL).UnmarshalText(text); err != nil {
		return err
	}
	if !strings.Contains(string(text), "://") || strings.Contains(string(text), "/.well-known/") {
		return errors.New("it must be the issuer as its tokens name it, with https://")
	}
	*i = Issuer(strings.TrimSpace(string(text)))
	return nil
}

// A CollectorURL is one of an OpenTelemetry collector.
type CollectorURL string

func (c *CollectorURL) UnmarshalText(text []byte) error {
	u, err := url.Parse(strings.TrimSpace(string(text)))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return errors.New("it is not a URL with http:// or https://")
	}
	*c = CollectorURL(u.String())
	return nil
}

// An Address is one to listen on: host:port, or unix: and a path.
type Address string

func (a *Address) UnmarshalText(text []byte) error {
	raw := strings.TrimSpace(string(text))
	if path, isUnix := strings.CutPrefix(raw, "unix:"); isUnix {
		if path == "" {
			return errors.New("unix: wants a path")
		}
	} else if _, port, err := net.SplitHostPort(raw); err != nil {
		return errors.New("it is neither host:port nor unix:/path")
	} else if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return errors.New("its port is not a number from 0 to 65535")
	}
	*a = Address(raw)
	return nil
}

// IsPrivate reports whether nobody but users of this machine can connect.
func (a Address) IsPrivate() bool {
	if strings.HasPrefix(string(a), "unix:") {
		return true
	}
	host, _, err := net.SplitHostPort(string(a))
	return err == nil && isLoopback(host)
}

// A Bound is a whole number, 0 where there is none.
type Bound int

func (b *Bound) UnmarshalText(text []byte) error {
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || n < 0 {
		return errors.New("it is not a whole number, at least 0")
	}
	*b = Bound(n)
	return nil
}

// minToken is how long a bearer token must be, in characters, not to be
// guessed.
const minToken = 16

// finishNetwork checks and completes the settings of a server that others
// reach.
func (c *Config) finishNetwork(vars map[string]string) (problems []error) {
	complain := func(field, value, cause string) {
		s, _ := settingOf(field)
		problems = append(problems, s.wrong(value, cause))
	}
	home := cmp.Or(vars["HOME"], vars["USERPROFILE"])
	for _, path := range []*string{&c.AuthTokenFile, &c.TLSCert, &c.TLSKey} {
		*path = expand(*path, home)
	}
	if path, isUnix := strings.CutPrefix(string(c.Address), "unix:"); isUnix {
		c.Address = Address("unix:" + expand(path, home))
	}
	if _, given := vars["MCP_AUTH_TOKEN"]; given && len(c.AuthTokens.texts) == 0 {
		complain("AuthTokens", hidden, "there is no token in it")
	}
	if c.OAuthAudience != "" && c.OAuthIssuer == "" && vars["MCP_OAUTH_ISSUER"] == "" {
		complain("OAuthIssuer", "", "MCP_OAUTH_AUDIENCE is set, and says nothing without it")
	}
	if why := c.AuthTokens.weakness(); why != "" {
		complain("AuthTokens", hidden, why)
	}
	if c.AuthTokenFile != "" {
		text, err := readShort(c.AuthTokenFile)
		var more Secrets
		_ = more.UnmarshalText([]byte(text)) // it takes any text
		switch {
		case err != nil:
			complain("AuthTokenFile", c.AuthTokenFile, reason(err))
		case len(more.texts) == 0:
			complain("AuthTokenFile", c.AuthTokenFile, "the file is empty")
		default:
			if why := more.weakness(); why != "" {
				complain("AuthTokenFile", c.AuthTokenFile, why)
			}
		}
		c.AuthTokens.texts = append(c.AuthTokens.texts, more.texts...)
	}
	for i, host := range c.AllowedHosts {
		name := strings.ToLower(strings.TrimSpace(host))
		if strings.ContainsAny(name, "*/ ") || name == "" {
			complain("AllowedHosts", host, "it is not the name of a host; names are given one by one")
			continue
		}
		if h, _, err := net.SplitHostPort(name); err == nil {
			name = h
		}
		c.AllowedHosts[i] = strings.Trim(name, "[]")
	}
	for i, origin := range c.AllowedOrigins {
		c.AllowedOrigins[i] = strings.ToLower(strings.TrimRight(strings.TrimSpace(origin), "/"))
		u, err := url.Parse(c.AllowedOrigins[i])
		if err != nil || u.Scheme == "" || u.Host == "" || u.Path != "" || strings.Contains(u.Host, "*") {
			complain("AllowedOrigins", origin, "it is not an origin; origins are given one by one, with their scheme")
			continue
		}
		c.AllowedOrigins[i] = originOf(u)
	}
	if c.PublicURL != "" {
		u, _ := url.Parse(string(c.PublicURL)) // it was checked
		if strings.HasSuffix(u.Path, "/mcp") || strings.HasSuffix(u.Path, "/sse") {
			complain("PublicURL", string(c.PublicURL), "it is the server's address, without "+u.Path[strings.LastIndex(u.Path, "/"):])
		}
		c.AllowedHosts = append(c.AllowedHosts, strings.ToLower(u.Hostname()))
		c.AllowedOrigins = append(c.AllowedOrigins, originOf(u))
		if c.OAuthAudience == "" {
			c.OAuthAudience = string(c.PublicURL) + "/mcp"
			if c.Transport == SSE {
				c.OAuthAudience = string(c.PublicURL) + "/sse"
			}
		}
	} else if c.OAuthIssuer != "" {
		complain("PublicURL", "", "MCP_OAUTH_ISSUER wants it, because tokens are made out to it")
	}
	if host, _, err := net.SplitHostPort(string(c.Address)); err == nil && host != "" && net.ParseIP(host) == nil {
		c.AllowedHosts = append(c.AllowedHosts, strings.ToLower(host))
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		complain("TLSCert", c.TLSCert, "MCP_TLS_CERT_FILE and MCP_TLS_KEY_FILE are set both or neither")
	}
	if c.Transport != Stdio && len(c.AuthTokens.texts) == 0 && vars["MCP_OAUTH_ISSUER"] == "" {
		const why = "whoever reaches it could use the account: set MCP_AUTH_TOKEN (such as to what openssl rand -hex 32 prints) or MCP_OAUTH_ISSUER"
		switch {
		case c.Address != "" && !c.Address.IsPrivate():
			complain("Address", string(c.Address), why+", or listen on 127.0.0.1")
		case c.PublicURL != "" && !c.PublicURL.IsLoopback():
			complain("PublicURL", string(c.PublicURL), why)
		}
	}
	for name, d := range map[string]int64{"StopDelay": int64(c.StopDelay), "DrainTimeout": int64(c.DrainTimeout)} {
		if d < 0 {
			s, _ := settingOf(name)
			complain(name, vars[s.Name], "it is less than nothing")
		}
	}
	return problems
}

// weakness says why one of the tokens is of no use, "" if all are.
func (s Secrets) weakness() string {
	for _, token := range s.texts {
		switch {
		case strings.ContainsFunc(token, func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsGraphic(r) }):
			return "a token holds a character that no header carries"
		case len(token) < minToken:
			return fmt.Sprintf("a token of fewer than %d characters can be guessed (they are separated by commas or white space)", minToken)
		}
	}
	return ""
}

// originOf is an origin as browsers write it.
func originOf(u *url.URL) string {
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	for of, port := range map[string]string{"http": ":80", "https": ":443"} {
		if scheme == of {
			host = strings.TrimSuffix(host, port)
		}
	}
	return scheme + "://" + host
}
