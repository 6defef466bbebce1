package transfer

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

// present holds a copy that is there already against the object's checksum.
func (r *run) present(ctx context.Context) (Result, bool) {
	if r.copied == nil || r.version.CRC64 == "" && r.version.MD5 == nil {
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
	resuming = resuming && heldSize >= sharedSize
	req := Request{}
	if resuming {
		r.version, r.plan = v, newPlan(v.Size, heldSize, parts)
		req = Request{Offset: r.plan.frontier(v.Size), IfRange: v.ETag}
		if r.plan.missing() == 0 {
			r.ready(parts)
			return nil, r.accept(&Object{Size: v.Size, Body: http.NoBody, Host: "the host"})
		}
	}
	obj, err := r.open(ctx, r.patience, req)
	if failed, ok := errors.AsType[*Error](err); ok && resuming && failed.Status == http.StatusRequestedRangeNotSatisfiable {
		return nil, errChanged // it is shorter now
	}
	if err != nil {
		return nil, err
	}
	if resuming && v.matches(obj) && obj.Offset <= req.Offset {
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
	if err := r.sink.Begin(r.version.encode(), obj.Size, r.opts.PartSize); err != nil {
		obj.Body.Close()
		return nil, err
	}
	if !r.single {
		r.plan = newPlan(obj.Size, r.opts.PartSize, nil)
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
