package cli

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/lmittmann/tint"

	"minimax-files-mcp/config"
	"minimax-files-mcp/internal/transport"
)

// logger writes to standard error or the file the settings name, never to
// standard output. The returned function closes it.
func (p *program) logger(cfg config.Config) (*slog.Logger, func() error, error) {
	out, done := p.stderr, func() error { return nil }
	if cfg.LogFile != "" {
		f, err := os.OpenFile(cfg.LogFile, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, nil, usageError{config.Wrong("MINIMAX_LOG_FILE", cfg.LogFile, fmt.Sprintf("it can't be written to (%v)", errors.Unwrap(err)))}
		}
		out, done = f, f.Close
	}
	return slog.New(transport.LogHandler(logHandler(out, cfg, p.colour(out)))), done, nil
}

func logHandler(out io.Writer, cfg config.Config, colour bool) slog.Handler {
	if cfg.LogFormat == config.LogJSON {
		return slog.NewJSONHandler(out, &slog.HandlerOptions{Level: cfg.LogLevel})
	}
	return tint.NewTextHandler(out, &tint.Options{Level: cfg.LogLevel, TimeFormat: time.DateTime, NoColor: !colour})
}

// colour is for terminals, unless NO_COLOR says otherwise.
func (p *program) colour(out io.Writer) bool {
	return isTerminal(out) && p.getenv("NO_COLOR") == ""
}
