package transfer

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"
)

// errNoRanges ends a worker whose host sent everything where it was asked for
// a range. One that works alone takes it.
var errNoRanges = errors.New("the host ignored a range")

// A worker is one connection's work on one span after the other.
type worker struct {
	obj      *Object   // an answer that is already there, for the first span
	alone    bool      // no other worked when it started
	patience *patience // its own: when a network fails, all connections do at once
	stop     context.CancelFunc
}

// A crew is the workers of a run.
type crew struct {
	*run
	workers []*worker // that run, in the order in which they were started
	ended   chan end

	failedAt int64 // the bytes that were there when a worker was given up last; -1 before
}

// An end is how a worker ended.
type end struct {
	*worker
	err error
}

// fetchParts fills the gaps of the plan, with one connection at first, and
// more while they raise the rate.
func (r *run) fetchParts(ctx context.Context, first *Object) error {
	if first == nil {
		return nil // everything is held
	}
	c := &crew{run: r, ended: make(chan end, r.opts.Connections), failedAt: -1}
	c.start(ctx, first)
	grow := &growth{most: r.opts.Connections, every: r.opts.MeasureEvery, last: r.done.Load(), since: time.Now()}
	tick := time.NewTicker(r.opts.MeasureEvery)
	defer tick.Stop()
	for len(c.workers) > 0 {
		select {
		case w := <-c.ended:
			c.remove(w.worker)
			if w.err != nil {
				if !c.spares(w) {
					r.stop(w.err) // the others stop too, and have room to say so
					return w.err
				}
				grow.over = true // so many were too many
			}
			if len(c.workers) == 0 && r.plan.missing() > 0 { // what one gave back
				c.start(ctx, nil)
			}
		case now := <-tick.C:
			add, retire := grow.next(now, r.done.Load(), r.plan.missing(), len(c.workers))
			for range add {
				c.start(ctx, nil)
			}
			c.retire(retire)
		}
	}
	return nil
}

// spares reports that a failure is that of one connection among several: a host
// may allow only so many, or send everything where a range was wanted. What it
// had to do is left to the others, or to one that starts again alone. Where
// nothing has come since another failed too, it is not the number of them.
func (c *crew) spares(w end) bool {
	_, ofConnection := errors.AsType[*Error](w.err)
	_, ofAll := errors.AsType[*restart](w.err)
	if errors.Is(w.err, errNoRanges) {
		return true
	}
	if w.alone || ofAll || !ofConnection {
		return false
	}
	done := c.done.Load()
	if len(c.workers) == 0 && c.failedAt == done {
		return false
	}
	c.failedAt = done
	return true
}

// remove takes a worker off that has ended.
func (c *crew) remove(w *worker) {
	c.workers = slices.DeleteFunc(c.workers, func(other *worker) bool { return other == w })
	c.shared.Store(len(c.workers) > 1)
}

// start adds a worker, if there is work for it.
func (c *crew) start(ctx context.Context, obj *Object) {
	w := &worker{obj: obj, alone: len(c.workers) == 0, patience: newPatience(c.opts)}
	if !c.plan.take(w) {
		return
	}
	var workCtx context.Context
	workCtx, w.stop = context.WithCancel(ctx)
	c.workers = append(c.workers, w)
	c.buffers.grow()
	c.shared.Store(len(c.workers) > 1)
	c.wait.Go(func() {
		defer w.stop()
		err := c.work(workCtx, w)
		c.plan.release(w)
		if errors.Is(err, context.Canceled) && ctx.Err() == nil {
			err = nil // retired: others do the rest
		}
		c.ended <- end{w, err}
	})
}

// retire stops the workers that came last; the first one stays.
func (c *crew) retire(n int) {
	for _, w := range c.workers[max(1, len(c.workers)-n):] {
		w.stop()
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
	for {
		if err := r.fetchSpan(ctx, w); err != nil {
			return err
		}
		if !r.plan.take(w) {
			return nil
		}
	}
}

// fetchSpan fetches one span, over as many connections, one after the other,
// as break.
func (r *run) fetchSpan(ctx context.Context, w *worker) error {
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
		if !r.version.matches(w.obj) || w.obj.Offset > span.pos {
			return errChanged
		}
		if w.obj.Offset < span.pos && !w.alone {
			return errNoRanges
		}
		host := w.obj.Host
		err := r.drain(ctx, w)
		w.obj.Body.Close()
		w.obj = nil
		switch {
		case err == nil, r.plan.span(w).length() <= 0:
			return nil
		case isStoreError(err):
			return errors.Unwrap(err)
		}
		if err := w.patience.endure(ctx, r.broken(ctx, host, err)); err != nil {
			return err
		}
	}
}

// drain stores a body until the span's end, which others may bring nearer. What
// comes before the span, from a host that ignores ranges, is there already.
func (r *run) drain(ctx context.Context, w *worker) error {
	if _, err := io.CopyN(io.Discard, w.obj.Body, r.plan.span(w).pos-w.obj.Offset); err != nil {
		return err
	}
	for {
		span := r.plan.span(w)
		if span.length() <= 0 {
			return nil
		}
		n, err := r.receive(ctx, w.obj.Body, span.pos, span.length())
		if n > 0 {
			w.patience.reset()
			r.plan.advance(w, n)
			r.hasher.extend(r.plan.frontier(r.version.Size), false)
		}
		if err != nil {
			return err
		}
	}
}
