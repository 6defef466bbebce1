// Package transfer moves one remote object to a place to keep it, and vouches
// for what arrived. [Run] takes a [Source] and a [Sink] and ends in the whole,
// verified object under its name, or in an [*Error]; what has arrived is kept
// for another try.
package transfer

import (
	"cmp"
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
	// PartSize is how many bytes are told to the sink as one part, and so what a
	// process that dies loses on each connection; 4 MiB, and no less than 256 KiB.
	PartSize int64
	// MeasureEvery is how long a rate is measured before connections are added;
	// 150 ms.
	MeasureEvery time.Duration
	// IdleTimeout is how long no byte may come on a connection; 60 s. There is
	// no total one.
	IdleTimeout time.Duration
	// Tries is how many failures in a row are borne without a byte between
	// them; 6.
	Tries int
	// Retried is called before an attempt after a failure; nil means nobody.
	Retried func()
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
	sniffLength = 3072        // what mimetype reads
	maxWait     = time.Minute // of a Retry-After that is obeyed
)

// errIdle is the cause of a connection that stalled.
var errIdle = errors.New("no byte came in time")

// A restart is a reason to drop what is held and to begin with the first byte,
// but not more often than most.
type restart struct {
	error
	most int
}

func (e *restart) Unwrap() error { return e.error }

// errChanged says that what is held is of another version than what comes.
var errChanged = &restart{&Error{Kind: Broken, Err: errors.New("the object changed while it was fetched")}, 3}

// Run moves the source's object into the sink. Whatever goes wrong, nothing is
// visible that is not whole and verified; what is of use to another Run stays
// in the sink.
func Run(ctx context.Context, src Source, sink Sink, opts Options) (Result, error) {
	opts.Connections = cmp.Or(opts.Connections, 8)
	opts.PartSize = max(cmp.Or(opts.PartSize, 4<<20), sharedSize)
	opts.MeasureEvery = cmp.Or(opts.MeasureEvery, 150*time.Millisecond)
	opts.IdleTimeout = cmp.Or(opts.IdleTimeout, time.Minute)
	opts.Tries = cmp.Or(opts.Tries, 6)
	opts.Backoff = cmp.Or(opts.Backoff, 250*time.Millisecond)
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
		if restarts >= again.most {
			return Result{}, again.error
		}
	}
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
	buffers *pool
	single  bool        // one connection, from the first byte to the last
	shared  atomic.Bool // several connections share the link
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
	r := &run{src: src, sink: sink, opts: opts, patience: patience, stop: stop, buffers: newPool(opts.Connections)}
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
	if err := r.fetch(ctx, first); err != nil {
		if r.single { // nothing to go on from
			err = errors.Join(err, sink.Discard())
		}
		return Result{}, err
	}
	by, err := r.hasher.check(r.version)
	if err != nil { // on the way, for once, or where it is stored
		return Result{}, &restart{&Error{Kind: Corrupt, Host: r.lastHost(), Err: err}, 1}
	}
	result := Result{Bytes: r.done.Load(), SHA256: r.hasher.sum(), VerifiedBy: by}
	result.MIMEType = TypeOf(io.NewSectionReader(sink, 0, sniffLength))
	// The result is returned with Commit's error too: it tells whether what is
	// in the way is the same object.
	return result, sink.Commit()
}

// fetch brings every byte into the sink and through the hasher. Nobody touches
// the sink when it has returned.
func (r *run) fetch(ctx context.Context, first *Object) error {
	var hashErr error
	r.wait.Go(func() {
		if hashErr = r.hasher.run(ctx, r.sink); hashErr != nil {
			r.stop(hashErr) // whoever waits for its buffers
		}
	})
	var err error
	if r.single {
		err = r.fetchSingle(ctx, first)
	} else {
		err = r.fetchParts(ctx, first)
	}
	if err != nil {
		r.stop(err)
	}
	r.hasher.extend(r.done.Load(), true)
	r.wait.Wait()
	if err == nil {
		err = hashErr
	}
	return err
}

func (r *run) lastHost() string {
	host, _ := r.host.Load().(string)
	return host
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
