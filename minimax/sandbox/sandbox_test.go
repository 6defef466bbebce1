package sandbox_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/md5"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"minimax-files-mcp/minimax"
	"minimax-files-mcp/minimax/sandbox"
)

// clock is a time that a test moves.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func start(t *testing.T) (*sandbox.Server, *clock) {
	t.Helper()
	c := &clock{time.Date(2026, 9, 23, 12, 0, 0, 0, time.UTC)}
	s, err := sandbox.Start(sandbox.Config{Now: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, c
}

// ask sends a request with the right key and returns status, headers and body.
func ask(t *testing.T, method, address, body string, header ...string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+sandbox.Key)
	for i := 0; i < len(header); i += 2 {
		if header[i+1] == "" {
			req.Header.Del(header[i])
			continue
		}
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := (&http.Transport{DisableCompression: true}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(got)
}

// downloadURL asks retrieve for one.
func downloadURL(t *testing.T, s *sandbox.Server, id string) string {
	t.Helper()
	_, _, body := ask(t, "GET", s.URL()+"/v1/files/retrieve?file_id="+id, "")
	var answer struct {
		File struct {
			DownloadURL string `json:"download_url"`
		}
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || answer.File.DownloadURL == "" {
		t.Fatalf("no download_url in %s", body)
	}
	return answer.File.DownloadURL
}

func TestAPI(t *testing.T) {
	s, _ := start(t)
	for name, tt := range map[string]struct {
		method, path, body string
		key                string
		status             int
		want               []string
		never              string
	}{
		"list has numeric ids, no paging": {"GET", "/v1/files/list?purpose=voice_clone", "", sandbox.Key, 200, []string{`"file_id":335560631603474`, `"status_code":0`}, "has_more"},
		"list needs a purpose":            {"GET", "/v1/files/list", "", sandbox.Key, 200, []string{`2013`}, ""},
		"list refuses generated videos":   {"GET", "/v1/files/list?purpose=video_generation", "", sandbox.Key, 200, []string{`2013`}, ""},
		"a video has no size, but a URL":  {"GET", "/v1/files/retrieve?file_id=" + sandbox.SeedVideo, "", sandbox.Key, 200, []string{`"file_id":` + sandbox.SeedVideo, `"bytes":0`, `"download_url":"http://127.0.0.1`, `Signature=`}, ""},
		"an upload has no URL":            {"GET", "/v1/files/retrieve?file_id=" + sandbox.SeedVoice, "", sandbox.Key, 200, []string{`"bytes":18596`}, "download_url"},
		"an unknown id":                   {"GET", "/v1/files/retrieve?file_id=1", "", sandbox.Key, 200, []string{`2013`, `file_id not exist`}, ""},
		"no id":                           {"GET", "/v1/files/retrieve", "", sandbox.Key, 200, []string{`2013`}, ""},
		"content refuses videos":          {"GET", "/v1/files/retrieve_content?file_id=" + sandbox.SeedVideo, "", sandbox.Key, 200, []string{`{"base_resp":{"status_code":2013,"status_msg":"invalid params, invalid file purpose"}}`}, ""},
		"delete refuses a string id":      {"POST", "/v1/files/delete", `{"file_id":"335560631603474","purpose":"voice_clone"}`, sandbox.Key, 200, []string{`2013`, "invalid params"}, ""},
		"delete refuses another purpose":  {"POST", "/v1/files/delete", `{"file_id":335560631603474,"purpose":"prompt_audio"}`, sandbox.Key, 200, []string{`2013`}, ""},
		"delete takes a number":           {"POST", "/v1/files/delete", `{"file_id":335560631603512,"purpose":"prompt_audio"}`, sandbox.Key, 200, []string{`"file_id":335560631603512`, `"status_code":0`}, ""},
		"a wrong key":                     {"GET", "/v1/files/list?purpose=voice_clone", "", "nonsense", 200, []string{`2049`, "invalid api key"}, ""},
		"a key of another region":         {"GET", "/v1/files/list?purpose=voice_clone", "", sandbox.OtherRegionKey, 200, []string{`1004`, "cookie is missing, log in again"}, ""},
		"an unknown route":                {"GET", "/v1/files", "", sandbox.Key, 404, []string{"<html>"}, ""},
		"a wrong method":                  {"DELETE", "/v1/files/1", "", sandbox.Key, 404, []string{"<html>"}, ""},
		"an unknown task":                 {"GET", "/v1/query/video_generation?task_id=5", "", sandbox.Key, 200, []string{"2013"}, ""},
		"an unknown task of version 2":    {"GET", "/v2/query/video_generation/5", "", sandbox.Key, 400, []string{`"type":"error"`, "(2013)", `"request_id"`}, "base_resp"},
	} {
		t.Run(name, func(t *testing.T) {
			status, header, body := ask(t, tt.method, s.URL()+tt.path, tt.body, "Authorization", "Bearer "+tt.key)
			if status != tt.status {
				t.Errorf("HTTP %d, want %d", status, tt.status)
			}
			for _, want := range tt.want {
				if !strings.Contains(body, want) {
					t.Errorf("%s lacks %s", body, want)
				}
			}
			if tt.never != "" && strings.Contains(body, tt.never) {
				t.Errorf("%s has %s", body, tt.never)
			}
			if status == 200 && header.Get("Trace-Id") == "" {
				t.Error("no Trace-Id")
			}
		})
	}
}

func TestUpload(t *testing.T) {
	s, _ := start(t)
	upload := func(purpose, name string, size int) (int, string) {
		form := "--b\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\n" + purpose +
			"\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"" + name + "\"\r\n\r\n" + strings.Repeat("x", size) + "\r\n--b--\r\n"
		status, _, body := ask(t, "POST", s.URL()+"/v1/files/upload", form, "Content-Type", "multipart/form-data; boundary=b")
		return status, body
	}
	for _, tt := range []struct {
		purpose, name string
		size, status  int
		want          string
	}{
		{"voice_clone", "v.mp3", 10, 200, `"bytes":10`},
		{"voice_clone", "v.flac", 10, 200, `"file":null`},
		{"voice_clone", "v.mp3", 21 << 20, 200, `"file":null`},
		{"voice_clone", "v.wav", 3 << 20, 200, `"bytes":3145728`},
		{"video_generation", "v.mp4", 10, 200, `"file":null`},
		{"video_generation_input", "v.txt", 10, 400, `2013`},
		{"", "v.mp3", 10, 200, `2013`},
	} {
		if status, body := upload(tt.purpose, tt.name, tt.size); status != tt.status || !strings.Contains(body, tt.want) {
			t.Errorf("%s %s of %d bytes: HTTP %d %s; want HTTP %d and %s", tt.purpose, tt.name, tt.size, status, body, tt.status, tt.want)
		}
	}
}

func TestStorage(t *testing.T) {
	s, clock := start(t)
	address := downloadURL(t, s, sandbox.SeedVideo)
	_, header, whole := ask(t, "GET", address, "", "Authorization", "")
	t.Run("sends digests that are right", func(t *testing.T) {
		sum := md5.Sum([]byte(whole))
		for name, want := range map[string]string{
			"X-Oss-Hash-Crc64ecma": strconv.FormatUint(crc64.Checksum([]byte(whole), crc64.MakeTable(crc64.ECMA)), 10),
			"Content-Md5":          base64.StdEncoding.EncodeToString(sum[:]),
			"Etag":                 fmt.Sprintf(`"%X"`, sum),
			"Content-Type":         "video/mp4",
		} {
			if got := header.Get(name); got != want {
				t.Errorf("%s is %s, want %s", name, got, want)
			}
		}
		if !bytes.Contains([]byte(whole[:32]), []byte("ftyp")) {
			t.Error("it is not an mp4")
		}
	})
	size := len(whole)
	etag := header.Get("ETag")
	for name, tt := range map[string]struct {
		header []string
		status int
		length int
		crange string
	}{
		"a range":                       {[]string{"Range", "bytes=10-19"}, 206, 10, fmt.Sprintf("bytes 10-19/%d", size)},
		"a range to the end":            {[]string{"Range", "bytes=10-"}, 206, size - 10, fmt.Sprintf("bytes 10-%d/%d", size-1, size)},
		"the last bytes":                {[]string{"Range", "bytes=-5"}, 206, 5, fmt.Sprintf("bytes %d-%d/%d", size-5, size-1, size)},
		"a range past the end is whole": {[]string{"Range", fmt.Sprintf("bytes=0-%d", size)}, 200, size, ""},
		"a start past the end is whole": {[]string{"Range", fmt.Sprintf("bytes=%d-", size)}, 200, size, ""},
		"If-Range with its ETag":        {[]string{"Range", "bytes=0-0", "If-Range", etag}, 206, 1, fmt.Sprintf("bytes 0-0/%d", size)},
		"If-Range with another ETag":    {[]string{"Range", "bytes=0-0", "If-Range", `"x"`}, 200, size, ""},
		"nonsense":                      {[]string{"Range", "bytes=a-b"}, 200, size, ""},
	} {
		t.Run(name, func(t *testing.T) {
			status, header, body := ask(t, "GET", address, "", append(tt.header, "Authorization", "")...)
			if status != tt.status || len(body) != tt.length || header.Get("Content-Range") != tt.crange {
				t.Errorf("HTTP %d, %d bytes, Content-Range %q", status, len(body), header.Get("Content-Range"))
			}
		})
	}
	for name, tt := range map[string]struct {
		method, address, auth string
		status                int
		want                  string
	}{
		"HEAD is refused":           {"HEAD", address, "", 403, ""},
		"a key is refused":          {"GET", address, "Bearer " + sandbox.Key, 400, "InvalidArgument"},
		"no signature":              {"GET", strings.Split(address, "?")[0], "", 403, "AccessDenied"},
		"another path":              {"GET", strings.Replace(address, sandbox.SeedVideo, sandbox.SeedSpeech, 1), "", 403, "SignatureDoesNotMatch"},
		"a lifetime that was moved": {"GET", strings.Replace(address, "Expires=1", "Expires=2", 1), "", 403, "SignatureDoesNotMatch"},
	} {
		t.Run(name, func(t *testing.T) {
			status, _, body := ask(t, tt.method, tt.address, "", "Authorization", tt.auth)
			if status != tt.status || !strings.Contains(body, tt.want) {
				t.Errorf("HTTP %d %s", status, body)
			}
		})
	}
	t.Run("a URL expires, and a new one works", func(t *testing.T) {
		clock.now = clock.now.Add(6 * time.Hour)
		if status, _, body := ask(t, "GET", address, "", "Authorization", ""); status != 403 || !strings.Contains(body, "Request has expired") {
			t.Errorf("HTTP %d %s", status, body)
		}
		if status, _, _ := ask(t, "GET", downloadURL(t, s, sandbox.SeedVideo), "", "Authorization", ""); status != 200 {
			t.Errorf("HTTP %d", status)
		}
	})
}

func TestAsyncSpeechIsATar(t *testing.T) {
	s, _ := start(t)
	_, _, body := ask(t, "GET", s.URL()+"/v1/files/retrieve_content?file_id="+sandbox.SeedSpeech, "")
	archive := tar.NewReader(strings.NewReader(body))
	var names []string
	for {
		entry, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, entry.Name)
	}
	if got := strings.Join(names, " "); !strings.Contains(got, ".mp3") || !strings.Contains(got, ".titles") || !strings.Contains(got, ".extra") {
		t.Errorf("entries: %s", got)
	}
}

func TestTasksGoThroughTheirStates(t *testing.T) {
	s, clock := start(t)
	for name, tt := range map[string]struct {
		kind  minimax.TaskKind
		fails bool
		path  string
		want  []string // after each step
	}{
		"video":         {minimax.TaskVideo, false, "/v1/query/video_generation?task_id=", []string{`"file_id":"",`, "Queueing", "Processing", `"file_id":"` + sandbox.SeedVideo + `"`}},
		"failed video":  {minimax.TaskVideo, true, "/v1/query/video_generation?task_id=", []string{"Preparing", "Queueing", "Processing", `"status":"Fail"`}},
		"speech":        {minimax.TaskSpeech, false, "/v1/query/t2a_async_query_v2?task_id=", []string{`"file_id":` + sandbox.SeedVideo, `"status":"Success"`}},
		"failed speech": {minimax.TaskSpeech, true, "/v1/query/t2a_async_query_v2?task_id=", []string{"Processing", `"status":"Failed"`}},
		"template":      {minimax.TaskVideoTemplate, false, "/v1/query/video_template_generation?task_id=", []string{"Preparing", "Processing", `"video_url":"http://`}},
		"video 2":       {minimax.TaskVideoV2, false, "/v2/query/video_generation/", []string{"queued", "running", `"url":"http://`}},
	} {
		t.Run(name, func(t *testing.T) {
			id := s.AddTask(tt.kind, sandbox.SeedVideo, tt.fails)
			for step, want := range tt.want {
				if _, _, body := ask(t, "GET", s.URL()+tt.path+string(id), ""); !strings.Contains(body, want) {
					t.Errorf("step %d: %s lacks %s", step, body, want)
				}
				clock.now = clock.now.Add(2 * time.Second)
			}
		})
	}
	t.Run("generation calls start them", func(t *testing.T) {
		for _, path := range []string{"/v1/video_generation", "/v1/t2a_async_v2", "/v2/video_generation"} {
			if _, _, body := ask(t, "POST", s.URL()+path, `{"prompt":"a harbour"}`); !strings.Contains(body, "task_id") {
				t.Errorf("%s: %s", path, body)
			}
		}
	})
}

func TestMisbehave(t *testing.T) {
	s, _ := start(t)
	const size = 300_000
	file := s.Add(sandbox.NewFile{Filename: "output_aigc.mp4", Purpose: "video_generation", Size: size})
	address := downloadURL(t, s, string(file.ID))
	// get reads what comes and how it ends.
	get := func(t *testing.T, header ...string) (*http.Response, []byte, error) {
		req, _ := http.NewRequestWithContext(t.Context(), "GET", address, nil)
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		resp, err := (&http.Transport{DisableCompression: true, DisableKeepAlives: true}).RoundTrip(req)
		if err != nil {
			return nil, nil, err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(io.LimitReader(resp.Body, 2*size))
		return resp, body, err
	}
	_, right, err := get(t)
	if err != nil || len(right) != size {
		t.Fatalf("%d bytes, %v", len(right), err)
	}
	for name, tt := range map[string]struct {
		fault sandbox.Fault
		right func(resp *http.Response, body []byte, err error) bool
	}{
		"cut":   {sandbox.Fault{CutAfter: 1000}, func(_ *http.Response, b []byte, err error) bool { return len(b) <= 1000 && err != nil }},
		"reset": {sandbox.Fault{Reset: true}, func(r *http.Response, _ []byte, err error) bool { return r == nil && err != nil }},
		"status": {sandbox.Fault{Status: 503, RetryAfter: "9"}, func(r *http.Response, _ []byte, _ error) bool {
			return r.StatusCode == 503 && r.Header.Get("Retry-After") == "9"
		}},
		"JSON": {sandbox.Fault{Code: 1033}, func(r *http.Response, b []byte, _ error) bool {
			return r.StatusCode == 200 && strings.Contains(string(b), "1033")
		}},
		"expired": {sandbox.Fault{Expired: true}, func(r *http.Response, b []byte, _ error) bool {
			return r.StatusCode == 403 && strings.Contains(string(b), "expired")
		}},
		"redirect": {sandbox.Fault{Redirect: "http://example.org/"}, func(r *http.Response, _ []byte, _ error) bool { return r.StatusCode == 302 }},
		"no length": {sandbox.Fault{NoLength: true}, func(r *http.Response, b []byte, err error) bool {
			return r.ContentLength == -1 && len(r.TransferEncoding) == 0 && bytes.Equal(b, right) && err == nil
		}},
		"no length, cut": {sandbox.Fault{NoLength: true, CutAfter: 10}, func(_ *http.Response, b []byte, _ error) bool { return len(b) <= 10 }},
		"endless":        {sandbox.Fault{Endless: true}, func(_ *http.Response, b []byte, err error) bool { return len(b) == 2*size && err == nil }},
		"changed":        {sandbox.Fault{Changed: true}, func(_ *http.Response, b []byte, _ error) bool { return len(b) == size && !bytes.Equal(b, right) }},
		"wrong checksum": {sandbox.Fault{WrongChecksum: true}, func(r *http.Response, b []byte, _ error) bool {
			return r.Header.Get("X-Oss-Hash-Crc64ecma") != strconv.FormatUint(crc64.Checksum(b, crc64.MakeTable(crc64.ECMA)), 10)
		}},
		"no checksum": {sandbox.Fault{NoChecksum: true, NoETag: true}, func(r *http.Response, _ []byte, _ error) bool {
			return r.Header.Get("Etag")+r.Header.Get("X-Oss-Hash-Crc64ecma")+r.Header.Get("Content-Md5") == ""
		}},
		"gzip": {sandbox.Fault{GzipLie: true}, func(r *http.Response, _ []byte, _ error) bool { return r.Header.Get("Content-Encoding") == "gzip" }},
		"slow": {sandbox.Fault{BytesPerSecond: 2_000_000}, func(_ *http.Response, b []byte, _ error) bool { return bytes.Equal(b, right) }},
	} {
		t.Run(name, func(t *testing.T) {
			s.Misbehave(file.ID, tt.fault)
			if resp, body, err := get(t); !tt.right(resp, body, err) {
				t.Errorf("got %v, %d bytes, %v", resp, len(body), err)
			}
			s.Misbehave(file.ID, sandbox.Fault{})
		})
	}
	t.Run("no range", func(t *testing.T) {
		s.Misbehave(file.ID, sandbox.Fault{NoRange: true})
		if resp, _, _ := get(t, "Range", "bytes=0-9"); resp.StatusCode != 200 {
			t.Errorf("HTTP %d", resp.StatusCode)
		}
	})
	t.Run("skips, and passes", func(t *testing.T) {
		s.Misbehave(file.ID, sandbox.Fault{Status: 500, Skip: 1, Times: 2})
		var statuses []int
		for range 4 {
			resp, _, _ := get(t)
			statuses = append(statuses, resp.StatusCode)
		}
		if fmt.Sprint(statuses) != "[200 500 500 200]" {
			t.Errorf("%v", statuses)
		}
	})
	t.Run("one after the other", func(t *testing.T) {
		s.Misbehave(file.ID, sandbox.Fault{Status: 503, Times: 2}, sandbox.Fault{Times: 1}, sandbox.Fault{Expired: true})
		var statuses []int
		for range 5 {
			resp, _, _ := get(t)
			statuses = append(statuses, resp.StatusCode)
		}
		if fmt.Sprint(statuses) != "[503 503 200 403 403]" {
			t.Errorf("%v", statuses)
		}
		s.Misbehave(file.ID)
		if resp, _, _ := get(t); resp.StatusCode != 200 {
			t.Errorf("HTTP %d of a file that was mended", resp.StatusCode)
		}
	})
	t.Run("what has left is counted", func(t *testing.T) {
		before := s.Sent(file.ID)
		s.Misbehave(file.ID, sandbox.Fault{CutAfter: 1000, Times: 1})
		get(t)
		get(t, "Range", "bytes=10-19")
		if n := s.Sent(file.ID) - before; n != 1010 {
			t.Errorf("%d bytes, want 1010", n)
		}
	})
}

func TestControl(t *testing.T) {
	s, _ := start(t)
	status, _, body := ask(t, "POST", s.URL()+"/_sandbox/files", `{"filename":"output_aigc.mp4","purpose":"video_generation","bytes":4294967296}`)
	var made struct {
		ID string `json:"file_id"`
	}
	if err := json.Unmarshal([]byte(body), &made); status != 200 || err != nil {
		t.Fatalf("HTTP %d %s", status, body)
	}
	if !s.Has(minimax.ID(made.ID)) {
		t.Errorf("no such file: %s", body)
	}
	ask(t, "PUT", s.URL()+"/_sandbox/endpoints/retrieve/fault", `{"code":1033,"times":1}`)
	if _, _, body := ask(t, "GET", s.URL()+"/v1/files/retrieve?file_id="+url.QueryEscape(made.ID), ""); !strings.Contains(body, "1033") {
		t.Errorf("the fault does not show: %s", body)
	}
	fault := s.URL() + "/_sandbox/files/" + made.ID + "/fault"
	if status, _, body := ask(t, "PUT", fault, `[{"cut_after":1,"times":1},{"status":503}]`); status != 200 {
		t.Errorf("HTTP %d %s", status, body)
	}
	for _, where := range []string{"files/1", "endpoints/nonsense"} {
		if status, _, _ := ask(t, "PUT", s.URL()+"/_sandbox/"+where+"/fault", `{}`); status != 404 {
			t.Errorf("a fault of %s: HTTP %d", where, status)
		}
	}
	if status, _, _ := ask(t, "PUT", s.URL()+"/_sandbox/files/1/fault", `{"no_such":1}`); status != 400 {
		t.Errorf("an unknown fault: HTTP %d", status)
	}
}

func TestTLS(t *testing.T) {
	s, err := sandbox.Start(sandbox.Config{TLS: true, StorageURL: "https://storage.sandbox.test"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	trusted := x509.NewCertPool()
	if !trusted.AppendCertsFromPEM(s.Certificate()) {
		t.Fatalf("no certificate: %s", s.Certificate())
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}}
	defer transport.CloseIdleConnections()
	c := &minimax.Client{BaseURL: s.URL(), Key: func(context.Context) string { return sandbox.Key }, HTTP: &http.Client{Transport: transport}}
	got, err := c.Retrieve(t.Context(), sandbox.SeedVideo)
	if err != nil || !strings.HasPrefix(got.File.DownloadURL, "https://storage.sandbox.test/inference_output/") {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestStartRefusesANetworkAddress(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0", "192.0.2.1:80", "nonsense"} {
		if s, err := sandbox.Start(sandbox.Config{Addr: addr}); err == nil {
			s.Close()
			t.Errorf("%s was taken", addr)
		}
	}
}
