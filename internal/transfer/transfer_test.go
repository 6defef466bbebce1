package transfer_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"minimax-files-mcp/internal/storage"
	"minimax-files-mcp/internal/transfer"
	"minimax-files-mcp/minimax"
	"minimax-files-mcp/minimax/sandbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// remote is a file in a sandbox, a source that reads it, and a directory to
// put it in.
type remote struct {
	*sandbox.Server
	file   minimax.File
	source transfer.URL
	dir    *storage.Dir
}

func newRemote(t testing.TB, size int64) *remote {
	t.Helper()
	s, err := sandbox.Start(sandbox.Config{Empty: true})
	if err != nil {
		t.Fatal(err)
	}
	dir, err := storage.NewDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	client := transfer.NewClient(true)
	api := &http.Transport{}
	t.Cleanup(func() { client.CloseIdleConnections(); api.CloseIdleConnections(); s.Close(); dir.Close() })
	r := &remote{Server: s, dir: dir, file: s.Add(sandbox.NewFile{Filename: "output_aigc.mp4", Purpose: "video_generation", Size: size})}
	c := &minimax.Client{BaseURL: s.URL(), Key: func(context.Context) string { return sandbox.Key }, HTTP: &http.Client{Transport: api}}
	var mu sync.Mutex
	known := ""
	r.source = transfer.URL{Client: client, Locate: func(ctx context.Context, fresh bool) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		if known != "" && !fresh {
			return known, nil
		}
		got, err := c.Retrieve(ctx, r.file.ID)
		if err != nil {
			return "", err
		}
		known = got.File.DownloadURL
		return known, nil
	}}
	return r
}

// run transfers the file to film.mp4.
func (r *remote) run(ctx context.Context, opts transfer.Options) (transfer.Result, error) {
	part, err := r.dir.Part(ctx, "film.mp4", "owner")
	if err != nil {
		return transfer.Result{}, err
	}
	defer part.Close()
	if opts.Backoff == 0 {
		opts.Backoff = time.Millisecond
	}
	return transfer.Run(ctx, r.source, part, opts)
}

// saved is the digest of film.mp4, "" if it is not there.
func (r *remote) saved(t testing.TB) string {
	t.Helper()
	content, err := os.ReadFile(r.dir.Join("film.mp4"))
	if errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(content))
}

// left lists the files beside film.mp4.
func (r *remote) left(t testing.TB) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(r.dir.Path())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "film.mp4" {
			names = append(names, e.Name())
		}
	}
	return names
}

const part = 4 << 20

func TestRun(t *testing.T) {
	for _, size := range []int64{1, 3071, 3072, 3073, 1 << 20, part, part + 1, 3*part - 1} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			r := newRemote(t, size)
			var mu sync.Mutex
			last := int64(-1)
			got, err := r.run(t.Context(), transfer.Options{
				Progress: func(done, total int64) {
					mu.Lock()
					defer mu.Unlock()
					if total != size {
						t.Errorf("progress %d of %d", done, total)
					}
					last = max(last, done)
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			if got.Bytes != size || got.SHA256 != r.SHA256(r.file.ID) || r.saved(t) != got.SHA256 || last != size {
				t.Errorf("%+v, saved %s, progress %d; want %d bytes with %s", got, r.saved(t), last, size, r.SHA256(r.file.ID))
			}
			if verified := strings.Join(got.VerifiedBy, " "); verified != "length crc64" {
				t.Errorf("verified by %s", verified)
			}
			if names := r.left(t); len(names) > 0 {
				t.Errorf("left behind: %v", names)
			}
			if r.Count("retrieve") != 1 || r.Count("storage") != 1 {
				t.Errorf("%d retrieves, %d requests to the storage host", r.Count("retrieve"), r.Count("storage"))
			}
			for _, req := range r.Requests() {
				if req.Endpoint == "storage" && (req.Header.Get("Authorization") != "" || req.Header.Get("Referer") != "" || req.Header.Get("Accept-Encoding") != "identity") {
					t.Errorf("headers sent to the storage host: %v", req.Header)
				}
			}
		})
	}
}

// outcome is how a transfer of a spoilt file may end.
type outcome struct {
	kind transfer.Kind // 0: it succeeds
	says string
}

// faultRows is every way to fail on the way, at the first byte, in the middle
// and at the last: each ends in the right bytes under the final name, or in a
// clear error and nothing there.
func faultRows(size int64) map[string]faultRow {
	type fault = sandbox.Fault
	seq := func(faults ...fault) []fault { return faults }
	good := outcome{}
	rows := map[string]faultRow{
		"nothing":                            {seq(), good},
		"no checksum":                        {seq(fault{NoChecksum: true}), good},
		"no length":                          {seq(fault{NoLength: true}), good},
		"no range":                           {seq(fault{NoRange: true}), good},
		"no ETag":                            {seq(fault{NoETag: true}), good},
		"reset once":                         {seq(fault{Reset: true, Times: 1}), good},
		"reset always":                       {seq(fault{Reset: true}), outcome{transfer.Unreachable, ""}},
		"503 once":                           {seq(fault{Status: 503, Times: 1}), good},
		"503 with Retry-After once":          {seq(fault{Status: 503, RetryAfter: "1", Times: 1}), good},
		"429 with an hour":                   {seq(fault{Status: 429, RetryAfter: "3600"}), outcome{transfer.Refused, "429"}},
		"503 always":                         {seq(fault{Status: 503}), outcome{transfer.Refused, "503"}},
		"404":                                {seq(fault{Status: 404}), outcome{transfer.Refused, "404"}},
		"expired once":                       {seq(fault{Expired: true, Times: 1}), good},
		"expired always":                     {seq(fault{Expired: true}), outcome{transfer.Refused, "Request has expired"}},
		"gone once":                          {seq(fault{Status: 410, Times: 1}), good},
		"wrong checksum once":                {seq(fault{WrongChecksum: true, Times: 1}), good},
		"wrong checksum":                     {seq(fault{WrongChecksum: true}), outcome{transfer.Corrupt, "CRC-64"}},
		"JSON in place of the file":          {seq(fault{Code: 1033, Message: "downstream"}), outcome{transfer.Disguised, "1033"}},
		"any JSON in place of a film":        {seq(fault{Status: 200, Body: `{"error":1}`}), outcome{transfer.Disguised, "error"}},
		"JSON that quotes a signed URL":      {seq(fault{Status: 403, Body: `{"url":"https://h/x?Expires=1&Signature=secret"}`}), outcome{transfer.Refused, "https://h/x?…"}},
		"text in place of a film":            {seq(fault{Status: 200, Body: "rate limited"}), outcome{transfer.Disguised, "rate limited"}},
		"nothing in place of the file":       {seq(fault{Status: 200}), outcome{transfer.Disguised, "nothing at all"}},
		"XML in place of the file":           {seq(fault{Status: 200, ContentType: "application/xml", Body: "<?xml version=\"1.0\"?>\n<Error><Code>NoSuchKey</Code><Message>gone</Message></Error>"}), outcome{transfer.Disguised, "NoSuchKey"}},
		"HTML in place of the file":          {seq(fault{Status: 200, ContentType: "text/html", Body: "<html>blocked</html>"}), outcome{transfer.Disguised, "HTML"}},
		"gzip that was not wanted":           {seq(fault{GzipLie: true}), outcome{transfer.Disguised, "gzip"}},
		"endless":                            {seq(fault{Endless: true}), outcome{transfer.TooLarge, "are allowed"}},
		"a redirect to http":                 {seq(fault{Redirect: "http://example.org/x?Signature=secret"}), outcome{transfer.Forbidden, "not https"}},
		"a redirect to a private address":    {seq(fault{Redirect: "https://10.0.0.1/x?Signature=secret"}), outcome{transfer.Forbidden, "public"}},
		"a redirect to the metadata service": {seq(fault{Redirect: "https://169.254.169.254/x"}), outcome{transfer.Forbidden, "public"}},
		"a redirect that can't be read":      {seq(fault{Redirect: "https://example.org/%zz?Signature=secret"}), outcome{transfer.Unreachable, "malformed"}},
		"a relative one that can't be read":  {seq(fault{Redirect: "/o%zz?Signature=secret"}), outcome{transfer.Unreachable, "malformed"}},
		"an error body that stalls":          {seq(fault{Status: 503, StallAfter: 1}), outcome{transfer.Refused, "503"}},
		"a change before the second request": {seq(fault{Times: 1}, fault{Changed: true}), good},
	}
	for where, at := range map[string]int64{"the first byte": 1, "the middle": size / 2, "the last byte": size - 1} {
		cut := fault{CutAfter: at, Times: 1}
		for name, row := range map[string]faultRow{
			"cut at %s":                             {seq(cut), good},
			"cut at %s three times":                 {seq(cut, cut, cut), good},
			"stall at %s":                           {seq(fault{StallAfter: at, Times: 1}), good},
			"cut at %s, then no answer":             {seq(cut, fault{Reset: true, Times: 1}), good},
			"cut at %s, then 503":                   {seq(cut, fault{Status: 503, Times: 2}), good},
			"cut at %s, then 429":                   {seq(cut, fault{Status: 429, Times: 1}), good},
			"cut at %s, then 429 for an hour":       {seq(cut, fault{Status: 429, RetryAfter: "3600"}), outcome{transfer.Refused, "429"}},
			"cut at %s, then an expired URL":        {seq(cut, fault{Expired: true, Times: 1}), good},
			"cut at %s, then 410":                   {seq(cut, fault{Status: 410, Times: 1}), good},
			"cut at %s, then 404":                   {seq(cut, fault{Status: 404}), outcome{transfer.Refused, "404"}},
			"cut at %s, then another version":       {seq(cut, fault{Changed: true}), good},
			"cut at %s, then a range ignored":       {seq(cut, fault{NoRange: true, Times: 1}), good},
			"cut at %s, then all ranges ignored":    {seq(cut, fault{NoRange: true}), good},
			"cut at %s, then no checksum":           {seq(cut, fault{NoChecksum: true}), good},
			"cut at %s, then an error as JSON":      {seq(cut, fault{Code: 1033, Message: "downstream"}), outcome{transfer.Disguised, "1033"}},
			"cut at %s, then an error as HTML":      {seq(cut, fault{Status: 200, ContentType: "text/html", Body: "<html>blocked</html>"}), outcome{transfer.Disguised, "HTML"}},
			"cut at %s, then a redirect to private": {seq(cut, fault{Redirect: "https://10.0.0.1/x"}), outcome{transfer.Forbidden, "public"}},
			"cut at %s without ranges":              {seq(fault{CutAfter: at, Times: 1, NoRange: true}), good},
			"cut at %s without an ETag":             {seq(fault{CutAfter: at, Times: 1, NoETag: true}), good},
			"cut at %s without a length":            {seq(fault{CutAfter: at, Times: 1, NoLength: true}), good},
		} {
			if at == 1 && strings.HasSuffix(name, "without a length") {
				row.want = outcome{transfer.Disguised, "text"} // one byte may be anything
			}
			rows[fmt.Sprintf(name, where)] = row
		}
	}
	// Each try brings something, so it ends; or it begins anew, and is cut again.
	rows["cut always"] = faultRow{seq(fault{CutAfter: size / 3}), good}
	rows["cut always without an ETag"] = faultRow{seq(fault{CutAfter: size - 1, NoETag: true}), outcome{transfer.Broken, "broke off"}}
	rows["cut always without a length"] = faultRow{seq(fault{CutAfter: size - 1, NoLength: true}), outcome{transfer.Corrupt, "CRC-64"}}
	return rows
}

// A faultRow is what happens to the answers, one after the other.
type faultRow struct {
	faults []sandbox.Fault
	want   outcome
}

// has reports a fault of some sort.
func (row faultRow) has(sort func(sandbox.Fault) bool) bool {
	return slices.ContainsFunc(row.faults, sort)
}

func TestFaults(t *testing.T) {
	const part = 1 << 20
	const size = 9*part + 12345
	var rows, several atomic.Int32
	t.Cleanup(func() { // how many are opened depends on what is measured, so not in each row
		if n := several.Load(); n < 5 && rows.Load() > 150 {
			t.Errorf("in %d rows several connections were used", n)
		}
	})
	for _, connections := range []int{1, 4} {
		for name, row := range faultRows(size) {
			t.Run(fmt.Sprintf("%s, %d connections", name, connections), func(t *testing.T) {
				t.Parallel()
				rows.Add(1)
				r := newRemote(t, size)
				faults := slices.Concat(row.faults, []sandbox.Fault{{}})
				opts := transfer.Options{MaxBytes: 2 * size, Media: true, Connections: connections, PartSize: part, MeasureEvery: 30 * time.Millisecond}
				if connections > 1 { // slow enough that more are opened
					for i := range faults {
						faults[i].BytesPerSecond = 16 << 20
					}
				}
				if row.has(func(f sandbox.Fault) bool { return f.StallAfter > 0 }) {
					opts.IdleTimeout = 500 * time.Millisecond
				}
				r.Misbehave(r.file.ID, faults...)
				got, err := r.run(t.Context(), opts)
				if row.want.kind == 0 {
					r.arrived(t, got, err, row)
					if connections > 1 && r.Count("storage") >= connections {
						several.Add(1)
					}
					return
				}
				failed, ok := errors.AsType[*transfer.Error](err)
				if !ok || failed.Kind != row.want.kind || !strings.Contains(err.Error(), row.want.says) {
					t.Errorf("%v, want kind %d and %q", err, row.want.kind, row.want.says)
				}
				if r.saved(t) != "" {
					t.Error("there is a file under the final name")
				}
				if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "Signature=") || strings.Contains(err.Error(), "Expires=") {
					t.Errorf("the error gives the signed URL away: %v", err)
				}
			})
		}
	}
}

// arrived checks a transfer that should have succeeded, and that it fetched
// nothing again that it had.
func (r *remote) arrived(t *testing.T, got transfer.Result, err error, row faultRow) {
	t.Helper()
	if err != nil || got.SHA256 != r.saved(t) || len(r.left(t)) > 0 {
		t.Errorf("%v, saved %q, left behind %v", err, r.saved(t), r.left(t))
	}
	changed := row.has(func(f sandbox.Fault) bool { return f.Changed })
	if want := r.SHA256(r.file.ID); !changed && got.SHA256 != want {
		t.Errorf("%s arrived, want %s", got.SHA256, want)
	}
	retrieves := 1
	if row.has(func(f sandbox.Fault) bool { return f.Expired || f.Status == 410 }) {
		retrieves = 2
	}
	if n := r.Count("retrieve"); n != retrieves {
		t.Errorf("%d retrieves, want %d", n, retrieves)
	}
	again := changed || row.has(func(f sandbox.Fault) bool { return f.NoRange || f.NoETag || f.NoLength || f.WrongChecksum })
	const inFlight = 2 << 20 // sent to a connection that was no longer read from
	if extra := r.Sent(r.file.ID) - got.Bytes; !again && extra > inFlight*int64(r.Count("storage")) {
		t.Errorf("%d bytes were sent again", extra)
	}
}

func TestRun_goes_on_from_what_an_earlier_run_left(t *testing.T) {
	const size = 6*part + 100
	r := newRemote(t, size)
	r.Misbehave(r.file.ID, sandbox.Fault{CutAfter: 3*part + 5})
	if _, err := r.run(t.Context(), transfer.Options{Tries: 1, Connections: 1}); err == nil {
		t.Fatal("no error")
	}
	if r.saved(t) != "" || len(r.left(t)) != 2 {
		t.Fatalf("saved %q, left %v", r.saved(t), r.left(t))
	}
	r.Misbehave(r.file.ID, sandbox.Fault{})
	before := len(r.Requests())
	got, err := r.run(t.Context(), transfer.Options{})
	if err != nil || got.SHA256 != r.SHA256(r.file.ID) || r.saved(t) != got.SHA256 {
		t.Fatalf("%v, saved %s", err, r.saved(t))
	}
	asked := r.Requests()[before:]
	if want := fmt.Sprintf("bytes=%d-", 3*part); len(asked) != 1 || asked[0].Header.Get("Range") != want {
		t.Errorf("asked for %v, want %s once", asked, want)
	}
	if names := r.left(t); len(names) != 0 {
		t.Errorf("left behind: %v", names)
	}
}

func TestRun_starts_over_where_the_object_changed_meanwhile(t *testing.T) {
	r := newRemote(t, 3*part)
	r.Misbehave(r.file.ID, sandbox.Fault{CutAfter: 2 * part})
	if _, err := r.run(t.Context(), transfer.Options{Tries: 1}); err == nil {
		t.Fatal("no error")
	}
	r.Misbehave(r.file.ID, sandbox.Fault{Changed: true})
	got, err := r.run(t.Context(), transfer.Options{})
	if err != nil || got.SHA256 == r.SHA256(r.file.ID) || r.saved(t) != got.SHA256 {
		t.Errorf("%v, %+v, saved %s", err, got, r.saved(t))
	}
}

func TestRun_ignores_a_journal_or_part_that_was_damaged(t *testing.T) {
	for name, damage := range map[string]func(text []byte) []byte{
		"journal cut":     func(b []byte) []byte { return b[:len(b)/2] },
		"journal emptied": func([]byte) []byte { return nil },
		"journal altered": func(b []byte) []byte { b[12] ^= 1; return b },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRemote(t, 3*part)
			r.Misbehave(r.file.ID, sandbox.Fault{CutAfter: 2 * part, Times: 1})
			if _, err := r.run(t.Context(), transfer.Options{Tries: 1}); err == nil {
				t.Fatal("no error")
			}
			path := filepath.Join(r.dir.Path(), ".film.mp4.journal")
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, damage(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if got, err := r.run(t.Context(), transfer.Options{}); err != nil || r.saved(t) != r.SHA256(r.file.ID) || got.SHA256 != r.saved(t) {
				t.Errorf("%v, saved %s", err, r.saved(t))
			}
		})
	}
	t.Run("part altered", func(t *testing.T) {
		r := newRemote(t, 3*part)
		r.Misbehave(r.file.ID, sandbox.Fault{CutAfter: 2 * part, Times: 1, NoChecksum: true})
		if _, err := r.run(t.Context(), transfer.Options{Tries: 1}); err == nil {
			t.Fatal("no error")
		}
		f, err := os.OpenFile(filepath.Join(r.dir.Path(), ".film.mp4.part"), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		f.WriteAt([]byte("damaged"), 100)
		f.Close()
		r.Misbehave(r.file.ID, sandbox.Fault{NoChecksum: true}) // so that nothing else would tell
		if _, err := r.run(t.Context(), transfer.Options{}); err != nil || r.saved(t) != r.SHA256(r.file.ID) {
			t.Errorf("%v, saved %s", err, r.saved(t))
		}
	})
}

func TestRun_uses_more_connections_where_each_is_throttled(t *testing.T) {
	r := newRemote(t, 24<<20)
	r.Misbehave(r.file.ID, sandbox.Fault{BytesPerSecond: 4 << 20})
	if _, err := r.run(t.Context(), transfer.Options{}); err != nil || r.saved(t) != r.SHA256(r.file.ID) {
		t.Fatalf("%v, saved %s", err, r.saved(t))
	}
	if n := r.Count("storage"); n < 3 || n > 16 {
		t.Errorf("%d requests", n)
	}
}

// A host that allows only so many connections is not one that fails.
func TestRun_keeps_to_the_connections_that_a_host_allows(t *testing.T) {
	for _, most := range []int{1, 2, 3} {
		r := newRemote(t, 24<<20)
		r.Misbehave(r.file.ID, sandbox.Fault{BytesPerSecond: 4 << 20, MaxConnections: most})
		if _, err := r.run(t.Context(), transfer.Options{Tries: 2}); err != nil || r.saved(t) != r.SHA256(r.file.ID) {
			t.Errorf("%d connections: %v, saved %s", most, err, r.saved(t))
		}
	}
}

func TestRun_one_at_a_time(t *testing.T) {
	r := newRemote(t, 2*part)
	held, err := r.dir.Part(t.Context(), "film.mp4", "owner")
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if _, err := r.run(t.Context(), transfer.Options{}); !errors.Is(err, storage.ErrBusy) {
		t.Errorf("%v, want ErrBusy", err)
	}
}

func TestRun_refuses_before_it_stores(t *testing.T) {
	t.Run("what is too large", func(t *testing.T) {
		r := newRemote(t, 2000)
		_, err := r.run(t.Context(), transfer.Options{MaxBytes: 1999})
		if failed, ok := errors.AsType[*transfer.Error](err); !ok || failed.Kind != transfer.TooLarge || len(r.left(t)) > 0 {
			t.Errorf("%v, left %v", err, r.left(t))
		}
	})
	t.Run("what the caller does not want", func(t *testing.T) {
		r, no := newRemote(t, 2000), errors.New("no")
		_, err := r.run(t.Context(), transfer.Options{Accept: func(size int64) (io.ReaderAt, error) {
			if size != 2000 {
				t.Errorf("size %d", size)
			}
			return nil, no
		}})
		if !errors.Is(err, no) || len(r.left(t)) > 0 {
			t.Errorf("%v, left %v", err, r.left(t))
		}
	})
}

func TestRun_checks_a_length_it_was_told(t *testing.T) {
	r := newRemote(t, 2000)
	r.Misbehave(r.file.ID, sandbox.Fault{NoLength: true, NoChecksum: true, NoRange: true, CutAfter: 1500})
	_, err := r.run(t.Context(), transfer.Options{Size: 2000, Tries: 2})
	if failed, ok := errors.AsType[*transfer.Error](err); !ok || failed.Kind != transfer.Broken || r.saved(t) != "" {
		t.Errorf("%v", err)
	}
}

func TestRun_refuses_more_than_it_was_told(t *testing.T) {
	r := newRemote(t, 2*part+5)
	r.Misbehave(r.file.ID, sandbox.Fault{NoLength: true, NoChecksum: true, NoRange: true})
	for _, told := range []int64{part, part + 1} {
		_, err := r.run(t.Context(), transfer.Options{Size: told})
		if failed, ok := errors.AsType[*transfer.Error](err); !ok || failed.Kind != transfer.Corrupt || r.saved(t) != "" {
			t.Errorf("%d told: %v", told, err)
		}
	}
}

func TestRun_stops_at_once_when_cancelled(t *testing.T) {
	r := newRemote(t, 1<<30)
	r.Misbehave(r.file.ID, sandbox.Fault{BytesPerSecond: 1 << 20, NoChecksum: true})
	ctx, cancel := context.WithCancel(t.Context())
	_, err := r.run(ctx, transfer.Options{Progress: func(int64, int64) { cancel() }})
	if !errors.Is(err, context.Canceled) || r.saved(t) != "" {
		t.Errorf("%v", err)
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
		"loopback by http":                        {s.URL, false},
		"loopback by https":                       {strings.Replace(s.URL, "http", "https", 1), false},
		"a name for loopback":                     {strings.Replace(strings.Replace(s.URL, "http", "https", 1), "127.0.0.1", "localhost", 1), false},
		"a private address":                       {"https://192.168.1.1/x", false},
		"a private address from loopback":         {"https://10.0.0.1/x", true},
		"Alibaba's metadata service":              {"https://100.100.100.200/x", true},
		"an IPv6 form of a private one":           {"https://[::ffff:10.0.0.1]/x", true},
		"a private one of a network without IPv4": {"https://[64:ff9b::a00:1]/x", true},
		"another scheme":                          {"file:///etc/passwd", true},
		"a user name":                             {"https://user:pw@example.org/x", false},
		"no URL":                                  {"", false},
		"a private address, as behind a proxy":    {"https://169.254.169.254/x", false},
		"not a URL":                               {"https://%zz/Signature=secret", false},
	} {
		t.Run(name, func(t *testing.T) {
			client := transfer.NewClient(tt.loopback)
			defer client.CloseIdleConnections()
			source := transfer.URL{Client: client, Locate: func(context.Context, bool) (string, error) { return tt.url, nil }}
			_, err := source.Open(t.Context(), transfer.Request{})
			if failed, ok := errors.AsType[*transfer.Error](err); !ok || failed.Kind != transfer.Forbidden || strings.Contains(err.Error(), "secret") {
				t.Errorf("%v, want Forbidden", err)
			}
		})
	}
	if reached {
		t.Error("the server on loopback was reached")
	}
}

// TestRun_goes_on_where_ranges_are_ignored holds what is there, though the
// host sends it again.
func TestRun_goes_on_where_ranges_are_ignored(t *testing.T) {
	const size = 6*part + 100
	r := newRemote(t, size)
	r.Misbehave(r.file.ID, sandbox.Fault{CutAfter: 3*part + 5})
	if _, err := r.run(t.Context(), transfer.Options{Tries: 1, Connections: 1}); err == nil {
		t.Fatal("no error")
	}
	// A host that ignored them would send from the start; this one sends no more
	// than what is held already, so nothing can be gained, and nothing is lost.
	r.Misbehave(r.file.ID, sandbox.Fault{NoRange: true, CutAfter: 2 * part})
	if _, err := r.run(t.Context(), transfer.Options{Tries: 2}); err == nil {
		t.Fatal("no error")
	}
	r.Misbehave(r.file.ID)
	before := len(r.Requests())
	if got, err := r.run(t.Context(), transfer.Options{}); err != nil || got.SHA256 != r.SHA256(r.file.ID) || r.saved(t) != got.SHA256 {
		t.Fatalf("%v, saved %s", err, r.saved(t))
	}
	if asked, want := r.Requests()[before:], fmt.Sprintf("bytes=%d-", 3*part); len(asked) != 1 || asked[0].Header.Get("Range") != want {
		t.Errorf("asked for %v, want %s once", asked, want)
	}
}

func TestRun_leaves_nothing_that_is_of_no_use(t *testing.T) {
	r := newRemote(t, 3*part)
	r.Misbehave(r.file.ID, sandbox.Fault{NoETag: true, CutAfter: 2 * part})
	if _, err := r.run(t.Context(), transfer.Options{Tries: 1}); err == nil {
		t.Fatal("no error")
	}
	if names := r.left(t); len(names) != 0 {
		t.Errorf("left behind: %v", names)
	}
}

func TestRun_into_a_directory_that_vanishes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("what is open can't be removed on Windows")
	}
	const part = 1 << 20
	const size = 9*part + 12345
	for where, at := range map[string]int64{"the first byte": 1, "the middle": size / 2, "the last byte": size} {
		for _, connections := range []int{1, 4} {
			t.Run(fmt.Sprintf("at %s, %d connections", where, connections), func(t *testing.T) {
				r := newRemote(t, size)
				r.Misbehave(r.file.ID, sandbox.Fault{BytesPerSecond: 16 << 20})
				var once sync.Once
				_, err := r.run(t.Context(), transfer.Options{
					Connections: connections, PartSize: part, MeasureEvery: 30 * time.Millisecond,
					Progress: func(done, _ int64) {
						if done >= at {
							once.Do(func() { os.RemoveAll(r.dir.Path()) })
						}
					},
				})
				if !errors.Is(err, storage.ErrGone) || r.saved(t) != "" {
					t.Errorf("%v, saved %q; want ErrGone", err, r.saved(t))
				}
				if sent := r.Sent(r.file.ID); at == 1 && sent > size/2 {
					t.Errorf("%d of %d bytes were fetched for nothing", sent, int64(size))
				}
				r.Misbehave(r.file.ID)
				if got, err := r.run(t.Context(), transfer.Options{}); err != nil || r.saved(t) != got.SHA256 {
					t.Errorf("once more: %v", err)
				}
			})
		}
	}
}
