package minimax

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// TaskKind says what makes a task, and so which endpoint knows it.
type TaskKind string

// The kinds, and what a finished one has.
const (
	TaskVideo         TaskKind = "video"          // a file_id; /v1/query/video_generation [DOC]
	TaskSpeech        TaskKind = "speech"         // a file_id, from the start; /v1/query/t2a_async_query_v2 [DOC]
	TaskVideoTemplate TaskKind = "video_template" // a URL, no file_id; /v1/query/video_template_generation, deprecated [DOC]
	TaskVideoV2       TaskKind = "video_v2"       // a URL, no file_id; /v2/query/video_generation [DOC]
)

// TaskKinds are all of them.
func TaskKinds() []TaskKind {
	return []TaskKind{TaskVideo, TaskSpeech, TaskVideoTemplate, TaskVideoV2}
}

// A taskState is where a task stands, whichever words its endpoint has for it.
type taskState int

const (
	taskUnknown taskState = iota
	taskRunning
	taskDone
	taskFailed // or expired, or cancelled
)

// taskStates are the API's words, in lower case: endpoints differ in case, and
// the documentation of one differs from itself [DOC].
var taskStates = map[string]taskState{
	"preparing": taskRunning, "queueing": taskRunning, "queued": taskRunning, "processing": taskRunning, "running": taskRunning,
	"success": taskDone, "succeeded": taskDone,
	"fail": taskFailed, "failed": taskFailed, "expired": taskFailed, "cancelled": taskFailed,
}

// A Task is a generation that is under way or done.
type Task struct {
	ID     ID
	Kind   TaskKind
	Status string // the API's own word
	Done   bool
	FileID ID     // once done, where its kind has one
	URL    string // once done, where its kind has no file_id; it soon expires
}

// taskAnswer is what the four endpoints answer, together.
type taskAnswer struct {
	Status   string   `json:"status"`
	FileID   ID       `json:"file_id"`
	VideoURL string   `json:"video_url"`
	Task     struct { // of /v2
		Status  string `json:"status"`
		Content struct {
			URL string `json:"url"`
		} `json:"content"`
		Error struct { // [INF]: nobody has shown a failed one
			Message string `json:"message"`
		} `json:"error"`
	} `json:"task"`
}

func (a taskAnswer) state() taskState { return taskStates[strings.ToLower(a.status())] }

func (a taskAnswer) status() string { return cmp.Or(a.Task.Status, a.Status) }

func (a taskAnswer) url() string { return cmp.Or(a.Task.Content.URL, a.VideoURL) }

// failed says how the task ended, and why if the API says so beside base_resp.
func (a taskAnswer) failed() (status, why string) {
	if a.state() != taskFailed {
		return "", ""
	}
	return a.status(), a.Task.Error.Message
}

func (a taskAnswer) lacks() string {
	switch {
	case a.status() == "":
		return "a status"
	case a.state() == taskUnknown:
		return fmt.Sprintf("a status that is known; it has %.40q", a.status())
	case a.state() == taskDone && a.FileID == "" && a.url() == "":
		return "the file of a task that is done"
	}
	return ""
}

// Task asks once where a task stands. One that failed, expired or was cancelled
// is an [ErrTaskFailed] with the API's reason.
func (c *Client) Task(ctx context.Context, kind TaskKind, id ID) (*Task, error) {
	req := call{op: fmt.Sprintf("query task %s", id), method: http.MethodGet, query: url.Values{"task_id": {string(id)}}}
	switch kind {
	case TaskVideo:
		req.path = "/v1/query/video_generation"
	case TaskSpeech:
		req.path = "/v1/query/t2a_async_query_v2"
	case TaskVideoTemplate:
		req.path = "/v1/query/video_template_generation"
	case TaskVideoV2:
		req.path, req.query = "/v2/query/video_generation/"+url.PathEscape(string(id)), nil
	default:
		return nil, fmt.Errorf("query task %s: %q is not a kind of task", id, kind)
	}
	got, err := answer[taskAnswer](ctx, c, req)
	if err != nil {
		return nil, err
	}
	t := &Task{ID: id, Kind: kind, Status: got.status(), Done: got.state() == taskDone}
	if t.Done { // a speech task has its file_id before there is a file
		t.FileID, t.URL = got.FileID, got.url()
	}
	return t, nil
}
