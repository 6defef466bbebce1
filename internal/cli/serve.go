package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"runtime"
	"strings"

	"minimax-files-mcp/config"
	"minimax-files-mcp/internal/transport"
	"minimax-files-mcp/tools"
)

// serve is the main job.
func (p *program) serve(ctx context.Context) error {
	cfg, err := p.config()
	if err != nil {
		return err
	}
	a, err := p.build(cfg)
	if err != nil {
		return err
	}
	defer a.close()
	for _, unknown := range config.Unknown(p.environ) {
		a.log.Warn("a variable that means nothing to this program", "name", unknown)
	}
	if a.cfg.Transport == config.Stdio {
		err = p.serveStdio(ctx, a)
	} else {
		err = a.serveHTTP(ctx)
	}
	if err == nil {
		a.log.Info("stopped")
	}
	return err
}

// serveStdio serves one MCP client, over the program's own streams.
func (p *program) serveStdio(ctx context.Context, a *app) error {
	if isTerminal(p.stdin) {
		fmt.Fprintf(p.stderr, "%s is waiting for an MCP client on standard input. To see what it does, run '%s demo'; to stop, press Ctrl-C.\n", name, name)
	}
	if !a.cfg.APIKey.IsSet() {
		a.log.Warn("no API key: the tools will only say how to set MINIMAX_API_KEY")
	}
	a.log.Info("serving MCP over stdio", "version", version(), "api", string(a.cfg.APIHost), "sandbox", p.sandbox, "directory", a.cfg.BasePath)
	return (&transport.Stdio{Server: a.server, In: p.stdin, Out: p.stdout, Log: a.log}).Serve(ctx)
}

// keyHeader is where callers over HTTP may bring a MiniMax key of their own.
const keyHeader = "X-MiniMax-API-Key"

// serveHTTP serves any number of MCP clients, over a network.
func (a *app) serveHTTP(ctx context.Context) error {
	cfg := a.cfg
	h := &transport.HTTP{
		Server:           a.server,
		Log:              a.log,
		Streamable:       cfg.Transport == config.HTTP,
		AllowedHosts:     cfg.AllowedHosts,
		AllowedOrigins:   cfg.AllowedOrigins,
		MaxBody:          int64(cfg.MaxRequest),
		CredentialHeader: keyHeader,
		Limits:           &transport.Limits{PerMinute: int(cfg.CallsPerMinute), Concurrent: int(cfg.CallsAtOnce), Refuse: tools.Limited},
		Outcome:          tools.Outcome,
		Ready:            a.ready,
		Metrics:          a.telemetry.Metrics(),
		Stopping:         a.stop,
		StopAfter:        cfg.StopDelay,
		DrainFor:         cfg.DrainTimeout,
	}
	if u, err := url.Parse(string(cfg.PublicURL)); err == nil {
		h.PublicPath = u.Path
	}
	var auth transport.AnyOf
	if tokens := cfg.AuthTokens.Reveal(); len(tokens) > 0 {
		auth = append(auth, transport.NewTokens(tokens))
	}
	if cfg.OAuthIssuer != "" {
		path := "/mcp"
		if !h.Streamable {
			path = "/sse"
		}
		h.OAuth = &transport.OAuth{Issuer: string(cfg.OAuthIssuer), Audience: cfg.OAuthAudience, Resource: string(cfg.PublicURL) + path, Path: path}
		auth = append(auth, h.OAuth)
	}
	if len(auth) > 0 {
		h.Auth = auth
	}
	ln, err := transport.Listen(ctx, string(cfg.Address))
	if err != nil {
		return usageError{config.Wrong("MCP_ADDRESS", string(cfg.Address), listenReason(err))}
	}
	if cfg.TLSCert != "" {
		secured, err := transport.WithTLS(ln, cfg.TLSCert, cfg.TLSKey, a.log)
		if err != nil {
			_ = ln.Close() // nobody has connected yet
			return usageError{config.Wrong("MCP_TLS_CERT_FILE", cfg.TLSCert, err.Error())}
		}
		ln = secured
	}
	a.greet(ln)
	// The collector runs when the heap has doubled, and that of a server whose
	// calls leave nothing behind is so small that it runs all the time. A block
	// that is never touched, and so takes no memory, has it run after so many
	// bytes more, whatever else lives; a higher GOGC would multiply that too.
	slack := make([]byte, 16<<20)
	defer runtime.KeepAlive(slack)
	return h.Serve(ctx, ln)
}

// listenReason is why an address can't be listened on.
func listenReason(err error) string {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err
	}
	return "it can't be listened on (" + err.Error() + ")"
}

// greet says in the log what the server is, and what an operator may have
// overlooked.
func (a *app) greet(ln net.Listener) {
	cfg := a.cfg
	callers := []string{}
	if len(cfg.AuthTokens.Reveal()) > 0 {
		callers = append(callers, "holders of a bearer token")
	}
	if cfg.OAuthIssuer != "" {
		callers = append(callers, "holders of an access token")
	}
	if len(callers) == 0 {
		callers = append(callers, "anybody on this machine")
	}
	a.log.Info("serving MCP over "+string(cfg.Transport), "address", ln.Addr().String(), "version", version(), "api", string(cfg.APIHost),
		"callers", strings.Join(callers, ", "), "downloads", string(cfg.ResourceMode), "sandbox", a.sandbox != nil)
	if !cfg.APIKey.IsSet() {
		a.log.Warn("no API key: only callers that send their own, in the header " + keyHeader + ", can do anything")
	}
	if !cfg.Address.IsPrivate() && cfg.TLSCert == "" && cfg.PublicURL == "" {
		a.log.Warn("tokens and links travel in clear, unless a proxy in front speaks TLS: set MCP_TLS_CERT_FILE, or MCP_PUBLIC_URL to the address of the proxy")
	}
}

// ready is nil if the API answers.
func (a *app) ready(ctx context.Context) error {
	probe := *a.client
	probe.HTTP = nil // what is asked here is no call's, and not counted
	return probe.Reach(ctx)
}
