package transport

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// fromHere refuses what a web page makes a browser send. A page may have its
// own name resolved to this server's address (DNS rebinding), so a request must
// name this server as its Host; and a page may send requests across origins,
// so an Origin must be this server's own, or one that is allowed. Programs
// send no Origin.
//
// No answer allows any origin to read it but those that are allowed by name.
func (h *HTTP) fromHere(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !h.isOurHost(r) {
			refuse(w, http.StatusForbidden, fmt.Sprintf("this server does not go by the name %.100q. If it is to, such as behind a proxy, add the name to MCP_ALLOWED_HOSTS, or have the proxy send another Host", hostname(r.Host)))
			return
		}
		origin := r.Header.Get("Origin")
		switch {
		case origin == "":
		case slices.Contains(h.AllowedOrigins, strings.ToLower(origin)):
			h.allow(w, r, origin)
			if r.Method == http.MethodOptions {
				w.WriteHeader(http.StatusNoContent)
				return
			}
		case !isOwnOrigin(origin, r.Host):
			refuse(w, http.StatusForbidden, fmt.Sprintf("pages of %.100q may not use this server. If they are to, add it to MCP_ALLOWED_ORIGINS", origin))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// allow lets pages of an origin read the answer.
func (h *HTTP) allow(w http.ResponseWriter, r *http.Request, origin string) {
	header := w.Header()
	header.Set("Access-Control-Allow-Origin", origin)
	header.Add("Vary", "Origin")
	header.Set("Access-Control-Expose-Headers", "Mcp-Session-Id, WWW-Authenticate, X-Request-Id")
	if r.Method == http.MethodOptions {
		header.Set("Access-Control-Allow-Methods", "GET, POST, DELETE")
		header.Set("Access-Control-Allow-Headers", strings.Join(append([]string{
			"Authorization", "Content-Type", "Last-Event-ID", "Mcp-Session-Id", "Mcp-Protocol-Version", "Mcp-Method", "Mcp-Name", "Traceparent", "Tracestate",
		}, nonEmpty(h.CredentialHeader)...), ", "))
		header.Set("Access-Control-Max-Age", "3600")
	}
}

func nonEmpty(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

// isOurHost reports whether the request names this server: by a loopback name,
// by one that is allowed, or by the very address that it was sent to. No page
// has an address for a name, unless it was served from there.
func (h *HTTP) isOurHost(r *http.Request) bool {
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if local != nil && local.Network() == "unix" {
		return true // which no browser reaches
	}
	name := hostname(r.Host)
	if isLoopbackName(name) || slices.Contains(h.AllowedHosts, name) {
		return true
	}
	asked, err := netip.ParseAddr(name)
	if err != nil || local == nil {
		return false
	}
	at, err := netip.ParseAddrPort(local.String())
	return err == nil && at.Addr().Unmap().WithZone("") == asked.Unmap()
}

// hostname is the lower-case name in a Host header, without port and brackets.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.Trim(host, "[]"))
}

func isLoopbackName(name string) bool {
	ip, err := netip.ParseAddr(name)
	return name == "localhost" || err == nil && ip.IsLoopback()
}

// isOwnOrigin reports whether a page of this origin came from this server.
func isOwnOrigin(origin, host string) bool {
	u, err := url.Parse(origin)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Path == "" && u.RawQuery == "" && strings.EqualFold(u.Host, host)
}
