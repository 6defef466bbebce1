package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/mark3labs/mcp-go/client"
	clienttransport "github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/schollz/progressbar/v3"

	"minimax-files-mcp/internal/transport"
)

// connect starts a real MCP client of the app's server, over the same stdio
// transport that other clients use, on pipes within the process.
func (a *app) connect(ctx context.Context) (c *client.Client, stop func(), err error) {
	requests, toServer := io.Pipe()
	fromServer, answers := io.Pipe()
	served := make(chan struct{})
	go func() {
		defer close(served)
		err := (&transport.Stdio{Server: a.server, In: requests, Out: answers, Log: a.log}).Serve(ctx)
		answers.CloseWithError(err) // the end of file if there is none
	}()
	c = client.NewClient(clienttransport.NewIO(fromServer, toServer, io.NopCloser(eof{})))
	stop = func() {
		_ = toServer.Close()
		<-served
		_ = c.Close()
	}
	if err := c.Start(ctx); err != nil {
		stop()
		return nil, nil, err
	}
	init := mcp.InitializeRequest{}
	init.Params.ProtocolVersion = mcp.LATEST_LEGACY_PROTOCOL_VERSION
	init.Params.ClientInfo = mcp.Implementation{Name: name, Version: version()}
	if _, err := c.Initialize(ctx, init); err != nil {
		stop()
		return nil, nil, err
	}
	return c, stop, nil
}

type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }

// callTool calls a tool and returns its JSON, indented. While it runs, a
// terminal shows its progress. A tool's own failure is a *toolError.
func (p *program) callTool(ctx context.Context, c *client.Client, tool string, args any) ([]byte, error) {
	bar := p.newBar()
	c.OnNotification(bar.notice)
	req := mcp.CallToolRequest{}
	req.Params.Name = tool
	req.Params.Arguments = args
	req.Params.Meta = &mcp.Meta{ProgressToken: tool}
	result, err := c.CallTool(ctx, req)
	bar.finish()
	if err != nil {
		return nil, err
	}
	if result.IsError {
		return nil, &toolError{textOf(result)}
	}
	var indented bytes.Buffer
	err = json.Indent(&indented, []byte(textOf(result)), "", "  ") // the mirror leaves & as it is
	return indented.Bytes(), err
}

type toolError struct{ text string }

func (e *toolError) Error() string { return e.text }

func textOf(result *mcp.CallToolResult) string {
	for _, c := range result.Content {
		if text, ok := c.(mcp.TextContent); ok {
			return text.Text
		}
	}
	return "the tool failed without a word"
}

// bar draws a call's progress on a terminal, and nothing elsewhere.
type bar struct {
	out    io.Writer
	drawn  *progressbar.ProgressBar
	colour bool
}

func (p *program) newBar() *bar {
	if !isTerminal(p.stderr) {
		return &bar{}
	}
	return &bar{out: p.stderr, colour: p.colour(p.stderr)}
}

func (b *bar) notice(n mcp.JSONRPCNotification) {
	if b.out == nil || n.Method != "notifications/progress" {
		return
	}
	done, _ := n.Params.AdditionalFields["progress"].(float64)
	total, ok := n.Params.AdditionalFields["total"].(float64)
	if !ok {
		total = -1
	}
	if b.drawn == nil {
		b.drawn = progressbar.NewOptions64(int64(total),
			progressbar.OptionSetWriter(b.out), progressbar.OptionShowBytes(true),
			progressbar.OptionSetWidth(40), progressbar.OptionEnableColorCodes(b.colour),
			progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(0))
	}
	_ = b.drawn.Set64(int64(done)) // a bar that can't be drawn is no reason to fail
}

func (b *bar) finish() {
	if b.drawn != nil {
		fmt.Fprintln(b.out)
	}
}
