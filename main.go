// Command minimax-files-mcp is an MCP server for the files of a MiniMax account.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"minimax-files-mcp/internal/cli"
)

func main() {
	// Standard output belongs to the protocol. Whatever else in this process
	// prints, prints to standard error.
	stdout := os.Stdout
	os.Stdout = os.Stderr
	signal.Ignore(syscall.SIGPIPE) // a client that went away is an error of Write, not a sudden end
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second signal ends the process at once

	os.Exit(cli.Run(ctx, os.Args[1:], os.Environ(), os.Stdin, stdout, os.Stderr))
}
