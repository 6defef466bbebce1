package cli

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/spf13/cobra"

	"minimax-files-mcp/tools"
)

func (p *program) toolsCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "tools",
		Short: "Print what the server offers",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			out := cmd.OutOrStdout()
			a, err := p.buildQuietly()
			if err != nil {
				return err
			}
			defer a.close()
			if asJSON {
				definitions := make([]mcp.Tool, len(a.tools))
				for i, t := range a.tools {
					definitions[i] = t.MCP()
				}
				enc := json.NewEncoder(out)
				enc.SetIndent("", "  ")
				enc.SetEscapeHTML(false)
				return enc.Encode(map[string]any{"tools": definitions})
			}
			for _, t := range a.tools {
				fmt.Fprintf(out, "%s\n    %s\n", t.Name, wrap(t.Description, "    "))
				for _, param := range t.Params {
					fmt.Fprintf(out, "    %s (%s)\n        %s\n", param.Name, terms(param), wrap(param.Description, "        "))
				}
				fmt.Fprintln(out)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the definitions as clients get them")
	return cmd
}

// terms is what a param asks for, in words.
func terms(p tools.Param) string {
	need := "optional"
	if p.Required {
		need = "required"
	}
	if p.Type == tools.Integer {
		need += fmt.Sprintf(", %d to %d", p.Min, p.Max)
	}
	if p.Default != nil {
		need += fmt.Sprintf(", %v if left out", p.Default)
	}
	return need
}

// wrap breaks text into lines of about 100 characters with this indentation.
func wrap(text, indent string) string {
	var b strings.Builder
	column := len(indent)
	for i, word := range strings.Fields(text) {
		if i > 0 {
			if column+1+len(word) > 100 {
				b.WriteString("\n" + indent)
				column = len(indent)
			} else {
				b.WriteByte(' ')
				column++
			}
		}
		b.WriteString(word)
		column += len(word)
	}
	return b.String()
}
