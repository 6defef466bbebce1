// Package transfer moves one remote object to a place to keep it, and vouches
// for what arrived. [Run] takes a [Source] and a [Sink] and ends in the whole,
// verified object under its name, or in an [*Error] and nothing.
package transfer

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/crc64"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/gabriel-vasile/mimetype"
)

// A Sink takes the bytes in order. Commit makes them visible, whole and
// durable; Abort leaves nothing behind.
type Sink interface {
	io.Writer
	Commit() error
	Abort()
}

// Options say how to run a transfer.
type Options struct {
	// Size is the object's, in bytes, for an answer that does not tell; 0 means
	// not known.
	Size int64
	// MaxBytes bounds the object; 0 means no bound.
	MaxBytes int64
	// Media says that the object is audio, video or an image, so that text is
	// an error in its place.
	Media bool
	// IdleTimeout is how long no byte may come; 60 s if 0. There is no total one.
	IdleTimeout time.Duration
	// Progress, if set, hears after each write how many bytes are there and how
	// many there will be, -1 if that is not known.
	Progress func(done, total int64)
}

// A Result describes bytes that were verified and committed.
type Result struct {
	Bytes      int64
	SHA256     string   // hex
	MIMEType   string   // by the content
	VerifiedBy []string // "length", "crc64", "md5"; empty where the source gave nothing to check by
}

const (
	bufferSize  = 1 << 20 // fewer, larger writes: measured fastest on a fast link
	sniffLength = 3072    // what mimetype reads
)

// errIdle is the cause of a transfer that stalled.
var errIdle = errors.New("no byte came in time")

// Run moves the source's object into the sink that create returns for it.
// create can refuse the object, knowing its size, before a byte is stored; its
// error is returned as it is.
func Run(ctx context.Context, src Source, create func(*Object) (Sink, error), opts Options) (Result, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	idle := opts.IdleTimeout
	if idle == 0 {
		idle = time.Minute
	}
	timer := time.AfterFunc(idle, func() { cancel(errIdle) })
	defer timer.Stop()
	obj, err := src.Open(ctx)
	if err != nil {
		if _, known := errors.AsType[*Error](err); !known && errors.Is(context.Cause(ctx), errIdle) {
			err = &Error{Kind: Stalled, Err: errIdle}
		}
		return Result{}, err
	}
	defer obj.Body.Close()
	if obj.Size < 0 && opts.Size > 0 {
		obj.Size = opts.Size
	}
	if opts.MaxBytes > 0 && obj.Size > opts.MaxBytes {
		return Result{}, tooLarge(obj, opts)
	}
	body := &idleReader{obj.Body, idle, timer}
	buf := make([]byte, bufferSize)
	head, err := io.ReadFull(body, buf[:sniffLength])
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return Result{}, broken(ctx, obj, 0, err)
	}
	if err := disguised(obj, buf[:head], opts); err != nil {
		return Result{}, err
	}
	sink, err := create(obj)
	if err != nil {
		return Result{}, err
	}
	digests := newDigests(obj.Header)
	done, err := pump(ctx, obj, sink, digests, body, buf, head, opts)
	if err == nil {
		err = digests.check(obj, done)
	}
	if err != nil {
		sink.Abort()
		return Result{}, err
	}
	// The digests are returned with Commit's error too: they tell whether what
	// is in the way is the same object.
	return digests.result(obj, done), sink.Commit()
}

// pump copies the body, whose first bytes are in buf already.
func pump(ctx context.Context, obj *Object, sink Sink, digests *digests, body io.Reader, buf []byte, filled int, opts Options) (int64, error) {
	done := int64(0)
	for {
		n, readErr := readMore(body, buf, filled)
		filled = 0
		if opts.MaxBytes > 0 && done+int64(n) > opts.MaxBytes {
			return done, tooLarge(obj, opts)
		}
		if n > 0 {
			digests.add(buf[:n])
			if _, err := sink.Write(buf[:n]); err != nil {
				return done, err
			}
			done += int64(n)
			if opts.Progress != nil {
				opts.Progress(done, obj.Size)
			}
		}
		if errors.Is(readErr, io.EOF) {
			return done, nil
		}
		if readErr != nil {
			return done, broken(ctx, obj, done, readErr)
		}
	}
}

// readMore adds to what buf holds until it is full or nothing more is there
// for now, so that writes are large on a fast link and prompt on a slow one.
func readMore(r io.Reader, buf []byte, filled int) (int, error) {
	started := time.Now()
	for filled < len(buf) {
		n, err := r.Read(buf[filled:])
		filled += n
		if err != nil {
			return filled, err
		}
		if time.Since(started) > 250*time.Millisecond {
			break
		}
	}
	return filled, nil
}

// broken explains a body that ended early.
func broken(ctx context.Context, obj *Object, done int64, err error) error {
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errIdle):
		return &Error{Kind: Stalled, Host: obj.Host, Err: fmt.Errorf("after %s of %s, %w", humanize.Bytes(uint64(done)), sizeInWords(obj.Size), errIdle)}
	case cause != nil:
		return cause
	case errors.Is(err, io.ErrUnexpectedEOF):
		err = errors.New("the connection closed")
	}
	return &Error{Kind: Broken, Host: obj.Host, Err: fmt.Errorf("after %s of %s: %w", humanize.Bytes(uint64(done)), sizeInWords(obj.Size), err)}
}

func tooLarge(obj *Object, opts Options) error {
	return &Error{Kind: TooLarge, Host: obj.Host, Err: fmt.Errorf("%s, and %s are allowed", sizeInWords(obj.Size), humanize.Bytes(uint64(opts.MaxBytes)))}
}

func sizeInWords(n int64) string {
	if n < 0 {
		return "an unknown size"
	}
	return humanize.Bytes(uint64(n))
}

// disguised finds the error that was sent as if it were the object.
func disguised(obj *Object, head []byte, opts Options) error {
	if len(head) == 0 {
		return &Error{Kind: Disguised, Host: obj.Host, Err: errors.New("nothing at all")}
	}
	if encoding := obj.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return &Error{Kind: Disguised, Host: obj.Host, Err: fmt.Errorf("it is encoded as %.40q, which was not asked for", encoding)}
	}
	kind := obj.Header.Get("Content-Type")
	trimmed := bytes.TrimSpace(head)
	looksLikeError := strings.HasPrefix(kind, "text/html") ||
		opts.Media && isText(head) && (obj.Size < 0 || int64(len(head)) == min(obj.Size, sniffLength)) ||
		bytes.HasPrefix(trimmed, []byte("{")) && bytes.Contains(head, []byte(`"base_resp"`)) ||
		bytes.HasPrefix(trimmed, []byte("<")) && bytes.Contains(head, []byte("<Error>")) && bytes.Contains(head, []byte("<Code>"))
	if !looksLikeError {
		return nil
	}
	return &Error{Kind: Disguised, Host: obj.Host, Err: describe(head)}
}

// isText reports text of any sort: plain, JSON, XML, HTML.
func isText(head []byte) bool {
	for kind := mimetype.Detect(head); kind != nil; kind = kind.Parent() {
		if kind.Is("text/plain") {
			return true
		}
	}
	return false
}

// idleReader puts off a timer at each read that brings something.
type idleReader struct {
	io.Reader
	idle  time.Duration
	timer *time.Timer
}

func (r *idleReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if n > 0 {
		r.timer.Reset(r.idle)
	}
	return n, err
}

// digests are the checksums of what passes by: the SHA-256 for the caller, and
// those the answer's header lets us check.
type digests struct {
	head    []byte // for the type
	sha     hash.Hash
	crc     hash.Hash64
	wantCRC uint64
	md5     hash.Hash
	wantMD5 []byte
}

func newDigests(h http.Header) *digests {
	d := &digests{sha: sha256.New()}
	// Of the whole object, in decimal; OSS leaves it out for some copied ones.
	if want, err := strconv.ParseUint(h.Get("X-Oss-Hash-Crc64ecma"), 10, 64); err == nil {
		d.crc, d.wantCRC = crc64.New(crc64.MakeTable(crc64.ECMA)), want
	}
	if want, err := base64.StdEncoding.DecodeString(h.Get("Content-Md5")); err == nil && len(want) == md5.Size {
		d.md5, d.wantMD5 = md5.New(), want
	}
	return d
}

func (d *digests) add(p []byte) {
	if len(d.head) < sniffLength {
		d.head = append(d.head, p[:min(len(p), sniffLength-len(d.head))]...)
	}
	d.sha.Write(p)
	if d.crc != nil {
		d.crc.Write(p)
	}
	if d.md5 != nil {
		d.md5.Write(p)
	}
}

func (d *digests) check(obj *Object, done int64) error {
	corrupt := func(format string, args ...any) error {
		return &Error{Kind: Corrupt, Host: obj.Host, Err: fmt.Errorf(format, args...)}
	}
	switch {
	case obj.Size >= 0 && done != obj.Size:
		return &Error{Kind: Broken, Host: obj.Host, Err: fmt.Errorf("after %d of %d bytes", done, obj.Size)}
	case d.crc != nil && d.crc.Sum64() != d.wantCRC:
		return corrupt("CRC-64 is %d, the host says %d", d.crc.Sum64(), d.wantCRC)
	case d.md5 != nil && !bytes.Equal(d.md5.Sum(nil), d.wantMD5):
		return corrupt("MD5 is %x, the host says %x", d.md5.Sum(nil), d.wantMD5)
	}
	return nil
}

func (d *digests) result(obj *Object, done int64) Result {
	r := Result{Bytes: done, SHA256: hex.EncodeToString(d.sha.Sum(nil)), VerifiedBy: []string{}}
	r.MIMEType, _, _ = strings.Cut(mimetype.Detect(d.head).String(), ";")
	if obj.Size >= 0 {
		r.VerifiedBy = append(r.VerifiedBy, "length")
	}
	if d.crc != nil {
		r.VerifiedBy = append(r.VerifiedBy, "crc64")
	}
	if d.md5 != nil {
		r.VerifiedBy = append(r.VerifiedBy, "md5")
	}
	return r
}
