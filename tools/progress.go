package tools

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// progressEvery spaces the notifications: an agent's client shows or skips
// them, and a person can't read more.
const progressEvery = 300 * time.Millisecond

// progress tells a caller how far its call is. Its zero value tells nobody.
type progress struct {
	send func(params map[string]any)

	mu      sync.Mutex
	started time.Time
	last    time.Time
	done    int64
}

type progressKey struct{}

// newProgress returns one that speaks only if the caller gave a token.
func newProgress(ctx context.Context, s *server.MCPServer, req mcp.CallToolRequest) *progress {
	if req.Params.Meta == nil || req.Params.Meta.ProgressToken == nil {
		return &progress{}
	}
	token := req.Params.Meta.ProgressToken
	return &progress{started: time.Now(), send: func(params map[string]any) {
		params["progressToken"] = token
		// A client that reads nothing misses some; the result does not wait for it.
		_ = s.SendNotificationToClient(ctx, "notifications/progress", params)
	}}
}

func withProgress(ctx context.Context, p *progress) context.Context {
	return context.WithValue(ctx, progressKey{}, p)
}

func progressOf(ctx context.Context) *progress {
	if p, ok := ctx.Value(progressKey{}).(*progress); ok {
		return p
	}
	return &progress{}
}

// bytes reports bytes that are there, of total, -1 if that is not known. It
// never goes back, and its last word is never held back.
func (p *progress) bytes(done, total int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if p.send == nil || done <= p.done || done != total && now.Sub(p.last) < progressEvery {
		return
	}
	p.last, p.done = now, done
	params := map[string]any{"progress": done, "message": inWords(done, total, now.Sub(p.started))}
	if total >= 0 {
		params["total"] = total
	}
	p.send(params)
}

// words reports a state that has no number; the progress stays what it was.
func (p *progress) words(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); p.send != nil && now.Sub(p.last) >= 10*progressEvery {
		p.last = now
		p.send(map[string]any{"progress": p.done, "message": text})
	}
}

// close ends it: nothing may come after the result.
func (p *progress) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.send = nil
}

// inWords is "12 MB of 48 MB, 6.1 MB/s, 6 s left". A rate needs half a second
// to mean anything.
func inWords(done, total int64, took time.Duration) string {
	text := humanize.Bytes(uint64(done))
	if total >= 0 {
		text += " of " + humanize.Bytes(uint64(total))
	}
	if took < 500*time.Millisecond {
		return text
	}
	rate := float64(done) / took.Seconds()
	text += fmt.Sprintf(", %s/s", humanize.Bytes(uint64(rate)))
	if total > done && rate > 0 {
		text += fmt.Sprintf(", %.0f s left", float64(total-done)/rate)
	}
	return text
}
