package transport

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"sync"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// A Caller is who makes a request over HTTP.
type Caller struct {
	// Who is the one who was let in: "anonymous", "token 5f3a…", "user alice".
	Who string
	// ID tells callers apart, and is the same on every replica: Who, and a
	// fingerprint of the credential, if there is one.
	ID string
	// Credential is what the caller brought for the upstream API, in the header
	// that [HTTP.CredentialHeader] names; "" if nothing. It is never printed.
	Credential string
}

// CallerOf returns who makes the request that ctx belongs to, the zero Caller
// over stdio.
func CallerOf(ctx context.Context) Caller {
	if r := requestOf(ctx); r != nil {
		return r.caller
	}
	return Caller{}
}

// fingerprint names a secret without giving it away.
func fingerprint(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:6])
}

// A request is what is known of one HTTP request: for its log line, and for all
// that is done on its behalf.
type request struct {
	id     string
	trace  map[string]string // what its headers say of the trace it is part of
	caller Caller            // set before any MCP is spoken

	mu      sync.Mutex
	method  string // of MCP
	tool    string
	outcome string
}

type requestKey struct{}

func withRequest(ctx context.Context, r *request) context.Context {
	return context.WithValue(ctx, requestKey{}, r)
}

func requestOf(ctx context.Context) *request {
	r, _ := ctx.Value(requestKey{}).(*request)
	return r
}

// TraceOf returns the traceparent and tracestate of the HTTP request that ctx
// belongs to, nil where there are none.
func TraceOf(ctx context.Context) map[string]string {
	if r := requestOf(ctx); r != nil {
		return r.trace
	}
	return nil
}

// noted is a middleware of tools that notes how a call ended, for the log line
// of its request.
func (h *HTTP) noted(next server.ToolHandlerFunc) server.ToolHandlerFunc {
	return func(ctx context.Context, call mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		result, err := next(ctx, call)
		if r := requestOf(ctx); r != nil && h.Outcome != nil {
			r.ends(h.Outcome(result, err))
		}
		return result, err
	}
}

// abandoned is a middleware of tools that ends their calls when running is
// done. The request itself goes on, so that there is an answer.
func abandoned(running context.Context) server.ToolHandlerMiddleware {
	return func(next server.ToolHandlerFunc) server.ToolHandlerFunc {
		return func(ctx context.Context, call mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			ctx, stop := context.WithCancelCause(ctx)
			defer stop(nil)
			defer context.AfterFunc(running, func() { stop(context.Cause(running)) })()
			return next(ctx, call)
		}
	}
}

// speaks notes what the request says.
func (r *request) speaks(method, tool string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.method, r.tool = method, tool
}

// ends notes how the tool call ended.
func (r *request) ends(outcome string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.outcome = outcome
}

// LogHandler adds to each record the request that it is about, and its caller.
func LogHandler(to slog.Handler) slog.Handler { return logHandler{to} }

type logHandler struct{ slog.Handler }

func (h logHandler) Handle(ctx context.Context, record slog.Record) error {
	if r := requestOf(ctx); r != nil {
		record.AddAttrs(slog.String("request_id", r.id))
		if r.caller.ID != "" {
			record.AddAttrs(slog.String("caller", r.caller.ID))
		}
	}
	return h.Handler.Handle(ctx, record)
}

func (h logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return logHandler{h.Handler.WithAttrs(attrs)}
}

func (h logHandler) WithGroup(name string) slog.Handler {
	return logHandler{h.Handler.WithGroup(name)}
}
