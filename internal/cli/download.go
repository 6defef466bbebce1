package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
)

func (p *program) downloadCommand() *cobra.Command {
	to := ""
	cmd := &cobra.Command{
		Use:     "download FILE_ID...",
		Short:   "Download files, each with a progress bar",
		Long:    "Download files, one after the other. What is interrupted goes on when the same command is run again.",
		Example: "  " + name + " download 176844028768320 --to ~/Movies",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{errors.New("download wants the id of a file")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, ids []string) error {
			p.environ = append(slices.Clip(p.environ), "MINIMAX_API_RESOURCE_MODE=local")
			if to != "" {
				p.environ = append(p.environ, "MINIMAX_MCP_BASE_PATH="+to)
			}
			return p.download(cmd, ids)
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "directory to save to (before MINIMAX_MCP_BASE_PATH)")
	return cmd
}

// download goes on with the other files when one fails.
func (p *program) download(cmd *cobra.Command, ids []string) error {
	a, err := p.buildQuietly()
	if err != nil {
		return err
	}
	defer a.close()
	s, err := a.connect(cmd.Context(), p.stderr)
	if err != nil {
		return err
	}
	defer s.close()
	var failed error
	for _, id := range ids {
		line, err := s.download(cmd, id)
		switch {
		case cmd.Context().Err() != nil:
			return fmt.Errorf("interrupted; the parts of %s that were whole are kept: run the same command again to go on", id)
		case err != nil:
			fmt.Fprintln(p.stderr, err)
			failed = errToolFailed
		default:
			fmt.Fprintln(cmd.OutOrStdout(), line)
		}
	}
	return failed
}

// download calls the tool until the file is there, and says where.
func (s *session) download(cmd *cobra.Command, id string) (line string, err error) {
	for {
		result, err := s.call(cmd.Context(), "download_file", map[string]any{"file_id": id, "wait_seconds": 600})
		if err != nil {
			return "", err
		}
		var out struct {
			Status, Path, Size, SHA256 string
			AlreadyPresent             bool     `json:"already_present"`
			VerifiedBy                 []string `json:"verified_by"`
		}
		if err := json.Unmarshal(result, &out); err != nil {
			return "", err
		}
		switch {
		case out.Status == "in_progress":
			continue
		case out.AlreadyPresent:
			return fmt.Sprintf("%s  already at %s (%s, sha256 %s)", id, out.Path, out.Size, out.SHA256), nil
		}
		if len(out.VerifiedBy) == 0 {
			return fmt.Sprintf("%s  saved to %s (%s, sha256 %s), unverified: the host gave nothing to check it by", id, out.Path, out.Size, out.SHA256), nil
		}
		return fmt.Sprintf("%s  saved to %s (%s, sha256 %s)", id, out.Path, out.Size, out.SHA256), nil
	}
}
