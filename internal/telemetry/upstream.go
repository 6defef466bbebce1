package telemetry

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	oteltrace "go.opentelemetry.io/otel/trace"
)

// Around observes the requests to an upstream, [API] or [Storage].
func (t *Telemetry) Around(upstream string) func(http.RoundTripper) http.RoundTripper {
	return func(next http.RoundTripper) http.RoundTripper { return &observed{t, upstream, next} }
}

type observed struct {
	*Telemetry
	upstream string
	next     http.RoundTripper
}

// RoundTrip ends the observation when the answer's body has been read or
// closed.
func (o *observed) RoundTrip(r *http.Request) (*http.Response, error) {
	a := &asking{observed: o, started: time.Now()}
	if o.tracer != nil {
		attributes := []attribute.KeyValue{
			attribute.String("http.request.method", r.Method), attribute.String("server.address", r.URL.Hostname()),
		}
		if o.upstream == API { // its paths hold no ids; those of download URLs are signed
			attributes = append(attributes, attribute.String("url.path", r.URL.Path))
		}
		var ctx context.Context
		ctx, a.span = o.tracer.Start(r.Context(), r.Method+" "+o.upstream, oteltrace.WithSpanKind(oteltrace.SpanKindClient), oteltrace.WithAttributes(attributes...))
		r = r.WithContext(ctx)
	}
	if r.Body != nil && r.Body != http.NoBody {
		if a.span == nil {
			r = r.Clone(r.Context()) // a RoundTripper changes no request of others
		}
		r.Body = &countedBody{ReadCloser: r.Body, count: o.counter(bytesTotal, "sent", o.upstream).Add}
	}
	resp, err := o.next.RoundTrip(r)
	if err != nil {
		a.end("error")
		return nil, err
	}
	status := strconv.Itoa(resp.StatusCode)
	resp.Body = &countedBody{
		ReadCloser: resp.Body, count: o.counter(bytesTotal, "received", o.upstream).Add,
		end: func() { a.end(status) },
	}
	return resp, nil
}

// CloseIdleConnections is passed on.
func (o *observed) CloseIdleConnections() {
	if c, ok := o.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// asking is one request.
type asking struct {
	*observed
	started time.Time
	span    oteltrace.Span
	once    sync.Once
}

func (a *asking) end(status string) {
	a.once.Do(func() {
		a.counter(requestsTotal, status, a.upstream).Inc()
		a.took(a.started, requestSeconds, a.upstream)
		if a.span == nil {
			return
		}
		outcome := OK
		if n, err := strconv.Atoi(status); err != nil || n >= 400 {
			outcome = status
		}
		if status != "error" {
			n, _ := strconv.Atoi(status)
			a.span.SetAttributes(attribute.Int("http.response.status_code", n))
		}
		endSpan(a.span, outcome)
	})
}

// countedBody counts what is read of a body.
type countedBody struct {
	io.ReadCloser
	count func(n int)
	end   func() // nil where nothing ends with it
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.count(n)
	}
	if err != nil && b.end != nil && (errors.Is(err, io.EOF) || n == 0) {
		b.end()
	}
	return n, err
}

func (b *countedBody) Close() error {
	err := b.ReadCloser.Close()
	if b.end != nil {
		b.end()
	}
	return err
}
