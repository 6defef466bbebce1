package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"minimax-files-mcp/minimax/sandbox"
)

func (p *program) demoCommand() *cobra.Command {
	to := ""
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Watch an agent's way from list to file, on the embedded sandbox",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return p.demo(cmd.Context(), cmd.OutOrStdout(), to) },
	}
	cmd.Flags().StringVar(&to, "to", "", "directory to save to (a new temporary one)")
	return cmd
}

// demo makes the calls an agent would make, through a real MCP client.
func (p *program) demo(ctx context.Context, out io.Writer, to string) (err error) {
	if to == "" {
		if to, err = os.MkdirTemp("", "minimax-files-demo-"); err != nil {
			return err
		}
	}
	// The settings of the user's own server are not the demonstration's.
	p.environ = slices.DeleteFunc(slices.Clone(p.environ), func(entry string) bool {
		return !strings.HasPrefix(entry, "MINIMAX_LOG_") && (strings.HasPrefix(entry, "MINIMAX_") || strings.HasPrefix(entry, "MCP_"))
	})
	p.environ = append(p.environ, "MINIMAX_MCP_BASE_PATH="+to)
	p.sandbox = true
	a, err := p.buildQuietly()
	if err != nil {
		return err
	}
	defer a.close()
	// Slow enough to be seen.
	a.sandbox.Misbehave(sandbox.SeedVideo, sandbox.Fault{BytesPerSecond: 20_000})
	s, err := a.connect(ctx, p.stderr)
	if err != nil {
		return err
	}
	defer s.close()

	fmt.Fprintf(out, "An MCP client talks to this server, and the server to a stand-in for MiniMax at %s.\n\n", a.sandbox.URL())
	video := map[string]any{"file_id": sandbox.SeedVideo}
	var saved struct{ Path, Size, SHA256 string }
	for _, step := range []struct {
		why, tool string
		args      map[string]any
	}{
		{"What is in the account?", "list_files", map[string]any{"limit": 2}},
		{"A generation task has ended with file_id " + sandbox.SeedVideo + ". What is it?", "retrieve_file", video},
		{"Save it.", "download_file", video},
	} {
		result, err := demoStep(ctx, out, s, step.why, step.tool, step.args)
		if err != nil {
			return err
		}
		saved.Path = ""
		_ = json.Unmarshal(result, &saved) // the last result has these; others need not
	}
	fmt.Fprintf(out, "The file is at %s (%s, verified). Any player opens it.\n", saved.Path, saved.Size)
	return nil
}

func demoStep(ctx context.Context, out io.Writer, s *session, why, tool string, args map[string]any) ([]byte, error) {
	shown, err := json.Marshal(args)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(out, "# %s\n> %s %s\n", why, tool, shown)
	result, err := s.call(ctx, tool, args)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(out, "%s\n\n", result)
	return result, nil
}
