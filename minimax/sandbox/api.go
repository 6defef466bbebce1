package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"minimax-files-mcp/minimax"
)

func (s *Server) apiRoutes() http.Handler {
	mux := http.NewServeMux()
	for pattern, endpoint := range map[string]struct {
		name string
		h    http.HandlerFunc
	}{
		"POST /v1/files/upload":                    {"upload", s.upload},
		"GET /v1/files/list":                       {"list", s.list},
		"GET /v1/files/retrieve":                   {"retrieve", s.retrieve},
		"GET /v1/files/retrieve_content":           {"content", s.content},
		"POST /v1/files/delete":                    {"delete", s.remove},
		"POST /v1/video_generation":                {"create_video", s.createVideo},
		"GET /v1/query/video_generation":           {"query_video", s.queryVideo},
		"POST /v1/t2a_async_v2":                    {"create_speech", s.createSpeech},
		"GET /v1/query/t2a_async_query_v2":         {"query_speech", s.querySpeech},
		"GET /v1/query/video_template_generation":  {"query_template", s.queryTemplate},
		"POST /v2/video_generation":                {"create_video_v2", s.createVideoV2},
		"GET /v2/query/video_generation/{task_id}": {"query_video_v2", s.queryVideoV2},
		"POST /_sandbox/files":                     {"control", s.controlAdd},
		"PUT /_sandbox/files/{file_id}/fault":      {"control", s.controlFault},
		"PUT /_sandbox/endpoints/{endpoint}/fault": {"control", s.controlFault},
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			s.record(endpoint.name, r)
			w.Header().Set("Trace-Id", s.traceID())
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
			if endpoint.name == "control" {
				endpoint.h(w, r)
				return
			}
			if refused := authorize(r); refused != nil {
				if strings.HasPrefix(r.URL.Path, "/v2/") {
					v2Error(w, http.StatusUnauthorized, "authorized_error", refused.StatusMsg)
					return
				}
				s.fail(w, refused.StatusCode, refused.StatusMsg)
				return
			}
			if !s.fault("endpoint "+endpoint.name).answer(w, r) {
				endpoint.h(w, r)
			}
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.record("unknown", r)
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, "<html><head><title>404 Not Found</title></head><body><center><h1>404 Not Found</h1></center></body></html>\n")
	})
	return mux
}

// authorize returns what the real API says about a key it does not take [LIVE].
func authorize(r *http.Request) *minimax.BaseResp {
	switch r.Header.Get("Authorization") {
	case "Bearer " + Key:
		return nil
	case "Bearer " + OtherRegionKey:
		return &minimax.BaseResp{StatusCode: 1004, StatusMsg: "cookie is missing, log in again"}
	case "":
		return &minimax.BaseResp{StatusCode: 1004, StatusMsg: "login fail: Please carry the API secret key in the 'Authorization' field of the request header"}
	}
	return &minimax.BaseResp{StatusCode: 2049, StatusMsg: "invalid api key"}
}

// fail is an error the V1 way: HTTP 200 and a base_resp.
func (*Server) fail(w http.ResponseWriter, code int, message string) {
	writeJSON(w, map[string]any{"base_resp": minimax.BaseResp{StatusCode: code, StatusMsg: message}})
}

var success = minimax.BaseResp{StatusCode: 0, StatusMsg: "success"}

// fileJSON is a file as list, upload and retrieve write it: file_id is a number
// there [DOC, LIVE].
type fileJSON struct {
	ID          json.Number `json:"file_id"`
	Bytes       int64       `json:"bytes"`
	CreatedAt   int64       `json:"created_at"`
	Filename    string      `json:"filename"`
	Purpose     string      `json:"purpose"`
	DownloadURL string      `json:"download_url,omitempty"`
}

func (f *file) json() fileJSON {
	return fileJSON{json.Number(f.ID), f.Bytes, f.CreatedAt, f.Filename, f.Purpose, ""}
}

func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	purpose := r.URL.Query().Get("purpose")
	if p, _ := minimax.PurposeNamed(purpose); !p.List {
		s.fail(w, 2013, "invalid params, invalid file purpose")
		return
	}
	s.mu.Lock()
	found := []fileJSON{}
	for _, f := range s.files {
		if f.Purpose == purpose {
			found = append(found, f.json())
		}
	}
	s.mu.Unlock()
	// By id: the order is not documented, and nothing may rely on one [INF].
	slices.SortFunc(found, func(a, b fileJSON) int { return minimax.ID(a.ID).Compare(minimax.ID(b.ID)) })
	writeJSON(w, struct {
		Files    []fileJSON       `json:"files"`
		BaseResp minimax.BaseResp `json:"base_resp"`
	}{found, success})
}

// asked returns the file a query names; it has answered where there is none.
func (s *Server) asked(w http.ResponseWriter, r *http.Request) *file {
	id, err := minimax.ParseID(r.URL.Query().Get("file_id"))
	if err != nil || !isNumber(string(id)) {
		s.fail(w, 2013, "invalid params")
		return nil
	}
	f := s.file(id)
	if f == nil {
		s.fail(w, 2013, "invalid params, file_id not exist")
	}
	return f
}

func (s *Server) retrieve(w http.ResponseWriter, r *http.Request) {
	f := s.asked(w, r)
	if f == nil {
		return
	}
	answer := struct {
		File     fileJSON         `json:"file"`
		BaseResp minimax.BaseResp `json:"base_resp"`
	}{f.json(), success}
	// Generated files have a URL; uploads were seen without one.
	if f.Purpose == "video_generation" || f.Purpose == "t2a_async" {
		answer.File.DownloadURL = s.downloadURL(f)
	}
	writeJSON(w, answer)
}

func (s *Server) content(w http.ResponseWriter, r *http.Request) {
	f := s.asked(w, r)
	if f == nil {
		return
	}
	if f.Purpose == "video_generation" {
		s.fail(w, 2013, "invalid params, invalid file purpose")
		return
	}
	fault := s.fault("file " + string(f.ID))
	if fault.answer(w, r) {
		return
	}
	// No ranges and no digests: nobody has seen any here [INF].
	fault.NoRange, fault.NoETag, fault.NoChecksum = true, true, true
	w.Header().Del("Content-Type")
	f.object.serve(w, r, fault, contentType(f.Filename))
}

func (s *Server) upload(w http.ResponseWriter, r *http.Request) {
	refuse := func(message string) {
		writeJSON(w, map[string]any{"file": nil, "base_resp": minimax.BaseResp{StatusCode: 2013, StatusMsg: message}})
	}
	r.Body = http.MaxBytesReader(w, r.Body, minimax.MaxUploadBytes+1<<20)
	form, err := r.MultipartReader()
	if err != nil {
		refuse("invalid params")
		return
	}
	purpose := ""
	for {
		part, err := form.NextPart()
		if err != nil {
			refuse("invalid params") // the end, without a file
			return
		}
		switch part.FormName() {
		case "purpose":
			value, _ := io.ReadAll(io.LimitReader(part, 100))
			purpose = string(value)
		case "file":
			if p, _ := minimax.PurposeNamed(purpose); !p.Upload {
				refuse("invalid params, invalid file purpose")
				return
			}
			object, err := s.spoolUpload(part)
			if err != nil {
				refuse("invalid params")
				return
			}
			if minimax.CheckUpload(purpose, part.FileName(), object.size) != nil {
				object.close()
				if purpose == "video_generation_input" { // [DOC] for this purpose only
					w.WriteHeader(http.StatusBadRequest)
				}
				refuse("invalid params, file does not meet the requirements")
				return
			}
			stored := s.store(NewFile{Filename: part.FileName(), Purpose: purpose}, object)
			writeJSON(w, map[string]any{"file": (&file{File: stored}).json(), "base_resp": success})
			return
		}
	}
}

// spoolUpload keeps a small upload in memory and a large one on disk.
func (s *Server) spoolUpload(part *multipart.Part) (*object, error) {
	const inMemory = 1 << 20
	head, err := io.ReadAll(io.LimitReader(part, inMemory))
	if err != nil || len(head) < inMemory {
		return bytesObject(head), err
	}
	s.mu.Lock()
	if s.spool == "" {
		s.spool, err = os.MkdirTemp("", "minimax-sandbox-")
	}
	dir, name := s.spool, s.nextID()
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	kept, err := os.Create(filepath.Join(dir, string(name)))
	if err != nil {
		return nil, err
	}
	size, err := io.Copy(kept, io.MultiReader(strings.NewReader(string(head)), part))
	if err != nil {
		return nil, errors.Join(err, kept.Close())
	}
	return fileObject(kept, size), nil
}

func (s *Server) remove(w http.ResponseWriter, r *http.Request) {
	var body struct {
		FileID  json.RawMessage `json:"file_id"`
		Purpose string          `json:"purpose"`
	}
	err := json.NewDecoder(io.LimitReader(r.Body, 1<<16)).Decode(&body)
	if err != nil || !isNumber(string(body.FileID)) { // a string is refused [LIVE]
		s.fail(w, 2013, "invalid params")
		return
	}
	if p, _ := minimax.PurposeNamed(body.Purpose); !p.Delete {
		s.fail(w, 2013, "invalid params, invalid file purpose")
		return
	}
	id := minimax.ID(body.FileID)
	s.mu.Lock()
	f := s.files[id]
	if f != nil && f.Purpose == body.Purpose {
		delete(s.files, id)
	}
	s.mu.Unlock()
	switch {
	case f == nil:
		s.fail(w, 2013, "invalid params, file_id not exist")
	case f.Purpose != body.Purpose: // whether the real API minds is not known [INF]
		s.fail(w, 2013, "invalid params, invalid file purpose")
	default:
		f.object.close()
		writeJSON(w, map[string]any{"file_id": body.FileID, "base_resp": success})
	}
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// controlAdd adds a file of any size: {"filename", "purpose", "bytes"}.
func (s *Server) controlAdd(w http.ResponseWriter, r *http.Request) {
	var body struct {
		FileID   minimax.ID `json:"file_id"`
		Filename string     `json:"filename"`
		Purpose  string     `json:"purpose"`
		Bytes    int64      `json:"bytes"`
	}
	err := json.NewDecoder(r.Body).Decode(&body)
	if id, _ := strconv.ParseInt(string(body.FileID), 10, 64); body.FileID != "" && (strconv.FormatInt(id, 10) != string(body.FileID) || s.Has(body.FileID)) {
		http.Error(w, "file_id is taken, or not a number; it may be left out", http.StatusBadRequest)
		return
	}
	if err != nil || body.Filename == "" || body.Purpose == "" || body.Bytes < 0 {
		http.Error(w, `want {"filename": "output_aigc.mp4", "purpose": "video_generation", "bytes": 1048576}`, http.StatusBadRequest)
		return
	}
	added := s.Add(NewFile{ID: body.FileID, Filename: body.Filename, Purpose: body.Purpose, Size: body.Bytes})
	writeJSON(w, added)
}

// endpoints are those that can be told to misbehave.
var endpoints = []string{"list", "retrieve", "content", "upload", "delete", "query_video", "query_speech", "query_template", "query_video_v2"}

// controlFault sets the Fault of a file or an endpoint, or several in an array,
// one after the other; {} mends it.
func (s *Server) controlFault(w http.ResponseWriter, r *http.Request) {
	faults := make([]Fault, 1)
	body, err := io.ReadAll(r.Body)
	if err == nil {
		into := any(&faults[0])
		if bytes.HasPrefix(bytes.TrimSpace(body), []byte("[")) {
			into = &faults
		}
		dec := json.NewDecoder(bytes.NewReader(body))
		dec.DisallowUnknownFields()
		err = dec.Decode(into)
	}
	if err != nil {
		http.Error(w, fmt.Sprintf("not a fault: %v", err), http.StatusBadRequest)
		return
	}
	endpoint, id := r.PathValue("endpoint"), minimax.ID(r.PathValue("file_id"))
	switch {
	case slices.Contains(endpoints, endpoint):
		s.MisbehaveAt(endpoint, faults...)
	case id != "" && s.Has(id):
		s.Misbehave(id, faults...)
	default:
		http.Error(w, fmt.Sprintf("there is no file or endpoint %q", endpoint+string(id)), http.StatusNotFound)
		return
	}
	writeJSON(w, faults)
}
