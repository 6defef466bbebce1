package tools_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/mark3labs/mcp-go/client"
	clienttransport "github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
	"go.uber.org/goleak"

	"minimax-files-mcp/internal/storage"
	"minimax-files-mcp/internal/transfer"
	"minimax-files-mcp/internal/transport"
	"minimax-files-mcp/minimax"
	"minimax-files-mcp/minimax/sandbox"
	"minimax-files-mcp/tools"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A bench is the tools on a sandbox, and everything that was logged.
type bench struct {
	sandbox *sandbox.Server
	api     *minimax.Client
	dir     *storage.Dir
	deps    tools.Deps
	logger  *slog.Logger
	log     *logBuffer                // what logger wrote
	user    client.ElicitationHandler // who is asked; nil where the client can't
}

// options are a client's.
func (b *bench) options(era string) []client.ClientOption {
	options := []client.ClientOption{client.WithProtocolVersion(era)}
	if b.user != nil {
		options = append(options, client.WithElicitationHandler(b.user))
	}
	return options
}

func newBench(t *testing.T, cfg sandbox.Config) *bench {
	t.Helper()
	s, err := sandbox.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := storage.NewDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{sandbox: s, dir: dir, log: &logBuffer{}}
	b.logger = slog.New(slog.NewJSONHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	b.api = &minimax.Client{
		BaseURL: s.URL(), Key: func(context.Context) string { return sandbox.Key }, Log: b.logger,
		HTTP: minimax.NewHTTPClient(), Retry: minimax.Retry{Initial: time.Millisecond},
	}
	fetch := transfer.NewClient(true)
	t.Cleanup(func() {
		fetch.CloseIdleConnections()
		b.api.HTTP.CloseIdleConnections()
		s.Close()
		dir.Close()
	})
	b.deps = tools.Deps{
		Files: b.api, Fetch: fetch, Dir: dir, Uploads: dir, Backoff: time.Millisecond, Log: b.logger,
		CursorKey: func(context.Context) []byte { return []byte("cursor key") },
	}
	return b
}

// logBuffer is a buffer for several goroutines.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (b *bench) server() *server.MCPServer {
	return tools.NewServer(tools.About{Name: "test", Version: "1"}, b.deps, tools.All(b.deps))
}

// The two eras of the protocol.
var eras = []string{mcp.LATEST_LEGACY_PROTOCOL_VERSION, mcp.LATEST_PROTOCOL_VERSION}

// eachWay runs a test over every transport and in both eras.
func eachWay(t *testing.T, test func(t *testing.T, connect func(*bench) *client.Client)) {
	eachWayBut(t, nil, test)
}

// cannotAsk are the ways in which a server has no way to ask a client's user.
var cannotAsk = map[string]string{
	"streamable HTTP " + mcp.LATEST_LEGACY_PROTOCOL_VERSION: "a stateless connection carries no question of the server's own: confirm_filename is wanted",
	"SSE " + mcp.LATEST_LEGACY_PROTOCOL_VERSION:             "mcp-go's SSE client takes no requests; the transport's own tests ask over SSE",
}

// eachWayBut leaves out some ways, for a reason.
func eachWayBut(t *testing.T, but map[string]string, test func(t *testing.T, connect func(*bench) *client.Client)) {
	t.Helper()
	for _, era := range eras {
		for name, connect := range map[string]func(*testing.T, *bench, string) *client.Client{
			"in process": connectInProcess, "stdio": connectStdio, "SSE": connectSSE, "streamable HTTP": connectHTTP,
		} {
			t.Run(name+" "+era, func(t *testing.T) {
				if why := but[name+" "+era]; why != "" {
					t.Skip(why)
				}
				test(t, func(b *bench) *client.Client { return connect(t, b, era) })
			})
		}
	}
}

func connectInProcess(t *testing.T, b *bench, era string) *client.Client {
	t.Helper()
	c, err := client.NewInProcessClientWithOptions(b.server(), b.options(era)...)
	if err != nil {
		t.Fatal(err)
	}
	return shakeHands(t, c)
}

func connectStdio(t *testing.T, b *bench, era string) *client.Client {
	t.Helper()
	requests, toServer := io.Pipe()
	fromServer, answers := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := (&transport.Stdio{Server: b.server(), In: requests, Out: answers, Log: b.logger}).Serve(context.Background())
		answers.CloseWithError(err)
		ended <- err
	}()
	t.Cleanup(func() {
		toServer.Close()
		if err := <-ended; err != nil {
			t.Errorf("stdio ended with %v", err)
		}
	})
	return shakeHands(t, client.NewClient(clienttransport.NewIO(fromServer, toServer, io.NopCloser(strings.NewReader(""))), b.options(era)...))
}

func connectSSE(t *testing.T, b *bench, era string) *client.Client {
	t.Helper()
	to, err := clienttransport.NewSSE(serveHTTP(t, b) + "/sse")
	if err != nil {
		t.Fatal(err)
	}
	return shakeHands(t, client.NewClient(to, b.options(era)...))
}

func connectHTTP(t *testing.T, b *bench, era string) *client.Client {
	t.Helper()
	to, err := clienttransport.NewStreamableHTTP(serveHTTP(t, b) + "/mcp")
	if err != nil {
		t.Fatal(err)
	}
	return shakeHands(t, client.NewClient(to, b.options(era)...))
}

// serveHTTP serves the tools on loopback until the test ends, and returns the
// address.
func serveHTTP(t *testing.T, b *bench) string {
	t.Helper()
	ln, err := transport.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- (&transport.HTTP{Server: b.server(), Log: b.logger, Streamable: true, CredentialHeader: "X-Key"}).Serve(ctx, ln)
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("http ended with %v", err)
		}
	})
	return "http://" + ln.Addr().String()
}

func shakeHands(t *testing.T, c *client.Client) *client.Client {
	t.Helper()
	if err := c.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := c.Initialize(t.Context(), mcp.InitializeRequest{}); err != nil {
		t.Fatal(err)
	}
	return c
}

func connect(t *testing.T, b *bench) *client.Client {
	t.Helper()
	return connectStdio(t, b, mcp.LATEST_LEGACY_PROTOCOL_VERSION)
}

// call calls a tool with arguments in JSON and returns its result, which is
// never a protocol error and always as the tool's schema says.
func call(t *testing.T, c *client.Client, tool, arguments string) *mcp.CallToolResult {
	t.Helper()
	req := mcp.CallToolRequest{}
	req.Params.Name = tool
	req.Params.Arguments = json.RawMessage(arguments)
	result, err := c.CallTool(t.Context(), req)
	if err != nil {
		t.Fatalf("%s %s: a protocol error: %v", tool, arguments, err)
	}
	if !result.IsError {
		checkStructured(t, tool, result)
	}
	return result
}

// into calls a tool that must succeed and decodes what it returns.
func into[T any](t *testing.T, c *client.Client, tool, arguments string) T {
	t.Helper()
	result := call(t, c, tool, arguments)
	if result.IsError {
		t.Fatalf("%s %s failed: %s", tool, arguments, text(result))
	}
	var out T
	if err := json.Unmarshal(result.RawStructuredContent, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func text(result *mcp.CallToolResult) string {
	for _, content := range result.Content {
		if text, ok := content.(mcp.TextContent); ok {
			return text.Text
		}
	}
	return ""
}

func links(result *mcp.CallToolResult) (uris []string) {
	for _, content := range result.Content {
		if link, ok := content.(mcp.ResourceLink); ok {
			uris = append(uris, link.URI)
		}
	}
	return uris
}

// checkStructured holds a success against the tool's outputSchema, and its
// text against it.
func checkStructured(t *testing.T, tool string, result *mcp.CallToolResult) {
	t.Helper()
	var structured, mirrored any
	if err := json.Unmarshal(result.RawStructuredContent, &structured); err != nil {
		t.Fatalf("%s: structuredContent: %v", tool, err)
	}
	if err := json.Unmarshal([]byte(text(result)), &mirrored); err != nil {
		t.Fatalf("%s: the text is not JSON: %v", tool, err)
	}
	a, _ := json.Marshal(structured)
	b, _ := json.Marshal(mirrored)
	if !bytes.Equal(a, b) {
		t.Errorf("%s: the text differs from structuredContent:\n%s\n%s", tool, b, a)
	}
	if err := outputSchemas()[tool].Validate(structured); err != nil {
		t.Errorf("%s: the result does not fit its schema: %v\n%s", tool, err, a)
	}
}

var outputSchemas = sync.OnceValue(func() map[string]*jsonschema.Resolved {
	schemas := map[string]*jsonschema.Resolved{}
	for _, tool := range tools.All(tools.Deps{}) {
		var schema jsonschema.Schema
		if err := json.Unmarshal(tool.MCP().RawOutputSchema, &schema); err != nil {
			panic(err)
		}
		resolved, err := schema.Resolve(nil)
		if err != nil {
			panic(err)
		}
		schemas[tool.Name] = resolved
	}
	return schemas
})
