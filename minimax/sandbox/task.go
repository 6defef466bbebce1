package sandbox

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"minimax-files-mcp/minimax"
)

// A task is a generation under way: it goes through its states by the clock
// and then has a file.
type task struct {
	kind    minimax.TaskKind
	file    minimax.ID
	started time.Time
	fails   bool
}

// states are those of each kind, in order, before the last one.
var states = map[minimax.TaskKind][]string{
	minimax.TaskVideo:         {"Preparing", "Queueing", "Processing"},
	minimax.TaskSpeech:        {"Processing"},
	minimax.TaskVideoTemplate: {"Preparing", "Processing"},
	minimax.TaskVideoV2:       {"queued", "running"},
}

// AddTask starts a task that ends with the file, or in failure if fails is
// set, after one Config.TaskStep per state.
func (s *Server) AddTask(kind minimax.TaskKind, file minimax.ID, fails bool) minimax.ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := s.nextID()
	s.tasks[id] = &task{kind, file, s.cfg.Now(), fails}
	return id
}

// state returns a task's word for where it stands, and its file once done.
func (s *Server) state(t *task, done, failed string) (string, *file) {
	step := int(s.cfg.Now().Sub(t.started) / s.cfg.TaskStep)
	if names := states[t.kind]; step < len(names) {
		return names[step], nil
	}
	if t.fails {
		return failed, nil
	}
	return done, s.file(t.file)
}

func (s *Server) task(kind minimax.TaskKind, id string) *task {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.tasks[minimax.ID(id)]; t != nil && t.kind == kind {
		return t
	}
	return nil
}

func (s *Server) queryVideo(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("task_id")
	t := s.task(minimax.TaskVideo, id)
	if t == nil {
		s.fail(w, 2013, "invalid params, task_id not exist") // [INF]
		return
	}
	status, f := s.state(t, "Success", "Fail")
	answer := map[string]any{
		"task_id": id, "status": status, "file_id": "", "video_width": 0, "video_height": 0, "base_resp": success,
	}
	if f != nil {
		answer["file_id"], answer["video_width"], answer["video_height"] = f.ID, 640, 360 // text here
	}
	if status == "Fail" {
		answer["base_resp"] = minimax.BaseResp{StatusCode: 1027, StatusMsg: "output new_sensitive"}
	}
	writeJSON(w, answer)
}

func (s *Server) querySpeech(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("task_id")
	t := s.task(minimax.TaskSpeech, id)
	if t == nil {
		s.fail(w, 2013, "invalid params, task_id not exist")
		return
	}
	status, _ := s.state(t, "Success", "Failed")
	writeJSON(w, map[string]any{ // numbers here, and the file_id from the start
		"task_id": json.Number(id), "status": status, "file_id": json.Number(t.file), "base_resp": success,
	})
}

func (s *Server) queryTemplate(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("task_id")
	t := s.task(minimax.TaskVideoTemplate, id)
	if t == nil {
		s.fail(w, 2013, "invalid params, task_id not exist")
		return
	}
	status, f := s.state(t, "Success", "Fail")
	answer := map[string]any{"task_id": id, "status": status, "video_url": "", "base_resp": success}
	if f != nil {
		answer["video_url"] = s.downloadURL(f)
	}
	writeJSON(w, answer)
}

func (s *Server) queryVideoV2(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("task_id")
	t := s.task(minimax.TaskVideoV2, id)
	if t == nil {
		v2Error(w, http.StatusBadRequest, "invalid_request_error", "invalid params, task not found (2013)")
		return
	}
	status, f := s.state(t, "succeeded", "failed")
	found := map[string]any{"task_id": id, "status": status} // [INF]: only task.content.url is documented
	if f != nil {
		found["content"] = map[string]any{"url": s.downloadURL(f)}
	}
	writeJSON(w, map[string]any{"task": found})
}

// v2Error is an error the V2 way: an HTTP status and the number as text.
func v2Error(w http.ResponseWriter, status int, kind, message string) {
	w.WriteHeader(status)
	writeJSON(w, map[string]any{
		"type":       "error",
		"error":      map[string]any{"type": kind, "message": message, "http_code": strconv.Itoa(status)},
		"request_id": w.Header().Get("Trace-Id"),
	})
}

// create starts a task whose outcome is a copy of a seed file. A prompt or
// text that holds "fail" gives a task that fails.
func (s *Server) create(r *http.Request, kind minimax.TaskKind, name, purpose string, media []byte) (task, file minimax.ID) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	made := s.Add(NewFile{Filename: name, Purpose: purpose, Content: media})
	return s.AddTask(kind, made.ID, strings.Contains(string(body), "fail")), made.ID
}

func (s *Server) createVideo(w http.ResponseWriter, r *http.Request) {
	id, _ := s.create(r, minimax.TaskVideo, "output_aigc.mp4", "video_generation", video)
	writeJSON(w, map[string]any{"task_id": id, "base_resp": success})
}

func (s *Server) createVideoV2(w http.ResponseWriter, r *http.Request) {
	id, _ := s.create(r, minimax.TaskVideoV2, "output_aigc.mp4", "video_generation", video)
	writeJSON(w, map[string]any{"task_id": id})
}

func (s *Server) createSpeech(w http.ResponseWriter, r *http.Request) {
	id, file := s.create(r, minimax.TaskSpeech, "speech.tar", "t2a_async", speechTar())
	writeJSON(w, map[string]any{
		"task_id": json.Number(id), "task_token": "sandbox", "file_id": json.Number(file),
		"usage_characters": 101, "base_resp": success,
	})
}
