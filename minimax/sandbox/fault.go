package sandbox

import (
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"minimax-files-mcp/minimax"
)

// A Fault is a way to misbehave. Its zero fields change nothing; several set
// ones add up. Sizes are in bytes.
type Fault struct {
	Skip  int `json:"skip,omitempty"`  // how many requests are answered rightly before it shows
	Times int `json:"times,omitempty"` // how many requests it then spoils; 0 means all

	// Answers in place of the right one.
	Status      int    `json:"status,omitempty"` // an HTTP status, with Body
	Body        string `json:"body,omitempty"`
	ContentType string `json:"content_type,omitempty"`
	Code        int    `json:"code,omitempty"` // a base_resp with this status_code, HTTP 200
	Message     string `json:"message,omitempty"`
	RetryAfter  string `json:"retry_after,omitempty"`
	Redirect    string `json:"redirect,omitempty"` // to this URL
	Expired     bool   `json:"expired,omitempty"`  // the storage host's answer to a URL that has died
	Reset       bool   `json:"reset,omitempty"`    // the connection is cut before a byte is sent

	// Ways to send the right bytes wrongly.
	Delay          time.Duration `json:"delay,omitempty"`            // before the answer starts; nanoseconds in JSON
	BytesPerSecond int64         `json:"bytes_per_second,omitempty"` // on each connection
	CutAfter       int64         `json:"cut_after,omitempty"`        // the connection is cut after so many bytes
	StallAfter     int64         `json:"stall_after,omitempty"`      // nothing comes after so many bytes, or after Body
	NoRange        bool          `json:"no_range,omitempty"`         // Range is ignored
	NoLength       bool          `json:"no_length,omitempty"`        // no Content-Length; the end of the connection ends the body
	NoETag         bool          `json:"no_etag,omitempty"`
	NoChecksum     bool          `json:"no_checksum,omitempty"` // no x-oss-hash-crc64ecma, no Content-MD5
	WrongChecksum  bool          `json:"wrong_checksum,omitempty"`
	Changed        bool          `json:"changed,omitempty"`         // the object is another version: one byte and all its digests differ
	GzipLie        bool          `json:"gzip_lie,omitempty"`        // Content-Encoding: gzip over bytes that are not
	MaxConnections int           `json:"max_connections,omitempty"` // more requests at a time are answered with 503
	Endless        bool          `json:"endless,omitempty"`         // the body goes on for ever, without a length
}

// FaultNames are a Fault's names in JSON, in the order of its fields.
func FaultNames() []string {
	t := reflect.TypeFor[Fault]()
	names := make([]string, t.NumField())
	for i := range names {
		names[i], _, _ = strings.Cut(t.Field(i).Tag.Get("json"), ",")
	}
	return names
}

// Misbehave spoils what the sandbox answers about one file, from its download
// URL and from retrieve_content: in one way after the other, each for its
// Times. A zero Fault with Times is that many right answers. None, or one that
// is all zero, mends the file.
func (s *Server) Misbehave(id minimax.ID, faults ...Fault) { s.setFaults("file "+string(id), faults) }

// MisbehaveAt spoils one endpoint of the API for every file or task: "list",
// "retrieve", "content", "upload", "delete", "query_video", "query_speech",
// "query_template" or "query_video_v2".
func (s *Server) MisbehaveAt(endpoint string, faults ...Fault) {
	s.setFaults("endpoint "+endpoint, faults)
}

func (s *Server) setFaults(where string, faults []Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[where] = slices.Clone(faults)
}

// fault returns what is wrong with this request, a zero Fault if nothing is.
func (s *Server) fault(where string) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	faults := s.faults[where]
	if len(faults) == 0 {
		return Fault{}
	}
	f := &faults[0]
	if f.Skip > 0 {
		f.Skip--
		return Fault{}
	}
	now := *f
	if f.Times > 0 {
		if f.Times--; f.Times == 0 {
			s.faults[where] = faults[1:]
		}
	}
	return now
}

// answer gives the fault's own answer and reports whether it had one.
func (f Fault) answer(w http.ResponseWriter, r *http.Request) bool {
	if f.Delay > 0 {
		select {
		case <-time.After(f.Delay):
		case <-r.Context().Done():
		}
	}
	if f.RetryAfter != "" {
		w.Header().Set("Retry-After", f.RetryAfter)
	}
	if f.ContentType != "" {
		w.Header().Set("Content-Type", f.ContentType)
	}
	switch {
	case f.Reset:
		panic(http.ErrAbortHandler)
	case f.Redirect != "":
		w.Header().Set("Location", f.Redirect)
		w.WriteHeader(http.StatusFound)
	case f.Expired:
		storageError(w, http.StatusForbidden, "AccessDenied", "Request has expired.")
	case f.Code != 0:
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		writeJSON(w, map[string]any{"base_resp": minimax.BaseResp{StatusCode: f.Code, StatusMsg: f.Message}})
	case f.Status != 0 || f.Body != "":
		if f.Status != 0 {
			w.WriteHeader(f.Status)
		}
		io.WriteString(w, f.Body)
		if f.StallAfter > 0 {
			http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}
	default:
		return false
	}
	return true
}

func writeJSON(w http.ResponseWriter, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // a type of the sandbox's own
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Write(body)
}

// changed is an object whose middle byte is another.
type changed struct {
	io.ReaderAt
	at int64
}

func (c changed) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.ReaderAt.ReadAt(p, off)
	if i := c.at - off; i >= 0 && i < int64(n) {
		p[i] ^= 0xff
	}
	return n, err
}

// body sends n bytes to w as the fault wants them sent, and adds to total what
// has left.
func (f Fault) body(w http.ResponseWriter, r *http.Request, from io.Reader, n int64, total *atomic.Int64) {
	const chunk = 256 << 10
	buf := make([]byte, chunk)
	started := time.Now()
	for sent := int64(0); sent < n; {
		size := min(chunk, n-sent)
		for _, stop := range []int64{f.CutAfter, f.StallAfter} {
			if stop > 0 {
				size = min(size, stop-sent)
			}
		}
		if f.BytesPerSecond > 0 {
			size = min(size, max(1, f.BytesPerSecond/100))
		}
		if size <= 0 {
			http.NewResponseController(w).Flush()
			if f.StallAfter > 0 && sent >= f.StallAfter {
				<-r.Context().Done()
			}
			panic(http.ErrAbortHandler) // cuts the connection
		}
		m, err := io.ReadFull(from, buf[:size])
		if err != nil {
			return
		}
		if _, err := w.Write(buf[:m]); err != nil {
			return
		}
		sent += int64(m)
		total.Add(int64(m))
		if f.BytesPerSecond > 0 {
			http.NewResponseController(w).Flush()
			due := started.Add(time.Duration(float64(sent) / float64(f.BytesPerSecond) * float64(time.Second)))
			select {
			case <-time.After(time.Until(due)):
			case <-r.Context().Done():
				return
			}
		}
	}
	if f.NoLength {
		http.NewResponseController(w).Flush()
	}
}
