package cli

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/spf13/cobra"
)

func (p *program) toolsCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "tools",
		Short: "Print what the server offers",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
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
				enc := json.NewEncoder(p.stdout)
				enc.SetIndent("", "  ")
				enc.SetEscapeHTML(false)
				return enc.Encode(map[string]any{"tools": definitions})
			}
			for _, t := range a.tools {
				fmt.Fprintf(p.stdout, "%s\n    %s\n", t.Name, wrap(t.Description, "    "))
				for _, param := range t.Params {
					need := "optional"
					if param.Required {
						need = "required"
					}
					fmt.Fprintf(p.stdout, "    %s (%s)\n        %s\n", param.Name, need, wrap(param.Description, "        "))
				}
				fmt.Fprintln(p.stdout)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the definitions as clients get them")
	return cmd
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
