// Command conformance serves what the official MCP conformance suite asks of a
// server under test, through the transport of the real server. It is built and
// run by .ci/conformance alone.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"

	"github.com/mark3labs/mcp-go/server"

	"minimax-files-mcp/internal/transport"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: conformance ADDRESS")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := serve(ctx, os.Args[1])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(ctx context.Context, address string) error {
	ln, err := transport.Listen(ctx, address)
	if err != nil {
		return err
	}
	h := &transport.HTTP{
		Server: fixtures(), Streamable: true,
		Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}
	return h.Serve(ctx, ln)
}

// fixtures is a server with everything that the suite's scenarios call.
func fixtures() *server.MCPServer {
	s := server.NewMCPServer("conformance", "1",
		server.WithToolCapabilities(true),
		server.WithResourceCapabilities(true, true),
		server.WithPromptCapabilities(true),
		server.WithCompletions(),
		server.WithLogging(),
		server.WithElicitation(),
	)
	s.EnableSampling()
	addTools(s)
	addAsking(s)
	addInputRequired(s)
	addResources(s)
	addPrompts(s)
	return s
}
