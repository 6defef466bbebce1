package tools_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/mcp"

	"minimax-files-mcp/internal/storage"
	"minimax-files-mcp/minimax"
	"minimax-files-mcp/minimax/sandbox"
)

type downloaded struct {
	Status         string   `json:"status"`
	FileID         string   `json:"file_id"`
	TaskID         string   `json:"task_id"`
	Path           string   `json:"path"`
	URI            string   `json:"uri"`
	Bytes          int64    `json:"bytes"`
	SHA256         string   `json:"sha256"`
	MIMEType       string   `json:"mime_type"`
	VerifiedBy     []string `json:"verified_by"`
	AlreadyPresent bool     `json:"already_present"`
	ExpiresAt      string   `json:"expires_at"`
	Next           string   `json:"next"`
	Entries        []struct {
		Path     string `json:"path"`
		Bytes    int64  `json:"bytes"`
		MIMEType string `json:"mime_type"`
	} `json:"entries"`
}

// saved lists the files below the download directory, hidden ones too.
func (b *bench) saved(t *testing.T) (names []string) {
	t.Helper()
	err := filepath.WalkDir(b.dir.Path(), func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			rel, _ := filepath.Rel(b.dir.Path(), path)
			names = append(names, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // a temporary file may go meanwhile
		t.Error(err)
	}
	return names
}

func TestDownloadFile(t *testing.T) {
	eachWay(t, func(t *testing.T, connect func(*bench) *client.Client) {
		for id, want := range map[string]struct{ name, mime string }{
			sandbox.SeedVideo:  {"output_aigc-176844028768320.mp4", "video/mp4"}, // from its URL
			sandbox.SeedVoice:  {"narrator-335560631603474.mp3", "audio/mpeg"},   // through the API
			sandbox.SeedSpeech: {"297990555456011.tar", "application/x-tar"},     // its name has the id
			sandbox.SeedText:   {"chapter-1-297990555455900.txt", "text/plain"},
		} {
			b := newBench(t, sandbox.Config{})
			c := connect(b)
			result := call(t, c, "download_file", `{"file_id":"`+id+`","unpack":false}`)
			var got downloaded
			if err := json.Unmarshal(result.RawStructuredContent, &got); err != nil {
				t.Fatal(err)
			}
			content, err := os.ReadFile(got.Path)
			if err != nil {
				t.Fatal(err)
			}
			sum := fmt.Sprintf("%x", sha256.Sum256(content))
			if got.Status != "done" || got.FileID != id || got.Path != b.dir.Join(want.name) || got.MIMEType != want.mime ||
				got.SHA256 != sum || sum != b.sandbox.SHA256(minimax.ID(id)) || got.Bytes != int64(len(content)) || got.AlreadyPresent || len(got.VerifiedBy) == 0 {
				t.Errorf("%+v, want %+v", got, want)
			}
			if uris := links(result); len(uris) != 1 || uris[0] != got.URI || !strings.HasPrefix(got.URI, "file:///") {
				t.Errorf("links %v, uri %s", uris, got.URI)
			}
			if n := b.sandbox.Count("retrieve"); n != 1 {
				t.Errorf("%d retrieve calls, want 1", n)
			}
			again := into[downloaded](t, c, "download_file", `{"file_id":"`+id+`","unpack":false}`)
			if !again.AlreadyPresent || again.Path != got.Path || again.SHA256 != sum {
				t.Errorf("again: %+v", again)
			}
			if names := b.saved(t); len(names) != 1 {
				t.Errorf("saved %v", names)
			}
		}
	})
}

func TestDownloadFile_sends_no_key_to_the_download_host(t *testing.T) {
	b := newBench(t, sandbox.Config{})
	into[downloaded](t, connect(t, b), "download_file", `{"file_id":"176844028768320"}`)
	for _, r := range b.sandbox.Requests() {
		if r.Endpoint == "storage" && (r.Header.Get("Authorization") != "" || r.Header.Get("Referer") != "" || r.Header.Get("Cookie") != "") {
			t.Errorf("%v", r.Header)
		}
	}
}

func TestDownloadFile_path(t *testing.T) {
	b := newBench(t, sandbox.Config{})
	c := connect(t, b)
	download := func(path string) string {
		arguments, _ := json.Marshal(map[string]string{"file_id": sandbox.SeedVideo, "path": path})
		return string(arguments)
	}
	for path, want := range map[string]string{
		"take-1.mp4":               "take-1.mp4",
		"trailers/2026/take-2.mp4": "trailers/2026/take-2.mp4",
		"trailers/":                "trailers/output_aigc-176844028768320.mp4",
		b.dir.Join("absolute.mp4"): "absolute.mp4",
		"名前 (1).mp4":               "名前 (1).mp4",
		"":                         "output_aigc-176844028768320.mp4",
	} {
		if got := into[downloaded](t, c, "download_file", download(path)); got.Path != b.dir.Join(want) {
			t.Errorf("%q: %s, want %s", path, got.Path, b.dir.Join(want))
		}
	}
	before := len(b.saved(t))
	if err := os.WriteFile(b.dir.Join("mine.mp4"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	outside := t.TempDir()
	if runtime.GOOS != "windows" {
		if err := os.Symlink(outside, b.dir.Join("link")); err != nil {
			t.Fatal(err)
		}
	}
	for path, says := range map[string]string{
		"../escape.mp4":          "relative",
		"/etc/passwd":            "relative",
		"a/../../../etc/passwd":  "relative",
		b.dir.Path() + "x/y":     "relative",
		"link/escape.mp4":        "links out of it are not followed",
		"CON":                    `"_CON"`,
		"a\x00b":                 `"ab"`,
		"a\u202eb.mp4":           `"ab.mp4"`,
		strings.Repeat("x", 600): "600 bytes long",
		"mine.mp4":               "nothing is ever replaced",
		"mine.mp4/x.mp4":         "mine.mp4",
	} {
		if runtime.GOOS == "windows" && strings.HasPrefix(path, "link") {
			continue
		}
		if got := failing(t, c, "download_file", download(path)); !strings.Contains(got, says) {
			t.Errorf("%.40q: %q lacks %q", path, got, says)
		}
	}
	if got, _ := os.ReadFile(b.dir.Join("mine.mp4")); string(got) != "mine" {
		t.Errorf("mine.mp4 is now %q", got)
	}
	if left, _ := os.ReadDir(outside); len(left) != 0 {
		t.Errorf("outside there is now %v", left)
	}
	if after := len(b.saved(t)); after != before+1+b2i(runtime.GOOS != "windows") {
		t.Errorf("left behind: %v", b.saved(t))
	}
}

func TestDownloadFile_names_from_the_API_are_not_trusted(t *testing.T) {
	for name, want := range map[string]string{
		"../../etc/passwd":                "passwd-7",
		"CON":                             "_CON-7",
		"con.mp4":                         "_con-7.mp4",
		strings.Repeat("y", 600) + ".mp4": strings.Repeat("y", 194) + "-7.mp4",
		"a\u202e4pm.exe":                  "a4pm-7.exe",
		"":                                "file-7",
		"\x00":                            "file-7",
		".hidden":                         "hidden-7",
	} {
		t.Run(want, func(t *testing.T) {
			b := newBench(t, sandbox.Config{Empty: true})
			b.sandbox.Add(sandbox.NewFile{ID: "7", Filename: name, Purpose: "t2a_async", Content: []byte("\x00x")})
			got := into[downloaded](t, connect(t, b), "download_file", `{"file_id":"7"}`)
			base := filepath.Base(got.Path)
			if filepath.Dir(got.Path) != b.dir.Path() || len(base) > 255 || base != want {
				t.Errorf("%q is saved as %q, want %q", name, got.Path, want)
			}
		})
	}
}

func TestDownloadFile_ends_in_the_file_or_in_nothing(t *testing.T) {
	for name, tt := range map[string]struct {
		fault sandbox.Fault
		says  []string
	}{
		"a body that always breaks off":   {sandbox.Fault{CutAfter: 1, NoRange: true}, []string{"broke off", "of 44 kB", "call again"}},
		"error JSON in place of the file": {sandbox.Fault{Code: 1033, Message: "downstream"}, []string{"an error in place of the file", "1033"}},
		"OSS XML":                         {sandbox.Fault{Expired: true}, []string{"HTTP 403", "Request has expired", "call again"}},
		"OSS XML with HTTP 200":           {sandbox.Fault{Status: 200, Body: "<?xml version='1.0'?><Error><Code>NoSuchKey</Code><Message>gone</Message></Error>"}, []string{"NoSuchKey"}},
		"HTML 502":                        {sandbox.Fault{Status: 502, Body: "<html></html>"}, []string{"502"}},
		"a wrong checksum":                {sandbox.Fault{WrongChecksum: true}, []string{"CRC-64", "damaged"}},
		"a file that is gone":             {sandbox.Fault{Status: 404}, []string{"404", "limited time"}},
		"a redirect inside":               {sandbox.Fault{Redirect: "https://169.254.169.254/"}, []string{"not allowed", "gateway"}},
		"an empty body":                   {sandbox.Fault{Status: 200}, []string{"nothing at all"}},
		"any JSON":                        {sandbox.Fault{Status: 200, Body: `{"error":1}`}, []string{"JSON", "error"}},
		"a body without end":              {sandbox.Fault{Endless: true}, []string{"too large", "MINIMAX_MAX_DOWNLOAD_BYTES"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, sandbox.Config{})
			b.deps.MaxBytes = 1 << 20
			b.sandbox.Misbehave(sandbox.SeedVideo, tt.fault)
			got := failing(t, connect(t, b), "download_file", `{"file_id":"176844028768320"}`)
			for _, want := range append(tt.says, "download file 176844028768320") {
				if !strings.Contains(got, want) {
					t.Errorf("%q lacks %q", got, want)
				}
			}
			if names := b.saved(t); len(names) != 0 {
				t.Errorf("left behind: %v", names)
			}
			checkSecrets(t, b.log.String())
		})
	}
}

func TestDownloadFile_where_nothing_can_be_written(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b := newBench(t, sandbox.Config{})
	dir, err := storage.NewDir(filepath.Join(file, "downloads"))
	if err != nil {
		t.Fatal(err)
	}
	b.deps.Dir = dir
	if got := failing(t, connect(t, b), "download_file", `{"file_id":"176844028768320"}`); !strings.Contains(got, dir.Path()) {
		t.Errorf("%q does not name the directory", got)
	}
}

func TestDownloadFile_link(t *testing.T) {
	b := newBench(t, sandbox.Config{})
	b.deps.LinkOnly = true
	c := connect(t, b)
	got := into[downloaded](t, c, "download_file", `{"file_id":"176844028768320"}`)
	if got.Status != "link" || !strings.HasPrefix(got.URI, b.sandbox.StorageURL()) || got.Path != "" || got.ExpiresAt == "" || got.MIMEType != "video/mp4" {
		t.Errorf("%+v", got)
	}
	if text := failing(t, c, "download_file", `{"file_id":"`+sandbox.SeedVoice+`"}`); !strings.Contains(text, "MINIMAX_API_RESOURCE_MODE=local") {
		t.Error(text)
	}
	if names := b.saved(t); len(names) != 0 {
		t.Errorf("saved %v", names)
	}
}

func TestDownloadFile_that_stalls_ends(t *testing.T) {
	b := newBench(t, sandbox.Config{})
	b.deps.IdleTimeout = 100 * time.Millisecond
	c := connect(t, b)
	for _, id := range []minimax.ID{sandbox.SeedVideo, sandbox.SeedVoice} { // from its URL, through the API
		for _, fault := range []sandbox.Fault{{StallAfter: 1, NoRange: true}, {StallAfter: 10_000, NoRange: true}, {Status: 503, Body: "x", StallAfter: 1}} {
			b.sandbox.Misbehave(id, fault)
			failing(t, c, "download_file", `{"file_id":"`+string(id)+`"}`)
			if names := b.saved(t); len(names) != 0 {
				t.Errorf("left behind: %v", names)
			}
		}
	}
}

func TestLinks_can_be_followed(t *testing.T) {
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"file":{"file_id":1,"filename":"a.mp4","download_url":"www.downloadurl.com/a?x=1&y=2"}}`)
	}))
	defer gateway.Close()
	b := newBench(t, sandbox.Config{})
	b.api.BaseURL = gateway.URL
	b.deps.LinkOnly = true
	c := connect(t, b)
	for tool, want := range map[string]string{"retrieve_file": "https://www.downloadurl.com/a?x=1&y=2", "download_file": "https://www.downloadurl.com/a?x=1&y=2"} {
		if uris := links(call(t, c, tool, `{"file_id":"1"}`)); len(uris) != 1 || uris[0] != want {
			t.Errorf("%s links to %v", tool, uris)
		}
	}
}

func TestDownloadFile_progress(t *testing.T) {
	for _, era := range eras { // over stdio: mcp-go's in-process client hears no notifications
		t.Run(era, func(t *testing.T) {
			b := newBench(t, sandbox.Config{Empty: true})
			f := b.sandbox.Add(sandbox.NewFile{Filename: "output_aigc.mp4", Purpose: "video_generation", Size: 3 << 20})
			b.sandbox.Misbehave(f.ID, sandbox.Fault{BytesPerSecond: 3 << 20})
			c := connectStdio(t, b, era)
			var mu sync.Mutex
			var seen []float64
			var words string
			c.OnNotification(func(n mcp.JSONRPCNotification) {
				mu.Lock()
				defer mu.Unlock()
				if done, ok := n.Params.AdditionalFields["progress"].(float64); ok && n.Params.AdditionalFields["progressToken"] == "tok" {
					seen = append(seen, done)
					words, _ = n.Params.AdditionalFields["message"].(string)
				}
			})
			req := mcp.CallToolRequest{}
			req.Params.Name = "download_file"
			req.Params.Arguments = map[string]any{"file_id": string(f.ID)}
			req.Params.Meta = &mcp.Meta{ProgressToken: "tok"}
			if result, err := c.CallTool(t.Context(), req); err != nil || result.IsError {
				t.Fatalf("%v %v", result, err)
			}
			mu.Lock()
			defer mu.Unlock()
			if len(seen) < 2 || len(seen) > 10 {
				t.Errorf("%d notifications in a second: %v", len(seen), seen)
			}
			for i := range len(seen) - 1 {
				if seen[i+1] <= seen[i] {
					t.Errorf("not rising: %v", seen)
				}
			}
			if !strings.Contains(words, "of 3.1 MB") || !strings.Contains(words, "/s") {
				t.Errorf("in words: %q", words)
			}
		})
	}
}

func TestDownloadFile_cancelled_stops_and_leaves_nothing(t *testing.T) {
	for name, connect := range map[string]func(*testing.T, *bench, string) *client.Client{"in process": connectInProcess, "stdio": connectStdio} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, sandbox.Config{Empty: true})
			f := b.sandbox.Add(sandbox.NewFile{Filename: "output_aigc.mp4", Purpose: "video_generation", Size: 1 << 30})
			b.sandbox.Misbehave(f.ID, sandbox.Fault{BytesPerSecond: 1 << 20, NoETag: true, NoChecksum: true})
			c := connect(t, b, mcp.LATEST_LEGACY_PROTOCOL_VERSION)
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				defer cancel()
				for len(b.saved(t)) == 0 && ctx.Err() == nil {
					time.Sleep(10 * time.Millisecond)
				}
			}()
			req := mcp.CallToolRequest{}
			req.Params.Name = "download_file"
			req.Params.Arguments = map[string]any{"file_id": string(f.ID)}
			if result, err := c.CallTool(ctx, req); err == nil && !result.IsError || ctx.Err() == nil {
				t.Fatal("a cancelled call succeeded")
			}
			// The client does not wait for the server.
			for deadline := time.Now().Add(10 * time.Second); len(b.saved(t)) > 0; time.Sleep(10 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("left behind: %v", b.saved(t))
				}
			}
		})
	}
}

func TestDownloadFile_of_one_file_by_many_at_once(t *testing.T) {
	b := newBench(t, sandbox.Config{})
	c := connect(t, b)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			req := mcp.CallToolRequest{}
			req.Params.Name = "download_file"
			req.Params.Arguments = map[string]any{"file_id": sandbox.SeedVideo}
			if result, err := c.CallTool(t.Context(), req); err != nil || result.IsError {
				t.Errorf("%v %v", result, err)
			}
		})
	}
	wg.Wait()
	if names := b.saved(t); len(names) != 1 {
		t.Errorf("saved %v", names)
	}
}
