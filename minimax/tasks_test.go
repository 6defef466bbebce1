package minimax_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"minimax-files-mcp/minimax"
	"minimax-files-mcp/minimax/sandbox"
)

// steps is a clock on which a task's next state is one call away.
type steps struct {
	mu  sync.Mutex
	now time.Time
}

func (s *steps) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *steps) next() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(time.Second)
}

func TestClient_Task(t *testing.T) {
	clock := &steps{now: time.Unix(1_790_000_000, 0)}
	s := startSandbox(t, sandbox.Config{Now: clock.Now, TaskStep: time.Second})
	c := clientOf(s)
	for kind, tt := range map[minimax.TaskKind]struct {
		statuses []string
		file     bool // a file_id when done, not a URL
		fails    string
	}{
		minimax.TaskVideo:         {[]string{"Preparing", "Queueing", "Processing", "Success"}, true, `the task ended as "Fail", status_code 1027 (output contains sensitive content)`},
		minimax.TaskSpeech:        {[]string{"Processing", "Success"}, true, `the task ended as "Failed"`},
		minimax.TaskVideoTemplate: {[]string{"Preparing", "Processing", "Success"}, false, `the task ended as "Fail"`},
		minimax.TaskVideoV2:       {[]string{"queued", "running", "succeeded"}, false, `the task ended as "failed"`},
	} {
		t.Run(string(kind), func(t *testing.T) {
			id := s.AddTask(kind, sandbox.SeedVideo, false)
			var statuses []string
			for range tt.statuses {
				got, err := c.Task(t.Context(), kind, id)
				if err != nil {
					t.Fatal(err)
				}
				statuses = append(statuses, got.Status)
				done := len(statuses) == len(tt.statuses)
				if got.Done != done || (got.FileID != "") != (done && tt.file) || (got.URL != "") != (done && !tt.file) || got.ID != id || got.Kind != kind {
					t.Errorf("%+v", got)
				}
				clock.next()
			}
			if diff := cmp.Diff(tt.statuses, statuses); diff != "" {
				t.Error(diff)
			}
			id = s.AddTask(kind, sandbox.SeedVideo, true)
			for range tt.statuses {
				clock.next()
			}
			before := len(s.Requests())
			_, err := c.Task(t.Context(), kind, id)
			failed, ok := errors.AsType[*minimax.Error](err)
			if !ok || !errors.Is(err, minimax.ErrTaskFailed) || failed.Retryable() || failed.TraceID == "" || !strings.Contains(err.Error(), tt.fails) {
				t.Errorf("%v, want ErrTaskFailed and %s", err, tt.fails)
			}
			if n := len(s.Requests()) - before; n != 1 {
				t.Errorf("a failed task was asked for %d times", n)
			}
			if _, err := c.Task(t.Context(), kind, "1"); !errors.Is(err, minimax.ErrInvalid) || errors.Is(err, minimax.ErrTaskFailed) {
				t.Errorf("no such task: %v", err)
			}
		})
	}
	if _, err := c.Task(t.Context(), "song", "1"); err == nil || !strings.Contains(err.Error(), "song") {
		t.Errorf("an unknown kind: %v", err)
	}
}

// TestClient_Task_reads holds the forms that public samples have.
func TestClient_Task_reads(t *testing.T) {
	s := startSandbox(t, sandbox.Config{})
	c := clientOf(s)
	for name, tt := range map[string]struct {
		body string
		want minimax.Task
		says string // of an error
	}{
		"ids as text":                          {`{"task_id":"1","status":"Success","file_id":"361721749176519","base_resp":{"status_code":0}}`, minimax.Task{Status: "Success", Done: true, FileID: "361721749176519"}, ""},
		"ids as numbers":                       {`{"task_id":1,"status":"success","file_id":361721749176519}`, minimax.Task{Status: "success", Done: true, FileID: "361721749176519"}, ""},
		"a large id":                           {`{"status":"Success","file_id":9223372036854775807}`, minimax.Task{Status: "Success", Done: true, FileID: "9223372036854775807"}, ""},
		"no file while it runs":                {`{"status":"Processing","file_id":""}`, minimax.Task{Status: "Processing"}, ""},
		"a file before it is there":            {`{"status":"Processing","file_id":95157322514496}`, minimax.Task{Status: "Processing"}, ""},
		"capitals":                             {`{"status":"PROCESSING"}`, minimax.Task{Status: "PROCESSING"}, ""},
		"expired":                              {`{"status":"Expired","file_id":1,"base_resp":{"status_code":0}}`, minimax.Task{}, `ended as "Expired"`},
		"cancelled":                            {`{"task":{"status":"cancelled"}}`, minimax.Task{}, `ended as "cancelled"`},
		"a reason of /v2":                      {`{"task":{"status":"failed","error":{"message":"too dark"}}}`, minimax.Task{}, `"too dark"`},
		"a reason that looks like the query's": {`{"status":"Fail","base_resp":{"status_code":1013,"status_msg":"x"}}`, minimax.Task{}, `ended as "Fail", status_code 1013`},
		"an error of the query":                {`{"status":"","base_resp":{"status_code":1004,"status_msg":"login fail"}}`, minimax.Task{}, "status_code 1004"},
		"no status":                            {`{"base_resp":{"status_code":0}}`, minimax.Task{}, "lacks a status"},
		"an unknown status":                    {`{"status":"Pondering"}`, minimax.Task{}, `"Pondering"`},
		"done, without a file":                 {`{"status":"Success","file_id":""}`, minimax.Task{}, "lacks the file"},
	} {
		t.Run(name, func(t *testing.T) {
			s.MisbehaveAt("query_video", sandbox.Fault{Status: 200, Body: tt.body})
			got, err := c.Task(t.Context(), minimax.TaskVideo, "1")
			if tt.says != "" {
				if err == nil || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("%v, want %s", err, tt.says)
				}
				return
			}
			tt.want.ID, tt.want.Kind = "1", minimax.TaskVideo
			if diff := cmp.Diff(&tt.want, got); diff != "" || err != nil {
				t.Errorf("%v\n%s", err, diff)
			}
		})
	}
}
