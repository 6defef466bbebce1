package tools

import (
	"context"
	"fmt"
	"strconv"
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

	mu    sync.Mutex
	last  time.Time
	told  float64 // the last number sent: each must be larger than the one before
	text  string
	speed speed
}

type progressKey struct{}

// newProgress returns one that speaks only if the caller gave a token.
func newProgress(ctx context.Context, s *server.MCPServer, req mcp.CallToolRequest) *progress {
	if req.Params.Meta == nil || req.Params.Meta.ProgressToken == nil {
		return &progress{}
	}
	token := req.Params.Meta.ProgressToken
	return &progress{send: func(params map[string]any) {
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
	if p.send == nil || float64(done) <= p.told || done != total && now.Sub(p.last) < progressEvery {
		return
	}
	p.last, p.told = now, float64(done)
	p.speed.observe(done, now)
	params := map[string]any{"progress": done, "message": inWords(done, total, p.speed.rate)}
	if total >= 0 {
		params["total"] = total
	}
	p.send(params)
}

// still says that bytes are waited for, where none have come for a while: a
// client takes silence for an end.
func (p *progress) still(done, total int64) {
	p.mu.Lock()
	quiet := time.Since(p.last) >= 10*progressEvery
	p.mu.Unlock()
	if quiet {
		p.words("waiting, with " + inWords(done, total, 0))
	}
}

// words reports a state that has no number, when it changes and now and then.
// The protocol wants a larger number each time: less than a byte does.
func (p *progress) words(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	since := time.Since(p.last)
	if p.send == nil || since < progressEvery || text == p.text && since < 10*progressEvery {
		return
	}
	p.last, p.text = time.Now(), text
	p.told += 1.0 / 4096
	p.send(map[string]any{"progress": p.told, "message": text})
}

// close ends it: nothing may come after the result.
func (p *progress) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.send = nil
}

// speed is how fast bytes come, by the last few reports: what an earlier run
// left counts for nothing, and an old rate is soon forgotten.
type speed struct {
	rate float64 // bytes per second, 0 when not known yet

	done int64
	at   time.Time
}

func (s *speed) observe(done int64, at time.Time) {
	took := at.Sub(s.at).Seconds()
	if !s.at.IsZero() && took > 0 {
		rate := float64(done-s.done) / took
		if s.rate > 0 {
			rate = 0.3*rate + 0.7*s.rate
		}
		s.rate = rate
	}
	s.done, s.at = done, at
}

// inWords is "12.4 of 48.0 MB, 6.1 MB/s, 6 s left": total is -1, and rate 0,
// where it is not known.
func inWords(done, total int64, rate float64) string {
	unit, name := 1.0, "B"
	for _, next := range []string{"kB", "MB", "GB", "TB"} {
		if float64(max(done, total)) < 1000*unit {
			break
		}
		unit, name = 1000*unit, next
	}
	number := func(n int64) string {
		if unit == 1 {
			return strconv.FormatInt(n, 10)
		}
		return strconv.FormatFloat(float64(n)/unit, 'f', 1, 64)
	}
	text := number(done)
	if total >= 0 {
		text += " of " + number(total)
	}
	text += " " + name
	if rate <= 0 {
		return text
	}
	text += fmt.Sprintf(", %s/s", humanize.Bytes(uint64(rate)))
	if total > done {
		text += fmt.Sprintf(", %s left", roughly(float64(total-done)/rate))
	}
	return text
}

// roughly is a time in the unit that a person would use.
func roughly(seconds float64) string {
	switch {
	case seconds < 90:
		return fmt.Sprintf("%.0f s", max(1, seconds))
	case seconds < 90*60:
		return fmt.Sprintf("%.0f min", seconds/60)
	}
	return fmt.Sprintf("%.0f h", seconds/3600)
}
