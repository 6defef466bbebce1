// Package transport carries MCP messages between clients and a server. [Stdio]
// is the one over a pair of pipes.
package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// Stdio serves one client: a JSON-RPC message per line in, one per line out.
//
// mcp-go has a stdio server too. This one exists because that one cancels
// running calls at the end of input, so that piped requests lose answers,
// writes progress from a goroutine of its own, after results, and reads lines
// of any length into memory.
type Stdio struct {
	Server *server.MCPServer
	In     io.Reader
	Out    io.Writer
	Log    *slog.Logger
	// MaxLine is the longest message in bytes; a longer one is skipped and
	// answered with an error. 4 MiB if 0.
	MaxLine int
}

const (
	defaultMaxLine = 4 << 20
	drainPatience  = 2 * time.Second
	goneCheck      = 500 * time.Millisecond
)

// Serve answers until the input ends, and then until every request read from
// it is answered. It ends earlier, abandoning what runs, when ctx is done or
// when nobody reads the output any more; neither is an error.
func (s *Stdio) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	conn := newConn("stdio", s.Server, s.Log, cancel, func(message []byte) error {
		_, err := s.Out.Write(append(message, '\n'))
		return err
	})
	if err := s.Server.RegisterSession(ctx, conn); err != nil {
		return fmt.Errorf("stdio: %w", err)
	}
	defer s.Server.UnregisterSession(context.WithoutCancel(ctx), conn.SessionID())
	go conn.write()

	err := s.read(s.Server.WithContext(ctx, conn), conn)
	conn.noMore()
	s.drain(ctx, conn)
	if errors.Is(err, context.Canceled) || errors.Is(err, errClientGone) {
		return nil
	}
	return err
}

// read takes messages until the end of the input or of ctx.
func (s *Stdio) read(ctx context.Context, c *conn) error {
	lines := make(chan line)
	go readLines(ctx, s.In, s.maxLine(), lines)
	// Subscriptions last until the input ends; they don't hold up the end.
	subscriptions, unsubscribe := context.WithCancel(ctx)
	defer unsubscribe()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case next, ok := <-lines:
			switch {
			case !ok:
				return nil
			case next.err != nil:
				return fmt.Errorf("stdio: read: %w", next.err)
			case next.tooLong:
				c.respond(ctx.Done(), failure(mcp.INVALID_REQUEST, fmt.Sprintf("a message of more than %d bytes was refused", s.maxLine())))
			default:
				c.dispatch(ctx, subscriptions, bytes.TrimSpace(next.text))
			}
		}
	}
}

func (s *Stdio) maxLine() int {
	if s.MaxLine > 0 {
		return s.MaxLine
	}
	return defaultMaxLine
}

// drain waits until what runs is answered: without limit at the end of input,
// for a moment when the server is to stop or nobody reads any more.
func (s *Stdio) drain(ctx context.Context, c *conn) {
	idle := make(chan struct{})
	go func() {
		c.wait.Wait()
		close(idle)
	}()
	check := time.NewTicker(goneCheck)
	defer check.Stop()
	stopping, written := ctx.Done(), c.written
	var patience <-chan time.Time
	for idle != nil || written != nil {
		select {
		case <-idle:
			close(c.responses)
			idle = nil
		case <-written:
			written = nil
		case <-stopping: // also when a write has failed
			stopping, patience = nil, time.After(drainPatience)
		case <-patience:
			return
		case <-check.C:
			if f, ok := s.Out.(*os.File); ok && readerGone(f) {
				c.cancel(errClientGone)
			}
		}
	}
}
