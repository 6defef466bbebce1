package transfer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"syscall"
	"time"

	"code.dny.dev/ssrf"
)

// A Client fetches from the hosts that download URLs point at. Those come from
// an API's answer, so they are not trusted: only https and only public
// addresses, checked on the address that is dialled, after every redirect too.
// Behind a proxy, which dials instead, addresses are checked and names are the
// proxy's to judge. It carries no key, no cookies and no Referer.
type Client struct {
	http     *http.Client
	guard    *guard
	loopback bool
}

// NewClient returns a client. With allowLoopback, for an API that is itself on
// loopback, plain http to loopback works too. Each of around may wrap what
// sends the requests, such as to count them.
func NewClient(allowLoopback bool, around ...func(http.RoundTripper) http.RoundTripper) *Client {
	allowed := []ssrf.Option{ssrf.WithAnyPort()}
	if allowLoopback {
		allowed = append(allowed,
			ssrf.WithAllowedV4Prefixes(netip.MustParsePrefix("127.0.0.0/8")),
			ssrf.WithAllowedV6Prefixes(netip.MustParsePrefix("::1/128")))
	}
	plain := &net.Dialer{Timeout: 10 * time.Second}
	guard := &guard{ssrf.New(allowed...)}
	guarded := &net.Dialer{Timeout: 10 * time.Second, Control: guard.control}
	var proxies sync.Map // addresses of proxies the environment named; they may be private
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true) // HTTP/2 would put every range on one connection
	c := &Client{guard: guard, loopback: allowLoopback}
	c.http = &http.Client{
		Transport: &http.Transport{
			Proxy: func(r *http.Request) (*url.URL, error) {
				proxy, err := http.ProxyFromEnvironment(r)
				if proxy != nil {
					proxies.Store(hostPort(proxy), true)
				}
				return proxy, err
			},
			DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				if _, ok := proxies.Load(addr); ok {
					return plain.DialContext(ctx, network, addr)
				}
				return guarded.DialContext(ctx, network, addr)
			},
			Protocols:              protocols,
			DisableCompression:     true, // a few kilobytes of gzip can be gigabytes
			TLSHandshakeTimeout:    10 * time.Second,
			ResponseHeaderTimeout:  30 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
			MaxIdleConnsPerHost:    4,
			IdleConnTimeout:        60 * time.Second,
		},
		CheckRedirect: func(next *http.Request, via []*http.Request) error {
			if len(via) > 3 {
				return &Error{Kind: Forbidden, Host: next.URL.Host, Err: errors.New("more than 3 redirects")}
			}
			next.Header.Del("Referer") // it would carry the signed URL to the next host
			return c.permit(next.URL)
		},
	}
	for _, wrap := range around {
		c.http.Transport = wrap(c.http.Transport)
	}
	return c
}

// CloseIdleConnections lets go of connections that wait for another download.
func (c *Client) CloseIdleConnections() { c.http.CloseIdleConnections() }

// A guard tells public addresses from others.
type guard struct{ *ssrf.Guardian }

// nat64 is how networks without IPv4 write addresses of it.
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

func (g *guard) check(ip netip.Addr) error {
	if nat64.Contains(ip) {
		all := ip.As16()
		ip = netip.AddrFrom4([4]byte(all[12:]))
	}
	return g.SafeAddr(ip.Unmap())
}

// control is called with the address that is about to be dialled.
func (g *guard) control(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	return g.check(at.Addr())
}

func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "socks5": "1080", "socks5h": "1080"}[u.Scheme]
	}
	if port == "" {
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// permit checks what can be checked before dialling.
func (c *Client) permit(u *url.URL) error {
	ip, err := netip.ParseAddr(u.Hostname())
	switch {
	case err == nil && c.guard.check(ip) != nil:
		return &Error{Kind: Forbidden, Host: u.Host, Err: errNotPublic}
	case u.User != nil:
		return &Error{Kind: Forbidden, Host: u.Host, Err: errors.New("its URL has a user name or password")}
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && c.loopback && isLoopback(u.Hostname()):
		return nil
	}
	return &Error{Kind: Forbidden, Host: u.Host, Err: fmt.Errorf("its scheme is %q, not https", u.Scheme)}
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// errUnreadable does not repeat the URL, which is signed.
var errUnreadable = &Error{Kind: Forbidden, Err: errors.New("the download URL can't be read")}

var errNotPublic = errors.New("it is not a public https address")

// Normalize returns a download URL as this client would use it: with the scheme
// that some lack, and https where it says http. It fails where the client would
// refuse to go.
func (c *Client) Normalize(raw string) (string, error) {
	u, err := c.parse(raw)
	if err != nil {
		return "", err
	}
	return u.String(), nil
}

// parse reads a download URL as APIs write them: some lack a scheme, and some
// say http where the host refuses it.
func (c *Client) parse(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err == nil && u.Scheme == "" {
		u, err = url.Parse("https://" + raw)
	}
	if err != nil || u.Hostname() == "" {
		return nil, errUnreadable
	}
	if u.Scheme == "http" && (!c.loopback || !isLoopback(u.Hostname())) {
		u.Scheme = "https"
		if u.Port() == "80" {
			u.Host = u.Hostname()
		}
	}
	return u, c.permit(u)
}
