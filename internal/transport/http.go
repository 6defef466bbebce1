package transport

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// HTTP serves any number of clients over a network: with streamable HTTP, which
// keeps nothing between requests, so that any number of servers can stand
// behind a balancer, and with the pair of SSE endpoints that came before it,
// which lives as long as its stream.
type HTTP struct {
	Server *server.MCPServer
	Log    *slog.Logger
	// Streamable has /mcp served beside /sse and /message.
	Streamable bool
	// PublicPath is what a proxy puts before the paths here, "" if nothing.
	PublicPath string
	// AllowedHosts are names that requests may have as their Host, in lower case
	// and without port, beside loopback names and the address that is listened
	// on.
	AllowedHosts []string
	// AllowedOrigins are the origins, in lower case, whose pages may use the
	// server: "https://app.example.com".
	AllowedOrigins []string
	// MaxBody is the largest request in bytes; 4 MiB if 0.
	MaxBody int64
	// Auth tells who calls; nil lets everybody in, as one caller.
	Auth Authenticator
	// OAuth describes where tokens come from; nil where they come by hand.
	OAuth *OAuth
	// CredentialHeader is a header in which callers may bring a credential of
	// their own for the upstream API, see [Caller]; "" if none.
	CredentialHeader string
	// Ready reports what keeps the server from being of use; nil means that
	// nothing does. It is asked now and then.
	Ready func(context.Context) error
	// Limits bound what each caller may do; nil means nothing does.
	Limits *Limits
	// Outcome is the end of a tool call in a word, for the log; nil leaves it out.
	Outcome func(*mcp.CallToolResult, error) string
	// Metrics answers /metrics, which wants the same token as all else; nil
	// leaves it out.
	Metrics http.Handler
	// Stopping is called when calls that can end early should, as the server is
	// about to stop; nil if none can.
	Stopping func()
	// StopAfter is how long the server goes on as before when it is told to stop,
	// but for not being ready, so that a balancer can notice; 0 is not at all.
	StopAfter time.Duration
	// DrainFor is how long it then waits for what runs; 30 s if 0.
	DrainFor time.Duration
	// KeepAlive is how often a client that hears nothing is told that the
	// connection lives; 15 s if 0.
	KeepAlive time.Duration

	draining  atomic.Bool
	readiness readiness
}

// The paths.
const (
	pathMCP      = "/mcp"
	pathSSE      = "/sse"
	pathMessage  = "/message"
	pathHealth   = "/healthz"
	pathReady    = "/readyz"
	pathMetrics  = "/metrics"
	pathResource = server.WellKnownProtectedResourcePath
)

// How long clients may take. There is no bound on an answer as a whole: a
// stream lasts as long as its client stays. Each write of one has its own.
const (
	headerTimeout = 10 * time.Second
	bodyTimeout   = 30 * time.Second
	idleTimeout   = 2 * time.Minute
	writeTimeout  = 30 * time.Second
	maxHeader     = 32 << 10 // bytes
	maxLull       = 2 * time.Second
)

const defaultMaxBody = 4 << 20

// Serve answers on ln until ctx is done. Then it is not ready any more, and
// after StopAfter it ends: first the streams, once the calls made on them are
// answered, then the taking of requests, once those it has are. What takes
// longer than DrainFor is abandoned. It closes ln.
func (h *HTTP) Serve(ctx context.Context, ln net.Listener) error {
	h.KeepAlive = cmp.Or(h.KeepAlive, 15*time.Second)
	h.Server.Use(h.noted, capable)
	running, abandon := context.WithCancelCause(context.WithoutCancel(ctx))
	defer abandon(errDraining)
	h.Server.Use(abandoned(running))
	if h.Limits != nil {
		h.Server.Use(h.Limits.Tool)
	}
	streams := newSSE(h)
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	open := newConnections()
	srv := &http.Server{
		Handler:           h.routes(streams),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       bodyTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		Protocols:         protocols,
		ConnState:         open.changed,
		ErrorLog:          slog.NewLogLogger(h.Log.Handler(), slog.LevelDebug), // what broken clients do
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	select {
	case err := <-served:
		return fmt.Errorf("http: %w", err)
	case <-ctx.Done():
	}
	h.draining.Store(true)
	h.Log.Info("stopping: what runs is finished first")
	select {
	case err := <-served:
		return fmt.Errorf("http: %w", err)
	case <-time.After(h.StopAfter):
	}
	if h.Stopping != nil {
		h.Stopping()
	}
	h.drain(running, streams, ln, served, open)
	abandon(errDraining) // and a moment for saying so
	moment, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	streams.drain(moment)
	open.wait(moment, 0)
	if err := srv.Close(); !errors.Is(err, net.ErrClosed) { // as the listener was, before
		return err
	}
	return nil
}

// drain waits for what runs, and has no more requests taken.
func (h *HTTP) drain(running context.Context, streams *sse, ln net.Listener, served <-chan error, open *connections) {
	most := cmp.Or(h.DrainFor, 30*time.Second)
	patience, cancel := context.WithTimeout(running, most)
	defer cancel()
	// What clients say to calls on their streams comes as requests. They leave
	// some time to those that are taken meanwhile.
	first, cancelFirst := context.WithTimeout(patience, most*3/4)
	defer cancelFirst()
	streams.drain(first)
	quiesce(ln)
	if err := <-served; err != nil { // then all that was accepted is known to open
		h.Log.Debug("no more connections are taken", "reason", err)
	}
	open.wait(patience, min(h.StopAfter, maxLull))
	if patience.Err() != nil {
		h.Log.Warn("calls that took too long are abandoned; downloads go on when they are asked for again")
	}
}

// routes is who answers what. A middleware is met in the order in which it is
// named.
func (h *HTTP) routes(streams *sse) http.Handler {
	guarded := func(next http.HandlerFunc) http.Handler {
		return h.fromHere(h.bounded(h.authenticated(next)))
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+pathHealth, healthy)
	mux.HandleFunc("GET "+pathReady, h.ready)
	mux.Handle(pathSSE, guarded(streams.open))
	mux.Handle(pathMessage, guarded(streams.message))
	if h.Streamable {
		streamable := guarded(newStreamable(h).ServeHTTP)
		mux.Handle(pathMCP, streamable)
		mux.Handle(pathMCP+"/{$}", streamable) // as some clients have it
	}
	if h.Metrics != nil {
		mux.Handle(pathMetrics, guarded(h.Metrics.ServeHTTP))
	}
	if h.OAuth != nil {
		mux.Handle("GET "+pathResource, h.fromHere(http.HandlerFunc(h.OAuth.metadata)))
		mux.Handle("GET "+pathResource+h.OAuth.Path, h.fromHere(http.HandlerFunc(h.OAuth.metadata)))
	}
	mux.Handle("/", h.fromHere(http.HandlerFunc(h.elsewhere)))
	return h.identified(h.logged(h.recovering(h.closing(mux))))
}

// elsewhere answers who has the wrong path.
func (h *HTTP) elsewhere(w http.ResponseWriter, _ *http.Request) {
	where := "its MCP endpoint is " + pathSSE + " (SSE)"
	if h.Streamable {
		where = "its MCP endpoints are " + pathMCP + " (streamable HTTP) and " + pathSSE + " (SSE)"
	}
	refuse(w, http.StatusNotFound, "there is nothing at this path of this server; "+where)
}

// closing asks clients, once the server is to stop, to connect anew for their
// next request, so that a balancer can send it elsewhere.
func (h *HTTP) closing(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h.draining.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// bounded refuses bodies that are too large, before they are read where their
// length is told.
func (h *HTTP) bounded(next http.Handler) http.Handler {
	most := cmp.Or(h.MaxBody, defaultMaxBody)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength > most {
			w.Header().Set("Connection", "close")
			refuse(w, http.StatusRequestEntityTooLarge, tooLarge(most))
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, most)
		next.ServeHTTP(w, r)
	})
}

func tooLarge(most int64) string {
	return fmt.Sprintf("the request is larger than the %d bytes that are allowed: send less, or have the server's operator raise MCP_MAX_REQUEST_BYTES", most)
}
