package tools_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/mcp"

	"minimax-files-mcp/minimax"
	"minimax-files-mcp/minimax/sandbox"
	"minimax-files-mcp/tools"
)

type waited struct {
	Status      string `json:"status"`
	TaskStatus  string `json:"task_status"`
	DownloadURL string `json:"download_url"`
	ExpiresAt   string `json:"expires_at"`
	Next        string `json:"next"`
	File        struct {
		FileID      string `json:"file_id"`
		DownloadURL string `json:"download_url"`
	} `json:"file"`
}

// newTaskBench is one whose tasks hurry.
func newTaskBench(t *testing.T) *bench {
	t.Helper()
	b := newBench(t, sandbox.Config{TaskStep: 40 * time.Millisecond})
	b.deps.PollEvery = 10 * time.Millisecond
	return b
}

// makes is a seed file for each kind of task to make.
var makes = map[minimax.TaskKind]minimax.ID{
	minimax.TaskVideo: sandbox.SeedVideo, minimax.TaskSpeech: sandbox.SeedSpeech,
	minimax.TaskVideoTemplate: sandbox.SeedVideo, minimax.TaskVideoV2: sandbox.SeedVideo,
}

func hasFile(kind minimax.TaskKind) bool {
	return kind == minimax.TaskVideo || kind == minimax.TaskSpeech
}

func TestWaitForTask(t *testing.T) {
	eachWay(t, func(t *testing.T, connect func(*bench) *client.Client) {
		b := newTaskBench(t)
		c := connect(b)
		early := 0 // tasks that were seen under way: they hurry
		for kind, file := range makes {
			id := b.sandbox.AddTask(kind, file, false)
			first := into[waited](t, c, "wait_for_task", fmt.Sprintf(`{"task_id":%q,"kind":%q,"wait_seconds":0}`, id, kind))
			if first.Status == "in_progress" {
				early++
				if first.TaskStatus == "" || !strings.Contains(first.Next, "again") || first.File.FileID != "" {
					t.Errorf("%s, asked at once: %+v", kind, first)
				}
			}
			done := into[waited](t, c, "wait_for_task", fmt.Sprintf(`{"task_id":%s,"kind":%q}`, id, kind)) // a number this time
			if done.Status != "done" || done.ExpiresAt == "" || !strings.Contains(done.Next, "download_file") {
				t.Errorf("%s: %+v", kind, done)
			}
			if hasFile(kind) && (done.File.FileID != string(file) || done.File.DownloadURL == "" || done.DownloadURL != "") {
				t.Errorf("%s: %+v", kind, done)
			}
			if !hasFile(kind) && (done.File.FileID != "" || done.DownloadURL == "") {
				t.Errorf("%s: %+v", kind, done)
			}
			failed := b.sandbox.AddTask(kind, file, true)
			got := failing(t, c, "wait_for_task", fmt.Sprintf(`{"task_id":%q,"kind":%q}`, failed, kind))
			for _, want := range []string{"wait for task " + string(failed), "the task ended as", "Trace-Id", "new generation"} {
				if !strings.Contains(got, want) {
					t.Errorf("%s: %q lacks %q", kind, got, want)
				}
			}
		}
		if early == 0 {
			t.Error("no task was seen under way")
		}
	})
}

func TestWaitForTask_tells_how_it_stands(t *testing.T) {
	b := newTaskBench(t)
	c := connect(t, b)
	told := make(chan string, 100)
	c.OnNotification(func(n mcp.JSONRPCNotification) {
		message, _ := n.Params.AdditionalFields["message"].(string)
		told <- message
	})
	req := mcp.CallToolRequest{}
	req.Params.Name = "wait_for_task"
	req.Params.Arguments = map[string]any{"task_id": string(b.sandbox.AddTask(minimax.TaskVideo, sandbox.SeedVideo, false)), "kind": "video"}
	req.Params.Meta = &mcp.Meta{ProgressToken: 1}
	if got, err := c.CallTool(t.Context(), req); err != nil || got.IsError {
		t.Fatal(got, err)
	}
	if first := <-told; !strings.HasPrefix(first, "the task is Preparing") {
		t.Errorf("told %q", first)
	}
}

func TestWaitForTask_is_polite(t *testing.T) {
	b := newBench(t, sandbox.Config{TaskStep: time.Hour})
	b.deps.PollEvery = time.Microsecond
	c := connect(t, b)
	id := b.sandbox.AddTask(minimax.TaskSpeech, sandbox.SeedSpeech, false)
	into[waited](t, c, "wait_for_task", fmt.Sprintf(`{"task_id":%q,"kind":"speech","wait_seconds":1}`, id))
	if n := b.sandbox.Count("query_speech"); n < 2 || n > 10 { // [DOC]: 10 in a second
		t.Errorf("%d queries in a second", n)
	}
	b.deps.PollEvery = 0
	id = b.sandbox.AddTask(minimax.TaskVideo, sandbox.SeedVideo, false)
	into[waited](t, connect(t, b), "wait_for_task", fmt.Sprintf(`{"task_id":%q,"kind":"video","wait_seconds":1}`, id))
	if n := b.sandbox.Count("query_video"); n != 1 { // [DOC]: every 10 s
		t.Errorf("%d queries for a video in a second", n)
	}
}

func TestWaitForTask_is_not_held_by_an_answer_that_does_not_come(t *testing.T) {
	b := newBench(t, sandbox.Config{TaskStep: time.Hour})
	b.deps.PollEvery = 10 * time.Millisecond
	b.sandbox.MisbehaveAt("query_video", sandbox.Fault{Times: 1}, sandbox.Fault{Delay: time.Hour})
	id := b.sandbox.AddTask(minimax.TaskVideo, sandbox.SeedVideo, false)
	got := into[waited](t, connect(t, b), "wait_for_task", fmt.Sprintf(`{"task_id":%q,"kind":"video","wait_seconds":1}`, id))
	if got.Status != "in_progress" || got.TaskStatus != "Preparing" || b.sandbox.Count("query_video") != 2 {
		t.Errorf("%+v after %d queries", got, b.sandbox.Count("query_video"))
	}
}

func TestBadTasks(t *testing.T) {
	b := newTaskBench(t)
	c := connect(t, b)
	video := b.sandbox.AddTask(minimax.TaskVideo, sandbox.SeedVideo, false)
	for _, tt := range []struct {
		tool, arguments string
		says            []string
	}{
		{"wait_for_task", `{}`, []string{"task_id is missing"}},
		{"wait_for_task", `{"task_id":"5"}`, []string{"kind is missing", `"kind": "video"`}},
		{"wait_for_task", `{"task_id":"5","kind":"song"}`, []string{"video, speech, video_template, video_v2", `"song"`}},
		{"wait_for_task", `{"task_id":"5","kind":"video"}`, []string{"2013", "task_id and kind", "speech"}},
		{"wait_for_task", `{"task_id":"5","kind":"video_v2"}`, []string{"400", "task_id and kind"}},
		{"wait_for_task", fmt.Sprintf(`{"task_id":%q,"kind":"speech"}`, video), []string{"2013", "own kind"}},
		{"wait_for_task", `{"task_id":"5","kind":"video","wait_seconds":601}`, []string{"from 0 to 600"}},
		{"download_file", `{}`, []string{"either file_id or task_id"}},
		{"download_file", `{"file_id":"1","task_id":"2","kind":"video"}`, []string{"either file_id or task_id"}},
		{"download_file", `{"task_id":"2"}`, []string{"kind is missing", "video_v2"}},
		{"download_file", `{"task_id":"2","kind":"video"}`, []string{"download task 2", "2013", "own kind"}},
	} {
		got := failing(t, c, tt.tool, tt.arguments)
		for _, want := range tt.says {
			if !strings.Contains(got, want) {
				t.Errorf("%s %s: %q lacks %q", tt.tool, tt.arguments, got, want)
			}
		}
	}
}

func TestDownloadFile_of_a_task_is_one_call(t *testing.T) {
	eachWay(t, func(t *testing.T, connect func(*bench) *client.Client) {
		b := newTaskBench(t)
		c := connect(b)
		for kind, file := range makes {
			id := b.sandbox.AddTask(kind, file, false)
			arguments := fmt.Sprintf(`{"task_id":%q,"kind":%q,"path":"%s/"}`, id, kind, kind)
			retrieves := b.sandbox.Count("retrieve")
			got := into[downloaded](t, c, "download_file", arguments)
			if got.Status != "done" || got.TaskID != string(id) || got.SHA256 != b.sandbox.SHA256(file) || filepath.Dir(got.Path) != b.dir.Join(string(kind)) {
				t.Errorf("%s: %+v", kind, got)
			}
			if hasFile(kind) && (got.FileID != string(file) || b.sandbox.Count("retrieve") != retrieves+1) {
				t.Errorf("%s: %+v after %d retrieves", kind, got, b.sandbox.Count("retrieve")-retrieves)
			}
			if !hasFile(kind) && (got.FileID != "" || filepath.Base(got.Path) != fmt.Sprintf("video-%s.mp4", id) || b.sandbox.Count("retrieve") != retrieves) {
				t.Errorf("%s: %+v after %d retrieves", kind, got, b.sandbox.Count("retrieve")-retrieves)
			}
			if (kind == minimax.TaskSpeech) != (len(got.Entries) > 0) {
				t.Errorf("%s: %+v", kind, got.Entries)
			}
			if again := into[downloaded](t, c, "download_file", arguments); !again.AlreadyPresent || again.Path != got.Path {
				t.Errorf("%s, once more: %+v", kind, again)
			}
			failed := b.sandbox.AddTask(kind, file, true)
			if text := failing(t, c, "download_file", fmt.Sprintf(`{"task_id":%q,"kind":%q}`, failed, kind)); !strings.Contains(text, "the task ended as") {
				t.Errorf("%s: %s", kind, text)
			}
		}
	})
}

func TestDownloadFile_of_a_task_that_takes_longer_than_the_call(t *testing.T) {
	b := newTaskBench(t)
	c := connect(t, b)
	id := b.sandbox.AddTask(minimax.TaskVideoV2, sandbox.SeedVideo, false)
	if got := into[downloaded](t, c, "download_file", fmt.Sprintf(`{"task_id":%q,"kind":"video_v2","wait_seconds":0}`, id)); got.Status != "in_progress" || !strings.Contains(got.Next, "again") {
		t.Errorf("%+v", got)
	}
	if got := into[downloaded](t, c, "download_file", fmt.Sprintf(`{"task_id":%q,"kind":"video_v2"}`, id)); got.Status != "done" || got.AlreadyPresent {
		t.Errorf("%+v", got)
	}
}

func TestDownloadFile_of_a_task_whose_URL_has_expired_asks_for_a_new_one(t *testing.T) {
	b := newTaskBench(t)
	c := connect(t, b)
	b.sandbox.Misbehave(sandbox.SeedVideo, sandbox.Fault{Expired: true, Times: 1})
	id := b.sandbox.AddTask(minimax.TaskVideoV2, sandbox.SeedVideo, false)
	if got := into[downloaded](t, c, "download_file", fmt.Sprintf(`{"task_id":%q,"kind":"video_v2"}`, id)); got.SHA256 != b.sandbox.SHA256(sandbox.SeedVideo) {
		t.Errorf("%+v", got)
	}
}

func TestTasks_that_are_waited_for_hold_up_no_download(t *testing.T) {
	b := newBench(t, sandbox.Config{TaskStep: time.Hour})
	b.deps.PollEvery = 50 * time.Millisecond // so that they end soon after the sandbox
	c := connect(t, b)
	for range 6 {
		id := b.sandbox.AddTask(minimax.TaskVideo, sandbox.SeedVideo, false)
		into[downloaded](t, c, "download_file", fmt.Sprintf(`{"task_id":%q,"kind":"video","wait_seconds":0}`, id))
	}
	if got := into[downloaded](t, c, "download_file", `{"file_id":"`+sandbox.SeedVideo+`","wait_seconds":10}`); got.Status != "done" {
		t.Errorf("%+v", got)
	}
}

func TestDownloadFile_of_a_task_where_nothing_is_saved(t *testing.T) {
	b := newTaskBench(t)
	b.deps.LinkOnly = true
	c := connect(t, b)
	early := 0
	defer func() {
		if early == 0 {
			t.Error("no task was seen under way")
		}
	}()
	for kind, file := range makes {
		id := b.sandbox.AddTask(kind, file, false)
		if got := into[downloaded](t, c, "download_file", fmt.Sprintf(`{"task_id":%q,"kind":%q,"wait_seconds":0}`, id, kind)); got.Status == "in_progress" {
			early++
		}
		if got := into[downloaded](t, c, "download_file", fmt.Sprintf(`{"task_id":%q,"kind":%q}`, id, kind)); got.Status != "link" || got.URI == "" || got.ExpiresAt == "" {
			t.Errorf("%s: %+v", kind, got)
		}
	}
}

var _ tools.Files = (*minimax.Client)(nil)
