package telemetry

import (
	"context"

	"github.com/mark3labs/mcp-go/mcp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	oteltrace "go.opentelemetry.io/otel/trace"
)

// Traces sends spans to a collector, as the OTEL_ variables of the process's
// environment say: OTEL_EXPORTER_OTLP_ENDPOINT where, OTEL_TRACES_SAMPLER how
// many, OTEL_SERVICE_NAME under which name. The returned function sends what
// is left, and ends it.
func Traces(ctx context.Context, service, version string) (oteltrace.Tracer, func(context.Context) error, error) {
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, nil, err
	}
	about, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", service), attribute.String("service.version", version)),
		resource.WithTelemetrySDK(),
		resource.WithFromEnv(), // comes last, so it counts
	)
	if err != nil {
		return nil, nil, err
	}
	provider := trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithResource(about))
	return provider.Tracer(service, oteltrace.WithInstrumentationVersion(version)), provider.Shutdown, nil
}

// startCall starts the span of a tool call, within the trace that the caller
// names: in the call's _meta, or else in the headers of its HTTP request.
func (t *Telemetry) startCall(ctx context.Context, call mcp.CallToolRequest) (context.Context, oteltrace.Span) {
	if t.tracer == nil {
		return ctx, nil
	}
	carrier := propagation.MapCarrier{}
	if t.parent != nil {
		carrier = t.parent(ctx)
	}
	if meta := call.Params.Meta; meta != nil {
		if parent, is := meta.AdditionalFields["traceparent"].(string); is {
			state, _ := meta.AdditionalFields["tracestate"].(string)
			carrier = propagation.MapCarrier{"traceparent": parent, "tracestate": state}
		}
	}
	ctx = propagation.TraceContext{}.Extract(ctx, carrier)
	return t.tracer.Start(ctx, "tools/call "+call.Params.Name, oteltrace.WithSpanKind(oteltrace.SpanKindServer),
		oteltrace.WithAttributes(attribute.String("mcp.method.name", "tools/call"), attribute.String("gen_ai.tool.name", call.Params.Name)))
}

// endSpan ends a span, if there is one, with its outcome in a word.
func endSpan(span oteltrace.Span, outcome string) {
	if span == nil {
		return
	}
	if outcome != OK {
		span.SetStatus(codes.Error, "")
		span.SetAttributes(attribute.String("error.type", outcome))
	}
	span.End()
}
