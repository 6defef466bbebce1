// Package telemetry tells operators how the server does: [Telemetry] counts
// for Prometheus and, if wanted, traces for OpenTelemetry. Neither holds an
// argument, an id, the name of a file, a URL or a key.
package telemetry

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
	"go.opentelemetry.io/otel/trace"
)

// The upstreams: who is asked on a caller's behalf.
const (
	API     = "api"     // MiniMax
	Storage = "storage" // where its download URLs lead to
)

// OK is the outcome of what went well.
const OK = "ok"

// Telemetry observes tool calls and what they ask of others.
type Telemetry struct {
	figures *metrics.Set
	tracer  trace.Tracer
	outcome func(*mcp.CallToolResult, error) string
	parent  func(context.Context) map[string]string
}

// Options are what telemetry can't know by itself.
type Options struct {
	Version string
	// Tracer starts spans; nil starts none.
	Tracer trace.Tracer
	// Outcome is the end of a tool call in a word of few: [OK], or the sort of
	// failure.
	Outcome func(*mcp.CallToolResult, error) string
	// Parent returns the traceparent and tracestate of the HTTP request that a
	// call came with; nil where there is none.
	Parent func(context.Context) map[string]string
}

// The figures, and their labels.
const (
	callsTotal   = `minimax_files_tool_calls_total{outcome=%q,tool=%q}`
	callSeconds  = `minimax_files_tool_call_duration_seconds{tool=%q}`
	callsRunning = `minimax_files_tool_calls_running{tool=%q}`
	// HTTP requests to MiniMax (api) and to the hosts of download URLs (storage),
	// by status; error is no answer.
	requestsTotal = `minimax_files_upstream_requests_total{status=%q,upstream=%q}`
	// With the bodies of their answers.
	requestSeconds   = `minimax_files_upstream_request_duration_seconds{upstream=%q}`
	bytesTotal       = `minimax_files_upstream_bytes_total{direction=%q,upstream=%q}`
	retriesTotal     = `minimax_files_upstream_retries_total{upstream=%q}`
	transfersRunning = `minimax_files_transfers_running`
	transfersQueued  = `minimax_files_transfers_queued`
	buildInfo        = `minimax_files_build_info{version=%q}`
)

// seconds are the bounds of durations: an answer of the API takes tenths of a
// second, a call that waits takes minutes.
var seconds = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600}

// New starts counting from nothing.
func New(opts Options) *Telemetry {
	t := &Telemetry{figures: metrics.NewSet(), tracer: opts.Tracer, outcome: opts.Outcome, parent: opts.Parent}
	t.gauge(buildInfo, opts.Version).Set(1)
	t.Transfers(0, 0)
	for _, upstream := range []string{API, Storage} { // what is 0 is there
		t.counter(retriesTotal, upstream)
		t.counter(bytesTotal, "received", upstream)
		t.counter(bytesTotal, "sent", upstream)
	}
	return t
}

func (t *Telemetry) counter(name string, labels ...any) *metrics.Counter {
	return t.figures.GetOrCreateCounter(fmt.Sprintf(name, labels...))
}

func (t *Telemetry) gauge(name string, labels ...any) *metrics.Gauge {
	return t.figures.GetOrCreateGauge(fmt.Sprintf(name, labels...), nil)
}

func (t *Telemetry) took(since time.Time, name string, labels ...any) {
	t.figures.GetOrCreatePrometheusHistogramExt(fmt.Sprintf(name, labels...), seconds).UpdateDuration(since)
}

// Metrics answers with the figures in Prometheus's format, those of the process
// and of Go's runtime among them.
func (t *Telemetry) Metrics() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		t.figures.WritePrometheus(w)
		metrics.WriteProcessMetrics(w)
	})
}

// Transfers and Retried make it an observer of the tools' downloads.
func (t *Telemetry) Transfers(running, queued int) {
	t.gauge(transfersRunning).Set(float64(running))
	t.gauge(transfersQueued).Set(float64(queued))
}

// Retried counts an attempt after a failure of a download.
func (t *Telemetry) Retried() { t.counter(retriesTotal, Storage).Inc() }

// RetriedAPI counts a repeated call of MiniMax's API.
func (t *Telemetry) RetriedAPI() { t.counter(retriesTotal, API).Inc() }

// Tool is a middleware that observes tool calls.
func (t *Telemetry) Tool(next server.ToolHandlerFunc) server.ToolHandlerFunc {
	return func(ctx context.Context, call mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		tool, started := call.Params.Name, time.Now()
		running := t.gauge(callsRunning, tool)
		running.Inc()
		ctx, span := t.startCall(ctx, call)
		result, err := next(ctx, call)
		outcome := t.outcome(result, err)
		endSpan(span, outcome)
		running.Dec()
		t.counter(callsTotal, outcome, tool).Inc()
		t.took(started, callSeconds, tool)
		return result, err
	}
}
