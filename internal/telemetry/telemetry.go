// Package telemetry tells operators how the server does: [Telemetry] counts
// for Prometheus and, if wanted, traces for OpenTelemetry. Neither holds an
// argument, an id, the name of a file, a URL or a key.
package telemetry

import (
	"context"
	"net/http"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
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
	registry *prometheus.Registry
	tracer   trace.Tracer

	calls, requests, bytes, retries *prometheus.CounterVec
	callTime, requestTime           *prometheus.HistogramVec
	running                         *prometheus.GaugeVec
	transfers, queued               prometheus.Gauge

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

// New starts counting from nothing.
func New(opts Options) *Telemetry {
	t := &Telemetry{registry: prometheus.NewRegistry(), tracer: opts.Tracer, outcome: opts.Outcome, parent: opts.Parent}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "minimax_files", Name: name, Help: help}, labels)
		t.registry.MustRegister(c)
		return c
	}
	histogram := func(name, help string, labels ...string) *prometheus.HistogramVec {
		h := prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "minimax_files", Name: name, Help: help,
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600},
		}, labels)
		t.registry.MustRegister(h)
		return h
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "minimax_files", Name: name, Help: help}, labels)
		t.registry.MustRegister(g)
		return g
	}
	t.calls = counter("tool_calls_total", "Tool calls by outcome: ok, or the code of the failure.", "tool", "outcome")
	t.callTime = histogram("tool_call_duration_seconds", "How long tool calls took.", "tool")
	t.running = gauge("tool_calls_running", "Tool calls that run now.", "tool")
	t.requests = counter("upstream_requests_total", "HTTP requests to MiniMax (api) and to the hosts of download URLs (storage), by status; error is no answer.", "upstream", "status")
	t.requestTime = histogram("upstream_request_duration_seconds", "How long they took, with the bodies of their answers.", "upstream")
	t.bytes = counter("upstream_bytes_total", "Bytes of the bodies of those requests (sent) and their answers (received).", "upstream", "direction")
	t.retries = counter("upstream_retries_total", "Attempts after a failure.", "upstream")
	t.transfers = gauge("transfers_running", "Downloads to the server's disk that run now.").WithLabelValues()
	t.queued = gauge("transfers_queued", "Downloads that wait for their turn.").WithLabelValues()
	build := gauge("build_info", "1, with the version as a label.", "version")
	build.WithLabelValues(opts.Version).Set(1)
	t.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return t
}

// Metrics answers with the figures in Prometheus's format.
func (t *Telemetry) Metrics() http.Handler {
	return promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{})
}

// Transfers and Retried make it an observer of the tools' downloads.
func (t *Telemetry) Transfers(running, queued int) {
	t.transfers.Set(float64(running))
	t.queued.Set(float64(queued))
}

// Retried counts an attempt after a failure of a download.
func (t *Telemetry) Retried() { t.retries.WithLabelValues(Storage).Inc() }

// RetriedAPI counts a repeated call of MiniMax's API.
func (t *Telemetry) RetriedAPI() { t.retries.WithLabelValues(API).Inc() }

// Tool is a middleware that observes tool calls.
func (t *Telemetry) Tool(next server.ToolHandlerFunc) server.ToolHandlerFunc {
	return func(ctx context.Context, call mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		tool, started := call.Params.Name, time.Now()
		t.running.WithLabelValues(tool).Inc()
		ctx, span := t.startCall(ctx, call)
		result, err := next(ctx, call)
		outcome := t.outcome(result, err)
		endSpan(span, outcome)
		t.running.WithLabelValues(tool).Dec()
		t.calls.WithLabelValues(tool, outcome).Inc()
		t.callTime.WithLabelValues(tool).Observe(time.Since(started).Seconds())
		return result, err
	}
}
