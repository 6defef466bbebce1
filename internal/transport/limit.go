package transport

import (
	"context"
	"fmt"
	"maps"
	"math"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
	"golang.org/x/time/rate"
)

// Limits are how much each caller may do, so that one that runs wild does not
// use up what others share: the server, and the account's own limits.
type Limits struct {
	PerMinute  int // calls; 0 means no bound
	Concurrent int // tool calls at a time; 0 means no bound
	// Refuse makes the result of a call that is not made; nil means a plain one.
	Refuse func(text string) *mcp.CallToolResult

	mu      sync.Mutex
	callers map[string]*allowance
	sweepAt int // so many callers
}

// An allowance is what is left to one caller.
type allowance struct {
	rate    *rate.Limiter // nil without a bound
	running int
}

// Tool is a middleware that refuses calls in words, as any failure of a tool is
// told.
func (l *Limits) Tool(next server.ToolHandlerFunc) server.ToolHandlerFunc {
	return func(ctx context.Context, call mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		who := CallerOf(ctx).Who // not by the key that it brings, of which it can make up any number
		if why := l.enter(who, time.Now()); why != "" {
			return l.refuse(call.Params.Name + ": " + why), nil
		}
		defer l.leave(who)
		return next(ctx, call)
	}
}

// allow counts a request that is no tool call, but makes the upstream API work
// all the same. It says why it is one too many.
func (l *Limits) allow(who, method string) (why string) {
	if l == nil || method != string(mcp.MethodResourcesRead) && method != string(mcp.MethodCompletionComplete) {
		return ""
	}
	if why = l.enter(who, time.Now()); why == "" {
		l.leave(who)
	}
	return why
}

func (l *Limits) refuse(text string) *mcp.CallToolResult {
	if l.Refuse == nil {
		return mcp.NewToolResultError(text)
	}
	return l.Refuse(text)
}

// enter counts a call, or says why it is one too many.
func (l *Limits) enter(who string, now time.Time) (why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.callers[who]
	if a == nil {
		a = l.welcome(who, now)
	}
	if l.Concurrent > 0 && a.running >= l.Concurrent {
		return fmt.Sprintf("%d calls of yours run already, and no more are allowed at a time. Wait until one of them has ended, then call again.", a.running)
	}
	if a.rate != nil && !a.rate.AllowN(now, 1) {
		wait := (1 - a.rate.TokensAt(now)) / float64(a.rate.Limit())
		return fmt.Sprintf("more than %d calls in a minute are not allowed. Wait %.0f seconds, then call again.", l.PerMinute, math.Ceil(wait))
	}
	a.running++
	return ""
}

func (l *Limits) leave(who string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.callers[who].running--
}

// welcome takes in a caller, and forgets those who would be taken in like new
// ones. It is called with l.mu held.
func (l *Limits) welcome(who string, now time.Time) *allowance {
	if len(l.callers) >= l.sweepAt {
		maps.DeleteFunc(l.callers, func(_ string, a *allowance) bool {
			return a.running == 0 && (a.rate == nil || a.rate.TokensAt(now) >= float64(a.rate.Burst()))
		})
		l.sweepAt = max(1024, 2*len(l.callers))
	}
	if l.callers == nil {
		l.callers = map[string]*allowance{}
	}
	a := &allowance{}
	if l.PerMinute > 0 {
		a.rate = rate.NewLimiter(rate.Limit(float64(l.PerMinute)/60), l.PerMinute)
	}
	l.callers[who] = a
	return a
}
