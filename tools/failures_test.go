package tools_test

import (
	"fmt"
	"strings"
	"testing"

	"minimax-files-mcp/minimax/sandbox"
	"minimax-files-mcp/tools"
)

// TestFailures holds every row of the table: each says what failed and why,
// and then what to do, and whether to call again.
func TestFailures(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range tools.Failures() {
		t.Run(f.See, func(t *testing.T) {
			if seen[f.See] {
				t.Error("it is there twice")
			}
			seen[f.See] = true
			see, _, _ := strings.Cut(f.See, " (")
			if whole := f.Text + " " + f.Next; !strings.Contains(whole, see) {
				t.Errorf("%q is not in %q", see, whole)
			}
			if len(f.Next) < 20 || !strings.HasSuffix(f.Next, ".") {
				t.Errorf("the advice is %q", f.Next)
			}
			wont := strings.Contains(f.Next, "will not help")
			again := strings.Contains(strings.ToLower(f.Next), "call again")
			if f.Again && (wont || !again) {
				t.Errorf("calling again may help, and the advice is %q", f.Next)
			}
			if strings.Contains(f.Text, "api.minimax.io") && !strings.Contains(f.Text, "Trace-Id") && !strings.Contains(f.Text, "could not be reached") {
				t.Errorf("%q lacks the Trace-Id", f.Text)
			}
			checkSecrets(t, f.Text+f.Next)
		})
	}
}

// TestFailures_by_code meets each documented code on the real way.
func TestFailures_by_code(t *testing.T) {
	b := newBench(t, sandbox.Config{})
	c := connect(t, b)
	for _, f := range tools.Failures() {
		var code int
		if _, err := fmt.Sscanf(f.See, "status_code %d", &code); err != nil {
			continue
		}
		b.sandbox.MisbehaveAt("retrieve", sandbox.Fault{Code: code, Message: "as it happens"})
		result := call(t, c, "retrieve_file", `{"file_id":"`+sandbox.SeedVideo+`"}`)
		got := text(result)
		for _, want := range []string{f.See, f.Next, `"as it happens"`, "Trace-Id", "127.0.0.1"} {
			// Advice about the region names the host.
			if !strings.Contains(got, want) && !strings.Contains(want, "region") {
				t.Errorf("%s: %q lacks %q", f.See, got, want)
			}
		}
		if again := result.Meta.AdditionalFields["minimax-files/retryable"]; again != f.Again {
			t.Errorf("%s: retryable is %v", f.See, again)
		}
		if trace, _ := result.Meta.AdditionalFields["minimax-files/trace_id"].(string); !strings.Contains(got, trace) || trace == "" {
			t.Errorf("%s: trace id %q", f.See, trace)
		}
	}
}
