package transport_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"minimax-files-mcp/internal/transport"
)

// A site is a server on loopback, and a client of its own.
type site struct {
	t      *testing.T
	url    string
	client *http.Client
	log    *syncBuffer
	stop   context.CancelFunc
	ended  chan error
}

type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// serve runs a server until the test ends.
func serve(t *testing.T, h *transport.HTTP) *site {
	t.Helper()
	ln, err := transport.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, h, ln)
}

func serveOn(t *testing.T, h *transport.HTTP, ln net.Listener) *site {
	t.Helper()
	to := &http.Transport{}
	s := &site{t: t, url: "http://" + ln.Addr().String(), client: &http.Client{Transport: to}, log: &syncBuffer{}, ended: make(chan error, 1)}
	if h.Server == nil {
		h.Server = newServer()
	}
	h.Log = slog.New(transport.LogHandler(slog.NewJSONHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	h.Streamable = true
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	go func() {
		s.ended <- h.Serve(ctx, ln)
		close(s.ended)
	}()
	t.Cleanup(func() {
		stop()
		to.CloseIdleConnections()
		if err := <-s.ended; err != nil {
			t.Errorf("served until %v", err)
		}
		to.CloseIdleConnections()
	})
	return s
}

func (s *site) do(ctx context.Context, method, path, body string, headers ...string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.url+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	return s.client.Do(req)
}

// post sends a message and returns the answer.
func (s *site) post(body string, headers ...string) (status int, answer string) {
	s.t.Helper()
	resp, err := s.do(s.t.Context(), http.MethodPost, "/mcp", body, headers...)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func (s *site) get(path string) (status int, answer string) {
	s.t.Helper()
	resp, err := s.do(s.t.Context(), http.MethodGet, path, "")
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text)
}

// An era is how a call is written in one.
type era struct {
	call    func(id, tool string) string
	headers func(tool string) []string
}

var eras = map[string]era{
	"2025-11-25": {call, func(string) []string { return nil }},
	"2026-07-28": {
		func(id, tool string) string {
			return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":"tools/call","params":{"name":%q,"arguments":{"text":"hi"},"_meta":{"progressToken":"t",`+
				`"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`, id, tool)
		},
		func(tool string) []string {
			return []string{"Mcp-Protocol-Version: 2026-07-28", "Mcp-Method: tools/call", "Mcp-Name: " + tool}
		},
	},
}

// events are the data of a stream of events.
func events(stream string) (data []string) {
	for line := range strings.Lines(stream) {
		if text, ok := strings.CutPrefix(line, "data: "); ok {
			data = append(data, strings.TrimSpace(text))
		}
	}
	return data
}

func TestHTTP_progress_comes_before_the_result(t *testing.T) {
	s := serve(t, &transport.HTTP{})
	for version, era := range eras {
		for range 100 {
			_, answer := s.post(era.call("1", "progress"), era.headers("progress")...)
			got := events(answer)
			if len(got) != 21 || !strings.Contains(got[20], "progress done") {
				t.Fatalf("%s: %d events: %s", version, len(got), answer)
			}
			for i, progress := range got[:20] {
				if !strings.Contains(progress, fmt.Sprintf(`"progress":%d,`, i)) {
					t.Fatalf("%s: event %d is %s", version, i, progress)
				}
			}
		}
	}
}

func TestHTTP_answers_in_plain_JSON_where_nothing_is_said_before(t *testing.T) {
	s := serve(t, &transport.HTTP{})
	if status, got := s.post(call("7", "echo")); status != 200 || !strings.HasPrefix(got, `{"jsonrpc":"2.0","id":7,`) {
		t.Errorf("%d %s", status, got)
	}
	if status, got := s.post(call("7", "progress"), "Accept: application/json"); status != 200 || !strings.HasPrefix(got, `{"jsonrpc":"2.0","id":7,`) {
		t.Errorf("a client that takes no events: %d %s", status, got)
	}
}

func TestHTTP_keeps_a_quiet_connection_alive(t *testing.T) {
	s := serve(t, &transport.HTTP{KeepAlive: time.Millisecond})
	if _, got := s.post(call("1", "slow")); !strings.HasPrefix(got, ": still here\n\n") || !strings.Contains(got, "slow done") {
		t.Errorf("streamable HTTP: %q", got)
	}
	sse := talkSSE(t, s)
	if !sse.out.Scan() || sse.out.Text() != ": still here" {
		t.Errorf("SSE: %q", sse.out.Text())
	}
}

func TestHTTP_keeps_no_sessions(t *testing.T) {
	s := serve(t, &transport.HTTP{})
	for _, method := range []string{http.MethodGet, http.MethodDelete, http.MethodPut} {
		resp, err := s.do(t.Context(), method, "/mcp", "")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") != "POST" {
			t.Errorf("%s: %d, Allow: %s", method, resp.StatusCode, resp.Header.Get("Allow"))
		}
	}
	if status, got := s.post(call("1", "echo"), "Mcp-Session-Id: from-another-replica"); status != 200 {
		t.Errorf("%d %s", status, got)
	}
}

// awaited is a server with one tool that says when it starts, and waits for the
// end of its call or for leave to go on.
func awaited() (s *server.MCPServer, started chan struct{}, ended chan error, leave chan struct{}) {
	s = newServer()
	started, ended, leave = make(chan struct{}, 300), make(chan error, 300), make(chan struct{})
	s.AddTool(mcp.NewTool("await"), func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		started <- struct{}{}
		select {
		case <-ctx.Done():
			ended <- context.Cause(ctx)
			return mcp.NewToolResultError("stopped"), nil
		case <-leave:
			ended <- nil
			return mcp.NewToolResultText("went on"), nil
		}
	})
	return s, started, ended, leave
}

func TestHTTP_a_connection_that_breaks(t *testing.T) {
	for version, cancels := range map[string]bool{"2025-11-25": false, "2026-07-28": true} {
		t.Run(version, func(t *testing.T) {
			mcpServer, started, ended, leave := awaited()
			s := serve(t, &transport.HTTP{Server: mcpServer})
			ctx, cut := context.WithCancel(t.Context())
			broken := make(chan error, 1)
			go func() {
				resp, err := s.do(ctx, http.MethodPost, "/mcp", eras[version].call("1", "await"), eras[version].headers("await")...)
				if err == nil {
					resp.Body.Close()
				}
				broken <- err
			}()
			<-started
			cut()
			if err := <-broken; !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			if !cancels {
				select {
				case err := <-ended:
					t.Fatalf("it cancelled the call: %v", err)
				case <-time.After(50 * time.Millisecond): // that it is not, can only be waited for
				}
				close(leave)
			}
			if err := <-ended; (err != nil) != cancels {
				t.Errorf("the call ended with %v", err)
			}
		})
	}
}

func TestHTTP_a_client_cancels_its_own_request(t *testing.T) {
	mcpServer, started, ended, _ := awaited()
	s := serve(t, &transport.HTTP{Server: mcpServer})
	resp, err := s.do(t.Context(), http.MethodPost, "/mcp", strings.Split(initialize, "\n")[0])
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	session := "Mcp-Session-Id: " + resp.Header.Get("Mcp-Session-Id")
	answered := make(chan string, 1)
	go func() {
		_, got := s.post(call("1", "await"), session)
		answered <- got
	}()
	<-started
	cancel := `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`
	if status, _ := s.post(cancel, "Mcp-Session-Id: another"); status != http.StatusAccepted {
		t.Errorf("HTTP %d", status)
	}
	select {
	case <-ended:
		t.Fatal("another client's request 1 was cancelled")
	case <-time.After(20 * time.Millisecond): // that it is not, can only be waited for
	}
	s.post(cancel, session)
	if got := <-answered; <-ended == nil || !strings.Contains(got, "stopped") {
		t.Error(got)
	}
}

// talkSSE opens a stream.
func talkSSE(t *testing.T, s *site) *dialog {
	t.Helper()
	ctx, cut := context.WithCancel(context.Background())
	resp, err := s.do(ctx, http.MethodGet, "/sse", "")
	if err != nil {
		cut()
		t.Fatal(err)
	}
	t.Cleanup(func() { cut(); resp.Body.Close() })
	d := &dialog{t: t, out: bufio.NewScanner(resp.Body), cut: cut}
	d.out.Scan()
	d.out.Scan()
	to := strings.TrimPrefix(d.out.Text(), "data: ")
	d.out.Scan()
	d.send = func(text string) error {
		resp, err := s.do(ctx, http.MethodPost, to, text)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusAccepted {
			return fmt.Errorf("HTTP %d", resp.StatusCode)
		}
		return nil
	}
	return d
}

func TestSSE_answers_in_order(t *testing.T) {
	d := talkSSE(t, serve(t, &transport.HTTP{}))
	for id := range 50 {
		d.say(call(fmt.Sprint(id), "progress"))
		for i := range 20 {
			d.hear(fmt.Sprintf(`"progress":%d,`, i))
		}
		d.hear("progress done")
	}
}

func TestSSE_asks(t *testing.T) {
	d := talkSSE(t, serve(t, &transport.HTTP{}))
	d.say(call("1", "ask"))
	id := d.question()
	d.say(call("2", "echo"))
	d.hear(`"id":2`)
	d.say(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"action":"accept"}}`, id))
	d.hear("ask got accept")
}

func TestSSE_cancels(t *testing.T) {
	mcpServer, started, ended, _ := awaited()
	d := talkSSE(t, serve(t, &transport.HTTP{Server: mcpServer}))
	d.say(call("1", "await"))
	<-started
	d.say(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`)
	if err := <-ended; err == nil {
		t.Error("the call went on")
	}
}

func TestSSE_a_connection_that_breaks_cancels_nothing(t *testing.T) {
	mcpServer, started, ended, leave := awaited()
	d := talkSSE(t, serve(t, &transport.HTTP{Server: mcpServer}))
	d.say(call("1", "await"))
	<-started
	d.cut()
	select {
	case err := <-ended:
		t.Fatalf("it cancelled the call: %v", err)
	case <-time.After(50 * time.Millisecond): // that it is not, can only be waited for
	}
	close(leave)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestHTTP_drains(t *testing.T) {
	mcpServer, started, _, leave := awaited()
	s := serve(t, &transport.HTTP{Server: mcpServer, StopAfter: 300 * time.Millisecond})
	if status, got := s.get("/readyz"); status != 200 {
		t.Fatalf("%d %s", status, got)
	}
	d := talkSSE(t, s)
	d.say(call("1", "await"))
	<-started
	answered := make(chan string, 1)
	go func() {
		_, got := s.post(call("1", "await"))
		answered <- got
	}()
	<-started
	s.stop()
	for i := 0; ; i++ { // it goes on for the balancer's sake, and says that it stops
		status, got := s.get("/readyz")
		if status == http.StatusServiceUnavailable && strings.Contains(got, "stopping") {
			break
		}
		if i == 100 {
			t.Fatalf("%d %s", status, got)
		}
		time.Sleep(time.Millisecond)
	}
	resp, err := s.do(t.Context(), http.MethodPost, "/mcp", call("2", "echo"))
	if err != nil || resp.StatusCode != 200 || !resp.Close {
		t.Fatalf("%v %v", resp, err)
	}
	resp.Body.Close()
	select {
	case err := <-s.ended:
		t.Fatalf("it did not wait: %v", err)
	case <-time.After(400 * time.Millisecond):
	}
	close(leave)
	d.hear("went on")
	if got := <-answered; !strings.Contains(got, "went on") {
		t.Error(got)
	}
	if d.out.Scan() && d.out.Text() != "" || d.out.Scan() {
		t.Errorf("the stream goes on: %q", d.out.Text())
	}
}

func TestHTTP_drains_not_for_ever(t *testing.T) {
	mcpServer, started, ended, _ := awaited()
	s := serve(t, &transport.HTTP{Server: mcpServer, DrainFor: 20 * time.Millisecond})
	d := talkSSE(t, s)
	d.say(call("1", "await"))
	<-started
	answered := make(chan string, 2)
	for version, era := range eras {
		go func() {
			_, got := s.post(era.call("1", "await"), era.headers("await")...)
			answered <- version + ": " + got
		}()
		<-started
	}
	s.stop()
	for range 3 {
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("a call ended with %v", err)
		}
	}
	d.hear("stopped")
	for range 2 {
		if got := <-answered; !strings.Contains(got, "stopped") {
			t.Errorf("a call that is abandoned is answered with %q", got)
		}
	}
}

// A stream that is to stop takes what its running calls need: answers to what
// they asked, and their cancellation.
func TestSSE_drains_with_its_client_s_help(t *testing.T) {
	mcpServer, started, ended, _ := awaited()
	s := serve(t, &transport.HTTP{Server: mcpServer, StopAfter: 10 * time.Millisecond})
	d := talkSSE(t, s)
	d.say(call("1", "ask"))
	id := d.question()
	d.say(call("2", "await"))
	<-started
	s.stop()
	for i := 0; ; i++ {
		if err := d.send(call("3", "echo")); err != nil {
			if !strings.Contains(err.Error(), "503") {
				t.Fatal(err)
			}
			break
		}
		d.hear(`"id":3`)
		if i == 1000 {
			t.Fatal("it takes new calls for ever")
		}
		time.Sleep(time.Millisecond)
	}
	d.say(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"action":"accept"}}`, id))
	d.hear("ask got accept")
	d.say(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}}`)
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestSSE_drains_the_calls_of_a_client_that_has_gone(t *testing.T) {
	mcpServer, started, _, leave := awaited()
	s := serve(t, &transport.HTTP{Server: mcpServer})
	d := talkSSE(t, s)
	d.say(call("1", "await"))
	<-started
	d.cut()
	s.stop()
	select {
	case <-s.ended:
		t.Fatal("it did not wait")
	case <-time.After(100 * time.Millisecond): // that it waits, can only be waited for
	}
	close(leave)
}

func TestSSE_refuses_more_than_it_can_hold(t *testing.T) {
	mcpServer, started, _, leave := awaited()
	d := talkSSE(t, serve(t, &transport.HTTP{Server: mcpServer}))
	for i := range 256 {
		d.say(call(fmt.Sprint(i), "await"))
		<-started
	}
	d.say(call("256", "echo"))
	if got := d.hear("256 requests of this connection run already"); !strings.Contains(got, `"id":256`) {
		t.Error(got)
	}
	close(leave)
	for range 256 {
		d.hear("went on")
	}
}

func TestHTTP_gives_ids_back_as_they_came(t *testing.T) {
	s := serve(t, &transport.HTTP{})
	for _, id := range []string{"1", "12345678901234567890", `"a\u0062c"`, "1.50"} {
		if _, got := s.post(call(id, "echo")); !strings.HasPrefix(got, `{"jsonrpc":"2.0","id":`+id+`,"result":`) {
			t.Errorf("%s: %s", id, got)
		}
		if _, got := s.post(call(id, "no such tool")); !strings.HasPrefix(got, `{"jsonrpc":"2.0","id":`+id+`,"error":`) {
			t.Errorf("%s: %s", id, got)
		}
	}
}

func TestHTTP_acknowledges_subscriptions(t *testing.T) {
	s := serve(t, &transport.HTTP{})
	const listen = `{"jsonrpc":"2.0","id":5,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true},"_meta":{` +
		`"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`
	for range 100 {
		_, got := s.post(listen, "Mcp-Protocol-Version: 2026-07-28", "Mcp-Method: subscriptions/listen")
		said := events(got)
		if len(said) != 2 || !strings.Contains(said[0], "notifications/subscriptions/acknowledged") || !strings.Contains(said[1], `"id":5`) {
			t.Fatal(got)
		}
	}
}

func TestHTTP_readiness(t *testing.T) {
	var mu sync.Mutex
	asked, why := 0, errors.New("nobody answers")
	s := serve(t, &transport.HTTP{Ready: func(context.Context) error {
		mu.Lock()
		defer mu.Unlock()
		asked++
		return why
	}})
	for range 20 {
		if status, got := s.get("/readyz"); status != 503 || got != `{"status":"not ready"}`+"\n" {
			t.Fatalf("%d %s", status, got)
		}
	}
	if !strings.Contains(s.log.String(), "nobody answers") {
		t.Error("the log does not say why")
	}
	if status, _ := s.get("/healthz"); status != 200 {
		t.Errorf("healthz: %d", status)
	}
	mu.Lock()
	defer mu.Unlock()
	if asked != 1 {
		t.Errorf("it asked %d times", asked)
	}
}

func TestHTTP_logs_who_and_what_but_no_arguments(t *testing.T) {
	s := serve(t, &transport.HTTP{
		Auth: transport.NewTokens([]string{"a-token-of-a-test"}), CredentialHeader: "X-Key",
		Outcome: func(r *mcp.CallToolResult, _ error) string { return fmt.Sprint("error ", r.IsError) },
	})
	s.post(strings.ReplaceAll(call("1", "echo"), `"hi"`, `"a private word"`), "Authorization: Bearer a-token-of-a-test", "X-Key: sk-secret", "X-Request-Id: from-the-proxy")
	s.post(`{"jsonrpc":"2.0","id":1,"method":"evil\nmethod"}`, "Authorization: Bearer a-token-of-a-test", "X-Request-Id: odd id")
	s.get("/evil-path-of-a-private-word")
	if status, _ := s.get("/mcp/"); status != http.StatusUnauthorized {
		t.Errorf("/mcp/ is another path: HTTP %d", status)
	}
	s.stop()
	<-s.ended
	got := s.log.String()
	for _, want := range []string{`"path":"/mcp"`, `"status":200`, `"took_ms"`, `"mcp":"tools/call"`, `"tool":"echo"`, `"outcome":"error false"`, `"request_id":"from-the-proxy"`, `"caller":"token `, `, key `, `"mcp":"other"`, `"path":"other"`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
	for _, secret := range []string{"private", "a-token", "sk-secret", "evil", "odd id"} {
		if strings.Contains(got, secret) {
			t.Errorf("%q in %s", secret, got)
		}
	}
}

func TestHTTP_a_panic_is_an_answer_without_its_text(t *testing.T) {
	s := serve(t, &transport.HTTP{Metrics: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("top secret") })})
	if status, got := s.get("/metrics"); status != 500 || strings.Contains(got, "secret") {
		t.Errorf("%d %s", status, got)
	}
	if !strings.Contains(s.log.String(), "top secret") {
		t.Error("the log does not say what happened")
	}
}

func TestHTTP_speaks_HTTP2_without_TLS(t *testing.T) {
	s := serve(t, &transport.HTTP{})
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	to := &http.Transport{Protocols: protocols}
	s.client = &http.Client{Transport: to}
	t.Cleanup(to.CloseIdleConnections)
	resp, err := s.do(t.Context(), http.MethodPost, "/mcp", call("1", "progress"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); err != nil || resp.ProtoMajor != 2 || len(events(string(text))) != 21 {
		t.Errorf("%s, %v: %s", resp.Proto, err, text)
	}
}
