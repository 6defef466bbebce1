package transport

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// A conn is one client's connection, and its session in mcp-go's terms: what
// the client says is dispatched, and what the server says goes out in order,
// one message at a time.
type conn struct {
	*asking
	id     string
	server *server.MCPServer
	log    *slog.Logger
	// send writes one message. Its error means that the client is gone.
	send func(message []byte) error
	// beat tells a client that hears nothing that the connection lives, every so
	// often; nil where there is no need.
	beat      func() error
	beatEvery time.Duration
	// refuses says that a request on top of maxInFlight is refused, where it would
	// wait otherwise.
	refuses bool
	// ended is closed when nobody hears what is said any more; nil where a
	// failing send tells.
	ended <-chan struct{}

	cancel        context.CancelCauseFunc // of all that runs
	responses     chan mcp.JSONRPCMessage
	notifications chan mcp.JSONRPCNotification
	written       chan struct{} // closed when the writer has ended
	slots         chan struct{}
	wait          sync.WaitGroup

	mu      sync.Mutex
	running map[string]context.CancelCauseFunc // by the JSON of the request's id
}

const (
	maxInFlight = 256 // requests of a connection; then reading waits
	maxUnsent   = 256 // notifications; what comes on top is lost
)

var errClientGone = errors.New("the client is gone")

func newConn(id string, s *server.MCPServer, log *slog.Logger, cancel context.CancelCauseFunc, send func([]byte) error) *conn {
	return &conn{
		asking: newAsking(), id: id, server: s, log: log, send: send, cancel: cancel,
		responses:     make(chan mcp.JSONRPCMessage),
		notifications: make(chan mcp.JSONRPCNotification, maxUnsent),
		written:       make(chan struct{}),
		slots:         make(chan struct{}, maxInFlight),
		running:       map[string]context.CancelCauseFunc{},
	}
}

func (c *conn) SessionID() string { return c.id }
func (*conn) Initialize()         {}

// Initialized is true from the start: progress of a call is owed to its client
// whether or not it shook hands.
func (*conn) Initialized() bool { return true }

func (c *conn) NotificationChannel() chan<- mcp.JSONRPCNotification { return c.notifications }

// dispatch starts what a message asks for.
func (c *conn) dispatch(ctx, subscriptions context.Context, text []byte) {
	refuse := func(code int, why string) { c.respond(ctx.Done(), failure(code, why)) }
	var msg outline
	err := json.Unmarshal(text, &msg) // of a field of an unexpected type, mcp-go says which
	switch {
	case !json.Valid(text):
		refuse(mcp.PARSE_ERROR, "the message is not JSON")
	case text[0] == '[':
		refuse(mcp.INVALID_REQUEST, "batches are not supported: send one message at a time")
	case text[0] == '{' && msg.Method == "" && (msg.Result != nil || msg.Error != nil):
		c.answered(msg)
	case text[0] != '{', err == nil && msg.Method == "":
		refuse(mcp.INVALID_REQUEST, "it is JSON, but not a JSON-RPC message")
	case msg.Method == string(mcp.MethodNotificationCancelled):
		c.cancelRequest(msg.Params.RequestID)
	case len(msg.ID) == 0:
		c.handle(ctx, text)
	case msg.Method == string(mcp.MethodInitialize):
		// What follows may rely on it, so it is not run beside them.
		c.answer(ctx, ctx.Done(), msg.ID, text)
	case c.isRunning(msg.ID):
		refuse(mcp.INVALID_REQUEST, fmt.Sprintf("the id %.100s is that of a request that still runs", msg.ID))
	default:
		if !c.slot(ctx) {
			c.respond(ctx.Done(), withID(msg.ID, failure(mcp.INVALID_REQUEST, fmt.Sprintf("%d requests of this connection run already", maxInFlight))))
			return
		}
		if msg.Method == string(mcp.MethodSubscriptionsListen) {
			ctx = subscriptions
		}
		// Registered here, in the order of the input, so that a cancellation
		// on the next line can't come too early.
		ctx, stop := context.WithCancelCause(ctx)
		key := string(msg.ID)
		c.mu.Lock()
		c.running[key] = stop
		c.mu.Unlock()
		c.wait.Go(func() {
			defer func() { <-c.slots }()
			defer stop(nil)
			c.answer(ctx, nil, msg.ID, text)
			c.mu.Lock()
			delete(c.running, key)
			c.mu.Unlock()
		})
	}
}

// slot waits until a request may run. It reports false if it may not.
func (c *conn) slot(ctx context.Context) bool {
	select {
	case c.slots <- struct{}{}:
		return true
	default:
	}
	if c.refuses {
		return false
	}
	select {
	case c.slots <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (c *conn) isRunning(id json.RawMessage) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.running[string(id)] != nil
}

// errWithdrawn is the cause of a request that its client has cancelled.
var errWithdrawn = fmt.Errorf("the client withdrew the request: %w", context.Canceled)

// cancelRequest stops a request; it gets no answer, as the protocol wants.
func (c *conn) cancelRequest(id json.RawMessage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if stop := c.running[string(id)]; stop != nil {
		stop(errWithdrawn)
	}
}

// answer handles a request and hands its response over, unless giveUp ends
// the attempt.
func (c *conn) answer(ctx context.Context, giveUp <-chan struct{}, id json.RawMessage, text []byte) {
	response := c.handle(ctx, text)
	if response == nil || errors.Is(context.Cause(ctx), errWithdrawn) {
		return
	}
	c.respond(giveUp, withID(id, response))
}

// withID gives the client back the id that it sent. mcp-go reads it as a float.
func withID(id json.RawMessage, response mcp.JSONRPCMessage) mcp.JSONRPCMessage {
	exact := mcp.NewRequestId(id)
	switch r := response.(type) {
	case mcp.JSONRPCResponse:
		r.ID = exact
		return r
	case mcp.JSONRPCError:
		r.ID = exact
		return r
	}
	return response
}

func (c *conn) handle(ctx context.Context, text []byte) (response mcp.JSONRPCMessage) {
	defer func() {
		if r := recover(); r != nil {
			c.log.ErrorContext(ctx, "panic", "panic", r, "stack", string(debug.Stack()))
			response = failure(mcp.INTERNAL_ERROR, "internal error; the server's log has details")
		}
	}()
	return c.server.HandleMessage(ctx, text)
}

// failure answers what has no id, or whose id answer puts in.
func failure(code int, text string) mcp.JSONRPCMessage {
	return mcp.JSONRPCError{
		JSONRPC: mcp.JSONRPC_VERSION,
		ID:      mcp.NewRequestId(nil),
		Error:   mcp.NewJSONRPCErrorDetails(code, text, nil),
	}
}

// respond hands a response to the writer. What is said from the reading loop
// gives up when the server is to stop, lest a client that reads nothing holds
// it; what a request's own goroutine says has the patience of drain.
func (c *conn) respond(giveUp <-chan struct{}, response mcp.JSONRPCMessage) {
	select {
	case c.responses <- response:
	case <-c.written:
	case <-giveUp:
	}
}

// write is the only writer. A call's notifications were in their channel
// before its response is in the other, so emptying the first before writing
// the second keeps progress before results.
func (c *conn) write() {
	defer close(c.written)
	var beats <-chan time.Time
	if c.beat != nil {
		ticker := time.NewTicker(c.beatEvery)
		defer ticker.Stop()
		beats = ticker.C
	}
	for {
		select {
		case <-c.ended:
			return
		case <-beats:
			if !c.reached(c.beat()) {
				return
			}
		case n := <-c.notifications:
			if !c.emit(n) {
				return
			}
		case response, more := <-c.responses:
			for empty := false; !empty; {
				select {
				case n := <-c.notifications:
					if !c.emit(n) {
						return
					}
				default:
					empty = true
				}
			}
			if !more || !c.emit(response) {
				return
			}
		}
	}
}

func (c *conn) emit(msg any) bool {
	text, err := json.Marshal(msg)
	if err != nil {
		c.log.Error("a message could not be written as JSON", "error", err)
		response, ok := msg.(mcp.JSONRPCResponse)
		if !ok {
			return true
		}
		instead := mcp.JSONRPCError{JSONRPC: mcp.JSONRPC_VERSION, ID: response.ID,
			Error: mcp.NewJSONRPCErrorDetails(mcp.INTERNAL_ERROR, "the result can't be written as JSON", nil)}
		if text, err = json.Marshal(instead); err != nil {
			return true
		}
	}
	return c.reached(c.send(text))
}

// reached reports that a message has gone out; if not, all that runs for the
// client is in vain.
func (c *conn) reached(err error) bool {
	if err != nil {
		c.cancel(fmt.Errorf("%w: %w", errClientGone, err))
	}
	return err == nil
}
