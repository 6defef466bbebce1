package transport

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// asking is the server's side of requests that go to the client, which the
// protocol has up to its version of 2025-11-25, and what the client said of
// itself.
type asking struct {
	mu      sync.Mutex
	asked   int
	open    map[string]chan<- outline // by the JSON of the request's id
	closed  chan struct{}             // when no answer can come any more
	info    mcp.Implementation
	able    mcp.ClientCapabilities
	closing sync.Once
}

func newAsking() *asking {
	return &asking{open: map[string]chan<- outline{}, closed: make(chan struct{})}
}

var _ interface {
	server.SessionWithClientInfo
	server.SessionWithElicitation
} = (*conn)(nil)

func (a *asking) GetClientInfo() mcp.Implementation {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.info
}

func (a *asking) SetClientInfo(info mcp.Implementation) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.info = info
}

func (a *asking) GetClientCapabilities() mcp.ClientCapabilities {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.able
}

func (a *asking) SetClientCapabilities(able mcp.ClientCapabilities) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.able = able
}

// RequestElicitation asks the client's user.
func (c *conn) RequestElicitation(ctx context.Context, request mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	answer, err := c.ask(ctx, mcp.MethodElicitationCreate, request.Params)
	if err != nil {
		return nil, err
	}
	var result mcp.ElicitationResult
	if err := json.Unmarshal(answer, &result); err != nil {
		return nil, fmt.Errorf("the client's answer can't be read: %w", err)
	}
	return &result, nil
}

// ask sends a request and waits for its answer, which ends with ctx, or with
// the input.
func (c *conn) ask(ctx context.Context, method mcp.MCPMethod, params any) (json.RawMessage, error) {
	answered := make(chan outline, 1)
	c.asking.mu.Lock()
	c.asked++
	id := mcp.NewRequestId(fmt.Sprintf("server-%d", c.asked))
	key, _ := json.Marshal(id) // a string always marshals
	c.open[string(key)] = answered
	c.asking.mu.Unlock()
	defer func() {
		c.asking.mu.Lock()
		delete(c.open, string(key))
		c.asking.mu.Unlock()
	}()
	c.respond(ctx.Done(), mcp.JSONRPCRequest{JSONRPC: mcp.JSONRPC_VERSION, ID: id, Request: mcp.Request{Method: string(method)}, Params: params})
	select {
	case msg := <-answered:
		if len(msg.Error) > 0 {
			return nil, fmt.Errorf("the client answered with an error: %.200s", msg.Error)
		}
		return msg.Result, nil
	case <-c.closed:
		return nil, errors.New("the client ended before it answered")
	case <-ctx.Done():
		// The client should not go on asking its user; that it may, does no harm.
		c.respond(c.closed, mcp.JSONRPCNotification{JSONRPC: mcp.JSONRPC_VERSION, Notification: mcp.Notification{
			Method: string(mcp.MethodNotificationCancelled),
			Params: mcp.NotificationParams{AdditionalFields: map[string]any{"requestId": id}},
		}})
		return nil, context.Cause(ctx)
	}
}

// answered takes the client's answer to a request of ours. One to a request
// that was never sent, or has gone, is nobody's.
func (a *asking) answered(msg outline) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if waiting := a.open[string(msg.ID)]; waiting != nil {
		waiting <- msg
		delete(a.open, string(msg.ID))
	}
}

// noMore says that no answer will come.
func (a *asking) noMore() { a.closing.Do(func() { close(a.closed) }) }
