package main_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// module is the path every package of ours starts with.
const module = "minimax-files-mcp"

// allowed is which of our packages each may import; mcpgo says that it may know
// the MCP library. Arrows point inward: what knows the API knows no MCP, what
// moves bytes knows neither.
var allowed = map[string][]string{
	"":                        {"internal/cli"},
	"config":                  {},
	"minimax":                 {},
	"minimax/sandbox":         {"minimax"},
	"internal/storage":        {},
	"internal/transfer/crc64": {},
	"internal/transfer":       {"internal/transfer/crc64"},
	"internal/transport":      {mcpgo},
	"internal/telemetry":      {mcpgo},
	"internal/conformance":    {mcpgo, "internal/transport"},
	"tools":                   {mcpgo, "minimax", "internal/transfer", "internal/storage"},
	"internal/cli": {
		mcpgo, "config", "minimax", "minimax/sandbox", "tools",
		"internal/storage", "internal/transfer", "internal/transport", "internal/telemetry",
	},
}

const mcpgo = "github.com/mark3labs/mcp-go"

func TestImportsPointInward(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var pkg struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&pkg); err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(strings.TrimPrefix(pkg.ImportPath, module), "/")
		may, known := allowed[name]
		if !known {
			t.Errorf("package %s has no place in the house: give it one here", pkg.ImportPath)
		}
		seen++
		for _, path := range pkg.Imports {
			var what string
			switch {
			case strings.HasPrefix(path, module+"/"):
				what = strings.TrimPrefix(path, module+"/")
			case strings.HasPrefix(path, mcpgo):
				what = mcpgo
			default:
				continue
			}
			if !slices.Contains(may, what) {
				t.Errorf("%s imports %s", pkg.ImportPath, path)
			}
		}
	}
	if seen != len(allowed) {
		t.Errorf("%d packages, %d expected", seen, len(allowed))
	}
}

func TestGoModReplacesNothing(t *testing.T) {
	text, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "replace") {
		t.Error("a replace does not reach those who install the program")
	}
}
