package tools_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/mcp"

	"minimax-files-mcp/minimax"
	"minimax-files-mcp/minimax/sandbox"
)

type uploaded struct {
	File struct {
		FileID   string `json:"file_id"`
		Bytes    int64  `json:"bytes"`
		Filename string `json:"filename"`
		Purpose  string `json:"purpose"`
	} `json:"file"`
	SHA256 string `json:"sha256"`
	URI    string `json:"uri"`
}

// local puts a file where uploads come from.
func (b *bench) local(t *testing.T, name, content string) {
	t.Helper()
	path := b.dir.Join(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestUploadFile(t *testing.T) {
	eachWay(t, func(t *testing.T, connect func(*bench) *client.Client) {
		b := newBench(t, sandbox.Config{Empty: true})
		c := connect(b)
		b.local(t, "voices/me.mp3", "la la la")
		sum := fmt.Sprintf("%x", sha256.Sum256([]byte("la la la")))
		got := into[uploaded](t, c, "upload_file", `{"path":"voices/me.mp3","purpose":"voice_clone"}`)
		if got.File.Filename != "me.mp3" || got.File.Bytes != 8 || got.File.Purpose != "voice_clone" || got.SHA256 != sum || got.URI != "" ||
			b.sandbox.SHA256(minimax.ID(got.File.FileID)) != sum {
			t.Errorf("%+v", got)
		}
		got = into[uploaded](t, c, "upload_file", fmt.Sprintf(`{"path":%q,"purpose":"voice_clone","filename":"you.wav"}`, b.dir.Join("voices/me.mp3")))
		if got.File.Filename != "you.wav" {
			t.Errorf("%+v", got)
		}
		b.local(t, "frame.png", "pixels")
		got = into[uploaded](t, c, "upload_file", `{"path":"frame.png","purpose":"video_generation_input"}`)
		if got.URI != "mm_file://"+got.File.FileID {
			t.Errorf("%+v", got)
		}
		for _, req := range b.sandbox.Requests() {
			if req.Length <= 0 {
				t.Errorf("an upload without a length: %+v", req)
			}
		}
	})
}

func TestUploadFile_refuses_before_a_byte_travels(t *testing.T) {
	b := newBench(t, sandbox.Config{Empty: true})
	c := connect(t, b)
	b.local(t, "me.flac", "la")
	b.local(t, "empty.mp3", "")
	b.local(t, "big.mp3", strings.Repeat("x", 20<<20+1))
	b.local(t, ".env", "SECRET=1")
	outside := filepath.Join(t.TempDir(), "secret.mp3")
	if err := os.WriteFile(outside, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, b.dir.Join("link.mp3")); err != nil {
		t.Skip(err)
	}
	for _, tt := range []struct {
		arguments string
		says      []string
	}{
		{`{}`, []string{"path is missing", `"path": "voice.mp3"`}},
		{`{"path":"me.flac"}`, []string{"purpose is missing", "voice_clone"}},
		{`{"path":"me.flac","purpose":"voice_clone"}`, []string{"takes mp3, m4a or wav up to 20 MB; this is a 2 byte flac file", "unchecked"}},
		{`{"path":"big.mp3","purpose":"voice_clone"}`, []string{"up to 20 MB"}},
		{`{"path":"empty.mp3","purpose":"voice_clone"}`, []string{"empty"}},
		{`{"path":"me.flac","purpose":"retrieval"}`, []string{`"retrieval" is not documented`, "unchecked"}},
		{`{"path":"none.mp3","purpose":"voice_clone"}`, []string{"no such file", b.dir.Path()}},
		{`{"path":"","purpose":"voice_clone"}`, []string{"path"}},
		{`{"path":".","purpose":"voice_clone"}`, []string{"it is not a file", "Nothing was sent"}},
		{`{"path":".env","purpose":"voice_clone"}`, []string{"hidden", `"env"`}},
		{`{"path":"../secret.mp3","purpose":"voice_clone"}`, []string{"leads out", "MINIMAX_MCP_UPLOAD_PATH"}},
		{fmt.Sprintf(`{"path":%q,"purpose":"voice_clone"}`, outside), []string{"leads out"}},
		{`{"path":"link.mp3","purpose":"voice_clone"}`, []string{"leads out"}},
	} {
		got := failing(t, c, "upload_file", tt.arguments)
		for _, want := range tt.says {
			if !strings.Contains(got, want) {
				t.Errorf("%s: %q lacks %q", tt.arguments, got, want)
			}
		}
	}
	if n := len(b.sandbox.Requests()); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

func TestUploadFile_unchecked(t *testing.T) {
	b := newBench(t, sandbox.Config{Empty: true})
	c := connect(t, b)
	b.local(t, "me.flac", "la")
	got := failing(t, c, "upload_file", `{"path":"me.flac","purpose":"retrieval","unchecked":true}`)
	for _, want := range []string{"2013", "Nothing was stored"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q lacks %q", got, want)
		}
	}
	if n := b.sandbox.Count("upload"); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestUploadFile_is_never_sent_twice(t *testing.T) {
	for name, tt := range map[string]struct {
		purpose, file string
		fault         sandbox.Fault
		says          []string
	}{
		"an answer that never comes":     {"voice_clone", "me.mp3", sandbox.Fault{Reset: true}, []string{"may have arrived", `list_files with purpose "voice_clone" and name_contains "me.mp3"`}},
		"a gateway's failure":            {"voice_clone", "me.mp3", sandbox.Fault{Status: 502, Body: "<html>Bad Gateway</html>"}, []string{"HTTP 502", "may have arrived"}},
		"an error of the server":         {"voice_clone", "me.mp3", sandbox.Fault{Code: 1013}, []string{"1013", "may have arrived"}},
		"a purpose that can't be listed": {"video_understanding", "clip.mp4", sandbox.Fault{Reset: true}, []string{"may have arrived", "can't be listed"}},
		"a refusal":                      {"voice_clone", "me.mp3", sandbox.Fault{Code: 1026}, []string{"1026", "Nothing was stored"}},
		"too large for the gateway":      {"voice_clone", "me.mp3", sandbox.Fault{Status: 413, Body: "<html>too large</html>"}, []string{"HTTP 413", "Nothing was stored"}},
		"a wrong key":                    {"voice_clone", "me.mp3", sandbox.Fault{Code: 2049}, []string{"2049", "Nothing was stored", "MINIMAX_API_KEY"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, sandbox.Config{Empty: true})
			b.local(t, tt.file, strings.Repeat("la", 100_000))
			b.sandbox.MisbehaveAt("upload", tt.fault)
			got := failing(t, connect(t, b), "upload_file", fmt.Sprintf(`{"path":%q,"purpose":%q}`, tt.file, tt.purpose))
			for _, want := range tt.says {
				if !strings.Contains(got, want) {
					t.Errorf("%q lacks %q", got, want)
				}
			}
			if n := b.sandbox.Count("upload"); n != 1 {
				t.Errorf("it was sent %d times", n)
			}
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		b := newBench(t, sandbox.Config{Empty: true})
		b.local(t, "me.mp3", "la")
		b.sandbox.Close()
		if got := failing(t, connect(t, b), "upload_file", `{"path":"me.mp3","purpose":"voice_clone"}`); !strings.Contains(got, "Nothing was sent") {
			t.Errorf("%q", got)
		}
	})
}

func TestUploadFile_reports_progress(t *testing.T) {
	b := newBench(t, sandbox.Config{Empty: true})
	const size = 4 << 20
	b.local(t, "clip.mp4", strings.Repeat("x", size))
	c := connect(t, b)
	last := make(chan float64, 1000)
	c.OnNotification(func(n mcp.JSONRPCNotification) {
		if n.Params.AdditionalFields["total"] == float64(size) {
			last <- n.Params.AdditionalFields["progress"].(float64)
		}
	})
	req := mcp.CallToolRequest{}
	req.Params.Name, req.Params.Arguments = "upload_file", map[string]any{"path": "clip.mp4", "purpose": "video_understanding"}
	req.Params.Meta = &mcp.Meta{ProgressToken: "p"}
	if got, err := c.CallTool(t.Context(), req); err != nil || got.IsError {
		t.Fatal(text(got), err)
	}
	for done := range last {
		if done == size {
			break
		}
	}
}

func TestReadOnly_has_no_tool_that_changes_the_account(t *testing.T) {
	b := newBench(t, sandbox.Config{})
	b.deps.ReadOnly = true
	list, err := connect(t, b).ListTools(t.Context(), mcp.ListToolsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tool := range list.Tools {
		if tool.Name == "upload_file" || tool.Name == "delete_file" {
			t.Errorf("there is %s", tool.Name)
		}
	}
}
