package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// fetchSingle takes the whole object from one connection. If it breaks off
// there is nothing to go on from.
func (r *run) fetchSingle(ctx context.Context, obj *Object) error {
	defer obj.Body.Close()
	r.buffers.grow()
	for {
		done, most := r.done.Load(), int64(bufferSize)
		if obj.Size >= 0 {
			if most = obj.Size - done; most == 0 {
				return r.ends(obj)
			}
		}
		n, err := r.receive(ctx, obj.Body, done, most)
		if n > 0 {
			r.patience.reset()
			r.hasher.extend(done+n, false)
		}
		switch {
		case err == nil:
		case isStoreError(err):
			return errors.Unwrap(err)
		case errors.Is(err, io.EOF) && (obj.Size < 0 || done+n == obj.Size):
			return nil
		default:
			broken := r.broken(ctx, obj.Host, err)
			if err := r.patience.endure(ctx, broken); err != nil {
				return err
			}
			return &restart{broken, 3}
		}
	}
}

// ends refuses a body that goes on where the object should end.
func (r *run) ends(obj *Object) error {
	if n, _ := io.ReadFull(obj.Body, make([]byte, 1)); n > 0 {
		return &Error{Kind: Corrupt, Host: obj.Host, Err: fmt.Errorf("there are more than the %d there should be", obj.Size)}
	}
	return nil
}

// receive takes what comes next of a body, at most so many bytes, to its place
// in the sink, and to the hasher where it is next there.
func (r *run) receive(ctx context.Context, body io.Reader, off, most int64) (n int64, err error) {
	b, err := r.buffers.get(ctx)
	if err != nil {
		return 0, err
	}
	defer b.release()
	got, readErr := fill(body, b.bytes[:min(most, r.piece())])
	if got == 0 {
		return 0, readErr
	}
	r.hasher.feed(b, got, off)
	if err := r.store(b.bytes[:got], off); err != nil {
		return 0, &storeError{err}
	}
	return int64(got), readErr
}

// piece is how much is received at a time: never more than a part, as what is
// under way must not reach into what another connection is given.
func (r *run) piece() int64 {
	switch {
	case r.single:
		return bufferSize
	case r.shared.Load():
		return sharedSize
	}
	return min(bufferSize, r.plan.partSize)
}

// storeError is a failure of the sink, not of the connection.
type storeError struct{ error }

func (e *storeError) Unwrap() error { return e.error }

func isStoreError(err error) bool {
	_, ok := errors.AsType[*storeError](err)
	return ok
}

// store writes bytes that came.
func (r *run) store(p []byte, off int64) error {
	if _, err := r.sink.WriteAt(p, off); err != nil {
		return err
	}
	done := r.done.Add(int64(len(p)))
	if r.opts.MaxBytes > 0 && done > r.opts.MaxBytes {
		return tooLarge(&Object{Size: -1, Host: r.lastHost()}, r.opts)
	}
	if r.opts.Progress != nil {
		r.opts.Progress(done, r.version.Size)
	}
	return nil
}

// fill reads until buf is full or nothing more is there for now, so that
// writes are large on a fast link and prompt on a slow one.
func fill(r io.Reader, buf []byte) (int, error) {
	started := time.Now()
	filled := 0
	for filled < len(buf) {
		n, err := r.Read(buf[filled:])
		filled += n
		if err != nil {
			return filled, err
		}
		if time.Since(started) > 100*time.Millisecond {
			break
		}
	}
	return filled, nil
}
