//go:build unix

package transport

import (
	"context"
	"net"
	"syscall"
)

// listenPrivately makes a socket that nobody else may connect to, at no time.
func listenPrivately(ctx context.Context, path string) (net.Listener, error) {
	before := syscall.Umask(0o177)
	defer syscall.Umask(before)
	return new(net.ListenConfig).Listen(ctx, "unix", path)
}
