package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"minimax-files-mcp/tools"
)

func (p *program) callCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "call TOOL [NAME=VALUE ... | JSON]",
		Short: "Call one tool and print its JSON",
		Long: "Call one tool and print its JSON on standard output. If the tool fails, its message goes to\n" +
			"standard error and the exit status is 1.",
		Example: "  " + name + " call list_files purpose=voice_clone limit=5\n" +
			"  " + name + ` call download_file '{"file_id": "176844028768320"}'`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{errors.New("call wants the name of a tool")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := p.buildQuietly()
			if err != nil {
				return err
			}
			defer a.close()
			if !slices.ContainsFunc(a.tools, func(t tools.Tool) bool { return t.Name == args[0] }) {
				return usageError{fmt.Errorf("there is no tool %q; the tools are %s", args[0], strings.Join(toolNames(a.tools), ", "))}
			}
			arguments, err := parseArguments(args[1:])
			if err != nil {
				return err
			}
			s, err := a.connect(cmd.Context(), p.stderr)
			if err != nil {
				return err
			}
			defer s.close()
			result, err := s.call(cmd.Context(), args[0], arguments)
			if failed, ok := errors.AsType[*toolError](err); ok {
				fmt.Fprintln(p.stderr, failed)
				return errToolFailed
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s\n", result)
			return nil
		},
	}
}

// buildQuietly is build for commands whose output is for a person: what goes
// wrong is told there, and needs no log.
func (p *program) buildQuietly() (*app, error) {
	p.environ = append(slices.Clip(p.environ), "MCP_TRANSPORT=stdio") // it serves nobody else
	cfg, err := p.config()
	if err != nil {
		return nil, err
	}
	if p.logLevel == "" && cfg.LogFile == "" && p.getenv("MINIMAX_LOG_LEVEL") == "" {
		cfg.LogLevel = slog.LevelError
	}
	return p.build(cfg)
}

// parseArguments reads NAME=VALUE words, or one JSON object. Values are passed
// on as text; the tool reads its numbers from it.
func parseArguments(words []string) (json.RawMessage, error) {
	if len(words) == 1 && strings.HasPrefix(strings.TrimSpace(words[0]), "{") {
		if !json.Valid([]byte(words[0])) {
			return nil, usageError{fmt.Errorf("the arguments %s are not JSON", words[0])}
		}
		return json.RawMessage(words[0]), nil
	}
	arguments := map[string]string{}
	for _, word := range words {
		name, value, ok := strings.Cut(word, "=")
		if !ok || name == "" {
			return nil, usageError{fmt.Errorf("argument %q is neither NAME=VALUE nor a JSON object", word)}
		}
		if _, twice := arguments[name]; twice {
			return nil, usageError{fmt.Errorf("argument %q is given twice", name)}
		}
		arguments[name] = value
	}
	return json.Marshal(arguments)
}

func toolNames(all []tools.Tool) []string {
	names := make([]string, len(all))
	for i, t := range all {
		names[i] = t.Name
	}
	return names
}
