package transfer

import (
	"context"
	"errors"
	"time"
)

// A worker is one connection's work on one span after the other.
type worker struct {
	obj      *Object   // an answer that is already there, for the first span
	patience *patience // its own: when a network fails, all connections do at once
	stop     context.CancelFunc
}

// A crew is the workers of a run.
type crew struct {
	*run
	workers []*worker
	running int
	ended   chan error // how each worker ended
}

// fetchParts fills the gaps of the plan, with one connection at first, and
// more while they raise the rate.
func (r *run) fetchParts(ctx context.Context, first *Object) error {
	if first == nil {
		return nil // everything is held
	}
	c := &crew{run: r, ended: make(chan error, r.opts.Connections)}
	c.start(ctx, first)
	grow := &growth{most: r.opts.Connections, last: r.done.Load(), since: time.Now()}
	tick := time.NewTicker(measureEvery)
	defer tick.Stop()
	for c.running > 0 {
		select {
		case err := <-c.ended:
			c.running--
			if err != nil {
				r.stop(err) // the others stop too, and have room to say so
				return err
			}
			if c.running == 0 && r.plan.missing() > 0 { // what a retired one gave back
				c.start(ctx, nil)
			}
		case now := <-tick.C:
			add, retire := grow.next(now, r.done.Load(), r.plan.missing(), c.running)
			for range add {
				c.start(ctx, nil)
			}
			c.retire(retire)
		}
	}
	return nil
}

// start adds a worker, if there is work for it.
func (c *crew) start(ctx context.Context, obj *Object) {
	w := &worker{obj: obj, patience: newPatience(c.opts)}
	if !c.plan.take(w) {
		return
	}
	var workCtx context.Context
	workCtx, w.stop = context.WithCancel(ctx)
	c.workers = append(c.workers, w)
	c.running++
	c.wait.Go(func() {
		defer w.stop()
		err := c.work(workCtx, w)
		c.plan.release(w)
		if workCtx.Err() != nil && ctx.Err() == nil {
			err = nil // retired: others do the rest
		}
		c.ended <- err
	})
}

// retire stops the workers that came last; the first one stays.
func (c *crew) retire(n int) {
	for ; n > 0 && len(c.workers) > 1; n-- {
		last := len(c.workers) - 1
		c.workers[last].stop()
		c.workers = c.workers[:last]
	}
}

// work fetches the worker's span, and then others, until there is nothing left
// to take.
func (r *run) work(ctx context.Context, w *worker) error {
	defer func() {
		if w.obj != nil {
			w.obj.Body.Close()
		}
	}()
	buf := make([]byte, bufferSize)
	for {
		err := r.fetchSpan(ctx, w, buf)
		if err != nil {
			return err
		}
		if !r.plan.take(w) {
			return nil
		}
	}
}

// fetchSpan fetches one span, over as many connections, one after the other,
// as break.
func (r *run) fetchSpan(ctx context.Context, w *worker, buf []byte) error {
	for {
		span := r.plan.span(w)
		if span.length() <= 0 {
			return nil
		}
		if w.obj == nil {
			obj, err := r.open(ctx, w.patience, Request{Offset: span.pos, End: span.end, IfRange: r.version.ETag})
			if err != nil {
				return err
			}
			w.obj = obj
		}
		if w.obj.Offset != span.pos || !r.version.matches(w.obj) {
			return errChanged
		}
		readErr := r.drain(w, buf)
		host := w.obj.Host
		w.obj.Body.Close()
		w.obj = nil
		switch {
		case readErr == nil:
			return nil
		case r.plan.span(w).length() == 0:
			return nil
		}
		if _, ours := errors.AsType[*storeError](readErr); ours {
			return errors.Unwrap(readErr)
		}
		if err := w.patience.endure(ctx, r.broken(ctx, host, readErr)); err != nil {
			return err
		}
	}
}

// storeError is a failure of the sink, not of the connection.
type storeError struct{ error }

func (e *storeError) Unwrap() error { return e.error }

// drain stores a body until the span's end, which others may bring nearer.
func (r *run) drain(w *worker, buf []byte) error {
	for {
		span := r.plan.span(w)
		if span.length() <= 0 {
			return nil
		}
		n, readErr := fill(w.obj.Body, buf[:min(int64(len(buf)), span.length())])
		if n > 0 {
			if err := r.store(buf[:n], span.pos); err != nil {
				return &storeError{err}
			}
			w.patience.reset()
			r.plan.advance(w, int64(n))
			r.hasher.extend(r.plan.frontier(r.version.Size), false)
		}
		if readErr != nil && r.plan.span(w).length() > 0 {
			return readErr
		}
	}
}
