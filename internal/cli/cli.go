// Package cli is the command line: it reads flags and settings, builds a server
// from the parts in the other packages, and serves it or shows it off.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"minimax-files-mcp/config"
)

// Exit statuses.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// program is one run: its streams, environment and global flags.
type program struct {
	environ []string
	stdin   io.Reader
	stdout  io.Writer
	stderr  io.Writer

	sandbox   bool
	readOnly  bool
	logLevel  string
	transport string
	address   string
}

// usageError is a command line that can't be carried out as it was typed.
type usageError struct{ error }

// errToolFailed is a tool's own failure, already told.
var errToolFailed = errors.New("the tool failed")

// Run carries out a command line and returns the exit status: 0; 1 if it
// failed; 2 if the command line itself, or a setting, is wrong.
func Run(ctx context.Context, args, environ []string, stdin io.Reader, stdout, stderr io.Writer) int {
	p := &program{environ: environ, stdin: stdin, stdout: stdout, stderr: stderr}
	out := &checkedWriter{Writer: stdout}
	root := p.rootCommand()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(out)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil && out.err != nil {
		err = fmt.Errorf("standard output: %w", out.err)
	}
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, context.Canceled):
		fmt.Fprintf(stderr, "%s: interrupted; run the same command again to go on\n", name)
		return exitFailed
	case errors.Is(err, errToolFailed):
		return exitFailed
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "%s: %v\nTry '%s --help'.\n", name, err, name)
		return exitUsage
	}
	fmt.Fprintf(stderr, "%s: %v\n", name, err)
	return exitFailed
}

// checkedWriter remembers an error, so that not every Print needs a check.
type checkedWriter struct {
	io.Writer
	err error
}

func (w *checkedWriter) Write(b []byte) (int, error) {
	n, err := w.Writer.Write(b)
	if w.err == nil {
		w.err = err
	}
	return n, err
}

const name = "minimax-files-mcp"

func (p *program) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   name,
		Short: "An MCP server for the files of a MiniMax account",
		Long: "An MCP server for the files of a MiniMax account. Without a command it serves one MCP client\n" +
			"over standard input and output; clients such as Claude Desktop start it that way. With\n" +
			"--transport http it serves any number of them over a network.",
		Example:       "  " + name + " --transport http --address 127.0.0.1:8080",
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return p.serve(cmd.Context()) },
	}
	root.SetVersionTemplate("{{.Name}} {{.Version}}\n")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.PersistentFlags().BoolVar(&p.sandbox, "sandbox", false, "use an embedded stand-in for MiniMax: no key, no network")
	root.PersistentFlags().BoolVar(&p.readOnly, "read-only", false, "leave out the tools that change the account (before MINIMAX_READ_ONLY)")
	root.PersistentFlags().StringVar(&p.logLevel, "log-level", "", "debug, info, warn or error (before MINIMAX_LOG_LEVEL)")
	root.Flags().StringVar(&p.transport, "transport", "", "stdio, http or sse (before MCP_TRANSPORT)")
	root.Flags().StringVar(&p.address, "address", "", "where http and sse listen: host:port or unix:/path (before MCP_ADDRESS)")
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(p.demoCommand(), p.downloadCommand(), p.callCommand(), p.toolsCommand(), p.sandboxCommand())
	return root
}

func noArgs(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("unknown command or argument %q", args[0])}
	}
	return nil
}

// config loads the settings; flags come before them.
func (p *program) config() (config.Config, error) {
	environ := p.environ
	if p.logLevel != "" {
		if err := new(slog.Level).UnmarshalText([]byte(p.logLevel)); err != nil {
			return config.Config{}, usageError{fmt.Errorf("--log-level is %q: it must be debug, info, warn or error", p.logLevel)}
		}
	}
	readOnly := ""
	if p.readOnly {
		readOnly = "true"
	}
	for _, flag := range []struct{ name, value string }{
		{"MINIMAX_LOG_LEVEL", p.logLevel}, {"MINIMAX_READ_ONLY", readOnly}, {"MCP_TRANSPORT", p.transport}, {"MCP_ADDRESS", p.address},
	} {
		if flag.value != "" {
			environ = append(slices.Clip(environ), flag.name+"="+flag.value)
		}
	}
	cfg, err := config.Load(environ)
	if err != nil {
		return cfg, usageError{fmt.Errorf("the settings are wrong:\n  %s", strings.ReplaceAll(err.Error(), "\n", "\n  "))}
	}
	if p.address != "" && cfg.Transport == config.Stdio {
		return cfg, usageError{errors.New("--address is for a server over a network: pass --transport http too")}
	}
	return cfg, nil
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// getenv is os.Getenv for the run's own environment.
func (p *program) getenv(name string) string {
	value := ""
	for _, entry := range p.environ { // the last one counts
		if v, ok := strings.CutPrefix(entry, name+"="); ok {
			value = v
		}
	}
	return value
}
