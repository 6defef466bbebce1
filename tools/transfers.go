package tools

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// maxTransfers is how many run at a time; more wait their turn.
const maxTransfers = 4

// How long the outcome of a download waits for a call. A failure may be mended
// meanwhile, and must not be told for long.
const (
	keepFor        = time.Hour
	keepFailureFor = time.Minute
)

// transfers are the downloads under way. One outlives the call that started it,
// because clients give up on a call long before a large file is there: the same
// call again finds it running, or done.
type transfers struct {
	log      *slog.Logger
	observer Observer // nil if nobody wants to know
	stopping <-chan struct{}

	mu      sync.Mutex
	jobs    map[string]*job // by what was asked for
	targets map[string]*job // by where they save what
	running int
	queue   []*job // the next one first
}

func newTransfers(d Deps) *transfers {
	return &transfers{log: d.log(), observer: d.Observer, stopping: d.stopping(), jobs: map[string]*job{}, targets: map[string]*job{}}
}

// tell tells the observer how many run and wait. It is called with t.mu held.
func (t *transfers) tell() {
	if t.observer != nil {
		t.observer.Transfers(t.running, len(t.queue))
	}
}

// retried is what is called when a download gets over a failure.
func (d Deps) retried() func() {
	if d.Observer == nil {
		return nil
	}
	return d.Observer.Retried
}

// A job is one download, however many calls wait for it.
type job struct {
	cancel context.CancelFunc
	ended  chan struct{}

	// Once ended.
	saved    saved
	err      error
	panicked any

	note  atomic.Pointer[string] // what it waits for, nil once bytes come
	done  atomic.Int64
	total atomic.Int64 // -1 when not known

	// Guarded by transfers.mu.
	target   string        // "" before it is known
	admitted chan struct{} // closed when it may run; nil before it asks
	waiting  int           // calls
	detached bool          // a call has left it, and was told that it goes on
	stopped  bool          // nobody counts on it
	over     bool          // it ends in this instant
	kept     bool          // it ended while nobody waited, and the next call gets it
}

// run starts the job of this key, or joins it if it runs, and waits for it for
// so long. It reports false if the job runs on. A call that is cancelled takes
// the job with it, unless others count on it.
func (t *transfers) run(ctx context.Context, key string, wait time.Duration, do func(context.Context, *job) (saved, error)) (*job, bool) {
	j := t.join(ctx, key, do)
	timeout := time.NewTimer(wait)
	defer timeout.Stop()
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	tell, stopping := progressOf(ctx), t.stopping
	for {
		select {
		case <-j.ended:
			if j.panicked != nil {
				panic(j.panicked) // where it is told like any other
			}
			tell.bytes(j.done.Load(), j.total.Load())
			return j, true
		case <-timeout.C:
			if t.detach(j) {
				return j, false
			}
		case <-stopping:
			if t.detach(j) {
				return j, false
			}
			stopping = nil // it has just ended
		case <-ctx.Done():
			if t.abandon(j) {
				<-j.ended // it stops now, and then nothing of it is left open
			}
			return &job{err: context.Cause(ctx)}, true
		case <-tick.C:
			if ahead, queued := t.ahead(j); queued {
				tell.words(fmt.Sprintf("queued: %d downloads run, and %d more come before this one", maxTransfers, ahead))
			} else if note := j.note.Load(); note != nil {
				tell.words(*note)
			} else {
				tell.bytes(j.done.Load(), j.total.Load())
				tell.still(j.done.Load(), j.total.Load())
			}
		}
	}
}

// join finds the job of this key, or starts it.
func (t *transfers) join(ctx context.Context, key string, do func(context.Context, *job) (saved, error)) *job {
	t.mu.Lock()
	defer t.mu.Unlock()
	for j := t.jobs[key]; j != nil; j = t.jobs[key] {
		if !j.stopped {
			j.waiting++
			if j.kept {
				delete(t.jobs, key)
			}
			return j
		}
		t.mu.Unlock() // it goes soon, and lets go of its file
		select {
		case <-j.ended:
		case <-ctx.Done():
		}
		t.mu.Lock()
		if ctx.Err() != nil { // the call goes too
			gone := &job{ended: make(chan struct{}), err: context.Cause(ctx)}
			close(gone.ended)
			return gone
		}
	}
	jobCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	j := &job{cancel: cancel, ended: make(chan struct{}), waiting: 1}
	j.total.Store(-1)
	t.jobs[key] = j
	go func() {
		defer func() {
			if j.panicked = recover(); j.panicked != nil { // the call that tells it has another stack
				t.log.Error("panic in a download", "panic", j.panicked, "stack", string(debug.Stack()))
			}
			cancel()
			t.end(key, j)
			close(j.ended)
		}()
		j.saved, j.err = do(jobCtx, j)
	}()
	return j
}

// turn waits until the job may run. It has its turn until it ends.
func (t *transfers) turn(ctx context.Context, j *job) error {
	t.mu.Lock()
	j.admitted = make(chan struct{})
	t.queue = append(t.queue, j)
	t.admit()
	t.mu.Unlock()
	select {
	case <-j.admitted:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// claim takes a target for a job, or returns the outcome of the job that has it:
// the same download can be asked for in several ways, by its task or its file,
// with a path or the name that it has anyway.
func (t *transfers) claim(ctx context.Context, target string, j *job) (saved, bool, error) {
	for {
		t.mu.Lock()
		other := t.targets[target]
		if other == nil {
			t.targets[target], j.target = j, target
			t.mu.Unlock()
			return saved{}, false, nil
		}
		t.mu.Unlock()
		if err := j.follow(ctx, other); err != nil {
			return saved{}, false, err
		}
		if !errors.Is(other.err, context.Canceled) { // else its callers have left it, and this one goes on
			return other.saved, true, other.err
		}
	}
}

// follow waits until another job has ended, and is as far as that one.
func (j *job) follow(ctx context.Context, other *job) error {
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		j.done.Store(other.done.Load())
		j.total.Store(other.total.Load())
		select {
		case <-other.ended:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// admit lets run what there is room for. It is called with t.mu held.
func (t *transfers) admit() {
	for len(t.queue) > 0 && t.running < maxTransfers {
		t.running++
		close(t.queue[0].admitted)
		t.queue = t.queue[1:]
	}
	t.tell()
}

// ahead is how many jobs are queued before this one, if it is queued itself.
func (t *transfers) ahead(j *job) (n int, queued bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n = slices.Index(t.queue, j)
	return n, n >= 0
}

// end takes a job off the list, unless its outcome has to wait for a call.
func (t *transfers) end(key string, j *job) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.targets[j.target] == j {
		delete(t.targets, j.target)
	}
	if i := slices.Index(t.queue, j); i >= 0 {
		t.queue = slices.Delete(t.queue, i, i+1)
		t.tell()
	} else if j.admitted != nil {
		t.running--
		t.admit()
	}
	j.over, j.kept = true, j.detached && j.waiting == 0
	if !j.kept {
		delete(t.jobs, key)
		return
	}
	keep := keepFor
	if j.err != nil {
		keep = keepFailureFor
	}
	time.AfterFunc(keep, func() { t.forget(key, j) })
	switch { // no call says so now
	case j.err != nil:
		t.log.Warn("a download failed whose call had left", "error", j.err)
	default:
		t.log.Info("a download is done whose call had left", "bytes", j.saved.out.Bytes)
	}
}

// forget drops an outcome that nobody came for.
func (t *transfers) forget(key string, j *job) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.jobs[key] == j {
		delete(t.jobs, key)
	}
}

// detach leaves the job to run on, unless it has just ended.
func (t *transfers) detach(j *job) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if j.over {
		return false
	}
	j.waiting--
	j.detached = true
	return true
}

// abandon leaves the job, and reports whether that stopped it: nobody else
// waits, and nobody has left it to run on.
func (t *transfers) abandon(j *job) (stopped bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	j.waiting--
	if j.waiting == 0 && !j.detached {
		j.stopped = true
		j.cancel()
	}
	return j.stopped
}
