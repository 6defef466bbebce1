// Package transport carries MCP messages between clients and a server. [Stdio]
// is the one over a pair of pipes.
package transport

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// Stdio serves one client: a JSON-RPC message per line in, one per line out.
//
// mcp-go has a stdio server too. This one exists because that one cancels
// running calls at the end of input, so that piped requests lose answers,
// writes progress from a goroutine of its own, after results, and reads lines
// of any length into memory.
type Stdio struct {
	Server *server.MCPServer
	In     io.Reader
	Out    io.Writer
	Log    *slog.Logger
	// MaxLine is the longest message in bytes; a longer one is skipped and
	// answered with an error. 4 MiB if 0.
	MaxLine int
}

const (
	defaultMaxLine = 4 << 20
	maxInFlight    = 256 // requests; then reading waits
	drainPatience  = 2 * time.Second
	goneCheck      = 500 * time.Millisecond
)

var errClientGone = errors.New("the client is gone")

// Serve answers until the input ends, and then until every request read from
// it is answered. It ends earlier, abandoning what runs, when ctx is done or
// when nobody reads the output any more; neither is an error.
func (s *Stdio) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	conn := &stdioConn{
		Stdio:         s,
		asking:        newAsking(),
		cancel:        cancel,
		responses:     make(chan mcp.JSONRPCMessage),
		notifications: make(chan mcp.JSONRPCNotification, 256),
		written:       make(chan struct{}),
		running:       map[string]context.CancelCauseFunc{},
		slots:         make(chan struct{}, maxInFlight),
	}
	if err := s.Server.RegisterSession(ctx, conn); err != nil {
		return fmt.Errorf("stdio: %w", err)
	}
	defer s.Server.UnregisterSession(context.WithoutCancel(ctx), conn.SessionID())
	go conn.write()

	err := conn.read(s.Server.WithContext(ctx, conn))
	conn.noMore()
	conn.drain(ctx)
	if errors.Is(err, context.Canceled) || errors.Is(err, errClientGone) {
		return nil
	}
	return err
}

// stdioConn is one run of Serve, and the client's session in mcp-go's terms.
type stdioConn struct {
	*Stdio
	*asking
	cancel        context.CancelCauseFunc
	responses     chan mcp.JSONRPCMessage
	notifications chan mcp.JSONRPCNotification
	written       chan struct{} // closed when the writer has ended
	slots         chan struct{}
	wait          sync.WaitGroup

	mu      sync.Mutex
	running map[string]context.CancelCauseFunc // by the JSON of the request's id
}

func (*stdioConn) SessionID() string { return "stdio" }
func (*stdioConn) Initialize()       {}

// Initialized is true from the start: the pipe has one client, and progress of
// a call is owed to it whether or not it shook hands.
func (*stdioConn) Initialized() bool { return true }

func (c *stdioConn) NotificationChannel() chan<- mcp.JSONRPCNotification { return c.notifications }

// message is as much of a JSON-RPC message as routing needs.
type message struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
	Params struct {
		RequestID json.RawMessage `json:"requestId"`
	} `json:"params"`
}

// read takes messages until the end of the input or of ctx.
func (c *stdioConn) read(ctx context.Context) error {
	lines := make(chan line)
	go readLines(ctx, c.In, c.maxLine(), lines)
	// Subscriptions last until the input ends; they don't hold up the end.
	subscriptions, unsubscribe := context.WithCancel(ctx)
	defer unsubscribe()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case next, ok := <-lines:
			switch {
			case !ok:
				return nil
			case next.err != nil:
				return fmt.Errorf("stdio: read: %w", next.err)
			case next.tooLong:
				c.respond(ctx.Done(), failure(mcp.INVALID_REQUEST, fmt.Sprintf("a message of more than %d bytes was refused", c.maxLine())))
			default:
				c.dispatch(ctx, subscriptions, bytes.TrimSpace(next.text))
			}
		}
	}
}

func (c *stdioConn) maxLine() int {
	if c.MaxLine > 0 {
		return c.MaxLine
	}
	return defaultMaxLine
}

// dispatch starts what a message asks for.
func (c *stdioConn) dispatch(ctx, subscriptions context.Context, text []byte) {
	refuse := func(code int, why string) { c.respond(ctx.Done(), failure(code, why)) }
	var msg message
	err := json.Unmarshal(text, &msg) // of a field of an unexpected type, mcp-go says which
	switch {
	case !json.Valid(text):
		refuse(mcp.PARSE_ERROR, "the line is not JSON")
	case text[0] == '[':
		refuse(mcp.INVALID_REQUEST, "batches are not supported: send one message per line")
	case text[0] == '{' && msg.Method == "" && (msg.Result != nil || msg.Error != nil):
		c.answered(msg)
	case text[0] != '{', err == nil && msg.Method == "":
		refuse(mcp.INVALID_REQUEST, "the line is JSON, but not a JSON-RPC message")
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
		select {
		case c.slots <- struct{}{}:
		case <-ctx.Done():
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

func (c *stdioConn) isRunning(id json.RawMessage) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.running[string(id)] != nil
}

// errWithdrawn is the cause of a request that its client has cancelled.
var errWithdrawn = errors.New("the client withdrew the request")

// cancelRequest stops a request; it gets no answer, as the protocol wants.
func (c *stdioConn) cancelRequest(id json.RawMessage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if stop := c.running[string(id)]; stop != nil {
		stop(errWithdrawn)
	}
}

// answer handles a request and hands its response over, unless giveUp ends
// the attempt.
func (c *stdioConn) answer(ctx context.Context, giveUp <-chan struct{}, id json.RawMessage, text []byte) {
	response := c.handle(ctx, text)
	if response == nil || errors.Is(context.Cause(ctx), errWithdrawn) {
		return
	}
	// mcp-go reads an id as a float; the client gets back what it sent.
	exact := mcp.NewRequestId(id)
	switch r := response.(type) {
	case mcp.JSONRPCResponse:
		r.ID = exact
		response = r
	case mcp.JSONRPCError:
		r.ID = exact
		response = r
	}
	c.respond(giveUp, response)
}

func (c *stdioConn) handle(ctx context.Context, text []byte) (response mcp.JSONRPCMessage) {
	defer func() {
		if r := recover(); r != nil {
			c.Log.ErrorContext(ctx, "panic", "panic", r, "stack", string(debug.Stack()))
			response = failure(mcp.INTERNAL_ERROR, "internal error; the server's log has details")
		}
	}()
	return c.Server.HandleMessage(ctx, text)
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
func (c *stdioConn) respond(giveUp <-chan struct{}, response mcp.JSONRPCMessage) {
	select {
	case c.responses <- response:
	case <-c.written:
	case <-giveUp:
	}
}

// write is the only writer. A call's notifications were in their channel
// before its response is in the other, so emptying the first before writing
// the second keeps progress before results.
func (c *stdioConn) write() {
	defer close(c.written)
	for {
		select {
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

func (c *stdioConn) emit(msg any) bool {
	text, err := json.Marshal(msg)
	if err != nil {
		c.Log.Error("a message could not be written as JSON", "error", err)
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
	if _, err := c.Out.Write(append(text, '\n')); err != nil {
		c.cancel(fmt.Errorf("%w: %w", errClientGone, err))
		return false
	}
	return true
}

// drain waits until what runs is answered: without limit at the end of input,
// for a moment when the server is to stop or nobody reads any more.
func (c *stdioConn) drain(ctx context.Context) {
	idle := make(chan struct{})
	go func() {
		c.wait.Wait()
		close(idle)
	}()
	check := time.NewTicker(goneCheck)
	defer check.Stop()
	stopping, written := ctx.Done(), c.written
	var patience <-chan time.Time
	for idle != nil || written != nil {
		select {
		case <-idle:
			close(c.responses)
			idle = nil
		case <-written:
			written = nil
		case <-stopping: // also when a write has failed
			stopping, patience = nil, time.After(drainPatience)
		case <-patience:
			return
		case <-check.C:
			if f, ok := c.Out.(*os.File); ok && readerGone(f) {
				c.cancel(errClientGone)
			}
		}
	}
}
