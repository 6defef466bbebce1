package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"minimax-files-mcp/minimax/sandbox"
)

func (p *program) sandboxCommand() *cobra.Command {
	cfg := sandbox.Config{}
	cmd := &cobra.Command{
		Use:   "sandbox",
		Short: "Run the stand-in for MiniMax on its own, for any client",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := sandbox.Start(cfg)
			if err != nil {
				return usageError{err}
			}
			fmt.Fprintf(cmd.OutOrStdout(), sandboxHelp, s.URL(), sandbox.Key, sandbox.SeedVideo, sandbox.SeedSpeech, sandbox.SeedVoice,
				s.URL(), sandbox.Key, sandbox.SeedVideo, s.URL(), sandbox.Key, s.URL(), s.URL(), sandbox.SeedVideo, s.URL(),
				wrap(strings.Join(sandbox.FaultNames(), ", ")+".", "  "))
			return s.Wait(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&cfg.Addr, "addr", "127.0.0.1:8089", "where to listen; loopback only")
	cmd.Flags().DurationVar(&cfg.URLLifetime, "url-lifetime", 0, "how long download URLs live (6h)")
	cmd.Flags().DurationVar(&cfg.TaskStep, "task-step", 0, "how long a task stays in each state (2s)")
	return cmd
}

const sandboxHelp = `A stand-in for the MiniMax File API runs until you press Ctrl-C. These settings
point a client at it:

  export MINIMAX_API_HOST=%s
  export MINIMAX_API_KEY=%s

It holds a generated video (%s), an asynchronous speech result
(%s), a voice sample (%s) and more:

  curl '%s/v1/files/retrieve' -G -H 'Authorization: Bearer %s' -d file_id=%s

It makes tasks, which end in a file after some seconds, or in failure if "fail"
is in the prompt (also /v1/t2a_async_v2 with a text, and /v2/video_generation):

  curl -X POST '%s/v1/video_generation' -H 'Authorization: Bearer %s' -d '{"prompt":"a harbour"}'

It takes files of any size, and misbehaves when told to, for one file or at one
endpoint (list, retrieve, content, upload, delete, query_video, query_speech,
query_template, query_video_v2), once or in an array of one after the other; {}
mends it:

  curl -X POST %s/_sandbox/files -d '{"filename":"output_aigc.mp4","purpose":"video_generation","bytes":536870912}'
  curl -X PUT %s/_sandbox/files/%s/fault -d '{"cut_after":20000}'
  curl -X PUT %s/_sandbox/endpoints/retrieve/fault -d '{"code":1033,"times":2}'

The ways to misbehave (sizes in bytes; package sandbox says more, type Fault):

  %s
`
