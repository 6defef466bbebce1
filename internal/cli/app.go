package cli

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/server"

	"minimax-files-mcp/config"
	"minimax-files-mcp/internal/storage"
	"minimax-files-mcp/internal/telemetry"
	"minimax-files-mcp/internal/transfer"
	"minimax-files-mcp/internal/transport"
	"minimax-files-mcp/minimax"
	"minimax-files-mcp/minimax/sandbox"
	"minimax-files-mcp/tools"
)

// An app is a server that is ready to be served, and what it is made of.
type app struct {
	cfg       config.Config
	log       *slog.Logger
	tools     []tools.Tool
	server    *server.MCPServer
	client    *minimax.Client
	sandbox   *sandbox.Server      // nil unless it stands in for MiniMax
	telemetry *telemetry.Telemetry // nil where nobody wants to know
	closers   []func() error

	stopping context.Context //nolint:containedctx // it is that of the server's life
	stop     context.CancelFunc
}

// build puts the parts together.
func (p *program) build(cfg config.Config) (*app, error) {
	log, closeLog, err := p.logger(cfg)
	if err != nil {
		return nil, err
	}
	if cfg.APIHost == "" {
		cfg.APIHost = config.BaseURL(minimax.BaseURL(string(cfg.Region)))
	}
	a := &app{cfg: cfg, log: log, closers: []func() error{closeLog}}
	stopping, stop := context.WithCancel(context.Background())
	a.stopping, a.stop = stopping, stop
	a.closers = append(a.closers, func() error { stop(); return nil })
	if p.sandbox {
		s, err := sandbox.Start(sandbox.Config{})
		if err != nil {
			a.close()
			return nil, err
		}
		a.closers = append(a.closers, s.Close)
		a.sandbox = s
		a.useSandbox(s)
	}
	if err := a.observe(); err != nil {
		a.close()
		return nil, err
	}
	deps, err := a.deps()
	if err != nil {
		a.close()
		return nil, err
	}
	if a.tools, err = picked(tools.All(deps), cfg.Tools); err != nil {
		a.close()
		return nil, err
	}
	about := tools.About{Name: name, Version: version()}
	if a.sandbox != nil {
		about.Note = "This server runs on a sandbox, not on MiniMax: it holds the generated video " + sandbox.SeedVideo + "."
	}
	a.server = tools.NewServer(about, deps, a.tools)
	if a.telemetry != nil {
		a.server.Use(a.telemetry.Tool)
	}
	return a, nil
}

// observe starts telemetry where somebody wants to know: an operator of a
// server for a team, or a collector of traces.
func (a *app) observe() error {
	if a.cfg.Transport == config.Stdio && a.cfg.TracesURL == "" {
		return nil
	}
	opts := telemetry.Options{Version: version(), Outcome: tools.Outcome, Parent: transport.TraceOf}
	if a.cfg.TracesURL != "" {
		tracer, end, err := telemetry.Traces(context.Background(), name, version())
		if err != nil {
			return fmt.Errorf("traces: %w", err)
		}
		opts.Tracer = tracer
		a.closers = append(a.closers, func() error {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			return end(ctx)
		})
	}
	a.telemetry = telemetry.New(opts)
	return nil
}

var confirmations = map[config.Confirm]tools.Confirmation{
	config.ConfirmAuto: tools.ConfirmAuto, config.ConfirmAlways: tools.ConfirmAlways, config.ConfirmNever: tools.ConfirmNever,
}

// picked are the tools of these names, all of them where none is named.
func picked(all []tools.Tool, names []string) ([]tools.Tool, error) {
	if len(names) == 0 {
		return all, nil
	}
	var chosen []tools.Tool
	known := make([]string, len(all))
	for i, t := range all {
		known[i] = t.Name
		if slices.Contains(names, t.Name) {
			chosen = append(chosen, t)
		}
	}
	for _, n := range names {
		if !slices.Contains(known, n) {
			return nil, usageError{config.Wrong("MINIMAX_TOOLS", strings.Join(names, ","), fmt.Sprintf("there is no tool %q; the tools are %s", n, strings.Join(known, ", ")))}
		}
	}
	return chosen, nil
}

// useSandbox points the settings at a sandbox.
func (a *app) useSandbox(s *sandbox.Server) {
	a.cfg.APIHost = config.BaseURL(s.URL())
	_ = a.cfg.APIKey.UnmarshalText([]byte(sandbox.Key)) // it takes any text
	a.cfg.APIQuery, a.cfg.GroupID = config.Query{}, ""
}

func (a *app) deps() (tools.Deps, error) {
	cfg := a.cfg
	dir, err := storage.NewDir(cfg.BasePath)
	if err != nil {
		return tools.Deps{}, err
	}
	a.closers = append(a.closers, dir.Close)
	uploads := dir
	switch cfg.UploadPath {
	case cfg.BasePath:
	case "":
		uploads = nil
	default:
		if uploads, err = storage.NewDir(cfg.UploadPath); err != nil {
			return tools.Deps{}, err
		}
		a.closers = append(a.closers, uploads.Close)
	}
	// A caller over HTTP may bring a key of its own.
	key := func(ctx context.Context) string {
		return cmp.Or(transport.CallerOf(ctx).Credential, cfg.APIKey.Reveal())
	}
	a.client = &minimax.Client{
		BaseURL: string(cfg.APIHost),
		Key:     key,
		GroupID: func(ctx context.Context) string {
			if transport.CallerOf(ctx).Credential != "" {
				return "" // that of another account
			}
			return cfg.GroupID
		},
		Query:     cfg.APIQuery.Values,
		UserAgent: name + "/" + strings.Fields(version())[0],
		Log:       a.log,
	}
	var observer tools.Observer
	var around []func(http.RoundTripper) http.RoundTripper
	if t := a.telemetry; t != nil {
		a.client.HTTP = minimax.NewHTTPClient()
		a.client.HTTP.Transport = t.Around(telemetry.API)(a.client.HTTP.Transport)
		a.client.Retried = t.RetriedAPI
		around = append(around, t.Around(telemetry.Storage))
		observer = t
	}
	return tools.Deps{
		Files:       a.client,
		Fetch:       transfer.NewClient(cfg.APIHost.IsLoopback(), around...),
		Observer:    observer,
		Stopping:    a.stopping,
		Dir:         dir,
		Uploads:     uploads,
		ReadOnly:    cfg.ReadOnly,
		LinkOnly:    cfg.ResourceMode == config.ModeURL,
		Remote:      cfg.Transport != config.Stdio,
		Guest:       func(ctx context.Context) bool { return transport.CallerOf(ctx).Credential != "" },
		MaxContent:  max(1, int64(cfg.MaxRequest)*3/4-4<<10), // base64, and what is around it
		MaxBytes:    int64(cfg.MaxDownload),
		Connections: int(cfg.Connections),
		Log:         a.log,
		Confirm:     confirmations[cfg.Confirm],
		CursorKey: func(ctx context.Context) []byte {
			mac := hmac.New(sha256.New, []byte(key(ctx)))
			mac.Write([]byte("cursor\x00" + transport.CallerOf(ctx).ID))
			return mac.Sum(nil)
		},
	}, nil
}

// close lets go of what build took hold of, the last first.
func (a *app) close() {
	for _, c := range slices.Backward(a.closers) {
		if err := c(); err != nil {
			a.log.Debug("closing", "error", err)
		}
	}
}
