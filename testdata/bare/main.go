// Command bare is the smallest MCP server there is: mcp-go with one tool. It is
// what the real server's start is measured against, and, as "bare ADDRESS",
// what its calls over streamable HTTP are: there the tool passes on what
// MiniMax says of a file.
package main

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"os"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

func main() {
	s := server.NewMCPServer("bare", "1")
	if len(os.Args) < 2 {
		s.AddTool(mcp.NewTool("hello"), func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return mcp.NewToolResultText("hello"), nil
		})
		_ = server.ServeStdio(s) // its end is the end
		return
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	s.AddTool(mcp.NewTool("retrieve_file", mcp.WithString("file_id")), func(ctx context.Context, call mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, os.Getenv("MINIMAX_API_HOST")+"/v1/files/retrieve?file_id="+url.QueryEscape(call.GetString("file_id", "")), nil)
		if err != nil {
			return nil, err
		}
		req.Header.Set("Authorization", "Bearer "+os.Getenv("MINIMAX_API_KEY"))
		resp, err := client.Do(req)
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			return nil, err
		}
		return mcp.NewToolResultText(string(text)), nil
	})
	_ = server.NewStreamableHTTPServer(s, server.WithStateLess(true)).Start(os.Args[1])
}
