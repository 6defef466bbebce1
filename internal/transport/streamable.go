package transport

import (
	"bytes"
	"context"
	"io"
	"net/http"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// newStreamable serves streamable HTTP without sessions: each POST stands for
// itself, whichever server it reaches.
//
// mcp-go speaks the protocol. An [exchange] around each request does what it
// does not: progress comes before the result and is never lost, a client that
// hears nothing is told that the connection lives, and requests of different
// clients that have the same id are not taken for each other.
func newStreamable(h *HTTP) http.Handler {
	mcpgo := server.NewStreamableHTTPServer(h.Server,
		server.WithStateLess(true),
		server.WithDisableLocalhostProtection(true), // fromHere has done that
		server.WithStreamableHTTPLogger(h.Log),
		server.WithHTTPContextFunc(func(ctx context.Context, _ *http.Request) context.Context {
			e, ok := ctx.Value(exchangeKey{}).(*exchange)
			if !ok {
				return ctx
			}
			e.ClientSession = server.ClientSessionFromContext(ctx)
			return h.Server.WithContext(ctx, e)
		}),
	)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost { // GET and DELETE are about sessions
			w.Header().Set("Allow", http.MethodPost)
			refuse(w, http.StatusMethodNotAllowed, "this server keeps no sessions: there is no stream to open and nothing to delete. Messages are sent with POST")
			return
		}
		text, msg, ok := h.readMessage(w, r)
		if !ok {
			return
		}
		ctx := r.Context()
		if !mcp.IsModernProtocol(r.Header.Get(mcp.HeaderProtocolVersion)) {
			// Up to the version before, a connection that breaks is no wish to
			// cancel: that is a message of its own.
			ctx = context.WithoutCancel(ctx)
		}
		e := newExchange(w, r, msg, h.KeepAlive)
		defer e.finish() // also where a handler panics, which is told further out
		r = r.WithContext(context.WithValue(ctx, exchangeKey{}, e))
		r.Body = io.NopCloser(bytes.NewReader(text))
		mcpgo.ServeHTTP(e, r)
	})
}

type exchangeKey struct{}
