package tools_test

import (
	"context"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"minimax-files-mcp/minimax"
	"minimax-files-mcp/minimax/sandbox"
)

// sound is enough of an MP3 for the sandbox.
var sound = []byte("ID3\x04\x00 an MP3, as far as anybody looks")

func TestUploadFile_from_its_content(t *testing.T) {
	b := newBench(t, sandbox.Config{})
	b.deps.Uploads, b.deps.Remote = nil, true
	c := connect(t, b)
	for name, content := range map[string]string{
		"plain":        base64.StdEncoding.EncodeToString(sound),
		"without ends": base64.RawStdEncoding.EncodeToString(sound),
		"for URLs":     base64.URLEncoding.EncodeToString(sound),
		"in lines":     base64.StdEncoding.EncodeToString(sound[:30]) + `\n` + base64.StdEncoding.EncodeToString(sound[30:]),
		"as a URL":     "data:audio/mpeg;base64," + base64.StdEncoding.EncodeToString(sound),
	} {
		t.Run(name, func(t *testing.T) {
			got := into[uploaded](t, c, "upload_file", `{"content":"`+content+`","filename":"voice.mp3","purpose":"voice_clone"}`)
			if kept := b.sandbox.SHA256(minimax.ID(got.File.FileID)); got.File.Filename != "voice.mp3" || got.SHA256 == "" || kept != got.SHA256 || got.File.Bytes != int64(len(sound)) {
				t.Errorf("%+v, kept %s", got, kept)
			}
		})
	}
	for arguments, says := range map[string]string{
		`{"content":"***","filename":"voice.mp3","purpose":"voice_clone"}`:   "content is not base64",
		`{"content":"","filename":"voice.mp3","purpose":"voice_clone"}`:      "empty",
		`{"filename":"voice.mp3","purpose":"voice_clone"}`:                   "content is missing",
		`{"content":"AAAA","purpose":"voice_clone"}`:                         "filename is missing",
		`{"path":"voice.mp3","purpose":"voice_clone"}`:                       `unknown argument "path"`,
		`{"content":"AAAA","filename":"voice.flac","purpose":"voice_clone"}`: "voice_clone",
	} {
		if got := failing(t, c, "upload_file", arguments); !strings.Contains(got, says) {
			t.Errorf("%s: %s", arguments, got)
		}
	}
}

// guests are callers with an account of their own on a server that has a disk.
func guests(t *testing.T) *bench {
	t.Helper()
	b := newBench(t, sandbox.Config{})
	b.deps.Remote = true
	b.deps.Guest = func(context.Context) bool { return true }
	if err := os.WriteFile(filepath.Join(b.dir.Path(), "private.mp3"), sound, 0o600); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestGuests_are_not_shown_the_disk(t *testing.T) {
	b := guests(t)
	c := connect(t, b)
	if got := failing(t, c, "upload_file", `{"path":"private.mp3","purpose":"voice_clone"}`); !strings.Contains(got, "Pass content") {
		t.Error(got)
	}
	if got := failing(t, c, "upload_file", `{"path":"nothing.mp3","purpose":"voice_clone"}`); !strings.Contains(got, "Pass content") {
		t.Errorf("it tells what is there: %s", got)
	}
	content := base64.StdEncoding.EncodeToString(sound)
	into[uploaded](t, c, "upload_file", `{"content":"`+content+`","filename":"voice.mp3","purpose":"voice_clone"}`)
	if got := failing(t, c, "upload_file", `{"content":"`+content+`","path":"private.mp3","filename":"voice.mp3","purpose":"voice_clone"}`); !strings.Contains(got, "either") {
		t.Error(got)
	}
}

func TestGuests_leave_nothing_on_the_disk(t *testing.T) {
	b := guests(t)
	c := connect(t, b)
	if got := failing(t, c, "download_file", `{"file_id":"`+sandbox.SeedVideo+`","path":"film.mp4"}`); !strings.Contains(got, "Leave path out") {
		t.Error(got)
	}
	got := into[downloaded](t, c, "download_file", `{"file_id":"`+sandbox.SeedVideo+`"}`)
	if got.Status != "link" || !strings.Contains(got.URI, "Signature=") {
		t.Errorf("%+v", got)
	}
	if entries, err := os.ReadDir(b.dir.Path()); err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
}

func TestOutcome(t *testing.T) {
	b := newBench(t, sandbox.Config{})
	c := connect(t, b)
	for arguments, code := range map[string]string{`{"file_id":"404"}`: "2013", `{}`: "usage", `{"file_id":"176844028768320"}`: ""} {
		result := call(t, c, "retrieve_file", arguments)
		got := ""
		if result.Meta != nil {
			got, _ = result.Meta.AdditionalFields["minimax-files/code"].(string)
		}
		if got != code {
			t.Errorf("%s: %q", arguments, got)
		}
	}
	b.sandbox.Close()
	if result := call(t, c, "retrieve_file", `{"file_id":"1"}`); result.Meta.AdditionalFields["minimax-files/code"] != "unreachable" {
		t.Errorf("%+v", result.Meta)
	}
}
