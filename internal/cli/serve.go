package cli

import (
	"context"
	"fmt"

	"minimax-files-mcp/config"
	"minimax-files-mcp/internal/transport"
)

// serve is the main job: one MCP client, over the program's own streams.
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
	if isTerminal(p.stdin) {
		fmt.Fprintf(p.stderr, "%s is waiting for an MCP client on standard input. To see what it does, run '%s demo'; to stop, press Ctrl-C.\n", name, name)
	}
	for _, unknown := range config.Unknown(p.environ) {
		a.log.Warn("a variable that means nothing to this program", "name", unknown)
	}
	if !a.cfg.APIKey.IsSet() {
		a.log.Warn("no API key: the tools will only say how to set MINIMAX_API_KEY")
	}
	a.log.Info("serving MCP over stdio", "version", version(), "api", string(a.cfg.APIHost), "sandbox", p.sandbox, "directory", a.cfg.BasePath)
	err = (&transport.Stdio{Server: a.server, In: p.stdin, Out: p.stdout, Log: a.log}).Serve(ctx)
	if err == nil {
		a.log.Info("stopped")
	}
	return err
}
