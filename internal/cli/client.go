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

	"minimax-files-mcp/internal/transport"
)

// A session is a real MCP client of the app's server, over the same stdio
// transport that other clients use, on pipes within the process.
type session struct {
	client *client.Client
	bar    *bar
	input  io.Closer
	served chan struct{}
}

// connect starts a session. Progress of its calls is drawn on progress, if
// that is a terminal.
func (a *app) connect(ctx context.Context, progress io.Writer) (*session, error) {
	requests, toServer := io.Pipe()
	fromServer, answers := io.Pipe()
	s := &session{
		client: client.NewClient(clienttransport.NewIO(fromServer, toServer, io.NopCloser(&bytes.Buffer{}))),
		bar:    newBar(progress),
		input:  toServer,
		served: make(chan struct{}),
	}
	go func() {
		defer close(s.served)
		err := (&transport.Stdio{Server: a.server, In: requests, Out: answers, Log: a.log}).Serve(ctx)
		answers.CloseWithError(err) // the end of file if there is none
	}()
	if err := s.client.Start(ctx); err != nil {
		s.close()
		return nil, err
	}
	s.client.OnNotification(s.bar.notice)
	init := mcp.InitializeRequest{}
	init.Params.ProtocolVersion = mcp.LATEST_LEGACY_PROTOCOL_VERSION
	init.Params.ClientInfo = mcp.Implementation{Name: name, Version: version()}
	if _, err := s.client.Initialize(ctx, init); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *session) close() {
	_ = s.input.Close() // a pipe's end
	<-s.served
	_ = s.client.Close()
}

// call calls a tool and returns its JSON, indented. A tool's own failure is a
// *toolError.
func (s *session) call(ctx context.Context, tool string, args any) ([]byte, error) {
	req := mcp.CallToolRequest{}
	req.Params.Name = tool
	req.Params.Arguments = args
	req.Params.Meta = &mcp.Meta{ProgressToken: tool}
	result, err := s.client.CallTool(ctx, req)
	s.bar.finish()
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
	return fmt.Sprintf("the tool answered without text: %d pieces of content", len(result.Content))
}
