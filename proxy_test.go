package main_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"minimax-files-mcp/minimax/sandbox"
)

// A proxy is an HTTP proxy that knows where names lead, as one on the way out
// of a company does.
type proxy struct {
	*httptest.Server
	leads map[string]string // host:port to host:port

	mu    sync.Mutex
	asked []string
}

func startProxy(t *testing.T) *proxy {
	t.Helper()
	p := &proxy{leads: map[string]string{}}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked = append(p.asked, r.Method+" "+r.Host)
	to, known := p.leads[r.Host]
	p.mu.Unlock()
	if r.Method != http.MethodConnect || !known {
		http.Error(w, "no way there", http.StatusForbidden)
		return
	}
	there, err := net.Dial("tcp", to)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer there.Close()
	w.WriteHeader(http.StatusOK)
	here, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer here.Close()
	go io.Copy(there, here)
	io.Copy(here, there)
}

// saw is what the proxy was asked for.
func (p *proxy) saw() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked)
}

// TestProxy downloads over a proxy from the environment, which is on loopback
// while all else must not be, and to hosts that only the proxy can find.
func TestProxy(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("elsewhere the system's certificates can't be replaced by a variable")
	}
	s, err := sandbox.Start(sandbox.Config{TLS: true, StorageURL: "https://storage.sandbox.test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	trusted := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(trusted, s.Certificate(), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startProxy(t)
	p.leads["api.sandbox.test:443"] = address(t, s.URL())
	p.leads["storage.sandbox.test:443"] = s.StorageAddr()
	dir := t.TempDir()
	run := func(id string) string {
		cmd := command(t, []string{
			"HTTPS_PROXY=" + p.URL, "SSL_CERT_FILE=" + trusted, "MINIMAX_MCP_BASE_PATH=" + dir,
			"MINIMAX_API_HOST=https://api.sandbox.test", "MINIMAX_API_KEY=" + sandbox.Key,
		})
		cmd.Stdin = strings.NewReader(initialize + toolCall(1, "download_file", fmt.Sprintf(`{"file_id":%q}`, id)))
		output, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(answers(t, output)["1"])
	}
	if got := run(sandbox.SeedVideo); !strings.Contains(got, s.SHA256(sandbox.SeedVideo)) {
		t.Errorf("%s", got)
	}
	for _, want := range []string{"CONNECT api.sandbox.test:443", "CONNECT storage.sandbox.test:443"} {
		if !slices.Contains(p.saw(), want) {
			t.Errorf("the proxy was asked for %v, not %s", p.saw(), want)
		}
	}
	s.Misbehave(sandbox.SeedSpeech, sandbox.Fault{Redirect: "https://169.254.169.254/latest"})
	if got := run(sandbox.SeedSpeech); !strings.Contains(got, "not a public https address") {
		t.Errorf("%s", got)
	}
	if asked := p.saw(); slices.ContainsFunc(asked, func(a string) bool { return strings.Contains(a, "169.254") }) {
		t.Errorf("the proxy was asked for %v", asked)
	}
}

func address(t *testing.T, base string) string {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}
