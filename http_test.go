package main_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	spanpb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"minimax-files-mcp/minimax/sandbox"
)

// tokens that let callers in.
const (
	adaToken = "token-of-ada-that-nobody-guesses"
	bobToken = "token-of-bob-that-nobody-guesses"
)

// A served is the binary, serving HTTP.
type served struct {
	*exec.Cmd
	url string
	log *logged
}

// logged is what a process wrote to standard error.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// serveHTTP starts the binary on a port of its own.
func serveHTTP(t testing.TB, environ ...string) *served {
	t.Helper()
	s := &served{log: &logged{}}
	s.Cmd = exec.Command(binary)
	home := t.TempDir()
	s.Env = append([]string{"HOME=" + home, "USERPROFILE=" + home, "MCP_TRANSPORT=http", "MCP_ADDRESS=127.0.0.1:0", "MINIMAX_LOG_FORMAT=json"}, environ...)
	stderr, err := s.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Process.Kill(); s.Wait() })
	lines := bufio.NewScanner(io.TeeReader(stderr, s.log))
	for lines.Scan() {
		var line struct{ Msg, Address string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && strings.HasPrefix(line.Msg, "serving MCP over ") {
			s.url = "http://" + line.Address
			break
		}
	}
	if s.url == "" {
		t.Fatalf("it does not serve: %s", s.log)
	}
	go func() { // or a full pipe would hold it
		for lines.Scan() {
		}
	}()
	return s
}

// A message is a request that has been sent.
type message struct {
	status int
	header http.Header
	body   string
}

// post sends a JSON-RPC message to /mcp, with these headers: "Name: value".
func (s *served) post(t testing.TB, text string, headers ...string) message {
	t.Helper()
	return s.send(t, http.MethodPost, "/mcp", strings.NewReader(text), headers...)
}

func (s *served) send(t testing.TB, method, path string, body io.Reader, headers ...string) message {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			req.Host = value
		}
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return message{resp.StatusCode, resp.Header, string(text)}
}

// metric reads a figure from /metrics.
func (s *served) metric(t testing.TB, name string, headers ...string) float64 {
	t.Helper()
	for line := range strings.Lines(s.send(t, http.MethodGet, "/metrics", nil, headers...).body) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+" "); ok {
			n, err := strconv.ParseFloat(value, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	return -1
}

func bearer(token string) string { return "Authorization: Bearer " + token }

// TestSecurity is the table of who may do what, on the running binary.
func TestSecurity(t *testing.T) {
	api := startSandbox(t)
	s := serveHTTP(t, append(against(api), "MCP_AUTH_TOKEN="+adaToken+","+bobToken, "MCP_ALLOWED_HOSTS=files.internal", "MCP_ALLOWED_ORIGINS=https://app.example.com")...)
	open := serveHTTP(t, against(api)...) // on loopback, without tokens
	list := toolCall(1, "list_files", "{}")
	for name, tt := range map[string]struct {
		server  *served
		path    string // /mcp if empty
		headers []string
		status  int
		says    string
	}{
		"no Origin":                             {open, "", nil, 200, "narrator.mp3"},
		"a foreign Origin":                      {open, "", []string{"Origin: https://evil.example"}, 403, "MCP_ALLOWED_ORIGINS"},
		"a foreign Origin with a token":         {s, "", []string{"Origin: https://evil.example", bearer(adaToken)}, 403, "MCP_ALLOWED_ORIGINS"},
		"the Origin of a page on no server":     {open, "", []string{"Origin: null"}, 403, "MCP_ALLOWED_ORIGINS"},
		"another port of this machine":          {open, "", []string{"Origin: http://localhost:3000"}, 403, "MCP_ALLOWED_ORIGINS"},
		"its own Origin":                        {open, "", []string{"Origin: " + open.url}, 200, "narrator.mp3"},
		"an allowed Origin":                     {s, "", []string{"Origin: https://app.example.com", bearer(adaToken)}, 200, "narrator.mp3"},
		"an allowed Origin without a token":     {s, "", []string{"Origin: https://app.example.com"}, 401, "bearer token"},
		"an Origin that looks like an allowed":  {s, "", []string{"Origin: https://app.example.com.evil.example", bearer(adaToken)}, 403, "MCP_ALLOWED_ORIGINS"},
		"a foreign Host":                        {open, "", []string{"Host: evil.example"}, 403, "MCP_ALLOWED_HOSTS"},
		"a foreign Host and its Origin":         {open, "", []string{"Host: evil.example", "Origin: http://evil.example"}, 403, "MCP_ALLOWED_HOSTS"},
		"a foreign Host with a token":           {s, "", []string{"Host: evil.example", bearer(adaToken)}, 403, "MCP_ALLOWED_HOSTS"},
		"an address that is not this machine's": {open, "", []string{"Host: 192.0.2.7"}, 403, "MCP_ALLOWED_HOSTS"},
		"localhost as Host":                     {open, "", []string{"Host: localhost:1"}, 200, "narrator.mp3"},
		"an allowed Host":                       {s, "", []string{"Host: files.internal", bearer(adaToken)}, 200, "narrator.mp3"},
		"no token":                              {s, "", nil, 401, "Authorization: Bearer"},
		"a wrong token":                         {s, "", []string{bearer("token-of-eve-who-is-nobody-here")}, 401, "not valid"},
		"the beginning of a token":              {s, "", []string{bearer(adaToken[:len(adaToken)-1])}, 401, "not valid"},
		"an empty token":                        {s, "", []string{bearer("")}, 401, "Authorization: Bearer"},
		"another scheme":                        {s, "", []string{"Authorization: Basic " + adaToken}, 401, "Authorization: Bearer"},
		"a right token":                         {s, "", []string{bearer(adaToken)}, 200, "narrator.mp3"},
		"another right token":                   {s, "", []string{bearer(bobToken)}, 200, "narrator.mp3"},
		"a token in the query":                  {s, "/mcp?token=" + adaToken, nil, 401, "ends up in logs"},
		"an access token in the query":          {s, "/mcp?access_token=" + adaToken, nil, 401, "ends up in logs"},
		"no token for the figures":              {s, "/metrics", nil, 401, "bearer token"},
		"no token for a message":                {s, "/message?sessionId=x", nil, 401, "bearer token"},
		"a message for no stream":               {s, "/message?sessionId=x", []string{bearer(adaToken)}, 404, "no such stream"},
		"a key with a blank in it":              {open, "", []string{"X-MiniMax-API-Key: a b"}, 400, "X-MiniMax-API-Key"},
		"a key that was not filled in":          {open, "", []string{"X-MiniMax-API-Key: "}, 400, "X-MiniMax-API-Key"},
		"a wrong type of content":               {open, "", []string{"Content-Type: text/plain"}, 415, "application/json"},
	} {
		t.Run(name, func(t *testing.T) {
			before := api.Count("list")
			path := tt.path
			if path == "" {
				path = "/mcp"
			}
			got := tt.server.send(t, http.MethodPost, path, strings.NewReader(list), tt.headers...)
			if got.status != tt.status || !strings.Contains(got.body, tt.says) {
				t.Errorf("HTTP %d: %s", got.status, got.body)
			}
			if asked := api.Count("list") > before; asked != (tt.status == 200) {
				t.Errorf("asked of the API: %v", asked)
			}
			if got.status == 401 && !strings.HasPrefix(got.header.Get("WWW-Authenticate"), "Bearer ") {
				t.Errorf("WWW-Authenticate is %q", got.header.Get("WWW-Authenticate"))
			}
			origin := ""
			if strings.HasPrefix(name, "an allowed Origin") {
				origin = "https://app.example.com"
			}
			if allowed := got.header.Get("Access-Control-Allow-Origin"); allowed != origin {
				t.Errorf("pages of %q may read the answer", allowed)
			}
		})
	}
	for _, secret := range []string{adaToken, bobToken, "token-of-eve", sandbox.Key, "Signature="} {
		if strings.Contains(s.log.String()+open.log.String(), secret) {
			t.Errorf("%q is in the log", secret)
		}
	}
}

func TestSecurity_a_page_that_may_asks_first(t *testing.T) {
	s := serveHTTP(t, append(against(startSandbox(t)), "MCP_AUTH_TOKEN="+adaToken, "MCP_ALLOWED_ORIGINS=https://app.example.com")...)
	ask := func(origin string) message {
		return s.send(t, http.MethodOptions, "/mcp", nil, "Origin: "+origin, "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: authorization")
	}
	if got := ask("https://app.example.com"); got.status != 204 || got.header.Get("Access-Control-Allow-Origin") != "https://app.example.com" ||
		!strings.Contains(got.header.Get("Access-Control-Allow-Headers"), "Authorization") || got.header.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("%+v", got)
	}
	if got := ask("https://evil.example"); got.status != 403 || got.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%+v", got)
	}
}

// endless is a body that never ends.
type endless struct{ sent atomic.Int64 }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	e.sent.Add(int64(len(p)))
	return len(p), nil
}

func TestSecurity_large_bodies(t *testing.T) {
	s := serveHTTP(t, against(startSandbox(t))...)
	large := strings.Repeat(" ", 20<<20)
	if got := s.post(t, large); got.status != 413 || !strings.Contains(got.body, "4194304 bytes") {
		t.Errorf("with a length: %d %s", got.status, got.body)
	}
	body := &endless{} // without a length, and without an end
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/mcp", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err == nil { // the server may cut the connection before its answer is read
		resp.Body.Close()
		if resp.StatusCode != 413 {
			t.Errorf("without a length: %d", resp.StatusCode)
		}
	}
	if sent := body.sent.Load(); sent > 64<<20 {
		t.Errorf("it took %d bytes", sent)
	}
	if got := s.post(t, toolCall(1, "list_files", "{}")); got.status != 200 {
		t.Errorf("afterwards: %d %s", got.status, got.body)
	}
}

func TestSecurity_slow_headers(t *testing.T) {
	if testing.Short() {
		t.Skip("the server is patient for 10 s")
	}
	s := serveHTTP(t, against(startSandbox(t))...)
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, conn)
		ended <- err
	}()
	io.WriteString(conn, "POST /mcp HTTP/1.1\r\nHost: localhost\r\n")
	for i := 0; ; i++ {
		select {
		case <-ended:
			return // the server has closed it
		case <-time.After(time.Second):
			if i == 60 {
				t.Fatal("headers may take for ever")
			}
			fmt.Fprintf(conn, "X-%d: x\r\n", i)
		}
	}
}

func TestSecurity_an_open_door(t *testing.T) {
	cmd := command(t, nil, "--transport", "http", "--address", "0.0.0.0:0", "--sandbox")
	cmd.Stderr = nil
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 2 || !bytes.Contains(out, []byte("MCP_AUTH_TOKEN")) {
		t.Errorf("%v: %s", err, out)
	}
}

// TestSecurity_another_caller has Bob know everything of what Ada does but her
// token and her key.
func TestSecurity_another_caller(t *testing.T) {
	api := startSandbox(t)
	slow := api.Add(sandbox.NewFile{Filename: "output_aigc.mp4", Purpose: "video_generation", Size: 64 << 20})
	api.Misbehave(slow.ID, sandbox.Fault{BytesPerSecond: 1 << 20})
	for i := range 40 {
		api.Add(sandbox.NewFile{Filename: fmt.Sprintf("voice-%d.mp3", i), Purpose: "voice_clone", Size: 1000})
	}
	dir := t.TempDir()
	s := serveHTTP(t, append(against(api), "MCP_AUTH_TOKEN="+adaToken+" "+bobToken, "MINIMAX_API_RESOURCE_MODE=local", "MINIMAX_MCP_BASE_PATH="+dir, "MINIMAX_MCP_UPLOAD_PATH="+dir)...)
	const otherKey = "X-MiniMax-API-Key: " + sandbox.OtherRegionKey
	download := toolCall(1, "download_file", fmt.Sprintf(`{"file_id":%q,"path":"film.mp4","wait_seconds":1}`, slow.ID))

	t.Run("transfer", func(t *testing.T) {
		if got := s.post(t, download, bearer(adaToken)); !strings.Contains(got.body, "in_progress") {
			t.Fatal(got.body)
		}
		got := s.post(t, download, bearer(bobToken), otherKey) // on an account of his own
		if strings.Contains(got.body, "in_progress") || strings.Contains(got.body, "bytes_done") || !strings.Contains(got.body, "not saved on this server's disk") {
			t.Error(got.body)
		}
		got = s.post(t, toolCall(1, "download_file", fmt.Sprintf(`{"file_id":%q}`, slow.ID)), bearer(bobToken), otherKey)
		if !strings.Contains(got.body, `"isError":true`) || strings.Contains(got.body, "in_progress") {
			t.Error(got.body)
		}
	})
	t.Run("files on the disk", func(t *testing.T) {
		if err := os.WriteFile(dir+"/ada.mp3", []byte("hers"), 0o600); err != nil {
			t.Fatal(err)
		}
		got := s.post(t, toolCall(1, "upload_file", `{"path":"ada.mp3","purpose":"voice_clone"}`), bearer(bobToken), otherKey)
		if !strings.Contains(got.body, "not uploaded to a caller's own account") {
			t.Error(got.body)
		}
	})
	t.Run("cursor", func(t *testing.T) {
		var page struct {
			Result struct {
				StructuredContent struct {
					NextCursor string `json:"next_cursor"`
				}
			}
		}
		if err := json.Unmarshal([]byte(s.post(t, toolCall(1, "list_files", `{"limit":3}`), bearer(adaToken)).body), &page); err != nil {
			t.Fatal(err)
		}
		next := toolCall(1, "list_files", fmt.Sprintf(`{"cursor":%q}`, page.Result.StructuredContent.NextCursor))
		if got := s.post(t, next, bearer(bobToken)); !strings.Contains(got.body, "the cursor was altered, or belongs to another account") {
			t.Error(got.body)
		}
		if got := s.post(t, next, bearer(adaToken)); strings.Contains(got.body, `"isError":true`) {
			t.Error(got.body)
		}
	})
	t.Run("stream", func(t *testing.T) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/sse", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+adaToken)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		lines := bufio.NewScanner(resp.Body)
		lines.Scan()
		lines.Scan()
		to, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			t.Fatal(lines.Text())
		}
		ping := `{"jsonrpc":"2.0","id":1,"method":"ping"}`
		if got := s.send(t, http.MethodPost, to, strings.NewReader(ping), bearer(bobToken)); got.status != 404 {
			t.Errorf("%d %s", got.status, got.body)
		}
		if got := s.send(t, http.MethodPost, to, strings.NewReader(ping), bearer(adaToken), otherKey); got.status != 404 {
			t.Errorf("%d %s", got.status, got.body)
		}
		if got := s.send(t, http.MethodPost, to, strings.NewReader(ping), bearer(adaToken)); got.status != 202 {
			t.Errorf("%d %s", got.status, got.body)
		}
	})
	t.Run("cancellation", func(t *testing.T) {
		// Clients number their requests from 1, and so do others.
		waiting := make(chan message, 1)
		go func() {
			waiting <- s.post(t, toolCall(1, "download_file", fmt.Sprintf(`{"file_id":%q,"path":"other.mp4","wait_seconds":2}`, slow.ID)), bearer(adaToken), "Mcp-Session-Id: ada")
		}()
		cancel := `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`
		for range 15 {
			s.post(t, cancel, bearer(bobToken), "Mcp-Session-Id: ada")
			s.post(t, cancel, bearer(adaToken), "Mcp-Session-Id: another")
			s.post(t, cancel, bearer(adaToken))
			time.Sleep(100 * time.Millisecond)
		}
		if got := <-waiting; !strings.Contains(got.body, "in_progress") {
			t.Error(got.body)
		}
	})
}

func freePort(t testing.TB) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}

const modernCall = `{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"retrieve_file","arguments":{"file_id":%q},"_meta":{` +
	`"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`

// callOnce makes a call, and says what is wrong with its answer.
func callOnce(client *http.Client, url string, id int64) error {
	req, err := http.NewRequest(http.MethodPost, url+"/mcp", strings.NewReader(fmt.Sprintf(modernCall, id, sandbox.SeedVideo)))
	if err != nil {
		return err
	}
	for name, value := range map[string]string{
		"Content-Type": "application/json", "Accept": "application/json, text/event-stream",
		"Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "retrieve_file",
	} {
		req.Header.Set(name, value)
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return err
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("call %d: HTTP %d: %.200s", id, resp.StatusCode, text)
	case !strings.Contains(string(text), fmt.Sprintf(`"id":%d,`, id)) || !strings.Contains(string(text), sandbox.SeedVideo):
		return fmt.Errorf("call %d: it was answered with %.300s", id, text)
	}
	return nil
}

func TestMetrics(t *testing.T) {
	api := startSandbox(t)
	s := serveHTTP(t, append(against(api), "MCP_AUTH_TOKEN="+adaToken, "MINIMAX_API_RESOURCE_MODE=local", "MINIMAX_MCP_BASE_PATH="+t.TempDir())...)
	api.MisbehaveAt("retrieve", sandbox.Fault{Code: 1002, Times: 1}) // which is got over
	for _, call := range []string{
		toolCall(1, "download_file", `{"file_id":"`+sandbox.SeedVideo+`"}`), toolCall(1, "retrieve_file", `{"file_id":"404"}`), toolCall(1, "retrieve_file", `{}`),
	} {
		s.post(t, call, bearer(adaToken))
	}
	slow := api.Add(sandbox.NewFile{Filename: "output_aigc.mp4", Purpose: "video_generation", Size: 64 << 20})
	api.Misbehave(slow.ID, sandbox.Fault{BytesPerSecond: 1 << 20})
	s.post(t, toolCall(1, "download_file", fmt.Sprintf(`{"file_id":%q,"wait_seconds":0}`, slow.ID)), bearer(adaToken))
	for name, want := range map[string]float64{
		`minimax_files_tool_calls_total{outcome="ok",tool="download_file"}`:    2,
		`minimax_files_tool_calls_total{outcome="2013",tool="retrieve_file"}`:  1,
		`minimax_files_tool_calls_total{outcome="usage",tool="retrieve_file"}`: 1,
		`minimax_files_tool_calls_running{tool="retrieve_file"}`:               0,
		`minimax_files_tool_call_duration_seconds_count{tool="download_file"}`: 2,
		`minimax_files_upstream_retries_total{upstream="api"}`:                 1,
		`minimax_files_upstream_requests_total{status="404",upstream="api"}`:   -1, // it answers 200 and a code
		`minimax_files_transfers_running`:                                      1,
		`minimax_files_transfers_queued`:                                       0,
	} {
		got := s.metric(t, name, bearer(adaToken))
		for i := 0; got != want && i < 100; i++ { // a transfer starts after its call has ended
			time.Sleep(10 * time.Millisecond)
			got = s.metric(t, name, bearer(adaToken))
		}
		if got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if got := s.metric(t, `minimax_files_upstream_bytes_total{direction="received",upstream="storage"}`, bearer(adaToken)); got < 40_000 {
		t.Errorf("%v bytes received", got)
	}
	all := s.send(t, http.MethodGet, "/metrics", nil, bearer(adaToken)).body
	for _, secret := range []string{sandbox.SeedVideo, "output_aigc", sandbox.Key, "token", "127.0.0.1"} {
		if strings.Contains(all, secret) {
			t.Errorf("%q is in the figures", secret)
		}
	}
}

// TestTraces has the binary send its traces to a collector here.
func TestTraces(t *testing.T) {
	received := make(chan *tracepb.ExportTraceServiceRequest, 10)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var request tracepb.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(body, &request)
		}
		if err != nil {
			t.Error(r.URL, err)
		}
		received <- &request
	}))
	t.Cleanup(collector.Close)
	s := serveHTTP(t, append(against(startSandbox(t)), "OTEL_EXPORTER_OTLP_ENDPOINT="+collector.URL, "OTEL_EXPORTER_OTLP_COMPRESSION=none", "OTEL_BSP_SCHEDULE_DELAY=50", "OTEL_SERVICE_NAME=files-of-a-team")...)
	for name, send := range map[string]func(parent string){
		"in _meta": func(parent string) {
			s.post(t, strings.Replace(toolCall(1, "retrieve_file", `{"file_id":"`+sandbox.SeedVideo+`"}`), `"progressToken":"p"`, `"traceparent":"`+parent+`"`, 1))
		},
		"in a header": func(parent string) {
			s.post(t, toolCall(1, "retrieve_file", `{"file_id":"`+sandbox.SeedVideo+`"}`), "Traceparent: "+parent)
		},
	} {
		t.Run(name, func(t *testing.T) {
			send("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
			got := <-received
			text := got.String()
			spans := map[string]*spanpb.Span{}
			for _, r := range got.GetResourceSpans() {
				for _, scope := range r.GetScopeSpans() {
					for _, span := range scope.GetSpans() {
						spans[span.GetName()] = span
					}
				}
			}
			call, asked := spans["tools/call retrieve_file"], spans["GET api"]
			switch {
			case call == nil || asked == nil:
				t.Fatalf("spans: %s", text)
			case fmt.Sprintf("%x", call.GetTraceId()) != "0af7651916cd43dd8448eb211c80319c" || fmt.Sprintf("%x", call.GetParentSpanId()) != "b7ad6b7169203331":
				t.Errorf("it is not part of the caller's trace: %v", call)
			case !bytes.Equal(asked.GetParentSpanId(), call.GetSpanId()) || !bytes.Equal(asked.GetTraceId(), call.GetTraceId()):
				t.Errorf("what was asked is not beneath the call: %v", asked)
			}
			if !strings.Contains(text, "files-of-a-team") {
				t.Errorf("the service has another name: %s", text)
			}
			for _, secret := range []string{sandbox.SeedVideo, "Signature", sandbox.Key, "output_aigc"} {
				if strings.Contains(text, secret) {
					t.Errorf("%q is in the trace: %s", secret, text)
				}
			}
		})
	}
}

func TestAccessLog(t *testing.T) {
	s := serveHTTP(t, append(against(startSandbox(t)), "MCP_AUTH_TOKEN="+adaToken)...)
	s.post(t, toolCall(1, "list_files", `{"name_contains":"a private word"}`), bearer(adaToken), "X-Request-Id: abc")
	for i := 0; !strings.Contains(s.log.String(), `"msg":"request"`); i++ {
		if i == 100 {
			t.Fatalf("no line: %s", s.log)
		}
		time.Sleep(10 * time.Millisecond)
	}
	for _, want := range []string{`"tool":"list_files"`, `"outcome":"ok"`, `"request_id":"abc"`, `"caller":"token `, `"took_ms":`} {
		if !strings.Contains(s.log.String(), want) {
			t.Errorf("no %s in %s", want, s.log)
		}
	}
	if strings.Contains(s.log.String(), "private") {
		t.Errorf("an argument is in %s", s.log)
	}
}

// TestReplicas_understand_each_other has one server give out a cursor and a
// question to the user, and another take them back.
func TestReplicas_understand_each_other(t *testing.T) {
	api := startSandbox(t)
	environ := append(against(api), "MCP_AUTH_TOKEN="+adaToken)
	one, other := serveHTTP(t, environ...), serveHTTP(t, environ...)
	// say makes a call as a client of 2026-07-28 that can ask its user.
	say := func(s *served, tool, arguments, more string, into any) {
		t.Helper()
		text := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":%q,"arguments":%s%s,"_meta":{`+
			`"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{}}}}}`, tool, arguments, more)
		got := s.post(t, text, bearer(adaToken), "Mcp-Protocol-Version: 2026-07-28", "Mcp-Method: tools/call", "Mcp-Name: "+tool)
		if err := json.Unmarshal([]byte(got.body), &struct{ Result any }{into}); err != nil {
			t.Fatalf("%v: %s", err, got.body)
		}
	}
	type listing struct {
		StructuredContent struct {
			Files      []struct{ Filename string }
			NextCursor string `json:"next_cursor"`
		}
		IsError bool
	}
	var first, second listing
	say(one, "list_files", `{"limit":1}`, "", &first)
	say(other, "list_files", fmt.Sprintf(`{"cursor":%q}`, first.StructuredContent.NextCursor), "", &second)
	if len(second.StructuredContent.Files) != 1 || second.StructuredContent.Files[0] == first.StructuredContent.Files[0] {
		t.Errorf("%+v after %+v", second, first)
	}
	deletion := fmt.Sprintf(`{"file_id":%q}`, sandbox.SeedVoice)
	var asked struct{ ResultType, RequestState string }
	say(one, "delete_file", deletion, "", &asked)
	if asked.ResultType != "input_required" || asked.RequestState == "" {
		t.Fatalf("%+v", asked)
	}
	var deleted struct{ StructuredContent struct{ Deleted bool } }
	say(other, "delete_file", deletion, fmt.Sprintf(`,"requestState":%q,"inputResponses":{"confirm":{"action":"accept","content":{}}}`, asked.RequestState), &deleted)
	if !deleted.StructuredContent.Deleted || api.Has(sandbox.SeedVoice) {
		t.Errorf("%+v", deleted)
	}
}
