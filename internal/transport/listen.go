package transport

import (
	"context"
	"crypto/tls"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"time"
)

// unixPrefix begins the address of a Unix socket.
const unixPrefix = "unix:"

// Listen listens on an address: "127.0.0.1:8080", ":8080" for every interface,
// or "unix:/run/mcp.sock", a socket that this user alone may connect to.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	path, isUnix := strings.CutPrefix(address, unixPrefix)
	if !isUnix {
		ln, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
		if tcp, ok := ln.(*net.TCPListener); ok {
			return newQuietable(tcp), nil
		}
		return ln, err
	}
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() == fs.ModeSocket {
		if conn, err := new(net.Dialer).DialContext(ctx, "unix", path); err == nil {
			_ = conn.Close() // it was only to see
			return nil, fmt.Errorf("listen on %s: another server answers there", path)
		}
		_ = os.Remove(path) // of a server that was killed; if it stays, listening says so
	}
	return listenPrivately(ctx, path)
}

// WithTLS has ln speak TLS with a certificate from files. They are read again
// when they change, so that a renewed certificate needs no restart.
func WithTLS(ln net.Listener, certFile, keyFile string, log *slog.Logger) (net.Listener, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, log: log}
	if _, err := c.get(nil); err != nil {
		return nil, err
	}
	secured := tls.NewListener(ln, &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: c.get,
	})
	return tlsListener{secured, ln}, nil
}

// tlsListener can be told to be quiet if the one beneath can.
type tlsListener struct {
	net.Listener
	beneath net.Listener
}

type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu       sync.Mutex
	current  *tls.Certificate
	modified time.Time
}

// get returns the certificate as it is in the files. If they can't be read, as
// in the midst of a change, the one that was read last serves on.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var newest time.Time
	for _, name := range []string{c.certFile, c.keyFile} {
		if info, err := os.Stat(name); err == nil && info.ModTime().After(newest) {
			newest = info.ModTime()
		}
	}
	if c.current != nil && newest.Equal(c.modified) {
		return c.current, nil
	}
	loaded, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	switch {
	case err == nil:
		c.current, c.modified = &loaded, newest
	case c.current == nil:
		return nil, fmt.Errorf("the TLS certificate can't be used: %w", err)
	default:
		c.modified = newest // it is told once
		c.log.Warn("the certificate has changed and can't be used; the one before serves on", "error", err)
	}
	return c.current, nil
}
