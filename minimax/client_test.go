package minimax_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"minimax-files-mcp/minimax"
	"minimax-files-mcp/minimax/sandbox"
)

func startSandbox(t *testing.T, cfg sandbox.Config) *sandbox.Server {
	t.Helper()
	s, err := sandbox.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func key(k string) func(context.Context) string {
	return func(context.Context) string { return k }
}

// impatient makes retries quick.
var impatient = minimax.Retry{Initial: time.Millisecond, Max: 2 * time.Second}

func clientOf(s *sandbox.Server) *minimax.Client {
	return &minimax.Client{BaseURL: s.URL(), Key: key(sandbox.Key), Retry: impatient}
}

func listAll(t *testing.T, c *minimax.Client, purpose string) []minimax.File {
	t.Helper()
	var files []minimax.File
	for f, err := range c.List(t.Context(), purpose) {
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}

func TestClient_lifecycle_of_a_file(t *testing.T) {
	s := startSandbox(t, sandbox.Config{Empty: true})
	c := clientOf(s)
	content := "Chapter two."
	up, err := c.Upload(t.Context(), minimax.Upload{
		Purpose: "t2a_async_input", Filename: `chapter "2".txt`, Size: int64(len(content)), Content: strings.NewReader(content),
	})
	if err != nil {
		t.Fatal(err)
	}
	if up.File.Filename != `chapter "2".txt` || up.File.Bytes != int64(len(content)) || up.File.Purpose != "t2a_async_input" {
		t.Errorf("upload answered %+v", up.File)
	}
	for _, r := range s.Requests() {
		if r.Endpoint == "upload" && r.Length <= 0 {
			t.Errorf("the upload came without a Content-Length: %d", r.Length)
		}
	}
	if diff := cmp.Diff([]minimax.File{up.File}, listAll(t, c, "t2a_async_input")); diff != "" {
		t.Errorf("list differs from upload (-upload +list):\n%s", diff)
	}
	got, err := c.Retrieve(t.Context(), up.File.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(up.File, got.File); diff != "" {
		t.Errorf("retrieve differs from upload (-upload +retrieve):\n%s", diff)
	}
	body, err := c.Content(t.Context(), up.File.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Body.Close()
	if read, err := io.ReadAll(body.Body); err != nil || string(read) != content {
		t.Errorf("content is %q, %v", read, err)
	}
	if err := c.Delete(t.Context(), up.File.ID, "t2a_async_input"); err != nil {
		t.Fatal(err)
	}
	if err := c.Delete(t.Context(), up.File.ID, "t2a_async_input"); !errors.Is(err, minimax.ErrNotFound) {
		t.Errorf("a second delete: %v, want ErrNotFound", err)
	}
}

func TestClient_keeps_an_int64_id_exact(t *testing.T) {
	const id = minimax.ID("9223372036854775807")
	s := startSandbox(t, sandbox.Config{Empty: true})
	s.Add(sandbox.NewFile{ID: id, Filename: "a.txt", Purpose: "t2a_async_input", Content: []byte("a")})
	c := clientOf(s)
	got, err := c.Retrieve(t.Context(), id)
	if err != nil || got.File.ID != id {
		t.Fatalf("retrieve: %+v, %v", got, err)
	}
	if files := listAll(t, c, "t2a_async_input"); len(files) != 1 || files[0].ID != id {
		t.Errorf("list: %+v", files)
	}
	if err := c.Delete(t.Context(), id, "t2a_async_input"); err != nil || s.Has(id) {
		t.Errorf("delete: %v; still there: %v", err, s.Has(id))
	}
}

func TestClient_large_content_streams(t *testing.T) {
	s := startSandbox(t, sandbox.Config{Empty: true})
	f := s.Add(sandbox.NewFile{Filename: "voice.mp3", Purpose: "voice_clone", Size: 5 << 20})
	content, err := clientOf(s).Content(t.Context(), f.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer content.Body.Close()
	n, err := io.Copy(io.Discard, content.Body)
	if n != 5<<20 || err != nil || content.Size != 5<<20 {
		t.Errorf("%d bytes of %d, %v", n, content.Size, err)
	}
}

func TestClient_upload_of_some_size_arrives_whole(t *testing.T) {
	s := startSandbox(t, sandbox.Config{Empty: true})
	content := bytes.Repeat([]byte("0123456789abcdef"), 3<<16)
	up, err := clientOf(s).Upload(t.Context(), minimax.Upload{
		Purpose: "voice_clone", Filename: "v.wav", Size: int64(len(content)), Content: bytes.NewReader(content),
	})
	if err != nil {
		t.Fatal(err)
	}
	body, err := clientOf(s).Content(t.Context(), up.File.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Body.Close()
	if got, err := io.ReadAll(body.Body); err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes came back, %v; want the %d sent", len(got), err, len(content))
	}
}

// answering serves one fixed answer to everything.
func answering(t *testing.T, status int, header map[string]string, body string) *minimax.Client {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for name, value := range header {
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)
	return &minimax.Client{BaseURL: s.URL, Key: key("secret-key-1"), Retry: minimax.Retry{Tries: 1}}
}

func TestClient_every_way_of_failing_is_one_error_type(t *testing.T) {
	for name, tt := range map[string]struct {
		status    int
		header    map[string]string
		body      string
		is        error
		retryable bool
		says      []string
	}{
		"base_resp with HTTP 200": {
			200, map[string]string{"Trace-Id": "0123"}, `{"base_resp":{"status_code":2013,"status_msg":"invalid params, file_id not exist"}}`,
			minimax.ErrNotFound, false, []string{"status_code 2013", "file_id not exist", "Trace-Id 0123", "127.0.0.1"},
		},
		"a null file with HTTP 200": {
			200, nil, `{"file":null,"base_resp":{"status_code":2013,"status_msg":"invalid params"}}`, minimax.ErrInvalid, false, []string{"2013"},
		},
		"a key of another region":   {200, nil, `{"base_resp":{"status_code":1004,"status_msg":"cookie is missing, log in again"}}`, minimax.ErrUnauthorized, false, []string{"cookie is missing"}},
		"an invalid key":            {200, nil, `{"base_resp":{"status_code":2049,"status_msg":"invalid api key secret-key-1"}}`, minimax.ErrUnauthorized, false, []string{"invalid API key", "***"}},
		"no balance":                {200, nil, `{"base_resp":{"status_code":1008,"status_msg":"insufficient balance"}}`, minimax.ErrQuota, false, nil},
		"a rate limit":              {200, nil, `{"base_resp":{"status_code":1002,"status_msg":"rate limit"}}`, minimax.ErrRateLimited, true, nil},
		"an unknown code":           {200, nil, `{"base_resp":{"status_code":777777,"status_msg":"new"}}`, nil, false, []string{"777777"}},
		"HTTP 401":                  {401, nil, `{"base_resp":{"status_code":1004,"status_msg":"login fail"}}`, minimax.ErrUnauthorized, false, nil},
		"HTTP 429":                  {429, map[string]string{"Retry-After": "7"}, ``, minimax.ErrRateLimited, true, []string{"429"}},
		"HTML 502":                  {502, map[string]string{"Content-Type": "text/html"}, `<html><body>Bad Gateway</body></html>`, nil, true, []string{"HTTP 502 Bad Gateway", "HTML page"}},
		"HTML 404":                  {404, nil, `<html><head><title>404</title></head></html>`, minimax.ErrNotFound, false, []string{"404"}},
		"HTML with HTTP 200":        {200, nil, `<!DOCTYPE html><html></html>`, nil, false, []string{"HTML page"}},
		"the /v2 form":              {400, nil, `{"type":"error","error":{"type":"x","message":"invalid params (2013)","http_code":"400"}}`, minimax.ErrInvalid, false, []string{"invalid params (2013)"}},
		"another shape":             {200, nil, `{"data":[{"id":1}]}`, nil, false, []string{"can't be used: it lacks"}},
		"an error with HTTP 200":    {200, nil, `{"error":{"message":"no such\nroute \u202e"}}`, nil, false, []string{`"no such\nroute \u202e"`}},
		"an error that is a string": {500, nil, `{"error":"invalid token","base_resp":{"status_code":1002,"status_msg":"slow down"}}`, minimax.ErrRateLimited, true, []string{"1002", "slow down"}},
		"JSON with HTTP 203":        {203, nil, `[]`, nil, false, []string{"instead of a JSON object"}},
		"JSON that does not fit":    {200, nil, `{"file":{"file_id":{}},"files":[{"file_id":{}}]}`, nil, false, []string{"does not fit"}},
		"an empty answer":           {200, nil, ``, nil, false, []string{"empty"}},
		"half an answer":            {200, map[string]string{"Content-Length": "100"}, `{"file":`, nil, true, []string{"broke off"}},
		"a redirect":                {302, map[string]string{"Location": "https://example.org/x?key=1"}, ``, nil, false, []string{"redirect to example.org"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := answering(t, tt.status, tt.header, tt.body)
			for op, call := range map[string]func() error{
				"retrieve": func() error { _, err := c.Retrieve(t.Context(), "1"); return err },
				"list": func() error {
					for _, err := range c.List(t.Context(), "voice_clone") {
						return err
					}
					return nil
				},
				"delete": func() error { return c.Delete(t.Context(), "1", "voice_clone") },
			} {
				if op == "delete" && (name == "another shape" || name == "JSON that does not fit") {
					continue // it needs nothing but success
				}
				err := call()
				var apiErr *minimax.Error
				if !errors.As(err, &apiErr) {
					t.Fatalf("%s: %v (%T), want a *minimax.Error", op, err, err)
				}
				if tt.is != nil && !errors.Is(err, tt.is) {
					t.Errorf("%s: %v is not %v", op, err, tt.is)
				}
				if apiErr.Retryable() != tt.retryable {
					t.Errorf("%s: %v: retryable is %v", op, err, apiErr.Retryable())
				}
				for _, want := range append(tt.says, op) {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("%s: %q does not say %q", op, err, want)
					}
				}
				for _, never := range []string{"secret-key-1", "key=1", "file_id="} {
					if strings.Contains(err.Error(), never) {
						t.Errorf("%s: %q gives away %q", op, err, never)
					}
				}
			}
		})
	}
}

func TestClient_without_a_key_asks_nobody(t *testing.T) {
	s := startSandbox(t, sandbox.Config{})
	c := &minimax.Client{BaseURL: s.URL()}
	if _, err := c.Retrieve(t.Context(), "1"); !errors.Is(err, minimax.ErrNoKey) {
		t.Errorf("%v, want ErrNoKey", err)
	}
	if n := len(s.Requests()); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

func TestClient_retries(t *testing.T) {
	for name, fault := range map[string]sandbox.Fault{
		"an internal error":    {Code: 1013, Message: "internal error"},
		"a downstream error":   {Code: 1033},
		"a rate limit":         {Code: 1002},
		"HTTP 503":             {Status: 503},
		"HTML 502":             {Status: 502, Body: "<html></html>"},
		"a cut connection":     {Reset: true},
		"a rate limit by HTTP": {Status: 429, RetryAfter: "1"},
	} {
		t.Run(name, func(t *testing.T) {
			s := startSandbox(t, sandbox.Config{})
			c := clientOf(s)
			for endpoint, call := range map[string]func() error{
				"retrieve": func() error { _, err := c.Retrieve(t.Context(), sandbox.SeedVideo); return err },
				"list":     func() error { listAll(t, c, "voice_clone"); return nil },
				"content": func() error {
					content, err := c.Content(t.Context(), sandbox.SeedVoice)
					if err == nil {
						err = content.Body.Close()
					}
					return err
				},
			} {
				fault.Times = 1
				s.MisbehaveAt(endpoint, fault)
				if err := call(); err != nil {
					t.Errorf("%s: %v", endpoint, err)
				}
				if n := s.Count(endpoint); n != 2 {
					t.Errorf("%s was asked %d times, want 2", endpoint, n)
				}
			}
		})
	}
	t.Run("honours Retry-After", func(t *testing.T) {
		s := startSandbox(t, sandbox.Config{})
		s.MisbehaveAt("retrieve", sandbox.Fault{Code: 1002, RetryAfter: "1", Times: 1})
		started := time.Now()
		if _, err := clientOf(s).Retrieve(t.Context(), sandbox.SeedVideo); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(started); took < time.Second {
			t.Errorf("it waited %v, and was asked to wait 1 s", took)
		}
	})
	t.Run("gives a Retry-After that is too long to the caller", func(t *testing.T) {
		s := startSandbox(t, sandbox.Config{})
		s.MisbehaveAt("retrieve", sandbox.Fault{Code: 1002, RetryAfter: "3600"})
		_, err := clientOf(s).Retrieve(t.Context(), sandbox.SeedVideo)
		var apiErr *minimax.Error
		if !errors.As(err, &apiErr) || apiErr.RetryAfter != time.Hour || s.Count("retrieve") != 1 {
			t.Errorf("%v after %d requests", err, s.Count("retrieve"))
		}
	})
	t.Run("gives up in the end", func(t *testing.T) {
		s := startSandbox(t, sandbox.Config{})
		s.MisbehaveAt("retrieve", sandbox.Fault{Status: 500})
		if _, err := clientOf(s).Retrieve(t.Context(), sandbox.SeedVideo); err == nil || s.Count("retrieve") != 4 {
			t.Errorf("%v after %d requests, want an error after 4", err, s.Count("retrieve"))
		}
	})
	t.Run("stops when the caller does", func(t *testing.T) {
		s := startSandbox(t, sandbox.Config{})
		s.MisbehaveAt("retrieve", sandbox.Fault{Status: 500})
		ctx, cancel := context.WithCancel(t.Context())
		c := clientOf(s)
		c.Retry = minimax.Retry{Initial: 10 * time.Second}
		started := time.Now()
		time.AfterFunc(50*time.Millisecond, cancel)
		_, err := c.Retrieve(ctx, sandbox.SeedVideo)
		if took := time.Since(started); !errors.Is(err, context.Canceled) || took > 4*time.Second || s.Count("retrieve") != 1 {
			t.Errorf("%v after %v and %d requests", err, took, s.Count("retrieve"))
		}
	})
	t.Run("never what is not safe to repeat", func(t *testing.T) {
		s := startSandbox(t, sandbox.Config{})
		s.MisbehaveAt("upload", sandbox.Fault{Status: 503})
		s.MisbehaveAt("delete", sandbox.Fault{Code: 1013})
		c := clientOf(s)
		if _, err := c.Upload(t.Context(), minimax.Upload{Purpose: "voice_clone", Filename: "v.mp3", Size: 1, Content: strings.NewReader("v")}); err == nil {
			t.Error("the upload did not fail")
		}
		if err := c.Delete(t.Context(), sandbox.SeedVoice, "voice_clone"); err == nil {
			t.Error("the delete did not fail")
		}
		if s.Count("upload") != 1 || s.Count("delete") != 1 {
			t.Errorf("upload was sent %d times, delete %d times", s.Count("upload"), s.Count("delete"))
		}
	})
}

func TestClient_List_yields_the_error_after_the_files(t *testing.T) {
	c := answering(t, 200, nil, `{"files":[{"file_id":1,"filename":"a"}],"base_resp":{"status_code":1013,"status_msg":"late"}}`)
	c.Retry = impatient
	files, last := 0, error(nil)
	for _, err := range c.List(t.Context(), "voice_clone") {
		if err != nil {
			last = err
			continue
		}
		files++
	}
	if files != 1 || last == nil {
		t.Errorf("%d files and error %v; want 1 file, once, and then the error", files, last)
	}
}

func TestClient_List_reads_what_a_gateway_sends(t *testing.T) {
	c := answering(t, 201, nil, "\n\t {\"files\":[{\"file_id\":\"a\"}]}")
	if files := listAll(t, c, "voice_clone"); len(files) != 1 || files[0].ID != "a" {
		t.Errorf("%+v", files)
	}
	if files := listAll(t, answering(t, 200, nil, `{"files":null,"base_resp":{"status_code":0}}`), "voice_clone"); len(files) != 0 {
		t.Errorf("%+v", files)
	}
}

func TestClient_Content_of_a_wrong_kind_is_an_error(t *testing.T) {
	for _, status := range []int{203, 206, 404, 500} {
		content, err := answering(t, status, nil, `{"a":1}`).Content(t.Context(), "1")
		if err == nil {
			t.Errorf("HTTP %d: %+v, and no error", status, content)
		}
	}
}

func TestClient_repeats_no_URL_of_an_answer(t *testing.T) {
	c := answering(t, 302, map[string]string{"Location": "https://example.org/%zz?Signature=secret"}, "")
	for _, call := range []func() error{
		func() error { _, err := c.Retrieve(t.Context(), "1"); return err },
		func() error { _, err := c.Content(t.Context(), "1"); return err },
	} {
		if err := call(); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%v", err)
		}
	}
}

func TestClient_resellers(t *testing.T) {
	seen := make(chan *url.URL, 10)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen <- r.URL
		io.WriteString(w, `{"file":{"file_id":"L8ONzGzOpqzD","filename":"x.mp4"}}`) // a string, and no base_resp
	}))
	defer s.Close()
	c := &minimax.Client{BaseURL: s.URL + "/minimax/v1/", Key: key("k"), GroupID: func(context.Context) string { return "42" }, Query: url.Values{"channel_id": {"7"}}}
	got, err := c.Retrieve(t.Context(), "L8ONzGzOpqzD")
	if err != nil || got.File.ID != "L8ONzGzOpqzD" || got.BaseResp != nil {
		t.Fatalf("%+v, %v", got, err)
	}
	if u := <-seen; u.Path != "/minimax/v1/files/retrieve" || u.RawQuery != "GroupId=42&channel_id=7&file_id=L8ONzGzOpqzD" {
		t.Errorf("asked for %s", u)
	}
}

func TestClient_adds_the_model_parameter_for_CometAPI(t *testing.T) {
	var seen *url.URL
	c := &minimax.Client{
		BaseURL: "https://api.cometapi.com", Key: key("k"),
		HTTP: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			seen = r.URL
			return &http.Response{StatusCode: 200, Request: r, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(`{"file":{"file_id":1}}`))}, nil
		})},
	}
	if _, err := c.Retrieve(t.Context(), "1"); err != nil {
		t.Fatal(err)
	}
	if got := seen.RawQuery; got != "file_id=1&model=minimax-files-retrieve" {
		t.Errorf("query is %s", got)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestClient_Content(t *testing.T) {
	s := startSandbox(t, sandbox.Config{})
	c := clientOf(s)
	t.Run("of a generated video is refused", func(t *testing.T) {
		if _, err := c.Content(t.Context(), sandbox.SeedVideo); !errors.Is(err, minimax.ErrInvalid) {
			t.Errorf("%v, want ErrInvalid", err)
		}
	})
	t.Run("reports a redirect and sends nothing there", func(t *testing.T) {
		s.Misbehave(sandbox.SeedVoice, sandbox.Fault{Redirect: "https://example.org/file.mp3", Times: 1})
		content, err := c.Content(t.Context(), sandbox.SeedVoice)
		if err != nil || content.Location != "https://example.org/file.mp3" {
			t.Errorf("%+v, %v", content, err)
		}
	})
	t.Run("lets a JSON file be one", func(t *testing.T) {
		f := s.Add(sandbox.NewFile{Filename: "a.txt", Purpose: "t2a_async_input", Content: []byte(`{"title":"x"}`)})
		content, err := c.Content(t.Context(), f.ID)
		if err != nil {
			t.Fatal(err)
		}
		content.Body.Close()
	})
}

func TestFile_URLExpires(t *testing.T) {
	at := time.Date(2026, 9, 23, 10, 0, 0, 0, time.UTC)
	for raw, want := range map[string]time.Time{
		fmt.Sprintf("https://x/y?Expires=%d&Signature=z", at.Unix()):     at,
		"https://x/y?X-Amz-Date=20260923T090000Z&X-Amz-Expires=3600":     at,
		"https://x/y?x-oss-date=20260923T090000Z&x-oss-expires=3600&a=b": at,
		"https://x/y": {}, "": {}, "https://x/y?Expires=soon": {}, "%zz": {},
	} {
		got, ok := (&minimax.File{DownloadURL: raw}).URLExpires()
		if !got.Equal(want) || ok == want.IsZero() {
			t.Errorf("%q expires %v, %v; want %v", raw, got, ok, want)
		}
	}
}

// TestClient_quotes_no_redirect: what can't be read may hold a signature.
func TestClient_quotes_no_redirect(t *testing.T) {
	s := startSandbox(t, sandbox.Config{})
	c := clientOf(s)
	for _, to := range []string{"/o%zz?Signature=secret", "https://example.org/%zz?Signature=secret", "https://example.org/x?Signature=secret"} {
		s.MisbehaveAt("retrieve", sandbox.Fault{Redirect: to})
		if _, err := c.Retrieve(t.Context(), sandbox.SeedVideo); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", to, err)
		}
	}
}
