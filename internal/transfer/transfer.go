// Package transfer moves one remote object to a place to keep it, and vouches
// for what arrived. [Run] takes a [Source] and a [Sink] and ends in the whole,
// verified object under its name, or in an [*Error]; what has arrived is kept
// for another try.
package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/gabriel-vasile/mimetype"
)

// A Sink stores the parts of one object. A directory keeps a file and a
// journal, a bucket can keep a multipart upload. The bytes of a part are
// written in order, by one goroutine at a time; parts come in any order.
type Sink interface {
	io.WriterAt
	// ReadAt reads back bytes that were written.
	io.ReaderAt
	// Held returns what an earlier run left: how it described the object, nil
	// if it left nothing, the size of its parts, and those that are whole.
	Held() (description []byte, partSize int64, parts map[int64]bool)
	// Begin drops what is held and makes room for an object of size bytes, -1
	// if that is not known.
	Begin(description []byte, size, partSize int64) error
	// Commit makes the object visible, whole and durable.
	Commit() error
	// Discard drops everything.
	Discard() error
}

// Options say how to run a transfer. Zero fields take the defaults named.
type Options struct {
	// Size is the object's, in bytes, for an answer that does not tell; 0 means
	// not known.
	Size int64
	// MaxBytes bounds the object; 0 means no bound.
	MaxBytes int64
	// Media says that the object is audio, video or an image, so that text is
	// an error in its place.
	Media bool
	// Connections is how many are used at the most; 8.
	Connections int
	// IdleTimeout is how long no byte may come on a connection; 60 s. There is
	// no total one.
	IdleTimeout time.Duration
	// Tries is how many failures in a row are borne without a byte between
	// them; 6.
	Tries int
	// Backoff is the first wait after a failure, doubled and jittered from
	// there up to 20 s; 250 ms.
	Backoff time.Duration
	// Accept, if set, may refuse the object, knowing its size, -1 if that is
	// not known, before a byte is stored. Its error is returned as it is. It may
	// also return a copy, of that size, which may be of this very object: if the
	// host's checksum says so, nothing is fetched.
	Accept func(size int64) (copied io.ReaderAt, err error)
	// Progress, if set, hears how many bytes are there, of how many, -1 if
	// that is not known. It may be called from several goroutines.
	Progress func(done, total int64)
}

// A Result describes bytes that were verified and committed.
type Result struct {
	Bytes      int64
	SHA256     string   // hex
	MIMEType   string   // by the content
	VerifiedBy []string // "length", "crc64", "md5"; empty where the source gave nothing to check by
	Present    bool     // the copy that Accept returned is the object; nothing was committed
}

const (
	partSize    = 4 << 20
	bufferSize  = 256 << 10 // measured fastest with a disk behind; larger writes only cost memory
	sniffLength = 3072      // what mimetype reads
	maxRestarts = 3
	maxWait     = time.Minute // of a Retry-After that is obeyed
)

// errIdle is the cause of a connection that stalled.
var errIdle = errors.New("no byte came in time")

// A restart is a reason to drop what is held and to begin with the first byte.
type restart struct{ error }

func (e *restart) Unwrap() error { return e.error }

// errChanged says that what is held is of another version than what comes.
var errChanged = &restart{&Error{Kind: Broken, Err: errors.New("the object changed while it was fetched")}}

// Run moves the source's object into the sink. Whatever goes wrong, nothing is
// visible that is not whole and verified; what is of use to another Run stays
// in the sink.
func Run(ctx context.Context, src Source, sink Sink, opts Options) (Result, error) {
	opts.Connections = orDefault(opts.Connections, 8)
	opts.IdleTimeout = orDefault(opts.IdleTimeout, time.Minute)
	opts.Tries = orDefault(opts.Tries, 6)
	opts.Backoff = orDefault(opts.Backoff, 250*time.Millisecond)
	patience := newPatience(opts)
	for restarts := 0; ; restarts++ {
		result, err := runOnce(ctx, src, sink, opts, patience)
		again, ok := errors.AsType[*restart](err)
		if !ok {
			return result, err
		}
		if err := sink.Discard(); err != nil {
			return Result{}, err
		}
		if restarts == maxRestarts {
			return Result{}, again.error
		}
	}
}

func orDefault[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}

// A run is one attempt at one version of an object.
type run struct {
	src      Source
	sink     Sink
	opts     Options
	patience *patience

	version version
	plan    *plan
	hasher  *hasher
	single  bool        // one connection, from the first byte to the last
	copied  io.ReaderAt // may be the object already; nil if there is no such thing

	stop context.CancelCauseFunc
	wait sync.WaitGroup
	done atomic.Int64 // bytes that are there
	host atomic.Value // string: who answered last, for errors
}

// runOnce fetches what is missing, and commits. A *restart means to forget what
// is held and to run again.
func runOnce(ctx context.Context, src Source, sink Sink, opts Options, patience *patience) (Result, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	r := &run{src: src, sink: sink, opts: opts, patience: patience, stop: stop}
	first, err := r.begin(ctx)
	if err != nil {
		return Result{}, err
	}
	if result, ok := r.present(ctx); ok {
		if first != nil {
			first.Body.Close()
		}
		return result, sink.Discard()
	}
	hashed := make(chan error, 1)
	r.wait.Go(func() { hashed <- r.hasher.run(ctx, sink) })
	if r.single {
		err = r.fetchSingle(ctx, first)
	} else {
		err = r.fetchParts(ctx, first)
	}
	if err != nil {
		stop(err)
	}
	r.hasher.extend(r.done.Load(), true)
	r.wait.Wait() // nobody touches the sink from here on
	if hashErr := <-hashed; err == nil {
		err = hashErr
	}
	if err != nil {
		return Result{}, err
	}
	by, err := r.hasher.check(r.version)
	if err != nil {
		return Result{}, errors.Join(&Error{Kind: Corrupt, Host: r.lastHost(), Err: err}, sink.Discard())
	}
	result := Result{Bytes: r.done.Load(), SHA256: r.hasher.sum(), VerifiedBy: by}
	result.MIMEType = TypeOf(io.NewSectionReader(sink, 0, sniffLength))
	// The result is returned with Commit's error too: it tells whether what is
	// in the way is the same object.
	return result, sink.Commit()
}

// present holds a copy that is there already against the object's checksum.
func (r *run) present(ctx context.Context) (Result, bool) {
	if r.copied == nil || r.version.CRC64 == "" && r.version.MD5 == "" {
		return Result{}, false
	}
	h := newHasher(r.version)
	h.extend(r.version.Size, true)
	if err := h.run(ctx, r.copied); err != nil {
		return Result{}, false
	}
	by, err := h.check(r.version)
	if err != nil {
		return Result{}, false
	}
	return Result{
		Bytes: r.version.Size, SHA256: h.sum(), VerifiedBy: by, Present: true,
		MIMEType: TypeOf(io.NewSectionReader(r.copied, 0, sniffLength)),
	}, true
}

// begin opens the object where what is held ends, and settles on a version and
// a plan. It returns no object where everything is held.
func (r *run) begin(ctx context.Context) (*Object, error) {
	description, heldSize, parts := r.sink.Held()
	v, resuming := decodeVersion(description)
	req := Request{}
	if resuming {
		r.version, r.plan = v, newPlan(v.Size, heldSize, parts)
		req = Request{Offset: r.plan.frontier(v.Size), IfRange: v.ETag}
		if r.plan.missing() == 0 {
			r.ready(parts)
			return nil, nil
		}
	}
	obj, err := r.open(ctx, r.patience, req)
	if err != nil {
		return nil, err
	}
	if resuming && v.matches(obj) && obj.Offset == req.Offset {
		if err := r.accept(obj); err != nil {
			return nil, err
		}
		r.ready(parts)
		return obj, nil
	}
	if obj.Offset != 0 {
		obj.Body.Close()
		return nil, errChanged
	}
	if obj.Size < 0 && r.opts.Size > 0 {
		obj.Size = r.opts.Size
	}
	if err := r.accept(obj); err != nil {
		return nil, err
	}
	r.version = versionOf(obj)
	r.single = !obj.Ranges || !r.version.pinned()
	if err := r.sink.Begin(r.version.encode(), obj.Size, partSize); err != nil {
		obj.Body.Close()
		return nil, err
	}
	if !r.single {
		r.plan = newPlan(obj.Size, partSize, nil)
	}
	r.ready(nil)
	return obj, nil
}

// ready counts what is held and sets up the hashing.
func (r *run) ready(held map[int64]bool) {
	r.hasher = newHasher(r.version)
	if len(held) > 0 {
		r.done.Store(r.version.Size - r.plan.missing())
		r.hasher.extend(r.plan.frontier(r.version.Size), false)
	}
}

// accept refuses what is too large, or not wanted.
func (r *run) accept(obj *Object) error {
	var err error
	switch {
	case r.opts.MaxBytes > 0 && obj.Size > r.opts.MaxBytes:
		err = tooLarge(obj, r.opts)
	case r.opts.Accept != nil:
		r.copied, err = r.opts.Accept(obj.Size)
	}
	if err != nil {
		obj.Body.Close()
	}
	return err
}

// open opens the source, as often as patience allows, and sees through errors
// in disguise. The body it returns ends when no byte comes for too long.
func (r *run) open(ctx context.Context, p *patience, req Request) (*Object, error) {
	for {
		obj, err := r.openOnce(ctx, req)
		if err == nil {
			r.host.Store(obj.Host)
			return obj, nil
		}
		if err := p.endure(ctx, err); err != nil {
			return nil, err
		}
		if failed, ok := errors.AsType[*Error](err); ok && failed.urlDied() {
			req.Fresh = true
		}
	}
}

func (r *run) openOnce(ctx context.Context, req Request) (*Object, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(r.opts.IdleTimeout, func() { cancel(errIdle) })
	obj, err := r.src.Open(ctx, req)
	if err != nil {
		timer.Stop()
		cancel(nil)
		if _, known := errors.AsType[*Error](err); !known && errors.Is(context.Cause(ctx), errIdle) {
			err = &Error{Kind: Stalled, Err: errIdle}
		}
		return nil, err
	}
	body := &idleBody{ReadCloser: obj.Body, ctx: ctx, cancel: cancel, timer: timer, idle: r.opts.IdleTimeout}
	obj.Body = body
	if obj.Offset == 0 {
		if err := r.sniff(obj, body); err != nil {
			_ = body.Close() // it is of no use
			return nil, err
		}
	}
	return obj, nil
}

func (r *run) lastHost() string {
	host, _ := r.host.Load().(string)
	return host
}

// fetchSingle takes the whole object from one connection. If it breaks off
// there is nothing to go on from.
func (r *run) fetchSingle(ctx context.Context, obj *Object) error {
	defer obj.Body.Close()
	buf := make([]byte, bufferSize)
	for {
		n, readErr := fill(obj.Body, buf)
		if obj.Size >= 0 && r.done.Load()+int64(n) > obj.Size {
			return errors.Join(&Error{Kind: Corrupt, Host: obj.Host, Err: fmt.Errorf("there are more than the %d there should be", obj.Size)}, r.sink.Discard())
		}
		if n > 0 {
			if err := r.store(buf[:n], r.done.Load()); err != nil {
				return err
			}
			r.patience.reset()
			r.hasher.extend(r.done.Load(), false)
		}
		switch {
		case readErr == nil:
		case errors.Is(readErr, io.EOF) && (obj.Size < 0 || r.done.Load() == obj.Size):
			return nil
		default:
			broken := r.broken(ctx, obj.Host, readErr)
			if err := r.patience.endure(ctx, broken); err != nil {
				return err
			}
			return &restart{broken}
		}
	}
}

// store writes bytes that came.
func (r *run) store(p []byte, off int64) error {
	if _, err := r.sink.WriteAt(p, off); err != nil {
		return err
	}
	done := r.done.Add(int64(len(p)))
	if r.opts.MaxBytes > 0 && done > r.opts.MaxBytes {
		return errors.Join(tooLarge(&Object{Size: -1, Host: r.lastHost()}, r.opts), r.sink.Discard())
	}
	if r.opts.Progress != nil {
		r.opts.Progress(done, r.version.Size)
	}
	return nil
}

// broken explains a body that ended early.
func (r *run) broken(ctx context.Context, host string, err error) error {
	kind := Broken
	switch cause := context.Cause(ctx); {
	case errors.Is(err, errIdle), errors.Is(cause, errIdle):
		kind, err = Stalled, errIdle
	case cause != nil:
		return cause
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		err = errors.New("the connection closed")
	}
	return &Error{Kind: kind, Host: host, Err: fmt.Errorf("after %s of %s: %w", humanize.Bytes(uint64(r.done.Load())), sizeInWords(r.version.Size), err)}
}

func tooLarge(obj *Object, opts Options) error {
	has := "more"
	if obj.Size >= 0 {
		has = fmt.Sprintf("%d bytes", obj.Size)
	}
	return &Error{Kind: TooLarge, Host: obj.Host, Err: fmt.Errorf("%s, and %d bytes are allowed", has, opts.MaxBytes)}
}

func sizeInWords(n int64) string {
	if n < 0 {
		return "an unknown size"
	}
	return humanize.Bytes(uint64(n))
}

// TypeOf is the MIME type of content, by how it begins.
func TypeOf(content io.Reader) string {
	head, _ := io.ReadAll(io.LimitReader(content, sniffLength)) // as much as there is
	kind, _, _ := strings.Cut(mimetype.Detect(head).String(), ";")
	return kind
}
