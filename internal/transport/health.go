package transport

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// isProbe reports a request by which a machine looks after this one.
func isProbe(r *http.Request) bool {
	switch r.URL.Path {
	case pathHealth, pathReady, pathMetrics:
		return true
	}
	return false
}

// healthy answers as long as the process does.
func healthy(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "alive") }

var errDraining = fmt.Errorf("the server is stopping: %w", context.Canceled)

// ready answers 200 if it makes sense to send calls here, and 503 if not.
func (h *HTTP) ready(w http.ResponseWriter, r *http.Request) {
	if h.draining.Load() {
		say(w, http.StatusServiceUnavailable, "stopping")
		return
	}
	// The reason is for the log: it names hosts, and anybody may ask here.
	if err := h.readiness.check(r.Context(), h.Log, h.Ready); err != nil {
		say(w, http.StatusServiceUnavailable, "not ready")
		return
	}
	say(w, http.StatusOK, "ready")
}

// readiness remembers for a while what a check has found, so that probes of
// many balancers cost one question upstream.
type readiness struct {
	asking singleflight.Group

	mu    sync.Mutex
	err   error
	until time.Time
}

const (
	readyFor    = 15 * time.Second
	unreadyFor  = 2 * time.Second
	readyWithin = 5 * time.Second
)

func (c *readiness) check(ctx context.Context, log *slog.Logger, ask func(context.Context) error) error {
	if ask == nil {
		return nil
	}
	c.mu.Lock()
	err, fresh := c.err, time.Now().Before(c.until)
	c.mu.Unlock()
	if fresh {
		return err
	}
	_, err, _ = c.asking.Do("", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyWithin)
		defer cancel()
		err := ask(ctx)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.err, c.until = err, time.Now().Add(readyFor)
		if err != nil {
			c.until = time.Now().Add(unreadyFor)
			log.Warn("not ready", "error", err)
		}
		return nil, err
	})
	return err
}

// say answers with a status in words.
func say(w http.ResponseWriter, status int, word string) {
	answer(w, status, struct {
		Status string `json:"status"`
	}{word})
}

// refuse answers that a request is not served, and why. The log says it too.
func refuse(w http.ResponseWriter, status int, why string) {
	if logged, ok := w.(*statusWriter); ok {
		logged.why = why
	}
	answer(w, status, struct {
		Error string `json:"error"`
	}{why})
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // if nobody reads it, nobody waits for it
}
