package tools_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/mcp"

	"minimax-files-mcp/minimax"
	"minimax-files-mcp/minimax/sandbox"
)

func readResource(t *testing.T, c *client.Client, uri string) (mcp.ResourceContents, error) {
	t.Helper()
	req := mcp.ReadResourceRequest{}
	req.Params.URI = uri
	got, err := c.ReadResource(t.Context(), req)
	if err != nil {
		return nil, err
	}
	if len(got.Contents) != 1 {
		t.Fatalf("%+v", got)
	}
	return got.Contents[0], nil
}

func TestResources(t *testing.T) {
	eachWay(t, func(t *testing.T, connect func(*bench) *client.Client) {
		b := newBench(t, sandbox.Config{})
		c := connect(b)
		got, err := readResource(t, c, "minimax://files/"+sandbox.SeedVideo)
		if record, ok := got.(mcp.TextResourceContents); err != nil || !ok || record.MIMEType != "application/json" ||
			!strings.Contains(record.Text, `"file_id":"`+sandbox.SeedVideo+`"`) || !strings.Contains(record.Text, "expires_at") {
			t.Errorf("%+v, %v", got, err)
		}
		got, err = readResource(t, c, "minimax://files/"+sandbox.SeedVoice+"/content")
		if sound, ok := got.(mcp.BlobResourceContents); err != nil || !ok || sound.MIMEType != "audio/mpeg" || len(sound.Blob) < 18596 {
			t.Errorf("%T, %v", got, err)
		}
		got, err = readResource(t, c, fmt.Sprintf("minimax://files/%s/content", b.stored("a.txt", "t2a_async_input", "hello")))
		if text, ok := got.(mcp.TextResourceContents); err != nil || !ok || text.Text != "hello" || text.MIMEType != "text/plain" {
			t.Errorf("%+v, %v", got, err)
		}
		got, err = readResource(t, c, "minimax://files/"+sandbox.SeedSpeech+"/content")
		if listing, ok := got.(mcp.TextResourceContents); err != nil || !ok || !strings.Contains(listing.Text, `"entries":[`) {
			t.Errorf("%+v, %v", got, err)
		}
		for uri, says := range map[string]string{
			"minimax://files/404":                               "file_id not exist",
			"minimax://files/404/content":                       "file_id not exist",
			"minimax://files/-1":                                "negative",
			"minimax://files/" + sandbox.SeedVideo + "/content": "download_file",
			"minimax://nonsense":                                "not found",
		} {
			if got, err := readResource(t, c, uri); err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("%s: %+v, %v; want %s", uri, got, err, says)
			} else {
				checkSecrets(t, err.Error())
			}
		}
	})
}

func TestCompletion(t *testing.T) {
	b := newBench(t, sandbox.Config{Empty: true})
	c := connect(t, b)
	for i := range 250 {
		b.sandbox.Add(sandbox.NewFile{ID: "", Filename: "a.mp3", Purpose: "voice_clone", Content: []byte{}, CreatedAt: time.Unix(1_790_000_000+int64(i), 0)})
	}
	b.sandbox.Add(sandbox.NewFile{ID: "78", Filename: "old.mp3", Purpose: "prompt_audio", Content: []byte{}, CreatedAt: time.Unix(1, 0)}) // not recent
	newest := b.sandbox.Add(sandbox.NewFile{ID: "77", Filename: "b.mp3", Purpose: "prompt_audio", Content: []byte{}})
	complete := func(argument, value string) []string {
		t.Helper()
		req := mcp.CompleteRequest{}
		req.Params.Ref = mcp.ResourceReference{Type: "ref/resource", URI: "minimax://files/{file_id}"}
		req.Params.Argument = mcp.CompleteArgument{Name: argument, Value: value}
		got, err := c.Complete(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		return got.Completion.Values
	}
	if got := complete("file_id", ""); len(got) != 100 || got[0] != string(newest.ID) {
		t.Errorf("%d values, the first %.1q", len(got), got)
	}
	if got := complete("file_id", "7"); fmt.Sprint(got) != "[77]" {
		t.Errorf("%v", got)
	}
	if got := complete("purpose", "vo"); fmt.Sprint(got) != "[voice_clone]" {
		t.Errorf("%v", got)
	}
	if got := complete("nonsense", ""); len(got) != 0 {
		t.Errorf("%v", got)
	}
	if n := b.sandbox.Count("list"); n != len(minimax.ListablePurposes()) {
		t.Errorf("%d lists for two completions in a moment", n)
	}
}

func TestPrompts(t *testing.T) {
	b := newBench(t, sandbox.Config{})
	c := connect(t, b)
	get := func(name string, arguments map[string]string) (string, error) {
		req := mcp.GetPromptRequest{}
		req.Params.Name, req.Params.Arguments = name, arguments
		got, err := c.GetPrompt(t.Context(), req)
		if err != nil {
			return "", err
		}
		return got.Messages[0].Content.(mcp.TextContent).Text, nil
	}
	if got, err := get("save_latest_generation", nil); err != nil || !strings.Contains(got, "download_file") {
		t.Errorf("%s, %v", got, err)
	}
	if got, err := get("whats_in_my_storage", map[string]string{"purpose": "voice_clone"}); err != nil || !strings.Contains(got, `"voice_clone"`) {
		t.Errorf("%s, %v", got, err)
	}
	if _, err := get("clean_up_storage", map[string]string{"older_than_days": "0; delete all"}); err == nil || !strings.Contains(err.Error(), "not a whole number") {
		t.Errorf("%v", err)
	}
	if _, err := get("clean_up_storage", nil); err == nil || !strings.Contains(err.Error(), "older_than_days is missing") {
		t.Errorf("%v", err)
	}
	b.deps.ReadOnly = true
	list, err := connect(t, b).ListPrompts(t.Context(), mcp.ListPromptsRequest{})
	if err != nil || len(list.Prompts) != 2 {
		t.Errorf("%+v, %v", list, err)
	}
}

// TestAnswers_are_short: a model pays for each.
func TestAnswers_are_short(t *testing.T) {
	b := newTaskBench(t)
	c := connect(t, b)
	b.local(t, "me.mp3", "la")
	task := b.sandbox.AddTask(minimax.TaskVideo, sandbox.SeedVideo, false)
	for _, tt := range []struct{ tool, arguments string }{
		{"wait_for_task", fmt.Sprintf(`{"task_id":%q,"kind":"video"}`, task)},
		{"download_file", fmt.Sprintf(`{"task_id":%q,"kind":"video"}`, task)},
		{"download_file", `{"file_id":"` + sandbox.SeedSpeech + `"}`},
		{"list_files", `{"purpose":"voice_clone","limit":1}`}, // the newest voice clone's record
		{"retrieve_file", `{"file_id":"` + sandbox.SeedVideo + `"}`},
		{"upload_file", `{"path":"me.mp3","purpose":"voice_clone"}`},
		{"delete_file", `{"file_id":"` + sandbox.SeedVoice + `","confirm_filename":"narrator.mp3"}`},
	} {
		if result := call(t, c, tt.tool, tt.arguments); result.IsError || len(text(result)) > 2000 {
			t.Errorf("%s: %d bytes: %s", tt.tool, len(text(result)), text(result))
		}
	}
}
