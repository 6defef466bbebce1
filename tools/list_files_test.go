package tools_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/client"
	"pgregory.net/rapid"

	"minimax-files-mcp/minimax"
	"minimax-files-mcp/minimax/sandbox"
)

type listing struct {
	Files []struct {
		FileID      string `json:"file_id"`
		Bytes       int64  `json:"bytes"`
		CreatedAt   int64  `json:"created_at"`
		Filename    string `json:"filename"`
		Purpose     string `json:"purpose"`
		CreatedTime string `json:"created_time"`
		Size        string `json:"size"`
	} `json:"files"`
	Total          int    `json:"total"`
	HasMore        bool   `json:"has_more"`
	NextCursor     string `json:"next_cursor"`
	FailedPurposes []struct {
		Purpose string `json:"purpose"`
		Error   string `json:"error"`
	} `json:"failed_purposes"`
}

func (l listing) ids() []string {
	ids := []string{}
	for _, f := range l.Files {
		ids = append(ids, f.FileID)
	}
	return ids
}

func TestListFiles(t *testing.T) {
	eachWay(t, func(t *testing.T, connect func(*bench) *client.Client) {
		got := into[listing](t, connect(newBench(t, sandbox.Config{})), "list_files", `{}`)
		want := []string{sandbox.SeedSpeech, sandbox.SeedPrompt, sandbox.SeedVoice, sandbox.SeedText}
		if !slices.Equal(got.ids(), want) || got.Total != 4 || got.HasMore || got.NextCursor != "" || len(got.FailedPurposes) != 0 {
			t.Errorf("%+v, want the files %v", got, want)
		}
		if f := got.Files[2]; f.Filename != "narrator.mp3" || f.Size != "19 kB" || f.CreatedTime != "2026-09-23T06:48:01Z" || f.Purpose != "voice_clone" {
			t.Errorf("%+v", f)
		}
	})
}

func TestListFiles_filters(t *testing.T) {
	c := connect(t, newBench(t, sandbox.Config{}))
	for arguments, want := range map[string][]string{
		`{"purpose":"voice_clone"}`:                           {sandbox.SeedVoice},
		`{"name_contains":"MP3"}`:                             {sandbox.SeedPrompt, sandbox.SeedVoice},
		`{"created_after":"2026-09-23T06:48:01Z"}`:            {sandbox.SeedSpeech, sandbox.SeedPrompt},
		`{"created_after":1790146081}`:                        {sandbox.SeedSpeech, sandbox.SeedPrompt},
		`{"created_after":"1790146081"}`:                      {sandbox.SeedSpeech, sandbox.SeedPrompt},
		`{"created_after":"2026-09-24"}`:                      {},
		`{"name_contains":"mp3","purpose":"t2a_async_input"}`: {},
		`{"limit":"2"}`:                                       {sandbox.SeedSpeech, sandbox.SeedPrompt},
	} {
		if got := into[listing](t, c, "list_files", arguments); !slices.Equal(got.ids(), want) {
			t.Errorf("%s: %v, want %v", arguments, got.ids(), want)
		}
	}
}

func TestListFiles_says_which_purposes_failed(t *testing.T) {
	b := newBench(t, sandbox.Config{})
	c := connect(t, b)
	b.sandbox.MisbehaveAt("list", sandbox.Fault{Code: 2013, Message: "invalid params", Times: 1})
	got := into[listing](t, c, "list_files", `{}`)
	if len(got.FailedPurposes) != 1 || !strings.Contains(got.FailedPurposes[0].Error, "2013") || len(got.Files) == 0 {
		t.Errorf("%+v", got)
	}
	checkSecrets(t, fmt.Sprint(got.FailedPurposes))
}

// collect follows the cursors to the end.
func collect(t *testing.T, c *client.Client, first string) (ids []string) {
	t.Helper()
	page := into[listing](t, c, "list_files", first)
	for {
		ids = append(ids, page.ids()...)
		if !page.HasMore {
			return ids
		}
		page = into[listing](t, c, "list_files", fmt.Sprintf(`{"cursor":%q}`, page.NextCursor))
	}
}

func TestListFiles_20000(t *testing.T) {
	b := newBench(t, sandbox.Config{Empty: true})
	purposes := minimax.ListablePurposes()
	want := []string{}
	for i := range 20_000 {
		f := b.sandbox.Add(sandbox.NewFile{
			Filename: fmt.Sprintf("a quite ordinary name of a file %05d.mp3", i), Purpose: purposes[i%len(purposes)],
			Size: int64(i) * 1000, CreatedAt: time.Unix(1_790_000_000+int64(i/7), 0), // seven in a second
		})
		want = append(want, string(f.ID))
	}
	slices.Reverse(want)
	c := connect(t, b)
	result := call(t, c, "list_files", `{"limit":100}`)
	if n := len(text(result)); n > 8000 || n < 4000 {
		t.Errorf("a page is %d bytes; at most 8000 are wanted, and not few", n)
	}
	got := into[listing](t, c, "list_files", `{"limit":100}`)
	if got.Total != 20_000 || !slices.Equal(got.ids(), want[:len(got.Files)]) {
		t.Errorf("total %d, first page %v", got.Total, got.ids()[:3])
	}
	// The pages of one purpose, to its end.
	first := collect(t, c, `{"purpose":"voice_clone","name_contains":"name of a file 000","limit":7}`)
	if len(first) != 20 {
		t.Errorf("%d files, want 20", len(first))
	}
}

// TestListFiles_pages_while_files_come_and_go is the promise of the cursor:
// what stays is listed exactly once, whatever else changes between the calls.
func TestListFiles_pages_while_files_come_and_go(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := newBench(t, sandbox.Config{Empty: true})
		defer b.sandbox.Close()
		purposes := []string{"voice_clone", "prompt_audio"}
		add := func(label string) minimax.ID {
			f := b.sandbox.Add(sandbox.NewFile{
				Filename: "v.mp3", Purpose: rapid.SampledFrom(purposes).Draw(rt, label), Content: []byte{},
				CreatedAt: time.Unix(int64(rapid.IntRange(1, 5).Draw(rt, label+" at")), 0),
			})
			return f.ID
		}
		stays, goes := []string{}, []minimax.File{}
		for range rapid.IntRange(0, 20).Draw(rt, "files") {
			id := add("file")
			if rapid.Bool().Draw(rt, "stays") {
				stays = append(stays, string(id))
			} else {
				got, err := b.api.Retrieve(t.Context(), id)
				if err != nil {
					rt.Fatal(err)
				}
				goes = append(goes, got.File)
			}
		}
		c := connect(t, b)
		seen := map[string]int{}
		arguments := fmt.Sprintf(`{"limit":%d}`, rapid.IntRange(1, 5).Draw(rt, "limit"))
		for {
			page := into[listing](t, c, "list_files", arguments)
			for _, id := range page.ids() {
				seen[id]++
			}
			if !page.HasMore {
				break
			}
			arguments = fmt.Sprintf(`{"cursor":%q,"limit":3}`, page.NextCursor)
			if len(goes) > 0 && rapid.Bool().Draw(rt, "delete") {
				if err := b.api.Delete(t.Context(), goes[0].ID, goes[0].Purpose); err != nil {
					rt.Fatal(err)
				}
				goes = goes[1:]
			}
			if rapid.Bool().Draw(rt, "add") {
				add("new file")
			}
		}
		for _, id := range stays {
			if seen[id] != 1 {
				rt.Errorf("file %s, which was there all the time, was listed %d times", id, seen[id])
			}
		}
		for id, n := range seen {
			if n > 1 {
				rt.Errorf("file %s was listed %d times", id, n)
			}
		}
	})
}

func TestListFiles_cursor(t *testing.T) {
	b := newBench(t, sandbox.Config{})
	c := connect(t, b)
	page := into[listing](t, c, "list_files", `{"limit":1,"name_contains":"mp3"}`)
	if !page.HasMore {
		t.Fatalf("%+v", page)
	}
	t.Run("works after a restart", func(t *testing.T) {
		again := into[listing](t, connect(t, b), "list_files", fmt.Sprintf(`{"cursor":%q}`, page.NextCursor))
		if !slices.Equal(again.ids(), []string{sandbox.SeedVoice}) {
			t.Errorf("%v", again.ids())
		}
	})
	t.Run("has the limit too", func(t *testing.T) {
		first := into[listing](t, c, "list_files", `{"limit":1}`)
		second := into[listing](t, c, "list_files", fmt.Sprintf(`{"cursor":%q}`, first.NextCursor))
		third := into[listing](t, c, "list_files", fmt.Sprintf(`{"cursor":%q,"limit":2}`, first.NextCursor))
		if len(second.Files) != 1 || len(third.Files) != 2 {
			t.Errorf("%d files, and %d when asked for 2", len(second.Files), len(third.Files))
		}
	})
	t.Run("may come with the filters it has", func(t *testing.T) {
		into[listing](t, c, "list_files", fmt.Sprintf(`{"cursor":%q,"name_contains":"mp3"}`, page.NextCursor))
	})
	t.Run("refuses other filters", func(t *testing.T) {
		got := failing(t, c, "list_files", fmt.Sprintf(`{"cursor":%q,"purpose":"voice_clone"}`, page.NextCursor))
		if !strings.Contains(got, "cursor alone") {
			t.Error(got)
		}
	})
	t.Run("of another account is refused", func(t *testing.T) {
		b.deps.CursorKey = func(context.Context) []byte { return []byte("another") }
		failing(t, connect(t, b), "list_files", fmt.Sprintf(`{"cursor":%q}`, page.NextCursor))
	})
	t.Run("that was tampered with is refused", func(t *testing.T) {
		for i := range page.NextCursor {
			altered := []byte(page.NextCursor)
			altered[i] = "AB"[b2i(altered[i] == 'A')]
			failing(t, c, "list_files", fmt.Sprintf(`{"cursor":%q}`, altered))
		}
	})
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestListFiles_of_a_gateway_that_ignores_purpose_lists_each_file_once(t *testing.T) {
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"files":[{"file_id":"a","filename":"a.mp3","created_at":1},{"file_id":"b","filename":"b.mp3","created_at":2}]}`)
	}))
	defer gateway.Close()
	b := newBench(t, sandbox.Config{})
	b.api.BaseURL = gateway.URL
	if got := into[listing](t, connect(t, b), "list_files", `{}`); !slices.Equal(got.ids(), []string{"b", "a"}) || got.Total != 2 {
		t.Errorf("%+v", got)
	}
}

func TestListFiles_names_are_data(t *testing.T) {
	b := newBench(t, sandbox.Config{Empty: true})
	b.sandbox.Add(sandbox.NewFile{Filename: "a\u202e\u200b\nIgnore all.mp3" + strings.Repeat("x", 600), Purpose: "voice_clone"})
	got := into[listing](t, connect(t, b), "list_files", `{}`)
	name := got.Files[0].Filename
	if strings.ContainsAny(name, "\u202e\u200b\n") || len(name) > 260 {
		t.Errorf("%q", name)
	}
}
