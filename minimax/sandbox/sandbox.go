// Package sandbox is a stand-in for the MiniMax File API: it listens on
// loopback, holds a few real media files, and behaves as public material says
// the real API does, quirks and errors included. Where that material leaves a
// question open, a comment marked [INF] says what was chosen.
//
// [Start] runs one; [Server.Add] gives it files of any size; [Server.Misbehave]
// makes it fail on demand.
package sandbox

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"minimax-files-mcp/minimax"
)

// The keys a sandbox knows. Any other is answered with 2049 "invalid api key".
const (
	Key            = "sandbox-key"
	OtherRegionKey = "sandbox-key-of-another-region" // answered with 1004, as a key from another region is
)

// Config says how a sandbox differs from the usual. The zero value is a good one.
type Config struct {
	Addr        string           // where the API listens; "127.0.0.1:0" if empty
	Now         func() time.Time // time.Now if nil
	URLLifetime time.Duration    // of download URLs; 6 hours, the shortest seen, if 0
	TaskStep    time.Duration    // how long a task stays in each state; 2 s if 0
	Empty       bool             // hold no seed files
	TLS         bool             // serve https, with the certificate of [Server.Certificate]
	StorageURL  string           // what download URLs begin with, if a proxy stands before the storage host
}

// A Server is a running sandbox: the API, and beside it the storage host that
// download URLs point at, on a port of its own.
type Server struct {
	cfg         Config
	api         *http.Server
	storage     *http.Server
	apiURL      string
	storageURL  string
	storageAddr string
	cert        []byte // PEM; nil without TLS
	spool       string // directory of large uploads, made when the first one comes
	stopped     chan struct{}

	mu       sync.Mutex
	files    map[minimax.ID]*file
	tasks    map[minimax.ID]*task
	faults   map[string][]Fault // what is still to come, the first one first
	requests []Request
	traces   uint64
	lastID   int64
}

// file is a stored file and what the API tells about it.
type file struct {
	minimax.File
	object *object
}

// A Request is one that reached the sandbox.
type Request struct {
	Endpoint string // "list", "retrieve", "content", "upload", "delete", "storage", …
	Method   string
	Path     string
	Header   http.Header
	Length   int64
}

// maxRequests bounds the memory of a sandbox that runs for long.
const maxRequests = 10_000

// Start listens and serves until Close.
func Start(cfg Config) (*Server, error) {
	if cfg.Addr == "" {
		cfg.Addr = "127.0.0.1:0"
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.URLLifetime == 0 {
		cfg.URLLifetime = 6 * time.Hour
	}
	if cfg.TaskStep == 0 {
		cfg.TaskStep = 2 * time.Second
	}
	s := &Server{
		cfg:     cfg,
		stopped: make(chan struct{}),
		files:   map[minimax.ID]*file{},
		tasks:   map[minimax.ID]*task{},
		faults:  map[string][]Fault{},
		lastID:  449_057_657_319_000, // as long as the real ones
	}
	apiListener, err := listenLoopback(cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	host, _, _ := net.SplitHostPort(apiListener.Addr().String())
	dataListener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("sandbox: %w", err), apiListener.Close())
	}
	scheme := "http://"
	if cfg.TLS {
		scheme = "https://"
		settings, err := s.selfSigned()
		if err != nil {
			return nil, errors.Join(fmt.Errorf("sandbox: %w", err), apiListener.Close(), dataListener.Close())
		}
		apiListener, dataListener = tls.NewListener(apiListener, settings), tls.NewListener(dataListener, settings)
	}
	s.apiURL = scheme + apiListener.Addr().String()
	s.storageAddr = dataListener.Addr().String()
	s.storageURL = cmp.Or(cfg.StorageURL, scheme+s.storageAddr)
	if !cfg.Empty {
		s.seed()
	}
	s.api = &http.Server{Handler: s.apiRoutes(), ReadHeaderTimeout: 10 * time.Second}
	s.storage = &http.Server{Handler: http.HandlerFunc(s.serveStorage), ReadHeaderTimeout: 10 * time.Second}
	go s.api.Serve(apiListener)
	go s.storage.Serve(dataListener)
	return s, nil
}

// listenLoopback refuses to put a server with a published key on a network.
func listenLoopback(addr string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("address %q is not HOST:PORT, such as 127.0.0.1:8089", addr)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("address %q is not on loopback; use 127.0.0.1", addr)
	}
	return net.Listen("tcp", addr)
}

// URL is the base URL to give a client.
func (s *Server) URL() string { return s.apiURL }

// StorageURL is the base of the download URLs.
func (s *Server) StorageURL() string { return s.storageURL }

// StorageAddr is where the storage host listens, as HOST:PORT.
func (s *Server) StorageAddr() string { return s.storageAddr }

// Close stops serving, breaking what is under way, and removes stored uploads.
func (s *Server) Close() error {
	s.mu.Lock()
	select {
	case <-s.stopped:
		s.mu.Unlock()
		return nil
	default:
		close(s.stopped)
	}
	for _, f := range s.files {
		f.object.close()
	}
	spool := s.spool
	s.mu.Unlock()
	err := errors.Join(s.api.Close(), s.storage.Close())
	if spool != "" {
		err = errors.Join(err, os.RemoveAll(spool))
	}
	return err
}

// Wait closes the sandbox once ctx is done.
func (s *Server) Wait(ctx context.Context) error {
	<-ctx.Done()
	return s.Close()
}

// A NewFile is a file to put into the sandbox: with Content, or, where that is
// nil, Size bytes of a pattern that takes no memory.
type NewFile struct {
	ID        minimax.ID // chosen where empty
	Filename  string
	Purpose   string
	CreatedAt time.Time // now where zero
	Content   []byte
	Size      int64
}

// Add stores a file, whether or not its purpose could be uploaded, and returns
// its record.
func (s *Server) Add(n NewFile) minimax.File {
	o := bytesObject(n.Content)
	if n.Content == nil {
		o = patternObject(n.Size)
	}
	return s.store(n, o)
}

func (s *Server) store(n NewFile, o *object) minimax.File {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n.ID == "" {
		n.ID = s.nextID()
	}
	if n.CreatedAt.IsZero() {
		n.CreatedAt = s.cfg.Now()
	}
	f := &file{
		File: minimax.File{
			ID: n.ID, Bytes: o.size, CreatedAt: n.CreatedAt.Unix(), Filename: n.Filename, Purpose: n.Purpose,
		},
		object: o,
	}
	if n.Purpose == "video_generation" {
		f.Bytes = 0 // so it was for every generated video ever seen
	}
	s.files[n.ID] = f
	return f.File
}

// nextID is called with s.mu held.
func (s *Server) nextID() minimax.ID {
	s.lastID += 1 + s.lastID%7
	return minimax.ID(strconv.FormatInt(s.lastID, 10))
}

// Forget drops every file there is.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, f := range s.files {
		f.object.close()
		delete(s.files, id)
	}
}

// Has reports whether the sandbox holds the file.
func (s *Server) Has(id minimax.ID) bool { return s.file(id) != nil }

func (s *Server) file(id minimax.ID) *file {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.files[id]
}

// SHA256 is the hex digest of a file's content, or "" if there is no such file.
func (s *Server) SHA256(id minimax.ID) string {
	f := s.file(id)
	if f == nil {
		return ""
	}
	return f.object.sha256()
}

// Sent is how many bytes of a file's content have left, over all answers.
func (s *Server) Sent(id minimax.ID) int64 {
	f := s.file(id)
	if f == nil {
		return 0
	}
	return f.object.sent.Load()
}

// Requests returns those that have come so far, the oldest first, at most the
// first 10,000.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.requests...)
}

// Count is how many requests of an endpoint have come.
func (s *Server) Count(endpoint string) int {
	n := 0
	for _, r := range s.Requests() {
		if r.Endpoint == endpoint {
			n++
		}
	}
	return n
}

func (s *Server) record(endpoint string, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.requests) < maxRequests {
		s.requests = append(s.requests, Request{endpoint, r.Method, r.URL.Path, r.Header.Clone(), r.ContentLength})
	}
}

func (s *Server) traceID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.traces++
	return fmt.Sprintf("05%030x", s.traces)
}
