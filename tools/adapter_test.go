package tools_test

import (
	"context"
	"iter"
	"regexp"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/client"

	"minimax-files-mcp/minimax"
	"minimax-files-mcp/minimax/sandbox"
)

// advice is what every error ends with: what failed, why, and the next step.
var advice = regexp.MustCompile(`^[a-z_ 0-9]+[^:]*: .+\. .+\.$`)

// failing calls a tool that must fail and returns its text, which must be
// whole and must keep secrets.
func failing(t *testing.T, c *client.Client, tool, arguments string) string {
	t.Helper()
	result := call(t, c, tool, arguments)
	if !result.IsError {
		t.Fatalf("%s %s succeeded: %s", tool, arguments, text(result))
	}
	got := text(result)
	if !advice.MatchString(got) {
		t.Errorf("%s %s: %q is not of the form «what failed: why. What to do next.»", tool, arguments, got)
	}
	checkSecrets(t, got)
	return got
}

func checkSecrets(t *testing.T, printed string) {
	t.Helper()
	for _, secret := range []string{sandbox.Key, "Signature=", "OSSAccessKeyId=", "Bearer ", "X-Amz-"} {
		if strings.Contains(printed, secret) {
			t.Errorf("%q is printed in %q", secret, printed)
		}
	}
}

func TestBadArguments(t *testing.T) {
	long := strings.Repeat("9", 30)
	for _, tt := range []struct {
		tool, arguments string
		says            []string
	}{
		{"retrieve_file", `{}`, []string{"file_id is missing", "list_files"}},
		{"retrieve_file", `{"file_id":""}`, []string{"empty", "list_files"}},
		{"retrieve_file", `{"file_id":"-5"}`, []string{"negative"}},
		{"retrieve_file", `{"file_id":-5}`, []string{"negative"}},
		{"retrieve_file", `{"file_id":1.5}`, []string{"1.5", "whole number"}},
		{"retrieve_file", `{"file_id":1e15}`, []string{"1e15", "plain digits"}},
		{"retrieve_file", `{"file_id":"` + long + `"}`, []string{long, "larger than 9223372036854775807"}},
		{"retrieve_file", `{"file_id":` + long + `}`, []string{"larger than"}},
		{"retrieve_file", `{"file_id":"output_aigc.mp4"}`, []string{`'.'`, "list_files"}},
		{"retrieve_file", `{"file_id":"not-an-id"}`, []string{"2013", "127.0.0.1", "Trace-Id"}},
		{"retrieve_file", `{"file_id":true}`, []string{"must be a string"}},
		{"retrieve_file", `{"file_id":["1"]}`, []string{"must be a string"}},
		{"retrieve_file", `{"file_id":null}`, []string{"missing"}},
		{"retrieve_file", `{"file_id":"1","id":"1","a":2}`, []string{`unknown argument "a", "id"`, "The arguments are file_id"}},
		{"retrieve_file", `{"File_Id":"1"}`, []string{`unknown argument "File_Id"`}},
		{"retrieve_file", `[1]`, []string{"not a JSON object"}},
		{"retrieve_file", `{"file_id":"404"}`, []string{"404", "file_id not exist", "Trace-Id", "list_files", "will not help"}},
		{"download_file", `{"file_id":"404"}`, []string{"download file 404", "file_id not exist", "list_files"}},
		{"download_file", `{"file_id":"1","path":5}`, []string{"path must be a string"}},
		{"list_files", `{"limit":0}`, []string{"from 1 to 100, not 0"}},
		{"list_files", `{"limit":10000}`, []string{"from 1 to 100, not 10000"}},
		{"list_files", `{"limit":2.5}`, []string{"not 2.5"}},
		{"list_files", `{"limit":"many"}`, []string{"not many"}},
		{"list_files", `{"purpose":"video_generation"}`, []string{"2013", "voice_clone"}},
		{"list_files", `{"purpose":"nonsense"}`, []string{"2013", "voice_clone"}},
		{"list_files", `{"created_after":"yesterday"}`, []string{"yesterday", "2026-09-23"}},
		{"list_files", `{"created_after":1790146081000}`, []string{"milliseconds"}},
		{"list_files", `{"created_after":{}}`, []string{"must be a time"}},
		{"download_file", `{"file_id":"1","path":"~/x.mp4"}`, []string{"relative to"}},
		{"list_files", `{"cursor":"nonsense"}`, []string{"next_cursor", "leave cursor out"}},
	} {
		t.Run(tt.tool+" "+tt.arguments, func(t *testing.T) {
			got := failing(t, connect(t, newBench(t, sandbox.Config{})), tt.tool, tt.arguments)
			for _, want := range tt.says {
				if !strings.Contains(got, want) {
					t.Errorf("%q lacks %q", got, want)
				}
			}
		})
	}
}

func TestEmptyOptionalArgumentsCountAsNotGiven(t *testing.T) {
	c := connect(t, newBench(t, sandbox.Config{}))
	got := into[listing](t, c, "list_files", `{"purpose":"","name_contains":"","created_after":"","cursor":"","limit":""}`)
	if len(got.Files) != 4 {
		t.Errorf("%d files", len(got.Files))
	}
}

func TestServerTrouble(t *testing.T) {
	for name, tt := range map[string]struct {
		prepare func(*bench)
		says    []string
	}{
		"no key":             {func(b *bench) { b.api.Key = nil }, []string{"MINIMAX_API_KEY", "restart", "MINIMAX_REGION=cn"}},
		"a wrong key":        {func(b *bench) { b.api.Key = keyOf("sk-wrong") }, []string{"2049", "invalid api key", "127.0.0.1", "MINIMAX_API_KEY", "will not help"}},
		"another region":     {func(b *bench) { b.api.Key = keyOf(sandbox.OtherRegionKey) }, []string{"1004", "cookie is missing", "MINIMAX_REGION"}},
		"HTML 502":           {func(b *bench) { trouble(b, sandbox.Fault{Status: 502, Body: "<html>Bad Gateway</html>"}) }, []string{"HTTP 502", "HTML", "Call again"}},
		"a rate limit":       {func(b *bench) { trouble(b, sandbox.Fault{Code: 1002, RetryAfter: "77"}) }, []string{"1002", "Wait 77 seconds"}},
		"no balance":         {func(b *bench) { trouble(b, sandbox.Fault{Code: 1008}) }, []string{"1008", "top up"}},
		"an empty record":    {func(b *bench) { trouble(b, sandbox.Fault{Status: 200, Body: `{"base_resp":{"status_code":0}}`}) }, []string{"lacks", "MINIMAX_API_HOST"}},
		"an unknown failure": {func(b *bench) { trouble(b, sandbox.Fault{Code: 31337, Message: "?"}) }, []string{"31337", "Trace-Id", "will not help"}},
		"a redirect":         {func(b *bench) { trouble(b, sandbox.Fault{Redirect: "https://example.org/"}) }, []string{"example.org", "MINIMAX_API_HOST"}},
		"nobody there":       {func(b *bench) { b.sandbox.Close() }, []string{"could not be reached", "Call again"}},
		"not MiniMax at all": {func(b *bench) { b.api.BaseURL += "/elsewhere" }, []string{"404", "MINIMAX_API_HOST"}},
	} {
		for tool, arguments := range map[string]string{
			"list_files": `{}`, "retrieve_file": `{"file_id":"176844028768320"}`, "download_file": `{"file_id":"176844028768320"}`,
		} {
			t.Run(name+" "+tool, func(t *testing.T) {
				b := newBench(t, sandbox.Config{})
				tt.prepare(b)
				got := failing(t, connect(t, b), tool, arguments)
				for _, want := range tt.says {
					if !strings.Contains(got, want) {
						t.Errorf("%q lacks %q", got, want)
					}
				}
				checkSecrets(t, b.log.String())
			})
		}
	}
}

func keyOf(key string) func(context.Context) string {
	return func(context.Context) string { return key }
}

func trouble(b *bench, f sandbox.Fault) {
	for _, endpoint := range []string{"list", "retrieve"} {
		b.sandbox.MisbehaveAt(endpoint, f)
	}
}

// panicking is an API whose every call is a mistake of ours.
type panicking struct{}

func (panicking) List(context.Context, string) iter.Seq2[minimax.File, error] { panic("top secret") }
func (panicking) Retrieve(context.Context, minimax.ID) (*minimax.FileAnswer, error) {
	panic("top secret")
}
func (panicking) Content(context.Context, minimax.ID) (*minimax.Content, error) { panic("top secret") }
func (panicking) Task(context.Context, minimax.TaskKind, minimax.ID) (*minimax.Task, error) {
	panic("top secret")
}

func (panicking) Upload(context.Context, minimax.Upload) (*minimax.FileAnswer, error) {
	panic("top secret")
}

func (panicking) Delete(context.Context, minimax.ID, string) error { panic("top secret") }

func TestAPanicBecomesAResultWithoutItsText(t *testing.T) {
	b := newBench(t, sandbox.Config{})
	b.deps.Files = panicking{}
	got := failing(t, connect(t, b), "retrieve_file", `{"file_id":"1"}`)
	if strings.Contains(got, "secret") || !strings.Contains(got, "retrieve_file: the server made a mistake") {
		t.Errorf("%q", got)
	}
	if !strings.Contains(b.log.String(), "top secret") {
		t.Error("the log does not say what happened")
	}
}

func TestLogHasNoArguments(t *testing.T) {
	b := newBench(t, sandbox.Config{})
	into[listing](t, connect(t, b), "list_files", `{"name_contains":"a private word"}`)
	if got := b.log.String(); strings.Contains(got, "private") || !strings.Contains(got, `"tool":"list_files"`) || !strings.Contains(got, `"took_ms"`) {
		t.Errorf("%s", got)
	}
}
