package tools_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"minimax-files-mcp/minimax"
	"minimax-files-mcp/minimax/sandbox"
)

// film adds a video of some size, which comes at some speed.
func (b *bench) film(size, bytesPerSecond int64) minimax.ID {
	f := b.sandbox.Add(sandbox.NewFile{Filename: "output_aigc.mp4", Purpose: "video_generation", Size: size})
	b.sandbox.Misbehave(f.ID, sandbox.Fault{BytesPerSecond: bytesPerSecond})
	return f.ID
}

func TestDownloadFile_that_takes_longer_than_the_call(t *testing.T) {
	b := newBench(t, sandbox.Config{Empty: true})
	id := b.film(3<<20, 3<<20)
	c := connect(t, b)
	arguments := fmt.Sprintf(`{"file_id":%q,"wait_seconds":0}`, id)
	first := into[downloaded](t, c, "download_file", arguments)
	if first.Status != "in_progress" || !strings.Contains(first.Next, "again") || first.Path != "" {
		t.Errorf("%+v", first)
	}
	done := into[downloaded](t, c, "download_file", fmt.Sprintf(`{"file_id":%q}`, id))
	if done.Status != "done" || done.SHA256 != b.sandbox.SHA256(id) {
		t.Errorf("%+v", done)
	}
	if n := b.sandbox.Count("retrieve"); n != 1 {
		t.Errorf("%d retrieves for one transfer", n)
	}
	again := into[downloaded](t, c, "download_file", arguments)
	for again.Status == "in_progress" { // it looks whether the bytes are the same
		again = into[downloaded](t, c, "download_file", fmt.Sprintf(`{"file_id":%q}`, id))
	}
	if !again.AlreadyPresent || again.SHA256 != done.SHA256 || again.Path != done.Path || again.MIMEType != done.MIMEType {
		t.Errorf("%+v, after %+v", again, done)
	}
	b.sandbox.Misbehave(id, sandbox.Fault{BytesPerSecond: 1000}) // it would take an hour to fetch
	if fast := into[downloaded](t, c, "download_file", fmt.Sprintf(`{"file_id":%q}`, id)); !fast.AlreadyPresent {
		t.Errorf("%+v", fast)
	}
}

func TestDownloadFile_that_ends_between_two_calls(t *testing.T) {
	b := newBench(t, sandbox.Config{Empty: true})
	id := b.film(2<<20, 8<<20)
	c := connect(t, b)
	arguments := fmt.Sprintf(`{"file_id":%q,"wait_seconds":0}`, id)
	// poll calls now and then, until there is an outcome.
	poll := func() *mcp.CallToolResult {
		for {
			result := call(t, c, "download_file", arguments)
			if result.IsError || !strings.Contains(text(result), "in_progress") {
				return result
			}
			time.Sleep(600 * time.Millisecond) // it ends meanwhile: that is what is tested
		}
	}
	if got := poll(); got.IsError || !strings.Contains(text(got), b.sandbox.SHA256(id)) || b.sandbox.Count("storage") != 1 {
		t.Errorf("%s after %d requests for the bytes", text(got), b.sandbox.Count("storage"))
	}
	spoilt := b.film(2<<20, 8<<20)
	b.sandbox.Misbehave(spoilt, sandbox.Fault{WrongChecksum: true})
	arguments = fmt.Sprintf(`{"file_id":%q,"wait_seconds":0}`, spoilt)
	if got := poll(); !got.IsError || !strings.Contains(text(got), "CRC-64") {
		t.Errorf("%s", text(got))
	}
}

func TestDownloadFile_by_two_callers_is_one_transfer(t *testing.T) {
	b := newBench(t, sandbox.Config{Empty: true})
	id := b.film(2<<20, 4<<20)
	c := connect(t, b)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if got := into[downloaded](t, c, "download_file", fmt.Sprintf(`{"file_id":%q}`, id)); got.Status != "done" || got.AlreadyPresent {
				t.Errorf("%+v", got)
			}
		})
	}
	wg.Wait()
	if n, m := b.sandbox.Count("retrieve"), b.sandbox.Count("storage"); n != 1 || m != 1 {
		t.Errorf("%d retrieves and %d requests for the bytes, want 1 and 1", n, m)
	}
}

func TestDownloadFile_asked_for_in_several_ways_is_one_transfer(t *testing.T) {
	b := newBench(t, sandbox.Config{Empty: true})
	id := b.film(3<<20, 3<<20)
	c := connect(t, b)
	name := fmt.Sprintf("output_aigc-%s.mp4", id)
	var wg sync.WaitGroup
	for _, path := range []string{"", name, "./" + name, b.dir.Path() + "/" + name} {
		wg.Go(func() {
			got := into[downloaded](t, c, "download_file", fmt.Sprintf(`{"file_id":%q,"path":%q}`, id, path))
			if got.Status != "done" || got.SHA256 != b.sandbox.SHA256(id) || !strings.HasSuffix(got.Path, name) {
				t.Errorf("%q: %+v", path, got)
			}
		})
	}
	wg.Wait()
	if n := b.sandbox.Count("storage"); n != 1 {
		t.Errorf("%d requests for the bytes", n)
	}
}

func TestDownloadFile_cancelled_keeps_its_parts(t *testing.T) {
	b := newBench(t, sandbox.Config{Empty: true})
	const size = 24 << 20
	id := b.film(size, 16<<20)
	c := connect(t, b)
	ctx, cancel := context.WithCancel(t.Context())
	c.OnNotification(func(n mcp.JSONRPCNotification) {
		if done, _ := n.Params.AdditionalFields["progress"].(float64); done > 9<<20 {
			cancel()
		}
	})
	req := mcp.CallToolRequest{}
	req.Params.Name = "download_file"
	req.Params.Arguments = map[string]any{"file_id": string(id)}
	req.Params.Meta = &mcp.Meta{ProgressToken: 1}
	if result, err := c.CallTool(ctx, req); err == nil && !result.IsError || ctx.Err() == nil {
		t.Fatalf("%v, %v", result, err)
	}
	b.sandbox.Misbehave(id, sandbox.Fault{})
	got := into[downloaded](t, c, "download_file", fmt.Sprintf(`{"file_id":%q}`, id))
	if got.Status != "done" || got.SHA256 != b.sandbox.SHA256(id) {
		t.Errorf("%+v", got)
	}
	requests := b.sandbox.Requests()
	last := requests[len(requests)-1]
	if !strings.HasPrefix(last.Header.Get("Range"), "bytes=") || strings.HasPrefix(last.Header.Get("Range"), "bytes=0-") {
		t.Errorf("the second call asked for %q", last.Header.Get("Range"))
	}
}

func TestDownloadFile_that_is_called_again_just_after_a_cancellation(t *testing.T) {
	b := newBench(t, sandbox.Config{Empty: true})
	id := b.film(8<<20, 16<<20)
	c := connect(t, b)
	for range 5 {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		req := mcp.CallToolRequest{}
		req.Params.Name = "download_file"
		req.Params.Arguments = map[string]any{"file_id": string(id)}
		_, _ = c.CallTool(ctx, req) // it is cancelled
		cancel()
	}
	if got := into[downloaded](t, c, "download_file", fmt.Sprintf(`{"file_id":%q}`, id)); got.SHA256 != b.sandbox.SHA256(id) {
		t.Errorf("%+v", got)
	}
}

func TestDownloadFile_queues_what_is_too_much_at_a_time(t *testing.T) {
	b := newBench(t, sandbox.Config{Empty: true})
	c := connect(t, b)
	var mu sync.Mutex
	told, last := map[string]bool{}, map[any]float64{}
	c.OnNotification(func(n mcp.JSONRPCNotification) {
		mu.Lock()
		defer mu.Unlock()
		message, _ := n.Params.AdditionalFields["message"].(string)
		told[message] = true
		token, number := n.Params.AdditionalFields["progressToken"], n.Params.AdditionalFields["progress"].(float64)
		if number <= last[token] {
			t.Errorf("%q has progress %g after %g", message, number, last[token])
		}
		last[token] = number
	})
	var wg sync.WaitGroup
	for i := range 9 {
		id := b.film(2<<20, 1<<20)
		wg.Go(func() {
			req := mcp.CallToolRequest{}
			req.Params.Name, req.Params.Arguments = "download_file", map[string]any{"file_id": string(id)}
			req.Params.Meta = &mcp.Meta{ProgressToken: fmt.Sprint(i)}
			if got, err := c.CallTool(t.Context(), req); err != nil || !strings.Contains(text(got), b.sandbox.SHA256(id)) {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
	wg.Wait()
	mu.Lock()
	defer mu.Unlock()
	for _, want := range []string{"queued: 4 downloads run, and 0 more come before this one", "queued: 4 downloads run, and 4 more come before this one"} {
		if !told[want] {
			t.Errorf("nobody was told %q, but %v", want, slices.Collect(maps.Keys(told)))
		}
	}
}

func TestDownloadFile_that_fails_when_its_call_has_left_is_logged(t *testing.T) {
	b := newBench(t, sandbox.Config{Empty: true})
	id := b.film(2<<20, 8<<20)
	b.sandbox.Misbehave(id, sandbox.Fault{BytesPerSecond: 8 << 20, WrongChecksum: true})
	c := connect(t, b)
	if got := into[downloaded](t, c, "download_file", fmt.Sprintf(`{"file_id":%q,"wait_seconds":0}`, id)); got.Status != "in_progress" {
		t.Fatalf("%+v", got)
	}
	deadline := time.Now().Add(10 * time.Second)
	for !strings.Contains(b.log.String(), "whose call had left") && time.Now().Before(deadline) {
		time.Sleep(20 * time.Millisecond)
	}
	if got := b.log.String(); !strings.Contains(got, "a download failed whose call had left") || !strings.Contains(got, "CRC-64") {
		t.Errorf("%s", got)
	}
	checkSecrets(t, b.log.String())
}

func TestDownloadFile_unpacks_speech(t *testing.T) {
	b := newBench(t, sandbox.Config{})
	c := connect(t, b)
	got := into[downloaded](t, c, "download_file", `{"file_id":"`+sandbox.SeedSpeech+`"}`)
	kinds := []string{}
	for _, e := range got.Entries {
		kinds = append(kinds, fmt.Sprintf("%s %d", e.MIMEType, e.Bytes))
	}
	if len(got.Entries) != 3 || kinds[0] != "audio/mpeg 18596" {
		t.Errorf("%+v", got.Entries)
	}
	plain := into[downloaded](t, c, "download_file", `{"file_id":"`+sandbox.SeedSpeech+`","unpack":false,"path":"plain.tar"}`)
	if len(plain.Entries) != 0 || plain.Path != b.dir.Join("plain.tar") {
		t.Errorf("%+v", plain)
	}
	failing(t, c, "download_file", `{"file_id":"1","unpack":"perhaps"}`)
}

func TestDownloadFile_unpacks_for_whoever_wants_it(t *testing.T) {
	b := newBench(t, sandbox.Config{})
	b.sandbox.Misbehave(sandbox.SeedSpeech, sandbox.Fault{BytesPerSecond: 40_000}) // long enough to be joined
	c := connect(t, b)
	var wg sync.WaitGroup
	for _, unpack := range []bool{true, false, true, false} {
		wg.Go(func() {
			got := into[downloaded](t, c, "download_file", fmt.Sprintf(`{"file_id":%q,"unpack":%t}`, sandbox.SeedSpeech, unpack))
			if len(got.Entries) > 0 != unpack {
				t.Errorf("unpack %t: %+v", unpack, got.Entries)
			}
		})
	}
	wg.Wait()
	if n := b.sandbox.Count("storage"); n != 1 {
		t.Errorf("it was fetched %d times", n)
	}
}
