package tools_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/mcp"

	"minimax-files-mcp/internal/storage"
	"minimax-files-mcp/minimax/sandbox"
	"minimax-files-mcp/tools"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// modes are the ways in which what is offered differs.
func modes(t *testing.T) map[string]tools.Deps {
	t.Helper()
	dir, err := storage.NewDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	uploads, err := storage.NewDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return map[string]tools.Deps{
		"local":            {Dir: dir, Uploads: uploads},
		"url":              {Dir: dir, Uploads: dir, LinkOnly: true},
		"read_only":        {Dir: dir, Uploads: dir, ReadOnly: true},
		"remote":           {Dir: dir, LinkOnly: true, Remote: true},
		"remote_with_disk": {Dir: dir, Uploads: uploads, Remote: true},
	}
}

// TestSurface holds all that a client is offered, in each mode, against golden
// files.
func TestSurface(t *testing.T) {
	for name, deps := range modes(t) {
		t.Run(name, func(t *testing.T) {
			c, err := client.NewInProcessClient(tools.NewServer(tools.About{Name: "minimax-files-mcp", Version: "v0"}, deps, tools.All(deps)))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
			if err := c.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			hello, err := c.Initialize(t.Context(), mcp.InitializeRequest{})
			if err != nil {
				t.Fatal(err)
			}
			listed, err := c.ListTools(t.Context(), mcp.ListToolsRequest{})
			if err != nil {
				t.Fatal(err)
			}
			prompts, err := c.ListPrompts(t.Context(), mcp.ListPromptsRequest{})
			if err != nil {
				t.Fatal(err)
			}
			templates, err := c.ListResourceTemplates(t.Context(), mcp.ListResourceTemplatesRequest{})
			if err != nil {
				t.Fatal(err)
			}
			slices.SortFunc(templates.ResourceTemplates, func(a, b mcp.ResourceTemplate) int { return strings.Compare(a.Name, b.Name) })
			if n := strings.Count(hello.Instructions, ". ") + 1; n < 3 || n > 6 {
				t.Errorf("instructions of %d sentences: %s", n, hello.Instructions)
			}
			var got bytes.Buffer
			enc := json.NewEncoder(&got)
			enc.SetIndent("", "  ")
			enc.SetEscapeHTML(false)
			if err := enc.Encode(map[string]any{
				"1 server": hello.ServerInfo, "2 capabilities": hello.Capabilities, "3 instructions": hello.Instructions,
				"4 tools": listed.Tools, "5 prompts": prompts.Prompts, "6 resource templates": templates.ResourceTemplates,
			}); err != nil {
				t.Fatal(err)
			}
			replace := []string{deps.Dir.Path(), "DIR"}
			if deps.Uploads != nil {
				replace = append(replace, deps.Uploads.Path(), "UPLOADS")
			}
			text := strings.NewReplacer(replace...).Replace(got.String())
			golden := filepath.Join("testdata", "surface_"+name+".json")
			if *update {
				if err := os.WriteFile(golden, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), text); diff != "" {
				t.Errorf("what is offered differs from %s; if that is meant, run go test ./tools -update\n%s", golden, diff)
			}
		})
	}
}

func TestSurface_is_small(t *testing.T) {
	for mode, deps := range modes(t) {
		read, whole := 0, 0
		for _, tool := range tools.All(deps) {
			definition := tool.MCP()
			all, err := json.Marshal(definition)
			if err != nil {
				t.Fatal(err)
			}
			whole += len(all)
			read += len(definition.Name) + len(definition.Description) + len(definition.RawInputSchema)
		}
		if read > 8000 || whole > 16000 {
			t.Errorf("%s: a model reads %d bytes (8000 allowed) of %d (16000 allowed)", mode, read, whole)
		}
	}
}

func TestSurface_is_portable(t *testing.T) {
	name := regexp.MustCompile(`^[a-z_]{1,45}$`)
	all := []tools.Tool{}
	for _, deps := range modes(t) {
		all = append(all, tools.All(deps)...)
	}
	for _, tool := range all {
		definition := tool.MCP()
		if !name.MatchString(tool.Name) {
			t.Errorf("name %s", tool.Name)
		}
		if first, _, _ := strings.Cut(tool.Description, ". "); len(first) < 20 || len(first) > 160 {
			t.Errorf("%s: the first sentence does not stand alone: %q", tool.Name, first)
		}
		hints := definition.Annotations
		if hints.ReadOnlyHint == nil || hints.DestructiveHint == nil || hints.IdempotentHint == nil || hints.OpenWorldHint == nil {
			t.Errorf("%s: a hint is left to chance", tool.Name)
		}
		for kind, raw := range map[string]json.RawMessage{"input": definition.RawInputSchema, "output": definition.RawOutputSchema} {
			var schema map[string]any
			if err := json.Unmarshal(raw, &schema); err != nil {
				t.Fatal(err)
			}
			if schema["type"] != "object" {
				t.Errorf("%s %s: the top level is %v", tool.Name, kind, schema["type"])
			}
			walk(t, tool.Name+" "+kind, schema)
		}
	}
}

// walk checks a schema for what some clients and models refuse.
func walk(t *testing.T, where string, schema map[string]any) {
	for _, refused := range []string{"anyOf", "oneOf", "allOf", "not", "$ref", "$defs", "const", "patternProperties"} {
		if schema[refused] != nil {
			t.Errorf("%s has %s", where, refused)
		}
	}
	kind, ok := schema["type"].(string)
	if !ok || !slices.Contains([]string{"object", "array", "string", "integer", "number", "boolean"}, kind) {
		t.Errorf("%s: type is %v", where, schema["type"])
	}
	if kind == "array" {
		items, ok := schema["items"].(map[string]any)
		if !ok {
			t.Errorf("%s: an array without items", where)
		}
		walk(t, where+"[]", items)
	}
	if kind == "object" {
		if schema["additionalProperties"] != false {
			t.Errorf("%s: additionalProperties is %v", where, schema["additionalProperties"])
		}
		properties, ok := schema["properties"].(map[string]any)
		if !ok {
			t.Errorf("%s: an object without properties", where)
		}
		for name, property := range properties {
			sub, ok := property.(map[string]any)
			if !ok {
				t.Errorf("%s.%s is %v", where, name, property)
				continue
			}
			walk(t, where+"."+name, sub)
		}
	}
}

func TestSurface_over_every_transport(t *testing.T) {
	eachWay(t, func(t *testing.T, connect func(*bench) *client.Client) {
		list, err := connect(newBench(t, sandbox.Config{})).ListTools(t.Context(), mcp.ListToolsRequest{})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, tool := range list.Tools {
			names = append(names, tool.Name)
		}
		if want := []string{"delete_file", "download_file", "list_files", "read_file", "retrieve_file", "upload_file", "wait_for_task"}; !slices.Equal(names, want) {
			t.Errorf("%v, want %v", names, want)
		}
	})
}
