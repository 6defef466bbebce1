package transport

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// newStreamable serves streamable HTTP without sessions: each POST stands for
// itself, whichever server it reaches.
//
// mcp-go speaks the protocol. An [exchange] around each request does what it
// does not: progress comes before the result and is never lost, a client that
// hears nothing is told that the connection lives, and requests of different
// clients that have the same id are not taken for each other. What runs when
// running is done is abandoned.
func newStreamable(h *HTTP, running context.Context) http.Handler {
	mcpgo := server.NewStreamableHTTPServer(h.Server,
		server.WithStateLess(true),
		server.WithDisableLocalhostProtection(true), // fromHere has done that
		server.WithStreamableHTTPLogger(h.Log),
		server.WithHTTPContextFunc(func(ctx context.Context, _ *http.Request) context.Context {
			if e, ok := ctx.Value(exchangeKey{}).(*exchange); ok {
				return h.Server.WithContext(ctx, e)
			}
			return ctx
		}),
	)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost { // GET and DELETE are about sessions
			w.Header().Set("Allow", http.MethodPost)
			refuse(w, http.StatusMethodNotAllowed, "this server keeps no sessions: there is no stream to open and nothing to delete. Messages are sent with POST")
			return
		}
		text, msg, ok := readMessage(w, r)
		if !ok {
			return
		}
		ctx := r.Context()
		modern := mcp.IsModernProtocol(r.Header.Get(mcp.HeaderProtocolVersion))
		if !modern {
			// Up to the version before, a connection that breaks is no wish to
			// cancel: that is a message of its own.
			lasting, stop := context.WithCancelCause(context.WithoutCancel(ctx))
			defer stop(nil)
			defer context.AfterFunc(running, func() { stop(context.Cause(running)) })()
			ctx = lasting
		}
		if msg.Method == string(mcp.MethodSubscriptionsListen) { // mcp-go streams that itself
			serve(mcpgo, w, r, ctx, text)
			return
		}
		e := newExchange(w, r, msg, h.KeepAlive)
		serve(mcpgo, e, r, context.WithValue(ctx, exchangeKey{}, e), text)
		e.finish()
	})
}

func serve(h http.Handler, w http.ResponseWriter, r *http.Request, ctx context.Context, text []byte) {
	r = r.WithContext(ctx)
	r.Body = io.NopCloser(bytes.NewReader(text))
	h.ServeHTTP(w, r)
}

type exchangeKey struct{}

// An exchange is one POST and its answer. To mcp-go it is both the client's
// session, which takes notifications, and the writer of the response. The
// answer is plain JSON, unless something is to be said before it: then it
// becomes a stream of events, of which the response is the last.
type exchange struct {
	scope string

	notifications chan mcp.JSONRPCNotification
	response      http.ResponseWriter
	control       *http.ResponseController
	header        http.Header // of a plain answer
	status        int
	body          bytes.Buffer
	missing       string // a capability that the tool wants of the client

	// Until stopped is closed these are the speaker's, afterwards finish's.
	streaming bool
	broken    bool // nobody reads any more

	stop, stopped chan struct{} // nil where nothing can be said before the answer
}

// newExchange also gives the client of an older version an id to tell its
// requests from those of others by. Nothing is kept under it.
func newExchange(w http.ResponseWriter, r *http.Request, msg outline, keepAlive time.Duration) *exchange {
	e := &exchange{
		notifications: make(chan mcp.JSONRPCNotification, maxUnsent),
		response:      w, control: http.NewResponseController(w), header: http.Header{},
	}
	session := r.Header.Get(server.HeaderKeySessionID)
	r.Header.Del(server.HeaderKeySessionID)
	if msg.Method == string(mcp.MethodInitialize) {
		e.header.Set(server.HeaderKeySessionID, rand.Text())
	}
	if !plainID.MatchString(session) {
		session = rand.Text()
	}
	e.scope = CallerOf(r.Context()).ID + "\x00" + session
	if msg.Method == string(mcp.MethodToolsCall) && strings.Contains(strings.Join(r.Header.Values("Accept"), ","), "text/event-stream") {
		e.stop, e.stopped = make(chan struct{}), make(chan struct{})
		go e.speak(keepAlive)
	}
	return e
}

// speak writes what is to be said before the answer.
func (e *exchange) speak(keepAlive time.Duration) {
	defer close(e.stopped)
	beats := time.NewTicker(keepAlive)
	defer beats.Stop()
	for {
		select {
		case n := <-e.notifications:
			e.event(n)
		case <-beats.C:
			e.write(": still here\n\n")
		case <-e.stop:
			for {
				select {
				case n := <-e.notifications:
					e.event(n)
				default:
					return
				}
			}
		}
	}
}

func (e *exchange) event(message any) {
	if text, err := json.Marshal(message); err == nil { // what mcp-go makes, marshals
		e.write("event: message\ndata: " + string(text) + "\n\n")
	}
}

// write makes a stream of the answer if it is none yet.
func (e *exchange) write(event string) {
	if e.broken {
		return
	}
	_ = e.control.SetWriteDeadline(time.Now().Add(writeTimeout)) // not every writer has one
	if !e.streaming {
		e.streaming = true
		header := e.response.Header()
		header.Set("Content-Type", "text/event-stream")
		header.Set("Cache-Control", "no-store")
		header.Set("X-Accel-Buffering", "no") // or nginx keeps events back
		e.response.WriteHeader(http.StatusOK)
	}
	_, err := io.WriteString(e.response, event)
	if err == nil {
		err = e.control.Flush()
	}
	e.broken = err != nil
}

// finish sends the answer.
func (e *exchange) finish() {
	if e.stop != nil {
		close(e.stop)
		<-e.stopped
	}
	e.correct()
	defer e.control.SetWriteDeadline(time.Time{}) //nolint:errcheck // the connection may serve other requests
	if e.streaming {
		if text := bytes.TrimSpace(e.body.Bytes()); len(text) > 0 {
			e.write("event: message\ndata: " + string(text) + "\n\n")
		}
		return
	}
	_ = e.control.SetWriteDeadline(time.Now().Add(writeTimeout))
	for name, values := range e.header {
		e.response.Header()[name] = values
	}
	if e.status != 0 {
		e.response.WriteHeader(e.status)
	}
	_, _ = e.response.Write(e.body.Bytes()) // if nobody reads it, nobody waits for it
}

// capable is a middleware of tools for the error that a client lacks what the
// tool wants of it. It has a code of its own in the protocol, and mcp-go calls
// all errors of tools internal.
func capable(next server.ToolHandlerFunc) server.ToolHandlerFunc {
	return func(ctx context.Context, call mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		result, err := next(ctx, call)
		if lack, ok := errors.AsType[mcp.MissingRequiredClientCapabilityError](err); ok {
			if e, ok := server.ClientSessionFromContext(ctx).(*exchange); ok {
				e.missing = lack.Capability
			}
		}
		return result, err
	}
}

// correct says what is missing, if that is why the call failed.
func (e *exchange) correct() {
	var answer mcp.JSONRPCError
	if e.missing == "" || json.Unmarshal(e.body.Bytes(), &answer) != nil {
		return
	}
	answer.Error.Code = mcp.MISSING_REQUIRED_CLIENT_CAPABILITY
	answer.Error.Data = map[string]any{"requiredCapabilities": map[string]any{e.missing: map[string]any{}}}
	e.status = http.StatusBadRequest
	e.body.Reset()
	_ = json.NewEncoder(&e.body).Encode(answer) // it was JSON
}

// The writer, for mcp-go.

func (e *exchange) Header() http.Header         { return e.header }
func (e *exchange) WriteHeader(status int)      { e.status = status }
func (e *exchange) Write(p []byte) (int, error) { return e.body.Write(p) }

// The session, for mcp-go.

func (e *exchange) SessionID() string { return e.scope }
func (*exchange) Initialize()         {}
func (*exchange) Initialized() bool   { return true }

// A level that is set is not remembered: there is no session to remember it
// for, and the protocol leaves the server free in what it logs until one is.

func (*exchange) SetLogLevel(mcp.LoggingLevel)  {}
func (*exchange) GetLogLevel() mcp.LoggingLevel { return mcp.LoggingLevelInfo }

func (e *exchange) NotificationChannel() chan<- mcp.JSONRPCNotification { return e.notifications }
