package tools_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/client"

	"minimax-files-mcp/minimax/sandbox"
)

type retrieved struct {
	File struct {
		FileID      string `json:"file_id"`
		Bytes       int64  `json:"bytes"`
		Filename    string `json:"filename"`
		DownloadURL string `json:"download_url"`
		Size        string `json:"size"`
	} `json:"file"`
	BaseResp struct {
		StatusMsg string `json:"status_msg"`
	} `json:"base_resp"`
	ExpiresAt string `json:"expires_at"`
}

func TestRetrieveFile(t *testing.T) {
	eachWay(t, func(t *testing.T, connect func(*bench) *client.Client) {
		b := newBench(t, sandbox.Config{})
		c := connect(b)
		// A number is taken as well as a string, and stays what it was.
		for _, id := range []string{`"176844028768320"`, `176844028768320`} {
			got := into[retrieved](t, c, "retrieve_file", `{"file_id":`+id+`}`)
			if got.File.FileID != sandbox.SeedVideo || got.File.Bytes != 0 || got.File.Size != "unknown" ||
				!strings.HasPrefix(got.File.DownloadURL, b.sandbox.StorageURL()) || !strings.Contains(got.File.DownloadURL, "&Signature=") ||
				got.ExpiresAt == "" || got.BaseResp.StatusMsg != "success" {
				t.Errorf("%s: %+v", id, got)
			}
		}
		result := call(t, c, "retrieve_file", `{"file_id":"176844028768320"}`)
		if uris := links(result); len(uris) != 1 || !strings.HasPrefix(uris[0], b.sandbox.StorageURL()) {
			t.Errorf("resource links %v", uris)
		}
		if strings.Contains(text(result), `\u0026`) {
			t.Errorf("the text escapes the URL: %s", text(result))
		}
	})
}

func TestRetrieveFile_without_a_URL_has_no_link(t *testing.T) {
	result := call(t, connect(t, newBench(t, sandbox.Config{})), "retrieve_file", `{"file_id":"`+sandbox.SeedVoice+`"}`)
	if result.IsError || len(links(result)) != 0 || strings.Contains(text(result), "download_url") {
		t.Errorf("%s %v", text(result), links(result))
	}
}

func TestLargestID(t *testing.T) {
	const id = "9223372036854775807"
	b := newBench(t, sandbox.Config{Empty: true})
	b.sandbox.Add(sandbox.NewFile{ID: id, Filename: "output_aigc.mp4", Purpose: "video_generation", Content: []byte("\x00x")})
	b.sandbox.Add(sandbox.NewFile{ID: "9223372036854775806", Filename: "a.txt", Purpose: "t2a_async_input", Content: []byte("y")})
	c := connect(t, b)
	for _, as := range []string{`"` + id + `"`, id} {
		if got := into[retrieved](t, c, "retrieve_file", `{"file_id":`+as+`}`); got.File.FileID != id {
			t.Errorf("retrieve %s: %+v", as, got)
		}
		if got := into[downloaded](t, c, "download_file", `{"file_id":`+as+`}`); got.FileID != id || !strings.HasSuffix(got.Path, "output_aigc-"+id+".mp4") {
			t.Errorf("download %s: %+v", as, got)
		}
	}
	if got := into[listing](t, c, "list_files", `{}`); !slices.Equal(got.ids(), []string{"9223372036854775806"}) {
		t.Errorf("list: %v", got.ids())
	}
}
