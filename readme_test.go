package main_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"minimax-files-mcp/config"
	"minimax-files-mcp/internal/storage"
	"minimax-files-mcp/minimax"
	"minimax-files-mcp/tools"
)

var update = flag.Bool("update", false, "rewrite what is generated in the README")

// TestReadme_is_generated_from_the_code holds its tables against their sources.
func TestReadme_is_generated_from_the_code(t *testing.T) {
	old, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	text := old
	for name, table := range map[string]string{"settings": settingsTable(false), "server-settings": settingsTable(true), "tools": toolsTable(), "failures": failuresTable()} {
		section := regexp.MustCompile(`(?s)(<!-- ` + name + `: [^\n]*-->\n).*?(<!-- /` + name + ` -->)`)
		if !section.Match(text) {
			t.Errorf("no section %s", name)
		}
		text = section.ReplaceAllFunc(text, func(found []byte) []byte {
			parts := section.FindSubmatch(found)
			return bytes.Join([][]byte{parts[1], []byte("\n" + table + "\n"), parts[2]}, nil)
		})
	}
	if bytes.Equal(text, old) {
		return
	}
	if !*update {
		t.Fatalf("the README is out of date; run go test . -update\n%s", cmp.Diff(string(old), string(text)))
	}
	if err := os.WriteFile("README.md", text, 0o644); err != nil {
		t.Fatal(err)
	}
}

func failuresTable() string {
	meanings := map[string]string{}
	for _, c := range minimax.Codes() {
		meanings[fmt.Sprintf("status_code %d", c.Number)] = ": " + c.Meaning
	}
	var b strings.Builder
	b.WriteString("| what you see | what to do | does calling again help? |\n| --- | --- | --- |\n")
	for _, f := range tools.Failures() {
		see, note, _ := strings.Cut(f.See, " (")
		if note != "" {
			note = " (" + note
		}
		again := "no"
		if f.Again {
			again = "it may"
		}
		next := strings.TrimSpace(strings.ReplaceAll(f.Next, "Calling again with the same arguments will not help.", ""))
		fmt.Fprintf(&b, "| `%s`%s%s | %s | %s |\n", see, meanings[f.See], note, next, again)
	}
	return b.String()
}

// settingsTable is of the settings of a server for a team, or of all others.
func settingsTable(team bool) string {
	var b strings.Builder
	b.WriteString("| variable | default | what it does | for example |\n| --- | --- | --- | --- |\n")
	for _, s := range config.Settings() {
		if team != (strings.HasPrefix(s.Name, "MCP_") || strings.HasPrefix(s.Name, "OTEL_")) {
			continue
		}
		preset := ""
		if s.Default != "" {
			preset = "`" + s.Default + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | `%s` |\n", s.Name, preset, s.Doc, s.Example)
	}
	return b.String()
}

func toolsTable() string {
	var b strings.Builder
	b.WriteString("| tool | arguments | what it does |\n| --- | --- | --- |\n")
	for _, tool := range tools.All(tools.Deps{Uploads: new(storage.Dir)}) {
		arguments := []string{}
		for _, p := range tool.Params {
			if p.Required {
				arguments = append(arguments, "**`"+p.Name+"`**")
			} else {
				arguments = append(arguments, "`"+p.Name+"`")
			}
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", tool.Name, strings.Join(arguments, ", "), tool.Description)
	}
	b.WriteString("\nArguments in bold are required.\n")
	return b.String()
}

func TestReadme_blocks_can_be_pasted(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```json\n(.*?)```").FindAllSubmatch(text, -1)
	if len(blocks) < 2 {
		t.Fatalf("%d blocks of JSON", len(blocks))
	}
	for _, block := range blocks {
		if !json.Valid(block[1]) {
			t.Errorf("not JSON:\n%s", block[1])
		}
	}
	for _, name := range regexp.MustCompile(`MINIMAX_[A-Z_]+`).FindAllString(string(text), -1) {
		if unknown := config.Unknown([]string{name + "=x"}); len(unknown) > 0 {
			t.Errorf("there is no setting %s", name)
		}
	}
}
