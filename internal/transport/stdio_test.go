package transport_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
	"go.uber.org/goleak"

	"minimax-files-mcp/internal/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newServer has tools that take their time in the ways that matter here.
func newServer() *server.MCPServer {
	s := server.NewMCPServer("test", "1", server.WithToolCapabilities(false))
	add := func(name string, h server.ToolHandlerFunc) { s.AddTool(mcp.NewTool(name), h) }
	add("echo", func(_ context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return mcp.NewToolResultText(fmt.Sprint(r.GetArguments()["text"])), nil
	})
	add("slow", func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		select {
		case <-time.After(10 * time.Millisecond):
			return mcp.NewToolResultText("slow done"), nil
		case <-ctx.Done():
			return mcp.NewToolResultError("slow stopped"), nil
		}
	})
	add("forever", func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		<-ctx.Done()
		return mcp.NewToolResultError("forever stopped"), nil
	})
	add("progress", func(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		for i := range 20 {
			if err := s.SendNotificationToClient(ctx, "notifications/progress", map[string]any{"progressToken": r.Params.Meta.ProgressToken, "progress": i}); err != nil {
				return nil, err
			}
		}
		return mcp.NewToolResultText("progress done"), nil
	})
	add("ask", func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		form := mcp.ElicitationParams{Message: "may I?", RequestedSchema: map[string]any{"type": "object"}}
		answer, err := s.RequestElicitation(ctx, mcp.ElicitationRequest{Request: mcp.Request{Method: string(mcp.MethodElicitationCreate)}, Params: form})
		if err != nil {
			return mcp.NewToolResultError("ask failed: " + err.Error()), nil //nolint:nilerr // it is a result
		}
		return mcp.NewToolResultText("ask got " + string(answer.Action)), nil
	})
	add("panic", func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) { panic("secret") })
	return s
}

// pipe serves input to its end and returns the lines that came out.
func pipe(t *testing.T, input string) []string {
	t.Helper()
	var out bytes.Buffer
	serve := &transport.Stdio{Server: newServer(), In: strings.NewReader(input), Out: &out, Log: slog.New(slog.DiscardHandler)}
	if err := serve.Serve(t.Context()); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	for _, line := range lines {
		var msg struct {
			JSONRPC string `json:"jsonrpc"`
		}
		if line != "" && (json.Unmarshal([]byte(line), &msg) != nil || msg.JSONRPC != "2.0") {
			t.Errorf("a line that is not JSON-RPC: %q", line)
		}
	}
	return lines
}

func call(id, tool string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":"tools/call","params":{"name":%q,"arguments":{"text":"hi"},"_meta":{"progressToken":"t"}}}`, id, tool) + "\n"
}

const initialize = `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}` + "\n" +
	`{"jsonrpc":"2.0","method":"notifications/initialized"}` + "\n"

func contains(lines []string, part string) bool {
	for _, line := range lines {
		if strings.Contains(line, part) {
			return true
		}
	}
	return false
}

func TestStdio_answers_all_that_was_piped_in(t *testing.T) {
	for range 200 {
		got := pipe(t, initialize+call("1", "slow")+call("2", "echo")+strings.TrimSuffix(call("3", "echo"), "\n"))
		for _, want := range []string{`"id":0,`, `"id":1,`, `"id":2,`, `"id":3,`, "slow done"} {
			if !contains(got, want) {
				t.Fatalf("no %s in %q", want, got)
			}
		}
		if testing.Short() {
			return
		}
	}
}

func TestStdio_answers_more_requests_than_run_at_once(t *testing.T) {
	var in strings.Builder
	for i := range 1000 {
		in.WriteString(call(fmt.Sprint(i), "echo"))
	}
	if got := pipe(t, in.String()); len(got) != 1000 {
		t.Errorf("%d answers to 1000 requests", len(got))
	}
}

func TestStdio_progress_comes_before_its_result(t *testing.T) {
	for range 100 {
		got := pipe(t, call("1", "progress"))
		if len(got) != 21 || !strings.Contains(got[20], "progress done") {
			t.Fatalf("%d lines, the last is %s", len(got), got[len(got)-1])
		}
		for i, line := range got[:20] {
			if !strings.Contains(line, fmt.Sprintf(`"progress":%d,`, i)) {
				t.Fatalf("line %d: %s", i, line)
			}
		}
	}
}

func TestStdio_input_that_is_not_a_request(t *testing.T) {
	for name, tt := range map[string]struct{ in, want string }{
		"not JSON":               {"hello\n", `"code":-32700`},
		"half a message":         {`{"jsonrpc":"2.0","id":1,` + "\n", `"code":-32700`},
		"a batch":                {`[` + strings.TrimSpace(call("1", "echo")) + `]` + "\n", `"code":-32600`},
		"a batch behind a blank": {` [` + strings.TrimSpace(call("1", "echo")) + `]` + "\n", `"code":-32600`},
		"a number":               {"5\n", `"code":-32600`},
		"an empty object":        {"{}\n", `"code":-32600`},
		"no method":              {`{"jsonrpc":"2.0","id":5}` + "\n", `"code":-32600`},
		"a null":                 {"null\n", `"code":-32600`},
		"an id that runs":        {call("1", "slow") + call("1", "slow"), "that still runs"},
		"an old version":         {`{"jsonrpc":"1.0","id":1,"method":"ping"}` + "\n", `"code":-32600`},
		"an unknown method":      {`{"jsonrpc":"2.0","id":1,"method":"nonsense"}` + "\n", `"code":-32601`},
		"an unknown tool":        {call("1", "nonsense"), `"code":-32602`},
		"a method that is 5":     {`{"jsonrpc":"2.0","id":1,"method":5}` + "\n", `"error"`},
		"a panic":                {call("1", "panic"), `"code":-32603`},
	} {
		t.Run(name, func(t *testing.T) {
			got := pipe(t, tt.in+call("99", "echo"))
			if !contains(got, tt.want) || !contains(got, `"id":99`) {
				t.Errorf("%q; want %s, and the next request answered", got, tt.want)
			}
			if contains(got, "secret") {
				t.Errorf("%q", got)
			}
		})
	}
	for name, in := range map[string]string{
		"blank lines":              "\n\r\n   \n",
		"an answer nobody awaits":  `{"jsonrpc":"2.0","id":7,"result":{}}` + "\n",
		"an error nobody awaits":   `{"jsonrpc":"2.0","id":7,"error":{"code":1,"message":"x"}}` + "\n",
		"an unknown notification":  `{"jsonrpc":"2.0","method":"notifications/nonsense"}` + "\n",
		"a cancellation of nought": `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":12345}}` + "\n",
	} {
		t.Run(name+" get no answer", func(t *testing.T) {
			if got := pipe(t, in+call("99", "echo")); len(got) != 1 {
				t.Errorf("%q", got)
			}
		})
	}
}

func TestStdio_gives_ids_back_as_they_came(t *testing.T) {
	for _, id := range []string{`9007199254740993`, `18446744073709551615`, `"a b"`, `"1"`, `1.0`} {
		if got := pipe(t, call(id, "echo")); !contains(got, `"id":`+id+`,`) {
			t.Errorf("%s: %q", id, got)
		}
	}
}

func TestStdio_skips_a_line_that_is_too_long(t *testing.T) {
	var out bytes.Buffer
	long := io.MultiReader(
		strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"ping","x":"`),
		io.LimitReader(endless{}, 3<<20),
		strings.NewReader(`"}`+"\n"+call("2", "echo")),
	)
	serve := &transport.Stdio{Server: newServer(), In: long, Out: &out, Log: slog.New(slog.DiscardHandler), MaxLine: 1 << 20}
	if err := serve.Serve(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); !strings.Contains(got, "more than 1048576 bytes") || !strings.Contains(got, `"id":2`) {
		t.Errorf("%q", got)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

// session is a server on pipes that stay open.
type session struct {
	in    *io.PipeWriter
	lines chan string
	ended chan error
}

func startSession(ctx context.Context, out io.WriteCloser, outReader io.Reader) *session {
	inReader, in := io.Pipe()
	s := &session{in: in, lines: make(chan string, 100), ended: make(chan error, 1)}
	go func() {
		err := (&transport.Stdio{Server: newServer(), In: inReader, Out: out, Log: slog.New(slog.DiscardHandler)}).Serve(ctx)
		out.Close()
		inReader.Close()
		s.ended <- err
	}()
	if outReader != nil {
		go func() {
			defer close(s.lines)
			for scan := bufio.NewScanner(outReader); scan.Scan(); {
				s.lines <- scan.Text()
			}
		}()
	}
	return s
}

func TestStdio_cancellation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		s := startSession(t.Context(), w, r)
		// On the very next line: it must not come too early to be heard.
		io.WriteString(s.in, call("1", "forever")+`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`+"\n")
		io.WriteString(s.in, call("2", "echo"))
		s.in.Close()
		if err := <-s.ended; err != nil {
			t.Fatal(err)
		}
		var got []string
		for line := range s.lines {
			got = append(got, line)
		}
		if len(got) != 1 || !strings.Contains(got[0], `"id":2`) {
			t.Errorf("%q; want an answer to 2 alone", got)
		}
	})
}

func TestStdio_ends_when_it_is_told_to(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		r, w := io.Pipe()
		s := startSession(ctx, w, r)
		io.WriteString(s.in, call("1", "forever"))
		synctest.Wait()
		cancel()
		if err := <-s.ended; err != nil {
			t.Errorf("%v, want no error", err)
		}
		if got := <-s.lines; !strings.Contains(got, "forever stopped") {
			t.Errorf("what ran was answered %q", got)
		}
	})
}

func TestStdio_ends_when_it_is_told_to_though_its_client_reads_nothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		r, w := io.Pipe()
		s := startSession(ctx, w, nil)
		io.WriteString(s.in, strings.Repeat("not JSON\n", 3))
		synctest.Wait()
		cancel()
		time.AfterFunc(time.Minute, func() { r.Close() }) // should Serve wait for the writer
		started := time.Now()
		if err := <-s.ended; err != nil || time.Since(started) > 10*time.Second {
			t.Errorf("%v after %v", err, time.Since(started))
		}
	})
}

func TestStdio_ends_when_nobody_reads_any_more(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startSession(t.Context(), brokenPipe{}, nil)
		io.WriteString(s.in, call("1", "forever")+call("2", "echo"))
		if err := <-s.ended; err != nil {
			t.Errorf("%v, want no error", err)
		}
	})
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }
func (brokenPipe) Close() error              { return nil }

func TestStdio_subscriptions_do_not_hold_up_the_end(t *testing.T) {
	got := pipe(t, `{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`+"\n"+call("2", "echo"))
	if !contains(got, `"id":2`) {
		t.Errorf("%q", got)
	}
}
