package main_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"minimax-files-mcp/minimax/sandbox"
)

func TestSecurity_idle_connections(t *testing.T) {
	idle := 10_000
	if testing.Short() {
		idle = 500
	}
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil || files.Cur < uint64(idle)+500 {
		t.Skipf("%d files may be open, and %d connections are wanted: %v", files.Cur, idle, err)
	}
	s := serveHTTP(t, against(startSandbox(t))...)
	s.post(t, toolCall(1, "list_files", "{}"))
	before := peak(t, s.Process.Pid)
	for range idle {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	if got := s.post(t, toolCall(1, "list_files", "{}")); got.status != 200 {
		t.Errorf("%d %s", got.status, got.body)
	}
	if grown := peak(t, s.Process.Pid) - before; grown > idle/20 { // 50 kB each
		t.Errorf("%d connections take %d MiB", idle, grown)
	} else {
		t.Logf("%d connections take %d MiB", idle, grown)
	}
}

func TestHTTP_memory_of_idle_sessions(t *testing.T) {
	sessions := 1000
	if testing.Short() {
		sessions = 200
	}
	s := serveHTTP(t, append(against(startSandbox(t)), "MCP_AUTH_TOKEN="+strings.Join(manyTokens(sessions/100+1), ","))...)
	before := resident(t, s.Process.Pid)
	for i := range sessions {
		ctx, cut := context.WithCancel(context.Background())
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/sse", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+manyTokens(i/100 + 1)[i/100])
		resp, err := http.DefaultClient.Do(req)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatal(resp, err)
		}
		t.Cleanup(func() { cut(); resp.Body.Close() })
	}
	each := (resident(t, s.Process.Pid) - before) / sessions
	t.Logf("an idle SSE session takes %d kB", each)
	if each > 100 {
		t.Error("that is too much")
	}
}

func manyTokens(n int) (tokens []string) {
	for i := range n {
		tokens = append(tokens, fmt.Sprintf("token-%02d-of-many-that-nobody-guesses", i))
	}
	return tokens
}

func TestHTTP_leaves_nothing_behind(t *testing.T) {
	calls := 100_000
	if testing.Short() {
		calls = 3000
	}
	s := serveHTTP(t, append(against(startSandbox(t)), "MCP_CALLS_PER_MINUTE=0", "MCP_CALLS_AT_ONCE=0")...)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	call := func(n int) {
		var next atomic.Int64
		var callers sync.WaitGroup
		for range 16 {
			callers.Go(func() {
				for id := next.Add(1); id <= int64(n); id = next.Add(1) {
					if err := callOnce(client, s.url, id); err != nil {
						t.Error(err)
					}
				}
			})
		}
		callers.Wait()
		client.CloseIdleConnections()
	}
	call(1000)
	before, memory := s.metric(t, "go_goroutines"), resident(t, s.Process.Pid)
	call(calls)
	after, grown := s.metric(t, "go_goroutines"), resident(t, s.Process.Pid)-memory
	t.Logf("after %d calls %v goroutines, %v before; %d kB more", calls, after, before, grown)
	if after > before+20 || grown > 20_000 {
		t.Error("calls leave something behind")
	}
}

// Who waits for a download or a task is told to ask again, and may ask another
// server.
func TestHTTP_answers_who_waits_when_it_stops(t *testing.T) {
	api := startSandbox(t)
	slow := api.Add(sandbox.NewFile{Filename: "output_aigc.mp4", Purpose: "video_generation", Size: 64 << 20})
	api.Misbehave(slow.ID, sandbox.Fault{BytesPerSecond: 1 << 20})
	s := serveHTTP(t, append(against(api), "MINIMAX_API_RESOURCE_MODE=local", "MINIMAX_MCP_BASE_PATH="+t.TempDir())...)
	answered := make(chan string, 1)
	go func() {
		answered <- s.post(t, toolCall(1, "download_file", fmt.Sprintf(`{"file_id":%q,"wait_seconds":600}`, slow.ID))).body
	}()
	for s.metric(t, `minimax_files_transfers_running`) != 1 {
		time.Sleep(10 * time.Millisecond)
	}
	s.Process.Signal(syscall.SIGTERM)
	if got := <-answered; !strings.Contains(got, "in_progress") || !strings.Contains(got, "call download_file again") {
		t.Errorf("%q", got)
	}
	if err := s.Wait(); err != nil {
		t.Errorf("%v: %s", err, s.log)
	}
}
