package transport

import (
	"crypto/rand"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"
)

// isPlain reports a word that may be taken over from whoever sends it: an id, a
// name.
func isPlain(word string) bool {
	const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
	return word != "" && len(word) <= 64 && strings.Trim(word, plain) == ""
}

// identified gives each request an id, which its log lines, its answer and its
// trace have in common.
func (h *HTTP) identified(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req := &request{id: r.Header.Get("X-Request-Id")}
		if !isPlain(req.id) {
			req.id = rand.Text()
		}
		if parent := r.Header.Get("Traceparent"); parent != "" {
			req.trace = map[string]string{"traceparent": parent, "tracestate": r.Header.Get("Tracestate")}
		}
		w.Header().Set("X-Request-Id", req.id)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r.WithContext(withRequest(r.Context(), req)))
	})
}

// logged writes a line for each request when it has been answered: who asked
// for what, how it went and how long it took, but no arguments. Probes, which
// come every few seconds, are told at debug level.
func (h *HTTP) logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		watched := &statusWriter{ResponseWriter: w}
		defer func() {
			level := slog.LevelInfo
			if isProbe(r) {
				level = slog.LevelDebug
			}
			if !h.Log.Enabled(r.Context(), level) {
				return
			}
			attrs := []slog.Attr{
				slog.String("method", r.Method), slog.String("path", knownPath(r)), slog.Int("status", watched.status),
				slog.Float64("took_ms", float64(time.Since(started).Microseconds())/1000), slog.String("remote", r.RemoteAddr),
			}
			if watched.why != "" {
				attrs = append(attrs, slog.String("why", watched.why))
			}
			req := requestOf(r.Context())
			req.mu.Lock()
			for _, said := range [][2]string{{"mcp", req.method}, {"tool", req.tool}, {"outcome", req.outcome}} {
				if said[1] != "" {
					attrs = append(attrs, slog.String(said[0], said[1]))
				}
			}
			req.mu.Unlock()
			h.Log.LogAttrs(r.Context(), level, "request", attrs...)
		}()
		next.ServeHTTP(watched, r)
	})
}

// knownPath keeps what anybody can put into a path out of the log.
func knownPath(r *http.Request) string {
	switch path := strings.TrimSuffix(r.URL.Path, "/"); path {
	case pathMCP, pathSSE, pathMessage, pathHealth, pathReady, pathMetrics, pathResource, pathResource + pathMCP, pathResource + pathSSE:
		return path
	}
	return "other"
}

// recovering answers a request whose handling panicked, and says why in the
// log alone.
func (h *HTTP) recovering(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			switch p := recover(); p {
			case nil:
			case http.ErrAbortHandler:
				panic(p) // net/http's own way to break a connection off
			default:
				h.Log.ErrorContext(r.Context(), "panic", "panic", p, "stack", string(debug.Stack()))
				if begun, ok := w.(*statusWriter); ok && begun.status != 0 {
					panic(http.ErrAbortHandler) // half an answer must not look like a whole one
				}
				refuse(w, http.StatusInternalServerError, "internal error; the server's log has details under this request's id")
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// statusWriter remembers the status.
type statusWriter struct {
	http.ResponseWriter
	status int
	why    string // the request was refused
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

// Flush is for those who don't know http.ResponseController, such as mcp-go.
func (w *statusWriter) Flush() { _ = http.NewResponseController(w.ResponseWriter).Flush() }

// Unwrap lets http.ResponseController reach what is beneath.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
