package transport

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// An exchange is one POST and its answer. To mcp-go it is both the client's
// session, which takes notifications, and the writer of the response. The
// answer is plain JSON, unless something is to be said before it: then it
// becomes a stream of events, of which the response is the last.
type exchange struct {
	server.ClientSession // mcp-go's own, for what is of no concern here
	scope                string
	id                   json.RawMessage // of the request
	missing              string          // a capability that the tool wants of the client

	notifications chan mcp.JSONRPCNotification
	stop, stopped chan struct{} // nil where nothing can be said before the answer

	header http.Header // of a plain answer
	status int
	body   bytes.Buffer

	mu        sync.Mutex
	response  http.ResponseWriter
	control   *http.ResponseController
	streaming bool
	broken    bool // nobody reads any more
}

// newExchange also gives the client of an older version an id to tell its
// requests from those of others by. Nothing is kept under it.
func newExchange(w http.ResponseWriter, r *http.Request, msg outline, keepAlive time.Duration) *exchange {
	e := &exchange{
		id: msg.ID, notifications: make(chan mcp.JSONRPCNotification, maxUnsent),
		response: w, control: http.NewResponseController(w), header: http.Header{},
	}
	session := r.Header.Get(server.HeaderKeySessionID)
	r.Header.Del(server.HeaderKeySessionID)
	if msg.Method == string(mcp.MethodInitialize) {
		e.header.Set(server.HeaderKeySessionID, rand.Text())
	}
	if !isPlain(session) {
		session = rand.Text()
	}
	e.scope = CallerOf(r.Context()).ID + "\x00" + session
	speaks := msg.Method == string(mcp.MethodToolsCall) || msg.Method == string(mcp.MethodSubscriptionsListen)
	if speaks && strings.Contains(strings.Join(r.Header.Values("Accept"), ","), "text/event-stream") {
		e.stop, e.stopped = make(chan struct{}), make(chan struct{})
		go e.speak(keepAlive)
	}
	return e
}

// speak says what is to be said before the answer.
func (e *exchange) speak(keepAlive time.Duration) {
	defer close(e.stopped)
	beats := time.NewTicker(keepAlive)
	defer beats.Stop()
	for {
		select {
		case n := <-e.notifications:
			e.notify(n)
		case <-beats.C:
			e.write(": still here\n\n")
		case <-e.stop:
			for {
				select {
				case n := <-e.notifications:
					e.notify(n)
				default:
					return
				}
			}
		}
	}
}

func (e *exchange) notify(n mcp.JSONRPCNotification) {
	if text, err := json.Marshal(n); err == nil { // what mcp-go makes, marshals
		e.write(event(text))
	}
}

func event(text []byte) string {
	return "event: message\ndata: " + string(bytes.TrimSpace(text)) + "\n\n"
}

// write makes a stream of the answer if it is none yet.
func (e *exchange) write(text string) {
	e.mu.Lock()
	defer e.mu.Unlock()
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
	_, err := io.WriteString(e.response, text) //nolint:gosec // no browser takes it for a page
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
		if e.body.Len() > 0 {
			e.write(event(e.body.Bytes()))
		}
		return
	}
	if e.status == 0 {
		return // mcp-go has not come to an answer
	}
	_ = e.control.SetWriteDeadline(time.Now().Add(writeTimeout))
	maps.Copy(e.response.Header(), e.header)
	e.response.Header().Set("Content-Length", strconv.Itoa(e.body.Len()))
	e.response.WriteHeader(e.status)
	_, _ = e.response.Write(e.body.Bytes()) //nolint:gosec // no browser takes it for a page; if nobody reads it, nobody waits for it
	_ = e.control.Flush()                   // within the deadline
}

// correct puts right what mcp-go says otherwise: it reads an id as a float, and
// the client gets back what it sent; and it has one code for all errors of
// tools, where the protocol has one of its own for a client that lacks what
// the tool wants of it.
func (e *exchange) correct() {
	if e.missing == "" && (len(e.id) == 0 || bytes.HasPrefix(e.body.Bytes(), []byte(`{"jsonrpc":"2.0","id":`+string(e.id)+`,`))) {
		return
	}
	var answer struct {
		JSONRPC string                   `json:"jsonrpc"`
		ID      json.RawMessage          `json:"id"`
		Result  json.RawMessage          `json:"result,omitempty"`
		Error   *mcp.JSONRPCErrorDetails `json:"error,omitempty"`
	}
	if json.Unmarshal(e.body.Bytes(), &answer) != nil || answer.JSONRPC == "" {
		return
	}
	if len(e.id) > 0 && string(answer.ID) != "null" {
		answer.ID = e.id
	}
	if e.missing != "" && answer.Error != nil {
		answer.Error.Code = mcp.MISSING_REQUIRED_CLIENT_CAPABILITY
		answer.Error.Data = map[string]any{"requiredCapabilities": map[string]any{e.missing: map[string]any{}}}
		e.status = http.StatusBadRequest
	}
	e.body.Reset()
	_ = json.NewEncoder(&e.body).Encode(answer) // it was JSON
}

// capable is a middleware of tools for the error that a client lacks what the
// tool wants of it. None of ours fails so, because they answer in words.
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

// The writer, for mcp-go. What it streams by itself are the notifications that
// a client listens for.

func (e *exchange) Header() http.Header    { return e.header }
func (e *exchange) WriteHeader(status int) { e.status = status }
func (*exchange) Flush()                   {}

func (e *exchange) Write(p []byte) (int, error) {
	if e.header.Get("Content-Type") == "text/event-stream" {
		e.write(string(p))
		return len(p), nil
	}
	return e.body.Write(p)
}

// The session, for mcp-go.

func (e *exchange) SessionID() string { return e.scope }
func (*exchange) Initialize()         {}
func (*exchange) Initialized() bool   { return true }

func (e *exchange) NotificationChannel() chan<- mcp.JSONRPCNotification { return e.notifications }

// A level that is set is not remembered: there is no session to remember it
// for, and the protocol leaves the server free in what it logs until one is.

func (*exchange) SetLogLevel(mcp.LoggingLevel)  {}
func (*exchange) GetLogLevel() mcp.LoggingLevel { return mcp.LoggingLevelInfo }

// What a client listens for is broadcast to mcp-go's own session.

func (e *exchange) SetSubscriptionFilter(filter mcp.SubscriptionFilter) {
	if s, ok := e.ClientSession.(server.SessionWithSubscriptionFilter); ok {
		s.SetSubscriptionFilter(filter)
	}
}

func (e *exchange) SubscriptionFilter() (mcp.SubscriptionFilter, bool) {
	if s, ok := e.ClientSession.(server.SessionWithSubscriptionFilter); ok {
		return s.SubscriptionFilter()
	}
	return mcp.SubscriptionFilter{}, false
}
