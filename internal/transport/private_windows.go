package transport

import (
	"context"
	"net"
)

// listenPrivately makes a socket. Who may connect to it is up to the directory
// that it is in.
func listenPrivately(ctx context.Context, path string) (net.Listener, error) {
	return new(net.ListenConfig).Listen(ctx, "unix", path)
}
