package transport_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"minimax-files-mcp/internal/transport"
)

func TestListen_on_a_Unix_socket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mcp.sock")
	stale, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := transport.Listen(t.Context(), "unix:"+path); err == nil || !strings.Contains(err.Error(), "another server") {
		t.Errorf("beside another server: %v", err)
	}
	stale.(*net.UnixListener).SetUnlinkOnClose(false) // as one that is killed leaves it
	stale.Close()
	ln, err := transport.Listen(t.Context(), "unix:"+path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	s := serveOn(t, &transport.HTTP{}, ln)
	to := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}
	t.Cleanup(to.CloseIdleConnections)
	s.client, s.url = &http.Client{Transport: to}, "http://whatever-name"
	if status, got := s.post(call("1", "echo")); status != 200 || !strings.Contains(got, "hi") {
		t.Errorf("%d %s", status, got)
	}
}

// writeCertificate writes one for localhost, and its key.
func writeCertificate(t *testing.T, dir string, serial int64) (certFile, keyFile string) {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	write(t, certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	write(t, keyFile, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: marshalKey(t, key)}))
	return certFile, keyFile
}

func marshalKey(t *testing.T, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func write(t *testing.T, name string, text []byte) {
	t.Helper()
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestWithTLS_takes_up_a_renewed_certificate(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := writeCertificate(t, dir, 1)
	ln, err := transport.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	secured, err := transport.WithTLS(ln, certFile, keyFile, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s := serveOn(t, &transport.HTTP{}, secured)
	s.url = strings.Replace(s.url, "http:", "https:", 1)
	serial := func() int64 {
		var seen int64
		to := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{
			InsecureSkipVerify: true, //nolint:gosec // it is looked at
			VerifyPeerCertificate: func(raw [][]byte, _ [][]*x509.Certificate) error {
				cert, err := x509.ParseCertificate(raw[0])
				seen = cert.SerialNumber.Int64()
				return err
			},
		}}
		defer to.CloseIdleConnections()
		s.client = &http.Client{Transport: to}
		resp, err := s.do(t.Context(), http.MethodPost, "/mcp", call("1", "echo"))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 200 || resp.ProtoMajor != 2 {
			t.Errorf("%s over %s", resp.Status, resp.Proto)
		}
		return seen
	}
	if got := serial(); got != 1 {
		t.Errorf("certificate %d", got)
	}
	writeCertificate(t, dir, 2)
	later := time.Now().Add(time.Minute)
	os.Chtimes(certFile, later, later)
	if got := serial(); got != 2 {
		t.Errorf("certificate %d after it was renewed", got)
	}
	write(t, keyFile, []byte("half a ke"))
	later = later.Add(time.Minute)
	os.Chtimes(keyFile, later, later)
	if got := serial(); got != 2 {
		t.Errorf("certificate %d while the files are changed", got)
	}
	if _, err := transport.WithTLS(ln, certFile, keyFile, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a broken key is taken")
	}
}
