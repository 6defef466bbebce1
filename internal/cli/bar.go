package cli

import (
	"fmt"
	"io"
	"sync"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/schollz/progressbar/v3"
)

// bar draws a call's progress on a terminal, with the server's own words
// beside it, and nothing elsewhere.
type bar struct {
	out io.Writer // nil where there is no terminal

	mu    sync.Mutex
	drawn *progressbar.ProgressBar // nil until there is something to draw
}

func newBar(out io.Writer) *bar {
	if !isTerminal(out) {
		return &bar{}
	}
	return &bar{out: out}
}

// notice draws what a notification tells.
func (b *bar) notice(n mcp.JSONRPCNotification) {
	if b.out == nil || n.Method != "notifications/progress" {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	field := n.Params.AdditionalFields
	total, ok := field["total"].(float64)
	if !ok {
		total = -1
	}
	if b.drawn == nil {
		b.drawn = progressbar.NewOptions64(int64(total),
			progressbar.OptionSetWriter(b.out), progressbar.OptionSetWidth(40), progressbar.OptionThrottle(0),
			progressbar.OptionSetPredictTime(false), progressbar.OptionSetElapsedTime(false),
			progressbar.OptionShowDescriptionAtLineEnd())
	}
	if b.drawn.GetMax64() != int64(total) { // it is known by now
		b.drawn.ChangeMax64(int64(total))
	}
	if message, ok := field["message"].(string); ok {
		b.drawn.Describe(message)
	}
	done, _ := field["progress"].(float64)
	_ = b.drawn.Set64(int64(done)) // a bar that can't be drawn is no reason to fail
}

// finish ends the line; the next notification starts a bar of its own.
func (b *bar) finish() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.drawn != nil {
		fmt.Fprintln(b.out)
		b.drawn = nil
	}
}
