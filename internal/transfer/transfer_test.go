package transfer_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"minimax-files-mcp/internal/transfer"
	"minimax-files-mcp/minimax"
	"minimax-files-mcp/minimax/sandbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// remote is a file in a sandbox and a source that reads it.
type remote struct {
	*sandbox.Server
	file   minimax.File
	source transfer.URL
}

func newRemote(t *testing.T, size int64) *remote {
	t.Helper()
	s, err := sandbox.Start(sandbox.Config{Empty: true})
	if err != nil {
		t.Fatal(err)
	}
	client := transfer.NewClient(true)
	t.Cleanup(func() { client.CloseIdleConnections(); s.Close() })
	api := &http.Transport{}
	t.Cleanup(api.CloseIdleConnections)
	r := &remote{Server: s, file: s.Add(sandbox.NewFile{Filename: "output_aigc.mp4", Purpose: "video_generation", Size: size})}
	r.source = transfer.URL{Client: client, Locate: func(ctx context.Context) (string, error) {
		c := &minimax.Client{BaseURL: s.URL(), Key: func(context.Context) string { return sandbox.Key }, HTTP: &http.Client{Transport: api}}
		got, err := c.Retrieve(ctx, r.file.ID)
		if err != nil {
			return "", err
		}
		return got.File.DownloadURL, nil
	}}
	return r
}

// memory is a sink that remembers how it ended.
type memory struct {
	bytes.Buffer
	committed, aborted bool
	fail               error // of Write
}

func (m *memory) Write(p []byte) (int, error) {
	if m.fail != nil {
		return 0, m.fail
	}
	return m.Buffer.Write(p)
}
func (m *memory) Commit() error { m.committed = true; return nil }
func (m *memory) Abort()        { m.aborted = true }

func (m *memory) create(*transfer.Object) (transfer.Sink, error) { return m, nil }

func TestRun(t *testing.T) {
	for _, size := range []int64{1, 3071, 3072, 3073, 1 << 20, 1<<20 + 1, 5 << 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			r, sink := newRemote(t, size), &memory{}
			last := int64(-1)
			got, err := transfer.Run(t.Context(), r.source, sink.create, transfer.Options{
				Progress: func(done, total int64) {
					if done <= last || total != size {
						t.Errorf("progress %d of %d after %d", done, total, last)
					}
					last = done
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			sum := fmt.Sprintf("%x", sha256.Sum256(sink.Bytes()))
			if got.Bytes != size || got.SHA256 != sum || sum != r.SHA256(r.file.ID) || !sink.committed || sink.aborted {
				t.Errorf("%+v, committed %v, aborted %v; want %d bytes with %s", got, sink.committed, sink.aborted, size, r.SHA256(r.file.ID))
			}
			if verified := strings.Join(got.VerifiedBy, " "); verified != "length crc64 md5" {
				t.Errorf("verified by %s", verified)
			}
			for _, req := range r.Requests() {
				if req.Endpoint == "storage" && (req.Header.Get("Authorization") != "" || req.Header.Get("Referer") != "" || req.Header.Get("Accept-Encoding") != "identity") {
					t.Errorf("headers sent to the storage host: %v", req.Header)
				}
			}
		})
	}
}

func TestRun_ends_in_the_object_or_in_nothing(t *testing.T) {
	const size = 3 << 20
	for name, tt := range map[string]struct {
		fault sandbox.Fault
		kind  transfer.Kind // 0: it succeeds
		says  string
	}{
		"no checksum":                        {sandbox.Fault{NoChecksum: true}, 0, ""},
		"no length":                          {sandbox.Fault{NoLength: true}, 0, ""},
		"slow":                               {sandbox.Fault{BytesPerSecond: 20 << 20}, 0, ""},
		"cut at the first byte":              {sandbox.Fault{CutAfter: 1}, transfer.Broken, "connection closed"},
		"cut in the middle":                  {sandbox.Fault{CutAfter: size / 2}, transfer.Broken, "of 3.1 MB"},
		"cut at the last byte":               {sandbox.Fault{CutAfter: size - 1}, transfer.Broken, ""},
		"cut without a length":               {sandbox.Fault{CutAfter: size / 2, NoLength: true}, transfer.Corrupt, "CRC-64"},
		"reset":                              {sandbox.Fault{Reset: true}, transfer.Unreachable, ""},
		"stall":                              {sandbox.Fault{StallAfter: size / 2}, transfer.Stalled, "no byte came"},
		"stall at the first byte":            {sandbox.Fault{StallAfter: 1}, transfer.Stalled, ""},
		"wrong checksum":                     {sandbox.Fault{WrongChecksum: true}, transfer.Corrupt, "CRC-64"},
		"expired":                            {sandbox.Fault{Expired: true}, transfer.Refused, "Request has expired"},
		"HTTP 404":                           {sandbox.Fault{Status: 404}, transfer.Refused, "404 Not Found"},
		"HTTP 503":                           {sandbox.Fault{Status: 503}, transfer.Refused, "503"},
		"JSON in place of the file":          {sandbox.Fault{Code: 1033, Message: "downstream"}, transfer.Disguised, "1033"},
		"XML in place of the file":           {sandbox.Fault{Status: 200, ContentType: "application/xml", Body: "<?xml version=\"1.0\"?>\n<Error><Code>NoSuchKey</Code><Message>gone</Message></Error>"}, transfer.Disguised, "NoSuchKey"},
		"HTML in place of the file":          {sandbox.Fault{Status: 200, ContentType: "text/html", Body: "<html>blocked</html>"}, transfer.Disguised, "HTML"},
		"nothing in place of the file":       {sandbox.Fault{Status: 200}, transfer.Disguised, "nothing at all"},
		"any JSON in place of a film":        {sandbox.Fault{Status: 200, Body: `{"error":1}`}, transfer.Disguised, `{\"error\":1}`},
		"text in place of a film":            {sandbox.Fault{Status: 200, Body: "rate limited"}, transfer.Disguised, "rate limited"},
		"a redirect that can't be read":      {sandbox.Fault{Redirect: "https://example.org/%zz?Signature=secret"}, transfer.Unreachable, "malformed"},
		"an error body that stalls":          {sandbox.Fault{Status: 503, StallAfter: 1}, transfer.Refused, "503"},
		"gzip that was not wanted":           {sandbox.Fault{GzipLie: true}, transfer.Disguised, "gzip"},
		"endless":                            {sandbox.Fault{Endless: true}, transfer.TooLarge, "10 MB are allowed"},
		"a redirect to http":                 {sandbox.Fault{Redirect: "http://example.org/x?Signature=secret"}, transfer.Forbidden, "not https"},
		"a redirect to a private address":    {sandbox.Fault{Redirect: "https://10.0.0.1/x?Signature=secret"}, transfer.Forbidden, "public"},
		"a redirect to the metadata service": {sandbox.Fault{Redirect: "https://169.254.169.254/x"}, transfer.Forbidden, "public"},
	} {
		t.Run(name, func(t *testing.T) {
			r, sink := newRemote(t, size), &memory{}
			r.Misbehave(r.file.ID, tt.fault)
			opts := transfer.Options{MaxBytes: 10_000_000, Media: true}
			if tt.fault.StallAfter > 0 {
				opts.IdleTimeout = 300 * time.Millisecond
			}
			_, err := transfer.Run(t.Context(), r.source, sink.create, opts)
			var failed *transfer.Error
			switch {
			case tt.kind == 0:
				if err != nil || !sink.committed || fmt.Sprintf("%x", sha256.Sum256(sink.Bytes())) != r.SHA256(r.file.ID) {
					t.Errorf("%v, committed %v", err, sink.committed)
				}
				return
			case !errors.As(err, &failed) || failed.Kind != tt.kind || !strings.Contains(err.Error(), tt.says):
				t.Errorf("%v, want kind %d and %q", err, tt.kind, tt.says)
			}
			if sink.committed {
				t.Error("it was committed")
			}
			if err != nil && (strings.Contains(err.Error(), "Signature=") || strings.Contains(err.Error(), "Expires=")) {
				t.Errorf("the error gives the signed URL away: %v", err)
			}
		})
	}
}

func TestRun_refuses_before_it_stores(t *testing.T) {
	t.Run("what is too large", func(t *testing.T) {
		r, sink := newRemote(t, 2000), &memory{}
		_, err := transfer.Run(t.Context(), r.source, sink.create, transfer.Options{MaxBytes: 1999})
		var failed *transfer.Error
		if !errors.As(err, &failed) || failed.Kind != transfer.TooLarge || sink.Len() > 0 {
			t.Errorf("%v with %d bytes stored", err, sink.Len())
		}
	})
	t.Run("what the caller does not want", func(t *testing.T) {
		r, no := newRemote(t, 2000), errors.New("no")
		_, err := transfer.Run(t.Context(), r.source, func(o *transfer.Object) (transfer.Sink, error) {
			if o.Size != 2000 {
				t.Errorf("size %d", o.Size)
			}
			return nil, no
		}, transfer.Options{})
		if !errors.Is(err, no) {
			t.Errorf("%v", err)
		}
	})
	t.Run("what can't be written", func(t *testing.T) {
		r, sink := newRemote(t, 5<<20), &memory{fail: errors.New("full")}
		if _, err := transfer.Run(t.Context(), r.source, sink.create, transfer.Options{}); !errors.Is(err, sink.fail) || !sink.aborted {
			t.Errorf("%v, aborted %v", err, sink.aborted)
		}
	})
}

func TestRun_checks_a_length_it_was_told(t *testing.T) {
	r := newRemote(t, 2000)
	r.Misbehave(r.file.ID, sandbox.Fault{NoLength: true, NoChecksum: true, CutAfter: 1500})
	_, err := transfer.Run(t.Context(), r.source, (&memory{}).create, transfer.Options{Size: 2000})
	if failed, ok := errors.AsType[*transfer.Error](err); !ok || failed.Kind != transfer.Broken {
		t.Errorf("%v", err)
	}
}

func TestRun_stops_at_once_when_cancelled(t *testing.T) {
	r, sink := newRemote(t, 1<<30), &memory{}
	r.Misbehave(r.file.ID, sandbox.Fault{BytesPerSecond: 1 << 20})
	ctx, cancel := context.WithCancel(t.Context())
	_, err := transfer.Run(ctx, r.source, sink.create, transfer.Options{Progress: func(int64, int64) { cancel() }})
	if !errors.Is(err, context.Canceled) || !sink.aborted {
		t.Errorf("%v, aborted %v", err, sink.aborted)
	}
}

func TestClient_goes_to_public_https_hosts_only(t *testing.T) {
	reached := false
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer s.Close()
	for name, tt := range map[string]struct {
		url      string
		loopback bool
	}{
		"loopback by http":                     {s.URL, false},
		"loopback by https":                    {strings.Replace(s.URL, "http", "https", 1), false},
		"a name for loopback":                  {strings.Replace(strings.Replace(s.URL, "http", "https", 1), "127.0.0.1", "localhost", 1), false},
		"a private address":                    {"https://192.168.1.1/x", false},
		"a private address from loopback":      {"https://10.0.0.1/x", true},
		"Alibaba's metadata service":           {"https://100.100.100.200/x", true},
		"an IPv6 form of a private one":        {"https://[::ffff:10.0.0.1]/x", true},
		"another scheme":                       {"file:///etc/passwd", true},
		"a user name":                          {"https://user:pw@example.org/x", false},
		"no URL":                               {"", false},
		"a private address, as behind a proxy": {"https://169.254.169.254/x", false},
		"not a URL":                            {"https://%zz/Signature=secret", false},
	} {
		t.Run(name, func(t *testing.T) {
			client := transfer.NewClient(tt.loopback)
			defer client.CloseIdleConnections()
			source := transfer.URL{Client: client, Locate: func(context.Context) (string, error) { return tt.url, nil }}
			_, err := source.Open(t.Context())
			var failed *transfer.Error
			if !errors.As(err, &failed) || failed.Kind != transfer.Forbidden || strings.Contains(err.Error(), "secret") {
				t.Errorf("%v, want Forbidden", err)
			}
		})
	}
	if reached {
		t.Error("the server on loopback was reached")
	}
}
