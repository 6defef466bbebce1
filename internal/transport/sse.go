package transport

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// sse serves clients of the transport that the protocol began with: a stream of
// events carries what the server says, and each message of the client is a
// POST of its own.
//
// mcp-go has one too. This one exists because that one allows every origin,
// lets results overtake progress, can't be asked to end when its calls have,
// takes messages for a stream from anybody who knows its id, and can't ask
// the client's user.
type sse struct {
	*HTTP

	mu       sync.Mutex
	streams  map[string]*stream
	stopping bool // no new streams
}

// maxStreams is how many a caller may have open.
const maxStreams = 100

// A stream is a client's connection, whose messages come on others.
type stream struct {
	*conn
	caller        Caller
	calls         context.Context // of what is called for
	subscriptions context.Context // until the stream ends
	end           context.CancelCauseFunc

	mu       sync.Mutex
	stopping bool // no new requests: what runs may still be answered and cancelled
	gone     bool
}

func newSSE(h *HTTP) *sse {
	return &sse{HTTP: h, streams: map[string]*stream{}}
}

// open serves a stream until its client goes, or the server stops. What the
// client has called for runs on when it goes: a broken connection is no wish
// to cancel, and a download is wanted still.
func (s *sse) open(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		refuse(w, http.StatusMethodNotAllowed, "an SSE stream is opened with GET; streamable HTTP is at "+pathMCP)
		return
	}
	calls := context.WithoutCancel(r.Context())
	until, end := context.WithCancelCause(r.Context())
	defer end(nil)
	control := http.NewResponseController(w)
	write := func(event string) error {
		_ = control.SetWriteDeadline(time.Now().Add(writeTimeout)) // not every writer has one
		if _, err := w.Write([]byte(event)); err != nil {
			return err
		}
		return control.Flush()
	}
	st := &stream{caller: CallerOf(r.Context()), end: end}
	st.conn = newConn(rand.Text(), s.Server, s.Log, end, func(message []byte) error {
		return write("event: message\ndata: " + string(message) + "\n\n")
	})
	st.beat, st.beatEvery = func() error { return write(": still here\n\n") }, s.KeepAlive
	st.ended, st.refuses = until.Done(), true
	st.calls, st.subscriptions = s.Server.WithContext(calls, st.conn), s.Server.WithContext(until, st.conn)
	defer func() {
		st.leave()
		go func() {
			st.wait.Wait()
			s.forget(st)
		}()
	}()
	if status, why := s.add(st); status != 0 {
		refuse(w, status, why)
		return
	}
	if err := s.Server.RegisterSession(st.calls, st.conn); err != nil {
		refuse(w, http.StatusInternalServerError, "the stream could not be opened")
		return
	}
	defer s.Server.UnregisterSession(st.calls, st.id)
	defer st.noMore()

	header := w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no") // or nginx keeps events back
	w.WriteHeader(http.StatusOK)
	defer control.SetWriteDeadline(time.Time{}) //nolint:errcheck // the connection may serve other requests
	if write(fmt.Sprintf("event: endpoint\ndata: %s%s?sessionId=%s\n\n", s.PublicPath, pathMessage, url.QueryEscape(st.id))) == nil {
		st.write()
	}
}

// add takes a stream in, or says why not.
func (s *sse) add(st *stream) (status int, why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return http.StatusServiceUnavailable, errDraining.Error()
	}
	open := 0
	for _, other := range s.streams {
		if other.caller.Who == st.caller.Who {
			open++
		}
	}
	if open >= maxStreams {
		return http.StatusTooManyRequests, fmt.Sprintf("%d streams of yours are open already: close some", open)
	}
	s.streams[st.id] = st
	return 0, ""
}

func (s *sse) forget(st *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.streams, st.id)
}

// message takes a client's message. Its answer comes on the stream.
func (s *sse) message(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		refuse(w, http.StatusMethodNotAllowed, "a message is sent with POST")
		return
	}
	s.mu.Lock()
	st := s.streams[r.URL.Query().Get("sessionId")]
	s.mu.Unlock()
	const unknown = "there is no such stream: open one at " + pathSSE + ", and send messages to the address that it gives"
	if st == nil || st.caller != CallerOf(r.Context()) { // whose it is, is nobody else's business
		refuse(w, http.StatusNotFound, unknown)
		return
	}
	text, msg, ok := s.readMessage(w, r)
	if !ok {
		return
	}
	switch st.take(withRequest(st.calls, requestOf(r.Context())), msg, text) {
	case streamGone:
		refuse(w, http.StatusNotFound, unknown)
	case streamStopping:
		refuse(w, http.StatusServiceUnavailable, errDraining.Error())
	default:
		w.WriteHeader(http.StatusAccepted)
	}
}

// What keeps a stream from taking a message.
const (
	streamOpen = iota
	streamStopping
	streamGone
)

// take dispatches a message, unless the stream is to end.
func (st *stream) take(ctx context.Context, msg outline, text []byte) int {
	request := msg.Method != "" && len(msg.ID) > 0
	st.mu.Lock()
	switch {
	case st.gone:
		st.mu.Unlock()
		return streamGone
	case request && st.stopping:
		st.mu.Unlock()
		return streamStopping
	case request:
		st.wait.Add(1) // before anybody who stops it waits
		defer st.wait.Done()
	}
	st.mu.Unlock()
	st.dispatch(ctx, st.subscriptions, text)
	return streamOpen
}

// stop has no more requests taken.
func (st *stream) stop() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.stopping = true
}

// leave has nothing taken.
func (st *stream) leave() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.stopping, st.gone = true, true
}

// drain ends each stream once its calls are answered, those of clients that
// have gone too, and returns when all are, or when ctx is done.
func (s *sse) drain(ctx context.Context) {
	s.mu.Lock()
	s.stopping = true
	var ended sync.WaitGroup
	for _, st := range s.streams {
		ended.Go(func() {
			st.stop()
			idle := make(chan struct{})
			go func() {
				st.wait.Wait()
				close(idle)
			}()
			select {
			case <-idle:
				st.end(errDraining)
			case <-ctx.Done():
			}
		})
	}
	s.mu.Unlock()
	ended.Wait()
}
